from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from monitor.quality.operation import NOT_AUDITED
from monitor.store.database.engine import Database
from monitor.store.database.schema import audit_crops, audits, crops, labels, scores

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Run = Callable[..., subprocess.CompletedProcess[str]]
    Rows = Callable[[str], list[tuple[Any, ...]]]

NOW = datetime.now(UTC)


@pytest.fixture
def database(trained: Path) -> Iterator[Database]:
    opened = Database(f"sqlite:///{trained / 'state' / 'monitor.db'}", busy_seconds=30)
    yield opened
    opened.close()


@pytest.fixture
def line(database: Database) -> Database:
    """Eight caught and two missed proliv of two holes, and ten others, all labelled, two days ago."""
    made = [(number, number <= 10, number <= 8) for number in range(1, 21)]
    words = {True: "proliv", False: "ne_proliv"}
    at = NOW - timedelta(days=2)
    with database.write() as connection:
        connection.execute(
            crops.insert(),
            [
                {
                    "id": number,
                    "path": f"/inbox/{number}.jpg",
                    "sha256": f"{number:064}",
                    "size_bytes": 1,
                    "mtime_ns": 1,
                    "hole": number % 2,
                    "camera": "1",
                    "seen_at": at,
                    "state": "scored",
                    "verdict": words[alarm],
                }
                for number, _, alarm in made
            ],
        )
        connection.execute(
            scores.insert(),
            [
                {
                    "crop_id": number,
                    "model_id": 1,
                    "calibration_id": 1,
                    "mse": 0.1,
                    "score": 1.0,
                    "threshold": 1.0,
                    "verdict": words[alarm],
                    "scored_at": at,
                    "latency_seconds": 0.1,
                }
                for number, _, alarm in made
            ],
        )
        connection.execute(
            labels.insert(),
            [
                {"crop_id": number, "label": words[proliv], "source": "command", "author": "Ivanov", "at": NOW}
                for number, proliv, _ in made
            ],
        )
    return database


def reports(monitor: Run, *arguments: str) -> list[dict[str, Any]]:
    outcome = monitor("quality", "--format", "json", *arguments)
    assert outcome.returncode == 0, outcome.stderr
    windows = json.loads(outcome.stdout)["windows"]
    assert isinstance(windows, list)
    return windows


def test_each_window_has_its_rates(line: Database, monitor: Run, rows: Rows) -> None:
    day, week, month = reports(monitor)
    assert [one["window"] for one in (day, week, month)] == ["1d", "7d", "30d"]
    assert (day["proliv"], day["rates"][0]["tpr"], day["alarm_label_coverage"]) == (0, None, None)
    assert (week["proliv"], week["ne_proliv"], week["events"], week["audited"]) == (10, 10, 1, 0)
    ((name,),) = rows("select name from models")
    assert [(one["detector"], one["model"]) for one in week["rates"]] == [("decision", None), ("ae", name)]
    for one in week["rates"]:
        assert (one["tpr"]["rate"], one["tnr"]["rate"]) == (0.8, 1.0)
        assert (one["tpr"]["low"], one["tpr"]["high"]) == pytest.approx((0.4439, 0.9748), abs=1e-4)


def test_the_table_says_the_same_and_that_nothing_was_audited(line: Database, monitor: Run, rows: Rows) -> None:
    table = monitor("quality", "--window", "7").stdout
    ((name,),) = rows("select name from models")
    for head in ("decision", name):
        assert f"{head:<28} TPR 0.8000 (0.4439 to 0.9748), 10 crops  TNR 1.0000 (0.6915 to 1.0000), 10 crops" in table
    assert "10 proliv of 1 incident, 10 ne_proliv; 0 with contradictory labels left out\n" in table
    assert "8 of 8 labelled (100%)\n" in table
    assert f"{NOT_AUDITED}\n" in table


def test_an_audit_is_taken_into_account_and_the_warning_goes(line: Database, monitor: Run) -> None:
    with line.write() as connection:
        draw = {"id": 1, "drawn_at": NOW, "first_crop_id": 1, "last_crop_id": 20, "eligible": 40}
        connection.execute(audits.insert().values(**draw))
        connection.execute(audit_crops.insert(), [{"audit_id": 1, "crop_id": crop} for crop in (9, 10, 11, 12)])
    (week,) = reports(monitor, "--window", "7")
    assert (week["drawn"], week["audited"]) == (4, 4)
    assert week["rates"][0]["tpr"]["rate"] == pytest.approx(8 / (8 + 20))
    assert NOT_AUDITED not in monitor("quality", "--window", "7").stdout


def test_holes_and_cameras_are_shown_on_request(line: Database, monitor: Run) -> None:
    (week,) = reports(monitor, "--window", "7", "--by", "hole")
    groups = [(one["camera"], one["hole"]) for one in week["rates"] if one["group"] == "hole"]
    assert groups == [("1", 0), ("1", 0), ("1", 1), ("1", 1)]
    assert "decision, camera 1 hole 0 " in monitor("quality", "--by", "hole").stdout
    assert "decision, camera 1 " in monitor("quality", "--by", "camera").stdout


def test_a_span_is_by_the_clock_of_the_plant(line: Database, trained: Path, monitor: Run) -> None:
    (trained / "config.toml").write_text('[plant]\ntime_zone = "Asia/Yekaterinburg"\n', encoding="utf-8")
    (span,) = reports(monitor, "--since", "2023-03-01", "--until", "2023-03-01T06:00")
    assert (span["since"], span["until"]) == ("2023-02-28T19:00:00+00:00", "2023-03-01T01:00:00+00:00")
    assert (span["window"], span["proliv"]) == ("span", 0)
    (until_now,) = reports(monitor, "--since", f"{NOW - timedelta(days=3):%Y-%m-%dT%H:%M}+00:00")
    assert until_now["proliv"] == 10


def test_one_model_is_shown_on_request(line: Database, monitor: Run) -> None:
    (week,) = reports(monitor, "--window", "7", "--model", "ae")
    assert [one["detector"] for one in week["rates"]] == ["decision", "ae"]
    assert monitor("quality", "--model", "nonsense").returncode == 4


@pytest.mark.parametrize(
    "arguments",
    [
        ("--until", "2023-03-01"),
        ("--since", "2023-03-01", "--window", "7"),
        ("--since", "yesterday"),
        ("--since", "2023-03-02", "--until", "2023-03-01"),
        ("--window", "0"),
        ("--by", "plant"),
    ],
)
def test_wrong_usage_is_told(trained: Path, monitor: Run, arguments: tuple[str, ...]) -> None:
    outcome = monitor("quality", *arguments)
    assert (outcome.returncode, outcome.stdout) == (2, "")


def test_without_labels_nothing_is_known(trained: Path, monitor: Run) -> None:
    table = monitor("quality").stdout
    assert table.count("TPR unknown: no such crop is labelled  TNR unknown: no such crop is labelled") == 6


def test_without_a_database_none_is_made(home: Path, monitor: Run) -> None:
    assert monitor("quality").returncode == 4
    assert not (home / "state").exists()
