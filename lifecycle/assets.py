"""What the path is made of, for Airflow's asset graph: name, address and group of each thing.

An address names the thing, not a machine: Airflow takes another uri for another asset, so they are
the same on a laptop and in production. Light, because every DAG file reads it at every parse.
"""

from __future__ import annotations

TOPICS = (
    "bank.client.v1",
    "bank.consent.v1",
    "bank.account.v1",
    "bank.credit.v1",
    "bank.interaction.v1",
    "bank.product.v1",
)

ASSETS: dict[str, dict[str, str]] = {
    name: {"name": name, "uri": uri, "group": group}
    for name, uri, group in (
        *((topic, f"kafka://bank/{topic}", "kafka") for topic in TOPICS),
        ("event_log", "postgres://bank/bank/public/event_log", "postgres"),
        ("lake", "file://lake/events", "lake"),
        ("client_profile", "postgres://bank/bank/public/client_profile", "postgres"),
        ("risk_score", "postgres://bank/bank/public/risk_score", "postgres"),
        ("alert", "postgres://bank/bank/public/alert", "postgres"),
    )
}
"""Name -> the arguments of an Airflow Asset."""
