"""Writes a stream of crops into an inbox in real time, as a camera's computer would."""

from __future__ import annotations

import errno
import os
import signal
import threading
import time
from collections import deque
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

from generators.crops.datasets import encode
from generators.crops.truth import EventLog
from monitor.api import OutputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import tzinfo
    from pathlib import Path

    from generators.crops.streaming import CropStream, StreamedCrop

    Tell: TypeAlias = Callable[[str], object]

# How many seconds after a crop its label comes: in operation, a crop is decided before a person labels it.
LABEL_DELAY: Final = 5.0

# A stream that is later than this many seconds leaves crops out: a camera does not deliver yesterday's frames.
_MOST_BEHIND: Final = 5.0

_MILLISECOND: Final = timedelta(milliseconds=1)
_WORDS: Final = {
    "normal": "is repaired",
    "pouring": "metal breaks out",
    "empty": "the billet has dropped out, the hole is empty",
}


@dataclass
class FeedSummary:
    """How many crops `feed` wrote, how many of them are proliv, and how many it labelled or left out as too late."""

    crops: int = 0
    proliv: int = 0
    labelled: int = 0
    left_out: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Labels:
    """Where the true labels of a stream go: ``folder``/proliv and ``folder``/ne_proliv; ``share``: of how many, 0-1."""

    folder: Path
    share: float = 1.0
    delay: float = LABEL_DELAY


class Pace:
    """When crops are due, in seconds: the k-th at k / ``rate`` after the start, however long the others took."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._turn = 0

    @property
    def due(self) -> float:
        """When the next crop is due, in seconds after the start."""
        return self._turn / self._rate

    def advance(self) -> None:
        """One crop was written."""
        self._turn += 1

    def catch_up(self, now: float) -> int:
        """How many crops to leave out at ``now``, because they are more than five seconds late; mostly none."""
        if now - self.due <= _MOST_BEHIND:
            return 0
        turn = int(now * self._rate)
        left_out, self._turn = turn - self._turn, turn
        return left_out


@contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set, instead of ending the program, until the block ends."""
    stop = threading.Event()
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda *_: stop.set()) for number in numbers]
    try:
        yield stop
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def feed(
    stream: CropStream,
    inbox: Path,
    *,
    rate: float,
    zone: tzinfo,
    crops: int | None = None,
    seconds: float | None = None,
    start: datetime | None = None,
    labels: Labels | None = None,
    truth: bool = False,
    stop: threading.Event | None = None,
    tell: Tell = lambda _sentence: None,
) -> FeedSummary:
    """Write the stream's crops into ``inbox`` at ``rate`` crops a second, until ``crops`` or ``seconds`` or ``stop``.

    A crop is written under a name with a leading dot and renamed. Its time stamp is the clock's in ``zone``, and
    grows from crop to crop of a hole. A crop that could not be written in time is written as soon as possible, or left
    out when it is over five seconds late. With ``start``, a local time without a zone, no clock is looked at: the crops
    are written as fast as can be, and their time stamps begin with it. With ``truth`` each bleed-out is a line of
    events.csv in ``inbox``. ``tell`` gets a sentence for everything that happens. Raises `OutputError` when a folder
    cannot be made or written or is gone; what was written stays.
    """
    feeder = _Feeder(stream, inbox, labels, tell)
    stop = stop or threading.Event()
    pace, started = Pace(rate), time.monotonic()
    summary = feeder.summary
    events = EventLog(inbox, zone) if truth else None
    while not stop.is_set() and summary.crops != crops and (seconds is None or pace.due < seconds):
        now = time.monotonic() - started if start is None else pace.due
        feeder.place_labels(now)
        if (left_out := pace.catch_up(now)) > 0:
            summary.left_out += left_out
            tell(
                f"this machine cannot keep up with {rate:g} crops a second: {left_out} crops were left out; "
                "ask for a lower rate"
            )
        if now < pace.due:
            stop.wait(min(pace.due - now, 1.0))
            continue
        crop = feeder.write(now, datetime.now(zone) if start is None else start + timedelta(seconds=now))
        if events is not None:
            events.see(crop)
        pace.advance()
    summary.seconds = time.monotonic() - started
    if events is not None:
        events.write()
    feeder.place_remaining_labels(started, stop, wait=start is None)
    return summary


