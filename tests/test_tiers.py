"""A test without a marker must not start processes; what shared fixtures do at their end is not blamed on it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[1]
TESTS = """\
import subprocess

import pytest


@pytest.fixture(scope="session")
def server():
    yield
    subprocess.run(["true"])


@pytest.fixture
def own():
    yield
    subprocess.run(["true"])


def test_starts_one():
    subprocess.run(["true"])


def test_has_a_fixture_that_starts_one(own):
    pass


@pytest.mark.process
def test_says_so(own):
    subprocess.run(["true"])


def test_is_the_last_one_that_uses_the_server(server):
    pass
"""


@pytest.mark.process
def test_a_test_answers_for_the_processes_of_its_own_fixtures_alone(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text((CHECKOUT / "tests" / "conftest.py").read_text(encoding="utf-8"))
    (tmp_path / "test_some.py").write_text(TESTS)
    options = ("-p", "no:cacheprovider", "-q", "-rA", f"--rootdir={tmp_path}", f"--config-file={tmp_path / 'none.ini'}")
    (tmp_path / "none.ini").write_text("[pytest]\nmarkers =\n  process:\n  server:\n  system:\n")
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", *options, tmp_path / "test_some.py"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
    )
    errors = [
        line.split(" - ")[0].rpartition("::")[2] for line in ended.stdout.splitlines() if line.startswith("ERROR ")
    ]
    assert errors == ["test_starts_one", "test_has_a_fixture_that_starts_one"], ended.stdout + ended.stderr
