"""What is looked at when the store is checked: rows that point nowhere, and where files ought to lie."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from sqlalchemy import exists, func, select, true

from monitor.store.database.schema import calibrations, crops, metadata, models, scores

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from sqlalchemy.engine import Connection

ROWS: Final = 1000


class FileRow(NamedTuple):
    """Where the file of a decided crop ought to lie; ``pruned``: an alarm whose scores and file were deleted."""

    id: int
    path: str
    archived_path: str | None
    size_bytes: int
    mtime_ns: int
    source: str
    pruned: bool


def orphans(connection: Connection) -> dict[str, int]:
    """How many rows point at rows that are not there, by "table.column"; a server keeps watch itself."""
    found: dict[str, int] = {}
    for table in metadata.sorted_tables:
        for column in table.columns:
            for key in column.foreign_keys:
                query = select(func.count()).where(
                    column.is_not(None), ~exists().where(key.column == column).correlate(table)
                )
                count = connection.execute(query.select_from(table)).scalar_one()
                if count:
                    found[f"{table.name}.{column.name}"] = count
    return found


def scored_without_scores(connection: Connection) -> list[str]:
    """The paths of scored crops without any model's score, but for alarms, which keep their row alone."""
    query = select(crops.c.path).where(
        crops.c.state == "scored",
        func.coalesce(crops.c.verdict, "") != "proliv",
        ~exists().where(scores.c.crop_id == crops.c.id),
    )
    return list(connection.execute(query.order_by(crops.c.id)).scalars())


def active_without_threshold(connection: Connection) -> list[str]:
    """The names of active models without an active calibration, which can decide nothing."""
    query = select(models.c.name).where(
        models.c.active,
        ~exists().where(calibrations.c.model_id == models.c.id, calibrations.c.state == "active"),
    )
    return list(connection.execute(query.order_by(models.c.id)).scalars())


def file_rows(connection: Connection, ids: Collection[int] | None = None) -> Iterator[FileRow]:
    """Every decided crop, a row at a time, or those of these."""
    query = select(
        *(crops.c.id, crops.c.path, crops.c.archived_path, crops.c.size_bytes, crops.c.mtime_ns, crops.c.source),
        (~exists().where(scores.c.crop_id == crops.c.id)).label("pruned"),
    ).where(crops.c.state == "scored", true() if ids is None else crops.c.id.in_(sorted(ids)))
    for row in connection.execute(query.order_by(crops.c.id), execution_options={"yield_per": ROWS}):
        yield FileRow._make(row)
