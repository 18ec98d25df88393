"""Alarms: the list, and each with its scores, crops, history and deliveries; people acknowledge and close them."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse

from monitor.alarms.acknowledgement import acknowledge, close
from monitor.errors import DataError
from monitor.labels.remarks import remark
from monitor.store import alarm_pages, alarms
from monitor.web.addresses import own_page
from monitor.web.alarms.view import view_of
from monitor.web.forms import form_of
from monitor.web.ids import LARGEST_ID, id_of
from monitor.web.people import Role, require
from monitor.web.site import Site
from monitor.web.templating import page
from monitor.words import LONGEST_NOTE

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from monitor.store.alarms import AlarmRow

# Alarms that are not closed, and closed ones on a page.
MOST_RUNNING: Final = 200
A_PAGE: Final = 50
# A page in the list of closed alarms begins below an id, and is about casts of a number.
LONGEST_CAST: Final = 100


def show_list(request: Request) -> Response:
    """The page of all alarms."""
    before, cast = _before(request), request.query_params.get("cast", "").strip()[:LONGEST_CAST] or None
    with Site.of(request).database.read() as connection:
        running = alarm_pages.not_closed(connection, MOST_RUNNING + 1, cast) if before is None else []
        closed = alarm_pages.closed(connection, A_PAGE + 1, before=before, cast=cast)
    return page(
        request,
        "alarms.html",
        running=running[:MOST_RUNNING],
        more_running=len(running) > MOST_RUNNING,
        closed=closed[:A_PAGE],
        next_before=closed[A_PAGE - 1].id if len(closed) > A_PAGE else None,
        before=before,
        cast=cast,
        here=_here(request),
        now=datetime.now(UTC),
    )


def _before(request: Request) -> int | None:
    text = request.query_params.get("before", "")
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > len(str(LARGEST_ID)) or int(text) > LARGEST_ID:
        raise HTTPException(404, "There is no such page.")
    return int(text)


def _here(request: Request) -> str:
    return f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path


def show(request: Request) -> Response:
    """The page of one alarm."""
    return _shown(request, id_of(request))


async def acknowledge_one(request: Request) -> Response:
    """A person acknowledges an alarm."""
    return await _ended(request, acknowledge)


async def close_one(request: Request) -> Response:
    """A person closes an alarm."""
    return await _ended(request, close)


async def _ended(request: Request, end: Callable[..., AlarmRow]) -> Response:
    person = require(request, Role.OPERATOR)
    alarm_id = id_of(request)
    form = await form_of(request)
    site = Site.of(request)
    try:
        note = remark(form.get("note", "").strip(), LONGEST_NOTE)
    except ValueError:
        return await run_in_threadpool(partial(_shown, request, alarm_id, refused="long", note=form["note"]))
    call = partial(
        end,
        *(site.database, site.configuration.settings.alarms, alarm_id),
        by=person.name,
        note=note,
        at=datetime.now(UTC),
        zone=site.zone,
    )
    try:
        await run_in_threadpool(call)
    except DataError:
        # Somebody else was quicker, or the page is an old one: the alarm as it is now says which.
        return await run_in_threadpool(partial(_shown, request, alarm_id, refused="late", note=form.get("note", "")))
    return RedirectResponse(own_page(form.get("next"), f"/alarms/{alarm_id}"), status_code=303)


def _shown(request: Request, alarm_id: int, *, refused: str | None = None, note: str = "") -> Response:
    """The page of an alarm. ``refused``: why what was asked for is not done, beside the note that came with it."""
    site = Site.of(request)
    with site.database.read() as connection:
        alarm = _found(alarms.find(connection, alarm_id))
        view = view_of(connection, alarm, site, datetime.now(UTC))
    status = {None: 200, "late": 409, "long": 413}[refused]
    return page(
        request, "alarm.html", status=status, alarm=alarm, view=view, refused=refused, note=note, longest=LONGEST_NOTE
    )


def _found(alarm: AlarmRow | None) -> AlarmRow:
    if alarm is None:
        raise HTTPException(404, "There is no alarm with this number.")
    return alarm
