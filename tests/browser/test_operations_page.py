"""The Operations page in a real browser: log in, read the numbers, compare them with `status`."""

from __future__ import annotations

import json
import urllib.request
from typing import Any
from urllib.error import HTTPError

import pytest

from lifecycle import app, platform
from lifecycle.settings import Settings
from tests.airflow_api import address_of
from tests.browser.browser import logged_in, needs_chromium

pytestmark = pytest.mark.browser


def _status_code(url: str, token: str | None = None) -> int:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:
            return int(answer.status)
    except HTTPError as error:
        return error.code


@pytest.mark.parametrize("path", ["/lifecycle/operations", "/lifecycle/api/operations"])
def test_nothing_is_shown_without_a_log_in(whole: Settings, path: str) -> None:
    assert _status_code(address_of(whole).airflow_url + path) == 401


def test_every_alert_reaches_its_owner_once(whole: Settings) -> None:
    assert platform.run_dag(whole.home, "alert_dispatch", {}) == "success"
    with app.alerts(whole) as store:
        expected = {row["alert_id"] for row in store.list()}
    lines = [
        json.loads(line)
        for path in (whole.home / "notifications").glob("*.ndjson")
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    keys = [line["key"] for line in lines]
    assert len(keys) == len(set(keys)), "a channel was told twice"
    assert {key.split("/")[0] for key in keys} == expected
    assert len(list((whole.home / "mail" / "new").iterdir())) >= len(expected)


@needs_chromium
@pytest.mark.parametrize("user", ["admin", "auditor"])
def test_the_page_shows_what_status_says(whole: Settings, user: str) -> None:
    with logged_in(whole, user) as page:
        page.goto(f"{address_of(whole).airflow_url}/plugin/operations")
        frame = page.frame_locator("iframe")
        frame.get_by_text("balanced").first.wait_for(timeout=30_000)
        text = frame.locator("body").inner_text()
        theme = frame.locator("html").get_attribute("data-theme")
    _agrees(text, app.status(whole))
    assert theme == "dark"


@needs_chromium
def test_a_number_that_is_too_old_is_unknown(whole: Settings) -> None:
    with logged_in(whole, "admin") as page:
        page.clock.install()
        page.goto(f"{address_of(whole).airflow_url}/lifecycle/operations")
        page.locator("#tile-books[data-state=good]").wait_for(timeout=30_000)
        page.route("**/lifecycle/api/operations", lambda route: route.abort())
        page.clock.fast_forward("02:00")
        page.locator("#tile-books[data-state=unknown]").wait_for(timeout=30_000)
        assert page.locator(".tile").count() == page.locator(".tile[data-state=unknown]").count()
        assert "unknown" in page.locator("#tile-books .value").inner_text()
        assert page.locator("#details section").count() == 0
        assert page.locator("#notice").is_visible()


def _agrees(text: str, status: dict[str, Any]) -> None:
    books = status["reconciliation"]
    assert books["balanced"]
    assert f"{books['in']:,} in = {books['applied']:,} applied" in text
    assert f"Night of {status['nightly']['business_date']}: PUBLISHED" in text
    for topic in status["lag"]:
        assert topic in text
    for row in status["alerts"]:
        assert row["severity"] in text
