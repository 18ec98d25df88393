from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from monitor.store.database.engine import Database
from monitor.store.database.schema import crops, scores

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., subprocess.CompletedProcess[str]]
    Rows = Callable[[str], list[tuple[Any, ...]]]

HOURS, CROPS = 14, 30
CONFIGURATION = '[pipeline]\ndevice = "cpu"\n[drift]\nbaseline_hours = 16\n'


@pytest.fixture
def line(trained: Path, change: Callable[[str], None]) -> Path:
    """A home whose model was calibrated two days ago and then scored 14 hours of three holes; the third moves up."""
    (trained / "config.toml").write_text(CONFIGURATION, encoding="utf-8")
    now = datetime.now(UTC)
    hour = now.replace(minute=0, second=0, microsecond=0)
    change(f"update calibrations set created_at = '{hour - timedelta(days=2):%Y-%m-%d %H:%M:%S}.000000'")
    made = [
        (hole, hour - timedelta(hours=back, minutes=-crop), math.sin(7.0 * back) * 0.02 + math.sin(3.0 * crop) * 0.2)
        for back in range(HOURS, 0, -1)
        for hole in (1, 2, 3)
        for crop in range(CROPS)
    ]
    rows: list[dict[str, Any]] = [
        {
            "id": number,
            "hole": hole,
            "camera": "1",
            "at": at,
            "score": 1 + value + (0.8 if hole == 3 and at >= hour - timedelta(hours=1) else 0),
        }
        for number, (hole, at, value) in enumerate(made, 1)
    ]
    database = Database(f"sqlite:///{trained / 'state' / 'monitor.db'}", busy_seconds=30)
    with database.write() as connection:
        connection.execute(
            crops.insert(),
            [
                {
                    "id": row["id"],
                    "path": f"/inbox/{row['id']}.jpg",
                    "sha256": f"{row['id']:064}",
                    "size_bytes": 1,
                    "mtime_ns": 1,
                    "hole": row["hole"],
                    "camera": "1",
                    "seen_at": row["at"],
                    "state": "scored",
                    "verdict": "ne_proliv",
                }
                for row in rows
            ],
        )
        connection.execute(
            scores.insert(),
            [
                {
                    "crop_id": row["id"],
                    "model_id": 1,
                    "calibration_id": 1,
                    "mse": 0.1,
                    "score": row["score"],
                    "threshold": 9.0,
                    "verdict": "ne_proliv",
                    "scored_at": row["at"],
                    "latency_seconds": 0.1,
                }
                for row in rows
            ],
        )
    database.close()
    return trained


def test_the_hole_that_moved_is_named_and_hours_are_summarised(line: Path, monitor: Run, rows: Rows) -> None:
    outcome = monitor("drift", "--format", "json")
    assert outcome.returncode == 0, outcome.stderr
    (report,) = json.loads(outcome.stdout)["models"]
    assert report["sentence"].startswith("hole 3 alone: up by ")
    states = {(group["camera"], group["hole"]): group["state"] for group in report["groups"]}
    assert states["1", 3] == "drifting"
    assert [states["1", hole] for hole in (1, 2)] == ["steady", "steady"]
    assert report["level"] == pytest.approx(1 / (24 * 4 * 30))
    summarised = rows("select count(*) from score_summaries where crops > 0")
    assert summarised == [(4 * HOURS,)]
    assert monitor("drift", "--format", "json").stdout == outcome.stdout
    assert rows("select count(*) from score_summaries where crops > 0") == summarised


def test_the_table_says_the_same(line: Path, monitor: Run, rows: Rows) -> None:
    ((name,),) = rows("select name from models")
    table = monitor("drift", "--model", name).stdout.splitlines()
    assert table[0].startswith(f"{name}: hole 3 alone: up by ")
    assert table[1].split() == ["state", "shift", "PSI", "t", "p", "crops"]
    assert table[2].startswith("all together")
    assert [line.split()[:3] for line in table[3:6]] == [
        *(["hole", "1", "steady"], ["hole", "2", "steady"], ["hole", "3", "drifting"])
    ]
    assert table[5].split()[-1] == str(CROPS)
    assert table[6].startswith("a group drifts where p < 0.00035")


def test_a_new_model_learns_first(trained: Path, monitor: Run) -> None:
    outcome = monitor("drift")
    assert outcome.returncode == 0
    assert ": learning: 24 more hours with crops are needed to compare with\n" in outcome.stdout
    assert "learning " in outcome.stdout
    assert outcome.stdout.rstrip().endswith("24 more hours needed")


def test_without_a_model_or_a_database_it_says_what_to_do(home: Path, monitor: Run) -> None:
    assert monitor("drift").returncode == 4
    monitor("db", "upgrade")
    outcome = monitor("drift")
    assert (outcome.returncode, outcome.stdout) == (4, "")
    assert "monitor train" in outcome.stderr
    assert monitor("drift", "--model", "nonsense").returncode == 4
