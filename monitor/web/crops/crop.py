"""The page of one crop: its picture, the decision and why, its labels, its neighbours, what became of its file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import anyio

from monitor.errors import CropRefusedError, NoModelError
from monitor.files.text import from_text
from monitor.formulas.casts import believed
from monitor.keeping.contents import Content, CropContents, NoContent
from monitor.labels.labels import contradictions, valid
from monitor.store import calibrations, casts, models, neighbours
from monitor.store.neighbours import Hole
from monitor.upkeep.crop_details import crop_details
from monitor.web.crops.label_refusals import cannot
from monitor.web.crops.pictures import READING, crop_of, unshowable, why_missing
from monitor.web.people import person_of
from monitor.web.site import Site
from monitor.web.templating import page
from monitor.web.units import bar_of, share_of
from monitor.words import LONGEST_NOTE, Label

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.engine import Connection
    from starlette.requests import Request
    from starlette.responses import Response

    from monitor.store.calibrations import CalibrationRow
    from monitor.store.details import ModelDecisionRow, StoredCropRow
    from monitor.store.labels import LabelRow
    from monitor.store.models import ModelRow
    from monitor.store.neighbours import HoleCrop
    from monitor.upkeep.crop_details import CropDetails
    from monitor.web.crops.label_refusals import Refusal
    from monitor.web.people import Person

# How many neighbours are shown on each side.
SIDE: Final = 5
# About how wide an enlarged crop becomes, in pixels.
WIDE: Final = 660


@dataclass(frozen=True, slots=True)
class Judgement:
    """A model's decision, in the unit of the page and in its own."""

    row: ModelDecisionRow

    @property
    def share(self) -> float:
        """The score; 1.00 is the threshold."""
        return share_of(self.row.score, self.row.threshold)

    @property
    def bar(self) -> float:
        """How long its bar is, 0 to 100."""
        return bar_of(self.share)

    @property
    def proliv(self) -> bool:
        """Whether the model calls the crop proliv."""
        return self.row.verdict == Label.PROLIV.value


@dataclass(frozen=True, slots=True)
class Frame:
    """A crop in a strip: what stands under its picture."""

    row: HoleCrop
    now: bool

    @property
    def share(self) -> float | None:
        """The score of the final decision; 1.00 is the threshold, None where it failed."""
        if self.row.decision_score is None or self.row.decision_threshold is None:
            return None
        return share_of(self.row.decision_score, self.row.decision_threshold)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a model's threshold came from; ``refused``: the newest calibration that was refused after it."""

    calibration: CalibrationRow
    model: ModelRow | None
    refused: CalibrationRow | None

    @property
    def evidence(self) -> dict[str, Any] | None:
        """The rates that it was chosen with, if they are stored."""
        found = self.calibration.evidence
        needed = ("tp", "fp", "tn", "fn", "tpr", "tpr_low", "tpr_high", "tnr", "tnr_low", "tnr_high")
        return found if all(isinstance(found.get(name), (int, float)) for name in needed) else None


async def show(request: Request) -> Response:
    """``GET /crops/{id}``."""
    return await anyio.to_thread.run_sync(partial(shown, request), limiter=READING)


def shown(request: Request, refusal: Refusal | None = None) -> Response:
    """The page; ``refusal``: why a label that came with the request is neither given nor taken back."""
    site = Site.of(request)
    crop = crop_of(request)
    details = crop_details(site.database, crop.id)
    # It may have been deleted a moment ago.
    crop = details.crop if details else crop
    with site.database.read() as connection:
        hole = Hole(crop.camera, crop.hole)
        earlier = neighbours.before(connection, hole, crop.id, SIDE)
        later = neighbours.after(connection, hole, crop.id, SIDE)
        this = neighbours.by_ids(connection, [crop.id])
        alarm = neighbours.alarm_of(connection, crop.id)
        cast = _cast(site, connection, crop)
        judgements = [Judgement(row) for row in (details.decisions if details else ())]
        origin = _origin(connection, next((one.row for one in judgements if not one.row.in_shadow), None))
    return page(
        request,
        "crop.html",
        status=200 if refusal is None else refusal.status,
        crop=crop,
        share=_share(crop),
        deciding=[one for one in judgements if not one.row.in_shadow],
        judgements=judgements,
        origin=origin,
        alarm=alarm,
        cast=cast,
        labels=details.labels if details else [],
        contradictory=_contradictory(details),
        cannot=cannot(crop),
        mine=_newest_of(person_of(request), details),
        refusal=refusal,
        longest=LONGEST_NOTE,
        strip=[Frame(row, row.id == crop.id) for row in (*earlier, *this.values(), *later)],
        previous=earlier[-1] if earlier else None,
        following=later[0] if later else None,
        picture=_picture(request, crop),
        name=from_text(crop.path).name,
    )


def _cast(site: Site, connection: Connection, crop: StoredCropRow) -> tuple[str | None, str | None]:
    """The number of the cast and its phase when the crop came, None where they were not known."""
    said = casts.held_at(connection, crop.seen_at)
    age = timedelta(seconds=site.configuration.settings.alarms.cast.maximum_age_seconds)
    # Whether a file was followed then is not known; what it said was believed at that time if it was.
    context = believed(said, crop.seen_at, maximum_age=age, followed=True)
    return (said.number if said is not None and context.cast_id is not None else None), context.phase


def _share(crop: StoredCropRow) -> float | None:
    if crop.decision_score is None or crop.decision_threshold is None:
        return None
    return share_of(crop.decision_score, crop.decision_threshold)


@dataclass(frozen=True, slots=True)
class _Shown:
    """The picture of the crop: how many times it is enlarged, or why there is none; ``place``: see `Content`."""

    times: int
    missing: str | None
    place: str | None


def _picture(request: Request, crop: StoredCropRow) -> _Shown:
    site = Site.of(request)
    contents = CropContents(site.database, site.configuration)
    times = max(1, min(16, WIDE // (crop.width or 50)))
    found = contents.find(crop)
    if isinstance(found, NoContent):
        return _Shown(times, why_missing(request, found), None)
    assert isinstance(found, Content)
    try:
        pixels = contents.reader.decode(found.file).pixels
    except CropRefusedError as refusal:
        return _Shown(times, unshowable(request, refusal), found.place)
    return _Shown(max(1, min(16, WIDE // pixels.shape[1])), None, found.place)


def _origin(connection: Connection, decision: ModelDecisionRow | None) -> Origin | None:
    """Of the first model that decided."""
    if decision is None:
        return None
    row = calibrations.find(connection, decision.calibration)
    refused = calibrations.newest(connection, decision.model_id, "refused")
    try:
        model = models.find_model(connection, decision.model)
    except NoModelError:
        model = None
    return Origin(row, model, refused if refused and refused.created_at > row.created_at else None)


def _contradictory(details: CropDetails | None) -> bool:
    """Whether those who labelled the content disagree."""
    if details is None or not details.labels:
        return False
    counted: Sequence[Any] = valid(details.labels)
    sha256 = details.crop.sha256
    return any(True for _ in contradictions({sha256: list(counted)}, (), {sha256: details.crop.path}))


def _newest_of(person: Person, details: CropDetails | None) -> LabelRow | None:
    """The label of the content that a person gave last, None where they gave none that still counts."""
    own = [row for row in (details.labels if details else ()) if row.source != "folder" and row.author == person.name]
    return max(own, key=lambda row: row.id, default=None)
