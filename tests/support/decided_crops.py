"""Puts crops into a store with what models decided on them, without the files going through the program."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import insert

from monitor.store.database import schema
from monitor.words import Identity, Label

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray
    from sqlalchemy.engine import Connection

    from monitor.store.models import ModelRow


class Arrival(NamedTuple):
    """A crop that came into the inbox at a time."""

    id: int
    path: Path
    sha256: str
    seen_at: datetime
    identity: Identity


class Asked(NamedTuple):
    """A model with a threshold, and its scores of the crops, (N,)."""

    model: ModelRow
    scores: NDArray[np.float64]

    @property
    def alarmed(self) -> NDArray[np.bool_]:
        """Which crops it calls proliv, (N,)."""
        assert self.model.threshold is not None
        found: NDArray[np.bool_] = self.scores >= self.model.threshold
        return found


def store_decided(connection: Connection, crops: Sequence[Arrival], asked: Sequence[Asked]) -> None:
    """Store crops as the line's, with every model's decision; the first of the models decides alone."""
    first = asked[0]
    says = [[Label.PROLIV.value if alarmed else Label.NE_PROLIV.value for alarmed in one.alarmed] for one in asked]
    rows = [
        {
            "id": crop.id, "path": str(crop.path), "sha256": crop.sha256, "size_bytes": 1, "mtime_ns": 1,
            "hole": crop.identity.hole, "camera": crop.identity.camera, "captured_at": crop.identity.captured_at,
            "seen_at": crop.seen_at, "state": "scored", "verdict": says[0][place],
            "decision_score": float(first.scores[place]), "decision_threshold": first.model.threshold,
            "decided_by": "primary", "source": "inbox",
        }
        for place, crop in enumerate(crops)
    ]  # fmt: skip
    decisions = [
        {
            "crop_id": crop.id, "model_id": one.model.id, "calibration_id": one.model.calibration_id, "mse": 0.0,
            "score": float(one.scores[place]), "threshold": one.model.threshold, "verdict": says[which][place],
            "scored_at": crop.seen_at, "latency_seconds": 0.0,
        }
        for which, one in enumerate(asked)
        for place, crop in enumerate(crops)
    ]  # fmt: skip
    connection.execute(insert(schema.crops), rows)
    connection.execute(insert(schema.scores), decisions)
