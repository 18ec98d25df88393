"""What alarms are worth, from the command line."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from generators.commands import gen

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven minutes of three holes, with two events."""
    folder = tmp_path_factory.mktemp("stream") / "stream"
    options = ["--rate", "1.5", "--holes", "3", "--seconds", "420", "--events", "2", "--seed", "1"]
    made = CliRunner().invoke(gen, ["crops", str(folder), "--stream", *options, "--start", "2026-03-01T06:00"])
    assert made.exit_code == 0, made.output
    return folder


def evaluated(monitor: Run, folder: Path, *options: str) -> dict[str, Any]:
    outcome = monitor("evaluate", "--alarms", folder, *options, "--format", "json")
    assert outcome.returncode == 0, outcome.stderr
    found = json.loads(outcome.stdout)
    assert isinstance(found, dict)
    return found


def test_alarms_on_a_stream_are_compared_with_its_events(
    trained: Path, monitor: Run, stream: Path, dump: Callable[[], list[str]]
) -> None:
    before = dump()
    found = evaluated(monitor, stream, "--k", "2", "--k", "3", "--n", "4", "--within", "10")
    assert (found["crops"], found["holes"], found["events"], found["truth"]) == (630, 3, 2, "events.csv")
    assert found["table_days"] == pytest.approx(420 / 86400, rel=0.01)
    first, *others = found["rules"]
    assert (first["configured"], first["k"], first["n"]) == (True, 1, 1)
    assert [(one["configured"], one["k"], one["n"], one["within_seconds"]) for one in others] == [
        (False, 2, 4, 10.0), (False, 3, 4, 10.0),
    ]  # fmt: skip
    for one in found["rules"]:
        assert one["events_caught"] + one["events_joined"] + one["events_missed"] == 2
        assert one["true_alarms"] >= one["events_caught"]
    assert others[0]["events_caught"] == 2
    assert 0 < others[0]["seconds_median"] <= others[1]["seconds_median"] <= 60
    assert dump() == before
    text = monitor("evaluate", "--alarms", stream)
    assert text.stdout.startswith("630 crops, ")
    assert "2 events by events.csv\n" in text.stdout
    assert len([line for line in text.stdout.splitlines() if line.endswith(" configured")]) == 1
    assert len([line for line in text.stdout.splitlines() if line[:1].isdecimal() and "%" in line]) == 14


def test_the_verdicts_are_those_of_the_decision(trained: Path, monitor: Run, stream: Path) -> None:
    scored = monitor("score", stream, "--no-store", "--exit-zero", "--format", "json")
    proliv = sum(json.loads(line)["verdict"] == "proliv" for line in scored.stdout.splitlines())
    assert evaluated(monitor, stream, "--k", "1")["proliv"] == proliv > 0


def test_a_labelled_folder_tells_its_events_by_itself(
    trained: Path, monitor: Run, stream: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "labelled"
    (folder / "proliv").mkdir(parents=True)
    (folder / "ne_proliv").mkdir()
    events = [line.split(",") for line in (stream / "events.csv").read_text().splitlines()[1:]]
    for path in stream.glob("*.jpg"):
        hole, _, _, _, time = path.stem.split("_")
        clock = f"2026-03-01T{time[:8].replace('-', ':')}.{time[9:]}+00:00"
        shown = any(one[0] == hole and one[2] <= clock <= one[3] for one in events)
        shutil.copy(path, folder / ("proliv" if shown else "ne_proliv"))
    by_labels, by_file = evaluated(monitor, folder), evaluated(monitor, stream)
    assert by_labels.pop("truth") == "labels"
    assert by_file.pop("truth") == "events.csv"
    assert by_labels == by_file


def test_what_cannot_be_placed_is_left_out_and_said(trained: Path, monitor: Run, stream: Path, tmp_path: Path) -> None:
    folder = tmp_path / "crops"
    shutil.copytree(stream, folder)
    first = min(folder.glob("1_*.jpg"))
    first.rename(folder / "a name that tells nothing.jpg")
    (folder / "broken.jpg").write_bytes(b"no picture")
    outcome = monitor("evaluate", "--alarms", folder, "--k", "1")
    assert outcome.returncode == 0
    assert outcome.stdout.startswith("629 crops, ")
    assert "1 crop left out: could not be read or decided on" in outcome.stderr
    assert "1 crop left out: no time in the name" in outcome.stderr


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--data", "crops"], "(--alarms DIR), and beside it only --k, --n, --within and --format"),
        (["--all"], "--alarms takes the folder itself"),
        (["--k", "3", "--n", "2"], "--n must be at least --k"),
        (["--k", "0"], "--k"),
        (["--within", "0"], "--within"),
        ([f"--k={k}" for k in range(1, 60)], "these are 117 rules; ask for 100 at most"),
    ],
)
def test_a_wrong_line_is_refused(trained: Path, monitor: Run, stream: Path, options: list[str], sentence: str) -> None:
    outcome = monitor("evaluate", "--alarms", stream, *options)
    assert outcome.returncode == 2
    assert sentence in outcome.stderr


def test_another_clock_than_that_of_the_names_is_noticed(
    trained: Path, monitor: Run, stream: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = "none of the events lies within the time of the crops, from 2026-03-01 06:00:00"
    assert words not in monitor("evaluate", "--alarms", stream, "--k", "1").stderr
    monkeypatch.setenv("MONITOR__PLANT__TIME_ZONE", "Europe/Moscow")
    outcome = monitor("evaluate", "--alarms", stream, "--k", "1")
    assert (outcome.returncode, f"{words}+03:00 to " in outcome.stderr) == (0, True)
    assert "is plant.time_zone the clock of their names?" in outcome.stderr


def test_rules_of_alarms_need_alarms(trained: Path, monitor: Run, small_dataset: Path) -> None:
    outcome = monitor("evaluate", "--data", small_dataset, "--k", "2")
    assert (outcome.returncode, "--k, --n and --within need --alarms" in outcome.stderr) == (2, True)


def test_a_folder_without_a_truth_or_crops_is_said(trained: Path, monitor: Run, tmp_path: Path) -> None:
    folder = tmp_path / "empty"
    for code, sentence in ((66, "there is no such folder"), (65, "or write the true events into ")):
        outcome = monitor("evaluate", "--alarms", folder)
        assert (outcome.returncode, sentence in outcome.stderr) == (code, True), outcome.stderr
        folder.mkdir(exist_ok=True)
    (folder / "events.csv").write_text("hole,camera,start,end\n")
    outcome = monitor("evaluate", "--alarms", folder)
    assert outcome.returncode == 65
    assert "no crop in it could be decided on and has a time in its name" in outcome.stderr
    (folder / "events.csv").write_text("hole,camera\n")
    assert (
        "events.csv:1: the first line must be hole,camera,start,end" in monitor("evaluate", "--alarms", folder).stderr
    )
