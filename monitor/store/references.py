"""The scores that a calibration was made of, and what was remembered of them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import case, delete, func, insert, select

from monitor.store.calibrations import newest_row
from monitor.store.database.schema import calibrations, reference_scores

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.engine import Connection
    from sqlalchemy.sql.elements import ColumnElement


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
    """Where the scores of references lie; ``lowest_positive`` is None where none is above 0."""

    lowest: float
    lowest_positive: float | None
    highest: float


class ReferenceRanges(NamedTuple):
    """Of a model's references the ranges of the deciding score and of the mse; None where there are none."""

    score: ReferenceRange | None
    mse: ReferenceRange | None


def references_given_at(connection: Connection, model_id: int) -> datetime | None:
    """When somebody last chose the model's threshold from labelled folders."""
    by_hand = newest_row(
        connection,
        calibrations.c.model_id == model_id,
        calibrations.c.origin == "calibrate",
        calibrations.c.state != "refused",
    )
    return None if by_hand is None else by_hand.created_at


def replace_references(connection: Connection, model_id: int, rows: Iterable[ReferenceRow]) -> None:
    """Keep the scores of the labelled crops that a threshold was chosen from, in place of those before."""
    connection.execute(delete(reference_scores).where(reference_scores.c.model_id == model_id))
    values = [{"model_id": model_id, **row._asdict()} for row in rows]
    if values:
        connection.execute(insert(reference_scores), values)


def references(connection: Connection, model_id: int) -> list[ReferenceRow]:
    """The scores that the model's threshold was first chosen from, in the order of their contents."""
    columns = [getattr(reference_scores.c, name) for name in ReferenceRow._fields]
    query = select(*columns).where(reference_scores.c.model_id == model_id).order_by(reference_scores.c.sha256)
    return [ReferenceRow._make(row) for row in connection.execute(query)]


def reference_ranges(connection: Connection, model_id: int) -> ReferenceRanges:
    """The ranges of the scores of the model's references."""
    return ReferenceRanges(
        *(_range(connection, model_id, reference_scores.c[name]) for name in ReferenceRanges._fields)
    )


def _range(connection: Connection, model_id: int, column: ColumnElement[Any]) -> ReferenceRange | None:
    positive = func.min(case((column > 0, column)))
    query = select(func.min(column), positive, func.max(column)).where(reference_scores.c.model_id == model_id)
    found = connection.execute(query).one()
    return None if found[0] is None else ReferenceRange._make(found)


def calibrated_by_hand_at(connection: Connection, model_id: int) -> datetime | None:
    """When the model was last calibrated by `monitor calibrate`; None where it never was."""
    query = select(func.max(calibrations.c.created_at)).where(
        calibrations.c.model_id == model_id, calibrations.c.origin == "calibrate", calibrations.c.state != "refused"
    )
    moment = connection.execute(query).scalar()
    assert moment is None or isinstance(moment, datetime)
    return moment


class LabelledScore(NamedTuple):
    """A model's deciding score of a crop whose label is known."""

    label: str
    score: float


def labelled_references(connection: Connection) -> dict[int, list[LabelledScore]]:
    """The scores that `monitor calibrate --data` left, by the model's id, in the order of the crops' digests."""
    query = select(reference_scores.c.model_id, reference_scores.c.label, reference_scores.c.score).order_by(
        reference_scores.c.model_id, reference_scores.c.sha256
    )
    found: dict[int, list[LabelledScore]] = {}
    for model_id, label, score in connection.execute(query):
        found.setdefault(model_id, []).append(LabelledScore(label, score))
    return found
