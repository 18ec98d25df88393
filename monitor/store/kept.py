"""Crops whose content is kept in the store, or has to be: which are due, what is kept of them, and why some are not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import bindparam, delete, exists, func, literal_column, or_, select, update

from monitor.files.chunks import chunks
from monitor.store.database.rows import VALUES_AT_ONCE, select_rows
from monitor.store.database.schema import crops, kept_contents, kept_crops
from monitor.store.database.upsert import insert_unless_there, upsert

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from sqlalchemy.engine import Connection
    from sqlalchemy.sql.elements import ColumnElement


class Owed(NamedTuple):
    """A crop whose content has yet to be kept; ``since``: when that became due."""

    crop_id: int
    path: str
    sha256: str
    size_bytes: int
    source: str
    since: datetime


class Kept(NamedTuple):
    """Whether the content of a crop is kept: `evidence_tables.kept_crops` has the states."""

    crop_id: int
    state: str
    sha256: str | None
    problem: str | None


def owe(connection: Connection, crop_ids: Iterable[int], now: datetime | None = None) -> None:
    """Note that the content of these crops has to be kept; one that never could be read has none.

    What is kept stays so; a crop whose file was gone is looked for again.
    """
    now = now or datetime.now(UTC)
    insert = upsert(connection.dialect.name, kept_crops)
    insert = insert.on_conflict_do_update(
        index_elements=["crop_id"],
        set_={"state": "due", "since": insert.excluded.since, "tried_at": None, "problem": None},
        where=or_(kept_crops.c.state == "gone", kept_crops.c.state == "too_large"),
    )
    for chunk in chunks(sorted(set(crop_ids)), VALUES_AT_ONCE):
        read = select(crops.c.id).where(crops.c.id.in_(chunk), crops.c.sha256 != "")
        rows = [{"crop_id": crop_id, "state": "due", "since": now} for crop_id in connection.execute(read).scalars()]
        if rows:
            connection.execute(insert, rows)


def owed(connection: Connection, now: datetime, most: int, *, again: timedelta = timedelta(0)) -> list[Owed]:
    """The first ``most`` crops whose content is due and was not looked for in vain in the time ``again`` before now.

    A clock that was put back keeps none from being looked for.
    """
    tried = kept_crops.c.tried_at
    query = (
        select(
            *(crops.c.id, crops.c.path, crops.c.sha256, crops.c.size_bytes, crops.c.source),
            kept_crops.c.since,
        )
        .join(kept_crops, kept_crops.c.crop_id == crops.c.id)
        .where(_is_due(), or_(tried.is_(None), tried < now - again, tried > now))
        .order_by(kept_crops.c.crop_id)
        .limit(most)
    )
    return select_rows(connection, Owed, query)


def due(connection: Connection) -> tuple[int, datetime | None]:
    """How many crops' content is due, and since when at the longest."""
    found, since = connection.execute(select(func.count(), func.min(kept_crops.c.since)).where(_is_due())).one()
    return found, since


def still_owed(connection: Connection, crop_ids: Collection[int]) -> set[int]:
    """Those of these crops whose files must stay, because their content is due."""
    found: set[int] = set()
    for chunk in chunks(sorted(crop_ids), VALUES_AT_ONCE):
        query = select(kept_crops.c.crop_id).where(_is_due(), kept_crops.c.crop_id.in_(chunk))
        found |= set(connection.execute(query).scalars())
    return found


def keep(connection: Connection, found: Mapping[int, tuple[str, bytes]]) -> None:
    """Keep contents, given by crop id as (sha256, bytes)."""
    if not found:
        return
    contents = [{"sha256": sha256, "content": content} for sha256, content in dict(found.values()).items()]
    connection.execute(insert_unless_there(connection, kept_contents), contents)
    done = update(kept_crops).where(kept_crops.c.crop_id == bindparam("this"), kept_crops.c.state != "kept")
    values = [{"this": crop_id, "its_sha256": sha256} for crop_id, (sha256, _) in found.items()]
    connection.execute(done.values(state="kept", sha256=bindparam("its_sha256"), tried_at=None, problem=None), values)


