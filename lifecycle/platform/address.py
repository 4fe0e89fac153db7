"""What a platform is called and where it listens: chosen at first start, then kept.

Everything is under the state folder: `platform.json` (addresses), `secrets/` (mode 600),
`run/` (status, heartbeats, logs), and the data of each part.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
import socket
import tempfile
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from lifecycle.errors import UsageError
from lifecycle.settings import LOOPBACK, PARTITIONS, written_by_up

PORT_NAMES = ("kafka", "controller", "airflow", "smtp", "metrics", "worker_log", "trigger_log")
PORT_ENV = "LIFECYCLE_PORT_"
PORT_MAX = 65_535
USERS = {"admin": "admin", "operator": "op", "officer": "user", "auditor": "viewer"}
"""Airflow log-ins that are made at first start: name -> role of the simple auth manager."""


@dataclass(frozen=True)
class Address:
    """One platform: its identity, ports and derived addresses."""

    home: Path
    instance: str
    ports: dict[str, int]
    socket_dir: Path
    brokers: int = 1
    consumers: int = 1
    partitions: int = PARTITIONS
    """Of every source topic; raised by `lifecycle partitions`, never lowered."""

    @property
    def kafka_bootstrap(self) -> str:
        nodes = range(1, self.brokers + 1)
        return ",".join(f"{LOOPBACK}:{self.advertised_port(node)}" for node in nodes)

    def kafka_port(self, node: int) -> int:
        """Where a broker node listens."""
        return self.ports[numbered("kafka", node)]

    def advertised_port(self, node: int) -> int:
        """Where clients find a broker node: its own port, or that of a proxy before it."""
        return self.ports.get(numbered("advertised", node), self.kafka_port(node))

    def controller_port(self, node: int) -> int:
        """Where a node's controller listens."""
        return self.ports[numbered("controller", node)]

    def metrics_port(self, consumer: int) -> int:
        """Where a consumer answers GET /metrics."""
        return self.ports[numbered("metrics", consumer)]

    @property
    def airflow_url(self) -> str:
        return f"http://{LOOPBACK}:{self.ports['airflow']}"

    def database_url(self, name: str, scheme: str = "postgresql") -> str:
        return f"{scheme}://postgres@/{name}?host={self.socket_dir}"

    @property
    def run(self) -> Path:
        return self.home / "run"

    @property
    def secrets(self) -> Path:
        return self.home / "secrets"

    @property
    def passwords(self) -> Path:
        return self.secrets / "airflow-passwords.json"

    def log(self, part: str) -> Path:
        return self.run / f"{part}.log"

    def heartbeat(self, part: str) -> Path:
        return self.run / f"{part}.heartbeat"


def read(home: Path) -> Address | None:
    """The address `up` wrote, or None when nothing was ever started here."""
    written = written_by_up(home)
    if not written:
        return None
    return Address(
        home,
        written["instance"],
        written["ports"],
        Path(written["socket_dir"]),
        written.get("brokers", 1),
        written.get("consumers", 1),
        written.get("partitions", PARTITIONS),
    )


def create(home: Path, brokers: int | None = None, consumers: int | None = None) -> Address:
    """Read the address, or choose one: free ports, a new identity, fresh secrets.

    `brokers` is fixed at the first start, `consumers` may change; None keeps what is known.
    """
    known = read(home)
    if known and brokers and brokers != known.brokers:
        raise UsageError(
            f"The platform in {home} has {known.brokers} brokers and its topics are laid out for "
            f"them: use another LIFECYCLE_HOME for {brokers}."
        )
    brokers = brokers or (known.brokers if known else 1)
    consumers = consumers or (known.consumers if known else 1)
    address = Address(
        home=home,
        instance=known.instance if known else uuid.uuid4().hex,
        ports=_ports(known.ports if known else {}, _port_names(brokers, consumers)),
        socket_dir=_socket_dir(home),
        brokers=brokers,
        consumers=consumers,
        partitions=known.partitions if known else _partitions_wanted(),
    )
    try:
        for folder in (home, address.run, address.secrets):
            folder.mkdir(parents=True, exist_ok=True)
        # What is known of clients is in here, and what compliance alone may see.
        home.chmod(0o700)
        address.secrets.chmod(0o700)
        _write_secrets(address)
        _write(address)
    except OSError as error:
        raise UsageError(
            f"Nothing can be written to {home} ({error.strerror}): set LIFECYCLE_HOME to a folder "
            "of your own."
        ) from error
    return address


