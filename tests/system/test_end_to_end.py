"""The service under a real systemd, watched by a real Prometheus: figures, panels, and alerts by their causes."""

from __future__ import annotations

import json
import shutil
import sys
from datetime import UTC, datetime
from io import BytesIO
from typing import TYPE_CHECKING, Final

import numpy as np
import pytest
from PIL import Image

from generators.crops.datasets import CastingTable, encode, write_dataset
from monitor.configuration.settings import Settings, Store
from monitor.deploy import alerts
from tests.support.container import missing
from tests.support.expressions import every
from tests.support.plant import INBOX, Cameras, Plant
from tests.support.requirements import go_without
from tests.system.conftest import CONFIGURATION as SERVICE
from tests.system.conftest import a_machine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONFIGURATION: Final = f"""\
{SERVICE.replace("nightly = false", "minimum_normal = 100000")}
[store]
keep_days = 40

[database]
busy_seconds = 0.5

[decision]
detectors = ["ae", "brightness"]

[drift]
baseline_hours = 24

[completeness]
interval_seconds = 5.0
late_seconds = 1.0
window_hours = 0.05

[alerts]
latency_seconds = 3.0
backlog_seconds = 5.0
acknowledge_seconds = 5.0
pause_seconds = 900.0
"""
OLD: Final = "2026-01-01 03:00:00.000000"
FED: Final = 3000

WATCHED: Final = (("A", 1), ("A", 2), ("A", 3), ("A", 4), ("B", 1), ("B", 2))
# They need hours of a disk that fills, a kernel that has no file events left for anybody on this machine, an inbox that
# is another one, and days of crops to compare with. promtool tries them with made-up figures; test_file_events.py,
# test_inbox_identity.py and test_daemon.py of the metrics see the daemon tell of the last three.
NOT_MADE_TO_FIRE: Final = {
    "MonitorDiskFilling",
    "MonitorNoFileEvents",
    "MonitorDeletionStopped",
    "MonitorUnusualRising",
    # test_deliverers.py sees the daemon tell of messages that wait, test_alarms.py of a cast in doubt, and
    # test_selftest.py of a self-test that failed.
    "MonitorSelftestFailed",
    "MonitorAlarmsNotDelivered",
    "MonitorCastInDoubt",
}
# The detector of these tests has a defect with pictures of this colour.
ODD: Final = (0, 0, 255)


@pytest.fixture
def plant(request: pytest.FixtureRequest) -> Iterator[Plant]:
    """A plant that has run for a while: two models, days of decisions, and a night that was missed."""
    if reason := missing():
        go_without("systemd", reason)
    state: Path = request.getfixturevalue("pair_state")
    site: Path = request.getfixturevalue("second_detector")
    with a_machine(state, CONFIGURATION) as machine:
        (packages,) = machine.path("/opt/monitor/lib").glob("python*/site-packages")
        shutil.copytree(site, packages, dirs_exist_ok=True)
        packages.chmod(0o755)  # it was given the mode of the copied folder, which other users may not enter
        plant = Plant(machine)
        for job in ("recalibrate", "retention"):
            plant.query(
                "insert into runs (job, slot, started_at, finished_at, outcome) values (?, ?, ?, ?, 'old')",
                *(job, OLD, OLD, OLD),
            )
        plant.remember(datetime.now(UTC))
        yield plant


