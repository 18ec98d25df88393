"""Several models decide together, and SIGHUP takes over thresholds and models."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

from monitor.harness.waiting import PATIENCE_SECONDS, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.daemon import Daemon


def test_sighup_takes_over_a_new_threshold(daemon: Daemon, small_dataset: Path, crops: list[Path]) -> None:
    daemon.start()
    calibrate = ["calibrate", "--data", str(small_dataset), "--rule", "fixed", "--set", "threshold=0.0", "--accept"]
    subprocess.run([sys.executable, "-m", "monitor", *calibrate], cwd=daemon.home, env=daemon.environment, check=True)
    assert daemon.process is not None
    daemon.process.send_signal(signal.SIGHUP)
    wait_until(lambda: daemon.metrics().get('monitor_threshold{detector="ae"}') == 0.0, daemon.text)
    shutil.copyfile(crops[0], daemon.inbox / "crop.jpg")
    wait_until(lambda: daemon.count() == 1, daemon.text)
    newest = daemon.query("select max(id) from calibrations")[0][0]
    assert daemon.query("select verdict, threshold, calibration_id from scores") == [("proliv", 0.0, newest)]


def test_several_models_make_one_final_decision(pair: Daemon, small_dataset: Path) -> None:
    pair.environment |= {"MONITOR__DECISION__DECIDE": "any", "MONITOR__DECISION__DETECTORS": '["ae", "brightness"]'}
    pair.start()
    assert re.search(r"the final decision: any of ae-\w+, brightness-\w+\n", pair.text())
    sources = sorted(small_dataset.glob("test/*/*.jpg"))
    for source in sources:
        shutil.copyfile(source, pair.inbox / f"{source.parent.name}_{source.name}")
    wait_until(lambda: pair.metrics()["monitor_crops_scored_total"] == len(sources), pair.text)
    own: dict[int, set[str]] = {}
    for crop_id, verdict in pair.query("select crop_id, verdict from scores"):
        own.setdefault(crop_id, set()).add(verdict)
    final = dict(pair.query("select id, verdict from crops where decided_by = 'any'"))
    assert final == {crop_id: "proliv" if "proliv" in verdicts else "ne_proliv" for crop_id, verdicts in own.items()}
    assert pair.query("select count(*) from scores") == [(2 * len(sources),)]
    counts = {verdict: list(final.values()).count(verdict) for verdict in ("proliv", "ne_proliv")}
    assert all(counts.values())
    metrics = pair.metrics()
    by_verdict = pair.query("select verdict, count(*) from scores group by verdict")
    for verdict, decisions in by_verdict:
        assert metrics[f'monitor_verdicts_total{{verdict="{verdict}"}}'] == counts[verdict]
        totals = [
            metrics[f'monitor_decisions_total{{detector="{name}",verdict="{verdict}"}}']
            for name in ("ae", "brightness")
        ]
        assert sum(totals) == decisions
    warnings = re.findall(
        r"proliv: hole unknown, crop \d+, \S+: by any, \S+ >= 0: ae-\w+ \S+ (?:>=|<) \S+, brightness-\w+ \S+ (?:>=|<) ",
        pair.text(),
    )
    assert len(warnings) == counts["proliv"]
    assert pair.stop() == 0


def test_unusual_crops_are_stored_counted_and_logged_but_raise_no_warning(pair: Daemon, small_dataset: Path) -> None:
    pair.environment["MONITOR__DECISION__DETECTORS"] = '["ae", "brightness"]'
    pair.start()
    sources = sorted(small_dataset.glob("test/*/*.jpg"))
    for source in sources:
        shutil.copyfile(source, pair.inbox / f"{source.parent.name}_{source.name}")
    wait_until(lambda: pair.metrics()["monitor_crops_scored_total"] == len(sources), pair.text)
    expected = pair.query(
        "select crops.id from crops join scores on crop_id = crops.id "
        "where crops.verdict = 'ne_proliv' and scores.verdict = 'proliv' order by crops.id"
    )
    assert expected
    assert pair.query("select id from crops where unusual order by id") == expected
    assert pair.metrics()["monitor_unusual_crops_total"] == len(expected)
    told = re.findall(
        r" ([A-Z]+) (?:.* )?unusual: hole unknown, crop (\d+), \S+: decided ne_proliv, but brightness-\w+ calls it ",
        pair.text(),
    )
    assert sorted((level, int(crop_id)) for level, crop_id in told) == [("INFO", crop_id) for (crop_id,) in expected]
    assert pair.stop() == 0


def test_sighup_takes_over_another_primary(pair: Daemon, crops: list[Path]) -> None:
    pair.start()
    assert re.search(r"the final decision: that of the primary, brightness-\w+\n", pair.text())
    activate = [sys.executable, "-m", "monitor", "models", "activate", "ae"]
    subprocess.run(activate, cwd=pair.home, env=pair.environment, check=True)
    assert pair.process is not None
    pair.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "that of the primary, ae-" in pair.text(), pair.text)
    shutil.copyfile(crops[0], pair.inbox / "crop.jpg")
    wait_until(lambda: pair.count() == 1, pair.text)
    (primary,) = pair.query("select id from models where detector = 'ae'")[0]
    query = "select decision_score, decision_threshold, decided_by from crops"
    assert pair.query(query) == [
        (*pair.query("select score, threshold from scores where model_id = ?", primary)[0], "primary")
    ]
    assert pair.query("select count(*) from scores") == [(2,)]


def test_a_reload_that_fails_keeps_the_model_in_use(daemon: Daemon, crops: list[Path]) -> None:
    daemon.start()
    weights = next((daemon.home / "state" / "models").rglob("*.safetensors"))
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert daemon.process is not None
    daemon.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "was changed since the training" in daemon.text(), daemon.text)
    shutil.copyfile(crops[0], daemon.inbox / "crop.jpg")
    wait_until(lambda: daemon.count("state = 'scored'") == 1, daemon.text)
    assert daemon.stop() == 0
    daemon.start(ready=False)
    assert daemon.process.wait(PATIENCE_SECONDS) is not None
    assert daemon.process is not None
    assert daemon.process.wait(PATIENCE_SECONDS) == 65
