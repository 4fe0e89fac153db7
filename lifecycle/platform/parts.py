"""The parts of one machine's platform, in one table: command, dependencies, health."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from lifecycle.platform import airflow, broker, database
from lifecycle.platform.address import Address, numbered
from lifecycle.settings import LOOPBACK

HEARTBEAT_SECONDS_MAX = 15


@dataclass(frozen=True)
class Part:
    """One process, or (`once`) a step that runs to its end before others may start.

    `command` may prepare the part first. `health` returns None or what is wrong.
    """

    name: str
    command: Callable[[Address], list[str]]
    after: tuple[str, ...] = ()
    health: Callable[[Address], str | None] = lambda address: None
    environment: Callable[[Address], dict[str, str]] = lambda address: {}
    once: bool = False
    done: Callable[[Address], bool] = lambda address: False
    """For a step: True when it need not run again."""
    mark_done: Callable[[Address], None] = lambda address: None
    """For a step: called after it ran to a good end."""
    stop_signal: signal.Signals = signal.SIGTERM
    user: Callable[[], str | None] = field(default=lambda: None)


def _lifecycle(*arguments: str) -> Callable[[Address], list[str]]:
    return lambda address: [sys.executable, "-m", "lifecycle.cli", *arguments]


def _airflow(*arguments: str) -> Callable[[Address], list[str]]:
    return lambda address: [sys.executable, "-m", "airflow", *arguments]


def _beats(name: str) -> Callable[[Address], str | None]:
    def health(address: Address) -> str | None:
        path = address.heartbeat(name)
        age = time.time() - path.stat().st_mtime if path.exists() else None
        if age is None:
            return "no heartbeat yet"
        return f"no heartbeat for {age:.0f} s" if age > HEARTBEAT_SECONDS_MAX else None

    return health


def _airflow_part(name: str) -> Part:
    return Part(
        name,
        _airflow(name.removeprefix("airflow-")),
        after=("airflow-schema",),
        health=lambda address: airflow.healthy(address, name),
        environment=airflow.environment,
    )


def _mail(address: Address) -> list[str]:
    sink = ["-c", "aiosmtpd.handlers.Mailbox", str(address.home / "mail")]
    listen = f"{LOOPBACK}:{address.ports['smtp']}"
    return [sys.executable, "-m", "aiosmtpd", "-n", "-l", listen, *sink]


def layout(brokers: int = 1, consumers: int = 1) -> dict[str, Part]:
    """Every part of a platform by name, in the order of starting."""
    nodes = [_broker(node) for node in range(1, brokers + 1)]
    parts = (
        *nodes,
        Part(
            "database",
            database.prepare,
            health=database.healthy,
            # Fast shutdown: end the sessions, write a checkpoint, go.
            stop_signal=signal.SIGINT,
            user=database.run_as,
        ),
        Part("mail", _mail),
        Part("schema", _lifecycle("migrate"), after=("database",), once=True),
        Part(
            "topics",
            _lifecycle("bootstrap"),
            after=(*(node.name for node in nodes), "schema"),
            once=True,
        ),
        *(_consumer(number) for number in range(1, consumers + 1)),
        Part("relay", _lifecycle("relay"), after=("topics",), health=_beats("relay")),
        Part(
            "airflow-schema",
            _airflow("db", "migrate"),
            after=("schema",),
            environment=airflow.environment,
            once=True,
            done=lambda address: airflow.schema_marker(address).exists(),
            mark_done=lambda address: airflow.schema_marker(address).touch(),
        ),
        *(_airflow_part(name) for name in airflow.COMPONENTS),
    )
    return {part.name: part for part in parts}


def _broker(node: int) -> Part:
    return Part(
        numbered("broker", node),
        lambda address: broker.prepare(address, node),
        health=lambda address: broker.healthy(address, node),
    )


def _consumer(number: int) -> Part:
    name = numbered("consumer", number)
    return Part(
        name,
        _lifecycle("consume"),
        after=("topics",),
        health=_beats(name),
        environment=lambda address: {"LIFECYCLE_METRICS_PORT": str(address.metrics_port(number))},
    )


def with_dependencies(names: set[str], parts: dict[str, Part]) -> list[Part]:
    """These parts and all they need, in the order of the layout; "consumer" stands for all of them."""
    if "consumer" in names:
        names = names | {name for name in parts if name.startswith("consumer-")}
    needed: set[str] = set()
    todo = list(names)
    while todo:
        name = todo.pop()
        needed.add(name)
        todo += [n for n in parts[name].after if n not in needed]
    return [part for name, part in parts.items() if name in needed]


def environment(part: Part, address: Address) -> dict[str, str]:
    """The environment a part runs in: ours, the platform's addresses, its own settings.

    `LIFECYCLE_INSTANCE` marks every process of this platform, so that it can be found again.
    """
    inherited = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    return {
        **inherited,
        "LIFECYCLE_HOME": str(address.home),
        "LIFECYCLE_INSTANCE": address.instance,
        "LIFECYCLE_PART": part.name,
        "LIFECYCLE_HEARTBEAT": str(address.heartbeat(part.name)),
        "PYTHONUNBUFFERED": "1",
        # Airflow writes its process titles over its environment, and with it over our mark.
        "SPT_NOENV": "1",
        **part.environment(address),
    }
