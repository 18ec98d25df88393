from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from prometheus_client import generate_latest

from monitor.metrics import Metrics
from monitor.metrics.holes import Holes
from monitor.quality.completeness import STATES, compare_with_expected
from tests.support.made_up_arrivals import GRID, came

if TYPE_CHECKING:
    from tests.support.daemon import Daemon


def test_the_metrics_show_a_limited_number_of_holes() -> None:
    arrived = came("C", 10, h1=(10, 0, 0), h2=(4, 3, 0))
    metrics = Metrics(Holes(2, [("C", 1), ("C", 3)]))
    metrics.show_completeness(compare_with_expected(GRID, arrived, {"C": {1, 2, 3}}))
    lines = generate_latest(metrics.registry).decode().splitlines()
    assert {
        line for line in lines if line.startswith(("monitor_intervals", "monitor_hole_missing", "monitor_expec"))
    } == {
        'monitor_intervals{camera="C",state="expected"} 20.0',
        'monitor_intervals{camera="C",state="came"} 10.0',
        'monitor_intervals{camera="C",state="late"} 0.0',
        'monitor_intervals{camera="C",state="missing"} 10.0',
        'monitor_intervals{camera="other",state="expected"} 10.0',
        'monitor_intervals{camera="other",state="came"} 4.0',
        'monitor_intervals{camera="other",state="late"} 3.0',
        'monitor_intervals{camera="other",state="missing"} 3.0',
        'monitor_hole_missing_intervals{camera="C",hole="1"} 0.0',
        'monitor_hole_missing_intervals{camera="C",hole="3"} 10.0',
        'monitor_hole_missing_intervals{camera="other",hole="other"} 3.0',
        'monitor_expected_holes{camera="C"} 2.0',
        'monitor_expected_holes{camera="other"} 1.0',
    }
    metrics.show_completeness(None)
    assert b"monitor_expected_holes{" not in generate_latest(metrics.registry)


def test_the_daemon_publishes_what_is_missing(daemon: Daemon) -> None:
    begin = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    moments = [(hole, f"{begin + timedelta(minutes=minute)}"[:19]) for minute in range(9) for hole in (1, 2)]
    with closing(sqlite3.connect(daemon.database)) as connection, connection:
        connection.executemany(
            "insert into crops (path, sha256, size_bytes, mtime_ns, camera, hole, captured_at, seen_at, state, source) "
            "values (?, ?, 1, 1, 'C', ?, ?, ?, 'scored', 'inbox')",
            [
                (f"/{number}.jpg", f"{number:064}", hole, f"{moment}.000000", f"{moment}.000000")
                for number, (hole, moment) in enumerate(moments[:-5])
            ],
        )
    daemon.environment["MONITOR__COMPLETENESS__INTERVAL_SECONDS"] = "60"
    daemon.start()
    daemon.until(lambda: 'monitor_expected_holes{camera="C"}' in daemon.metrics())
    metrics = daemon.metrics()
    assert metrics['monitor_expected_holes{camera="C"}'] == 2
    states = {state: metrics[f'monitor_intervals{{camera="C",state="{state}"}}'] for state in STATES}
    assert states == {"expected": 14, "came": 13, "late": 0, "missing": 1}
    assert metrics['monitor_hole_missing_intervals{camera="C",hole="2"}'] == 1
    assert daemon.stop() == 0
