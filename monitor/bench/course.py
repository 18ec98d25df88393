"""Runs a benchmark: what is measured in which order, in a temporary folder."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from monitor import __version__
from monitor.bench import added, crops, daemon, machine, many, reference, scoring, stages
from monitor.bench.figures import Round, Stages, of_detector, of_stages, of_together, rounded
from monitor.bench.starting import starting
from monitor.crops.reader import Reader
from monitor.errors import OutputError
from monitor.harness.homes import TRAINING_CROPS, Home, own_environment, training_data
from monitor.harness.subjects import TOGETHER

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from monitor.bench.stages import Cost
    from monitor.configuration.resolved import Configuration
    from monitor.crops.loader import CropReader
    from monitor.registry import Registry
    from monitor.scoring.ensemble import ActiveModel

SAMPLE_CROPS: Final = 8192
# As many crops as this are committed, or all: because of caches and indexes, a crop's cost depends on their number.
COMMITTED_CROPS: Final = 20_000
# A detector is given as many crops as it should need this long for at its limit.
END_TO_END_SECONDS: Final = 3.0
LEAST_CROPS: Final = 200
# Fed to the daemon at an even pace in each round; fewer if there are few crops.
FED_CROPS: Final = 300
# On the disk, including its rows in the store, with room to spare.
BYTES_OF_A_CROP: Final = 3 * 4096
BYTES_OF_A_MODEL: Final = 30_000_000
REMEDY: Final = "free some space, set TMPDIR to another disk or ask for fewer --crops"


@dataclass(frozen=True)
class Plan:
    """What is to be measured: which subjects, on how many crops at most, how many times.

    ``others``: the benchmarks of plug-ins. ``many``: for how many files the memory of `score` is compared with that for
    10,000; 0: not at all.
    """

    subjects: Sequence[str]
    crops: int
    rounds: int
    seed: int
    others: Sequence[str] = ()
    many: int = 0

    @property
    def bytes_needed(self) -> int:
        """The most that is on the disk at any time."""
        made = BYTES_OF_A_CROP * (self.crops + TRAINING_CROPS) + many.BYTES_OF_A_NAME * self.many
        return made + BYTES_OF_A_MODEL * (len(self.subjects) + sum(map(len, TOGETHER)))


@dataclass
class Measured:
    """One subject, and what has been measured of it so far.

    ``plain``: its model as torch computes it. ``batches``: the cost of its detector by threads and batch size.
    ``paths``: the crops that it is given; ``folder`` holds these and no others.
    """

    name: str
    home: Home
    model: ActiveModel
    plain: ActiveModel
    batches: Mapping[int, Mapping[int, Cost]]
    paths: Sequence[Path]
    folder: Path
    rounds: list[Round] = field(default_factory=list)


class Course:
    """One benchmark."""

    def __init__(
        self, folder: Path, registry: Registry, configuration: Configuration, plan: Plan, say: Callable[[str], None]
    ) -> None:
        self.folder = folder
        self.registry = registry
        self.configuration = configuration
        self.plan = plan
        self.say = say
        self.cores = machine.cores()
        self.yardsticks: dict[str, dict[str, float]] = {}
        # By the names of detectors that decide together: (crops/s together, crops/s of each alone) in each round.
        self.together: dict[tuple[str, ...], list[tuple[float, Sequence[float]]]] = {}
        self.reader: CropReader = Reader(configuration).crops

    def run(self) -> dict[str, Any]:
        """Measure everything; returns the figures by their names, as docs/performance.md has them."""
        self.say("measuring: starting")
        starts = starting(self.folder)
        self._measure_clock("begin")
        self.say(f"making {self.plan.crops} crops")
        self.paths = crops.write(self.folder / "crops", self.plan.crops, self.plan.seed)
        learned = crops.write(self.folder / "train", TRAINING_CROPS, self.plan.seed + 1)
        self.data = training_data(self.configuration, learned, self.plan.seed)
        self.sample = stages.Sample.of(self.reader, self.paths[:SAMPLE_CROPS])
        homes = [self._home(name, [name]) for name in self.plan.subjects]
        self.commits = homes[0]
        committed = {size: self._committing(size) for size in stages.COMMIT_BATCHES}
        self.commit_batch = stages.best(committed)
        subjects = [self._begin(home) for home in homes]
        self._rounds(subjects)
        others = {
            name: added.measure(self.registry, name, self.plan.seed, self.plan.rounds, self.say)
            for name in self.plan.others
        }
        memory = self._memory(subjects[0]) if self.plan.many else None
        self._measure_clock("end")
        return {
            "monitor": __version__,
            "machine": {**machine.facts(), "yardstick": self.yardsticks},
            "settings": self._settings(),
            "stages": of_stages([one.stages for subject in subjects for one in subject.rounds], committed),
            "detectors": {one.name: self._told(one) for one in subjects},
            "together": [{"detectors": list(names), **of_together(speeds)} for names, speeds in self.together.items()],
            "startup": starts,
            "memory": memory,
            "others": others,
        }

    def _rounds(self, subjects: Sequence[Measured]) -> None:
        named = {one.name: one for one in subjects}
        among = [names for names in TOGETHER if all(name in named for name in names)]
        homes = {names: self._home("-".join(names), names) for names in among}
        for number in range(1, self.plan.rounds + 1):
            which = f"round {number} of {self.plan.rounds}"
            for subject in subjects:
                self.say(f"measuring: {subject.name}, {which}")
                subject.rounds.append(self._round(subject))
            for names, home in homes.items():
                self.say(f"measuring: {', '.join(names)} together, {which}")
                speeds = self._together(home, [named[name] for name in names])
                self.together.setdefault(names, []).append(speeds)
            if number == (self.plan.rounds + 1) // 2:
                self._measure_clock("middle")

    def _measure_clock(self, when: str) -> None:
        self.yardsticks[when] = machine.yardstick()

    def _settings(self) -> dict[str, Any]:
        settings = {"crops": self.plan.crops, "rounds": self.plan.rounds, "seed": self.plan.seed}
        return {**settings, "pipeline": self.configuration.settings.pipeline.model_dump(mode="json")}

    def _home(self, name: str, subjects: Sequence[str]) -> Home:
        self.say(f"training {', '.join(subjects)}")
        home = Home(self.folder / "homes" / name, subjects)
        home.prepare(self.registry, self.configuration.settings.pipeline, self.data, self.plan.seed)
        return home

    def _begin(self, home: Home) -> Measured:
        """Measure a subject at every batch size, and choose how many crops it is given."""
        (name,) = home.subjects
        self.say(f"measuring: {name} by batch size")
        (model,) = home.ensemble(self.registry).models
        (plain,) = home.ensemble(self.registry, runtime="torch").models
        batches = {}
        for count in dict.fromkeys((1, self.cores)):
            with machine.threads(count):
                batches[count] = stages.detecting_by_batch(model.detector, self.sample)
        limit = self._alone(model, stages.best(batches[1])).limit(self.cores)
        paths = self.paths[: max(LEAST_CROPS, int(limit * END_TO_END_SECONDS))]
        return Measured(name, home, model, plain, batches, paths, _linked(paths, home.folder / "crops"))

    def _alone(self, model: ActiveModel, batch: int) -> Stages:
        with machine.threads(1):
            return Stages(
                stages.reading(self.reader, self.sample),
                stages.decoding(self.reader, self.sample),
                stages.detecting(model.detector, self.sample, batch),
                self._committing(self.commit_batch),
            )

    def _committing(self, batch: int) -> Cost:
        return stages.committing(self.commits, min(COMMITTED_CROPS, self.plan.crops), batch)

    def _round(self, subject: Measured) -> Round:
        alone = self._alone(subject.model, stages.best(subject.batches[1]))
        scored = scoring.score(subject.home, subject.folder, len(subject.paths))
        # A batch of one is often slower in two threads than in one.
        plain = max(self._plain(subject, count) for count in {1, self.cores})
        fed = self.paths[-min(FED_CROPS, self.plan.crops // 10) :]
        return Round(alone, scored, plain, daemon.carry(subject.home, subject.paths, fed))

    def _plain(self, subject: Measured, threads: int) -> float:
        file = subject.home.folder / "reference.db"
        with machine.threads(threads):
            stages.warm_up(subject.plain.detector, self.sample)
            return reference.crops_per_second(subject.plain.detector, subject.plain.threshold, self.paths, file)

    def _together(self, home: Home, alone: Sequence[Measured]) -> tuple[float, Sequence[float]]:
        """Crops per second of detectors that decide together, and of each alone."""
        fewest = min(alone, key=lambda one: len(one.paths))
        homes = [home, *(one.home for one in alone)]
        # On the same crops, one right after the other, although each was measured alone before.
        together, *others = (scoring.score(one, fewest.folder, len(fewest.paths)).crops_per_second for one in homes)
        return together, others

    def _memory(self, subject: Measured) -> dict[str, Any]:
        self.say(f"measuring: memory of {subject.name} over {self.plan.many} files")
        return {"detector": subject.name, **many.memory(subject.home, self.paths, self.plan.many)}

    def _told(self, subject: Measured) -> dict[str, Any]:
        return {
            "crops": len(subject.paths),
            **of_detector(subject.rounds, self.cores),
            "best_batch": stages.best(subject.batches[1]),
            "detect_us_by_threads_and_batch": {
                str(threads): {
                    str(size): {"wall": rounded(cost.wall_us), "cpu": rounded(cost.cpu_us)}
                    for size, cost in costs.items()
                }
                for threads, costs in subject.batches.items()
            },
        }


def _linked(paths: Sequence[Path], folder: Path) -> Path:
    """A folder with these crops and no others, in the same subfolders."""
    for path in paths:
        target = folder / path.parent.name / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        os.link(path, target)
    return folder


def run(registry: Registry, configuration: Configuration, plan: Plan, say: Callable[[str], None]) -> dict[str, Any]:
    """Measure everything in a temporary folder; raises `OutputError` if the disk has no room for it."""
    with own_environment(), _folder() as name:
        folder = Path(name).resolve()
        free = shutil.disk_usage(folder).free
        if free < plan.bytes_needed:
            raise OutputError(
                f"{folder}: has room for {free / 1e6:.0f} MB, and {plan.bytes_needed / 1e6:.0f} MB are needed; {REMEDY}"
            )
        try:
            return Course(folder, registry, configuration, plan, say).run()
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise OutputError(f"{folder}: the disk is full; {REMEDY}") from None


def _folder() -> tempfile.TemporaryDirectory[str]:
    try:
        return tempfile.TemporaryDirectory(prefix="monitor-bench-")
    except OSError as error:
        raise OutputError(f"no temporary folder can be created: {error.strerror}; {REMEDY}") from None
