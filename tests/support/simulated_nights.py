"""Ten nights over the test crops of a labelled folder: ``python -m tests.support.simulated_nights DIR``.

Each order deals the groups of near-duplicates in DIR/test out over ten days, at random. The same day's crops come to
plants whose people label every alarm, seven of ten missed proliv, and one in a hundred of the other crops as drawn at
random; what a plant does of a night is its habit:

- fixed: nothing; the threshold is the one that `monitor calibrate` chose from DIR/train and DIR/proliv.
- recalibrated: the threshold is chosen anew, under the guard, as every night by default.
- learning: the model is trained again from labels, checked, and tried in the shadow for a day. Then it decides.

Models, store, labels, guard, training, checks and shadow are the program's own with their default settings, except that
a trial takes a day, not seven, so that ten nights show something.

``--halves`` instead lets one half of the groups come to a plant where patchstats decides, trains contrast once from the
labels of that, whatever the checks say, and counts on the other half, of which nothing is labelled.

The crops of DIR/test are measured on and nothing else; nothing is chosen by what this prints.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from monitor.configuration.resolved import Configuration
from monitor.configuration.settings import Settings
from monitor.crops.dataset import open_dataset, require
from monitor.crops.in_memory import read_all
from monitor.crops.reader import Reader
from monitor.labels.audits import draw_audit
from monitor.learning.outcome import Request
from monitor.learning.retraining import Retraining
from monitor.models import hold_out
from monitor.models.loader import ModelLoader
from monitor.models.training import split, train
from monitor.registry import Registry
from monitor.store import models, retrainings
from monitor.store.database.engine import Database
from monitor.thresholds.calibration import calibrate, recalibrate
from monitor.thresholds.change import ChangeRequest
from monitor.thresholds.references import references_for
from monitor.thresholds.rules import Rules
from monitor.words import Label
from tests.support.decided_crops import Arrival, Asked, store_decided
from tests.support.made_up import store_label
from tests.support.stores import upgrade

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from monitor.crops.in_memory import ReadCrops
    from monitor.store.models import ModelRow

Habit = Literal["fixed", "recalibrated", "learning"]
Rows = Any

NIGHTS: Final = 10
PLANTS: Final[tuple[tuple[str, Habit], ...]] = (
    ("patchstats", "fixed"), ("patchstats", "recalibrated"),
    ("contrast", "fixed"), ("contrast", "recalibrated"), ("contrast", "learning"),
)  # fmt: skip
START: Final = datetime(2025, 1, 6, 8, tzinfo=UTC)
NOTICED: Final = 0.7
AUDITED: Final = 0.01
# A group comes within minutes and the next one later than `calibration.event_gap_seconds`: each is an incident.
WITHIN_GROUP, BETWEEN_GROUPS = timedelta(seconds=2), timedelta(minutes=20)
TRIAL_DAYS: Final = 0.5


@dataclass(frozen=True)
class MeasuredCrops:
    """The N labelled crops: where they lie, what they show, and the group of near-duplicates of each."""

    crops: ReadCrops
    paths: Sequence[Path]
    proliv: NDArray[np.bool_]
    groups: NDArray[np.intp]

    @classmethod
    def read(cls, data: Path) -> MeasuredCrops:
        """Read DIR/test; each file counts, as on the line, also where two have the same content."""
        dataset = open_dataset(data)
        require(dataset, "train", "proliv", "test")
        labels = {one.path: one.label is Label.PROLIV for one in dataset.test}
        crops = read_all(Reader(Configuration(settings=Settings(), file=None)), list(labels))
        refused = {path for path, _ in crops.refused}
        paths = [path for path in labels if path not in refused]
        proliv = np.array([labels[path] for path in paths])
        groups = hold_out.near_duplicates(hold_out.thumbnails(crops.pixels), largest=len(paths))
        return cls(crops, paths, proliv, groups)

    def dealt(self, order: int, parts: int) -> list[NDArray[np.intp]]:
        """The rows of each part: in a random order, every group goes whole into the part with the fewest crops."""
        groups = [np.flatnonzero(self.groups == group) for group in range(int(self.groups.max()) + 1)]
        found: list[list[int]] = [[] for _ in range(parts)]
        for group in np.random.default_rng([order, 17]).permutation(len(groups)).tolist():
            min(found, key=len).extend(groups[group].tolist())
        return [np.array(part) for part in found]


class Program:
    """A state folder, and the program over it."""

    def __init__(self, state: Path) -> None:
        learning = {"shadow_days": TRIAL_DAYS}
        settings = Settings.model_validate(
            {"paths": {"state": str(state)}, "pipeline": {"device": "cpu", "workers": 1}, "learning": learning}
        )
        self.registry, self.configuration = Registry.load(), Configuration(settings=settings, file=None)
        self.database = Database(self.configuration.database_url, busy_seconds=30)
        upgrade(self.database)

    def install(self, data: Path) -> None:
        """Train patchstats and contrast, choose their thresholds, and activate both, as by hand with seed 0."""
        reader, dataset = Reader(self.configuration), open_dataset(data)
        share = self.configuration.settings.training.validation_share
        parts = split(read_all(reader, dataset.train), share=share, seed=0).with_proliv(
            read_all(reader, dataset.proliv)
        )
        for name in ("patchstats", "contrast"):
            train(
                *(self.registry.new_detector(name, self.configuration), parts), seed=0, progress=lambda _: None,
                database=self.database, models_folder=self.configuration.models,
            )  # fmt: skip
        with self.database.read() as connection:
            rows = models.all_models(connection)
        for row in rows:
            given = references_for(self.registry, self.configuration, row, dataset, reader)
            request = ChangeRequest(START - timedelta(days=1), "calibrate")
            calibrate(self.database, row, self.rules, given, request, data=data, activate=True)

    @property
    def rules(self) -> Rules:
        return Rules.of(self.registry, self.configuration)

    def active(self, detector: str) -> ModelRow:
        with self.database.read() as connection:
            return next(row for row in models.active_models(connection) if row.detector == detector)

    def on_trial(self) -> list[ModelRow]:
        with self.database.read() as connection:
            trials = {row.model_id for row in retrainings.shadows(connection)}
            return [row for row in models.all_models(connection) if row.id in trials]

    def scores(self, row: ModelRow, crops: ReadCrops) -> NDArray[np.float64]:
        """The model's scores of all crops, (N,)."""
        detector = ModelLoader(self.registry, self.configuration).load(row)
        scored = detector.score(detector.prepare_batch(crops.pixels, crops.holes))
        return scored.deciding.astype(np.float64)