@pytest.mark.timeout(400)
def test_prometheus_has_the_figures_of_evaluate_and_every_panel_has_data(plant: Plant) -> None:
    crops = plant.machine.path("/srv/crops")
    write_dataset(crops, train=0, proliv=0, test=FED, seed=8)
    fed = [path for label in ("proliv", "ne_proliv") for path in sorted((crops / "test" / label).iterdir())]
    assert len({path.name for path in fed}) == FED
    plant.watch()
    plant.control("start")
    for path in fed:
        plant.put(path.name, path.read_bytes())
    decided = "select count(*) from crops where path like '/srv/%' and state = 'scored'"
    plant.until(lambda: plant.query(decided) == [(FED,)])
    for path in fed:
        shutil.copyfile(path, plant.machine.path(f"/srv/camera/labelled/{path.parent.name}/{path.name}"))
    plant.until(lambda: plant.query("select count(*) from labels") == [(FED,)])
    plant.control("reload")
    asked = plant.prometheus
    labelled = 'sum(monitor_labelled_crops{window="1d"})'
    plant.until(lambda: [value for _, value in asked.query(labelled)] == [FED])

    measured = json.loads(plant.monitor("evaluate", "/srv/crops", "--model", "ae", "--format", "json"))
    for rate in ("tpr", "tnr"):
        of_all = '{detector="decision",window="1d"}'
        assert asked.value(f"monitor_{rate}{of_all}") == measured[rate]
        for end in ("low", "high"):
            assert asked.value(f"monitor_{rate}_{end}{of_all}") == pytest.approx(measured[f"{rate}_{end}"], abs=1e-9)
    assert measured["tpr"] > 0.5
    counted = {
        (labels["label"], labels["verdict"]): value
        for labels, value in asked.query('monitor_confusion_crops{detector="decision",window="1d"}')
    }
    assert counted == {
        ("proliv", "proliv"): measured["tp"],
        ("proliv", "ne_proliv"): measured["fn"],
        ("ne_proliv", "proliv"): measured["fp"],
        ("ne_proliv", "ne_proliv"): measured["tn"],
    }

    for number in range(10):
        plant.put(f"{number + 1}_CAM_A_broken.jpg", b"\xff\xd8 no picture")
    with Cameras(plant, [("A", hole) for hole in (1, 2, 3)]) as cameras:
        settings = Settings()
        empty = list(every(settings))

        def fill() -> bool:
            empty[:] = [one for one in empty if not asked.query(one.text)]
            return not empty

        # A hole that gave crops and no longer does has missing intervals.
        plant.until(lambda: len(asked.query('monitor_hole_last_crop_timestamp_seconds{camera="A"}')) == 3)
        cameras.holes.remove(("A", 3))
        try:
            plant.until(fill)
        finally:
            print("without series:", *empty, sep="\n", file=sys.stderr)


@pytest.mark.timeout(600)
def test_every_alert_fires_by_its_cause(plant: Plant, small_dataset: Path) -> None:
    asked = plant.prometheus
    fired: set[str] = set()

    def fire(*names: str) -> None:
        def have_fired() -> bool:
            # Each may be over by the time that another one fires.
            fired.update(asked.firing())
            return set(names) <= fired

        try:
            plant.until(have_fired)
        finally:
            print("expected:", *names, "; fired so far:", *sorted(fired), file=sys.stderr)

    plant.configure(CONFIGURATION.replace('["ae", "brightness"]', '["brightness"]'))
    _give_a_defect(plant)
    _choose_without_proliv(plant, small_dataset)
    plant.machine.run("mount", "-t", "tmpfs", "-o", "size=64m,mode=777", "tmpfs", "/srv/camera/archive")
    plant.watch()
    plant.control("start")
    with Cameras(plant, WATCHED) as cameras:
        seen = 'monitor_hole_last_crop_timestamp_seconds{camera=~"A|B"}'
        plant.until(lambda: len(asked.query(seen)) == len(WATCHED))
        _label_wrongly(plant)
        # What is silent is compared with what has given crops for a while: 15 seconds in the sped-up time.
        plant.until(lambda: asked.value("time() - max(process_start_time_seconds)") > 20)
        cameras.holes[:] = [("A", 1), ("A", 2), ("A", 3)]
        for number in range(60):
            plant.put(f"{number % 3 + 1}_CAM_A_broken-{number}.jpg", b"\xff\xd8 no picture")
        for number, crop in enumerate(sorted((small_dataset / "train").iterdir())[:5]):
            plant.put(f"1_CAM_A_damaged-{number}.jpg", crop.read_bytes().replace(b"\n", b"\r\n"))
        plant.put("1_CAM_A_odd.png", _picture(ODD))
        fire(
            "MonitorFilesFailing",
            "MonitorFilesDamaged",
            "MonitorDetectorErrors",
            "MonitorDiskFull",
            "MonitorThresholdFallback",
        )
        fire("MonitorHoleSilent", "MonitorCameraSilent", "MonitorIntervalsMissing")
        fire("MonitorDrift", "MonitorHoleDrift", "MonitorCalibrationRefused")
        fire("MonitorTprNotShown", "MonitorTprUnderTarget", "MonitorTnrNotShown", "MonitorTnrUnderTarget")
        with plant.locked_database():
            _feed(plant, 400)
            cameras.holes[:] = [("A", hole) for hole in range(1, 30)]
            fire("MonitorCommitsFailing", "MonitorBacklogOld", "MonitorBacklogGrowing", "MonitorHeartbeatNotTaken")
        fire("MonitorLatencyHigh")
    plant.machine.run("chmod", "0000", INBOX)
    fire("MonitorScansFailing", "MonitorNoScan", "MonitorNoCrops")
    plant.machine.run("chmod", "2770", INBOX)
    for restarts in range(1, 5):
        _kill(plant, restarts)
    fire("MonitorRestartsOften")
    _let_nights_fail(plant)
    fire("MonitorRunOverdue", "MonitorCalibrationOverdue")
    plant.control("stop")
    fire("MonitorDown")

    settings = Settings(store=Store(keep_days=40))
    assert fired == {rule.name for rule in alerts.rules(settings)} - NOT_MADE_TO_FIRE


