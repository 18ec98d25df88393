"""An inbox that is fed in real time."""

from __future__ import annotations

import re
import signal
import threading
from datetime import UTC, datetime, timedelta
from itertools import cycle, groupby, islice
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from PIL import Image
from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

from generators.crops import feeding
from generators.crops.datasets import CastingTable
from generators.crops.feeding import FeedSummary, Labels, Pace, feed, stop_on_signals
from generators.crops.streaming import CropStream, StreamedCrop
from monitor.api import OutputError
from tests.generators.crops.conftest import stream

NAME = re.compile(r"(?P<hole>\d{1,2})_CAM_(?P<camera>[A-Z])_(?P<moment>\d\d-\d\d-\d{4}_\d\d-\d\d-\d\d-\d{3})\.jpg")


def visible(folder: Path) -> list[Path]:
    """The crops of a folder in the order of their time; a hidden file must not have stayed."""
    paths = list(folder.iterdir())
    assert [path for path in paths if not NAME.fullmatch(path.name)] == []
    return sorted(paths, key=lambda path: moment_of(path.name))


def moment_of(name: str) -> datetime:
    match = NAME.fullmatch(name)
    assert match
    return datetime.strptime(match["moment"], "%d-%m-%Y_%H-%M-%S-%f")  # noqa: DTZ007


def test_the_pace_goes_by_the_start_and_not_by_the_crop_before() -> None:
    pace = Pace(4)
    due = []
    for _ in range(5):
        due.append(pace.due)
        pace.advance()
    assert due == [0, 0.25, 0.5, 0.75, 1.0]


def test_a_late_stream_catches_up_and_a_very_late_one_leaves_crops_out() -> None:
    pace = Pace(10)
    assert pace.catch_up(5.0) == 0
    assert pace.due == 0
    assert pace.catch_up(20.0) == 200
    assert pace.due == 20.0


def test_an_inbox_is_fed(tmp_path: Path) -> None:
    summary = feed(stream(3), tmp_path / "deep" / "inbox", rate=200, zone=UTC, crops=30)
    paths = visible(tmp_path / "deep" / "inbox")
    assert summary.crops == len(paths) == 30
    assert (summary.proliv, summary.labelled, summary.left_out) == (0, 0, 0)
    for path in paths:
        Image.open(path).load()
    turns = cycle("123")
    # On a busy machine two holes may have crops of the same millisecond, in whatever order a folder lists them.
    for _, group in groupby(paths, key=lambda path: moment_of(path.name)):
        holes = [path.name.split("_")[0] for path in group]
        assert sorted(holes) == sorted(islice(turns, len(holes)))
    moments = [moment_of(path.name) for path in paths]
    assert abs(datetime.now(UTC).replace(tzinfo=None) - moments[-1]) < timedelta(minutes=2)


def test_names_carry_the_time_of_the_zone(tmp_path: Path) -> None:
    feed(stream(1), tmp_path, rate=100, zone=ZoneInfo("Asia/Tokyo"), crops=1)
    ahead = moment_of(visible(tmp_path)[0].name) - datetime.now(UTC).replace(tzinfo=None)
    assert timedelta(hours=8, minutes=50) < ahead < timedelta(hours=9, minutes=10)


def test_a_hole_never_has_two_crops_of_one_name(tmp_path: Path) -> None:
    """Far more crops than the clock has milliseconds for."""
    summary = feed(stream(1), tmp_path, rate=1e6, zone=UTC, crops=300)
    assert len(visible(tmp_path)) == summary.crops == 300


def test_a_time_is_kept_by_the_number_of_crops(tmp_path: Path) -> None:
    assert feed(stream(), tmp_path, rate=200, zone=UTC, seconds=0.2).crops == len(visible(tmp_path)) == 40


def test_no_program_sees_half_a_crop(tmp_path: Path) -> None:
    """A file gets its visible name by a rename, never by being written."""
    seen: list[FileSystemEvent] = []

    class Noting(FileSystemEventHandler):
        def on_any_event(self, event: FileSystemEvent) -> None:
            seen.append(event)

    observer = Observer()
    observer.schedule(Noting(), str(tmp_path))
    observer.start()
    try:
        feed(stream(), tmp_path, rate=200, zone=UTC, crops=5)
        (tmp_path / "end").touch()
        while not any(str(event.src_path).endswith("end") for event in seen):
            threading.Event().wait(0.01)
    finally:
        observer.stop()
        observer.join()
    written = {Path(str(event.src_path)).name for event in seen if event.event_type in ("created", "modified")}
    assert {name for name in written if NAME.fullmatch(name)} == set()
    assert len({str(event.dest_path) for event in seen if event.event_type == "moved"}) == 5


