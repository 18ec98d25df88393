"""Crops that are worth a label and have none, each kind found in a bounded number of steps."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import case, exists, func, null, select

from monitor.store.alarms import PROLIV
from monitor.store.conditions import in_operation, stands
from monitor.store.database.rows import select_rows
from monitor.store.database.schema import alarm_crops, alarms, audit_crops, audits, crops, labels
from monitor.store.labels import labels_of_contents

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Select
    from sqlalchemy.engine import Connection
    from sqlalchemy.sql.elements import ColumnElement

# Crops of alarms that are looked up at most, and crops of each other kind.
MOST_OF_ALARMS: Final = 1000
MOST: Final = 100
# Unusual crops, and those near the threshold, are of this time.
LATELY: Final = timedelta(days=1)
# Of older draws nobody is asked any more; `monitor label --audit-open` lists them all.
DRAWS: Final = 20
# The nearest to the threshold are looked for among so many of the newest crops, and so many of them may be labelled.
WALK: Final = 20_000
LOOKED_AT: Final = 200


class ReviewCrop(NamedTuple):
    """A scored crop without a label; ``alarm``: the one that it is looked up for, if any."""

    id: int
    sha256: str
    hole: int | None
    camera: str | None
    captured_at: datetime | None
    seen_at: datetime
    verdict: str
    decision_score: float
    decision_threshold: float
    unusual: bool
    alarm: int | None = None

    @property
    def at(self) -> datetime:
        """When it was taken, or else when it was first seen."""
        return self.captured_at or self.seen_at


def of_alarms(connection: Connection, alarm_id: int | None = None) -> list[ReviewCrop]:
    """The crops of alarms that nobody has acknowledged which are decided proliv, by alarm and id; or those of one."""
    waiting = select(alarms.c.id).where(alarms.c.state == "open", alarms.c.withheld.is_(None), alarms.c.sign == PROLIV)
    # In the words of the index on alarms that are not closed, which are few.
    waiting = waiting.where(alarms.c.state != "closed")
    if alarm_id is not None:
        waiting = waiting.where(alarms.c.id == alarm_id)
    query = (
        _crops(alarm_crops.c.alarm_id)
        .join(alarm_crops, alarm_crops.c.crop_id == crops.c.id)
        .where(alarm_crops.c.alarm_id.in_(waiting), crops.c.verdict == "proliv", ~_is_labelled())
        .order_by(alarm_crops.c.alarm_id, alarm_crops.c.crop_id)
        .limit(MOST_OF_ALARMS)
    )
    return select_rows(connection, ReviewCrop, query)


def unusual(connection: Connection, now: datetime) -> list[ReviewCrop]:
    """The unusual crops of the last day, the oldest first."""
    query = _crops().where(crops.c.unusual, in_operation(), crops.c.seen_at >= now - LATELY, ~_is_labelled())
    return select_rows(connection, ReviewCrop, query.order_by(crops.c.seen_at, crops.c.id).limit(MOST))


def drawn(connection: Connection) -> list[ReviewCrop]:
    """The crops of the newest draws for audits, the newest first."""
    last = connection.execute(select(func.max(audits.c.id))).scalar() or 0
    chosen = select(audit_crops.c.crop_id).where(audit_crops.c.audit_id > last - DRAWS)
    query = _crops().where(crops.c.id.in_(chosen), crops.c.state == "scored", ~_is_labelled())
    return select_rows(connection, ReviewCrop, query.order_by(crops.c.id.desc()).limit(MOST))


def nearest(connection: Connection, now: datetime) -> list[ReviewCrop]:
    """Of the newest crops, which came in the last day, those whose score is nearest to the threshold, nearest first."""
    last = connection.execute(select(func.max(crops.c.id))).scalar() or 0
    score, threshold = crops.c.decision_score, crops.c.decision_threshold
    # In the unit of the page; see `monitor.web.units`.
    share = case((threshold > 0, score / func.nullif(threshold, 0)), else_=1 + score - threshold)
    query = (
        _crops()
        .where(crops.c.id > last - WALK, in_operation(), crops.c.state == "scored")
        .order_by(func.abs(share - 1), crops.c.id)
        .limit(LOOKED_AT)
    )
    found = [row for row in select_rows(connection, ReviewCrop, query) if row.seen_at >= now - LATELY]
    labelled = labels_of_contents(connection, {row.sha256 for row in found})
    return [row for row in found if row.sha256 not in labelled][:MOST]


def crop(connection: Connection, crop_id: int) -> ReviewCrop | None:
    """The crop with this id, if it was scored and nobody has labelled its content."""
    query = _crops().where(crops.c.id == crop_id, crops.c.state == "scored", ~_is_labelled())
    return next(iter(select_rows(connection, ReviewCrop, query)), None)


def _crops(alarm: ColumnElement[Any] | None = None) -> Select[Any]:
    names = [name for name in ReviewCrop._fields if name != "alarm"]
    return select(*(crops.c[name] for name in names), null() if alarm is None else alarm).select_from(crops)


def _is_labelled() -> ColumnElement[bool]:
    """Somebody labelled a crop with the same content."""
    same = crops.alias("same")
    return exists().where(same.c.sha256 == crops.c.sha256, labels.c.crop_id == same.c.id, stands())