def put_off(connection: Connection, problems: Mapping[int, str], now: datetime) -> None:
    """Note why the content of crops, by id, cannot be kept yet; it stays due."""
    _note(connection, [{"this": crop_id, "why": why} for crop_id, why in problems.items()], "due", now)


def give_up(connection: Connection, problems: Mapping[int, str], state: str, now: datetime) -> None:
    """Note why the content of crops, by id, cannot be kept; ``state``: "gone" or "too_large"."""
    _note(connection, [{"this": crop_id, "why": why} for crop_id, why in problems.items()], state, now)


def _note(connection: Connection, values: list[dict[str, object]], state: str, now: datetime) -> None:
    if values:
        done = update(kept_crops).where(kept_crops.c.crop_id == bindparam("this"), kept_crops.c.state == "due")
        connection.execute(done.values(state=state, tried_at=now, problem=bindparam("why")), values)


def kept_of(connection: Connection, crop_ids: Collection[int]) -> dict[int, Kept]:
    """What is known of the content of these crops, by id."""
    columns = (kept_crops.c.crop_id, kept_crops.c.state, kept_crops.c.sha256, kept_crops.c.problem)
    found: dict[int, Kept] = {}
    for chunk in chunks(sorted(crop_ids), VALUES_AT_ONCE):
        rows = select_rows(connection, Kept, select(*columns).where(kept_crops.c.crop_id.in_(chunk)))
        found.update({row.crop_id: row for row in rows})
    return found


def content(connection: Connection, sha256: str) -> bytes | None:
    """A kept content; None if it is not kept."""
    query = select(kept_contents.c.content).where(kept_contents.c.sha256 == sha256)
    found = connection.execute(query).scalar()
    return None if found is None else bytes(found)


def contents_after(connection: Connection, sha256: str, most: int) -> list[tuple[str, bytes]]:
    """The first ``most`` kept contents with digests above this one, with these digests, in their order."""
    columns = (kept_contents.c.sha256, kept_contents.c.content)
    query = select(*columns).where(kept_contents.c.sha256 > sha256).order_by(kept_contents.c.sha256).limit(most)
    return [(digest, bytes(found)) for digest, found in connection.execute(query)]


def unused(connection: Connection) -> list[str]:
    """The digests of the kept contents that no crop has."""
    has_it = exists().where(kept_crops.c.sha256 == kept_contents.c.sha256)
    return list(connection.execute(select(kept_contents.c.sha256).where(~has_it)).scalars())


def owed_since(connection: Connection, before: datetime) -> list[tuple[str, str | None]]:
    """(path, problem) of the crops whose content is due since before then."""
    query = select(crops.c.path, kept_crops.c.problem).join(kept_crops, kept_crops.c.crop_id == crops.c.id)
    rows = connection.execute(query.where(_is_due(), kept_crops.c.since < before).order_by(crops.c.id))
    return [(path, problem) for path, problem in rows]


def forget(connection: Connection, crop_ids: Collection[int]) -> None:
    """Forget what is kept of these crops, with every content that no other crop has."""
    of_these = kept_crops.c.crop_id.in_(sorted(crop_ids))
    contents = set(connection.execute(select(kept_crops.c.sha256).where(of_these)).scalars()) - {None}
    connection.execute(delete(kept_crops).where(of_these))
    for chunk in chunks(sorted(contents), VALUES_AT_ONCE):
        has_it = exists().where(kept_crops.c.sha256 == kept_contents.c.sha256)
        connection.execute(delete(kept_contents).where(kept_contents.c.sha256.in_(chunk), ~has_it))


def _is_due() -> ColumnElement[bool]:
    # Written out: SQLite uses the index on what is due only for the words of its own condition.
    return kept_crops.c.state == literal_column("'due'")