def _give_a_defect(plant: Plant) -> None:
    """Let the detector fail on pictures of one colour."""
    (module,) = plant.machine.path("/opt/monitor/lib").glob("python*/site-packages/brightness_detector.py")
    text = module.read_text()
    scoring = "    def score(self, crops: Pixels) -> Scores:\n"
    assert scoring in text
    defect = f"        if (crops[..., :3] == {ODD}).all():\n            raise RuntimeError('a defect')\n"
    module.write_text(text.replace(scoring, scoring + defect).replace("pixels.min() == pixels.max()", "False"))


def _choose_without_proliv(plant: Plant, small_dataset: Path) -> None:
    """A threshold of ten days ago that was chosen without proliv, by the rule that needs none."""
    shutil.copytree(small_dataset / "train", plant.machine.path("/srv/reference/train"))
    plant.monitor("calibrate", "--model", "brightness", "--data", "/srv/reference", "--accept")
    plant.query("update calibrations set created_at = (select min(created_at) from calibrations)")
    assert plant.query("select fallback from calibrations where state = 'active' order by id") == [(0,), (1,)]


def _label_wrongly(plant: Plant) -> None:
    """Label crops that raised an alarm as ne_proliv, and others as proliv."""
    for number in range(30):
        plant.put(f"{number + 1}_CAM_A_white-{number}.png", _picture((255, 255, number)))
    decided = "select sha256, verdict from crops where path like '/srv/%' and verdict = ? limit 30"
    plant.until(lambda: len(plant.query(decided, "proliv")) == len(plant.query(decided, "ne_proliv")) == 30)
    wrong = {"proliv": "ne_proliv", "ne_proliv": "proliv"}
    rows = [f"{content},{wrong[verdict]}" for verdict in wrong for content, _ in plant.query(decided, verdict)]
    plant.machine.write("/srv/labels.csv", "\n".join(["sha256,label", *rows, ""]))
    plant.monitor("labels", "import", "/srv/labels.csv")
    plant.control("reload")


def _feed(plant: Plant, count: int) -> None:
    generator = np.random.default_rng(3)
    table = CastingTable(camera="A")
    for number, crop in enumerate(table.holes[0].normal(count, generator)):
        plant.put(f"1_CAM_A_more-{number}.jpg", encode(crop))


def _kill(plant: Plant, restarts: int) -> None:
    """Kill the daemon, and wait until Prometheus has seen this many restarts."""
    plant.control("kill", "--signal=KILL")
    plant.until(lambda: plant.prometheus.value("max(changes(process_start_time_seconds[5m]))") >= restarts)


def _let_nights_fail(plant: Plant) -> None:
    """As if no night had succeeded for a long time; the one that is caught up fails, because a model was damaged."""
    for listing in (plant.database.parent / "models").glob("*/training.txt"):
        listing.unlink()
    plant.query("update calibrations set run_id = null")
    plant.query("delete from runs where slot > ?", OLD)


def _picture(colour: tuple[int, int, int]) -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (50, 30), colour).save(buffer, "PNG")
    return buffer.getvalue()
