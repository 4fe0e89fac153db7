"""Fixtures that several layers share: a scratch platform, the rule set, events to play with."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import hypothesis
import pytest

from lifecycle import platform, settings
from lifecycle.alerts.decide import Decider, decider
from lifecycle.alerts.rules import RuleSet, load_rules
from lifecycle.settings import ROOT, Settings

# A busy machine says nothing of the code.
hypothesis.settings.register_profile("busy", deadline=None)
hypothesis.settings.load_profile("busy")

BERKA = Path(os.environ.get("BERKA_DIR", ROOT.parent / "shared" / "data" / "berka"))

# What needs Spark runs with `make spark`, which installs it apart: Great Expectations would load it into
# every process of the other tests.
collect_ignore = (
    []
    if find_spec("pyspark")
    else [
        "integration/test_spark.py",
        "integration/test_spark_at_size.py",
        "unit/test_engines.py",
    ]
)

needs_berka = pytest.mark.skipif(
    not (BERKA / "account.asc").exists(),
    reason="the Berka data are not here: set BERKA_DIR to run this on real bank data",
)


@pytest.fixture(scope="session")
def rule_set() -> RuleSet:
    return load_rules(ROOT / "rules")


@pytest.fixture(scope="session")
def rules(rule_set: RuleSet) -> Decider:
    return decider(rule_set)


@pytest.fixture(scope="session")
def scratch() -> Iterator[Settings]:
    """A real broker and a real database with schema and topics, for the whole session."""
    home = Path(tempfile.mkdtemp(prefix="lifecycle-test-"))
    try:
        platform.up(home, {"topics"})
        yield settings.load({"LIFECYCLE_HOME": str(home)})
    finally:
        platform.down(home)
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def clean(scratch: Settings) -> Settings:
    """The scratch platform with empty tables and its offset rows at the end of the topics."""
    from tests.support import reset

    reset(scratch)
    return scratch