@dataclass
class Plant:
    """One plant in one order; ``false_alarms`` and ``missed`` have a number for each day."""

    program: Program
    data: Path
    test: MeasuredCrops
    detector: str
    habit: Habit
    order: int
    false_alarms: list[int] = field(default_factory=list)
    missed: list[int] = field(default_factory=list)
    outcomes: list[str] = field(default_factory=list)
    next_id: int = 1
    known: dict[str, NDArray[np.float64]] = field(default_factory=dict)

    def asked(self, row: ModelRow, rows: NDArray[np.intp]) -> Asked:
        """What a model says of some of the crops."""
        if row.fingerprint not in self.known:
            self.known[row.fingerprint] = self.program.scores(row, self.test.crops)
        return Asked(row, self.known[row.fingerprint][rows])

    def day(self, number: int, rows: NDArray[np.intp], beside: Sequence[ModelRow]) -> datetime:
        """Decide on a day's crops and label some; returns the time of the night."""
        begin = START + timedelta(days=number)
        asked = [self.asked(row, rows) for row in (self.program.active(self.detector), *beside)]
        proliv, alarmed = self.test.proliv[rows], asked[0].alarmed
        self.false_alarms.append(int((alarmed & ~proliv).sum()))
        self.missed.append(int((~alarmed & proliv).sum()))
        arrived = list(self._arrivals(rows, begin))
        noticed = np.random.default_rng([self.order, number, 23]).random(len(rows)) < NOTICED
        labelled = alarmed | (proliv & noticed)
        evening = begin + timedelta(hours=18)
        truth = {
            crop.id: Label.PROLIV if shows else Label.NE_PROLIV for crop, shows in zip(arrived, proliv, strict=True)
        }
        with self.program.database.write() as connection:
            store_decided(connection, arrived, asked)
            for crop in np.array([crop.id for crop in arrived])[labelled].tolist():
                store_label(connection, crop, truth[crop].value, "shift leader", evening)
        drawn = draw_audit(self.program.database, max(round(AUDITED * len(rows)), 1), author=None, seed=number)
        with self.program.database.write() as connection:
            for one in drawn.crops if drawn else ():
                store_label(connection, one.id, truth[one.id].value, "shift leader", evening)
        return begin + timedelta(hours=19)

    def _arrivals(self, rows: NDArray[np.intp], begin: datetime) -> Iterator[Arrival]:
        at, group = begin, self.test.groups[rows[0]]
        for row in rows.tolist():
            at += WITHIN_GROUP if self.test.groups[row] == group else BETWEEN_GROUPS
            group = self.test.groups[row]
            crops = self.test.crops
            yield Arrival(self.next_id, self.test.paths[row], crops.digests[row], at, crops.identities[row])
            self.next_id += 1

    def night(self, now: datetime, *, last: bool) -> None:
        """Do what the plant does of a night; nothing is trained in the ``last`` ones, which nobody would see."""
        if self.habit == "recalibrated":
            name = self.program.active(self.detector).name
            changes = recalibrate(
                self.program.database, self.program.rules, ChangeRequest(now, "nightly"), names=[name]
            )
            self.outcomes += [change.refusal or change.result for change in changes]
        if self.habit == "learning":
            if self.program.on_trial():
                self.outcomes.append(self.learn(now))
            if not last:
                least = self.program.configuration.settings.learning.minimum_labels
                self.outcomes.append(self.learn(now + timedelta(minutes=30), least))

    def learn(self, now: datetime, least: int = 0) -> str:
        """End a trial, or train if there are as many new labels; returns what came of it."""
        request = Request(now, self.data, detector="contrast", least=least)
        program = self.program
        done = Retraining(program.database, program.registry, program.configuration, request, lambda _: None).run()
        return done.refusal or done.result