def test_labels_are_the_truth(tmp_path: Path) -> None:
    """Copies of the same bytes, in the folder of what the stream knows, after the crop itself."""
    inbox, folder = tmp_path / "inbox", tmp_path / "labelled"
    short = timedelta(seconds=0.1)
    crops = stream(2, proliv_every=timedelta(seconds=0.4), growing=short, pouring=short, empty=short)
    sentences: list[str] = []
    labels = Labels(folder, delay=0.05)
    summary = feed(crops, inbox, rate=100, zone=UTC, crops=150, labels=labels, tell=sentences.append)
    found = {label: {path.name: path for path in visible(folder / label)} for label in ("proliv", "ne_proliv")}
    assert summary.labelled == 150
    assert summary.proliv == len(found["proliv"]) > 10
    assert found["proliv"].keys() | found["ne_proliv"].keys() == {path.name for path in visible(inbox)}
    for path in [*found["proliv"].values(), *found["ne_proliv"].values()]:
        assert path.read_bytes() == (inbox / path.name).read_bytes()
    told = " ".join(sentences)
    for words in ("metal breaks out", "the hole is empty", "is repaired"):
        assert words in told


def test_a_share_of_the_labels(tmp_path: Path) -> None:
    labels = Labels(tmp_path / "labelled", share=0.3, delay=0)
    summary = feed(stream(1), tmp_path / "inbox", rate=1e4, zone=UTC, crops=300, labels=labels)
    assert 60 < summary.labelled < 120
    assert len(visible(tmp_path / "labelled" / "ne_proliv")) == summary.labelled


def test_a_stream_that_is_stopped_places_all_labels_at_once(tmp_path: Path) -> None:
    stop = threading.Event()

    class Stopping(CropStream):
        def crop(self, moment: datetime) -> StreamedCrop:
            moments.append(moment)
            if len(moments) == 4:
                stop.set()
            return super().crop(moment)

    moments: list[datetime] = []
    crops = Stopping([CastingTable(1, holes=2)])
    summary = feed(crops, tmp_path / "inbox", rate=100, zone=UTC, labels=Labels(tmp_path, delay=1e6), stop=stop)
    assert summary.crops == summary.labelled == 4


def test_what_cannot_be_written_in_time_is_left_out_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeding, "_MOST_BEHIND", 0.02)
    sentences: list[str] = []
    summary = feed(stream(), tmp_path, rate=1e5, zone=UTC, seconds=0.3, tell=sentences.append)
    assert summary.left_out > 0
    assert summary.crops == len(visible(tmp_path)) < 3e4
    assert "cannot keep up with 100000 crops a second" in sentences[0]
    assert "ask for a lower rate" in sentences[0]


def test_a_folder_that_vanishes_ends_the_stream_and_is_not_made_again(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"

    class Unmounting(CropStream):
        def crop(self, moment: datetime) -> StreamedCrop:
            if inbox.exists() and len(list(inbox.iterdir())) == 3:
                for path in inbox.iterdir():
                    path.unlink()
                inbox.rmdir()
            return super().crop(moment)

    with pytest.raises(OutputError, match=r"inbox/.*the folder is gone.*3 crops were written before"):
        feed(Unmounting([CastingTable(1, holes=2)]), inbox, rate=1000, zone=UTC, crops=10)
    assert not inbox.exists()


@pytest.mark.parametrize("part", ["inbox", "labelled"])
def test_a_file_in_place_of_a_folder_is_refused(tmp_path: Path, part: str) -> None:
    (tmp_path / part).write_text("")
    with pytest.raises(OutputError, match=f"{part}.*name another one"):
        feed(stream(), tmp_path / "inbox", rate=1, zone=UTC, crops=1, labels=Labels(tmp_path / "labelled"))


def test_signals_stop_and_are_given_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with stop_on_signals() as stop:
        assert not stop.is_set()
        signal.raise_signal(signal.SIGTERM)
        assert stop.is_set()
    assert signal.getsignal(signal.SIGTERM) is before


def test_nothing_asked_for_gives_an_empty_summary(tmp_path: Path) -> None:
    summary = feed(stream(), tmp_path, rate=10, zone=UTC, crops=0)
    assert summary == FeedSummary(seconds=summary.seconds)
    assert list(tmp_path.iterdir()) == []
