"""Finds decisions that are old enough to be deleted, and deletes them.

Whatever TPR and TNR in operation, thresholds, audits and drift are computed from is kept at any age, so that their
figures for any span are the same before and after a deletion:

- crops whose content has a label or lies in the labelled folder: thresholds are chosen from their scores;
- crops whose content came again and is kept: the first crop with a content stands for all of them and must not change;
- the rows of proliv: their number gives the labelled ones their weight. Their scores and files are deleted;
- what belongs to an alarm that is not closed, with its scores and its file, and the row of every crop of an alarm, also
  of one that is only unusual, whose scores and file go like those of a proliv;
- what an alarm was decided on, until the whole alarm is old enough; then it goes together;
- the newest crop: SQLite would use its id again, and ids tell the order in which crops came;
- the hourly summaries of all holes together, and of each hole those that later hours are compared with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import and_, bindparam, delete, exists, func, not_, or_, select, true, tuple_, update

from monitor.store import alarm_evidence
from monitor.store.conditions import in_operation, is_alarm_else_false
from monitor.store.database.rows import columns_of, select_rows
from monitor.store.database.schema import (
    alarm_crops,
    alarms,
    audit_crops,
    crops,
    kept_crops,
    labelled_files,
    labels,
    score_summaries,
    scores,
)
from monitor.store.references import calibrated_by_hand_at
from monitor.store.summaries import ALL_CAMERAS, baseline_summaries

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from sqlalchemy.engine import Connection
    from sqlalchemy.sql.elements import ColumnElement


class OldCrop(NamedTuple):
    """A crop whose decisions are old enough to be deleted; of a proliv or an ``alarm`` the row itself is kept."""

    id: int
    path: str
    sha256: str
    size_bytes: int
    mtime_ns: int
    archived_path: str | None
    alarm: bool


class SummaryKey(NamedTuple):
    """The hour and the hole of a summary."""

    hour: datetime
    camera: str
    hole: int


def newest_seen(connection: Connection) -> datetime | None:
    """When the newest crop of the inbox was seen, or, where none ever came there, the newest of all; None without any.

    Crops that are scored or labelled by hand while the line stands make nothing of the line older.
    """
    newest = select(crops.c.seen_at).order_by(crops.c.seen_at.desc()).limit(1)
    return connection.execute(newest.where(in_operation())).scalar() or connection.execute(newest).scalar()


def last_old_id(connection: Connection, before: datetime) -> int:
    """The highest id of the crops seen before then, leaving out the newest crop of all; 0 if there is none."""
    newest = connection.execute(select(func.max(crops.c.id))).scalar() or 0
    # Without the sum SQLite would search for the highest id down from the newest, through all crops that are kept.
    query = select(func.max(crops.c.id + 0)).where(crops.c.seen_at < before, crops.c.id != newest)
    return connection.execute(query).scalar() or 0


def old_crops(connection: Connection, before: datetime, *, after: int, until: int, most: int) -> list[OldCrop]:
    """The first ``most`` crops with ids in (after, until] that were seen before then and may be deleted."""
    query = (
        select(
            *(crops.c.id, crops.c.path, crops.c.sha256),
            *(crops.c.size_bytes, crops.c.mtime_ns, crops.c.archived_path),
            _keeps_row().label("alarm"),
        )
        .where(crops.c.id > after, crops.c.id <= until, *_may_be_deleted(before))
        .order_by(crops.c.id)
        .limit(most)
    )
    return select_rows(connection, OldCrop, query)


def forget(connection: Connection, before: datetime, ids: Collection[int]) -> tuple[int, int]:
    """Delete those of these crops that may still be deleted, with everything that belongs to them; alarms keep a row.

    Their archived files have been deleted before. Returns (crops deleted, alarms that lost their scores).
    """
    # A crop that is locked is being given a label, and so is kept. SQLite has a single writer and no locks on rows.
    held = select(crops.c.id).where(crops.c.id.in_(sorted(ids))).with_for_update(skip_locked=True)
    locked = sorted(connection.execute(held).scalars())
    connection.execute(update(crops).where(crops.c.id.in_(locked)).values(archived_path=None))
    query = select(crops.c.id, _keeps_row().label("alarm")).where(
        crops.c.id.in_(locked), *_may_be_deleted(before, even_if_empty=True)
    )
    rows = connection.execute(query).all()
    going = [row.id for row in rows if not row.alarm]
    connection.execute(delete(scores).where(scores.c.crop_id.in_([row.id for row in rows])))
    alarm_evidence.forget(connection, [row.id for row in rows])
    connection.execute(delete(audit_crops).where(audit_crops.c.crop_id.in_(going)))
    connection.execute(delete(alarm_crops).where(alarm_crops.c.crop_id.in_(going)))
    connection.execute(delete(crops).where(crops.c.id.in_(going)))
    return len(going), len(rows) - len(going)


def baseline_keys(
    connection: Connection, model_id: int, before: datetime, *, least_crops: int, baseline_hours: int
) -> set[SummaryKey]:
    """The summaries of hours before then that drift is measured against."""
    since = calibrated_by_hand_at(connection, model_id)
    baseline = baseline_summaries(
        connection, model_id, since=since, before=before, least_crops=least_crops, most=baseline_hours
    )
    return {SummaryKey(row.hour, row.camera, row.hole) for row in baseline}


def old_summaries(
    connection: Connection, model_id: int, before: datetime, *, after: SummaryKey | None, most: int
) -> list[SummaryKey]:
    """The first ``most`` summaries of single holes with hours before then, oldest first, from after a key on."""
    key = columns_of(score_summaries, SummaryKey)
    query = select(*key).where(
        score_summaries.c.model_id == model_id,
        *(score_summaries.c.hour < before, score_summaries.c.camera != ALL_CAMERAS),
    )
    if after is not None:
        # The hour alone as well: that is where PostgreSQL then enters the index.
        query = query.where(score_summaries.c.hour >= after.hour, tuple_(*key) > tuple_(*after))
    return select_rows(connection, SummaryKey, query.order_by(*key).limit(most))


def forget_summaries(connection: Connection, model_id: int, keys: Collection[SummaryKey]) -> None:
    """Delete these summaries."""
    condition = and_(
        score_summaries.c.model_id == model_id,
        *(column == bindparam(f"the_{column.name}") for column in columns_of(score_summaries, SummaryKey)),
    )
    values = [{f"the_{name}": value for name, value in key._asdict().items()} for key in keys]
    if values:
        connection.execute(delete(score_summaries).where(condition), values)


def _may_be_deleted(before: datetime, *, even_if_empty: bool = False) -> list[ColumnElement[bool]]:
    """The conditions for deleting a crop, or the scores and the archived file of one whose row is kept.

    A row that has nothing of all that any more is left out, unless ``even_if_empty``.
    """
    same = crops.alias("same")
    # Nested, not joined: with a join SQLite may go through all labels for each crop.
    has_own_label = exists().where(labels.c.crop_id == same.c.id)
    has_label = exists().where(same.c.sha256 == crops.c.sha256, has_own_label)
    in_folder = exists().where(labelled_files.c.sha256 == crops.c.sha256)
    other = crops.alias("other")
    is_kept = exists().where(
        other.c.sha256 == crops.c.sha256,
        other.c.id != crops.c.id,
        or_(other.c.seen_at >= before, is_alarm_else_false(other)),
    )
    # The empty digest of files that could not be read is no content that they share.
    has_content = crops.c.sha256 != ""
    has_something = (
        true()
        if even_if_empty
        else or_(
            crops.c.archived_path.is_not(None),
            exists().where(scores.c.crop_id == crops.c.id),
            exists().where(kept_crops.c.crop_id == crops.c.id),
        )
    )
    runs = exists().where(
        *(alarm_crops.c.crop_id == crops.c.id, alarms.c.id == alarm_crops.c.alarm_id, alarms.c.state != "closed")
    )
    return [
        crops.c.seen_at < before,
        not_(or_(runs, alarm_evidence.is_needed(before))),
        not_(and_(has_content, or_(has_label, in_folder))),
        or_(
            and_(is_alarm_else_false(), has_something),
            and_(
                not_(is_alarm_else_false()),
                or_(not_(_is_of_alarm()), has_something),
                not_(and_(has_content, is_kept)),
            ),
        ),
    ]


def _keeps_row() -> ColumnElement[bool]:
    return or_(is_alarm_else_false(), _is_of_alarm())


def _is_of_alarm() -> ColumnElement[bool]:
    # An unusual crop that waited in vain for others to open an alarm belongs to none.
    return exists().where(alarm_crops.c.crop_id == crops.c.id, alarm_crops.c.alarm_id.is_not(None))