class _Feeder:
    """What `feed` keeps between two crops."""

    def __init__(self, stream: CropStream, inbox: Path, labels: Labels | None, tell: Tell) -> None:
        self.summary = FeedSummary()
        self._stream, self._inbox, self._labels, self._tell = stream, inbox, labels, tell
        self._waiting: deque[tuple[float, Path, str, bytes]] = deque()
        self._chance = np.random.default_rng(stream.holes)
        self._latest: deque[datetime] = deque(maxlen=stream.holes)
        self._kinds: dict[tuple[str, int], str] = {}
        folders = [inbox] if labels is None else [inbox, *(labels.folder / name for name in ("proliv", "ne_proliv"))]
        for folder in folders:
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                reason = "it is a file" if error.errno == errno.EEXIST else error.strerror
                raise OutputError(f"{folder}: the folder cannot be made: {reason}; name another one") from None

    def write(self, now: float, clock: datetime) -> StreamedCrop:
        """Write the next crop, ``now`` seconds after the start, when the ``clock`` shows this local time."""
        crop = self._stream.crop(self._moment(clock.replace(tzinfo=None)))
        content = encode(crop.pixels)
        self._put(self._inbox, crop.name, content)
        self.summary.crops += 1
        self.summary.proliv += crop.proliv
        if self._labels is not None and self._chance.random() < self._labels.share:
            folder = self._labels.folder / ("proliv" if crop.proliv else "ne_proliv")
            self._waiting.append((now + self._labels.delay, folder, crop.name, content))
        self._report(crop)
        return crop

    def place_labels(self, now: float) -> None:
        """Copy the crops whose labels are due."""
        while self._waiting and self._waiting[0][0] <= now:
            _due, folder, name, content = self._waiting.popleft()
            self._put(folder, name, content)
            self.summary.labelled += 1

    def place_remaining_labels(self, started: float, stop: threading.Event, *, wait: bool) -> None:
        """Wait for the labels that are due later; when told to stop, or not to wait, place them at once."""
        while self._waiting:
            now = time.monotonic() - started
            due = self._waiting[-1][0] if stop.is_set() or not wait else now
            self.place_labels(max(due, now))
            if self._waiting:
                stop.wait(max(self._waiting[0][0] - now, 0.001))

    def _moment(self, moment: datetime) -> datetime:
        """This local time, but at least a millisecond, the finest time in a name, after the hole's last crop."""
        if len(self._latest) == self._stream.holes:
            moment = max(moment, self._latest[0] + _MILLISECOND)
        if self._latest:
            moment = max(moment, self._latest[-1])
        self._latest.append(moment)
        return moment

    def _put(self, folder: Path, name: str, content: bytes) -> None:
        """Write a file under a hidden name and rename it, so that no program sees half of it."""
        hidden = folder / f".{name}"
        try:
            hidden.write_bytes(content)
            os.replace(hidden, folder / name)  # noqa: PTH105 - it replaces a file of the same name
        except OSError as error:
            with suppress(OSError):
                hidden.unlink(missing_ok=True)
            written = f"{self.summary.crops} crops were written before"
            raise OutputError(f"{folder / name}: {error.strerror}; {_remedy(error)}; {written}") from None

    def _report(self, crop: StreamedCrop) -> None:
        """Tell when a hole begins to do something else."""
        place = crop.camera, crop.hole
        if self._kinds.get(place, "normal") != crop.kind:
            self._tell(f"{crop.moment:%H:%M:%S} hole {crop.hole} of camera {crop.camera}: {_WORDS[crop.kind]}")
        self._kinds[place] = crop.kind


def _remedy(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "free some space and start again"
    if error.errno == errno.ENOENT:
        return "the folder is gone: make it, or mount it again, and start again"
    return "name a folder that can be written"
