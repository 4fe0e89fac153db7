"""The platform's table of parts, its address and its locked jars."""

from __future__ import annotations

import stat
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from lifecycle import settings
from lifecycle.errors import UsageError
from lifecycle.platform import address, broker
from lifecycle.platform.control import _changes, _ports_free
from lifecycle.platform.jars import java_home, read_lock
from lifecycle.platform.parts import environment, layout, with_dependencies

PARTS = tuple(layout().values())


def test_parts_come_after_what_they_need() -> None:
    seen: set[str] = set()
    for part in PARTS:
        assert set(part.after) <= seen, part.name
        seen.add(part.name)


def test_a_part_brings_its_dependencies() -> None:
    assert [p.name for p in with_dependencies({"topics"}, layout())] == [
        "broker",
        "database",
        "schema",
        "topics",
    ]


def test_an_address_is_chosen_once_and_kept(tmp_path: Path) -> None:
    first = address.create(tmp_path)
    again = address.create(tmp_path)
    assert (first.instance, first.ports) == (again.instance, again.ports)
    assert len(set(first.ports.values())) == len(first.ports)
    assert len(str(first.socket_dir)) < 80


def test_two_homes_do_not_share_anything(tmp_path: Path) -> None:
    one, other = address.create(tmp_path / "a"), address.create(tmp_path / "b")
    assert one.instance != other.instance
    assert one.socket_dir != other.socket_dir
    assert not set(one.ports.values()) & set(other.ports.values())


def test_secrets_are_for_the_owner_only(tmp_path: Path) -> None:
    made = address.create(tmp_path)
    for path in made.secrets.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    before = {p.name: p.read_text() for p in made.secrets.iterdir()}
    address.create(tmp_path)
    assert {p.name: p.read_text() for p in made.secrets.iterdir()} == before


def test_a_setting_moves_a_port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIFECYCLE_PORT_AIRFLOW", "18080")
    assert address.create(tmp_path).ports["airflow"] == 18080


@pytest.mark.parametrize("port", ["abc", "0", "65536", "-1", "１"])
def test_a_port_that_is_none_is_refused(
    port: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIFECYCLE_PORT_AIRFLOW", port)
    with pytest.raises(UsageError, match="LIFECYCLE_PORT_AIRFLOW"):
        address.create(tmp_path)


def test_a_home_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    home = tmp_path / "file"
    home.touch()
    with pytest.raises(UsageError, match=r"Nothing can be written to .*file"):
        address.create(home)


@pytest.mark.parametrize("written", ["", "{", "{}", "[]", "\x00"])
def test_a_damaged_platform_file_is_named(written: str, tmp_path: Path) -> None:
    (tmp_path / "platform.json").write_text(written)
    for read in (
        lambda: address.read(tmp_path),
        lambda: settings.load({"LIFECYCLE_HOME": str(tmp_path)}),
    ):
        with pytest.raises(UsageError, match=r"platform\.json is damaged"):
            read()


def test_an_empty_home_is_the_usual_one() -> None:
    assert settings.load({"LIFECYCLE_HOME": ""}).home == Path(".lifecycle").absolute()


def test_duckdb_is_the_engine_when_nothing_else_is_said(tmp_path: Path) -> None:
    home = {"LIFECYCLE_HOME": str(tmp_path)}
    assert settings.load(home).engine == "duckdb"
    spark = home | {"LIFECYCLE_ENGINE": "spark"}
    assert settings.load(spark).spark_master == "local[*]"
    assert settings.load(spark | {"LIFECYCLE_SPARK_MASTER": "k8s://h"}).spark_master == "k8s://h"


def test_an_unknown_engine_is_named() -> None:
    with pytest.raises(UsageError, match="'flink': it can be duckdb or spark"):
        settings.load({"LIFECYCLE_ENGINE": "flink"})


def test_three_brokers_know_each_other_and_stay_three(tmp_path: Path) -> None:
    made = address.create(tmp_path, brokers=3, consumers=2)
    again = address.create(tmp_path)
    assert (again.brokers, again.consumers, again.ports) == (3, 2, made.ports)
    assert len(made.kafka_bootstrap.split(",")) == 3
    assert len(set(made.ports.values())) == len(made.ports)
    with pytest.raises(UsageError, match="has 3 brokers"):
        address.create(tmp_path, brokers=1)
    assert address.create(tmp_path, consumers=4).consumers == 4


def test_every_consumer_and_broker_is_a_part_of_its_own(tmp_path: Path) -> None:
    parts = layout(brokers=3, consumers=2)
    asked = [part.name for part in with_dependencies({"consumer"}, parts)]
    assert {"broker", "broker-2", "broker-3", "consumer", "consumer-2", "topics"} <= set(asked)
    assert set(parts["topics"].after) == {"broker", "broker-2", "broker-3", "schema"}
    made = address.create(tmp_path, brokers=3, consumers=2)
    ports = {
        environment(parts[name], made)["LIFECYCLE_METRICS_PORT"]
        for name in ("consumer", "consumer-2")
    }
    assert len(ports) == 2


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    import socket

    made = address.create(tmp_path)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", made.ports["kafka"]))
        taken.listen()
        with pytest.raises(UsageError, match="LIFECYCLE_PORT_KAFKA"):
            _ports_free(made)


def test_every_process_is_marked_with_its_platform(tmp_path: Path) -> None:
    made = address.create(tmp_path)
    for part in PARTS:
        marked = environment(part, made)
        assert marked["LIFECYCLE_INSTANCE"] == made.instance
        assert marked["LIFECYCLE_PART"] == part.name


def test_a_cluster_id_never_looks_like_an_option(tmp_path: Path) -> None:
    made = replace(address.create(tmp_path), instance="fb" + "0" * 30)
    assert broker.cluster_id(made) == "A" + "w" + "A" * 20


def test_the_launcher_of_spark_leaves_out_the_module_the_jre_lacks(tmp_path: Path) -> None:
    launcher = java_home(tmp_path) / "bin" / "java"
    options = ["--add-modules=jdk.incubator.vector", "-Done=a b", "-XshowSettings:properties"]
    shown = subprocess.run([launcher, *options, "-version"], capture_output=True, text=True)
    assert shown.returncode == 0, shown.stderr
    assert "one = a b" in shown.stderr


def test_the_lock_names_every_jar_with_a_sha256() -> None:
    locked = read_lock(broker.LOCK)
    assert "kafka_2.13-4.2.0.jar" in locked
    assert all(len(digest) == 64 for digest in locked.values())


def test_a_part_is_said_again_only_when_it_changed() -> None:
    said: list[tuple[str, str]] = []
    running = {name: {"detail": "running"} for name in ("broker", "database")}
    look = _changes(lambda part, detail: said.append((part, detail)), {"broker": running["broker"]})
    for _ in range(100):
        look(running)
    look(running | {"broker": {"detail": "stopped"}})
    assert said == [("database", "running"), ("broker", "stopped")]
