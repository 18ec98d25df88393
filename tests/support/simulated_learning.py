"""A year of weeks in which people label crops: ``python -m tests.support.simulated_learning`` prints what came of it.

The crops are synthetic; the detector `contrast` with few made-up pictures, the store, the labels, the threshold and
the training from labels are real. Three plants see the same crops: one whose model and threshold stay as they were, one
that chooses its threshold anew every week, and one that learns from labels. Of each, people label every alarm and seven
of ten missed proliv, and 5 of 100 labels are wrong. From the twentieth week on there is proliv of a kind that
nobody has seen or drawn before, of which only the first three crops are ever labelled.
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from PIL import Image

from generators.crops.datasets import CastingTable, write_dataset
from monitor.configuration.resolved import Configuration
from monitor.configuration.settings import Settings
from monitor.crops.dataset import open_dataset
from monitor.crops.in_memory import read_all
from monitor.crops.reader import Reader
from monitor.learning import comparison
from monitor.learning.outcome import Request
from monitor.learning.retraining import Retraining
from monitor.models.loader import ModelLoader
from monitor.models.training import split, train
from monitor.registry import Registry
from monitor.store import models, retrainings
from monitor.store.database.engine import Database
from monitor.thresholds.calibration import calibrate, recalibrate
from monitor.thresholds.change import ChangeRequest
from monitor.thresholds.references import references_for
from monitor.thresholds.rules import Rules
from monitor.words import Identity
from plugins.pictures.images import as_pixels, as_tensor
from plugins.pictures.made_up.drawing import Draw
from plugins.pictures.made_up.objects import with_objects
from plugins.pictures.resizing import resized
from tests.support.decided_crops import Arrival, Asked, store_decided
from tests.support.made_up import store_label
from tests.support.stores import upgrade

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from monitor.api import Detector
    from monitor.store.models import ModelRow

Pixels = Any
Policy = Literal["fixed", "recalibrated", "learning"]
POLICIES: tuple[Policy, ...] = ("fixed", "recalibrated", "learning")

START = datetime(2025, 1, 6, 12, tzinfo=UTC)
WEEKS = 52
USUAL, OBJECTS, PROLIV, NEW = 40, 60, 3, 2
# Far from the seeds of trainings.
OBJECTS_SEED = 50_000_000
NEW_KIND_FROM = 20
NEW_KIND_LABELLED = 3
NOTICED = 0.7
WRONG = 0.05
# Few pictures and passes, so that a year takes minutes; what chance does to so small a model is allowed for.
SETTINGS = {"pool": 2048, "epochs": 8}
CHECKED = 500
CONFIGURED: dict[str, Any] = {
    "pipeline": {"device": "cpu", "workers": 1},
    # The threshold that the score itself suggests, for the two plants that choose no other.
    "rules": {"fixed": {"threshold": 1.0}},
    "learning": {"shadow_days": 6.0, "minimum_labels": 5, "made_up_tolerance": 0.03},
}


@dataclass(frozen=True)
class Week:
    """What comes in a week: pictures, whether each is proliv, and whether it is of the new kind."""

    pictures: list[Pixels]
    proliv: NDArray[np.bool_]
    new: NDArray[np.bool_]


@dataclass
class Result:
    """What a plant decided, by week."""

    false_alarms: list[int] = field(default_factory=list)
    missed: list[int] = field(default_factory=list)
    missed_new: list[int] = field(default_factory=list)
    outcomes: list[str] = field(default_factory=list)

    def between(self, first: int, last: int) -> tuple[int, int, int]:
        """False alarms, missed proliv of the known kind and of the new one in the weeks [first, last)."""
        span = slice(first - 1, last - 1)
        return sum(self.false_alarms[span]), sum(self.missed[span]), sum(self.missed_new[span])


def weeks(seed: int) -> list[Week]:
    """The crops of a year."""
    generator = np.random.default_rng([seed, 7])
    table = CastingTable(seed)
    return [_week(table, number, generator) for number in range(1, WEEKS + 1)]


def _week(table: CastingTable, number: int, generator: np.random.Generator) -> Week:
    def drawn(count: int, draw: Any) -> list[Pixels]:
        holes = generator.integers(0, len(table.holes), count)
        return [draw(table.holes[hole])[0] for hole in holes]

    seconds = np.array([number * 604_800.0])
    usual = drawn(USUAL, lambda hole: hole.normal(1, generator, seconds=seconds, light_change=1.2))
    behind = drawn(OBJECTS, lambda hole: hole.normal(1, generator, seconds=seconds))
    growth = np.ones(1, dtype=np.float32)
    known = drawn(PROLIV, lambda hole: hole.proliv(1, generator, seconds=seconds, violence=0.8, growth=growth))
    new = drawn(NEW if number >= NEW_KIND_FROM else 0, lambda hole: hole.normal(1, generator, seconds=seconds))
    kinds = np.repeat([0, 1, 2], [len(usual) + len(behind), len(known), len(new)])
    pictures = [*usual, *_with_objects(behind, number), *known, *map(_skinned, new)]
    return Week(pictures, kinds > 0, kinds == 2)


def _with_objects(crops: Sequence[Pixels], seed: int) -> list[Pixels]:
    """Tools, bars and pipes before the holes, of other places and colours than the detector ever learned from."""
    prepared = resized(crops, size=(32, 48))
    return list(as_pixels(with_objects(Draw(OBJECTS_SEED + seed), as_tensor(torch.tensor(prepared)))))


def _skinned(crop: Pixels) -> Pixels:
    """A smooth, bright skin of metal over the middle of the hole."""
    height, width = crop.shape[:2]
    down, across = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    inside = 1 / (1 + np.exp(12 * (np.hypot(across / 0.55, down / 0.7) - 1)))[..., None]
    skin = np.clip(crop.mean(axis=(0, 1)) * np.array([1.35, 1.2, 0.95]) * (1 - 0.1 * down[..., None]), 0, 255)
    return (crop * (1 - inside) + skin * inside).round().astype(np.uint8)


class Plant:
    """A store, the models and the people of one policy."""

    def __init__(self, folder: Path, data: Path, policy: Policy, seed: int) -> None:
        self.policy, self.data, self.result = policy, data, Result()
        self.folder, self.registry = folder, Registry.load()
        paths = {"state": str(folder / "state"), "inbox": str(folder / "inbox")}
        rule = {"rule": "quantile-midpoint" if policy == "recalibrated" else "fixed"}
        settings = Settings(paths=paths, calibration=rule, **CONFIGURED)
        self.configuration = Configuration(settings=settings, file=None)
        (folder / "state").mkdir(parents=True)
        (folder / "crops").mkdir()
        self.database = Database(self.configuration.database_url, busy_seconds=30)
        self.people = np.random.default_rng([seed, 11])
        self.labelled_new = 0
        self.next_id = 1
        self._detectors: dict[int, Detector] = {}
        upgrade(self.database)
        self._install()

    def _install(self) -> None:
        reader, dataset = Reader(self.configuration), open_dataset(self.data)
        parts = split(read_all(reader, dataset.train), share=0.2, seed=0).with_proliv(read_all(reader, dataset.proliv))
        detector = self.registry.new_detector("contrast", self.configuration, SETTINGS)
        train(
            *(detector, parts), seed=0, progress=lambda _: None, database=self.database,
            models_folder=self.configuration.models,
        )  # fmt: skip
        with self.database.read() as connection:
            (row,) = models.all_models(connection)
        given = references_for(self.registry, self.configuration, row, dataset, reader)
        calibrate(
            *(self.database, row, self.rules, given, ChangeRequest(START, "calibrate")), data=self.data, activate=True
        )

    @property
    def rules(self) -> Rules:
        return Rules.of(self.registry, self.configuration)

    def live(self, number: int, week: Week) -> None:
        """Decide on a week's crops, label some of them, and do what the policy does then."""
        now = START + timedelta(weeks=number)
        with self.database.read() as connection:
            (active,) = models.active_models(connection)
            on_trial = {row.model_id for row in retrainings.shadows(connection)}
            shadows = [row for row in models.all_models(connection) if row.id in on_trial]
        asked = [Asked(row, self._scores(row, week.pictures)) for row in (active, *shadows)]
        alarmed = asked[0].alarmed
        self.result.false_alarms.append(int((alarmed & ~week.proliv).sum()))
        self.result.missed.append(int((~alarmed & week.proliv & ~week.new).sum()))
        self.result.missed_new.append(int((~alarmed & week.new).sum()))
        self._store(week, asked, now)
        if self.policy == "recalibrated":
            later = now + timedelta(hours=12)
            recalibrate(self.database, self.rules, ChangeRequest(later, "nightly"))
        if self.policy == "learning":
            request = Request(now + timedelta(hours=13), self.data, least=5)
            done = Retraining(self.database, self.registry, self.configuration, request, lambda _: None).run()
            self.result.outcomes.append(done.refusal or done.result)

    def _scores(self, row: ModelRow, pictures: Sequence[Pixels]) -> NDArray[np.float64]:
        if row.id not in self._detectors:
            self._detectors[row.id] = ModelLoader(self.registry, self.configuration).load(row)
        detector = self._detectors[row.id]
        return detector.score(detector.prepare_batch(pictures)).deciding.astype(np.float64)

    def _store(self, week: Week, asked: Sequence[Asked], now: datetime) -> None:
        arrived, labels = [], []
        for place, picture in enumerate(week.pictures):
            crop, at = self.next_id, now + timedelta(minutes=place * 10)
            self.next_id += 1
            path = self.folder / "crops" / f"{crop}.png"
            Image.fromarray(picture).save(path)
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            arrived.append(Arrival(crop, path, digest, at, Identity(crop % 40, "C", at)))
            label = self._label(bool(week.proliv[place]), bool(week.new[place]), bool(asked[0].alarmed[place]))
            if label is not None:
                labels.append((crop, label))
        with self.database.write() as connection:
            store_decided(connection, arrived, asked)
            for crop, label in labels:
                store_label(connection, crop, label, "shift leader", now + timedelta(hours=11))

    def _label(self, is_proliv: bool, is_new: bool, alarmed: bool) -> str | None:
        """What people say of a crop, None for nothing; the same dice are thrown for every crop."""
        noticed, wrong = self.people.random(2)
        if is_new:
            self.labelled_new += 1
            return "proliv" if self.labelled_new <= NEW_KIND_LABELLED else None
        if not (alarmed or (is_proliv and noticed < NOTICED)):
            return None
        return "proliv" if is_proliv != (wrong < WRONG) else "ne_proliv"


