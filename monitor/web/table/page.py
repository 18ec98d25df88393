"""The start page: every hole with its state, its last crop and its score, open alarms, figures; and its live events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import PlainTextResponse, StreamingResponse

from monitor.web.languages import language_of, translations
from monitor.web.navigation import pages_of
from monitor.web.people import Role, person_of
from monitor.web.site import Site
from monitor.web.table.fragments import Audience, values_of
from monitor.web.table.scene import look
from monitor.web.table.streams import MOST_STREAMS
from monitor.web.templating import page

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


def show(request: Request) -> Response:
    """The page itself."""
    site = Site.of(request)
    return page(request, "table.html", **values_of(site, look(site), _audience(request)))


async def events(request: Request) -> Response:
    """A stream of what changes on it."""
    streams = request.app.state.streams
    stream = streams.join(_audience(request))
    if stream is None:
        _ = translations(language_of(request)).gettext
        sentence = _("{} pages are followed live already; this one shows what was when it was loaded.")
        return PlainTextResponse(sentence.format(MOST_STREAMS), status_code=503, headers={"Retry-After": "30"})
    # A proxy must not keep what belongs to a moment.
    headers = {"X-Accel-Buffering": "no"}
    return StreamingResponse(streams.events(stream), media_type="text/event-stream", headers=headers)


def _audience(request: Request) -> Audience:
    may_acknowledge = person_of(request).role >= Role.OPERATOR
    return Audience(language_of(request), may_acknowledge, tuple(pages_of(request.app)))