def keep_partitions(home: Path, partitions: int) -> None:
    """Write down that the source topics have this many; does nothing where no platform is."""
    known = read(home)
    if known:
        _write(replace(known, partitions=partitions))


def _write(address: Address) -> None:
    written = asdict(address) | {
        "home": str(address.home),
        "socket_dir": str(address.socket_dir),
        "database_url": address.database_url("bank"),
        "kafka_bootstrap": address.kafka_bootstrap,
        "airflow_url": address.airflow_url,
        "smtp": f"{LOOPBACK}:{address.ports['smtp']}",
    }
    write_atomically(address.home / "platform.json", json.dumps(written, indent=2))


def _partitions_wanted() -> int:
    return int(os.environ.get("LIFECYCLE_PARTITIONS", PARTITIONS))


def write_atomically(path: Path, text: str, mode: int = 0o644) -> None:
    """Write a file so that a reader sees the old or the new one, never a part."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    temporary.replace(path)


def _socket_dir(home: Path) -> Path:
    # A Unix socket path holds 107 bytes, so it cannot live under a deep state folder.
    digest = hashlib.sha256(str(home).encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"lifecycle-{digest}"


def numbered(name: str, number: int) -> str:
    """kafka, kafka-2, kafka-3: the first of a kind has the plain name."""
    return name if number == 1 else f"{name}-{number}"


def _port_names(brokers: int, consumers: int) -> list[str]:
    more = [numbered(kind, n) for n in range(2, brokers + 1) for kind in ("kafka", "controller")]
    # Only when a setting asks: a proxy stands between the clients and this broker.
    proxies = [numbered("advertised", n) for n in range(1, brokers + 1)]
    proxies = [name for name in proxies if _port_setting(name) in os.environ]
    more += [numbered("metrics", n) for n in range(2, consumers + 1)]
    return [*PORT_NAMES, *more, *proxies]


def _port_setting(name: str) -> str:
    return f"{PORT_ENV}{name.upper().replace('-', '_')}"


def _ports(kept: dict[str, int], names: list[str]) -> dict[str, int]:
    chosen = dict(kept)
    held = []
    for name in names:
        wanted = os.environ.get(_port_setting(name))
        if wanted:
            chosen[name] = _port(_port_setting(name), wanted)
        elif name in kept:
            chosen[name] = kept[name]
        else:
            free = socket.socket()
            free.bind((LOOPBACK, 0))
            held.append(free)
            chosen[name] = free.getsockname()[1]
    for free in held:
        free.close()
    return chosen


def _port(setting: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= PORT_MAX):
        raise UsageError(f"{setting} is {text!r}, which is no port: say 1 to {PORT_MAX}.")
    return int(text)


def _write_secrets(address: Address) -> None:
    fresh: dict[str, Callable[[], str]] = {
        "fernet.key": lambda: base64.urlsafe_b64encode(os.urandom(32)).decode(),
        "jwt.key": lambda: secrets.token_urlsafe(48),
        "api.key": lambda: secrets.token_urlsafe(48),
        address.passwords.name: lambda: json.dumps({
            user: secrets.token_urlsafe(12) for user in USERS
        }),
    }
    for name, make in fresh.items():
        path = address.secrets / name
        if not path.exists():
            write_atomically(path, make(), mode=0o600)
