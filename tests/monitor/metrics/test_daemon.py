"""The metrics of the daemon as a real process, in the words of Prometheus' own tools."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
import urllib.request
from typing import TYPE_CHECKING

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from monitor.harness.waiting import PATIENCE_SECONDS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.daemon import Daemon

TIME = "01-03-2023_05-39-27-929"


def output(daemon: Daemon, accept: str = "") -> bytes:
    url = re.findall(r"metrics: (http\S+)", daemon.text())[-1]
    with urllib.request.urlopen(urllib.request.Request(url, headers={"Accept": accept}), timeout=60) as answer:
        text: bytes = answer.read()
    return text


def test_file_names_of_any_kind_are_counted_by_hole_and_survive_a_restart(
    daemon: Daemon, small_dataset: Path, promtool: str
) -> None:
    assert daemon.query("select count(*), count(mse) from reference_scores where mse > 0")[0][0] > 40
    daemon.environment |= {"MONITOR__METRICS__HOLES": "3", "MONITOR__COMPLETENESS__CAMERAS": '{"C": "1-2"}'}
    daemon.start()
    sources = sorted((small_dataset / "train").glob("*.jpg"))
    names = [f"1_CAM_C_{TIME}", f"1_CAM_C_{TIME}-2", f'1000000000_CAM_a"b\\c\n_{TIME}', "../../x", f"7_CAM_D_{TIME}"]
    for source, name in zip(sources, names, strict=False):
        # No file can be called ../../x; what comes closest has a folder for each part.
        path = daemon.inbox / f"{name.replace('..', 'dots')}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, path)
    daemon.until(lambda: daemon.metrics()["monitor_crops_scored_total"] == len(names))
    metrics = daemon.metrics()
    assert metrics["monitor_backlog_crops"] == 0
    assert metrics["monitor_backlog_oldest_seconds"] == 0
    assert metrics["monitor_commit_seconds_count"] >= 1
    assert metrics['monitor_scans_total{folder="inbox",outcome="done"}'] >= 1
    assert metrics['monitor_scans_total{folder="labelled",outcome="failed"}'] == 0
    assert metrics['monitor_last_scan_timestamp_seconds{folder="inbox"}'] <= time.time()
    last = {name: value for name, value in metrics.items() if name.startswith("monitor_hole_last")}
    # Whichever of the made-up ones came first has the third place; all else is "other".
    assert len([name for name in last if name.startswith("monitor_hole_last_crop")]) == 3
    assert 'monitor_hole_last_score{camera="C",hole="1"}' in last
    assert 'monitor_hole_last_score{camera="other",hole="other"}' in last
    decided = sum(value for name, value in metrics.items() if name.startswith("monitor_hole_crops_total"))
    assert decided == len(names)
    # The buckets are those of the model: every reference lies within them.
    low, high = daemon.query("select min(score), max(score) from reference_scores")[0]
    bounds = [
        float(end) for end in re.findall(r'monitor_score_bucket\{detector="ae",le="([0-9.]+)"', " ".join(metrics))
    ]
    assert bounds[0] < low
    assert bounds[-1] > high
    daemon.until(lambda: "monitor_database_size_bytes" in daemon.metrics())
    text = output(daemon)
    checked = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")
    openmetrics = output(daemon, "application/openmetrics-text; version=1.0.0").decode()
    parsed = text_string_to_metric_families(openmetrics)  # type: ignore[no-untyped-call] # the library's
    families = {family.name: family for family in parsed}
    assert families["monitor_hole_crops"].type == "counter"
    assert daemon.stop() == 0
    daemon.start()
    name = 'monitor_hole_last_crop_timestamp_seconds{camera="C",hole="1"}'
    daemon.until(lambda: name in daemon.metrics())
    again = daemon.metrics()
    assert again[name] == pytest.approx(last[name], abs=1e-3)
    for what in ("score", "threshold", "proliv"):
        series = f'monitor_hole_last_{what}{{camera="C",hole="1"}}'
        assert again[series] == last[series]
    assert again['monitor_hole_crops_total{camera="C",hole="1",verdict="ne_proliv"}'] == 0
    buckets = [one for one in metrics if "monitor_score_bucket" in one]
    assert buckets == [one for one in again if "monitor_score_bucket" in one]


def test_a_certificate_that_cannot_be_used_ends_the_start(daemon: Daemon) -> None:
    key = daemon.home / "metrics.key"
    daemon.environment |= {"MONITOR__METRICS__CERTIFICATE": str(daemon.home / "config.toml")}
    daemon.environment |= {"MONITOR__METRICS__KEY": str(key)}
    (daemon.home / "config.toml").write_text("# no certificate\n")
    assert daemon.start(ready=False).wait(PATIENCE_SECONDS) == 66
    assert f"metrics.key {key}: cannot be read: No such file or directory; " in daemon.text()
