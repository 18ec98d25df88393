"""Self-tests as rows: which files are theirs, how far each has come, and which sinks have taken the message.

Nothing else in the store knows of them, so they count in no statistics.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import delete, insert, select, update

from monitor.store.conditions import in_operation, is_alarm
from monitor.store.database.among import among
from monitor.store.database.rows import columns_of, select_rows
from monitor.store.database.schema import crops, selftest_crops, selftest_deliveries, selftests

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from datetime import datetime

    from sqlalchemy.engine import Connection

    from monitor.store.crops import CropKey

# Every file of a self-test is named so; that alone makes no file one, it only says which ones to look up.
NAME: Final = "monitor-selftest-"
# So many self-tests are remembered.
REMEMBERED: Final = 1000
# A self-test that has not ended so long after its time was killed.
GRACE: Final = timedelta(seconds=30)


class SelftestRow(NamedTuple):
    """A row of `selftests`."""

    id: int
    began_at: datetime
    ends_at: datetime
    sinks: list[str]
    finished_at: datetime | None
    passed: bool | None
    seconds: float | None
    problem: str | None

    def ended_by(self, now: datetime) -> datetime | None:
        """When it ended, as of now; None while it goes on. That of a killed program ended when its time was over."""
        if self.finished_at is not None:
            return self.finished_at
        return self.ends_at if now - self.ends_at > GRACE else None


class SelftestCrop(NamedTuple):
    """A row of `selftest_crops`."""

    selftest_id: int
    expected: str
    path: str
    sha256: str
    written_at: datetime | None = None
    seen_at: datetime | None = None
    decided_at: datetime | None = None
    verdict: str | None = None
    score: float | None = None
    threshold: float | None = None
    stored_at: datetime | None = None
    alarm_at: datetime | None = None
    problem: str | None = None


class SelftestDelivery(NamedTuple):
    """A row of `selftest_deliveries`."""

    selftest_id: int
    sink: str
    message: dict[str, Any]
    attempts: int
    next_try_at: datetime | None
    delivered_at: datetime | None
    error: str | None


class DecidedCrop(NamedTuple):
    """A crop of the line that was decided on; ``path`` as it is stored."""

    id: int
    path: str
    sha256: str


def decided_crops(connection: Connection, verdict: str, most: int) -> list[DecidedCrop]:
    """The ``most`` newest crops of the line with this final verdict; none that is unusual."""
    final = is_alarm() if verdict == "proliv" else crops.c.verdict == verdict
    query = select(*columns_of(crops, DecidedCrop)).where(final, in_operation(), ~crops.c.unusual)
    return select_rows(connection, DecidedCrop, query.order_by(crops.c.seen_at.desc()).limit(most))


def may_be_one(path: str) -> bool:
    """Whether a file is named like one of a self-test."""
    return path.rpartition("/")[2].startswith(NAME)


def among_crops(connection: Connection, keys: Iterable[CropKey]) -> frozenset[CropKey]:
    """Those of the crops, by (path as text, sha256), that are of a self-test.

    One that could not be read, whose sha256 is empty, is by its path alone: it has no content to be taken for another.
    """
    named = [key for key in keys if may_be_one(key[0])]
    if not named:
        return frozenset()
    query = select(selftest_crops.c.path, selftest_crops.c.sha256)
    known = {(path, sha256) for path, sha256 in connection.execute(query.where(_at({path for path, _ in named})))}
    paths = {path for path, _ in known}
    return frozenset(key for key in named if key in known or (not key[1] and key[0] in paths))


def is_path_of_one(connection: Connection, path: str) -> bool:
    """Whether a self-test has a file at this path."""
    query = select(selftest_crops.c.path).where(selftest_crops.c.path == path)
    return connection.execute(query.limit(1)).first() is not None


def begin(connection: Connection, *, began_at: datetime, ends_at: datetime, sinks: Sequence[str]) -> int:
    """Store a self-test that begins, and forget the oldest ones whose files are gone; returns its id."""
    values = {"began_at": began_at, "ends_at": ends_at, "sinks": list(sinks)}
    key = connection.execute(insert(selftests).values(**values)).inserted_primary_key
    assert key is not None
    number = int(key[0])
    left = select(selftest_crops.c.selftest_id).where(selftest_crops.c.removed_at.is_(None))
    old = select(selftests.c.id).where(selftests.c.id <= number - REMEMBERED, selftests.c.id.not_in(left))
    forgotten = list(connection.execute(old).scalars())
    if forgotten:
        for table in (selftest_deliveries, selftest_crops):
            connection.execute(delete(table).where(table.c.selftest_id.in_(forgotten)))
        connection.execute(delete(selftests).where(selftests.c.id.in_(forgotten)))
    return number


def register(connection: Connection, own: Sequence[SelftestCrop], *, ends_at: datetime) -> None:
    """Store the crops of a self-test, before their files are there, and by when they have to have arrived."""
    connection.execute(insert(selftest_crops), [crop._asdict() for crop in own])
    done = update(selftests).where(selftests.c.id == own[0].selftest_id)
    connection.execute(done.values(ends_at=ends_at))


def find(connection: Connection, selftest_id: int) -> SelftestRow | None:
    """The self-test with this id; None if there is none."""
    query = select(*columns_of(selftests, SelftestRow)).where(selftests.c.id == selftest_id)
    return next(iter(select_rows(connection, SelftestRow, query)), None)


def newest(connection: Connection) -> SelftestRow | None:
    """The last self-test that began; None if there was none."""
    query = select(*columns_of(selftests, SelftestRow)).order_by(selftests.c.id.desc()).limit(1)
    return next(iter(select_rows(connection, SelftestRow, query)), None)


def passed_at(connection: Connection) -> datetime | None:
    """When the last self-test that passed ended; None if none ever did."""
    query = select(selftests.c.finished_at).where(selftests.c.passed).order_by(selftests.c.id.desc())
    found: datetime | None = connection.execute(query.limit(1)).scalar()
    return found


def crop_at(connection: Connection, path: str, sha256: str) -> SelftestCrop | None:
    """The crop with this path, as text, and this content, or one at this path that could not be read."""
    query = select(*columns_of(selftest_crops, SelftestCrop)).where(selftest_crops.c.path == path)
    if sha256:
        query = query.where(selftest_crops.c.sha256 == sha256)
    return next(iter(select_rows(connection, SelftestCrop, query.limit(1))), None)


def crops_of(connection: Connection, selftest_id: int) -> dict[str, SelftestCrop]:
    """The crops of a self-test by what they are expected to be."""
    query = select(*columns_of(selftest_crops, SelftestCrop)).where(selftest_crops.c.selftest_id == selftest_id)
    return {row.expected: row for row in select_rows(connection, SelftestCrop, query)}


def deliveries_of(connection: Connection, selftest_id: int) -> dict[str, SelftestDelivery]:
    """What became of the message of a self-test, by sink."""
    query = select(*columns_of(selftest_deliveries, SelftestDelivery))
    rows = select_rows(connection, SelftestDelivery, query.where(selftest_deliveries.c.selftest_id == selftest_id))
    return {row.sink: row for row in rows}


def note(connection: Connection, crop: SelftestCrop, **values: Any) -> None:
    """Store how far a crop has come, by the names of the columns of `selftest_crops`."""
    done = update(selftest_crops).where(
        selftest_crops.c.selftest_id == crop.selftest_id, selftest_crops.c.expected == crop.expected
    )
    connection.execute(done.values(**values))


def note_seen(connection: Connection, path: str, at: datetime) -> None:
    """Store when the daemon found a file, the first time."""
    done = update(selftest_crops).where(selftest_crops.c.path == path, selftest_crops.c.seen_at.is_(None))
    connection.execute(done.values(seen_at=at))


def send(
    connection: Connection, selftest_id: int, messages: dict[str, dict[str, Any]], at: datetime, *, error: str | None
) -> None:
    """Store a message for each of these sinks, by name, due at once; with an ``error`` it is never sent."""
    rows = [
        {
            "selftest_id": selftest_id, "sink": sink, "message": message, "attempts": 0,
            "next_try_at": at if error is None else None, "error": error,
        }
        for sink, message in messages.items()
    ]  # fmt: skip
    if rows:
        connection.execute(insert(selftest_deliveries), rows)


def due(connection: Connection, sink: str, now: datetime) -> list[SelftestDelivery]:
    """The messages that may be sent to a sink now; those of self-tests whose time is over are none."""
    query = (
        select(*columns_of(selftest_deliveries, SelftestDelivery))
        .join(selftests, selftests.c.id == selftest_deliveries.c.selftest_id)
        .where(
            selftest_deliveries.c.sink == sink,
            selftest_deliveries.c.next_try_at.is_not(None),
            selftest_deliveries.c.next_try_at <= now,
            selftests.c.finished_at.is_(None),
            selftests.c.ends_at > now,
        )
        .order_by(selftest_deliveries.c.selftest_id)
    )
    return select_rows(connection, SelftestDelivery, query)


def claim(connection: Connection, one: SelftestDelivery, until: datetime) -> bool:
    """Keep other programs from sending a message until then; False where one was faster."""
    done = _delivery(one).where(selftest_deliveries.c.next_try_at == one.next_try_at)
    return connection.execute(done.values(next_try_at=until)).rowcount == 1


def delivered(connection: Connection, one: SelftestDelivery, at: datetime) -> None:
    """Note that a message was taken."""
    values = {"attempts": one.attempts + 1, "delivered_at": at, "next_try_at": None, "error": None}
    connection.execute(_delivery(one).values(**values))


def failed(connection: Connection, one: SelftestDelivery, error: str, next_try_at: datetime) -> None:
    """Note why a message was not taken, and when it is sent again."""
    done = _delivery(one).where(selftest_deliveries.c.next_try_at.is_not(None))
    connection.execute(done.values(attempts=one.attempts + 1, error=error, next_try_at=next_try_at))


def finish(
    connection: Connection, selftest_id: int, *, at: datetime, passed: bool, seconds: float | None, problem: str | None
) -> None:
    """Note how a self-test ended; nothing more of it is sent."""
    done = update(selftests).where(selftests.c.id == selftest_id, selftests.c.finished_at.is_(None))
    connection.execute(done.values(finished_at=at, passed=passed, seconds=seconds, problem=problem))
    rest = update(selftest_deliveries).where(selftest_deliveries.c.selftest_id == selftest_id)
    connection.execute(rest.values(next_try_at=None))


def left(connection: Connection, before: datetime) -> list[SelftestCrop]:
    """The crops of self-tests that ended, or had to end before then, whose files may still be there."""
    query = (
        select(*columns_of(selftest_crops, SelftestCrop))
        .join(selftests, selftests.c.id == selftest_crops.c.selftest_id)
        .where(selftest_crops.c.removed_at.is_(None))
        .where(selftests.c.finished_at.is_not(None) | (selftests.c.ends_at < before))
    )
    return select_rows(connection, SelftestCrop, query)


def _at(paths: Collection[str]) -> Any:
    return among(selftest_crops.c.path, paths)


def _delivery(one: SelftestDelivery) -> Any:
    return update(selftest_deliveries).where(
        selftest_deliveries.c.selftest_id == one.selftest_id, selftest_deliveries.c.sink == one.sink
    )
