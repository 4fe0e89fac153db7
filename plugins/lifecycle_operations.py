"""The Operations page in Airflow's navigation: the numbers of `lifecycle status`, live.

Airflow registers this file by its bare stem, and every process imports it: so the web app and
everything it needs is imported at the first request only. Airflow leaves plugin apps open by
default: every route here asks for a log-in that may see Airflow's pages.
"""

from pathlib import Path

from airflow.plugins_manager import AirflowPlugin

PAGE = Path(__file__).with_name("lifecycle_operations.html")


def _web_app():
    from airflow.api_fastapi.auth.managers.models.resource_details import AccessView
    from airflow.api_fastapi.core_api.security import requires_access_view
    from fastapi import Depends, FastAPI, HTTPException, Response
    from fastapi.responses import HTMLResponse

    app = FastAPI(
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        dependencies=[Depends(requires_access_view(AccessView.CLUSTER_ACTIVITY))],
    )

    @app.get("/operations")
    def page():
        return HTMLResponse(PAGE.read_text(encoding="utf-8"))

    @app.get("/api/operations")
    def numbers():
        from lifecycle import app as lifecycle_app
        from lifecycle import settings
        from lifecycle.commands.console import encode
        from lifecycle.errors import NotRunning

        try:
            body = encode(lifecycle_app.status(settings.load()))
        except NotRunning as error:
            raise HTTPException(503, str(error)) from error
        return Response(body, media_type="application/json")

    return app


class LazyApp:
    """An ASGI app that is built at its first request."""

    def __init__(self):
        self._app = None

    async def __call__(self, scope, receive, send):
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
