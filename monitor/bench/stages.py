"""Measures the stages that a crop passes through, each alone and in one thread: read, decode, detect, commit.

What counts is processor time, of this process and of the kernel on its behalf: it is the same whether or not another
program uses the other cores, and the limit is computed from it.
"""

from __future__ import annotations

import hashlib
import itertools
import random
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from monitor.bench.crops import HOLES, names
from monitor.store import decisions, models
from monitor.store.decisions import CropRow, ScoreRow

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from monitor.api import Detector
    from monitor.crops.loader import CropReader, FileContent
    from monitor.harness.homes import Home

DETECTOR_BATCHES: Final = (1, 16, 64, 256, 1024)
WARM_UP: Final = 16
COMMIT_BATCHES: Final = (64, 256, 1024, 4096)
# How long a stage is repeated, and how long if it is one of many batch sizes.
STAGE_SECONDS: Final = 0.3
CELL_SECONDS: Final = 0.1
# A batch size is left out if, by the figure of the size before, one batch would take longer.
LONGEST_BATCH_SECONDS: Final = 1.0


@dataclass(frozen=True)
class Cost:
    """What a crop costs in microseconds: by the clock, and of all processors together."""

    wall_us: float
    cpu_us: float


@dataclass(frozen=True)
class Sample:
    """Crops to measure the stages with: their files, their contents, and their pixels with their holes."""

    paths: Sequence[str]
    contents: Sequence[FileContent]
    pixels: Sequence[NDArray[np.uint8]]
    holes: Sequence[int | None]

    @classmethod
    def of(cls, reader: CropReader, paths: Sequence[Path]) -> Sample:
        """Read and decode files that are named as `monitor.bench.crops` names them."""
        contents = [reader.load(path) for path in paths]
        pixels = [reader.decode(content).pixels for content in contents]
        holes = [int(path.name.partition("_")[0]) for path in paths]
        return cls([str(path) for path in paths], contents, pixels, holes)


def reading(reader: CropReader, sample: Sample) -> Cost:
    """Open, read and close files, with the digest of their content; they lie in the system's cache."""

    def once() -> None:
        for path in sample.paths:
            reader.load(path)

    return _cost(once, len(sample.paths))


def decoding(reader: CropReader, sample: Sample) -> Cost:
    """Make pixels of the files' content."""

    def once() -> None:
        for content in sample.contents:
            reader.decode(content)

    return _cost(once, len(sample.contents))


def detecting(detector: Detector, sample: Sample, batch: int, seconds: float = STAGE_SECONDS) -> Cost:
    """Prepare and score decoded crops, so many at once, in as many threads as `machine.threads` allows."""
    # Others each time: what was just looked at would lie in the processor's caches.
    numbers = itertools.cycle(range(len(sample.pixels)))

    def once() -> None:
        some = list(itertools.islice(numbers, batch))
        pixels, holes = [sample.pixels[number] for number in some], [sample.holes[number] for number in some]
        detector.score(detector.prepare_batch(pixels, holes))

    warm_up(detector, sample)
    return _cost(once, batch, seconds)


def warm_up(detector: Detector, sample: Sample) -> None:
    """Score a few crops: in the first pass memory is asked for, threads are started, ways of computing are chosen."""
    detector.score(detector.prepare_batch(sample.pixels[:WARM_UP], sample.holes[:WARM_UP]))


def detecting_by_batch(detector: Detector, sample: Sample) -> dict[int, Cost]:
    """`detecting` for every size of a batch that does not take too long."""
    costs: dict[int, Cost] = {}
    for size in DETECTOR_BATCHES:
        if not costs or size * min(cost.wall_us for cost in costs.values()) < LONGEST_BATCH_SECONDS * 1e6:
            costs[size] = detecting(detector, sample, size, CELL_SECONDS)
    return costs


def committing(home: Home, crops: int, batch: int) -> Cost:
    """Commit crops with a decision each into a fresh store, ``batch`` of them in one transaction."""
    home.renew()
    database = home.database()
    with database.read() as connection:
        (model,) = models.active_models(connection)
    assert model.calibration_id is not None
    files = list(names(crops))
    random.Random(0).shuffle(files)  # the order in which a folder is read, as in which contents come, is none
    rows = [_row(number, file, model.id, model.calibration_id) for number, file in enumerate(files)]

    def once() -> None:
        for start in range(0, len(rows), batch):
            with database.write() as connection:
                decisions.record(connection, rows[start : start + batch])

    try:
        return _cost(once, len(rows), seconds=0)
    finally:
        database.close()


def best(costs: Mapping[int, Cost]) -> int:
    """The size of a batch that costs the least processor time."""
    return min(costs, key=lambda size: costs[size].cpu_us)


def _cost(once: Callable[[], None], crops: int, seconds: float = STAGE_SECONDS) -> Cost:
    """What each of ``crops`` costs in ``once``, which is done at least once and for so many seconds."""
    repetitions = 0
    wall, cpu = time.perf_counter(), time.process_time()
    while True:
        once()
        repetitions += 1
        passed = time.perf_counter() - wall
        if passed >= seconds:
            spent = time.process_time() - cpu
            return Cost(1e6 * passed / (crops * repetitions), 1e6 * spent / (crops * repetitions))


def _row(number: int, file: str, model_id: int, calibration_id: int) -> CropRow:
    now = datetime.now(UTC)
    decision = ScoreRow(
        model_id=model_id,
        calibration_id=calibration_id,
        mse=0.001,
        score=1.0,
        threshold=2.0,
        verdict="ne_proliv",
        scored_at=now,
        latency_seconds=0.01,
    )
    return CropRow(
        path=f"/srv/camera/holes/{file}",
        sha256=hashlib.sha256(str(number).encode()).hexdigest(),
        size_bytes=1100,
        mtime_ns=number,
        width=50,
        height=30,
        hole=number % HOLES,
        camera="C",
        captured_at=now - timedelta(milliseconds=number),
        seen_at=now,
        reason=None,
        error=None,
        verdict="ne_proliv",
        decision_score=1.0,
        decision_threshold=2.0,
        decided_by="primary",
        scores=(decision,),
        source="folder",
    )
