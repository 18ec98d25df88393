"""``monitor gen crops --stream`` as a person runs it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from generators.commands import gen
from monitor.api import OutputError

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

    from tests.conftest import RunMonitor


def crops(*arguments: str | Path) -> Result:
    return CliRunner().invoke(gen, ["crops", *map(str, arguments)])


def test_a_stream_of_so_many_crops(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    ended = crops(inbox, "--stream", "--rate", "500", "--crops", "12", "--holes", "3", "--cameras", "CA")
    assert ended.exit_code == 0, ended.output
    assert ended.output.startswith(f"Wrote 12 crops into {inbox} in 0 s: 0 of them proliv, 0 labelled.")
    names = sorted("_".join(path.name.split("_")[:3]) for path in inbox.glob("*.jpg"))
    assert names == sorted([f"{hole}_CAM_{camera}" for hole in (1, 2, 3) for camera in "AC"] * 2)


@pytest.mark.process
def test_a_camera_goes_on_when_nobody_reads_what_it_says(tmp_path: Path, clean_environment: dict[str, str]) -> None:
    # About forty bleed-outs begin in this time, and each is said.
    arguments = ["inbox", "--stream", "--rate", "1000", "--crops", "200", "--proliv-every", "0.0001", "--holes", "20"]
    with subprocess.Popen(
        [sys.executable, "-m", "monitor", "gen", "crops", *arguments],
        cwd=tmp_path, env=clean_environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0
    assert len(list((tmp_path / "inbox").glob("*.jpg"))) == 200


def test_crops_are_added_to_an_inbox_that_holds_some(tmp_path: Path) -> None:
    for _ in range(2):
        assert crops(tmp_path, "--stream", "--rate", "500", "--seconds", "0.02", "--holes", "99").exit_code == 0
    assert len(list(tmp_path.glob("*.jpg"))) == 20


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--rate", "3"], "--rate needs --stream"),
        (["--label-share", "1"], "--label-share needs --stream"),
        (["--stream", "--train", "3"], "--train does not go with --stream"),
        (["--stream", "--rate", "0"], "--rate"),
        (["--stream", "--rate", "inf"], "--rate"),
        (["--stream", "--rate", "nan"], "nan is not a finite number"),
        (["--stream", "--seconds", "nan"], "nan is not a finite number"),
        (["--stream", "--proliv-every", "nan"], "nan is not a finite number"),
        (["--stream", "--proliv-every", "1e300"], "--proliv-every"),
        (["--stream", "--label-share", "nan"], "nan is not a finite number"),
        (["--empty", "nan"], "nan is not a finite number"),
        (["--train", "9" * 30], "--train"),
        (["--stream", "--holes", "0"], "--holes"),
        (["--stream", "--cameras", "CC"], "'CC' is not one or several different letters"),
        (["--stream", "--cameras", "Ж"], "such as C or ABC"),
        (["--stream", "--time-zone", "Mars/Olympus"], "'Mars/Olympus' is no time zone"),
        (["--stream", "--time-zone", "../UTC"], "is no time zone"),
        (["--events", "3"], "--events needs --stream"),
        (["--stream", "--events", "3"], "--events needs --seconds or --crops"),
        (["--stream", "--start", "2026-03-01T06:00"], "--start needs --seconds or --crops"),
        (["--stream", "--events", "3", "--crops", "9", "--proliv-every", "1"], "either --events or --proliv-every"),
        (["--stream", "--start", "soon", "--crops", "1"], "'soon' is not a time; write it as"),
        (["--stream", "--start", "2026-03-01T06:00+03:00", "--crops", "1"], "has a time zone; leave it out"),
        (["--stream", "--start", "0001-01-01", "--crops", "1"], "is not a time from 1970 to 2099"),
        (["--stream", "--start", "2026-03-01", "--crops", "9", "--rate", "1e-300"], "would take more than 366 days"),
    ],
)
def test_a_wrong_line_writes_nothing(tmp_path: Path, arguments: list[str], sentence: str) -> None:
    ended = crops(tmp_path / "inbox", *arguments)
    assert ended.exit_code == 2
    assert sentence in ended.output
    assert not (tmp_path / "inbox").exists()


def test_so_many_events_in_made_up_time_with_their_truth(tmp_path: Path) -> None:
    options = ["--rate", "2", "--holes", "2", "--seconds", "600", "--events", "2", "--time-zone", "Europe/Moscow"]
    ended = crops(tmp_path, "--stream", *options, "--start", "2026-03-01T06:00")
    assert ended.exit_code == 0, ended.output
    assert len(list(tmp_path.glob("*_01-03-2026_06-0*.jpg"))) == 1200
    header, *lines = (tmp_path / "events.csv").read_text().splitlines()
    assert header == "hole,camera,start,end"
    events = [line.split(",") for line in lines]
    assert sorted(hole for hole, *_ in events) == ["1", "2"]
    for hole, camera, *times in events:
        start, end = map(datetime.fromisoformat, times)
        assert start.utcoffset() == timedelta(hours=3)
        assert end - start == timedelta(seconds=164)
        for moment in (start, end):
            stamp = f"{moment:%d-%m-%Y_%H-%M-%S}-{moment.microsecond // 1000:03}"
            assert (tmp_path / f"{hole}_CAM_{camera}_{stamp}.jpg").exists()


def test_true_events_are_added_to_those_of_an_earlier_stream(tmp_path: Path) -> None:
    options = ["--stream", "--rate", "1", "--holes", "1", "--seconds", "60", "--events", "1"]
    for day in (1, 2):
        assert crops(tmp_path, *options, "--start", f"2026-03-0{day}").exit_code == 0
    lines = (tmp_path / "events.csv").read_text().splitlines()[1:]
    assert [line[:14] for line in lines] == ["1,C,2026-03-01", "1,C,2026-03-02"]
    (tmp_path / "events.csv").write_text("something else\n")
    ended = crops(tmp_path, *options, "--start", "2026-03-03")
    assert isinstance(ended.exception, OutputError)
    assert "events.csv: is no list of the events of a stream; move it away" in str(ended.exception)
    assert list(tmp_path.glob("*_03-03-2026_*")) == []


@pytest.mark.process
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_in_order(tmp_path: Path, clean_environment: dict[str, str], number: signal.Signals) -> None:
    command = [sys.executable, "-m", "monitor", "gen", "crops", "inbox", "--stream", "--rate", "100", "--holes", "2"]
    started = subprocess.Popen(
        [*command, "--labelled", "labelled"], cwd=tmp_path, env=clean_environment, stdout=subprocess.PIPE, text=True
    )
    inbox = tmp_path / "inbox"
    while started.poll() is None and not (inbox.is_dir() and any(inbox.glob("[0-9]*.jpg"))):
        time.sleep(0.01)
    started.send_signal(number)
    output, _ = started.communicate(timeout=60)
    assert started.returncode == 0, output
    written = list(inbox.glob("*.jpg"))
    assert output.splitlines()[-1].startswith(f"Wrote {len(written)} crops into inbox in ")
    assert [path.name for path in written if path.name.startswith(".")] == []
    assert len(list((tmp_path / "labelled" / "ne_proliv").iterdir())) == len(written)


@pytest.mark.process
def test_a_disk_that_takes_no_more_is_said(tmp_path: Path, clean_environment: dict[str, str]) -> None:
    """A limit on the size of files stands for a full disk: the first write fails."""
    line = 'ulimit -f 0 && exec "$0" -m monitor gen crops inbox --stream --crops 3'
    ended = subprocess.run(
        ["bash", "-c", line, sys.executable],
        cwd=tmp_path,
        env={**clean_environment, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 73, ended.stderr
    assert "monitor: inbox/1_CAM_C_" in ended.stderr
    assert "0 crops were written before" in ended.stderr
    assert list((tmp_path / "inbox").iterdir()) == []


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path, run_monitor: RunMonitor) -> None:
    (tmp_path / "file").write_text("")
    ended = run_monitor("gen", "crops", "file/inbox", "--stream", "--crops", "1")
    assert ended.returncode == 73
    assert ended.stderr.startswith("monitor: file/inbox: the folder cannot be made: ")
