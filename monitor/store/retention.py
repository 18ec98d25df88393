"""Which decisions are old enough to go, and their deletion.

What TPR and TNR in operation, thresholds, audits and drift are computed from stays, whatever its age, so that they say
the same of any span before and after:

- crops of a content that has a label, or lies in the labelled folder: their scores are what thresholds are chosen from;
- of a content that came again and is kept: the first of a content stands for all of it, and must not change;
- the rows of alarms, whose number weighs the labelled ones; their scores and files go;
- the newest crop: SQLite would give its number away again, and numbers tell the order in which crops came;
- of the hourly summaries those of all together, and of each hole those that later hours are held against.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import and_, bindparam, delete, exists, func, not_, or_, select, true, tuple_, update

from monitor.store import references, summaries
from monitor.store.database.schema import audit_crops, crops, labelled_files, labels, score_summaries, scores
from monitor.store.summaries import ALL_CAMERAS

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from sqlalchemy.engine import Connection
    from sqlalchemy.sql.elements import ColumnElement


class OldCrop(NamedTuple):
    """A crop whose decisions are old enough to go; of an alarm the row itself stays."""

    id: int
    path: str
    sha256: str
    size_bytes: int
    mtime_ns: int
    archived_path: str | None
    alarm: bool


class SummaryKey(NamedTuple):
    """The hour of a hole that a summary is of."""

    hour: datetime
    camera: str
    hole: int


def newest_seen(connection: Connection) -> datetime | None:
    """When the newest crop was seen; none where there is no crop."""
    return connection.execute(select(func.max(crops.c.seen_at))).scalar()


def last_old_id(connection: Connection, before: datetime) -> int:
    """The highest number of a crop that was seen before then, but for the newest crop of all; 0 where there is none."""
    newest = connection.execute(select(func.max(crops.c.id))).scalar() or 0
    # The sum keeps SQLite from looking for the highest number downwards from the newest, through all crops that stay.
    query = select(func.max(crops.c.id + 0)).where(crops.c.seen_at < before, crops.c.id != newest)
    return connection.execute(query).scalar() or 0


def old_crops(connection: Connection, before: datetime, *, after: int, until: int, most: int) -> list[OldCrop]:
    """The first ``most`` crops with numbers in (after, until] that may go, of those seen before then."""
    query = (
        select(
            *(crops.c.id, crops.c.path, crops.c.sha256),
            *(crops.c.size_bytes, crops.c.mtime_ns, crops.c.archived_path),
            _is_alarm().label("alarm"),
        )
        .where(crops.c.id > after, crops.c.id <= until, *_may_go(before))
        .order_by(crops.c.id)
        .limit(most)
    )
    return [OldCrop._make(row) for row in connection.execute(query)]


def forget(connection: Connection, before: datetime, ids: Collection[int]) -> tuple[int, int]:
    """Delete those of these crops that still may go, with all that belongs to them; of alarms, all but the row.

    Returns how many crops were deleted, and how many alarms lost their scores. Their archived files are gone by now.
    """
    # A label that is being given holds its crop: that one stays. SQLite has one writer, and so nothing to lock.
    held = select(crops.c.id).where(crops.c.id.in_(sorted(ids))).with_for_update(skip_locked=True)
    locked = sorted(connection.execute(held).scalars())
    connection.execute(update(crops).where(crops.c.id.in_(locked)).values(archived_path=None))
    query = select(crops.c.id, _is_alarm().label("alarm")).where(
        crops.c.id.in_(locked), *_may_go(before, whatever_is_left=True)
    )
    rows = connection.execute(query).all()
    going = [row.id for row in rows if not row.alarm]
    connection.execute(delete(scores).where(scores.c.crop_id.in_([row.id for row in rows])))
    connection.execute(delete(audit_crops).where(audit_crops.c.crop_id.in_(going)))
    connection.execute(delete(crops).where(crops.c.id.in_(going)))
    return len(going), len(rows) - len(going)


def baseline_keys(
    connection: Connection, model_id: int, before: datetime, *, least_crops: int, baseline_hours: int
) -> set[SummaryKey]:
    """The summaries of hours before then that drift is measured from."""
    since = references.calibrated_by_hand_at(connection, model_id)
    baseline = summaries.baseline_summaries(
        connection, model_id, since=since, before=before, least_crops=least_crops, most=baseline_hours
    )
    return {SummaryKey(row.hour, row.camera, row.hole) for row in baseline}


def old_summaries(
    connection: Connection, model_id: int, before: datetime, *, after: SummaryKey | None, most: int
) -> list[SummaryKey]:
    """The first ``most`` summaries of single holes of hours before then that come after a key, the oldest first."""
    query = select(*_key_columns()).where(
        score_summaries.c.model_id == model_id,
        *(score_summaries.c.hour < before, score_summaries.c.camera != ALL_CAMERAS),
    )
    if after is not None:
        # The hour by itself as well, for a server to begin there.
        query = query.where(score_summaries.c.hour >= after.hour, tuple_(*_key_columns()) > tuple_(*after))
    found = connection.execute(query.order_by(*_key_columns()).limit(most))
    return [SummaryKey._make(row) for row in found]


def forget_summaries(connection: Connection, model_id: int, keys: Collection[SummaryKey]) -> None:
    """Delete these summaries."""
    condition = and_(
        score_summaries.c.model_id == model_id,
        *(column == bindparam(f"the_{column.name}") for column in _key_columns()),
    )
    values = [{f"the_{name}": value for name, value in key._asdict().items()} for key in keys]
    if values:
        connection.execute(delete(score_summaries).where(condition), values)


def _key_columns() -> list[ColumnElement[Any]]:
    return [score_summaries.c[name] for name in SummaryKey._fields]


def _is_alarm() -> ColumnElement[bool]:
    return func.coalesce(crops.c.verdict, "") == "proliv"


def _may_go(before: datetime, *, whatever_is_left: bool = False) -> list[ColumnElement[bool]]:
    """What holds of a crop that may go; of an alarm, that something is left to be deleted."""
    same = crops.alias("same")
    # One within the other: joined, SQLite may go through all labels for each crop.
    has_own_label = exists().where(labels.c.crop_id == same.c.id)
    has_label = exists().where(same.c.sha256 == crops.c.sha256, has_own_label)
    in_folder = exists().where(labelled_files.c.sha256 == crops.c.sha256)
    other = crops.alias("other")
    is_kept = exists().where(
        other.c.sha256 == crops.c.sha256,
        other.c.id != crops.c.id,
        or_(other.c.seen_at >= before, func.coalesce(other.c.verdict, "") == "proliv"),
    )
    # Files that could not be read have no content in common.
    has_content = crops.c.sha256 != ""
    is_left = (
        true()
        if whatever_is_left
        else or_(crops.c.archived_path.is_not(None), exists().where(scores.c.crop_id == crops.c.id))
    )
    return [
        crops.c.seen_at < before,
        not_(and_(has_content, or_(has_label, in_folder))),
        or_(and_(_is_alarm(), is_left), and_(not_(_is_alarm()), not_(and_(has_content, is_kept)))),
    ]
