"""What the DAGs share: the assets of the path, and how a task of it fails.

An address names the thing, not a machine: Airflow treats another uri as another asset, so the
addresses stay the same on a laptop and in production.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager

from airflow.sdk import Asset, ExceptionRetryPolicy, RetryAction, RetryRule

from lifecycle.errors import LifecycleError, NotRunning

TOPICS = [
    Asset(name=topic, uri=f"kafka://bank/{topic}", group="kafka")
    for topic in (
        "bank.client.v1",
        "bank.consent.v1",
        "bank.account.v1",
        "bank.credit.v1",
        "bank.interaction.v1",
        "bank.product.v1",
    )
]


def _table(name: str) -> Asset:
    return Asset(name=name, uri=f"postgres://bank/bank/public/{name}", group="postgres")


EVENT_LOG = _table("event_log")
LAKE = Asset(name="lake", uri="file://lake/events", group="lake")
CLIENT_PROFILE = _table("client_profile")
RISK_SCORE = _table("risk_score")
ALERT = _table("alert")

RETRIES = {
    "retries": 3,
    "retry_delay": dt.timedelta(seconds=30),
    "retry_exponential_backoff": True,
    "max_retry_delay": dt.timedelta(minutes=5),
    "retry_policy": ExceptionRetryPolicy(
        [
            RetryRule(NotRunning, RetryAction.RETRY, reason="a part of the platform is down"),
            RetryRule(Exception, RetryAction.FAIL, reason="it would fail again"),
        ]
    ),
}
"""Only what another attempt can mend is tried again: a part that is down, or a killed worker."""


@contextmanager
def one_sentence() -> Iterator[None]:
    """A failure we raise on purpose ends the task with its sentence, without a stack trace."""
    from airflow.sdk.exceptions import AirflowFailException

    try:
        yield
    except NotRunning:
        raise
    except LifecycleError as error:
        raise AirflowFailException(str(error)) from None
