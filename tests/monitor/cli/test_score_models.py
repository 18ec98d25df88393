"""`monitor score` with several active models."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from tests.monitor.cli.conftest import COUNTS, scored

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.monitor.cli.conftest import Rows, Run


def configure(home: Path, decide: str, *detectors: str) -> None:
    (home / "config.toml").write_text(
        f'[pipeline]\ndevice = "cpu"\n[decision]\ndecide = "{decide}"\ndetectors = {json.dumps(detectors)}\n'
    )


def own(line: dict[str, Any]) -> dict[str, str]:
    """The verdict of each detector."""
    return {one["detector"]: one["verdict"] for one in line["detectors"]}


class TestSeveralModels:
    def test_one_result_a_crop_by_the_primary_with_every_models_own(
        self, pair: Path, monitor: Run, rows: Rows, small_dataset: Path
    ) -> None:
        folder = small_dataset / "test"
        lines = scored(monitor, folder)
        assert len(lines) == 40
        assert [list(own(line)) for line in lines] == [["brightness", "ae"]] * 40
        assert {tuple(own(line).values()) for line in lines} >= {("proliv", "ne_proliv"), ("ne_proliv", "ne_proliv")}
        for line in lines:
            first = line["detectors"][0]
            assert {key: line[key] for key in first} == first
            assert all((one["verdict"] == "proliv") == (one["score"] >= one["threshold"]) for one in line["detectors"])
        assert rows(COUNTS) == [(40, 80)]
        assert rows("select distinct decided_by from crops") == [("primary",)]

    def test_what_is_passed_although_a_model_calls_it_proliv_is_unusual(
        self, pair: Path, monitor: Run, rows: Rows, small_dataset: Path
    ) -> None:
        configure(pair, "primary", "ae", "brightness")
        folder = small_dataset / "test"
        new = monitor("score", folder, "--format", "json")
        lines = [json.loads(line) for line in new.stdout.splitlines()]
        unusual = [line for line in lines if line["verdict"] == "ne_proliv" and "proliv" in own(line).values()]
        assert unusual
        assert [line for line in lines if line["unusual"]] == unusual
        assert list(lines[0])[-1] == "unusual"
        passed = sum(line["verdict"] == "ne_proliv" for line in lines)
        assert f"{passed} ne_proliv, 0 failed; {len(unusual)} of the ne_proliv unusual; 40 decisions" in new.stderr
        stored = rows("select path from crops where unusual")
        assert sorted(stored) == sorted((f"{folder}/{line['file']}",) for line in unusual)
        assert monitor("score", folder, "--format", "json").stdout == new.stdout

        table = list(csv.reader(io.StringIO(monitor("score", folder, "--format", "csv").stdout)))
        assert table[0][-4:] == ["brightness_score", "brightness_threshold", "brightness_verdict", "unusual"]
        assert {row[0]: row[-1] for row in table[1:]} == {line["file"]: str(int(line["unusual"])) for line in lines}
        text = monitor("score", folder).stdout.splitlines()
        assert text[0].split()[-1] == "unusual"
        assert {line.split()[0] for line in text[1:] if line.endswith(" unusual")} == {one["file"] for one in unusual}

        configure(pair, "any", "ae", "brightness")
        by_any = monitor("score", folder, "--format", "json")
        assert not any(json.loads(line)["unusual"] for line in by_any.stdout.splitlines())
        assert "unusual" not in by_any.stderr
        assert sorted(rows("select path from crops where unusual")) == sorted(stored)

    def test_a_model_alone_has_itself_beside(self, trained: Path, monitor: Run, small_dataset: Path) -> None:
        for line in scored(monitor, small_dataset / "test"):
            (one,) = line["detectors"]
            assert {key: line[key] for key in one} == one

    @pytest.mark.parametrize("decide", ["any", "all", "majority", "rank-mean"])
    def test_the_final_decision_is_the_models_together(
        self, pair: Path, monitor: Run, rows: Rows, small_dataset: Path, decide: str
    ) -> None:
        configure(pair, decide, "ae", "brightness")
        outcome = monitor("score", small_dataset / "test", "--format", "json")
        lines = [json.loads(line) for line in outcome.stdout.splitlines()]
        for line in lines:
            votes = [verdict == "proliv" for verdict in own(line).values()]
            final = line["verdict"] == "proliv"
            assert final == (line["score"] >= line["threshold"])
            if decide == "rank-mean":
                assert any(votes) if final else not all(votes)
            else:
                assert final == (any(votes) if decide == "any" else all(votes))
            assert line["detector"] == "decision"
            assert line["model"] == "+".join(one["model"] for one in line["detectors"])
            assert line["mse"] == line["detectors"][0]["mse"]
            assert list(own(line)) == ["ae", "brightness"]
        proliv = sum(line["verdict"] == "proliv" for line in lines)
        assert outcome.returncode == (3 if proliv else 0)
        assert outcome.stderr.startswith(f"40 crops: {proliv} proliv, {40 - proliv} ne_proliv, 0 failed; ")
        assert "40 decisions made now, 0 known from before; " in outcome.stderr
        stored = rows("select path, decision_score, decision_threshold, verdict, decided_by from crops")
        assert sorted(stored) == sorted(
            (f"{small_dataset}/test/{line['file']}", line["score"], line["threshold"], line["verdict"], decide)
            for line in lines
        )
        again = monitor("score", small_dataset / "test", "--format", "json")
        assert again.stdout == outcome.stdout
        assert "0 decisions made now, 40 known from before; " in again.stderr

    def test_stored_decisions_become_one_as_is_configured_now(
        self, pair: Path, monitor: Run, dump: Callable[[], list[str]], small_dataset: Path
    ) -> None:
        by_primary = scored(monitor, small_dataset / "test")
        stored = dump()
        configure(pair, "any")
        by_any = scored(monitor, small_dataset / "test")
        assert [line["detectors"] for line in by_any] == [line["detectors"] for line in by_primary]
        assert [line["verdict"] for line in by_any] != [line["verdict"] for line in by_primary]
        assert [line["verdict"] == "proliv" for line in by_any] == ["proliv" in own(line).values() for line in by_any]
        assert dump() == stored

    def test_only_the_named_detectors_are_run(
        self, pair: Path, monitor: Run, rows: Rows, small_dataset: Path, some_proliv: Path
    ) -> None:
        configure(pair, "any", "ae")
        outcome = monitor("score", small_dataset / "test", "--format", "json")
        assert {tuple(own(json.loads(line))) for line in outcome.stdout.splitlines()} == {("ae",)}
        assert re.search(
            r"the active model brightness-\w+ does not run: decision.detectors does not name", outcome.stderr
        )
        assert rows("select distinct decided_by from crops") == [("primary",)]
        configure(pair, "any", "brightness", "ae", "mnad")
        again = monitor("score", small_dataset / "test", "--format", "json")
        assert "decision.detectors names mnad, which has no active model; the others decide without it" in again.stderr
        assert "40 decisions made now, 0 known from before; " in again.stderr
        assert rows("select distinct decided_by from crops") == [("any",)]
        assert rows(COUNTS) == [(40, 80)]

    def test_none_of_the_named_detectors_has_a_model(self, pair: Path, monitor: Run, small_dataset: Path) -> None:
        configure(pair, "any", "mnad", "cvae")
        outcome = monitor("score", small_dataset / "test")
        assert (outcome.returncode, outcome.stdout) == (4, "")
        assert "decision.detectors names mnad, cvae, without an active model; active are brightness-" in outcome.stderr
        assert "monitor train mnad --data DIR, then monitor calibrate --data DIR" in outcome.stderr

    def test_ranks_need_percentiles_of_both_classes(
        self, pair: Path, monitor: Run, small_dataset: Path, change: Callable[[str], None]
    ) -> None:
        change("update calibrations set evidence = json_remove(evidence, '$.proliv_percentiles')")
        configure(pair, "rank-mean")
        outcome = monitor("score", small_dataset / "test")
        assert (outcome.returncode, outcome.stdout) == (4, "")
        assert re.search(r"calibrate it again: monitor calibrate --model brightness-\w+ --data DIR", outcome.stderr)
        change("update calibrations set evidence = json_remove(evidence, '$.normal_percentiles')")
        configure(pair, "any")
        assert len(scored(monitor, small_dataset / "test")) == 40
        configure(pair, "rank-mean")
        assert monitor("calibrate", "--data", small_dataset, "--accept").returncode == 0
        assert monitor("score", small_dataset / "test").returncode in (0, 3)

    def test_the_table_has_a_column_for_each_detector(self, pair: Path, monitor: Run, small_dataset: Path) -> None:
        lines = scored(monitor, small_dataset / "test", "--no-store")
        table = monitor("score", small_dataset / "test").stdout.splitlines()
        assert table[0].split()[6:] == ["camera", "time", "id", "brightness", "ae", "unusual"]
        for text, line in zip(table[1:], lines, strict=True):
            cells = text.split()
            assert cells[5] == line["verdict"]
            assert cells[11::2] == list(own(line).values())

    def test_csv_has_columns_for_each_detector_at_the_end(self, pair: Path, monitor: Run, small_dataset: Path) -> None:
        lines = scored(monitor, small_dataset / "test")
        table = list(csv.DictReader(io.StringIO(monitor("score", small_dataset / "test", "--format", "csv").stdout)))
        for row, line in zip(table, lines, strict=True):
            for one in line["detectors"]:
                for column in ("score", "threshold", "verdict"):
                    assert row[f"{one['detector']}_{column}"] == str(one[column])

    @pytest.mark.parametrize("decide", ["primary", "all"])
    def test_a_crop_that_the_primary_refuses_is_decided_by_the_others(
        self, pair: Path, monitor: Run, rows: Rows, tmp_path: Path, some_proliv: Path, decide: str
    ) -> None:
        configure(pair, decide, "brightness", "ae")
        folder = tmp_path / "crops"
        folder.mkdir()
        shutil.copy(some_proliv, folder / "a.jpg")
        Image.new("RGB", (50, 30), (90, 90, 90)).save(folder / "blank.png")
        both, blank = sorted(scored(monitor, folder), key=lambda line: str(line["file"]))
        assert (list(own(both)), list(own(blank))) == (["brightness", "ae"], ["ae"])
        (ae,) = blank["detectors"]
        assert (blank["verdict"], blank["model"], blank["mse"]) == (ae["verdict"], ae["model"], ae["mse"])
        assert blank["detector"] == ("ae" if decide == "primary" else "decision")
        assert rows("select decided_by from crops") == [(decide,)] * 2
        # One that a model refuses is never known by all, so it is judged again; that changes nothing.
        again = monitor("score", folder)
        assert "1 decisions made now, 1 known from before; " in again.stderr
        assert [" refused" in line for line in sorted(again.stdout.splitlines()[1:])] == [False, True]
        assert rows(COUNTS) == [(2, 3)]
