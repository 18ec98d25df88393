"""Synthetic crops of casting-table holes, for the demonstration and for tests.

A crop shows one hole of a casting table from a fixed camera: a smooth rim, and inside it the billet's head or
frozen crust. After a bleed-out (*proliv*) bright, chaotic metal pours through the middle of the hole, and when
the billet has dropped out, the hole is empty and clean. Everything follows from seeds: the same seed gives the
same bytes.

A crop is uint8 (height, width, 3), RGB, 24-31 pixels high and 46-53 wide. `CastingTable` has the holes that draw
them, `write_dataset` writes labelled folders, and `generators.crops.streaming` has a stream of them, as from a camera.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from io import BytesIO
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
from PIL import Image

from generators.crops.camera import Camera
from generators.crops.holes import Hole
from monitor.api import OutputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    Pixels: TypeAlias = NDArray[np.uint8]
    Seconds: TypeAlias = NDArray[np.float64]
    Draw: TypeAlias = Callable[[Hole, Seconds, np.random.Generator], Pixels]
    Progress: TypeAlias = Callable[[int], object]

# With Pillow's usual 4:2:0 chroma, crops of this texture take about 1.1 KB.
JPEG_QUALITY: Final = 95

# The share of proliv among the test crops: enough to measure TPR; a real plant sees far fewer.
TEST_PROLIV_SHARE: Final = 0.25

# The share of the test negatives with holes of another camera, which no training crop shows.
_UNSEEN_SHARE: Final = 0.35

# The share of the test negatives with a tool, a bar, a rod or a plate in front of the hole.
_OBSTACLE_SHARE: Final = 0.1

# How far a bleed-out of a data set has come in its first crop; only streams show the first drops.
_FIRST_GROWTH: Final = 0.5

# Naive moments: file names carry the camera's local time.
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001
_TRAINING: Final = datetime(2023, 2, 20, 6)  # noqa: DTZ001
_INCIDENT: Final = datetime(2023, 3, 1, 5, 38, 57)  # noqa: DTZ001
_TEST: Final = datetime(2023, 3, 7, 14, 2, 11)  # noqa: DTZ001
_DAYS: Final = timedelta(days=5)
_INCIDENT_SPAN: Final = timedelta(seconds=45)

# How many crops are drawn at once, so that memory stays small however many are asked for.
_CHUNK: Final = 250


class CastingTable:
    """A table of ``holes`` holes seen by one camera; ``seed`` and the camera's letter give all their looks.

    ``camera`` is that letter; ``holes`` are its `Hole`, numbered from 1, which share the camera's light and aim.
    """

    def __init__(self, seed: int = 0, *, holes: int = 40, camera: str = "C") -> None:
        self.camera = camera
        eye = Camera(np.random.default_rng([seed, ord(camera)]))
        self.holes = tuple(
            Hole(number, np.random.default_rng([seed, ord(camera), number]), eye) for number in range(1, holes + 1)
        )


@dataclass(frozen=True)
class DatasetSummary:
    """How many crops `write_dataset` wrote; ``test_empty`` of the ``test_proliv`` are empty holes."""

    train: int
    proliv: int
    test_proliv: int
    test_empty: int
    test_normal: int

    @property
    def total(self) -> int:
        """All crops written."""
        return self.train + self.proliv + self.test_proliv + self.test_normal


def encode(crop: Pixels) -> bytes:
    """Compress one crop, uint8 (height, width, 3) RGB, to a JPEG file's bytes."""
    buffer = BytesIO()
    Image.fromarray(crop).save(buffer, "JPEG", quality=JPEG_QUALITY)
    return buffer.getvalue()


def crop_name(hole: int, camera: str, moment: datetime) -> str:
    """Name a crop's file as the camera's computer does, such as ``10_CAM_C_01-03-2023_05-39-27-929.jpg``."""
    return f"{hole}_CAM_{camera}_{moment:%d-%m-%Y_%H-%M-%S}-{moment.microsecond // 1000:03}.jpg"


def seconds_of(moment: datetime) -> float:
    """A local time, without a zone, as the seconds that a `Hole` takes."""
    return (moment - _EPOCH).total_seconds()


