from __future__ import annotations

import json
import sqlite3
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from monitor.store import counts

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., subprocess.CompletedProcess[str]]

BEGIN = (datetime.now(UTC) - timedelta(hours=2)).replace(second=0, microsecond=0)
STORED = "%Y-%m-%d %H:%M:%S.%f"


def status(monitor: Run) -> dict[str, Any]:
    outcome = monitor("status", "--format", "json")
    assert outcome.returncode == 0
    report = json.loads(outcome.stdout)
    assert isinstance(report, dict)
    return report


def test_it_tells_what_was_decided(
    trained: Path, monitor: Run, small_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = status(monitor)
    assert (before["scored"], before["failed"], before["verdicts"], before["last_scored_at"]) == (0, 0, [], None)
    scored = monitor("score", small_dataset / "test", "--as-inbox", "--format", "json")
    verdicts = Counter(json.loads(line)["verdict"] for line in scored.stdout.splitlines())
    (tmp_path / "bad").mkdir()
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / "bad" / name).touch()
    monitor("score", tmp_path / "bad", "--as-inbox")
    after = status(monitor)
    (model,) = after["models"]
    assert after["configuration"] == str(trained / "config.toml")
    assert after["inbox"] == str(trained / "inbox")
    assert after["database"].endswith(f"{trained}/state/monitor.db")
    assert after["daemon_process"] is None
    assert (after["scored"], after["failed"], after["failed_by_reason"]) == (40, 2, {"empty": 2})
    assert {(one["model"], one["verdict"]): one["crops"] for one in after["verdicts"]} == {
        (model["model"], verdict): count for verdict, count in verdicts.items()
    }
    assert (after["decide"], after["deciding"], after["decisions"]) == ("primary", [model["model"]], verdicts)
    assert datetime.fromisoformat(after["last_scored_at"]) <= datetime.now(UTC)
    # What is scored by hand is counted beside that.
    assert after["by_hand"] == 0
    monitor("score", small_dataset / "proliv")
    by_hand = status(monitor)
    assert by_hand.pop("by_hand") == 20
    assert by_hand == {name: value for name, value in after.items() if name != "by_hand"}
    assert "by hand        20 crops of folders, which count nowhere else" in monitor("status").stdout
    monkeypatch.setattr(counts, "LOOKED_AT", 5)
    assert "\nlast decision  before 20" in monitor("status").stdout


def test_the_table_says_the_same(trained: Path, monitor: Run, small_dataset: Path) -> None:
    monitor("score", small_dataset / "test", "--as-inbox")
    report, table = status(monitor), monitor("status").stdout
    (model,) = report["models"]
    assert f"active model   {model['model']}, threshold {model['threshold']:.6g} by {model['rule']}\n" in table
    assert "crops          40 scored, 0 failed\n" in table
    assert "daemon         not running\n" in table
    assert f"final decision that of the primary, {model['model']}\n" in table
    counts = report["decisions"]
    assert f"decided        {counts['proliv']} proliv, {counts['ne_proliv']} ne_proliv\n" in table
    for one in report["verdicts"]:
        assert f"decisions      {one['model']}: {one['crops']} {one['verdict']}\n" in table


def test_final_decisions_are_told_from_those_of_the_models(pair: Path, monitor: Run, small_dataset: Path) -> None:
    (pair / "config.toml").write_text('[decision]\ndecide = "any"\ndetectors = ["ae", "brightness"]\n')
    monitor("score", small_dataset / "test", "--as-inbox")
    report = status(monitor)
    own = {(one["model"].partition("-")[0], one["verdict"]): one["crops"] for one in report["verdicts"]}
    assert [name.partition("-")[0] for name in report["deciding"]] == ["ae", "brightness"]
    assert report["decide"] == "any"
    assert sum(report["decisions"].values()) == report["scored"] == 40
    assert report["decisions"]["proliv"] >= max(own["ae", "proliv"], own["brightness", "proliv"])
    assert f"final decision any of {', '.join(report['deciding'])}\n" in monitor("status").stdout


def test_unusual_crops_of_the_last_day_are_told_where_several_models_decide(
    pair: Path, monitor: Run, small_dataset: Path
) -> None:
    (pair / "config.toml").write_text('[decision]\ndetectors = ["ae", "brightness"]\n')
    monitor("score", small_dataset / "test", "--as-inbox")
    day = status(monitor)["last_day"]
    assert day["decided"] == 40
    assert 0 < day["unusual"] < 40
    assert day["unusual_share"] == day["unusual"] / 40
    line = (
        f"unusual        {day['unusual']} of 40 crops of the last day ({day['unusual'] / 40:.2%}): ne_proliv, although"
    )
    assert line in monitor("status").stdout


def test_without_a_model(home: Path, monitor: Run) -> None:
    monitor("db", "upgrade")
    assert status(monitor)["models"] == []
    assert "active model   none; monitor train and monitor calibrate make one\n" in monitor("status").stdout


def test_without_a_database_none_is_made(home: Path, monitor: Run) -> None:
    outcome = monitor("status")
    assert (outcome.returncode, outcome.stdout) == (4, "")
    assert f"{home}/state/monitor.db: there is no database yet" in outcome.stderr
    assert not (home / "state").exists()


def test_the_last_night_and_a_fallback_are_told(trained: Path, monitor: Run, change: Callable[[str], None]) -> None:
    assert status(monitor)["nightly_run"] is None
    assert [one["fallback"] for one in status(monitor)["models"]] == [False]
    change("update calibrations set fallback = 1")
    moment = "2026-01-02 03:00:00.000000"
    change(
        "insert into runs (job, slot, started_at, finished_at, outcome) "
        f"values ('recalibrate', '{moment}', '{moment}', '{moment}', 'failed: the disk is full')"
    )
    report = status(monitor)
    assert report["nightly_run"] == {"slot": "2026-01-02T03:00:00+00:00", "outcome": "failed: the disk is full"}
    assert [one["fallback"] for one in report["models"]] == [True]
    table = monitor("status").stdout
    assert "nightly run    2026-01-02 03:00:00+00:00: failed: the disk is full\n" in table
    assert "(fallback: too little proliv)" in table