def simulate(folder: Path, seed: int = 0, *, last: int = WEEKS) -> dict[Policy, Result]:
    """Live through the weeks until the ``last``, with every policy."""
    data = folder / "data"
    write_dataset(data, train=600, proliv=60, test=40, seed=seed)
    setattr(comparison, "PICTURES", CHECKED)  # noqa: B010 - a constant of everybody else
    year = weeks(seed)[:last]
    found: dict[Policy, Result] = {}
    for policy in POLICIES:
        plant = Plant(folder / policy, data, policy, seed)
        for number, week in enumerate(year, start=1):
            plant.live(number, week)
        plant.database.close()
        found[policy] = plant.result
    return found


def report(found: dict[Policy, Result]) -> str:
    """The year as text: false alarms, missed proliv of the known kind, and of the new kind."""
    count = len(found["fixed"].false_alarms)
    spans = [(first, min(first + 13, count + 1)) for first in range(1, count + 1, 13)]
    lines = [f"{'weeks':<8}" + "".join(f"{policy:>22}" for policy in POLICIES)]
    for first, last in [*spans, (1, count + 1)]:
        cells = ("{} / {} / {}".format(*found[policy].between(first, last)) for policy in POLICIES)
        lines.append(f"{f'{first}-{last - 1}':<8}" + "".join(f"{cell:>22}" for cell in cells))
    outcomes = found["learning"].outcomes
    return "\n".join([*lines, "", ", ".join(f"{outcomes.count(one)} x {one}" for one in sorted(set(outcomes)))])


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        print(report(simulate(Path(temporary), int(sys.argv[1]) if len(sys.argv) > 1 else 0)))
