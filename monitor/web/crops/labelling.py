"""Labels that people give on the page of a crop, as the commands ``monitor label`` and ``monitor labels undo`` do."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import anyio
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse

from monitor.keeping.keeper import keep_now
from monitor.labels.give import give
from monitor.labels.remarks import remark
from monitor.labels.undo import undo
from monitor.store.labels import find_crops, newest_action
from monitor.web.addresses import own_page
from monitor.web.crops import crop
from monitor.web.crops.label_refusals import Refusal, cannot
from monitor.web.crops.pictures import READING, crop_of
from monitor.web.forms import form_of
from monitor.web.languages import language_of, translations
from monitor.web.people import Role, require
from monitor.web.site import Site
from monitor.words import LONGEST_NOTE, Label

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

# More digits than any id has are not even converted.
MOST_DIGITS: Final = 19


async def give_one(request: Request) -> Response:
    """``POST /crops/{id}/label``: a person says what the content of a crop shows."""
    person = require(request, Role.OPERATOR)
    form = await form_of(request)
    written = form.get("note", "")
    label = label_of(request, form.get("label", ""))
    try:
        note = remark(written.strip(), LONGEST_NOTE)
    except ValueError:
        return await _refused(request, Refusal("long", written))
    refusal = await run_in_threadpool(partial(_give, request, label, person.name, note))
    if refusal is not None:
        return await _refused(request, refusal)
    return _back(request, form)


async def undo_one(request: Request) -> Response:
    """``POST /crops/{id}/label/undo``: a person takes back the label that the page showed as theirs."""
    person = require(request, Role.OPERATOR)
    form = await form_of(request)
    text = form.get("given", "")
    given = int(text) if text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS else 0
    refusal = await run_in_threadpool(partial(_undo, request, given, person.name))
    if refusal is not None:
        return await _refused(request, refusal)
    return _back(request, form)


def label_of(request: Request, text: str) -> Label:
    """The label that a form names; raises 400 for anything else."""
    try:
        return Label(text)
    except ValueError:
        _ = translations(language_of(request)).gettext
        raise HTTPException(400, _("label has to be proliv or ne_proliv.")) from None


def _give(request: Request, label: Label, author: str, note: str | None) -> Refusal | None:
    row = crop_of(request)
    why = cannot(row)
    if why is not None:
        return Refusal(why, note or "")
    with Site.of(request).database.write() as connection:
        # Looked up again: retention may have deleted it a moment ago.
        crops = find_crops(connection, ids=[row.id])
        if not crops:
            raise _gone(request, row.id)
        give(connection, crops, label, author=author, note=note)
    return None


def _undo(request: Request, given: int, author: str) -> Refusal | None:
    row = crop_of(request)
    with Site.of(request).database.write() as connection:
        action = newest_action(connection, author)
        mine = [one for one in action if one.id == given and one.sha256 == row.sha256]
        if mine and len(action) == 1:
            undo(connection, action, author=author, note=None)
            return None
    if mine:
        return Refusal("together", count=len(action))
    since = next((one for one in reversed(action) if one.sha256 != row.sha256), None)
    return Refusal("since", crop_id=since.crop_id) if since is not None else Refusal("late")


def _gone(request: Request, crop_id: int) -> HTTPException:
    _ = translations(language_of(request)).gettext
    return HTTPException(404, _("There is no crop %(id)s.") % {"id": crop_id})


async def _refused(request: Request, refusal: Refusal) -> Response:
    shown = partial(crop.shown, request, refusal)
    return await anyio.to_thread.run_sync(shown, limiter=READING)


def _back(request: Request, form: dict[str, str]) -> Response:
    """To where the person was. What was labelled is kept after that: its file may be on a share that takes its time."""
    site = Site.of(request)

    async def keep() -> None:
        await anyio.to_thread.run_sync(partial(keep_now, site.database, site.configuration), limiter=READING)

    goal = own_page(form.get("next"), f"/crops/{request.path_params['id']}")
    return RedirectResponse(goal, status_code=303, background=BackgroundTask(keep))
