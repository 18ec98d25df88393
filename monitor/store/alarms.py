"""Alarms as rows: found, opened, joined by more crops, acknowledged and closed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import (
    case,
    distinct,
    exists,
    func,
    insert,
    literal_column,
    or_,
    select,
    text,
    update,
)

from monitor.store.conditions import in_operation
from monitor.store.database.rows import select_rows
from monitor.store.database.schema import alarm_deliveries, alarm_messages, alarms, casts, crops

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime

    from sqlalchemy import Select
    from sqlalchemy.engine import Connection
    from sqlalchemy.sql.elements import ColumnElement

# How a hole that is unknown, or a whole table, is stored.
NO_HOLE: Final = -1
# The signs of an event: what its crops are.
PROLIV: Final = "proliv"
UNUSUAL: Final = "unusual"
# The lock of a PostgreSQL server that whoever opens or ends alarms holds until the end of the transaction: two daemons
# must not open two for one event, and no crop may join an alarm that is closed meanwhile. SQLite has a single writer.
_LOCK: Final = 7_265_001_837
SUBJECTS_AT_ONCE: Final = 200


class Subject(NamedTuple):
    """What an alarm is about, as `alarm_tables.alarms` has it."""

    camera: str
    hole: int = NO_HOLE
    place: str = ""


class AlarmRow(NamedTuple):
    """A row of `alarms`, and the number and the alloy of its cast."""

    id: int
    kind: str
    camera: str
    hole: int
    place: str
    path: str | None
    holes: list[int] | None
    state: str
    opened_at: datetime
    opened_on: datetime
    first_at: datetime
    last_at: datetime
    last_decided_at: datetime
    crops: int
    highest_crop_id: int
    score: float
    threshold: float
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    acknowledged_note: str | None
    closed_at: datetime | None
    closed_by: str | None
    closed_note: str | None
    ended_by: str | None
    part_of: int | None
    withheld: str | None
    told_at: datetime | None
    pause_id: int | None
    sign: str
    cast_id: int | None
    phase: str | None
    cast: str | None
    alloy: str | None


class RunningCounts(NamedTuple):
    """Alarms that are not closed and were told, by state, and since when the oldest waits to be acknowledged.

    ``withheld``: those that nobody was told of, whatever their state.
    """

    open: int
    acknowledged: int
    oldest_open_at: datetime | None
    withheld: int = 0


class RunningSubject(NamedTuple):
    """What alarms in one state, which are not closed and were told, are about, and the newest of them."""

    kind: str
    camera: str
    hole: int
    state: str
    newest_id: int


def lock(connection: Connection) -> None:
    """Let no other program open or end alarms before the end of the transaction."""
    if connection.dialect.name != "sqlite":
        connection.execute(text("select pg_advisory_xact_lock(:number)"), {"number": _LOCK})


def running(
    connection: Connection, sign: str, subjects: Collection[Subject], since: datetime, until: datetime
) -> list[AlarmRow]:
    """The alarms of a sign that are not closed and have crops with times around [since, until], in their order.

    Of the cameras of these subjects all those of holes and tables; of single files only those of the subjects.
    """
    cameras, places = ({one.camera for one in subjects}, {"", *(one.place for one in subjects)})
    query = alarm_rows().where(
        *(is_running(), alarms.c.camera.in_(sorted(cameras)), alarms.c.place.in_(sorted(places))),
        alarms.c.sign == sign,
        *(alarms.c.last_at >= since, alarms.c.first_at <= until),
    )
    return select_rows(connection, AlarmRow, query.order_by(alarms.c.id))


def decided_between(
    connection: Connection, subject: Subject, path: str, first_id: int, first: datetime, last: datetime
) -> int:
    """How many crops about a subject have times in [first, last] and were decided; from an id on, to look at few.

    ``path``: as it is stored, of a subject that is a file.
    """
    of: list[ColumnElement[bool]] = [crops.c.path == path]
    if subject.hole != NO_HOLE:
        camera = crops.c.camera == subject.camera if subject.camera else crops.c.camera.is_(None)
        of = [crops.c.hole == subject.hole, camera]
    at = func.coalesce(crops.c.captured_at, crops.c.seen_at)
    query = select(func.count()).select_from(crops).where(crops.c.id >= first_id, crops.c.state == "scored")
    query = query.where(at.between(first, last))
    return int(connection.execute(query.where(*of)).scalar_one())


def active_holes(connection: Connection, camera: str, since: datetime) -> int:
    """Of how many holes a camera gave crops since then."""
    named = crops.c.camera == camera if camera else crops.c.camera.is_(None)
    query = select(func.count(distinct(crops.c.hole))).where(crops.c.seen_at >= since, named, in_operation())
    return int(connection.execute(query).scalar_one())


def add(connection: Connection, values: Mapping[str, Any]) -> int:
    """Store an alarm; returns its id."""
    key = connection.execute(insert(alarms).values(**values)).inserted_primary_key
    assert key is not None
    return int(key[0])


def change(connection: Connection, alarm_id: int, values: Mapping[str, Any]) -> None:
    """Change columns of an alarm."""
    connection.execute(update(alarms).where(alarms.c.id == alarm_id).values(**values))


def acknowledge(connection: Connection, alarm_id: int, *, by: str, note: str | None, at: datetime) -> bool:
    """Acknowledge an open alarm; False where it is not open, so that of two people one does it."""
    done = (
        update(alarms)
        .where(alarms.c.id == alarm_id, alarms.c.state == "open")
        .values(state="acknowledged", acknowledged_at=at, acknowledged_by=by, acknowledged_note=note)
    )
    return connection.execute(done).rowcount == 1


def close(
    connection: Connection,
    alarm_id: int,
    *,
    ended_by: str,
    at: datetime,
    by: str | None = None,
    note: str | None = None,
) -> bool:
    """Close an alarm; False where it is closed already."""
    done = (
        update(alarms)
        .where(alarms.c.id == alarm_id, is_running())
        .values(state="closed", ended_by=ended_by, closed_at=at, closed_by=by, closed_note=note)
    )
    return connection.execute(done).rowcount == 1


def quiet(connection: Connection, before: datetime, *, even_open: bool) -> list[AlarmRow]:
    """The alarms whose last crop was decided before then and that nobody has to acknowledge, with ``even_open`` all.

    Those are the acknowledged ones, and those that nobody was told of.
    """
    query = alarm_rows().where(is_running(), alarms.c.last_decided_at < before)
    if not even_open:
        query = query.where(or_(alarms.c.state == "acknowledged", alarms.c.withheld.is_not(None)))
    return select_rows(connection, AlarmRow, query.order_by(alarms.c.id))


def withheld(connection: Connection, since: datetime) -> list[AlarmRow]:
    """The alarms that are not closed, that nobody was told of, and whose last crop was decided since then."""
    query = alarm_rows().where(is_running(), alarms.c.withheld.is_not(None), alarms.c.last_decided_at >= since)
    return select_rows(connection, AlarmRow, query.order_by(alarms.c.id))


def find(connection: Connection, alarm_id: int) -> AlarmRow | None:
    """The alarm with this id; None if there is none."""
    query = alarm_rows().where(alarms.c.id == alarm_id)
    return next(iter(select_rows(connection, AlarmRow, query)), None)


def listed(connection: Connection, *, closed: bool, most: int | None, cast: str | None = None) -> list[AlarmRow]:
    """The alarms that are not closed, with ``closed`` all of them, the newest first; ``cast``: of casts of a number."""
    query = alarm_rows().order_by(alarms.c.id.desc()).limit(most)
    if cast is not None:
        query = query.where(alarms.c.cast_id.in_(select(casts.c.id).where(casts.c.number == cast)))
    return select_rows(connection, AlarmRow, query if closed else query.where(is_running()))


def told(connection: Connection, sink: str, most: int) -> tuple[list[AlarmRow], int]:
    """The alarms that are not closed and of which a sink has a message: the newest ``most``, and how many there are."""
    has_it = exists().where(
        *(alarm_messages.c.alarm_id == alarms.c.id, alarm_deliveries.c.message_id == alarm_messages.c.id),
        *(alarm_deliveries.c.sink == sink, alarm_deliveries.c.delivered_at.is_not(None)),
    )
    known = (is_running(), has_it)
    count = connection.execute(select(func.count()).select_from(alarms).where(*known)).scalar_one()
    query = alarm_rows().where(*known).order_by(alarms.c.id.desc()).limit(most)
    return select_rows(connection, AlarmRow, query), int(count)


def parts_of(connection: Connection, alarm_id: int) -> list[AlarmRow]:
    """The alarms of holes that became part of an alarm of the table, in the order in which they opened."""
    query = alarm_rows().where(alarms.c.part_of == alarm_id)
    return select_rows(connection, AlarmRow, query.order_by(alarms.c.id))


def running_counts(connection: Connection) -> RunningCounts:
    """How many alarms are not closed."""
    # What was withheld could not be acknowledged before it was told.
    since = func.coalesce(alarms.c.told_at, alarms.c.opened_at)
    told = case((alarms.c.withheld.is_(None), alarms.c.state), else_="withheld")
    query = select(told, func.count(), func.min(since)).where(is_running()).group_by(told)
    found = {state: (count, oldest) for state, count, oldest in connection.execute(query)}
    count, oldest = found.get("open", (0, None))
    return RunningCounts(
        count, found.get("acknowledged", (0, None))[0], oldest, withheld=found.get("withheld", (0, None))[0]
    )


def alarm_rows() -> Select[Any]:
    """The query of all alarms, whose columns are the fields of `AlarmRow`."""
    own = (alarms.c[name] for name in AlarmRow._fields[:-2])
    of_cast = casts.c.id == alarms.c.cast_id
    number, alloy = (select(column).where(of_cast).scalar_subquery() for column in (casts.c.number, casts.c.alloy))
    return select(*own, number.label("cast"), alloy.label("alloy"))


def running_subjects(connection: Connection) -> list[RunningSubject]:
    """What the alarms that are not closed and were told are about: a row for each subject and state.

    Files of a camera are together. Each hole of a table's alarm has a row of the kind ``hole`` as well.
    """
    told = (is_running(), alarms.c.withheld.is_(None))
    grouped = alarms.c.kind, alarms.c.camera, alarms.c.hole, alarms.c.state
    query = select(*grouped, func.max(alarms.c.id).label("newest_id")).where(*told).group_by(*grouped)
    found = select_rows(connection, RunningSubject, query)
    tables = select(alarms.c.camera, alarms.c.holes, alarms.c.state, alarms.c.id)
    tables = tables.where(*told, alarms.c.kind == "table")
    return found + [
        RunningSubject("hole", camera, hole, state, alarm_id)
        for camera, holes, state, alarm_id in connection.execute(tables)
        for hole in holes or ()
    ]


def is_running() -> ColumnElement[bool]:
    """The alarm is not closed."""
    # Written out: SQLite uses the index on running alarms only for the words of its own condition.
    return alarms.c.state != literal_column("'closed'")
