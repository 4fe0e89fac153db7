"""Read by every Airflow process at its start. The scheduler forks the tasks, so what it has
imported they need not import again."""

import sys

if "scheduler" in sys.argv:
    import great_expectations  # noqa: F401
