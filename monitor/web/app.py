"""The web application: its routes, and what becomes of errors."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from monitor.errors import MonitorError
from monitor.web import crop, hole, maps, pictures, table
from monitor.web.headers import SecurityHeaders
from monitor.web.sights import Sights
from monitor.web.templating import part

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from monitor.web.site import Site

log = logging.getLogger(__name__)


def application(site: Site) -> SecurityHeaders:
    """The application for one installation."""
    app = Starlette(
        routes=[
            Route("/", table.show),
            Route("/crops/{id}", crop.show),
            Route("/crops/{id}/picture", pictures.show),
            Route("/crops/{id}/{kind}/{model}", maps.show),
            Route("/holes", hole.show_all),
            Route("/holes/{camera}/{hole}", hole.show),
            Route("/holes/{camera}/{hole}/scores.json", hole.scores),
            Route("/holes/{camera}/{hole}/drift", hole.drift),
            Mount("/static", StaticFiles(packages=[("monitor.web", "static")])),
        ],
        exception_handlers={HTTPException: _refused, MonitorError: _failed, Exception: _broken},
    )
    app.state.site = site
    app.state.sights = Sights(site)
    # Around everything, so that the answer to a defect has the headers as well.
    return SecurityHeaders(app)


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return part(request, "error.html", status=error.status_code, sentence=error.detail)


def _failed(request: Request, error: Exception) -> Response:
    """What is wrong with the installation, such as a database of another version, in the words of a command."""
    log.warning("%s %s: %s", request.method, request.url.path, error)
    return part(request, "error.html", status=503, sentence=str(error))


def _broken(request: Request, _error: Exception) -> Response:
    """A defect; the server logs it with its traceback."""
    return part(request, "error.html", status=500, sentence="This is a defect of the program; the log has more.")
