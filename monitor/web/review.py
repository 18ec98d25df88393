"""The queue of what is worth a label: one key gives it to an event, and the next one is shown."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

import anyio
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse

from monitor.keeping.keeper import keep_now
from monitor.labels.give import give
from monitor.labels.undo import undo
from monitor.store import review
from monitor.store.labels import find_crops, newest_action
from monitor.web.crops.labelling import label_of
from monitor.web.crops.pictures import READING
from monitor.web.forms import form_of
from monitor.web.ids import LARGEST_ID
from monitor.web.people import Role, require
from monitor.web.site import Site
from monitor.web.templating import page
from monitor.web.units import bar_of, share_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.engine import Connection
    from starlette.requests import Request
    from starlette.responses import Response

    from monitor.store.review import ReviewCrop
    from monitor.words import Label

# Of what was skipped the address of the page names no more; what was skipped before that comes again.
MOST_SKIPPED: Final = 100
# An event, in addresses and forms: an alarm, or a crop alone.
EVENT: Final = re.compile("([ac])([1-9][0-9]{0,18})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Event:
    """What one label is for: the crops of an alarm, or one crop; ``name``: see `EVENT`."""

    kind: str
    name: str
    crops: tuple[ReviewCrop, ...]

    @property
    def share(self) -> dict[int, float]:
        """The scores by crop id; 1.00 is the threshold."""
        return {row.id: share_of(row.decision_score, row.decision_threshold) for row in self.crops}

    def place(self, crop_id: int) -> int:
        """Where a crop is in the event; where it is not, the place of the highest score."""
        ids = [row.id for row in self.crops]
        return ids.index(crop_id) if crop_id in ids else max(range(len(ids)), key=lambda at: self.share[ids[at]])


# In their order.
KINDS: Final = ("alarm", "unusual", "audit", "near")


def show(request: Request) -> Response:
    """``GET /review?skip=...&crop=...&given=...&late=1``."""
    return _shown(request)


def _shown(request: Request) -> Response:
    skipped = _skipped(request.query_params.get("skip", ""))
    with Site.of(request).database.read() as connection:
        events, full = queue(connection, datetime.now(UTC))
    left = [one for one in events if one.name not in skipped]
    event = left[0] if left else None
    place = event.place(_number(request.query_params.get("crop", ""))) if event else 0
    shown = event.crops[place] if event else None
    share = event.share[shown.id] if event and shown else None
    return page(
        request,
        "review.html",
        event=event,
        shown=shown,
        place=place,
        share=share,
        bar=bar_of(share) if share is not None else 0,
        previous=event.crops[place - 1].id if event and place else None,
        following=event.crops[place + 1].id if event and place + 1 < len(event.crops) else None,
        next_picture=left[1].crops[left[1].place(0)].id if len(left) > 1 else None,
        counts={kind: sum(one.kind == kind for one in left) for kind in KINDS},
        full=full,
        skip=",".join(skipped),
        skip_this=",".join([*skipped, event.name][-MOST_SKIPPED:]) if event else "",
        skipped=len(events) - len(left),
        given=_number(request.query_params.get("given", "")),
        late=request.query_params.get("late") == "1",
    )


def queue(connection: Connection, now: datetime) -> tuple[list[Event], frozenset[str]]:
    """The events in their order, each content once, and the kinds of which there may be more."""
    of_alarms = review.of_alarms(connection)
    singles = {
        "unusual": review.unusual(connection, now),
        "audit": review.drawn(connection),
        "near": review.nearest(connection, now),
    }
    full = {kind for kind, rows in singles.items() if len(rows) == review.MOST}
    if len(of_alarms) == review.MOST_OF_ALARMS:
        full.add("alarm")
    by_alarm: dict[int, list[ReviewCrop]] = {}
    for row in of_alarms:
        assert row.alarm is not None
        by_alarm.setdefault(row.alarm, []).append(row)
    events = [Event("alarm", f"a{alarm}", tuple(rows)) for alarm, rows in by_alarm.items()]
    seen = {row.sha256 for row in of_alarms}
    for kind, rows in singles.items():
        events += [Event(kind, f"c{row.id}", (row,)) for row in _new(rows, seen)]
    return events, frozenset(full)


def _new(rows: Iterable[ReviewCrop], seen: set[str]) -> Iterable[ReviewCrop]:
    for row in rows:
        if row.sha256 not in seen:
            seen.add(row.sha256)
            yield row


async def give_one(request: Request) -> Response:
    """``POST /review/label``: a person labels the crops of an event that were shown; then the next one is shown."""
    person = require(request, Role.OPERATOR)
    form = await form_of(request)
    label = label_of(request, form.get("label", ""))
    match = EVENT.fullmatch(form.get("event", ""))
    if match is None:
        raise HTTPException(400, "event has to be the name of an event, such as a12 or c4711.")
    kind, number = match[1], _number(match[2])
    work = partial(_give, request, kind, number, _number(form.get("until", "")), label, person.name)
    given = await run_in_threadpool(work)
    return _on(request, form, {"given": str(given)} if given else {"late": "1"})


def _give(request: Request, kind: str, number: int, until: int, label: Label, author: str) -> int:
    """The id of the newest label, 0 where somebody else has labelled all of it by now."""
    with Site.of(request).database.write() as connection:
        if kind == "a":
            # Those that came after the page was made nobody has seen.
            ids = [row.id for row in review.of_alarms(connection, number) if row.id <= until]
        else:
            ids = [number] if review.crop(connection, number) else []
        if not ids:
            return 0
        give(connection, find_crops(connection, ids=ids), label, author=author)
        return max(row.id for row in newest_action(connection, author))


async def undo_one(request: Request) -> Response:
    """``POST /review/undo``: a person takes back the label that they gave last on this page."""
    person = require(request, Role.OPERATOR)
    form = await form_of(request)
    given = _number(form.get("given", ""))
    undone = await run_in_threadpool(partial(_undo, request, given, person.name))
    return _on(request, form, {} if undone else {"late": "1"})


def _undo(request: Request, given: int, author: str) -> bool:
    with Site.of(request).database.write() as connection:
        action = newest_action(connection, author)
        if given not in {row.id for row in action}:
            return False
        undo(connection, action, author=author, note=None)
        return True


def _on(request: Request, form: dict[str, str], more: dict[str, str]) -> Response:
    """To the next event. What was labelled is kept after that: its file may be on a share that takes its time."""
    site = Site.of(request)

    async def keep() -> None:
        await anyio.to_thread.run_sync(partial(keep_now, site.database, site.configuration), limiter=READING)

    values = {"skip": ",".join(_skipped(form.get("skip", ""))), **more}
    query = urlencode({name: value for name, value in values.items() if value}, safe=",")
    goal = f"/review?{query}" if query else "/review"
    return RedirectResponse(goal, status_code=303, background=BackgroundTask(keep))


def _skipped(text: str) -> list[str]:
    """The events that a person skipped, the last of them; whatever else stands there is left out."""
    names = dict.fromkeys(name for name in text[:10_000].split(",") if EVENT.fullmatch(name))
    return list(names)[-MOST_SKIPPED:]


def _number(text: str) -> int:
    """A number from an address or a form, 0 where it is none that an id can be."""
    number = int(text) if re.fullmatch("[0-9]{1,19}", text, re.ASCII) else 0
    return number if number <= LARGEST_ID else 0
