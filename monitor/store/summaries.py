"""Hourly summaries of each model's scores, for each hole and for all together; drift is computed from them."""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import TYPE_CHECKING, Final, NamedTuple

from sqlalchemy import func, select

from monitor.store.database.rows import columns_of, select_rows
from monitor.store.database.schema import crops, score_summaries, scores
from monitor.store.database.upsert import insert_unless_there

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sqlalchemy.engine import Connection

    from monitor.store.database.engine import Database

# The scores of an hour are stored as their quantiles 0, 0.05, ..., 1.
QUANTILES: Final = 21

# What the columns `camera` and `hole` hold where there is no single camera or hole. NO_HOLE means an unknown hole, and
# together with ALL_CAMERAS all holes.
ALL_CAMERAS: Final = "*"
UNKNOWN_CAMERA: Final = ""
NO_HOLE: Final = -1

# How many decisions are fetched at once.
ROWS: Final = 10_000
HOUR: Final = timedelta(hours=1)
# How far back the first summaries of a model reach.
FIRST_TIME: Final = timedelta(days=14)

# (camera, hole), as `score_summaries` has them.
GroupKey = tuple[str, int]


class Summary(NamedTuple):
    """One hour of one group. ``quantiles``: `QUANTILES` ascending deciding scores, empty if there was no crop."""

    hour: datetime
    camera: str
    hole: int
    crops: int
    proliv: int
    quantiles: list[float]


def hour_of(moment: datetime) -> datetime:
    """The start, in UTC, of the full hour that a moment lies in."""
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def summarise(database: Database, model_id: int, now: datetime) -> int:
    """Summarise the model's decisions of every finished hour that has no summary yet; return the number of such hours.

    Only crops of the inbox count, in the hour in which they were scored. The first call goes back `FIRST_TIME`. Calling
    it again, or from several programs at once, changes nothing. A decision that is committed after its hour was
    summarised is not in the summary.
    """
    end = hour_of(now)
    with database.read() as connection:
        newest = _newest_summary(connection, model_id, before=end)
    hour: datetime | None = end - FIRST_TIME if newest is None else newest + HOUR
    written = 0
    while hour is not None and hour < end:
        with database.read() as connection:
            rows = _summaries(_scores(connection, model_id, hour, hour + HOUR))
            following = _next_scored(connection, model_id, hour + HOUR)
        with database.write() as connection:
            _add(connection, model_id, hour, rows)
        written += 1
        # Hours without a decision are skipped, but the last one is written, so that the next call starts there.
        last = end - HOUR
        hour = hour + HOUR if hour >= last else min(last, hour_of(following) if following else last)
    return written


def baseline_summaries(
    connection: Connection, model_id: int, *, since: datetime | None, before: datetime, least_crops: int, most: int
) -> list[Summary]:
    """Each group's first ``most`` hours in [since, before) with at least ``least_crops`` crops, oldest first."""
    conditions = [score_summaries.c.hour < before, score_summaries.c.crops >= least_crops]
    if since is not None:
        conditions.append(score_summaries.c.hour >= since)
    columns = columns_of(score_summaries, Summary)
    found: list[Summary] = []
    # A few rows of an index for each group, however old the store is; all hours together would grow with its age.
    for camera, hole in _groups(connection, model_id):
        group = (score_summaries.c.camera == camera, score_summaries.c.hole == hole)
        query = select(*columns).where(score_summaries.c.model_id == model_id, *group, *conditions)
        found += select_rows(connection, Summary, query.order_by(score_summaries.c.hour).limit(most))
    return sorted(found, key=lambda row: row[:3])


def _groups(connection: Connection, model_id: int) -> Iterator[GroupKey]:
    """Every group that the model has summaries of; each costs one or two lookups in an index."""
    camera, hole = score_summaries.c.camera, score_summaries.c.hole
    query = select(camera, hole).where(score_summaries.c.model_id == model_id).order_by(camera, hole).limit(1)
    row = connection.execute(query).first()
    while row is not None:
        yield row.camera, row.hole
        # Two queries: for a comparison of pairs SQLite would go through all hours of the current group.
        following = query.where(camera == row.camera, hole > row.hole)
        row = connection.execute(following).first() or connection.execute(query.where(camera > row.camera)).first()


