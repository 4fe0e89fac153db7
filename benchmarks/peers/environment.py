"""How a rival gets what it needs, and the command that starts it.

Python rivals run in environments of their own, made by uv from exact pins: their requirements and
those of Airflow exclude each other. The Java one is compiled with the Eclipse compiler, because the
JRE of the wheel has no javac.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from psycopg.conninfo import conninfo_to_dict

from benchmarks.peers.catalogue import HERE, Peer
from lifecycle.errors import NotRunning
from lifecycle.platform import class_path, java
from lifecycle.settings import ROOT

NEWEST = "2026-11-20"
"""Nothing uploaded later is installed, so that what the pins require stays the same too."""
COMPILER = "org.eclipse.jdt:ecj:3.42.0"
HEAP = "1g"
QUIET = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"


def install(peer: Peer, folder: Path) -> None:
    """Fetch a rival and see that it can start; `folder` takes what has to be compiled."""
    if peer.is_java:
        _compile(peer, folder)
        return
    done = subprocess.run([*_python(peer), "-V"], cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise _missing(peer, done.stderr)


def command(peer: Peer, folder: Path, asked: dict[str, Any]) -> list[str]:
    """What starts it; to be run in the repository's root."""
    if not peer.is_java:
        module = f"{__package__}.{Path(peer.script).stem}"
        return [*_python(peer), "-m", module, json.dumps(asked)]
    classes = f"{folder}:{_jars(peer)}"
    main = Path(peer.script).stem
    options = [f"-Xmx{HEAP}", "--enable-native-access=ALL-UNNAMED", QUIET]
    told = json.dumps(asked | {"jdbc": _jdbc(asked["database"])})
    return [java(), *options, "-cp", classes, main, told]


def _python(peer: Peer) -> list[str]:
    """A Python with the rival, and with our versions of what decode and database need."""
    ours = [f"msgspec=={version('msgspec')}", f"psycopg[binary]=={version('psycopg')}"]
    wanted = [word for pin in (*peer.pins, *ours) for word in ("--with", pin)]
    isolated = ["--isolated", "--no-project", "--exclude-newer", NEWEST]
    return [_uv(), "run", "--quiet", *isolated, "--python", sys.executable, *wanted, "python"]


def _uv() -> str:
    found = shutil.which("uv") or shutil.which(str(ROOT / ".uv" / "bin" / "uv"))
    if found is None:
        raise NotRunning("uv is not installed, which makes the peers' environments: make install.")
    return found


def _jars(peer: Peer) -> str:
    return class_path("+".join(peer.pins), HERE / "kafka_streams.lock")


def _compile(peer: Peer, folder: Path) -> None:
    compiler = class_path(COMPILER, HERE / "ecj.lock")
    source = str(HERE / peer.script)
    tool = [java(), "-jar", compiler, "-21", "-nowarn", "-d", str(folder)]
    done = subprocess.run([*tool, "-cp", _jars(peer), source], capture_output=True, text=True)
    if done.returncode:
        raise NotRunning(f"{peer.script} cannot be compiled: {done.stderr.strip()}")


def _missing(peer: Peer, said: str) -> NotRunning:
    last = (said.strip().splitlines() or ["no answer"])[-1].strip()
    pins = " ".join(f"--with {pin}" for pin in peer.pins)
    return NotRunning(
        f"{peer.title} is not installed ({last}): install it with "
        f"`uv run --isolated --no-project {pins} python -V`."
    )


def _jdbc(database: str) -> str:
    """The address of the database as the JDBC driver wants it."""
    parts = conninfo_to_dict(database)
    socket = f"{parts['host']}/.s.PGSQL.{parts.get('port') or 5432}"
    factory = "org.newsclub.net.unix.AFUNIXSocketFactory$FactoryArg"
    return (
        f"jdbc:postgresql://localhost/{parts['dbname']}?user={parts['user']}&sslmode=disable"
        f"&gssEncMode=disable&socketFactory={factory}&socketFactoryArg={socket}"
        "&reWriteBatchedInserts=true"
    )
