"""The web application: its routes, and what becomes of errors."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from monitor.errors import MonitorError
from monitor.web import languages, review
from monitor.web.access import login
from monitor.web.access.gate import Gate
from monitor.web.access.guard import Guard
from monitor.web.alarms import evidence
from monitor.web.alarms import pages as alarms
from monitor.web.crops import crop, hole, labelling, maps, pictures
from monitor.web.crops.sights import Sights
from monitor.web.headers import SecurityHeaders
from monitor.web.table import page as table
from monitor.web.table.streams import Streams
from monitor.web.templating import part

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from monitor.web.site import Site

log = logging.getLogger(__name__)


def application(site: Site, streams: Streams | None = None) -> SecurityHeaders:
    """The application for one installation; ``streams``: whoever stops the server ends them first.

    Raises `ConfigurationError` where nobody could get in.
    """
    app = Starlette(
        routes=[
            Route("/", table.show),
            Route("/events/table", table.events),
            Route("/language", languages.choose, methods=["POST"]),
            Route("/login", login.show),
            Route("/login", login.log_in, methods=["POST"]),
            Route("/logout", login.log_out, methods=["POST"]),
            Route("/alarms", alarms.show_list),
            Route("/alarms/{id}", alarms.show),
            Route("/alarms/{id}/acknowledge", alarms.acknowledge_one, methods=["POST"]),
            Route("/alarms/{id}/close", alarms.close_one, methods=["POST"]),
            Route("/alarms/{id}/evidence.zip", evidence.export),
            Route("/crops/{id}", crop.show),
            Route("/crops/{id}/picture", pictures.show),
            Route("/crops/{id}/label", labelling.give_one, methods=["POST"]),
            Route("/crops/{id}/label/undo", labelling.undo_one, methods=["POST"]),
            Route("/crops/{id}/{kind}/{model}", maps.show),
            Route("/review", review.show),
            Route("/review/label", review.give_one, methods=["POST"]),
            Route("/review/undo", review.undo_one, methods=["POST"]),
            Route("/holes", hole.show_all),
            Route("/holes/{camera}/{hole}", hole.show),
            Route("/holes/{camera}/{hole}/scores.json", hole.scores),
            Route("/holes/{camera}/{hole}/drift", hole.drift),
            Mount("/static", StaticFiles(packages=[("monitor.web", "static")])),
        ],
        middleware=[Middleware(Guard)],
        exception_handlers={HTTPException: _refused, MonitorError: _failed, Exception: _broken},
    )
    app.state.site, app.state.gate = site, Gate.for_site(site)
    app.state.streams = Streams(site) if streams is None else streams
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