def summaries_of_group(
    connection: Connection, model_id: int, key: GroupKey, since: datetime, until: datetime
) -> list[Summary]:
    """The hours of one group in [since, until) that had crops, oldest first."""
    camera, hole = key
    query = select(*columns_of(score_summaries, Summary)).where(
        *(score_summaries.c.model_id == model_id, score_summaries.c.camera == camera, score_summaries.c.hole == hole),
        *(score_summaries.c.hour >= since, score_summaries.c.hour < until, score_summaries.c.crops > 0),
    )
    return select_rows(connection, Summary, query.order_by(score_summaries.c.hour))


def summaries_between(connection: Connection, model_id: int, since: datetime, until: datetime) -> list[Summary]:
    """The hours in [since, until) that had crops, of every group, oldest first."""
    query = (
        select(*columns_of(score_summaries, Summary))
        .where(
            score_summaries.c.model_id == model_id,
            *(score_summaries.c.hour >= since, score_summaries.c.hour < until, score_summaries.c.crops > 0),
        )
        .order_by(score_summaries.c.hour, score_summaries.c.camera, score_summaries.c.hole)
    )
    return select_rows(connection, Summary, query)


def _newest_summary(connection: Connection, model_id: int, *, before: datetime) -> datetime | None:
    """The newest summarised hour before then; a later one was written by a clock that ran ahead."""
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
) -> Iterator[tuple[str | None, int | None, float, bool]]:
    """(camera, hole, score, whether it is proliv) of the decisions in this span, a few at a time."""
    query = (
        select(crops.c.camera, crops.c.hole, scores.c.score, scores.c.verdict == "proliv")
        .join(crops, crops.c.id == scores.c.crop_id)
        .where(
            *(scores.c.model_id == model_id, scores.c.scored_at >= since, scores.c.scored_at < until),
            # An old crop that a new model scores now says nothing about this hour.
            *(crops.c.source == "inbox", crops.c.seen_at >= since - HOUR),
        )
    )
    for camera, hole, score, proliv in connection.execute(query, execution_options={"yield_per": ROWS}):
        yield camera, hole, score, bool(proliv)


def _summaries(
    found: Iterable[tuple[str | None, int | None, float, bool]],
) -> dict[GroupKey, tuple[int, int, list[float]]]:
    """(crops, proliv, quantiles) of each group and of all together."""
    # 8 bytes for a score: an hour of a fast line has hundreds of thousands.
    members: defaultdict[GroupKey, array[float]] = defaultdict(lambda: array("d"))
    proliv: Counter[GroupKey] = Counter()
    for camera, hole, score, is_proliv in found:
        # A camera's name comes from a file name and might be the very sign for all cameras.
        known = camera if camera and camera != ALL_CAMERAS else UNKNOWN_CAMERA
        key = known, NO_HOLE if hole is None else hole
        members[key].append(score)
        proliv[key] += is_proliv
    together = array("d", chain.from_iterable(members.values()))
    return {
        (ALL_CAMERAS, NO_HOLE): (len(together), proliv.total(), quantiles(together)),
        **{key: (len(group), proliv[key], quantiles(group)) for key, group in members.items()},
    }


def quantiles(values: Sequence[float]) -> list[float]:
    """The quantiles 0, 0.05, ..., 1 of the values, interpolated linearly; an empty list for no values.

    Type 7 of R. J. Hyndman, Y. Fan, Sample quantiles in statistical packages, The American Statistician 50 (1996)
    361-365. It is numpy's default, but the store does not import numpy.
    """
    if not values:
        return []
    ordered = sorted(values)
    last = len(ordered) - 1
    result = []
    for index in range(QUANTILES):
        # In whole numbers, so that a quantile at the position of a value is exactly that value.
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