@pytest.fixture
def interval_of_ten_seconds(trained: Path) -> Path:
    """A state with crops of camera C: hole 1 in 6 intervals, hole 2 in 4 and late in one, hole 3 unreadable once."""
    (trained / "config.toml").write_text("[completeness]\ninterval_seconds = 10\nlate_seconds = 5\n")
    rows = [(1, 10 * index, 10 * index, "scored") for index in range(6)]
    rows += [(2, 10 * index, 10 * index, "scored") for index in range(4)]
    rows += [(2, 40, 99, "scored"), (3, 0, 1, "scored"), (3, 10, 11, "scored"), (3, 20, 21, "failed")]
    with closing(sqlite3.connect(trained / "state" / "monitor.db")) as connection, connection:
        connection.executemany(
            "insert into crops (path, sha256, size_bytes, mtime_ns, camera, hole, captured_at, seen_at, state, reason, "
            "source) values (?, ?, 1, 1, 'C', ?, ?, ?, ?, ?, 'inbox')",
            [
                (f"/{index}.jpg", f"{index:064}", hole, f"{BEGIN + timedelta(seconds=at):{STORED}}",
                 f"{BEGIN + timedelta(seconds=seen):{STORED}}", state, "truncated" if state == "failed" else None)
                for index, (hole, at, seen, state) in enumerate(rows)
            ],
        )  # fmt: skip
    return trained


def test_missing_holes_are_told_worst_first(interval_of_ten_seconds: Path, monitor: Run) -> None:
    span = ("--since", f"{BEGIN:%Y-%m-%dT%H:%M}", "--until", f"{BEGIN + timedelta(minutes=5):%Y-%m-%dT%H:%M}")
    report = json.loads(monitor("status", "--missing", *span, "--format", "json").stdout)["completeness"]
    assert {name: report[name] for name in ("intervals", "expected", "came", "late", "missing")} == {
        "intervals": 30,
        "expected": 18,
        "came": 12,
        "late": 1,
        "missing": 5,
    }
    assert [(one["hole"], one["missing"], one["undecided"]) for one in report["holes"]] == [
        (3, 4, 1),
        (2, 1, 0),
        (1, 0, 0),
    ]
    assert [one["last_crop"] for one in report["holes"]] == [13, 11, 6]
    table = monitor("status", "--missing", *span, "--rows", "2").stdout.splitlines()
    assert table[1:] == [
        "camera C: gave crops in 6 intervals; 3 holes expected (learned)",
        "expected 18, came 12, late 1, missing 5",
        "",
        "camera  hole  expected  came  late  missing  undecided  last crop                  id",
        f"C          3         6     2     0        4          1  {BEGIN + timedelta(seconds=10)}  13",
        f"C          2         6     4     1        1          0  {BEGIN + timedelta(seconds=40)}  11",
        "and 1 more hole, 0 of them with gaps",
    ]


def test_the_window_of_the_configuration_holds_without_a_span(interval_of_ten_seconds: Path, monitor: Run) -> None:
    assert json.loads(monitor("status", "--missing", "--format", "json").stdout)["completeness"]["expected"] == 18
    (interval_of_ten_seconds / "config.toml").write_text(
        '[completeness]\ninterval_seconds = 10\nwindow_hours = 0.1\n[completeness.cameras]\nC = "1-3"\n'
    )
    report = json.loads(monitor("status", "--missing", "--format", "json").stdout)["completeness"]
    assert (report["expected"], len(report["holes"])) == (0, 3)
    assert {one["last_crop_at"] for one in report["holes"]} == {None}
    assert "expected 0, came 0, late 0, missing 0: no camera gave a crop" in monitor("status", "--missing").stdout


def test_of_what_is_to_come_nothing_is_expected(interval_of_ten_seconds: Path, monitor: Run) -> None:
    report = json.loads(monitor("status", "--missing", "--until", "9999-12-31T23:59:59.9", "--format", "json").stdout)
    assert report["completeness"]["expected"] == 18
    assert datetime.fromisoformat(report["completeness"]["until"]) <= datetime.now(UTC)


def test_where_nothing_is_expected_it_is_said_how_to_expect_something(trained: Path, monitor: Run) -> None:
    outcome = monitor("status", "--missing")
    assert outcome.returncode == 0
    assert "completeness.interval_seconds is 0; set it to" in outcome.stdout
    assert json.loads(monitor("status", "--missing", "--format", "json").stdout)["completeness"] is None
    (trained / "config.toml").write_text("[completeness]\ninterval_seconds = 10\n")
    assert "no hole is expected" in monitor("status", "--missing").stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--since", "2026-01-01"), "add --missing"),
        (("--missing", "--since", "yesterday"), "is not a time"),
        (("--missing", "--since", "2026-01-02", "--until", "2026-01-01"), "is not before --until 2026-01-01"),
        (("--missing", "--since", "2020-01-01"), "more than 31 days apart"),
        (("--missing", "--until", "0001-01-01"), "--until: there were no crops before 1971"),
        (("--missing", "--since", "9999-12-31T23:59:59.9"), "is not before now"),
    ],
)
def test_a_span_that_makes_no_sense_is_refused(
    trained: Path, monitor: Run, arguments: tuple[str, ...], message: str
) -> None:
    outcome = monitor("status", *arguments)
    assert (outcome.returncode, outcome.stdout) == (2, "")
    assert message in outcome.stderr
