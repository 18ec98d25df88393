from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from monitor.cli import demo
from monitor.cli.demo_table import Seen
from monitor.crops.dataset import LabelledPath
from monitor.errors import DataError, OutputError
from monitor.words import Label

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    Run = Callable[..., subprocess.CompletedProcess[str]]
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


def seen(crop: int, verdict: str) -> Seen:
    return Seen(crop, f"{crop}.jpg", 1, 0.1, 0.05, verdict, "proliv")


def test_decisions_that_are_missing_fail_the_demo(tmp_path: Path) -> None:
    chosen = [LabelledPath(tmp_path / f"{number}.jpg", Label.PROLIV) for number in range(3)]
    decided = [seen(1, "proliv"), seen(2, "ne_proliv")]
    with pytest.raises(DataError, match=re.escape(f"{tmp_path}: the daemon decided on 2 of 3 crops")):
        demo._require_all(decided, chosen, tmp_path)
    demo._require_all(decided, chosen[:2], tmp_path)


def test_the_matrix_counts_decisions_by_label(capsys: pytest.CaptureFixture[str]) -> None:
    demo._print_matrix([seen(1, "proliv"), seen(2, "ne_proliv")])
    assert re.search(r"^labelled proliv +1 +1$", capsys.readouterr().out, re.MULTILINE)


@pytest.mark.parametrize("linked", [False, True])
def test_the_ways_to_look_around_can_be_pasted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], linked: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "demo"
    demo._print_ways([seen(7, "ne_proliv"), seen(9, "proliv")], folder, folder / "report.html", linked=linked)
    printed = capsys.readouterr().out
    assert "  demo/report.html " in printed
    assert ("--config demo/config.toml" in printed) is not linked
    assert re.search(r"monitor( --config \S+)? show 9  ", printed)
    demo._print_ways([seen(7, "ne_proliv")], folder, None, linked=linked)
    assert "report.html" not in capsys.readouterr().out


def test_a_link_to_the_state_replaces_only_a_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    link = Path("state")
    assert demo._link(link, tmp_path / "demo" / "state")
    assert demo._link(link, tmp_path / "demo-2" / "state")
    assert link.readlink() == Path("demo-2/state")
    link.unlink()
    link.mkdir()
    assert not demo._link(link, tmp_path / "demo" / "state")
    assert not link.is_symlink()


def test_a_wrong_folder_of_crops_leaves_nothing_behind(home: Path, monitor: Run) -> None:
    before = sorted(home.iterdir())
    missing = monitor("demo", "--data", "nowhere")
    assert (missing.returncode, missing.stdout) == (66, "")
    assert missing.stderr == "monitor: nowhere: there is no such folder; check the path\n"
    (home / "half" / "train").mkdir(parents=True)
    (home / "half" / "train" / "a.jpg").touch()
    half = monitor("demo", "--data", "half")
    assert (half.returncode, half.stdout) == (65, "")
    assert "half: looked for crops with proliv in proliv/; for " in half.stderr
    assert sorted(home.iterdir()) == sorted([*before, home / "half"])


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
    assert not (home / "demo").exists()


# It trains, calibrates, decides and draws one after the other, each in a process of its own.
@pytest.mark.timeout(400)
def test_the_whole_demo(home: Path, start: Start, small_dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONITOR__DETECTORS", "{contrast = {pool = 512, epochs = 2}}")
    process = start("demo", "--data", small_dataset, "--state-link", "state")
    out, err = (stream.decode() for stream in process.communicate())
    assert process.returncode == 0, err
    steps = [line.removeprefix("$ monitor ").split()[0] for line in out.splitlines() if line.startswith("$ ")]
    assert steps == ["train", "calibrate", "evaluate", "run", "report"]
    assert re.search(r"^ +id +crop +hole +score +threshold +verdict +label$", out, re.MULTILINE)
    counts = [int(number) for row in re.findall(r"^labelled \w+ +(\d+) +(\d+)$", out, re.MULTILINE) for number in row]
    assert len(counts) == 4
    assert sum(counts) == 40
    assert str(home / "demo") in out
    assert (home / "demo" / "report.html").is_file()
    assert "Traceback" not in err
    # The configuration of the working folder finds the demo's state.
    status = start("status", "--format", "json")
    shown = json.loads(status.communicate()[0])
    assert status.returncode == 0
    assert shown["scored"] == 40
