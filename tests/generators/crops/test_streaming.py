"""A stream of crops: each hole in turn, bleed-outs that grow, and an inbox that is fed in real time."""

from __future__ import annotations

import re
import signal
import threading
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from PIL import Image
from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

from generators.crops import feeding
from generators.crops.datasets import CastingTable, encode
from generators.crops.feeding import FeedSummary, Labels, Pace, feed, stop_on_signals
from generators.crops.streaming import CropStream, StreamedCrop
from monitor.api import OutputError

if TYPE_CHECKING:
    from collections.abc import Sequence

NAME = re.compile(r"(?P<hole>\d{1,2})_CAM_(?P<camera>[A-Z])_(?P<moment>\d\d-\d\d-\d{4}_\d\d-\d\d-\d\d-\d{3})\.jpg")
START = datetime(2026, 3, 1, 12)  # noqa: DTZ001 - names carry local time


def stream(holes: int = 3, cameras: str = "C", **options: timedelta | int | None) -> CropStream:
    tables = [CastingTable(1, holes=holes, camera=camera) for camera in cameras]
    return CropStream(tables, **options)  # type: ignore[arg-type]


def watch(crops: CropStream, count: int, step: timedelta = timedelta(seconds=1)) -> list[StreamedCrop]:
    return [crops.crop(START + turn * step) for turn in range(count)]


def visible(folder: Path) -> list[Path]:
    """The crops of a folder in the order of their time; a hidden file must not have stayed."""
    paths = list(folder.iterdir())
    assert [path for path in paths if not NAME.fullmatch(path.name)] == []
    return sorted(paths, key=lambda path: moment_of(path.name))


def moment_of(name: str) -> datetime:
    match = NAME.fullmatch(name)
    assert match
    return datetime.strptime(match["moment"], "%d-%m-%Y_%H-%M-%S-%f")  # noqa: DTZ007


def kinds(crops: Sequence[StreamedCrop]) -> list[str]:
    return [kind for kind, _ in groupby(crop.kind for crop in crops)]


def test_every_hole_of_every_camera_has_its_turn() -> None:
    crops = watch(stream(2, "CA"), 6)
    assert [(crop.camera, crop.hole) for crop in crops] == [("C", 1), ("C", 2), ("A", 1), ("A", 2), ("C", 1), ("C", 2)]
    assert crops[0].name == "1_CAM_C_01-03-2026_12-00-00-000.jpg"
    assert {crop.pixels.dtype for crop in crops} == {np.dtype(np.uint8)}


def test_the_same_seed_and_moments_give_the_same_crops() -> None:
    every = timedelta(seconds=20)
    one, same, other = (
        [crop.pixels.tobytes() for crop in watch(stream(seed=seed, proliv_every=every), 90)] for seed in (4, 4, 5)
    )
    assert one == same
    assert len(set(one) & set(other)) < len(one) / 10


def test_a_bleed_out_grows_empties_the_hole_and_is_repaired() -> None:
    crops = watch(stream(1, proliv_every=timedelta(minutes=8)), 900)
    assert kinds(crops)[:4] == ["normal", "pouring", "empty", "normal"]
    pouring = [crop for crop in crops if crop.kind == "pouring"][:45]
    assert (pouring[-1].moment - pouring[0].moment).seconds == 44
    brightest = [float(crop.pixels.max()) for crop in pouring]
    assert np.mean(brightest[:8]) < np.mean(brightest[-15:]) - 20
    assert {crop.proliv for crop in crops if crop.kind == "normal"} == {False}
    assert {crop.proliv for crop in crops if crop.kind != "normal"} == {True}
    lengths = [len(list(group)) for _, group in groupby(crop.kind for crop in crops)]
    assert lengths[1:3] == [45, 120]


def test_bleed_outs_come_about_as_often_as_asked_for() -> None:
    crops = watch(stream(10, proliv_every=timedelta(minutes=5)), 3000, timedelta(seconds=4))
    began = 0
    for hole in range(1, 11):
        began += kinds([crop for crop in crops if crop.hole == hole]).count("pouring")
    assert 30 <= began <= 50


def test_without_a_pause_between_bleed_outs_there_is_none() -> None:
    assert {crop.kind for crop in watch(stream(), 50, timedelta(hours=1))} == {"normal"}


def test_no_hole_breaks_out_twice_at_once() -> None:
    crops = watch(stream(2, proliv_every=timedelta(seconds=1)), 400)
    for hole in (1, 2):
        order = kinds([crop for crop in crops if crop.hole == hole])
        assert "".join(kind[0] for kind in order).lstrip("n").startswith("penpe")


def test_a_stream_without_a_hole_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one hole"):
        CropStream([])


def test_the_pace_goes_by_the_start_and_not_by_the_crop_before() -> None:
    pace = Pace(4)
    due = []
    for _ in range(5):
        due.append(pace.due)
        pace.advance()
    assert due == [0, 0.25, 0.5, 0.75, 1.0]


def test_whoever_is_late_catches_up_and_whoever_is_very_late_leaves_crops_out() -> None:
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
    holes = [path.name.split("_")[0] for path in paths]
    assert holes == ["1", "2", "3"] * 10
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


def test_nobody_sees_half_a_crop(tmp_path: Path) -> None:
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


def test_whoever_is_told_to_stop_labels_at_once_what_is_there(tmp_path: Path) -> None:
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


def test_a_streamed_crop_is_as_small_as_a_real_one() -> None:
    assert 900 < np.mean([len(encode(crop.pixels)) for crop in watch(stream(40), 40)]) < 1250
