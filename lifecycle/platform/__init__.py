"""The platform of one machine: real broker, real database, real Airflow, supervised."""

from lifecycle.platform.address import keep_partitions
from lifecycle.platform.control import PlatformStatus, down, run_dag, status, storage, up
from lifecycle.platform.database import binary

__all__ = [
    "PlatformStatus",
    "binary",
    "down",
    "keep_partitions",
    "run_dag",
    "status",
    "storage",
    "up",
]
