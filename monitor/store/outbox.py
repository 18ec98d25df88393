"""Messages about alarms as rows: stored with what they tell, and delivered to each sink in the order of each hole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import delete, exists, func, insert, select, update

from monitor.store.database.rows import select_rows
from monitor.store.database.schema import alarm_deliveries, alarm_messages, alarms

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from sqlalchemy import Select
    from sqlalchemy.engine import Connection
    from sqlalchemy.sql.elements import ColumnElement


class Due(NamedTuple):
    """A message that a sink has yet to get; see `alarm_tables`."""

    id: int
    uid: str
    alarm_id: int
    kind: str
    at: datetime
    alarm: dict[str, Any]
    sink: str
    attempts: int
    next_try_at: datetime
    delivered_at: datetime | None
    error: str | None


class Backlog(NamedTuple):
    """What waits for a sink: how many messages, since when, and one of the reasons why they were not taken."""

    sink: str
    messages: int
    oldest_at: datetime
    error: str | None


_COLUMNS = (
    *(alarm_messages.c[name] for name in Due._fields[:6]),
    *(alarm_deliveries.c[name] for name in Due._fields[6:]),
)


def add(
    connection: Connection,
    sinks: Collection[str],
    *,
    uid: str,
    alarm_id: int,
    kind: str,
    at: datetime,
    alarm: dict[str, Any],
    lane: str,
) -> None:
    """Store a message for these sinks."""
    message = {"uid": uid, "alarm_id": alarm_id, "kind": kind, "at": at, "alarm": alarm}
    key = connection.execute(insert(alarm_messages).values(**message)).inserted_primary_key
    assert key is not None
    each = {"message_id": int(key[0]), "lane": lane, "attempts": 0, "next_try_at": at}
    connection.execute(insert(alarm_deliveries), [{**each, "sink": sink} for sink in sinks])


def next_due(connection: Connection, sink: str, now: datetime, most: int) -> list[Due]:
    """The ``most`` oldest messages that may be sent to a sink now: of each hole the first one that it does not have."""
    heads = (
        select(func.min(alarm_deliveries.c.message_id))
        .where(alarm_deliveries.c.sink == sink, _is_due())
        .group_by(alarm_deliveries.c.lane)
    )
    query = _query().where(
        *(alarm_deliveries.c.sink == sink, _is_due()),
        *(alarm_deliveries.c.message_id.in_(heads), alarm_deliveries.c.next_try_at <= now),
    )
    return select_rows(connection, Due, query.order_by(alarm_messages.c.id).limit(most))


def claim(connection: Connection, due: Due, until: datetime) -> bool:
    """Begin an attempt, which no other program begins before ``until``; False where one has begun it meanwhile."""
    taken = (
        update(alarm_deliveries)
        .where(_is(due), _is_due(), alarm_deliveries.c.attempts == due.attempts)
        .values(attempts=due.attempts + 1, next_try_at=until)
    )
    return connection.execute(taken.where(alarm_deliveries.c.sink == due.sink)).rowcount == 1


def release(connection: Connection, sink: str, now: datetime) -> None:
    """Let what a program had begun when it was killed be sent at once."""
    begun = update(alarm_deliveries).where(alarm_deliveries.c.sink == sink, _is_due())
    connection.execute(begun.where(alarm_deliveries.c.next_try_at > now).values(next_try_at=now))


def delivered(connection: Connection, due: Due, at: datetime) -> None:
    """Note that a sink has a message."""
    done = update(alarm_deliveries).where(_is(due), alarm_deliveries.c.sink == due.sink)
    connection.execute(done.values(delivered_at=at))


def failed(connection: Connection, due: Due, error: str, next_try_at: datetime) -> None:
    """Note why a sink has not taken a message, and when it is tried again."""
    done = update(alarm_deliveries).where(_is(due), alarm_deliveries.c.sink == due.sink, _is_due())
    connection.execute(done.values(error=error, next_try_at=next_try_at))


def deliveries(connection: Connection, *, delivered: bool, most: int | None) -> list[Due]:
    """What sinks have yet to get, with ``delivered`` also what they have: the newest ``most``, the oldest first."""
    query = _query().order_by(alarm_messages.c.id.desc(), alarm_deliveries.c.sink).limit(most)
    return select_rows(connection, Due, query if delivered else query.where(_is_due()))[::-1]


def deliveries_of(connection: Connection, alarm_ids: Collection[int]) -> list[Due]:
    """Every message about these alarms, to every sink, the oldest first."""
    of = alarm_messages.c.alarm_id.in_(sorted(alarm_ids))
    return select_rows(connection, Due, _query().where(of).order_by(alarm_messages.c.id, alarm_deliveries.c.sink))


def backlogs(connection: Connection) -> list[Backlog]:
    """What waits for each sink, by name; none of those for which nothing waits."""
    query = (
        select(
            *(alarm_deliveries.c.sink, func.count(), func.min(alarm_messages.c.at)),
            func.max(alarm_deliveries.c.error),
        )
        .join(alarm_messages, alarm_messages.c.id == alarm_deliveries.c.message_id)
        .where(_is_due())
        .group_by(alarm_deliveries.c.sink)
        .order_by(alarm_deliveries.c.sink)
    )
    return select_rows(connection, Backlog, query)


def old(connection: Connection, before: datetime, sinks: Collection[str], *, after: int, most: int) -> list[int]:
    """The first ``most`` ids above ``after`` of messages from before then that may be deleted, rising.

    Their alarms are closed, and each of these sinks has them. The newest message of all stays, because SQLite gives its
    number again where it is gone, and numbers rise.
    """
    newest = select(func.max(alarm_messages.c.id)).scalar_subquery()
    is_over = exists().where(alarms.c.id == alarm_messages.c.alarm_id, alarms.c.state == "closed")
    waits = exists().where(
        alarm_deliveries.c.message_id == alarm_messages.c.id, _is_due(), alarm_deliveries.c.sink.in_(sorted(sinks))
    )
    query = select(alarm_messages.c.id).where(
        *(alarm_messages.c.id > after, alarm_messages.c.id != newest, alarm_messages.c.at < before, is_over, ~waits)
    )
    return list(connection.execute(query.order_by(alarm_messages.c.id).limit(most)).scalars())


def forget(connection: Connection, ids: Collection[int]) -> None:
    """Delete messages, and what is known of their delivery."""
    numbers = sorted(ids)
    connection.execute(delete(alarm_deliveries).where(alarm_deliveries.c.message_id.in_(numbers)))
    connection.execute(delete(alarm_messages).where(alarm_messages.c.id.in_(numbers)))


def _query() -> Select[Any]:
    return select(*_COLUMNS).join(alarm_messages, alarm_messages.c.id == alarm_deliveries.c.message_id)


def _is(due: Due) -> ColumnElement[bool]:
    return alarm_deliveries.c.message_id == due.id


def _is_due() -> ColumnElement[bool]:
    return alarm_deliveries.c.delivered_at.is_(None)
