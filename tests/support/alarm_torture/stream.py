"""A stream of made-up crops with some bleed-outs, a model that finds them, and their way into an inbox."""

from __future__ import annotations

import csv
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Event, Thread
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from tests.support.states import make_state

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

START: Final = "2026-03-01T06:00"


class Place(NamedTuple):
    """A hole, and the time in a crop's name."""

    hole: int
    at: datetime


class BleedOut(NamedTuple):
    """One that truly happened, with the times of its first and last crop."""

    hole: int
    first: datetime
    last: datetime


@dataclass(frozen=True)
class Prepared:
    """A trained state, the stream's crops in the order of their times, and its bleed-outs."""

    state: Path
    crops: Sequence[Path]
    truth: Sequence[BleedOut]


def place_of(name: str) -> Place:
    """What a crop's name tells, such as ``10_CAM_C_01-03-2023_05-39-27-929.jpg``."""
    hole, _, rest = name.partition("_CAM_")
    return Place(int(hole), datetime.strptime(f"{rest[2:-4]}000", "%d-%m-%Y_%H-%M-%S-%f").replace(tzinfo=UTC))


def prepare(folder: Path, *, events: int, seconds: int, rate: float, seed: int) -> Prepared:
    """Make a labelled folder, train on it, and make a stream of the same table; what is there already is used again."""
    folder.mkdir(parents=True, exist_ok=True)
    name = f"stream-{seed}-{events}-{seconds}-{rate:g}"
    made = folder / f"{name}.json"
    if not made.exists():
        shutil.rmtree(folder / name, ignore_errors=True)
        stream = [f"--rate={rate}", f"--seconds={seconds}", f"--events={events}", f"--start={START}", f"--seed={seed}"]
        _monitor(folder, "gen", "crops", name, "--stream", *stream)
        made.write_text("{}")
    home = folder / f"model-{seed}"
    if not (home / "state" / "monitor.db").exists():
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir()
        _monitor(home, "gen", "crops", "crops", "--train=600", "--proliv=60", "--test=40", f"--seed={seed}")
        make_state(home, home / "crops", [["train", "patchstats"], ["calibrate"]])
    crops = sorted((folder / name).glob("*.jpg"), key=lambda path: place_of(path.name).at)
    with (folder / name / "events.csv").open(encoding="utf-8", newline="") as file:
        truth = [
            BleedOut(int(row["hole"]), datetime.fromisoformat(row["start"]), datetime.fromisoformat(row["end"]))
            for row in csv.DictReader(file)
        ]
    return Prepared(home / "state", crops, truth)


def _monitor(folder: Path, *arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "monitor", *arguments], cwd=folder, check=True, capture_output=True)


class Feeder:
    """Gives crops to an inbox at an even rate, each renamed into its place, and notes when; in a thread."""

    def __init__(self, crops: Sequence[Path], inbox: Path, rate: float) -> None:
        """``rate``: crops a second of the clock on the wall."""
        self.named_at: dict[Place, float] = {}
        self.crops = crops
        self._inbox = inbox
        self._rate = rate
        self._stopped = Event()
        self._thread = Thread(target=self._run, name="feeder")

    @property
    def seconds(self) -> float:
        """How long it takes."""
        return len(self.crops) / self._rate

    def __enter__(self) -> Self:
        self._inbox.mkdir(exist_ok=True)
        self._thread.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None:
            self._stopped.set()
        self._thread.join()

    @property
    def table_time(self) -> datetime:
        """The time of the newest crop."""
        return max((place.at for place in list(self.named_at)), default=datetime.min.replace(tzinfo=UTC))

    def _run(self) -> None:
        began = time.monotonic()
        for number, source in enumerate(self.crops):
            hidden = self._inbox / f".{source.name}"
            shutil.copyfile(source, hidden)
            if self._stopped.wait(max(0.0, began + number / self._rate - time.monotonic())):
                return
            self.named_at[place_of(source.name)] = time.time()
            hidden.rename(self._inbox / source.name)
