"""Which crops alarms were decided on; `monitor.store.kept` has what is kept of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from sqlalchemy import delete, exists, func, or_, select

from monitor.store import kept
from monitor.store.alarms import NO_HOLE
from monitor.store.conditions import in_operation
from monitor.store.database.rows import select_rows
from monitor.store.database.schema import alarm_evidence, alarms, crops, kept_crops
from monitor.store.database.upsert import insert_unless_there

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime

    from sqlalchemy.engine import Connection
    from sqlalchemy.sql.elements import ColumnElement

    from monitor.store.alarms import Subject

# Among so many crops of the line the last ones of a hole are looked for: the transaction of a decision must not go
# through all crops for a hole that gave none for months.
LOOK_BACK: Final = 20_000
# So many more of the hole's crops are compared by their times than are wanted.
COMPARED: Final = 30


class EvidenceRow(NamedTuple):
    """A crop that an alarm was decided on.

    ``role``: "opened", "highest" or "before". ``state``, ``sha256``, ``problem``: of its content, see `kept.Kept`; None
    where nothing is known.
    """

    crop_id: int
    role: str
    state: str | None
    sha256: str | None
    problem: str | None


class EvidenceCounts(NamedTuple):
    """How many crops have yet to be kept, since when, and of how many no content can be kept.

    ``missing``: those that alarms were decided on which are not closed.
    """

    due: int
    due_since: datetime | None
    missing: int


def add(connection: Connection, decided_on: Mapping[int, Mapping[int, str]], now: datetime) -> None:
    """Note what alarms were decided on, as {alarm id: {crop id: role}}, and that its content has to be kept.

    A crop that is noted for its alarm already stays what it is.
    """
    rows = [
        {"alarm_id": alarm_id, "crop_id": crop_id, "role": role}
        for alarm_id, roles in decided_on.items()
        for crop_id, role in roles.items()
    ]
    if rows:
        connection.execute(insert_unless_there(connection, alarm_evidence), rows)
        kept.owe(connection, [crop_id for roles in decided_on.values() for crop_id in roles], now)


def move(connection: Connection, alarm_id: int, to: int) -> None:
    """Give what an alarm was decided on to another one."""
    of = alarm_evidence.c.alarm_id == alarm_id
    found = connection.execute(select(alarm_evidence.c.crop_id, alarm_evidence.c.role).where(of)).all()
    if found:
        rows = [{"alarm_id": to, "crop_id": crop_id, "role": role} for crop_id, role in found]
        connection.execute(insert_unless_there(connection, alarm_evidence), rows)
        connection.execute(delete(alarm_evidence).where(of))


def crops_before(connection: Connection, subject: Subject, opening: Mapping[int, datetime], most: int) -> list[int]:
    """The ids of the last ``most`` crops of a hole before those that open an alarm; none where no hole is known.

    ``opening``: by crop id, the times of the latter. What came in together has its ids in any order, so the time of a
    crop tells which was before; where a camera's clock was put back, the order of deciding does.
    """
    if subject.hole == NO_HOLE or not most:
        return []
    first, at = min(opening), min(opening.values())
    moment = func.coalesce(crops.c.captured_at, crops.c.seen_at)
    camera = crops.c.camera == subject.camera if subject.camera else crops.c.camera.is_(None)
    query = (
        select(crops.c.id, moment)
        .where(
            *(crops.c.id >= first - LOOK_BACK, crops.c.hole == subject.hole, camera),
            *(crops.c.state == "scored", in_operation(), or_(crops.c.id < first, moment < at)),
            crops.c.id.not_in(sorted(opening)),
        )
        .order_by(crops.c.id.desc())
        .limit(most + COMPARED)
    )
    found = [(then < at, min(at, then), crop_id) for crop_id, then in connection.execute(query)]
    return [crop_id for *_, crop_id in sorted(found, reverse=True)[:most]]


def of_alarm(connection: Connection, alarm_id: int) -> list[EvidenceRow]:
    """The crops that an alarm was decided on, in the order of their ids."""
    query = (
        select(
            *(alarm_evidence.c.crop_id, alarm_evidence.c.role),
            *(kept_crops.c.state, kept_crops.c.sha256, kept_crops.c.problem),
        )
        .outerjoin(kept_crops, kept_crops.c.crop_id == alarm_evidence.c.crop_id)
        .where(alarm_evidence.c.alarm_id == alarm_id)
        .order_by(alarm_evidence.c.crop_id)
    )
    return select_rows(connection, EvidenceRow, query)


def counts(connection: Connection) -> EvidenceCounts:
    """What is not kept, or not yet."""
    due, since = kept.due(connection)
    missing = (
        select(func.count(alarm_evidence.c.crop_id.distinct()))
        .join(alarms, alarms.c.id == alarm_evidence.c.alarm_id)
        .join(kept_crops, kept_crops.c.crop_id == alarm_evidence.c.crop_id)
        .where(alarms.c.state != "closed", kept_crops.c.state.in_(("gone", "too_large")))
    )
    return EvidenceCounts(due, since, connection.execute(missing).scalar_one())


def is_needed(before: datetime) -> ColumnElement[bool]:
    """A crop is the evidence of an alarm that is not closed, or whose last crop was decided at ``before`` or later."""
    return exists().where(
        *(alarm_evidence.c.crop_id == crops.c.id, alarms.c.id == alarm_evidence.c.alarm_id),
        or_(alarms.c.state != "closed", alarms.c.last_decided_at >= before),
    )


def forget(connection: Connection, crop_ids: Collection[int]) -> None:
    """Forget that alarms were decided on these crops, and what is kept of them."""
    connection.execute(delete(alarm_evidence).where(alarm_evidence.c.crop_id.in_(sorted(crop_ids))))
    kept.forget(connection, crop_ids)
