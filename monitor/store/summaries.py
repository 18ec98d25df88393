"""What is counted over many crops: each hour's scores for drift, alarms and random draws for quality in operation."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import func, select

from monitor.store.database.schema import audit_crops, crops, score_summaries, scores
from monitor.store.database.upsert import insert_unless_there

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy.engine import Connection
    from sqlalchemy.sql.elements import ColumnElement

    from monitor.store.database.engine import Database

QUANTILES: Final = 21
"""The scores of an hour are kept as their quantiles 0, 0.05, ..., 1."""

ALL_CAMERAS: Final = "*"
UNKNOWN_CAMERA: Final = ""
NO_HOLE: Final = -1
"""Stands for an unknown hole, and, with `ALL_CAMERAS`, for all holes together."""

HOUR: Final = timedelta(hours=1)
FIRST_TIME: Final = timedelta(days=14)
"""So far back a model's scores are summarised that never were before."""

GroupKey = tuple[str, int]
"""(camera, hole) as `score_summaries` has them."""


class Summary(NamedTuple):
    """One hour of one group. ``quantiles``: `QUANTILES` ascending deciding scores, empty where there was no crop."""

    hour: datetime
    camera: str
    hole: int
    crops: int
    proliv: int
    quantiles: list[float]


def hour_of(moment: datetime) -> datetime:
    """The beginning of the full hour, in UTC, that a moment lies in."""
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def summarise(database: Database, model_id: int, now: datetime) -> int:
    """Summarise the model's decisions of each finished hour that is not summarised yet; return how many hours were.

    Crops count in the hour in which they were scored, those of the inbox alone. The first time it goes back
    `FIRST_TIME`. Repeating changes nothing, nor do several programs that do so at once. A decision that is committed
    after its hour was summarised is not in the summary.
    """
    end = hour_of(now)
    with database.read() as connection:
        newest = _newest_summary(connection, model_id, before=end)
    hour: datetime | None = end - FIRST_TIME if newest is None else newest + HOUR
    written = 0
    while hour is not None and hour < end:
        with database.read() as connection:
            found = _scores(connection, model_id, hour, hour + HOUR)
            following = _next_scored(connection, model_id, hour + HOUR)
        rows = _summaries(found)
        with database.write() as connection:
            _add(connection, model_id, hour, rows)
        written += 1
        # Hours without a decision are passed over, but the last one is written so that nobody looks at them again.
        last = end - HOUR
        hour = hour + HOUR if hour >= last else min(last, hour_of(following) if following else last)
    return written


def baseline_summaries(
    connection: Connection, model_id: int, *, since: datetime | None, before: datetime, least_crops: int, most: int
) -> list[Summary]:
    """Of each group the first ``most`` hours in [since, before) with at least ``least_crops`` crops, oldest first."""
    conditions = [score_summaries.c.hour < before, score_summaries.c.crops >= least_crops]
    if since is not None:
        conditions.append(score_summaries.c.hour >= since)
    found: list[Summary] = []
    # Group by group along an index: the hours of all together grow with the age of the store, these do not.
    for camera, hole in _groups(connection, model_id):
        group = (score_summaries.c.camera == camera, score_summaries.c.hole == hole)
        query = select(*_columns()).where(score_summaries.c.model_id == model_id, *group, *conditions)
        rows = connection.execute(query.order_by(score_summaries.c.hour).limit(most))
        found += (Summary._make(row) for row in rows)
    return sorted(found, key=lambda row: row[:3])


def _groups(connection: Connection, model_id: int) -> Iterator[GroupKey]:
    """Every group that a model has summaries of; each costs a look into an index, however many hours it has."""
    camera, hole = score_summaries.c.camera, score_summaries.c.hole
    query = select(camera, hole).where(score_summaries.c.model_id == model_id).order_by(camera, hole).limit(1)
    row = connection.execute(query).first()
    while row is not None:
        yield row.camera, row.hole
        # In two steps: compared as a pair, SQLite goes through all hours of the group that it is to pass over.
        following = query.where(camera == row.camera, hole > row.hole)
        row = connection.execute(following).first() or connection.execute(query.where(camera > row.camera)).first()


def summaries_between(connection: Connection, model_id: int, since: datetime, until: datetime) -> list[Summary]:
    """The hours in [since, until) of every group that had crops, oldest first."""
    query = (
        select(*_columns())
        .where(
            score_summaries.c.model_id == model_id,
            *(score_summaries.c.hour >= since, score_summaries.c.hour < until, score_summaries.c.crops > 0),
        )
        .order_by(score_summaries.c.hour, score_summaries.c.camera, score_summaries.c.hole)
    )
    return [Summary._make(row) for row in connection.execute(query)]


