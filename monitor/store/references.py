"""Reference scores: the scores of the labelled crops that `monitor calibrate --data` chose a threshold from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import case, delete, func, insert, select

from monitor.store.calibrations import newest_row
from monitor.store.database.rows import columns_of, select_rows
from monitor.store.database.schema import calibrations, reference_scores

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from sqlalchemy.engine import Connection
    from sqlalchemy.sql.elements import ColumnElement

    from monitor.store.calibrations import CalibrationRow


class ReferenceRow(NamedTuple):
    """A labelled crop that `monitor calibrate --data` was given, with a model's deciding score.

    ``mse`` is None where it was given to an older program.
    """

    sha256: str
    label: str
    score: float
    camera: str | None
    captured_at: datetime | None
    mse: float | None = None


class ReferenceRange(NamedTuple):
    """The range of a model's reference scores; ``lowest_positive`` is None where none is above 0."""

    lowest: float
    lowest_positive: float | None
    highest: float


class ReferenceRanges(NamedTuple):
    """The ranges of the deciding score and of the mse over a model's references; None where there are none."""

    score: ReferenceRange | None
    mse: ReferenceRange | None


def calibrated_by_hand_at(connection: Connection, model_id: int) -> datetime | None:
    """When a person last chose the model's threshold from labelled folders; None if that never happened.

    The calibration that was stored last counts, not the one with the latest time: after a clock that ran ahead was
    corrected, the latest time belongs to an older calibration and lies ahead of everything that has happened since.
    """
    row = _calibrated_by_hand(connection, model_id)
    return None if row is None else row.created_at


def calibrated_on(connection: Connection, model_id: int) -> str | None:
    """The labelled folder, as text, that a person last chose the model's threshold from; None if there was none."""
    row = _calibrated_by_hand(connection, model_id)
    data = None if row is None else row.evidence.get("data")
    return data if isinstance(data, str) else None


def _calibrated_by_hand(connection: Connection, model_id: int) -> CalibrationRow | None:
    return newest_row(
        connection,
        calibrations.c.model_id == model_id,
        calibrations.c.origin == "calibrate",
        calibrations.c.state != "refused",
    )


def replace_references(connection: Connection, model_id: int, rows: Iterable[ReferenceRow]) -> None:
    """Store the references that a threshold was chosen from in place of the model's earlier ones."""
    connection.execute(delete(reference_scores).where(reference_scores.c.model_id == model_id))
    values = [{"model_id": model_id, **row._asdict()} for row in rows]
    if values:
        connection.execute(insert(reference_scores), values)


def references_of(connection: Connection, model_id: int) -> list[ReferenceRow]:
    """The model's references, in the order of their digests."""
    query = select(*columns_of(reference_scores, ReferenceRow)).where(reference_scores.c.model_id == model_id)
    return select_rows(connection, ReferenceRow, query.order_by(reference_scores.c.sha256))


def reference_ranges(connection: Connection, model_id: int) -> ReferenceRanges:
    """The ranges of the scores of the model's references."""
    return ReferenceRanges(
        *(_range(connection, model_id, reference_scores.c[name]) for name in ReferenceRanges._fields)
    )


def _range(connection: Connection, model_id: int, column: ColumnElement[Any]) -> ReferenceRange | None:
    positive = func.min(case((column > 0, column)))
    query = select(func.min(column), positive, func.max(column)).where(reference_scores.c.model_id == model_id)
    lowest, lowest_positive, highest = connection.execute(query).one()
    return None if lowest is None else ReferenceRange(lowest, lowest_positive, highest)
