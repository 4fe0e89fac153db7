"""Airflow as a program sees it: its address, its users, its API."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

from lifecycle.platform.address import Address, read
from lifecycle.settings import Settings


def address_of(configured: Settings) -> Address:
    address = read(configured.home)
    assert address is not None
    return address


def password(configured: Settings, user: str) -> str:
    return str(json.loads(address_of(configured).passwords.read_text())[user])


def api(configured: Settings, user: str, method: str, path: str, body: Any = None) -> Any:
    """One call of Airflow's API by a user. Raises HTTPError."""
    token = token_of(configured, user)
    return _send(configured, method, path, body, {"Authorization": f"Bearer {token}"})


def token_of(configured: Settings, user: str) -> str:
    """What a user's calls carry."""
    log_in = {"username": user, "password": password(configured, user)}
    return str(_send(configured, "POST", "/auth/token", log_in, {})["access_token"])


def _send(configured: Settings, method: str, path: str, body: Any, headers: dict[str, str]) -> Any:
    request = urllib.request.Request(
        address_of(configured).airflow_url + path,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json", **headers},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)
