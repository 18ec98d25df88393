"""The model whose threshold a person asks about, and the stored thresholds that they may name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.errors import DataError, NoModelError
from monitor.scoring.vote import deciding
from monitor.store.calibrations import active, find, shadow
from monitor.store.models import active_models, find_model

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.engine import Connection

    from monitor.store.models import ModelRow


def calibrated_model(connection: Connection, detectors: Sequence[str], name: str | None) -> ModelRow:
    """The model called ``name``, or the primary; ``detectors`` is decision.detectors of the configuration.

    Raises `NoModelError` when it has no threshold, or when no model is active.
    """
    if name is not None:
        row = find_model(connection, name)
        if row.threshold is None:
            raise NoModelError(f"{row.name} has no threshold yet: monitor calibrate --model {row.name} --data DIR")
        return row
    rows = deciding(active_models(connection), detectors)
    if not rows:
        raise NoModelError("no model is active; see: monitor models list")
    return rows[0]


def stored_threshold(connection: Connection, model: ModelRow, name: str) -> float | None:
    """The model's threshold called ``active``, ``shadow`` (in trial) or ``#12`` (a calibration); None for other names.

    Raises `DataError` when there is none of that name.
    """
    if name in ("active", "shadow"):
        row = (active if name == "active" else shadow)(connection, model.id)
        if row is None:
            raise DataError(f"{model.name} has no {name} threshold; see: monitor threshold list")
    elif name.startswith("#") and name[1:].isdecimal():
        row = find(connection, int(name[1:]))
        if row.model_id != model.id:
            raise DataError(f"calibration {name} is not one of {model.name}; see: monitor threshold list")
    else:
        return None
    if row.threshold is None:
        raise DataError(f"calibration #{row.id} chose no threshold: {row.reason}")
    return row.threshold
