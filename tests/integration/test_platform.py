"""The platform when its supervisor is killed: nothing is left behind, and `up` starts afresh."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from lifecycle import platform
from lifecycle.platform.address import Address, read
from tests.support import wait_for

pytestmark = pytest.mark.integration
PARTS = {"consumer", "airflow-api-server"}


@pytest.fixture
def home() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="lifecycle-platform-"))
    yield path
    platform.down(path)
    shutil.rmtree(path, ignore_errors=True)


def _address(home: Path) -> Address:
    address = read(home)
    assert address is not None
    return address


def _kill_supervisor(home: Path) -> None:
    os.kill(int((home / "run" / "supervisor.pid").read_text()), signal.SIGKILL)
    wait_for(lambda: not platform.status(home).healthy, 10, "the platform notices")


def _left(address: Address) -> list[str]:
    """Processes that still listen on one of our ports, or name our folder."""
    ports = set(address.ports.values())
    listening = [c for c in psutil.net_connections("tcp") if c.laddr and c.laddr.port in ports]
    named = [
        " ".join(p.info["cmdline"] or ())
        for p in psutil.process_iter(["cmdline"])
        if str(address.home) in " ".join(p.info["cmdline"] or ())
    ]
    return [*(str(c) for c in listening if c.status == psutil.CONN_LISTEN), *named]


def test_a_killed_supervisor_leaves_nothing_that_down_does_not_find(home: Path) -> None:
    assert platform.up(home, PARTS).healthy
    assert platform.up(home, PARTS).healthy, "up again changes nothing"
    _kill_supervisor(home)
    assert platform.up(home, PARTS).healthy, "up takes over what was left"
    _kill_supervisor(home)
    platform.down(home)
    assert _left(_address(home)) == []
    assert not _address(home).socket_dir.exists()
