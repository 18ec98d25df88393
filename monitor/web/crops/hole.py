"""The pages of holes: their list, and one hole's scores over time, its last crops and its drift."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from monitor.quality.drift.drift import drift_of_model
from monitor.store import calibrations, neighbours
from monitor.store.labels import labels_of_contents
from monitor.store.models import active_models
from monitor.store.neighbours import Hole, HoleCrop
from monitor.store.summaries import HOUR, NO_HOLE, QUANTILES, UNKNOWN_CAMERA, summaries_of_group
from monitor.web.crops.crop import Frame
from monitor.web.ids import number_of
from monitor.web.languages import language_of, translations
from monitor.web.site import Site
from monitor.web.templating import page, part
from monitor.web.units import share_of
from monitor.words import UNKNOWN, Label

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy.engine import Connection
    from starlette.requests import Request
    from starlette.responses import Response

    from monitor.store.calibrations import CalibrationRow

# How many points a chart has at most, how many rows its table, and how many crops the strip shows.
MOST_POINTS: Final = 2000
MOST_ROWS: Final = 60
STRIP: Final = 12
# The times that can be looked at, in hours, and the one that is shown first.
SPANS: Final = (1, 8, 24, 168)
FIRST_SPAN: Final = 1

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Point:
    """A decided crop on the chart; ``label``: the one that counts for its content."""

    crop: HoleCrop
    share: float
    threshold: float
    label: str | None

    @property
    def proliv(self) -> bool:
        """Whether it was decided proliv."""
        return self.crop.verdict == Label.PROLIV.value


@dataclass(frozen=True, slots=True)
class Hour:
    """An hour of which the single crops are not shown: its beginning, and the median and highest share."""

    at: datetime
    crops: int
    proliv: int
    middle: float
    highest: float


@dataclass(frozen=True, slots=True)
class Course:
    """A hole's scores over a time, the oldest first.

    ``hours``: those before ``since``. ``since``: from when on all crops are there; ``crops``: how many there are, of
    which ``points`` are shown, and ``failed`` could not be scored. ``middle``: the median of all shares, None without
    crops.
    """

    hours: Sequence[Hour]
    points: Sequence[Point]
    since: datetime
    until: datetime
    crops: int
    proliv: int
    failed: int
    middle: float | None

    @property
    def highest(self) -> Point | None:
        """The point with the highest score."""
        return max(self.points, key=lambda point: point.share, default=None)

    @property
    def thresholds(self) -> list[tuple[datetime, float]]:
        """The thresholds one after the other, each with the time of its first crop that is shown."""
        found: list[tuple[datetime, float]] = []
        for point in self.points:
            if not found or found[-1][1] != point.threshold:
                found.append((point.crop.at, point.threshold))
        return found

    def as_dict(self) -> dict[str, Any]:
        """The columns of a chart; times are in seconds since 1970."""
        return {
            "since": self.since.timestamp(),
            "until": self.until.timestamp(),
            "crops": self.crops,
            "at": [point.crop.at.timestamp() for point in self.points],
            "share": [round(point.share, 4) for point in self.points],
            "threshold": [point.threshold for point in self.points],
            "proliv": [point.proliv for point in self.points],
            "unusual": [point.crop.unusual for point in self.points],
            "label": [point.label for point in self.points],
            "crop": [point.crop.id for point in self.points],
            "hours": {
                "at": [hour.at.timestamp() for hour in self.hours],
                "middle": [round(hour.middle, 4) for hour in self.hours],
                "highest": [round(hour.highest, 4) for hour in self.hours],
                "crops": [hour.crops for hour in self.hours],
                "proliv": [hour.proliv for hour in self.hours],
            },
        }


def course(connection: Connection, hole: Hole, since: datetime, until: datetime) -> Course:
    """The scores of a hole's crops that were seen in [since, until)."""
    rows, start = neighbours.of_time(connection, hole, since, until)
    decided = [row for row in rows if row.decision_score is not None and row.decision_threshold is not None]
    decided.sort(key=lambda row: row.at)
    shares = {row.id: share_of(row.decision_score or 0.0, row.decision_threshold or 0.0) for row in decided}
    kept = thinned(decided, lambda row: shares[row.id], MOST_POINTS)
    labels = labels_of_contents(connection, {row.sha256 for row in kept})
    points = [Point(row, shares[row.id], row.decision_threshold or 0.0, _label(labels.get(row.sha256))) for row in kept]
    return Course(
        hours_of(connection, hole, since, start) if start > since else [],
        points,
        since=start,
        until=until,
        crops=len(decided),
        proliv=sum(row.verdict == Label.PROLIV.value for row in decided),
        failed=len(rows) - len(decided),
        middle=median(shares.values()) if shares else None,
    )


