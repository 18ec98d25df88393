"""Whatever a person reads is on the plant's clock with its offset, and JSON is ISO 8601 with an offset."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from monitor.times import on_clock

if TYPE_CHECKING:
    from pathlib import Path

    from tests.monitor.cli.conftest import Run

# Any date with a time of day, and what follows it.
TIME = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?( UTC|Z|[+-]\d{2}:\d{2})?")
SPAN = ("--since", "2026-03-01", "--until", "2026-03-02T12:00+00:00")


@pytest.fixture
def far_east(trained: Path, small_dataset: Path, monitor: Run, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of a plant whose clock is ten hours ahead of UTC, with scored crops and a label."""
    monkeypatch.setenv("MONITOR__PLANT__TIME_ZONE", "Asia/Vladivostok")
    monkeypatch.setenv("MONITOR__COMPLETENESS__INTERVAL_SECONDS", "10")
    assert monitor("score", small_dataset / "proliv", "--exit-zero", "--as-inbox").returncode == 0
    assert monitor("label", "1", "--as", "proliv").returncode == 0
    return trained


@pytest.mark.parametrize(
    "line",
    [
        "status",
        "status --missing --since 2026-03-01 --until 2026-03-01T01:00",
        "threshold show",
        "threshold list",
        "models list",
        "models show brightness",
        "quality",
        "labels list",
        "show 1",
        "label 1 --as proliv --dry-run",
        "labels undo --dry-run",
    ],
)
def test_people_read_the_plants_clock(far_east: Path, monitor: Run, line: str) -> None:
    if line.startswith("models show"):
        line = f"models show {monitor('models', 'list').stdout.split()[0]}"
    outcome = monitor(*line.split())
    assert outcome.returncode == 0, outcome.stderr
    offsets = TIME.findall(outcome.stdout + outcome.stderr)
    assert offsets, outcome.stdout
    assert set(offsets) == {"+10:00"}, outcome.stdout


@pytest.mark.parametrize(
    "line", ["status", "threshold show", "threshold list", "models list", "quality", "labels list"]
)
def test_times_of_json_have_an_offset(far_east: Path, monitor: Run, line: str) -> None:
    outcome = monitor(*line.split(), "--format", "json")
    assert all(map(json.loads, outcome.stdout.splitlines()))
    offsets = TIME.findall(outcome.stdout)
    assert offsets
    assert "" not in offsets
    assert " UTC" not in offsets


@pytest.mark.parametrize("line", ["quality", "replay", "status --missing", "label --as proliv --dry-run"])
def test_a_span_is_said_again_as_it_was_understood(far_east: Path, monitor: Run, line: str) -> None:
    outcome = monitor(*line.split(), *SPAN)
    assert "from 2026-03-01 00:00:00+10:00 to 2026-03-02 22:00:00+10:00\n" in outcome.stderr


def test_the_last_moment_that_there_is_can_be_written() -> None:
    last = datetime.max.replace(tzinfo=UTC)
    assert on_clock(last, ZoneInfo("Europe/Moscow")) == "9999-12-31 23:59:59+00:00"
