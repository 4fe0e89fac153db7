"""The platform of one machine: real broker, real database, real Airflow, supervised."""

from lifecycle.platform.address import keep_partitions
from lifecycle.platform.control import DOWN, PlatformStatus, down, run_dag, status, storage, up
from lifecycle.platform.database import binary
from lifecycle.platform.jars import class_path, java, read_lock

__all__ = [
    "DOWN",
    "PlatformStatus",
    "binary",
    "class_path",
    "down",
    "java",
    "keep_partitions",
    "read_lock",
    "run_dag",
    "status",
    "storage",
    "up",
]
