"""Finds rows that contradict each other, and lists where the files of decided crops should lie."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import and_, exists, func, not_, or_, select

from monitor.store.conditions import is_alarm_else_false
from monitor.store.database.rows import select_rows
from monitor.store.database.schema import alarm_crops, calibrations, crops, metadata, models, scores

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import Select
    from sqlalchemy.engine import Connection
    from sqlalchemy.sql.elements import ColumnElement


class FileRow(NamedTuple):
    """Where the file of a decided crop should lie; ``pruned``: retention has deleted its scores and its file."""

    id: int
    path: str
    archived_path: str | None
    size_bytes: int
    mtime_ns: int
    source: str
    pruned: bool


def orphans(connection: Connection) -> dict[str, int]:
    """How many rows refer to rows that do not exist, by "table.column"; a server never has any."""
    found: dict[str, int] = {}
    for table in metadata.sorted_tables:
        for column in table.columns:
            for key in column.foreign_keys:
                # By another name: a table may refer to itself.
                there = key.column.table.alias("there")
                query = select(func.count()).where(
                    column.is_not(None), ~exists().where(there.c[key.column.name] == column).correlate(table)
                )
                count = connection.execute(query.select_from(table)).scalar_one()
                if count:
                    found[f"{table.name}.{column.name}"] = count
    return found


def scored_without_scores(connection: Connection) -> list[str]:
    """The paths of scored crops without any model's score, except those of which retention leaves only the row.

    Those are proliv, and the crops of alarms.
    """
    of_alarm = exists().where(alarm_crops.c.crop_id == crops.c.id, alarm_crops.c.alarm_id.is_not(None))
    return _paths(
        connection,
        *(crops.c.state == "scored", not_(or_(is_alarm_else_false(), of_alarm))),
        ~exists().where(scores.c.crop_id == crops.c.id),
    )


def scored_without_verdict(connection: Connection) -> list[str]:
    """The paths of scored crops without a final verdict."""
    return _paths(connection, crops.c.state == "scored", crops.c.verdict.is_(None))


def wrongly_unusual(connection: Connection) -> list[str]:
    """The paths of crops marked unusual whose verdict is not ne_proliv, or of whose stored scores none is proliv."""
    stored = exists().where(scores.c.crop_id == crops.c.id)
    return _paths(
        connection,
        crops.c.unusual,
        or_(
            func.coalesce(crops.c.verdict, "") != "ne_proliv",
            and_(stored, ~exists().where(scores.c.crop_id == crops.c.id, scores.c.verdict == "proliv")),
        ),
    )


def failed_without_reason(connection: Connection) -> list[str]:
    """The paths of failed crops without a reason; a constraint refuses such rows since schema 0006."""
    return _paths(connection, crops.c.state == "failed", crops.c.reason.is_(None))


def active_without_threshold(connection: Connection) -> list[str]:
    """The names of active models without an active calibration, which can decide nothing."""
    query = select(models.c.name).where(
        models.c.active,
        ~exists().where(calibrations.c.model_id == models.c.id, calibrations.c.state == "active"),
    )
    return list(connection.execute(query.order_by(models.c.id)).scalars())


def file_rows(connection: Connection, *, after: int, most: int) -> list[FileRow]:
    """The first ``most`` decided crops with ids above ``after``, in the order of their ids."""
    return select_rows(connection, FileRow, _file_rows().where(crops.c.id > after).limit(most))


def file_rows_of(connection: Connection, ids: Collection[int]) -> list[FileRow]:
    """The decided crops with these ids, in the order of their ids."""
    return select_rows(connection, FileRow, _file_rows().where(crops.c.id.in_(sorted(ids))))


def _file_rows() -> Select[Any]:
    query = select(
        *(crops.c.id, crops.c.path, crops.c.archived_path, crops.c.size_bytes, crops.c.mtime_ns, crops.c.source),
        (~exists().where(scores.c.crop_id == crops.c.id)).label("pruned"),
    )
    return query.where(crops.c.state == "scored").order_by(crops.c.id)


def _paths(connection: Connection, *conditions: ColumnElement[bool]) -> list[str]:
    return list(connection.execute(select(crops.c.path).where(*conditions).order_by(crops.c.id)).scalars())