def hours_of(connection: Connection, hole: Hole, since: datetime, until: datetime) -> list[Hour]:
    """The finished hours in [since, until), from the summaries of the model that decides first.

    An hour without a threshold of that model, as before its activation, is left out.
    """
    model = next(iter(active_models(connection)), None)
    if model is None:
        return []
    key = (hole.camera or UNKNOWN_CAMERA, NO_HOLE if hole.hole is None else hole.hole)
    history = [row for row in calibrations.history(connection, model.id) if row.state not in {"refused", "shadow"}]
    found = []
    for one in summaries_of_group(connection, model.id, key, since, until - HOUR):
        threshold = _threshold_at(history, one.hour)
        if threshold is not None:
            middle, highest = (share_of(one.quantiles[place], threshold) for place in (QUANTILES // 2, -1))
            found.append(Hour(one.hour, one.crops, one.proliv, middle, highest))
    return found


def _threshold_at(history: Sequence[CalibrationRow], hour: datetime) -> float | None:
    """The threshold that was in force at the end of an hour; ``history``: the newest first."""
    end = hour + HOUR
    began = (row for row in history if row.created_at < end and (row.ended_at is None or row.ended_at >= end))
    found = next(began, None)
    return None if found is None else found.threshold


def _label(given: Sequence[Any] | None) -> str | None:
    return str(given[-1].label) if given else None


def thinned(rows: Sequence[Row], share: Callable[[Row], float], most: int) -> list[Row]:
    """At most ``most`` of the rows, in their order: of each of as many stretches, the one with the highest share."""
    if len(rows) <= most:
        return list(rows)
    edges = [len(rows) * index // most for index in range(most + 1)]
    return [max(rows[first:end], key=share) for first, end in pairwise(edges)]


def address_of(camera: str | None, hole: int) -> str:
    """The address of a hole's page."""
    return f"/holes/{quote(camera or UNKNOWN, safe='')}/{hole}"


def hole_of(request: Request) -> Hole:
    """The hole in a request's path; raises 404 for what cannot be one."""
    camera = request.path_params["camera"]
    return Hole(None if camera == UNKNOWN else camera, number_of(request, "hole"))


def show_all(request: Request) -> Response:
    """``GET /holes``: the holes that gave crops lately."""
    with Site.of(request).database.read() as connection:
        last = neighbours.last_of_holes(connection)
        rows = neighbours.by_ids(connection, [one.id for one in last])
    holes = [(one, Frame(rows[one.id], now=False), address_of(one.camera, one.hole or 0)) for one in last]
    return page(request, "holes.html", holes=holes, most=neighbours.WALK_OF_ALL)


def show(request: Request) -> Response:
    """``GET /holes/{camera}/{hole}?hours=N``."""
    hole = hole_of(request)
    hours = _hours(request)
    until = datetime.now(UTC)
    since = until - timedelta(hours=hours)
    with Site.of(request).database.read() as connection:
        last = neighbours.newest_of(connection, hole, STRIP)
        if not last and not neighbours.was_seen(connection, hole):
            _ = translations(language_of(request)).gettext
            raise HTTPException(404, _("No crop of this hole is known."))
        found = course(connection, hole, since, until)
    return page(
        request,
        "hole.html",
        hole=hole,
        address=address_of(hole.camera, hole.hole or 0),
        hours=hours,
        spans=SPANS,
        course=found,
        since=since,
        cut=found.since > since,
        table=thinned(found.points, lambda point: point.share, MOST_ROWS),
        strip=[Frame(row, now=False) for row in last],
        zone=str(Site.of(request).zone),
    )


def scores(request: Request) -> Response:
    """``GET /holes/{camera}/{hole}/scores.json?since=&until=``; times are in seconds since 1970."""
    hole = hole_of(request)
    until = _moment(request, "until", datetime.now(UTC))
    since = _moment(request, "since", until - timedelta(hours=FIRST_SPAN))
    if since > until:
        _ = translations(language_of(request)).gettext
        raise HTTPException(400, _("since is later than until."))
    with Site.of(request).database.read() as connection:
        return JSONResponse(course(connection, hole, since, until).as_dict())


def drift(request: Request) -> Response:
    """``GET /holes/{camera}/{hole}/drift``: a part of the page, which is fetched after it."""
    site, hole = Site.of(request), hole_of(request)
    settings, now = site.configuration.settings.drift, datetime.now(UTC)
    key = (hole.camera or UNKNOWN_CAMERA, hole.hole)
    with site.database.read() as connection:
        models = [(one, drift_of_model(connection, one, settings, now)) for one in active_models(connection)]
    # How strict a test is depends on how many holes are tested, so all of them are.
    found = [(one, next((group for group in made.groups if group.key == key), None)) for one, made in models]
    return part(request, "drift.html", found=found)


def _hours(request: Request) -> int:
    text = request.query_params.get("hours", str(FIRST_SPAN))
    if text not in map(str, SPANS):
        _ = translations(language_of(request)).gettext
        raise HTTPException(400, _("hours has to be one of %(spans)s.") % {"spans": ", ".join(map(str, SPANS))})
    return int(text)


def _moment(request: Request, name: str, default: datetime) -> datetime:
    text = request.query_params.get(name)
    if text is None:
        return default
    try:
        return datetime.fromtimestamp(float(text), UTC)
    except (ValueError, OverflowError, OSError):
        _ = translations(language_of(request)).gettext
        sentence = _("%(name)s has to be a time in seconds since 1970.") % {"name": name}
        raise HTTPException(400, sentence) from None
