"""A store with made-up scores: a model, crops with a score each, and the labels that people gave them."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select

from monitor.store import calibrations, models
from monitor.store.database import schema
from monitor.store.database.engine import Database
from monitor.store.references import ReferenceRow
from monitor.thresholds.calibration import calibrate
from monitor.thresholds.change import ChangeRequest
from monitor.thresholds.rules import Rules
from plugins.rules import NormalQuantile, QuantileMidpoint
from tests.support.stores import upgrade

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlalchemy.engine import Connection

    from monitor.api import ThresholdRule
    from monitor.configuration.settings import Calibration
    from monitor.store.calibrations import CalibrationRow
    from monitor.store.models import ModelRow
    from monitor.thresholds.change import Change

NOW = datetime(2026, 3, 2, 3, tzinfo=UTC)
_SOMEWHERE = Path("labelled-crops")


def midpoint(settings: Calibration, rule: ThresholdRule | None = None) -> Rules:
    """The default rules with these bounds, or with another rule."""
    return Rules(
        rule or QuantileMidpoint(QuantileMidpoint.Settings()), NormalQuantile(NormalQuantile.Settings()), settings
    )


class MadeUp:
    """A database with one model; crops and labels are put into it without the program."""

    def __init__(self, database: Database) -> None:
        self.database = database
        with database.write() as connection:
            models.add_model(
                connection, name="made-up-1", detector="made-up", fingerprint="f" * 64, folder="f", settings={}
            )
        self.next_id = 1

    @property
    def model(self) -> ModelRow:
        with self.database.read() as connection:
            (row,) = models.all_models(connection)
        return row

    def active(self) -> CalibrationRow:
        with self.database.read() as connection:
            row = calibrations.active(connection, self.model.id)
        assert row is not None
        return row

    def rows(self) -> list[CalibrationRow]:
        """Every calibration, the oldest first."""
        with self.database.read() as connection:
            return calibrations.history(connection)[::-1]

    def calibrate(
        self, rules: Rules, normal: Iterable[float], proliv: Iterable[float], at: datetime = NOW, **options: Any
    ) -> Change:
        """`monitor calibrate` with these scores of a labelled folder; every proliv is an incident of its own."""
        given = [ReferenceRow(f"n{index}", "ne_proliv", score, None, None) for index, score in enumerate(normal)]
        given += [
            ReferenceRow(f"p{index}", "proliv", score, f"C{index}", at - timedelta(days=9))
            for index, score in enumerate(proliv)
        ]
        by = ChangeRequest(at, "calibrate", **options)
        return calibrate(self.database, self.model, rules, given, by, data=_SOMEWHERE)

    def crop(self, score: float, *, at: datetime = NOW, threshold: float | None = None, **identity: Any) -> int:
        """A crop that was decided at that moment, by the active threshold unless another is given."""
        active = self.active()
        limit = active.threshold if threshold is None else threshold
        assert limit is not None
        number = self.next_id
        self.next_id += 1
        with self.database.write() as connection:
            store_crop(connection, active, number, score, limit, at, **identity)
        return number

    def label(self, crop: int, label: str, *, author: str = "ann", at: datetime = NOW, **options: Any) -> None:
        with self.database.write() as connection:
            store_label(connection, crop, label, author, at, **options)

    def draw(self, drawn: Iterable[int], eligible: int) -> None:
        """An audit that drew these crops."""
        with self.database.write() as connection:
            store_audit(connection, drawn, eligible, range(1, self.next_id), NOW)

    def refusals(self) -> list[str | None]:
        table = schema.calibrations
        with self.database.read() as connection:
            query = select(table.c.refusal).where(table.c.state == "refused").order_by(table.c.id)
            return list(connection.execute(query).scalars())


def store_model(connection: Connection, at: datetime, *, calibrated_at: datetime, fallback: bool = False) -> None:
    """The active model ae-1 with the id 1 and a threshold of 1 that was set by hand."""
    model = {"id": 1, "name": "ae-1", "detector": "ae", "fingerprint": "1" * 64, "folder": "ae-1", "settings": {}}
    connection.execute(insert(schema.models).values(**model, trained_at=at, activated_at=at, active=True))
    chosen = {"id": 1, "model_id": 1, "rule": "fixed", "settings": {}, "threshold": 1.0, "evidence": {}}
    row = {**chosen, "state": "active", "created_at": calibrated_at, "fallback": fallback}
    connection.execute(insert(schema.calibrations).values(**row))


def store_crop(
    connection: Connection,
    active: CalibrationRow,
    number: int,
    score: float,
    threshold: float,
    at: datetime,
    *,
    content: str | None = None,
    source: str = "inbox",
    camera: str | None = "C",
    hole: int | None = 7,
    unusual: bool = False,
) -> bool:
    """A crop with its decision; returns whether that is proliv."""
    verdict = "proliv" if score >= threshold else "ne_proliv"
    connection.execute(
        insert(schema.crops),
        {
            "id": number, "path": f"/inbox/{number}.jpg", "sha256": content or f"{number:064d}", "size_bytes": 1,
            "mtime_ns": 1, "hole": hole, "camera": camera, "captured_at": at, "seen_at": at, "state": "scored",
            "verdict": verdict, "decision_score": score, "decision_threshold": threshold, "decided_by": "primary",
            "source": source, "unusual": unusual,
        },
    )  # fmt: skip
    connection.execute(
        insert(schema.scores),
        {
            "crop_id": number, "model_id": active.model_id, "calibration_id": active.id, "mse": score, "score": score,
            "threshold": threshold, "verdict": verdict, "scored_at": at, "latency_seconds": 0.0,
        },
    )  # fmt: skip
    return verdict == "proliv"


def store_label(
    connection: Connection,
    crop: int,
    label: str,
    author: str,
    at: datetime,
    *,
    settles: bool = False,
    recorded_at: datetime | None = None,
) -> None:
    values = {"label": label, "source": "command", "author": author, "at": at, "settles": settles}
    values["recorded_at"] = recorded_at or at
    connection.execute(insert(schema.labels), {"crop_id": crop, **values})


def store_audit(connection: Connection, drawn: Iterable[int], eligible: int, span: range, at: datetime) -> None:
    values = {"drawn_at": at, "first_crop_id": span[0], "last_crop_id": span[-1], "eligible": eligible}
    audit = connection.execute(insert(schema.audits).returning(schema.audits.c.id), values).scalar_one()
    connection.execute(insert(schema.audit_crops), [{"audit_id": audit, "crop_id": crop} for crop in drawn])


@contextmanager
def made_up(place: Path | str) -> Iterator[MadeUp]:
    """A new store in a folder, or at a URL."""
    url = place if isinstance(place, str) else f"sqlite:///{place / 'monitor.db'}"
    database = Database(url, busy_seconds=5)
    try:
        upgrade(database)
        yield MadeUp(database)
    finally:
        database.close()
