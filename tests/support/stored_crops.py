"""Crops, decisions and models as rows, and what a test reads back of them."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from monitor.store import calibrations, models
from monitor.store.database.engine import Database
from monitor.store.database.schema import crops
from monitor.store.decisions import CropRow, ScoreRow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.engine import Connection

    from monitor.store.models import ModelRow

NOW = datetime(2023, 3, 1, 5, 39, 27, 929000, tzinfo=UTC)
FINAL = ("verdict", "decision_score", "decision_threshold", "decided_by")


@contextmanager
def opened(url: str, busy_seconds: float = 30) -> Iterator[Database]:
    database = Database(url, busy_seconds=busy_seconds)
    try:
        yield database
    finally:
        database.close()


def crop(name: str, digest: str = "a", **changes: Any) -> CropRow:
    row = CropRow(
        path=f"/inbox/{name}",
        sha256=digest * 64,
        size_bytes=1234,
        mtime_ns=1_677_649_167_929_000_000,
        width=50,
        height=30,
        hole=10,
        camera="C",
        captured_at=NOW,
        seen_at=NOW,
        reason=None,
        error=None,
        verdict=None,
        decision_score=None,
        decision_threshold=None,
        decided_by=None,
        scores=(),
    )
    return row._replace(**changes)


def decided(name: str, digest: str, *decisions: ScoreRow, by: str = "primary") -> CropRow:
    """A crop with its models' decisions, of which the first is the final one."""
    first = decisions[0]
    final = {"verdict": first.verdict, "decision_score": first.score, "decision_threshold": first.threshold}
    unusual = first.verdict == "ne_proliv" and any(one.verdict == "proliv" for one in decisions)
    return crop(name, digest, **final, decided_by=by, unusual=unusual, scores=decisions)


def failed(row: CropRow, reason: str = "truncated") -> CropRow:
    return row._replace(reason=reason, error=f"it is {reason}", width=None, height=None, scores=())


def unreadable(name: str) -> CropRow:
    return failed(crop(name, ""), "unreadable")


def decision(model_id: int, calibration_id: int, *, mse: float = 0.001) -> ScoreRow:
    return ScoreRow(
        model_id=model_id,
        calibration_id=calibration_id,
        mse=mse,
        score=mse,
        threshold=0.002,
        verdict="proliv" if mse >= 0.002 else "ne_proliv",
        scored_at=NOW,
        latency_seconds=0.25,
    )


def add_model(connection: Connection, letter: str, detector: str = "ae") -> ModelRow:
    name = f"{detector}-{letter * 12}"
    models.add_model(
        connection, name=name, detector=detector, fingerprint=letter * 64, folder=name, settings={"код": [1, None]}
    )
    return models.find_model(connection, name)


def calibrate(connection: Connection, model: ModelRow, threshold: float = 0.002) -> ModelRow:
    calibrations.add(
        connection, model_id=model.id, rule="balanced", settings={}, threshold=threshold, evidence={"n": 3}, now=NOW
    )
    return models.find_model(connection, model.name)


def make_active(connection: Connection, letter: str, detector: str = "ae") -> ModelRow:
    models.activate_model(connection, calibrate(connection, add_model(connection, letter, detector)))
    return models.find_model(connection, f"{detector}-{letter * 12}")


def states(connection: Connection) -> list[tuple[str, str, str]]:
    query = select(crops.c.path, crops.c.sha256, crops.c.state).order_by(crops.c.id)
    return [(path, sha256[:1], state) for path, sha256, state in connection.execute(query)]


def unusual(connection: Connection) -> list[bool]:
    return list(connection.execute(select(crops.c.unusual).order_by(crops.c.id)).scalars())


def finals(connection: Connection) -> list[tuple[Any, ...]]:
    columns = (crops.c.verdict, crops.c.decision_score, crops.c.decision_threshold, crops.c.decided_by)
    return [tuple(row) for row in connection.execute(select(*columns).order_by(crops.c.id))]
