"""A database into which crops are decided as the daemon does, with the alarms that come of it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from monitor.alarms.raising import Raising
from monitor.configuration.settings import Alarms
from monitor.store import alarms, decisions
from monitor.store.database.schema import alarm_crops
from tests.support.stored_crops import NOW, decided, decision, make_active

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.store.alarms import AlarmRow
    from monitor.store.database.engine import Database
    from monitor.store.decisions import CropRow, Raised

SETTINGS = Alarms()


class Line:
    """A database into which crops are decided, and its alarms."""

    def __init__(self, database: Database, settings: Alarms = SETTINGS) -> None:
        self.database = database
        self.now = NOW
        self.raising = Raising(settings, lambda: self.now)
        self.settings = settings
        self._number = 0
        with database.write() as connection:
            model = make_active(connection, "a")
            assert model.calibration_id is not None
            self.decision = decision(model.id, model.calibration_id)
            self.ordinary, self.proliv = (self.decision, self.decision._replace(score=0.01, verdict="proliv"))

    def crop(self, seconds: float, hole: int | None = 10, *, proliv: bool = True, **changes: Any) -> CropRow:
        self._number += 1
        at = NOW + timedelta(seconds=seconds)
        row = decided(f"{self._number}.jpg", "a", self.proliv if proliv else self.ordinary)
        digest = f"{self._number:064x}"
        return row._replace(sha256=digest, hole=hole, captured_at=at, seen_at=at, **changes)

    def decide(self, *rows: CropRow) -> Sequence[Raised]:
        with self.database.write() as connection:
            return self.raising(connection, rows, decisions.record(connection, rows))

    def alarms(self) -> list[AlarmRow]:
        with self.database.read() as connection:
            return alarms.listed(connection, closed=True, most=None)[::-1]

    def members(self) -> list[tuple[int, int | None]]:
        with self.database.read() as connection:
            query = select(alarm_crops.c.crop_id, alarm_crops.c.alarm_id).order_by(alarm_crops.c.crop_id)
            return [(crop, alarm) for crop, alarm in connection.execute(query)]
