"""After an upgrade the database, the models and the configuration go on working and give the same answers."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.support import earlier_state
from tests.support.daemon import Daemon

pytestmark = pytest.mark.process

QUALITY = next(question for question in earlier_state.QUESTIONS if question.startswith("quality "))
FOLDER = Path(__file__).parents[1] / "data" / "state-70c23d8"
EXPECTED = earlier_state.answers(FOLDER)

# What is said to a person may be said better; that something is said stays.
SENTENCES = frozenset({"caution", "error", "notes", "reason"})
TOLERANCE = 1e-5

# It stays in the inbox, and was stored as failed.
UNREADABLE = "7_CAM_C_broken.jpg"

KEYS = ("model", "mse", "score", "threshold", "verdict")
DECISIONS = """
select crops.path, crops.verdict, models.name, scores.mse, scores.score, scores.threshold, scores.verdict
from scores join crops on crops.id = scores.crop_id join models on models.id = scores.model_id
order by crops.id, models.id
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state as it was, with its database brought up to date, for commands that change nothing."""
    home = tmp_path_factory.mktemp("earlier") / "home"
    earlier_state.restore(FOLDER, home)
    assert earlier_state.ask(home, "db upgrade")["exit"] == 0
    return home


@pytest.mark.parametrize("question", [one for one in earlier_state.QUESTIONS if one != QUALITY])
def test_every_answer_is_the_same(home: Path, question: str) -> None:
    expected = EXPECTED[question]
    assert comparable(known_before(earlier_state.ask(home, question), expected)) == comparable(expected)


def test_quality_is_the_same_except_that_crops_scored_by_hand_are_kept_apart(tmp_path: Path) -> None:
    """The earlier state scored its crops by hand, and counted them as if they had come through the inbox."""
    home = tmp_path / "home"
    earlier_state.restore(FOLDER, home)
    assert earlier_state.ask(home, "db upgrade")["exit"] == 0
    (apart,) = earlier_state.ask(home, QUALITY)["printed"]["windows"]
    assert apart["proliv"] + apart["ne_proliv"] == 0
    with closing(sqlite3.connect(home / "state" / "monitor.db")) as connection, connection:
        connection.execute("update crops set source = 'inbox' where source = 'folder'")
    expected = EXPECTED[QUALITY]
    assert comparable(known_before(earlier_state.ask(home, QUALITY), expected)) == comparable(expected)


def known_before(value: Any, expected: Any) -> Any:
    """An answer without the keys that have come since; none may have gone."""
    if isinstance(value, dict) and isinstance(expected, dict):
        return {name: known_before(inner, expected[name]) for name, inner in value.items() if name in expected}
    if isinstance(value, list) and isinstance(expected, list) and len(value) == len(expected):
        return [known_before(*pair) for pair in zip(by_file(value), by_file(expected), strict=True)]
    return value


def by_file(rows: list[Any]) -> list[Any]:
    """Rows about files in the order of the files, for folders are read in any order; others as they are."""
    return sorted(rows, key=lambda row: str(row["file"])) if rows and is_about_a_file(rows[0]) else rows


def is_about_a_file(row: Any) -> bool:
    return isinstance(row, dict) and "file" in row


def comparable(value: Any, key: str = "") -> Any:
    """An answer without the words of its sentences and without the schema's number; numbers are compared loosely."""
    if isinstance(value, dict):
        return {name: comparable(inner, name) for name, inner in value.items() if name != "schema"}
    if isinstance(value, list):
        return [comparable(inner, key) for inner in by_file(value)]
    if isinstance(value, str) and key in SENTENCES:
        return "a sentence"
    return Loosely(value) if isinstance(value, float) else value


class Loosely:
    """A number that equals others within a relative tolerance: processors round sums differently."""

    def __init__(self, value: float) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Loosely) and self.value == pytest.approx(other.value, rel=TOLERANCE)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(self.value)


def test_the_daemon_goes_on_with_the_same_models_and_thresholds(tmp_path: Path) -> None:
    home = tmp_path / "home"
    earlier_state.restore(FOLDER, home)
    daemon = Daemon(home)  # it brings the database up to date itself
    # A night that is due would choose new thresholds.
    daemon.environment["MONITOR__CALIBRATION__NIGHTLY"] = "false"
    before = daemon.query(DECISIONS)
    expected = {
        Path(crop["file"]).name: crop
        for crop in EXPECTED["score crops --no-store --format json"]["printed"]
        if crop["file"].startswith("further/")
    }
    for path in (home / "crops" / "further").rglob("*.jpg"):
        shutil.copyfile(path, daemon.inbox / path.name)
    try:
        daemon.start()
        daemon.until(lambda: len(daemon.query(DECISIONS)) == len(before) + 2 * len(expected))
        daemon.until(lambda: [path.name for path in daemon.inbox.iterdir()] == [UNREADABLE])
        assert daemon.stop() == 0
    finally:
        daemon.kill()

    after = daemon.query(DECISIONS)
    assert after[: len(before)] == before
    found: dict[str, list[tuple[Any, ...]]] = {}
    for path, final, *decision in after[len(before) :]:
        found.setdefault(Path(path).name, []).append((final, *decision))
    assert found.keys() == expected.keys()
    for name, crop in expected.items():
        decisions = [(crop["verdict"], *(one[key] for key in KEYS)) for one in crop["detectors"]]
        assert comparable([list(one) for one in found[name]]) == comparable([list(one) for one in decisions]), name
    assert earlier_state.ask(home, "db check --format json")["printed"]["findings"] == []
