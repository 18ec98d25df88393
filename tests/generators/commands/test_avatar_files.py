"""The files that ``monitor gen avatar`` writes: what is there already, and where nothing can be written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from monitor.api import OutputError
from tests.generators.commands.conftest import SMALL, images, refusal, run


@pytest.mark.process
def test_a_reader_that_has_enough_gets_all_files_all_the_same(
    tmp_path: Path, clean_environment: dict[str, str]
) -> None:
    # The pipe is closed before the first line is written.
    for form in ("text", "json"):
        out = tmp_path / form
        program = [sys.executable, "-m", "monitor", "gen", "avatar", "-n", "20", "--resize", SMALL, "--format", form]
        with subprocess.Popen(
            [*program, "--output", str(out)], env=clean_environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.close()
            messages = process.stderr.read()
        assert process.returncode == 0
        assert b"rror" not in messages
        assert len(list(out.glob("avatar-*.png"))) == 20
        assert (out / "index.html").is_file()
        assert (out / "contact-sheet.png").is_file()


def test_avatars_that_are_there_are_kept_unless_forced(tmp_path: Path) -> None:
    source, out = images(tmp_path / "in"), tmp_path / "out"
    assert run("--images", source, "-n", 3, "--seed", 1, "--output", out).exit_code == 0
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    message = refusal(OutputError, "--images", source, "-n", 2, "--seed", 2, "--output", out)
    assert message.startswith(f"{out / 'contact-sheet.png'} and 3 more of these names are there already")
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert run("--images", source, "-n", 2, "--seed", 2, "--output", out, "--force").exit_code == 0
    after = {path.name: path.read_bytes() for path in out.iterdir()}
    assert after["avatar-0003.png"] == before["avatar-0003.png"]
    assert all(after[name] != before[name] for name in ("avatar-0001.png", "avatar-0002.png", "index.html"))


def test_other_files_in_the_folder_are_no_hindrance(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("kept")
    assert run("--output", tmp_path, "--resize", SMALL, "-n", 1).exit_code == 0
    assert (tmp_path / "notes.txt").read_text() == "kept"


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    for out in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/avatars")):
        message = refusal(OutputError, "--from-style", "--output", out)
        assert message.startswith(f"{out}: ")
        assert "--output" in message
    (tmp_path / "out" / "avatar-0001.png").mkdir(parents=True)
    assert "avatar-0001.png" in refusal(OutputError, "--from-style", "--output", tmp_path / "out", "--force")
