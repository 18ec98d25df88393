"""A made-up shift on a line: crops, casts and pauses at random, of which the real code makes alarms."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any

from monitor.alarms import casting, pauses
from monitor.alarms.acknowledgement import end_quiet
from monitor.alarms.belated import tell_belated
from monitor.alarms.cast_context import CurrentCast
from monitor.alarms.cast_file import CastFile
from monitor.configuration.settings import Alarms
from monitor.store import casts
from monitor.store import pauses as stored_pauses
from tests.support.alarm_line import Line
from tests.support.stored_crops import NOW, add_model, calibrate

if TYPE_CHECKING:
    from datetime import datetime

    import numpy as np

    from monitor.store.database.engine import Database
    from monitor.store.decisions import CropRow

HOLES = 6
# Long before anything in a shift can be told or closed by itself any more.
QUIET_SECONDS = 60


def made_up_settings(generator: np.random.Generator) -> Alarms:
    """Rules of alarms; the longest time for k proliv is longer than the pause that ends an event."""

    def rule() -> dict[str, Any]:
        k = int(generator.integers(1, 4))
        return {"k": k, "n": k + int(generator.integers(0, 4)), "within_seconds": float(generator.choice([3, 10, 30]))}

    return Alarms.model_validate(
        {
            **rule(),
            "pause_seconds": 20,
            "ends": str(generator.choice(["acknowledgement", "quiet"])),
            "table_share": 0.4,
            "unusual": True,
            "cast": {"maximum_age_seconds": 60},
            "phases": {"start": rule(), "end": rule()},
        }
    )


class Shift:
    """Lets the line decide second by second, and the daemon's keeper look after the alarms."""

    def __init__(self, database: Database, settings: Alarms, generator: np.random.Generator) -> None:
        self.line = Line(database, settings)
        self.line.raising._cast = self._cast = CurrentCast(settings, followed=lambda: True)
        self._settings, self._generator = settings, generator
        with database.write() as connection:
            other = calibrate(connection, add_model(connection, "b", "vae"), threshold=3.0)
        self._doubter = self.line.proliv._replace(
            model_id=other.id, calibration_id=other.calibration_id or 0, score=5.0, threshold=3.0
        )
        # How likely a crop of each hole is proliv, or else unusual.
        self._proliv = [0.03] * HOLES

    def work(self, seconds: int) -> None:
        """Go through the shift, and wait until all is quiet."""
        self.line.decide(*(self._crop(0, hole, 1.0) for hole in range(HOLES)))
        for second in range(1, seconds + QUIET_SECONDS):
            # So often that nothing happens between a change and the keeper's next look at it.
            self._look(NOW + timedelta(seconds=second, milliseconds=-10))
            self.line.now = NOW + timedelta(seconds=second)
            if second < seconds:
                self._change(second)
                holes = sorted(self._generator.choice(HOLES, int(self._generator.integers(0, HOLES)), replace=False))
                rows = [self._crop(second + place / 100, int(hole)) for place, hole in enumerate(holes)]
                if self._generator.random() < 0.1:
                    rows.append(self._crop(second + 0.5, None))
                if rows:
                    self.line.decide(*rows)
            self._look(self.line.now)

    def _look(self, now: datetime) -> None:
        tell_belated(self.line.database, self._settings, now, self._cast)
        end_quiet(self.line.database, self._settings, now)

    def _crop(self, seconds: float, hole: int | None, chance: float | None = None) -> CropRow:
        """A crop of a hole, or of a file of which there are two; ``chance``: from 0 to 1, at random by default."""
        chance = self._generator.random() if chance is None else chance
        limit = 0.3 if hole is None else self._proliv[hole]
        row = self.line.crop(seconds - 0.8, hole, proliv=chance < limit)
        if hole is None:
            row = row._replace(path=f"/inbox/file {self._generator.integers(2)}.jpg")
        if limit <= chance < limit + 0.04:
            row = row._replace(unusual=True, scores=(*row.scores, self._doubter))
        return row._replace(scores=tuple(one._replace(scored_at=self.line.now) for one in row.scores))

    def _change(self, second: int) -> None:
        """Let a bleed-out begin or end, or a person do something."""
        happens = int(self._generator.integers(0, 60))
        if second % 15 == 0:
            self._proliv = [float(self._generator.choice([0.03, 0.03, 0.8])) for _ in range(HOLES)]
        if happens < 4:
            self._say_of_cast(happens)
        elif happens < 6:
            hole = None if happens == 4 else int(self._generator.integers(0, HOLES))
            self._pause(hole, int(self._generator.integers(3, 40)))
        elif happens == 6:
            self._end_pause()

    def _say_of_cast(self, how: int) -> None:
        database, now = self.line.database, self.line.now
        phase = str(self._generator.choice(["idle", "start", "steady", "end"]))
        number = str(self._generator.integers(3))
        with database.read() as connection:
            running = casts.running(connection)
        if how == 0:
            with database.write() as connection:
                casting.follow(connection, CastFile(number, None, phase, now), now)  # type: ignore[arg-type]
        elif running is None or (how == 1 and running.number != number):
            casting.start(database, number, None, phase, by="anna", at=now)  # type: ignore[arg-type] # one of the phases
        elif how == 2:
            casting.end(database, by="anna", at=now)
        else:
            casting.change_phase(database, phase, by="anna", at=now)  # type: ignore[arg-type] # one of the phases

    def _pause(self, hole: int | None, seconds: int) -> None:
        begins, ends = self.line.now, self.line.now + timedelta(seconds=seconds)
        with self.line.database.write() as connection:
            stored_pauses.add(
                *(connection,), camera="C", hole=hole, begins_at=begins, ends_at=ends, reason="work", author="anna"
            )

    def _end_pause(self) -> None:
        with self.line.database.read() as connection:
            running = stored_pauses.running(connection, self.line.now)
        if running:
            pauses.end(self.line.database, running[0].id, by="ben", at=self.line.now, zone=UTC)
