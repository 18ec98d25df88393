from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., subprocess.CompletedProcess[str]]


def status(monitor: Run) -> dict[str, Any]:
    outcome = monitor("status", "--format", "json")
    assert outcome.returncode == 0
    report = json.loads(outcome.stdout)
    assert isinstance(report, dict)
    return report


def test_it_tells_what_was_decided(trained: Path, monitor: Run, small_dataset: Path, tmp_path: Path) -> None:
    before = status(monitor)
    assert (before["scored"], before["failed"], before["verdicts"], before["last_scored_at"]) == (0, 0, [], None)
    scored = monitor("score", small_dataset / "test", "--format", "json")
    counts = Counter(json.loads(line)["verdict"] for line in scored.stdout.splitlines())
    (tmp_path / "bad").mkdir()
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / "bad" / name).touch()
    monitor("score", tmp_path / "bad")
    after = status(monitor)
    (model,) = after["models"]
    assert after["configuration"] == str(trained / "config.toml")
    assert after["inbox"] == str(trained / "inbox")
    assert after["database"].endswith(f"{trained}/state/monitor.db")
    assert after["daemon_process"] is None
    assert (after["scored"], after["failed"], after["failed_by_reason"]) == (40, 2, {"empty": 2})
    assert {(one["model"], one["verdict"]): one["crops"] for one in after["verdicts"]} == {
        (model["model"], verdict): count for verdict, count in counts.items()
    }
    assert (after["decide"], after["deciding"], after["decisions"]) == ("primary", [model["model"]], counts)
    assert datetime.fromisoformat(after["last_scored_at"]) <= datetime.now(UTC)


def test_the_table_says_the_same(trained: Path, monitor: Run, small_dataset: Path) -> None:
    monitor("score", small_dataset / "test")
    report, table = status(monitor), monitor("status").stdout
    (model,) = report["models"]
    assert f"active model   {model['model']}, threshold {model['threshold']:.6g} by {model['rule']}\n" in table
    assert "crops          40 scored, 0 failed\n" in table
    assert "daemon         not running here\n" in table
    assert f"final decision that of the primary, {model['model']}\n" in table
    counts = report["decisions"]
    assert f"decided        {counts['proliv']} proliv, {counts['ne_proliv']} ne_proliv\n" in table
    for one in report["verdicts"]:
        assert f"decisions      {one['model']}: {one['crops']} {one['verdict']}\n" in table


def test_final_decisions_are_told_from_those_of_the_models(pair: Path, monitor: Run, small_dataset: Path) -> None:
    (pair / "config.toml").write_text('[decision]\ndecide = "any"\ndetectors = ["ae", "brightness"]\n')
    monitor("score", small_dataset / "test")
    report = status(monitor)
    own = {(one["model"].partition("-")[0], one["verdict"]): one["crops"] for one in report["verdicts"]}
    assert [name.partition("-")[0] for name in report["deciding"]] == ["ae", "brightness"]
    assert report["decide"] == "any"
    assert sum(report["decisions"].values()) == report["scored"] == 40
    assert report["decisions"]["proliv"] >= max(own["ae", "proliv"], own["brightness", "proliv"])
    assert f"final decision any of {', '.join(report['deciding'])}\n" in monitor("status").stdout


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
    assert "nightly run    2026-01-02T03:00 UTC: failed: the disk is full\n" in table
    assert "(fallback: too little proliv)" in table
