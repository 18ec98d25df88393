"""`monitor score`: exit codes, and crops that cannot be read."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from monitor.scoring import ensemble
from monitor.scoring.ensemble import load_active
from tests.monitor.cli.conftest import fix_threshold, scored

if TYPE_CHECKING:
    from pathlib import Path

    from tests.monitor.cli.conftest import Rows, Run


class TestExitCodes:
    def test_three_when_there_is_a_proliv_unless_told_otherwise(
        self, trained: Path, monitor: Run, small_dataset: Path
    ) -> None:
        lines = scored(monitor, small_dataset / "test")
        assert {line["verdict"] for line in lines} == {"proliv", "ne_proliv"}
        assert scored(monitor, small_dataset / "test", "--exit-zero", code=0) == lines

    def test_zero_when_there_is_none(self, trained: Path, monitor: Run, small_dataset: Path) -> None:
        fix_threshold(monitor, small_dataset, 1000)
        lines = scored(monitor, small_dataset / "test", code=0)
        assert {line["verdict"] for line in lines} == {"ne_proliv"}

    def test_a_score_at_the_threshold_is_a_proliv(self, trained: Path, monitor: Run, small_dataset: Path) -> None:
        lines = scored(monitor, small_dataset / "test", "--no-store")
        at = sorted(line["score"] for line in lines)[20]
        fix_threshold(monitor, small_dataset, at)
        verdicts = {line["score"]: line["verdict"] for line in scored(monitor, small_dataset / "test")}
        assert verdicts[at] == "proliv"
        assert all((verdict == "proliv") == (score >= at) for score, verdict in verdicts.items())

    def test_without_a_model(self, home: Path, monitor: Run, small_dataset: Path) -> None:
        outcome = monitor("score", small_dataset / "test")
        assert (outcome.returncode, outcome.stdout) == (4, "")
        assert "monitor train contrast --data DIR, then monitor calibrate --data DIR" in outcome.stderr

    def test_without_a_database_and_without_storing(self, home: Path, monitor: Run, small_dataset: Path) -> None:
        outcome = monitor("score", small_dataset / "test", "--no-store")
        assert (outcome.returncode, outcome.stdout) == (4, "")
        assert f"{home}/state/monitor.db: there is no database yet" in outcome.stderr
        assert not (home / "state").exists()

    def test_a_model_without_a_threshold_does_not_decide(self, home: Path, monitor: Run, small_dataset: Path) -> None:
        monitor("train", "ae", "--data", small_dataset, "--limit", "20", "--set", "epochs=1")
        assert monitor("score", small_dataset / "test").returncode == 4

    @pytest.mark.parametrize("name", ["model.json", "validation.txt", "detector/weights.safetensors"])
    def test_a_model_with_a_flipped_bit(self, trained: Path, monitor: Run, small_dataset: Path, name: str) -> None:
        (model,) = (trained / "state" / "models").iterdir()
        content = bytearray((model / name).read_bytes())
        content[len(content) // 2] ^= 1
        (model / name).write_bytes(content)
        outcome = monitor("score", small_dataset / "test")
        assert (outcome.returncode, outcome.stdout) == (65, "")
        assert f"monitor: {model}/{name}: " in outcome.stderr
        assert "restore it from a backup, or train again and activate the new model" in outcome.stderr

    def test_folders_that_hold_no_crops(self, trained: Path, monitor: Run) -> None:
        missing = monitor("score", "nowhere")
        assert missing.returncode == 66
        assert missing.stderr == f"monitor: {trained}/nowhere: there is no such folder; check the path\n"
        file = monitor("score", "config.toml")
        assert file.returncode == 66
        assert f"{trained}/config.toml: this is not a folder" in file.stderr
        (trained / "empty").mkdir()
        empty = monitor("score", "empty")
        assert empty.returncode == 66
        assert "monitor: empty: holds no crops" in empty.stderr

    def test_a_damaged_database(self, trained: Path, monitor: Run, small_dataset: Path) -> None:
        (trained / "state" / "monitor.db").write_text("not a database", encoding="utf-8")
        outcome = monitor("score", small_dataset / "test")
        assert outcome.returncode == 65
        assert f"{trained}/state/monitor.db: is damaged or not a database" in outcome.stderr


class TestFailures:
    def test_each_has_its_reason_and_nothing_stops(
        self, trained: Path, monitor: Run, rows: Rows, broken: Path, some_proliv: Path
    ) -> None:
        shutil.copy(some_proliv, broken / "good.jpg")
        lines = {line["file"]: line for line in scored(monitor, broken)}
        assert lines.pop("good.jpg")["verdict"] == "proliv"
        expected = {name: name.partition(".")[0].partition("-")[0] for name in lines}
        assert len(expected) == 7
        assert {name: line["reason"] for name, line in lines.items()} == expected
        assert all(line["error"] for line in lines.values())
        assert {line["verdict"] for line in lines.values()} == {None}
        stored = rows("select path, reason, error from crops where state = 'failed'")
        assert {path: (reason, error) for path, reason, error in stored} == {
            f"{broken}/{name}": (line["reason"], line["error"]) for name, line in lines.items()
        }

    def test_the_table_says_why(self, trained: Path, monitor: Run, broken: Path) -> None:
        outcome = monitor("score", broken)
        assert outcome.returncode == 65
        assert "failed: symlink: it is a symbolic link" in outcome.stdout
        assert "7 failed (empty 1, not_a_file 1, symlink 2, too_many_pixels 1, truncated 1, unknown_format 1)" in (
            outcome.stderr
        )

    def test_a_folder_that_became_a_link_since_it_was_listed(
        self, trained: Path, monitor: Run, tmp_path: Path, some_proliv: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        crop = tmp_path / "crops" / "a" / "b" / "1.jpg"
        crop.parent.mkdir(parents=True)
        shutil.copy(some_proliv, crop)
        named = tmp_path / "named"
        named.symlink_to(tmp_path / "crops")
        assert scored(monitor, named)[0]["verdict"] == "proliv"

        def swap_and_load(*arguments: Any) -> Any:
            (tmp_path / "crops" / "a").rename(tmp_path / "precious")
            (tmp_path / "crops" / "a").symlink_to(tmp_path / "precious")
            return load_active(*arguments)

        monkeypatch.setattr(ensemble, "load_active", swap_and_load)
        assert scored(monitor, named, "--no-store", code=65)[0]["reason"] == "symlink"

    def test_a_failed_crop_is_tried_again(
        self, trained: Path, monitor: Run, rows: Rows, tmp_path: Path, some_proliv: Path
    ) -> None:
        crop = tmp_path / "crops" / "a.jpg"
        crop.parent.mkdir()
        crop.touch()
        assert scored(monitor, crop.parent, code=65)[0]["reason"] == "empty"
        shutil.copy(some_proliv, crop)
        assert scored(monitor, crop.parent)[0]["reason"] is None

    def test_a_sub_folder_that_cannot_be_read_is_left_out(
        self, trained: Path, monitor: Run, tmp_path: Path, some_proliv: Path
    ) -> None:
        folder = tmp_path / "crops"
        folder.mkdir()
        shutil.copy(some_proliv, folder / "a.jpg")
        # Paths above 4,096 bytes can be made from within but not be listed, not even by root.
        here = os.open(folder, os.O_RDONLY)
        for _ in range(17):
            os.mkdir("d" * 250, dir_fd=here)
            inside = os.open("d" * 250, os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = inside
        os.close(here)
        outcome = monitor("score", folder)
        assert outcome.returncode == 3
        assert len(outcome.stdout.splitlines()) == 2
        assert outcome.stderr.count("the folder cannot be read: File name too long; it is left out") == 1
