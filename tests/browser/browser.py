"""Airflow as a person sees it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from lifecycle.settings import Settings
from tests.airflow_api import address_of, password

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
