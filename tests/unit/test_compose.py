"""docker-compose.yml: the same parts and entry points as the platform, no secret inside."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from lifecycle.commands import application
from lifecycle.platform.parts import layout
from lifecycle.settings import ROOT

PARTS = tuple(layout().values())

TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SAME = {"broker": "kafka", "database": "postgres"}
ONLY_LOCAL = {"mail"}


def test_every_part_of_the_platform_is_there() -> None:
    parts = {SAME.get(p.name, p.name) for p in PARTS} - ONLY_LOCAL
    assert parts == COMPOSE["services"].keys()


def test_dependencies_are_those_of_the_platform() -> None:
    for part in PARTS:
        if part.name in ONLY_LOCAL:
            continue
        service = COMPOSE["services"][SAME.get(part.name, part.name)]
        after = {SAME.get(name, name) for name in part.after}
        assert after <= set(service.get("depends_on", {})) or not after, part.name


def test_entry_points_exist() -> None:
    import typer

    commands = set(typer.main.get_command(application).commands)  # type: ignore[attr-defined]
    for name, service in COMPOSE["services"].items():
        if service.get("image", "").startswith("lifecycle") and not name.startswith("airflow"):
            assert service["command"][0] in commands


def test_long_running_parts_have_health_checks_and_state_a_volume() -> None:
    for name in ("kafka", "postgres", "consumer", "relay", "airflow-api-server"):
        assert COMPOSE["services"][name]["healthcheck"]["test"], name
    for service in COMPOSE["services"].values():
        for mount in service.get("volumes", []):
            assert mount.split(":")[0] in COMPOSE["volumes"]


@pytest.mark.parametrize("word", ["PASSWORD", "SECRET", "FERNET_KEY", "JWT"])
def test_no_secret_is_written_down(word: str) -> None:
    for line in TEXT.splitlines():
        found = re.match(rf"\s*\w*{word}\w*: (.+)", line)
        if found and not line.lstrip().startswith("#"):
            assert "/run/secrets/" in found.group(1), line


def test_ports_are_on_loopback_only() -> None:
    for service in COMPOSE["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