def live(plant: Plant) -> None:
    """Live through the ten days and nights of one order."""
    for number, rows in enumerate(plant.test.dealt(plant.order, NIGHTS), start=1):
        beside = plant.program.on_trial() if plant.habit == "learning" else []
        now = plant.day(number, rows, beside)
        # What is trained in the night after the eighth day decides on the tenth.
        plant.night(now, last=number > NIGHTS - 2)


def halves(plant: Plant) -> str:
    """False alarms and missed proliv of the half that is not labelled: patchstats, contrast before and after."""
    first, second = plant.test.dealt(plant.order, 2)
    former = plant.program.active("contrast")
    plant.outcomes.append(plant.learn(plant.day(1, first, [former])))
    with plant.program.database.read() as connection:
        newest = retrainings.newest(connection, "contrast")
        assert newest is not None
        after = next(row for row in models.all_models(connection) if row.id == newest.model_id)
    proliv = plant.test.proliv[second]
    found = [f"{(~proliv).sum()} normal crops and {proliv.sum()} proliv"]
    for name, row in {"patchstats": plant.program.active("patchstats"), "before": former, "after": after}.items():
        alarmed = plant.asked(row, second).alarmed
        found.append(f"{name} {(alarmed & ~proliv).sum()} / {(~alarmed & proliv).sum()}")
    return ", ".join(found)


def simulate(folder: Path, data: Path, orders: Sequence[int], *, by_halves: bool = False) -> Iterator[str]:
    """A line of what came of it for each order and plant, as soon as it is known."""
    test = MeasuredCrops.read(data)
    sizes, proliv = np.bincount(test.groups), int(test.proliv.sum())
    groups = f"{len(sizes)} groups of near-duplicates, the largest of {sizes.max()}"
    yield f"{len(test.paths)} crops, {proliv} of them proliv, in {groups}"
    base = Program(folder / "base")
    base.install(data)
    base.database.close()
    known: dict[str, NDArray[np.float64]] = {}
    for order in orders:
        for detector, habit in PLANTS[:1] if by_halves else PLANTS:
            state = folder / f"{order}-{detector}-{habit}"
            shutil.copytree(folder / "base", state)
            plant = Plant(Program(state), data, test, detector, habit, order, known=known)
            if by_halves:
                yield f"order {order}: {halves(plant)}: {' '.join(plant.outcomes)}"
            else:
                live(plant)
                total = f"{sum(plant.false_alarms)} / {sum(plant.missed)}"
                nights = " ".join(map("{}/{}".format, plant.false_alarms, plant.missed))
                yield f"order {order} {detector} {habit}: {total}: {nights}: {' '.join(plant.outcomes)}"
            plant.program.database.close()
            shutil.rmtree(state)


def main(arguments: Sequence[str]) -> None:
    """Read the command line and print the lines."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.simulated_nights")
    parser.add_argument("data", type=Path, metavar="DIR", help="a labelled folder with train/, proliv/ and test/")
    parser.add_argument("--orders", type=int, nargs="+", default=list(range(10)), help="which orders, by number")
    parser.add_argument("--halves", action="store_true", help="learn from one half, count on the other")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        for line in simulate(Path(temporary), options.data.absolute(), options.orders, by_halves=options.halves):
            print(line, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
