"""One platform for all faults: a real broker and database, proxies before both, a publisher that
keeps a ledger, and consumers as processes of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import psutil
import psycopg
from kafka import KafkaAdminClient, KafkaProducer
from kafka.errors import CoordinatorNotAvailableError

from lifecycle import app, platform
from lifecycle.platform import address as addresses
from lifecycle.platform.address import Address
from lifecycle.settings import Settings
from tests.chaos import oracle
from tests.chaos.proxy import LOOPBACK, Proxy
from tests.chaos.traffic import Ledger, Produced, good, traffic
from tests.support import received, reset, wait_for

EVENTS = int(os.environ.get("LIFECYCLE_CHAOS_EVENTS", "1000"))
SEED = int(os.environ.get("LIFECYCLE_CHAOS_SEED", "1"))
PATIENCE = 60 + EVENTS / 500
"""Seconds a platform may take for all events of a fault; a stall is much longer."""
RECORD_BYTES_MAX = 4 * 2**20


class Rig:
    """What a fault test works with. `settings` connects directly, `proxied` through the proxies."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        address = addresses.read(settings.home)
        assert address is not None
        self.address: Address = address
        self.database = Proxy(str(address.socket_dir / ".s.PGSQL.5432"))
        self.broker = Proxy((LOOPBACK, address.kafka_port(1)), kafka=True)
        self.proxied = replace(
            settings,
            database_url=f"postgresql://postgres@{LOOPBACK}:{self.database.port}/bank",
            kafka_bootstrap=f"{LOOPBACK}:{self.broker.port}",
        )
        self._groups = 0
        self.ledger = Ledger(SEED)
        self.children: list[Consumer] = []
        self.after: list[Callable[[], None]] = []
        """What a test changed and has to be put back once its processes are gone."""

    # --- a test begins and ends ---------------------------------------------------------------

    def begin(self) -> None:
        """Empty tables, offset rows at the end of the topics, an empty ledger, healthy proxies."""
        self.database.heal()
        self.broker.heal()
        # A group of its own: a member that the last test killed is nobody to wait for.
        self._groups += 1
        group = f"chaos-{self._groups}"
        self.settings = replace(self.settings, consumer_group=group)
        self.proxied = replace(
            self.settings,
            database_url=self.proxied.database_url,
            kafka_bootstrap=self.proxied.kafka_bootstrap,
        )
        reset(self.settings)
        self.ledger = Ledger(SEED)

    def end(self) -> None:
        """Leave no process behind, whatever the test did to it."""
        self.database.heal()
        self.broker.heal()
        for child in self.children:
            child.kill()
            print(f"--- {' '.join(child.command)}\n{child.said()[-2000:]}")
        self.children = []
        while self.after:
            self.after.pop()()

    def close(self) -> None:
        self.database.close()
        self.broker.close()

    # --- producing ----------------------------------------------------------------------------

    def traffic(self, events: int | None = None, clients: str = "C") -> list[Produced]:
        """Seeded good facts; other `clients` are other people, with accounts of their own."""
        return list(_good(events or EVENTS, clients))

    def publish(self, records: Sequence[Produced], partition: int | None = None) -> None:
        """Send, wait until the broker has all, and put them into the ledger."""
        self.ledger.add(records)
        producer = KafkaProducer(
            bootstrap_servers=self.settings.kafka_bootstrap,
            acks="all",
            linger_ms=5,
            max_request_size=RECORD_BYTES_MAX,
        )
        try:
            sent = [
                producer.send(
                    r.topic,
                    key=None if r.key is None else r.key.encode(),
                    value=r.value,
                    partition=partition,
                )
                for r in records
            ]
            producer.flush(timeout=120)
            for one in sent:
                one.get(timeout=60)
        finally:
            producer.close()

    # --- consuming ----------------------------------------------------------------------------

    def consume(self, through: Settings | None = None, **environment: str) -> Consumer:
        """`lifecycle consume`, as users run it."""
        return self._start(["-m", "lifecycle.cli", "consume"], through, environment)

    def relay(self, through: Settings | None = None) -> Consumer:
        """`lifecycle relay`, as users run it."""
        return self._start(["-m", "lifecycle.cli", "relay"], through, {})

    def faulty(
        self, *arguments: str, through: Settings | None = None, **environment: str
    ) -> Consumer:
        """A consumer with a fault; see `tests.chaos.faulty`."""
        command = ["-m", "tests.chaos.faulty", "consume", *arguments]
        return self._start(command, through, environment)

    def _start(
        self, command: Sequence[str], through: Settings | None, environment: dict[str, str]
    ) -> Consumer:
        chosen = through or self.settings
        log = self.settings.home / "run" / f"chaos-{len(self.children)}-{time.monotonic_ns()}.log"
        child = Consumer(
            command,
            log,
            {
                **os.environ,
                "LIFECYCLE_HOME": str(chosen.home),
                "LIFECYCLE_DATABASE_URL": chosen.database_url,
                "LIFECYCLE_KAFKA_BOOTSTRAP": chosen.kafka_bootstrap,
                "LIFECYCLE_CONSUMER_GROUP": chosen.consumer_group,
                "LIFECYCLE_PARTITIONS": str(chosen.partitions),
                **environment,
            },
        )
        self.children.append(child)
        return child

    def members(self) -> set[str]:
        """Who is in the consumer group; whoever had to join again has another id."""
        admin = KafkaAdminClient(bootstrap_servers=self.settings.kafka_bootstrap)
        try:
            groups = admin.describe_groups([self.settings.consumer_group])
            return {m["member_id"] for group in groups.values() for m in group["members"]}
        except CoordinatorNotAvailableError:
            return set()  # the first group of a new broker: nobody has asked for one yet
        finally:
            admin.close()

    def received(self) -> int:
        return received(self.settings)

    def wait_received(self, records: int | None = None, seconds: float = PATIENCE) -> None:
        """Until this many records, or all of the ledger, are accounted for."""
        wanted = len(self.ledger) if records is None else records
        wait_for(
            lambda: self._somebody_lives() and self.received() >= wanted,
            seconds,
            f"{wanted:,} records accounted for (seed {SEED})",
        )

    def _somebody_lives(self) -> bool:
        assert any(child.alive() for child in self.children), "every consumer has ended"
        return True

    def settle(self) -> None:
        """Everything consumed, the outbox drained, the oracle asked."""
        self.wait_received()
        self.drain()
        oracle.check(self.settings, self.ledger)

    def drain(self, through: Settings | None = None) -> None:
        """A relay publishes what waits."""
        waiting = "SELECT count(*) FROM outbox WHERE published_at IS NULL"
        if self.ask(waiting):
            with self.running(self.relay(through)):
                wait_for(lambda: self.ask(waiting) == 0, PATIENCE, "the outbox drains")

    def finish(self) -> None:
        """A healthy consumer reads the rest; then the oracle."""
        with self.running(self.consume()):
            self.settle()

    @contextmanager
    def instead(self, other: Settings) -> Iterator[None]:
        """The same questions, asked of another database."""
        usual, self.settings = self.settings, other
        yield
        self.settings = usual

    @contextmanager
    def running(self, child: Consumer) -> Iterator[Consumer]:
        yield child
        child.stop()

    # --- the platform -------------------------------------------------------------------------

    def ask(self, query: str, *parameters: Any) -> Any:
        """The first column of the first row."""
        with psycopg.connect(self.settings.database_url) as connection:
            row = connection.execute(query, parameters).fetchone()
            return row[0] if row else None

    def tell(self, statement: str) -> None:
        """One statement outside a transaction."""
        with psycopg.connect(self.settings.database_url, autocommit=True) as connection:
            connection.execute(statement)

    def pid(self, part: str) -> int:
        pid = self.pid_or_none(part)
        assert pid is not None, f"{part} is not running"
        return pid

    def pid_or_none(self, part: str) -> int | None:
        """None while the part is down."""
        pid: int | None = platform.status(self.settings.home).parts[part]["pid"]
        return pid

    def wait_healthy(self) -> None:
        wait_for(
            lambda: platform.status(self.settings.home).healthy, 120, "the platform heals itself"
        )

    def kill(self, part: str, with_signal: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to a part and wait until the supervisor has it up again."""
        pid = self.pid(part)
        os.kill(pid, with_signal)
        wait_for(lambda: not _alive(pid), 30, f"{part} ends")
        self.wait_new(part, pid)

    def wait_new(self, part: str, before: int) -> None:
        """Until the supervisor runs a part under another process id than before, and it is well."""
        wait_for(
            lambda: self.pid_or_none(part) not in (None, before),
            60,
            f"the supervisor starts {part} again",
        )
        self.wait_healthy()

    def with_broker_stopped(self, do: Callable[[Path], None]) -> None:
        """Stop the broker cleanly, let `do` change its data folder, and start it again."""
        supervisor = int((self.address.run / "supervisor.pid").read_text())
        broker = self.pid("broker")
        os.kill(supervisor, signal.SIGSTOP)
        try:
            os.kill(broker, signal.SIGTERM)
            wait_for(lambda: not _alive(broker), 60, "the broker ends")
            do(self.settings.home / "kafka" / "data")
        finally:
            os.kill(supervisor, signal.SIGCONT)
        wait_for(
            lambda: (
                platform.status(self.settings.home).parts["broker"]["pid"] not in (None, broker)
            ),
            60,
            "the supervisor starts the broker again",
        )
        self.wait_healthy()

    def alert_keys(self) -> set[str]:
        with psycopg.connect(self.settings.database_url) as connection:
            return {key for (key,) in connection.execute("SELECT alert_key FROM alert")}

    def problems(self) -> list[str]:
        """What `lifecycle offsets show` says is lost or impossible."""
        return [row["problem"] for row in app.offsets(self.settings) if row["problem"]]


class Consumer:
    """A process of its own with its log."""

    def __init__(self, command: Sequence[str], log: Path, environment: dict[str, str]) -> None:
        self.command = command
        self.log = log
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                [sys.executable, *command], env=environment, stdout=out, stderr=subprocess.STDOUT
            )
        self.pid = self._process.pid

    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def alive(self) -> bool:
        return self._process.poll() is None

    def stop(self) -> None:
        """As an operator does; fails when the process had died, or does not end by itself."""
        assert self.alive(), f"it ended with {self._process.returncode}: {self.said()[-3000:]}"
        self._process.terminate()
        # Before it has set itself up, a signal just ends it.
        assert self._process.wait(40) in (0, -signal.SIGTERM), self.said()[-3000:]

    def wait(self, seconds: float) -> int:
        """Its exit status, negative for a signal."""
        return self._process.wait(seconds)

    def kill(self) -> None:
        if self.alive():
            self._process.kill()
        self._process.wait(10)

    def send(self, which: signal.Signals) -> None:
        self._process.send_signal(which)

    def wait_stopped(self, seconds: float = 60) -> None:
        """Until it has stopped itself by SIGSTOP."""
        child = psutil.Process(self.pid)
        wait_for(lambda: child.status() == psutil.STATUS_STOPPED, seconds, "the process stops")

    def memory_mb(self) -> float:
        return psutil.Process(self.pid).memory_info().rss / 2**20

    def cpu_seconds(self) -> float:
        times = psutil.Process(self.pid).cpu_times()
        return times.user + times.system


@lru_cache(maxsize=1)
def _good(events: int, clients: str) -> list[Produced]:
    """Nearly every fault begins with the same facts, and they take seconds to make."""
    return good(traffic(SEED, events, clients))


def _alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
