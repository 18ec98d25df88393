"""What `monitor score` stores, and what it knows from before."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.monitor.cli.conftest import COUNTS, fix_threshold, scored

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.monitor.cli.conftest import Rows, Run


class TestStore:
    def test_nothing_is_scored_twice(self, trained: Path, monitor: Run, rows: Rows, small_dataset: Path) -> None:
        first = scored(monitor, small_dataset / "test")
        stored = rows("select * from scores order by crop_id")
        assert len(stored) == len(rows("select * from crops")) == len(first) == 40
        again = monitor("score", small_dataset / "test", "--format", "json")
        assert [json.loads(line) for line in again.stdout.splitlines()] == first
        assert "0 decisions made now, 40 known from before; " in again.stderr
        assert rows("select * from scores order by crop_id") == stored

    def test_what_is_stored_is_what_is_shown(
        self, trained: Path, monitor: Run, rows: Rows, small_dataset: Path
    ) -> None:
        folder = small_dataset / "test"
        lines = scored(monitor, folder)
        query = (
            "select path, hole, mse, score, threshold, scores.verdict from crops join scores on crops.id = crop_id "
            "where state = 'scored'"
        )
        assert sorted(rows(query)) == sorted(
            (f"{folder}/{line['file']}", *(line[key] for key in ("hole", "mse", "score", "threshold", "verdict")))
            for line in lines
        )
        final = "select path, decision_score, decision_threshold, verdict, decided_by from crops"
        assert sorted(rows(final)) == sorted(
            (f"{folder}/{line['file']}", line["score"], line["threshold"], line["verdict"], "primary") for line in lines
        )

    def test_no_store_writes_nothing_and_knows_nothing(
        self, trained: Path, monitor: Run, dump: Callable[[], list[str]], small_dataset: Path
    ) -> None:
        before = dump()
        files = sorted(trained.rglob("*"))
        assert len(scored(monitor, small_dataset / "test", "--no-store")) == 40
        assert dump() == before
        assert sorted(trained.rglob("*")) == files
        scored(monitor, small_dataset / "test")
        stored = dump()
        again = monitor("score", small_dataset / "test", "--no-store")
        assert "40 decisions made now, 0 known from before; " in again.stderr
        assert dump() == stored

    def test_a_new_active_model_decides_on_old_crops(
        self, trained: Path, monitor: Run, rows: Rows, small_dataset: Path
    ) -> None:
        old = {line["model"] for line in scored(monitor, small_dataset / "test")}
        monitor("train", "ae", "--data", small_dataset, "--seed", "7", "--set", "epochs=1")
        monitor("calibrate", "--activate", "--data", small_dataset)
        outcome = monitor("score", small_dataset / "test", "--format", "json", "--exit-zero")
        new = {json.loads(line)["model"] for line in outcome.stdout.splitlines()}
        assert len(new) == 1
        assert new != old
        assert "40 decisions made now, 0 known from before; " in outcome.stderr
        assert rows(COUNTS) == [(40, 80)]

    def test_other_content_under_the_same_name_is_scored_anew(
        self, trained: Path, monitor: Run, rows: Rows, tmp_path: Path, small_dataset: Path
    ) -> None:
        shutil.copytree(small_dataset / "proliv", tmp_path / "crops")
        first = {line["file"]: line["mse"] for line in scored(monitor, tmp_path / "crops")}
        one, other = sorted(first)[:2]
        shutil.copy(tmp_path / "crops" / other, tmp_path / "crops" / one)
        outcome = monitor("score", tmp_path / "crops", "--format", "json")
        second = {line["file"]: line["mse"] for line in map(json.loads, outcome.stdout.splitlines())}
        assert "1 decisions made now, 19 known from before; " in outcome.stderr
        assert second == {**first, one: pytest.approx(first[other], rel=1e-5)}
        assert rows(COUNTS) == [(21, 21)]

    def test_known_decisions_by_an_earlier_threshold_are_said(
        self, trained: Path, monitor: Run, small_dataset: Path
    ) -> None:
        before = scored(monitor, small_dataset / "test")
        fix_threshold(monitor, small_dataset, 1000)
        outcome = monitor("score", small_dataset / "test", "--format", "json")
        assert [json.loads(line) for line in outcome.stdout.splitlines()] == before
        assert "40 known from before (40 by an earlier threshold; --no-store decides anew); " in outcome.stderr
        anew = scored(monitor, small_dataset / "test", "--no-store", code=0)
        assert {(line["threshold"], line["verdict"]) for line in anew} == {(1000, "ne_proliv")}

    def test_the_size_of_batches_changes_no_score(self, trained: Path, monitor: Run, small_dataset: Path) -> None:
        whole = scored(monitor, small_dataset / "test", "--no-store")
        (trained / "config.toml").write_text("[pipeline]\nbatch_size = 7\n", encoding="utf-8")
        parts = scored(monitor, small_dataset / "test", "--no-store")
        assert [line["file"] for line in parts] == [line["file"] for line in whole]
        assert [line["mse"] for line in parts] == pytest.approx([line["mse"] for line in whole], rel=1e-4)