def drawn_crops(connection: Connection) -> dict[int, datetime]:
    """The crops that random draws chose, by their ids, with the same time as in `alarms`."""
    # An outer join, for then it begins with the draws, which are few, whatever the database thinks of a time's crops.
    query = select(crops.c.id, crops.c.seen_at).select_from(
        audit_crops.outerjoin(crops, crops.c.id == audit_crops.c.crop_id)
    )
    return {row.id: row.seen_at for row in connection.execute(query)}


def _columns() -> list[ColumnElement[Any]]:
    return [score_summaries.c[name] for name in Summary._fields]


def _newest_summary(connection: Connection, model_id: int, *, before: datetime) -> datetime | None:
    """The newest summarised hour before then; one that lies ahead was written by a clock that ran ahead."""
    query = (
        select(score_summaries.c.hour)
        .where(
            score_summaries.c.model_id == model_id,
            *(score_summaries.c.camera == ALL_CAMERAS, score_summaries.c.hour < before),
        )
        .order_by(score_summaries.c.hour.desc())
        .limit(1)
    )
    return connection.execute(query).scalar()


def _next_scored(connection: Connection, model_id: int, since: datetime) -> datetime | None:
    query = select(func.min(scores.c.scored_at)).where(scores.c.model_id == model_id, scores.c.scored_at >= since)
    return connection.execute(query).scalar()


def _scores(
    connection: Connection, model_id: int, since: datetime, until: datetime
) -> list[tuple[str | None, int | None, float, str]]:
    query = (
        select(crops.c.camera, crops.c.hole, scores.c.score, scores.c.verdict)
        .join(crops, crops.c.id == scores.c.crop_id)
        .where(
            *(scores.c.model_id == model_id, scores.c.scored_at >= since, scores.c.scored_at < until),
            # What is scored again long after it was seen, for want of a score of a new model, is no sign of this hour.
            *(crops.c.source == "inbox", crops.c.seen_at >= since - HOUR),
        )
    )
    return [(camera, hole, score, verdict) for camera, hole, score, verdict in connection.execute(query)]


def _summaries(
    found: Sequence[tuple[str | None, int | None, float, str]],
) -> dict[GroupKey, tuple[int, int, list[float]]]:
    """For all together and each group: crops, proliv, quantiles."""
    members: defaultdict[GroupKey, list[tuple[float, bool]]] = defaultdict(list)
    members[ALL_CAMERAS, NO_HOLE] = [(score, verdict == "proliv") for _, _, score, verdict in found]
    for camera, hole, score, verdict in found:
        # A camera's name comes from a file's, which may hold the very sign that stands for all of them.
        known = camera if camera and camera != ALL_CAMERAS else UNKNOWN_CAMERA
        members[known, NO_HOLE if hole is None else hole].append((score, verdict == "proliv"))
    return {
        key: (len(rows), sum(proliv for _, proliv in rows), quantiles([score for score, _ in rows]))
        for key, rows in members.items()
    }


def quantiles(values: Sequence[float]) -> list[float]:
    """The quantiles 0, 0.05, ..., 1 of values, interpolated linearly between the ordered ones; none of no values.

    Type 7 of R. J. Hyndman, Y. Fan, Sample quantiles in statistical packages, The American Statistician 50 (1996)
    361-365, which is numpy's default; the store does without numpy.
    """
    if not values:
        return []
    ordered = sorted(values)
    last = len(ordered) - 1
    result = []
    for index in range(QUANTILES):
        # Whole numbers until here, so that quantiles which fall on a value are that value.
        below, part = divmod(last * index, QUANTILES - 1)
        above = min(below + 1, last)
        result.append(ordered[below] + (ordered[above] - ordered[below]) * (part / (QUANTILES - 1)))
    return result


def _add(
    connection: Connection, model_id: int, hour: datetime, rows: dict[GroupKey, tuple[int, int, list[float]]]
) -> None:
    values = [
        {
            "model_id": model_id,
            "hour": hour,
            "camera": camera,
            "hole": hole,
            "crops": count,
            "proliv": proliv,
            "quantiles": found,
        }
        for (camera, hole), (count, proliv, found) in rows.items()
    ]
    connection.execute(insert_unless_there(connection, score_summaries), values)
