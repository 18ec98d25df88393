from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from monitor.files.text import from_text
from monitor.harness.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., subprocess.CompletedProcess[str]]
    Start = Callable[..., subprocess.Popen[bytes]]
    Rows = Callable[[str], list[tuple[Any, ...]]]

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
COUNTS = "select (select count(*) from crops), (select count(*) from scores)"


@pytest.fixture
def some_proliv(small_dataset: Path) -> Path:
    return min((small_dataset / "proliv").iterdir())


@pytest.fixture
def odd(tmp_path: Path, some_proliv: Path) -> Path:
    """A folder of crops whose names are all that a file system allows."""
    folder = tmp_path / "odd"
    for name in ODD_NAMES:
        target = os.fsencode(folder) + b"/" + name
        os.makedirs(os.path.dirname(target), exist_ok=True)  # noqa: PTH103, PTH120 - bytes
        shutil.copy(os.fsencode(some_proliv), target)
    return folder


@pytest.fixture
def broken(tmp_path: Path, some_proliv: Path) -> Path:
    """A folder of files that are no crops; each is called by the reason why."""
    folder = tmp_path / "broken"
    folder.mkdir()
    (folder / "empty.jpg").touch()
    data = some_proliv.read_bytes()
    (folder / "truncated.jpg").write_bytes(data[: len(data) // 2])
    (folder / "unknown_format.jpg").write_text("hello", encoding="utf-8")
    os.mkfifo(folder / "not_a_file.jpg")
    (folder / "symlink.jpg").symlink_to(some_proliv)
    (folder / "symlink-dangling.jpg").symlink_to("nowhere")
    (folder / "too_many_pixels.png").write_bytes(huge_png())
    (folder / "not-a-crop.txt").write_text("ignored", encoding="utf-8")
    return folder


def huge_png() -> bytes:
    """A PNG of 30,000 x 30,000 pixels in a hundred bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 30_000, 30_000, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")


def scored(monitor: Run, *arguments: str | Path, code: int = 3) -> list[dict[str, Any]]:
    outcome = monitor("score", *arguments, "--format", "json")
    assert outcome.returncode == code, outcome.stderr
    return [json.loads(line) for line in outcome.stdout.splitlines()]


def fix_threshold(monitor: Run, data: Path, threshold: float) -> None:
    outcome = monitor("calibrate", "--data", data, "--rule", "fixed", "--set", f"threshold={threshold}", "--accept")
    assert outcome.returncode == 0


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
        assert "monitor train patchstats --data DIR, then monitor calibrate --data DIR" in outcome.stderr

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
            assert parsed == [
                {key: "" if value is None else str(value) for key, value in line.items() if key != "detectors"}
                for line in lines
            ]

    def test_the_table_is_a_line_a_crop(self, trained: Path, monitor: Run, odd: Path) -> None:
        lines = monitor("score", odd).stdout.splitlines()
        assert lines[0].split() == ["file", "hole", "mse", "score", "threshold", "verdict"]
        assert len(lines) == 1 + len(ODD_NAMES)
        assert all(line.endswith("  proliv") for line in lines[1:])
        assert not any("\x1b" in line or "\u202e" in line for line in lines)

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
        monitor("calibrate", "--data", small_dataset)
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


def configure(home: Path, decide: str, *detectors: str) -> None:
    (home / "config.toml").write_text(
        f'[pipeline]\ndevice = "cpu"\n[decision]\ndecide = "{decide}"\ndetectors = {json.dumps(detectors)}\n'
    )


def own(line: dict[str, Any]) -> dict[str, str]:
    """The verdict of each detector."""
    return {one["detector"]: one["verdict"] for one in line["detectors"]}


class TestWorkers:
    """Real processes: batches are small, so that there is more than one for each worker."""

    @staticmethod
    def run(start: Start, *arguments: str | Path) -> tuple[list[dict[str, Any]], str]:
        environment = {**os.environ, "MONITOR__PIPELINE__BATCH_SIZE": "4"}
        process = start("score", *arguments, "--format", "json", "--exit-zero", env=environment)
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err.decode()
        return [json.loads(line) for line in out.splitlines()], err.decode()

    def test_processes_decide_as_one_does(
        self, trained: Path, start: Start, rows: Rows, small_dataset: Path, broken: Path, tmp_path: Path
    ) -> None:
        folder = tmp_path / "all"
        shutil.copytree(small_dataset / "test", folder / "good")
        (folder / "bad").mkdir()
        for name in ("empty.jpg", "truncated.jpg", "too_many_pixels.png"):
            shutil.copy(broken / name, folder / "bad")
        alone, _ = self.run(start, folder, "--workers", "1", "--no-store")
        together, _ = self.run(start, folder, "--workers", "2")
        assert [(line["file"], line["verdict"], line["reason"]) for line in together] == [
            (line["file"], line["verdict"], line["reason"]) for line in alone
        ]
        pairs = [
            (line["score"], other["score"]) for line, other in zip(together, alone, strict=True) if line["verdict"]
        ]
        decided = len(pairs)
        assert all(score == pytest.approx(other, rel=1e-5) for score, other in pairs)
        assert 0 < decided < len(together)
        assert rows(COUNTS) == [(len(together), decided)]

    def test_too_many_are_bounded_and_it_is_said(self, trained: Path, start: Start, small_dataset: Path) -> None:
        lines, err = self.run(start, small_dataset / "test", "--workers", "64", "--no-store")
        assert len(lines) == 40
        assert "64 workers would take turns on" in err

    def test_a_folder_that_grows_meanwhile(self, trained: Path, start: Start, rows: Rows, small_dataset: Path) -> None:
        folder = trained / "growing"
        shutil.copytree(small_dataset / "test", folder)
        crop = next(folder.glob("*/*.jpg"))
        environment = {**os.environ, "MONITOR__PIPELINE__BATCH_SIZE": "1"}
        process = start("score", folder, "--workers", "2", "--exit-zero", env=environment)
        count = 0
        while process.poll() is None:
            shutil.copy(crop, folder / f"{count}.jpg")
            count += 1
            time.sleep(0.01)
        assert process.returncode == 0
        assert 40 <= rows("select count(*) from crops")[0][0] <= 40 + count
        assert rows("select count(*) from crops where state = 'failed'") in ([(0,)], [(1,)])  # one was half written

    def test_a_huge_file_among_small_ones_is_refused_unread(
        self, trained: Path, start: Start, small_dataset: Path
    ) -> None:
        folder = trained / "mixed"
        shutil.copytree(small_dataset / "test", folder)
        with (folder / "huge.jpg").open("wb") as file:
            file.truncate(50_000_000)
        lines, _ = self.run(start, folder, "--workers", "2", "--no-store")
        assert [line["reason"] for line in lines if line["file"] == "huge.jpg"] == ["too_large"]
        assert sum(line["verdict"] is not None for line in lines) == 40

    def test_a_worker_that_the_system_kills_ends_it_with_a_sentence(
        self, trained: Path, start: Start, tmp_path: Path, some_proliv: Path
    ) -> None:
        folder = tmp_path / "many"
        folder.mkdir()
        for number in range(3000):
            os.link(some_proliv, folder / f"{number}.jpg")
        process = start("score", folder, "--workers", "2", "--no-store")
        listing = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        wait_until(lambda: len(listing.read_text(encoding="ascii").split()) == 2)
        os.kill(int(listing.read_text(encoding="ascii").split()[0]), signal.SIGKILL)
        _, err = process.communicate(timeout=120)
        assert process.returncode == 75, err.decode()
        assert b"was ended from outside" in err


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
            r"the active model brightness-\w+ is not run: decision.detectors does not name", outcome.stderr
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
        assert table[0].split()[6:] == ["brightness", "ae"]
        for text, line in zip(table[1:], lines, strict=True):
            cells = text.split()
            assert cells[5] == line["verdict"]
            assert cells[7::2] == list(own(line).values())

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
