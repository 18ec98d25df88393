from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from monitor.cli import demo
from monitor.crops.dataset import LabelledPath
from monitor.errors import DataError, OutputError
from monitor.words import Label

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    Start = Callable[..., subprocess.Popen[bytes]]


def test_a_folder_of_its_own_every_time(tmp_path: Path) -> None:
    wanted = tmp_path / "deep" / "demo"
    made = [demo._fresh(wanted) for _ in range(3)]
    assert made == [wanted, wanted.with_name("demo-2"), wanted.with_name("demo-3")]
    assert all(folder.is_dir() for folder in made)


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=re.escape(f"{tmp_path}/file/demo: the demo's folder cannot be created: ")):
        demo._fresh(tmp_path / "file" / "demo")


def test_crops_of_one_name_do_not_replace_each_other(tmp_path: Path) -> None:
    taken: dict[Any, str] = {}
    for _ in range(3):
        target = demo._target(tmp_path, "a.jpg", taken)
        assert not target.exists()
        target.touch()
        taken[target] = "proliv"
    assert len(list(tmp_path.rglob("a.jpg"))) == 3


def test_the_sample_is_drawn_by_the_seed(tmp_path: Path) -> None:
    crops = [LabelledPath(tmp_path / f"{number}.jpg", Label.PROLIV) for number in range(demo.LIVE_LIMIT + 50)]
    samples = [demo._sample(crops, seed) for seed in (1, 1, 2)]
    assert samples[0] == samples[1] != samples[2]
    assert len(set(samples[0])) == demo.LIVE_LIMIT
    assert sorted(demo._sample(crops[:5], 1), key=lambda one: one.path) == crops[:5]


def test_the_conclusion_counts_and_fails_when_decisions_are_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = [LabelledPath(tmp_path / f"{number}.jpg", Label.PROLIV) for number in range(3)]
    seen = [
        demo.Seen("0.jpg", 1, 0.1, 0.05, "proliv", "proliv"),
        demo.Seen("1.jpg", 1, 0.1, 0.2, "ne_proliv", "proliv"),
    ]
    with pytest.raises(DataError, match=re.escape(f"{tmp_path}: the daemon decided on 2 of 3 crops")):
        demo._conclude(seen, chosen, tmp_path, 1)
    assert re.search(r"^labelled proliv +1 +1$", capsys.readouterr().out, re.MULTILINE)


def test_a_failing_step_ends_the_demo_with_its_code(home: Path, start: Start, tmp_path: Path) -> None:
    for part in ("train", "proliv", "test/proliv", "test/ne_proliv"):
        (tmp_path / "data" / part).mkdir(parents=True)
        (tmp_path / "data" / part / "a.jpg").touch()
    process = start("demo", "--data", tmp_path / "data")
    out, err = process.communicate()
    assert process.returncode == 65
    assert b"$ monitor train" in out
    assert b"are needed; %s: it holds no bytes" % bytes(tmp_path / "data" / "train" / "a.jpg") in err
    assert b"$ monitor calibrate" not in out


def test_the_whole_demo(home: Path, start: Start, small_dataset: Path) -> None:
    process = start("demo", "--data", small_dataset)
    out, err = (stream.decode() for stream in process.communicate())
    assert process.returncode == 0, err
    steps = [line.removeprefix("$ monitor ").split()[0] for line in out.splitlines() if line.startswith("$ ")]
    assert steps == ["train", "calibrate", "evaluate", "run"]
    counts = [int(number) for row in re.findall(r"^labelled \w+ +(\d+) +(\d+)$", out, re.MULTILINE) for number in row]
    assert len(counts) == 4
    assert sum(counts) == 40
    assert str(home / "demo") in out
    assert "Traceback" not in err
