"""The Operations page in Airflow's navigation: the numbers of `lifecycle status`, live; and the
validation reports of models, to which questions about them link.

Every Airflow process imports this file, tasks included: so the web app, and all it needs, is made at
the first request. Airflow leaves plugin apps open by default: each route here asks for a log-in
that may see Airflow's own pages.
"""

# No `from __future__ import annotations` here: FastAPI has to see the types of its routes.

import threading
import time
from pathlib import Path

from airflow.plugins_manager import AirflowPlugin

PAGE = Path(__file__).with_name("lifecycle_operations.html")

SHUT = {
    "Content-Security-Policy": "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'"
}
"""A report is a picture of a model: nothing in it runs, or asks anything of anybody."""

REST_FACTOR = 10
"""A reading that took t seconds is shown for ten t: reading costs at most a tenth of the time,
however many people look and however long the log is. The page shows each number's age."""
REST_SECONDS_MIN = 1.0


class Numbers:
    """The newest reading as JSON bytes, shared by everyone who looks."""

    def __init__(self):
        self._lock = threading.Lock()
        self._body = b""
        self._due = 0.0

    def body(self):
        """Read again when the last reading has rested long enough."""
        with self._lock:
            started = time.monotonic()
            if started >= self._due:
                self._body = self._read()
                ended = time.monotonic()
                self._due = ended + max(REST_SECONDS_MIN, REST_FACTOR * (ended - started))
            return self._body

    @staticmethod
    def _read():
        from lifecycle import app, settings
        from lifecycle.commands.console import encode

        shown = app.status(settings.load())
        shown.pop("log_in")  # where passwords are kept is for who started the platform
        return encode(shown)


def _web_app():
    from airflow.api_fastapi.auth.managers.models.resource_details import AccessView
    from airflow.api_fastapi.core_api.security import requires_access_view
    from fastapi import Depends, FastAPI, Response
    from fastapi.responses import HTMLResponse

    app = FastAPI(
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        dependencies=[Depends(requires_access_view(AccessView.CLUSTER_ACTIVITY))],
    )
    numbers = Numbers()

    @app.get("/operations")
    def page():
        return HTMLResponse(PAGE.read_text(encoding="utf-8"))

    @app.get("/api/operations")
    def operations():
        return Response(
            numbers.body(), media_type="application/json", headers={"Cache-Control": "no-store"}
        )

    @app.get("/models/{version}/report")
    def report(version: str):
        from lifecycle import app as root
        from lifecycle import settings
        from lifecycle.errors import LifecycleError, NotRunning

        try:
            page = root.model_report(settings.load(), version)
        except NotRunning as error:
            return Response(str(error), status_code=503, media_type="text/plain")
        except LifecycleError as error:
            return Response(str(error), status_code=404, media_type="text/plain")
        return HTMLResponse(page, headers=SHUT)

    return app


class LazyApp:
    """An ASGI app that is made at its first request."""

    def __init__(self):
        self._app = None

    async def __call__(self, scope, receive, send):
        """One request."""
        if self._app is None:
            self._app = _web_app()
        await self._app(scope, receive, send)


class LifecycleOperations(AirflowPlugin):
    """Registers the page and its data."""

    name = "lifecycle_operations"
    fastapi_apps = [{"app": LazyApp(), "url_prefix": "/lifecycle", "name": "lifecycle"}]
    external_views = [
        {
            "name": "Operations",
            "href": "/lifecycle/operations",
            "destination": "nav",
            "url_route": "operations",
            "nav_top_level": True,
        }
    ]
