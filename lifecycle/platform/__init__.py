"""The platform of one machine: real broker, real database, real Airflow, supervised."""

from lifecycle.platform.control import PlatformStatus, down, run_dag, status, up

__all__ = ["PlatformStatus", "down", "run_dag", "status", "up"]