def write_dataset(
    folder: Path,
    *,
    train: int = 1500,
    proliv: int = 60,
    test: int = 400,
    empty_share: float = 0.25,
    seed: int = 0,
    progress: Progress | None = None,
) -> DatasetSummary:
    """Write labelled crops under ``folder``: ``train/``, ``proliv/``, ``test/proliv/`` and ``test/ne_proliv/``.

    ``train``: crops without a proliv. ``proliv``: crops of one violent incident, with no empty hole among them.
    ``test``: crops in all, `TEST_PROLIV_SHARE` of them proliv from another incident, and ``empty_share`` (0-1) of
    those empty holes; the others show known and unseen holes, stronger changes of light and some obstacles.
    ``progress`` is called with the number of crops just written. Raises `OutputError` when ``folder`` holds
    something already or cannot be written.
    """
    summary = _plan(train, proliv, test, empty_share)
    unseen = round(summary.test_normal * _UNSEEN_SHARE)
    pouring = summary.test_proliv - summary.test_empty
    known_table, other_table = CastingTable(seed, camera="C"), CastingTable(seed, camera="B")
    proliv_folder, normal_folder = folder / "test" / "proliv", folder / "test" / "ne_proliv"
    series = (
        _Series(folder / "train", known_table, train, _usual, _TRAINING, _DAYS),
        _Series(folder / "proliv", known_table, proliv, _pouring(_INCIDENT, violence=0.8), _INCIDENT, _INCIDENT_SPAN),
        _Series(proliv_folder, known_table, pouring, _pouring(_TEST, violence=0.9), _TEST, _INCIDENT_SPAN),
        # The billet drops out after the metal has poured.
        _Series(proliv_folder, known_table, summary.test_empty, _emptied, _TEST + 2 * _INCIDENT_SPAN, _INCIDENT_SPAN),
        _Series(normal_folder, known_table, summary.test_normal - unseen, _changed, _TEST, _DAYS),
        _Series(normal_folder, other_table, unseen, _changed, _TEST, _DAYS),
    )
    try:
        _refuse_occupied(folder)
        for number, one in enumerate(series):
            one.write(np.random.default_rng([seed, number]), progress or (lambda _count: None))
    except OSError as error:
        place = error.filename or folder
        raise OutputError(f"{place}: cannot be written: {error.strerror}; choose another folder") from error
    return summary


def _usual(hole: Hole, seconds: Seconds, generator: np.random.Generator) -> Pixels:
    return hole.normal(len(seconds), generator, seconds=seconds)


def _changed(hole: Hole, seconds: Seconds, generator: np.random.Generator) -> Pixels:
    """Crops of another week: stronger changes of light, and obstacles."""
    return hole.normal(len(seconds), generator, seconds=seconds, light_change=1.4, obstacle_share=_OBSTACLE_SHARE)


def _emptied(hole: Hole, seconds: Seconds, generator: np.random.Generator) -> Pixels:
    return hole.empty(len(seconds), generator, seconds=seconds)


def _pouring(start: datetime, *, violence: float) -> Draw:
    """Metal that spreads from the start of an incident to its end, in every hole at a speed of its own."""

    def draw(hole: Hole, seconds: Seconds, generator: np.random.Generator) -> Pixels:
        past = (seconds - seconds_of(start)) / _INCIDENT_SPAN.total_seconds() * generator.uniform(0.8, 1.5)
        growth = np.clip(_FIRST_GROWTH + (1 - _FIRST_GROWTH) * past, 0, 1).astype(np.float32)
        return hole.proliv(len(seconds), generator, seconds=seconds, violence=violence, growth=growth)

    return draw


def _plan(train: int, proliv: int, test: int, empty_share: float) -> DatasetSummary:
    """Split the test crops."""
    test_proliv = round(test * TEST_PROLIV_SHARE)
    return DatasetSummary(train, proliv, test_proliv, round(test_proliv * empty_share), test - test_proliv)


def _refuse_occupied(folder: Path) -> None:
    """Raise `OutputError` when ``folder`` is a file or holds something: crops of two sets must never mix."""
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder} is a file; name a new folder for the crops")
    if folder.exists() and any(folder.iterdir()):
        raise OutputError(f"the folder {folder} is not empty; name a new folder for the crops, or empty this one")


@dataclass(frozen=True)
class _Series:
    """``count`` crops of one kind, drawn by ``draw``, of one table, within ``span`` after the local time ``start``."""

    folder: Path
    table: CastingTable
    count: int
    draw: Draw
    start: datetime
    span: timedelta

    def write(self, generator: np.random.Generator, progress: Progress) -> None:
        """Spread the crops over the holes at random and write them."""
        self.folder.mkdir(parents=True, exist_ok=True)
        holes = self.table.holes
        counts = np.bincount(generator.integers(0, len(holes), self.count), minlength=len(holes))
        for hole, count in zip(holes, counts.tolist(), strict=True):
            moments = self._moments(count, generator)
            for first in range(0, count, _CHUNK):
                self._write_chunk(hole, moments[first : first + _CHUNK], generator)
                progress(len(moments[first : first + _CHUNK]))

    def _write_chunk(self, hole: Hole, moments: list[datetime], generator: np.random.Generator) -> None:
        seconds = np.array([seconds_of(moment) for moment in moments])
        for crop, moment in zip(self.draw(hole, seconds, generator), moments, strict=True):
            (self.folder / crop_name(hole.number, self.table.camera, moment)).write_bytes(encode(crop))

    def _moments(self, count: int, generator: np.random.Generator) -> list[datetime]:
        """``count`` distinct moments in order, each at random within its own step of whole milliseconds.

        A step is never under a millisecond, the finest time in a name: with too many crops the span grows.
        """
        step = max(self.span // timedelta(milliseconds=1) // max(count, 1), 1)
        offsets = np.arange(count) * step + generator.integers(0, step, count)
        return [self.start + timedelta(milliseconds=offset) for offset in offsets.tolist()]
