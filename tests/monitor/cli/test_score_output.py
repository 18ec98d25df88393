"""The results of `monitor score`: as a table, as JSON and as CSV, in a pipe and on a terminal."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from monitor.files.text import from_text
from tests.monitor.cli.conftest import on_a_terminal, scored

if TYPE_CHECKING:
    from pathlib import Path

    from tests.monitor.cli.conftest import Rows, Run, Start


HEADINGS = ["file", "hole", "mse", "score", "threshold", "verdict", "camera", "time", "id"]
ODD_NAMES = (
    b"with space.jpg",
    b"quo\"te's.jpg",
    b"comma,semicolon;.jpg",
    b"new\nline.jpg",
    b"tab\tand\rreturn.jpg",
    b"back\\slash\\n.jpg",
    b"not-utf-8-\xff\xfe.jpg",
    "жёлоб.jpg".encode(),
    b"n" * 251 + b".jpg",
    b"-dash.jpg",
    b"escape\x1b[31m.jpg",
    "direction\u202e.jpg".encode(),
    b"folder\xff\n/10_CAM_C_01-03-2023_05-39-27-929.JPG",
)


@pytest.fixture
def odd(tmp_path: Path, some_proliv: Path) -> Path:
    """A folder of crops whose names are all that a file system allows."""
    folder = tmp_path / "odd"
    for name in ODD_NAMES:
        target = os.fsencode(folder) + b"/" + name
        os.makedirs(os.path.dirname(target), exist_ok=True)  # noqa: PTH103, PTH120 - bytes
        shutil.copy(os.fsencode(some_proliv), target)
    return folder


def cell(value: object) -> str:
    """A value as CSV has it, which keeps spreadsheets from running formulas."""
    text = "" if value is None else str(int(value) if isinstance(value, bool) else value)
    return f"'{text}" if isinstance(value, str) and text[:1] in ("-", "'") else text


class TestOutput:
    def test_json_is_an_object_a_line_for_every_name(self, trained: Path, monitor: Run, odd: Path) -> None:
        lines = scored(monitor, odd)
        assert {os.fsencode(from_text(line["file"])) for line in lines} == set(ODD_NAMES)
        # The content is the same everywhere, so only the names can make a difference.
        assert len({line["mse"] for line in lines}) == 1
        assert [line["hole"] for line in lines if line["file"].startswith("folder")] == [10]
        assert {line["hole"] for line in lines if not line["file"].startswith("folder")} == {None}

    @pytest.mark.parametrize("environment", [{}, {"LC_ALL": "C", "PYTHONIOENCODING": "ascii"}])
    def test_json_is_utf_8_whatever_the_locale(
        self, trained: Path, start: Start, odd: Path, environment: dict[str, str]
    ) -> None:
        out, err = start("score", odd, "--format", "json", env={**os.environ, **environment}).communicate()
        lines = out.removesuffix(b"\n").split(b"\n")
        names = {os.fsencode(from_text(json.loads(line.decode())["file"])) for line in lines}
        assert names == set(ODD_NAMES), err

    def test_csv_has_the_rows_of_json(self, trained: Path, monitor: Run, odd: Path, broken: Path) -> None:
        for folder in (odd, broken):
            code = 3 if folder == odd else 65
            lines = scored(monitor, folder, code=code)
            text = monitor("score", folder, "--format", "csv").stdout
            parsed = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
            assert parsed == [{key: cell(value) for key, value in line.items() if key != "detectors"} for line in lines]

    def test_the_table_is_a_line_a_crop(self, trained: Path, monitor: Run, odd: Path) -> None:
        lines = monitor("score", odd).stdout.splitlines()
        assert lines[0].split() == HEADINGS
        assert len(lines) == 1 + len(ODD_NAMES)
        assert all("  proliv  " in line for line in lines[1:])
        assert not any("\x1b" in line or "\u202e" in line for line in lines)

    def test_every_row_has_the_id_camera_and_time(
        self, trained: Path, monitor: Run, small_dataset: Path, rows: Rows, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("MONITOR__PLANT__TIME_ZONE", "Asia/Yekaterinburg")
        folder = small_dataset / "proliv"
        for known in (False, True):
            for line, text in zip(
                scored(monitor, folder), monitor("score", folder).stdout.splitlines()[1:], strict=True
            ):
                ((path, camera),) = rows(f"select path, camera from crops where id = {line['id']}")
                assert (path, line["camera"]) == (f"{folder}/{line['file']}", camera), known
                assert datetime.fromisoformat(line["captured_at"]).tzinfo is not None
                assert re.search(rf"  {camera} +\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d\+05:00 +{line['id']}$", text)
        assert {line["id"] for line in scored(monitor, folder, "--no-store")} == {None}

    def test_the_columns_of_a_table_begin_at_the_same_places(self, trained: Path, monitor: Run, broken: Path) -> None:
        lines = monitor("score", broken).stdout.splitlines()
        assert {line.index(word) for line, word in zip(lines, ["verdict", *["failed: "] * 9], strict=False)} == {
            lines[0].index("verdict")
        }

    def test_one_file_is_scored(self, trained: Path, monitor: Run, some_proliv: Path, broken: Path) -> None:
        (line,) = scored(monitor, some_proliv)
        assert (line["file"], line["verdict"]) == (some_proliv.name, "proliv")
        (refused,) = scored(monitor, broken / "symlink.jpg", code=65)
        assert (refused["file"], refused["verdict"]) == ("symlink.jpg", None)

    def test_crops_are_sorted_by_name_unless_they_are_many(
        self, trained: Path, monitor: Run, small_dataset: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def shown(*options: str) -> list[dict[str, Any]]:
            return scored(monitor, small_dataset / "test", *options)

        names = [line["file"] for line in shown()]
        assert names == sorted(names)
        assert len(names) == 40
        by_score = [line["score"] for line in shown("--sort", "score")]
        assert by_score == sorted(by_score, reverse=True)
        times = [line["captured_at"] for line in shown("--sort", "time")]
        assert times == sorted(times)
        monkeypatch.setattr("monitor.cli.score.SORTED", 3)
        assert sorted(line["file"] for line in shown()) == names
        assert [line["file"] for line in shown("--sort", "name")] == names

    def test_scoring_by_hand_is_kept_apart_unless_it_is_to_count(
        self, trained: Path, monitor: Run, small_dataset: Path, rows: Rows
    ) -> None:
        scored(monitor, small_dataset / "proliv")
        scored(monitor, small_dataset / "test", "--as-inbox")
        assert rows("select source, count(*) from crops group by source order by source") == [
            ("folder", 20),
            ("inbox", 40),
        ]
        outcome = monitor("score", small_dataset, "--as-inbox", "--no-store")
        assert (outcome.returncode, "give one of them" in outcome.stderr) == (2, True)

    def test_csv_keeps_spreadsheets_from_running_formulas(
        self, trained: Path, monitor: Run, tmp_path: Path, some_proliv: Path
    ) -> None:
        folder = tmp_path / "formulas"
        folder.mkdir()
        for name in ("=1+1.jpg", "+7.jpg", "@sum.jpg", "-1.jpg"):
            shutil.copy(some_proliv, folder / name)
        (folder / "=broken.jpg").write_text("no picture")
        table = list(csv.DictReader(io.StringIO(monitor("score", folder, "--format", "csv").stdout)))
        assert [row["file"] for row in table] == ["'+7.jpg", "'-1.jpg", "'=1+1.jpg", "'=broken.jpg", "'@sum.jpg"]
        assert not any(value.startswith(("=", "+", "-", "@")) for row in table for value in row.values())

    def test_the_summary_goes_to_standard_error(self, trained: Path, monitor: Run, small_dataset: Path) -> None:
        outcome = monitor("score", small_dataset / "test", "--format", "json")
        lines = [json.loads(line) for line in outcome.stdout.splitlines()]
        proliv = sum(line["verdict"] == "proliv" for line in lines)
        (summary,) = outcome.stderr.splitlines()
        assert summary.startswith(f"40 crops: {proliv} proliv, {40 - proliv} ne_proliv, 0 failed; ")
        assert "40 decisions made now, 0 known from before; " in summary

    def test_a_reader_that_has_had_enough(self, trained: Path, start: Start, small_dataset: Path) -> None:
        process = start("score", small_dataset / "test")
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read()
        assert process.wait() == 0

    def test_a_full_disk_behind_standard_output(self, trained: Path, start: Start, small_dataset: Path) -> None:
        with open("/dev/full", "wb") as full:  # noqa: PTH123 - a device
            _, err = start("score", small_dataset / "test", stdout=full).communicate()
            code = start("status", stdout=full).wait()
        assert b"monitor: standard output: cannot be written: No space left on device" in err
        assert b"Traceback" not in err
        assert code == 73


def test_results_reach_the_file_while_the_bar_is_on_the_terminal(
    trained_state: Path, small_dataset: Path, clean_environment: dict[str, str], tmp_path: Path
) -> None:
    shutil.copytree(trained_state, tmp_path / "state")
    terminal, standard_error = os.openpty()
    with (tmp_path / "out.json").open("wb") as standard_output:
        process = subprocess.run(
            [sys.executable, "-m", "monitor", "score", str(small_dataset / "proliv"), "--format", "json"],
            cwd=tmp_path,
            env=clean_environment,
            stdout=standard_output,
            stderr=standard_error,
        )
    os.close(standard_error)
    shown = os.read(terminal, 65536).decode()
    os.close(terminal)
    assert process.returncode in (0, 3)
    assert "scoring" in shown
    lines = (tmp_path / "out.json").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["file"].endswith(".jpg") for line in lines] == [True] * 20


@pytest.mark.process
def test_a_terminal_gets_a_table_above_the_bar(
    trained_state: Path, small_dataset: Path, clean_environment: dict[str, str], tmp_path: Path
) -> None:
    shutil.copytree(trained_state, tmp_path / "state")
    environment = {**clean_environment, "COLUMNS": "150", "TERM": "xterm", "MONITOR__PIPELINE__BATCH_SIZE": "8"}
    command = [sys.executable, "-m", "monitor", "score", str(small_dataset / "test"), "--exit-zero"]
    shown = on_a_terminal(command, environment, tmp_path)
    assert "scoring" in shown
    lines = [re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line).rpartition("\r")[2] for line in shown.splitlines()]
    rows = [line.split() for line in lines if ".jpg" in line]
    assert sorted(row[0] for row in rows) == sorted(
        str(path.relative_to(small_dataset / "test")) for path in (small_dataset / "test").rglob("*.jpg")
    )
    assert {row[5] for row in rows} == {"proliv", "ne_proliv"}
    assert [line.split() for line in lines].count(HEADINGS) == 1
    assert any(line.startswith("40 crops: ") for line in lines)
