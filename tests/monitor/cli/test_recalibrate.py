from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.monitor.cli.conftest import Rows, Run

LOW = "[calibration]\nminimum_normal = 5\nminimum_proliv = 5\n"


@pytest.fixture
def labelled(trained: Path, small_dataset: Path) -> Path:
    """The working directory with a labelled folder: four proliv of the test, and four ne_proliv."""
    (trained / "config.toml").write_text(LOW, encoding="utf-8")
    for label in ("proliv", "ne_proliv"):
        folder = trained / "labelled" / label
        folder.mkdir(parents=True)
        for path in sorted((small_dataset / "test" / label).iterdir())[:4]:
            shutil.copy(path, folder)
    return trained


def test_the_labelled_folder_is_read_and_counts(labelled: Path, monitor: Run, rows: Rows) -> None:
    ((before,),) = rows("select threshold from calibrations where state = 'active'")
    outcome = monitor("recalibrate", "--format", "json", "--accept")
    assert outcome.returncode == 0
    report = json.loads(outcome.stdout)
    assert (report["result"], report["before"]) == ("activated", before)
    assert rows("select source, count(*) from crops group by source") == [("labelled", 8)]
    assert rows("select label, source, count(*) from labels group by label order by label") == [
        ("ne_proliv", "folder", 4), ("proliv", "folder", 4),
    ]  # fmt: skip
    ((threshold, origin, evidence),) = rows(
        "select threshold, origin, evidence from calibrations where state = 'active'"
    )
    assert (threshold, origin) == (report["threshold"], "recalibrate")
    kept = json.loads(evidence)
    assert (kept["labelled"], kept["proliv_crops"]) == (8, 24)
    assert report["evaluation"]["tp"] + report["evaluation"]["fn"] == 24


def test_a_dry_run_changes_no_threshold(labelled: Path, monitor: Run, rows: Rows) -> None:
    before = rows("select * from calibrations")
    assert monitor("recalibrate", "--dry-run", "--accept").returncode == 0
    assert rows("select * from calibrations") == before


def test_a_refusal_is_told_and_kept_and_the_old_threshold_stands(labelled: Path, monitor: Run, rows: Rows) -> None:
    before = rows("select id, threshold from calibrations where state = 'active'")
    outcome = monitor("recalibrate", "--rule", "fixed", "--set", "threshold=1e9")
    assert outcome.returncode == 65
    assert "refused (large_jump): the new threshold 1e+09 differs from the active " in outcome.stderr
    assert rows("select id, threshold from calibrations where state = 'active'") == before
    assert rows("select refusal, threshold from calibrations where state = 'refused'") == [("large_jump", 1e9)]
    shown = monitor("threshold", "show").stdout
    assert "refused      #2" in shown
    assert "differs from the active" in shown


def test_too_few_normal_crops(labelled: Path, monitor: Run, rows: Rows) -> None:
    (labelled / "config.toml").write_text("[calibration]\nminimum_normal = 5000\n", encoding="utf-8")
    outcome = monitor("recalibrate")
    assert outcome.returncode == 65
    assert "are fewer than calibration.minimum_normal 5000; draw about " in outcome.stderr
    assert "no new threshold by quantile-midpoint; " in outcome.stdout
    assert rows("select threshold, refusal from calibrations where state = 'refused'") == [(None, "too_few_normal")]


def test_files_that_are_deleted_after_they_were_read_still_count(labelled: Path, monitor: Run, rows: Rows) -> None:
    assert monitor("recalibrate", "--accept").returncode == 0
    shutil.rmtree(labelled / "labelled" / "proliv")
    (labelled / "labelled" / "proliv").mkdir()
    outcome = monitor("recalibrate", "--format", "json")
    report = json.loads(outcome.stdout)
    assert report["evaluation"]["tp"] + report["evaluation"]["fn"] == 24
    assert rows("select count(*) from labelled_files") == [(4,)]


def test_a_labelled_file_that_does_not_decode_is_named_and_left_out(labelled: Path, monitor: Run, rows: Rows) -> None:
    (labelled / "labelled" / "proliv" / "broken.jpg").write_bytes(b"\xff\xd8\xff nothing")
    outcome = monitor("recalibrate", "--accept")
    assert outcome.returncode == 0
    assert "labelled/proliv/broken.jpg: " in outcome.stderr
    assert rows("select count(*) from crops") == [(8,)]


def test_copies_of_the_training_crops_do_not_count(labelled: Path, monitor: Run, small_dataset: Path) -> None:
    (model,) = (labelled / "state" / "models").iterdir()
    trained_on = (model / "training.txt").read_text(encoding="ascii").split()
    assert len(trained_on) == 120
    assert not set(trained_on) & set((model / "validation.txt").read_text(encoding="ascii").split())
    for path in sorted((small_dataset / "train").iterdir()):
        shutil.copy(path, labelled / "labelled" / "ne_proliv")
    outcome = monitor("recalibrate", "--dry-run", "--accept", "--format", "json")
    assert outcome.returncode == 0
    report = json.loads(outcome.stdout)
    assert "120 crops labelled ne_proliv are among those that the model was trained on" in report["notes"]
    # The held-out ones count as they did, and the four labelled ones.
    assert report["evaluation"]["tn"] + report["evaluation"]["fp"] == 30 + 4


def test_without_an_active_model(trained: Path, monitor: Run, change: Callable[[str], None]) -> None:
    change("update models set active = 0")
    outcome = monitor("recalibrate")
    assert outcome.returncode == 4
    assert "no model is active" in outcome.stderr
