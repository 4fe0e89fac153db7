"""One frozen settings object, read once: environment first, then what `lifecycle up` wrote.

`lifecycle up` chooses free ports and writes the addresses to `$LIFECYCLE_HOME/platform.json`;
any of them can be overridden by an environment variable (see `docs/settings.md`).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from lifecycle.errors import UsageError

ROOT = Path(__file__).resolve().parent.parent
"""The folder that holds dags/, plugins/, rules/ and migrations/."""


PARTITIONS = 8
"""Partitions that source topics are made with when nothing else is said."""
WRITTEN = frozenset({"instance", "ports", "socket_dir"})
"""What every `platform.json` has."""
ENGINES = ("duckdb", "spark")
"""What can run the bulk work of a night."""
LOOPBACK = "127.0.0.1"
"""Servers of this product listen here only."""


@dataclass(frozen=True)
class Settings:
    """Where everything is. Paths are absolute; addresses are empty when nothing was started."""

    home: Path
    database_url: str
    """libpq URL of the bank's database, e.g. postgresql://user@/bank?host=/run/pg"""
    kafka_bootstrap: str
    smtp: str
    """host:port of the mail server alerts leave by; the local mail sink by default."""
    lake: Path
    rules: Path
    engine: str
    """Which of ENGINES runs the bulk work of a night."""
    spark_master: str
    """Where Spark runs: local[*], spark://host:port or k8s://..."""
    partitions: int
    """What source topics are made with; those that exist say themselves how many they have."""
    consumer_group: str
    metrics_port: int
    """Where a consumer answers GET /metrics on loopback; 0: nowhere."""
    timezone: ZoneInfo
    """The bank's zone: business dates are dates in this zone."""
    code_version: str

    @property
    def platform_file(self) -> Path:
        return self.home / "platform.json"


def load(environ: dict[str, str] | None = None) -> Settings:
    """Read the settings of this process; `environ` defaults to the process's own."""
    env = dict(os.environ) if environ is None else environ
    # Set and empty is not set: the folder one stands in must not become the state folder.
    home = Path(env.get("LIFECYCLE_HOME") or ".lifecycle").absolute()
    written = written_by_up(home)
    return Settings(
        home=home,
        database_url=env.get("LIFECYCLE_DATABASE_URL", written.get("database_url", "")),
        kafka_bootstrap=env.get("LIFECYCLE_KAFKA_BOOTSTRAP", written.get("kafka_bootstrap", "")),
        smtp=env.get("LIFECYCLE_SMTP", written.get("smtp", "127.0.0.1:25")),
        lake=Path(env.get("LIFECYCLE_LAKE", str(home / "lake"))),
        rules=Path(env.get("LIFECYCLE_RULES", str(ROOT / "rules"))),
        engine=_engine(env),
        spark_master=env.get("LIFECYCLE_SPARK_MASTER", "local[*]"),
        partitions=_number(env, "LIFECYCLE_PARTITIONS", written.get("partitions", PARTITIONS)),
        consumer_group=env.get("LIFECYCLE_CONSUMER_GROUP", "lifecycle"),
        metrics_port=_number(env, "LIFECYCLE_METRICS_PORT", 0),
        timezone=bank_zone(env),
        code_version=env.get("LIFECYCLE_CODE_VERSION", _package_version()),
    )


def bank_zone(environ: Mapping[str, str] = os.environ) -> ZoneInfo:
    """The bank's zone alone: what a DAG needs when it is parsed. Reads no file."""
    name = environ.get("LIFECYCLE_TIMEZONE", "Asia/Shanghai")
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise UsageError(
            f"LIFECYCLE_TIMEZONE is {name!r}, which is no IANA time zone such as Asia/Shanghai."
        ) from None


def _engine(environ: Mapping[str, str]) -> str:
    name = environ.get("LIFECYCLE_ENGINE", ENGINES[0])
    if name not in ENGINES:
        raise UsageError(f"LIFECYCLE_ENGINE is {name!r}: it can be {' or '.join(ENGINES)}.")
    return name


def _number(environ: Mapping[str, str], name: str, default: int) -> int:
    text = environ.get(name, str(default))
    if not (text.isascii() and text.isdigit()):
        raise UsageError(f"{name} is {text!r}, which is no whole number.")
    return int(text)


def written_by_up(home: Path) -> dict[str, Any]:
    """What `lifecycle up` chose for this home; empty when nothing was ever started there."""
    path = home / "platform.json"
    try:
        written = json.loads(path.read_text())
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read ({error.strerror}): set LIFECYCLE_HOME to a folder of your own."
        ) from error
    except ValueError:
        written = None
    if isinstance(written, dict) and written.keys() >= WRITTEN:
        return written
    raise UsageError(
        f"{path} is damaged: put it back from a copy, or set LIFECYCLE_HOME to another folder and "
        "restore a backup there."
    )


def _package_version() -> str:
    from importlib.metadata import version

    return version("lifecycle")
