"""Airflow as a person and as a program sees it."""

from __future__ import annotations

import json
import shutil
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from lifecycle.platform.address import Address, read
from lifecycle.settings import Settings

CHROMIUM = next((p for p in map(shutil.which, ("chromium", "chromium-browser")) if p), None)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium is installed: the page is not looked at"
)


def address_of(configured: Settings) -> Address:
    address = read(configured.home)
    assert address is not None
    return address


def password(configured: Settings, user: str) -> str:
    return str(json.loads(address_of(configured).passwords.read_text())[user])


@contextmanager
def logged_in(configured: Settings, user: str) -> Iterator[Any]:
    """A browser page after the log-in form, on Airflow's home page."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1500, "height": 1100}, color_scheme="dark")
        page.goto(address_of(configured).airflow_url)
        page.fill("input[name=username]", user)
        page.fill("input[name=password]", password(configured, user))
        page.keyboard.press("Enter")
        page.get_by_text("Operations").first.wait_for(timeout=30_000)
        yield page
        browser.close()


def api(configured: Settings, user: str, method: str, path: str, body: Any = None) -> Any:
    """One call of Airflow's API by a user. Raises HTTPError."""
    log_in = {"username": user, "password": password(configured, user)}
    token = _send(configured, "POST", "/auth/token", log_in, {})["access_token"]
    return _send(configured, method, path, body, {"Authorization": f"Bearer {token}"})


def _send(configured: Settings, method: str, path: str, body: Any, headers: dict[str, str]) -> Any:
    request = urllib.request.Request(
        address_of(configured).airflow_url + path,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json", **headers},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)
