"""The active model is exchanged again and again under load: each crop is decided once, by a model that was active."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from monitor.store.database.engine import Database
from monitor.store.models import activate_model, find_model

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import RunMonitor
    from tests.support.daemon import Daemon

EXCHANGES = 200
CROPS_EACH = 100


def test_no_crop_loses_its_decision_when_the_model_is_exchanged_under_load(
    daemon: Daemon, run_monitor: RunMonitor, small_dataset: Path
) -> None:
    trained = run_monitor("train", "ae", "--set", "epochs=1", "--seed", "9", "--data", small_dataset)
    second = trained.stdout.strip()
    assert run_monitor("calibrate", "--model", second, "--activate", "--data", small_dataset).returncode == 0
    names = [name for (name,) in daemon.query("select name from models order by id")]
    assert names[1] == second
    pictures = [path.read_bytes() for path in sorted((small_dataset / "train").glob("*.jpg"))[:CROPS_EACH]]
    running = daemon.start()
    database = Database(f"sqlite:///{daemon.database}", busy_seconds=30)

    def taken_over() -> int:
        return daemon.text().count(" decides with the threshold ")

    for exchange in range(EXCHANGES):
        before = taken_over()
        for number, picture in enumerate(pictures):
            (daemon.inbox / f"{number}_{exchange}.jpg").write_bytes(picture)
        with database.write() as connection:
            activate_model(connection, find_model(connection, names[exchange % 2]))
        running.send_signal(signal.SIGHUP)
        daemon.until(lambda before=before: taken_over() > before)  # type: ignore[misc]
    database.close()
    daemon.until(lambda: daemon.count() == EXCHANGES * CROPS_EACH)
    assert daemon.stop() == 0

    assert daemon.query("select state, reason, count(*) from crops group by 1, 2") == [
        ("scored", None, EXCHANGES * CROPS_EACH)
    ]
    decisions = daemon.query("select count(*), count(distinct crop_id) from scores")
    assert decisions == [(EXCHANGES * CROPS_EACH,) * 2]
    by_model = dict(
        daemon.query("select models.name, count(*) from scores join models on models.id = model_id group by 1")
    )
    # Both were active in turn, and each decided by its own threshold.
    assert set(by_model) == set(names)
    assert min(by_model.values()) > EXCHANGES * CROPS_EACH / 10
    assert daemon.query(
        "select count(*) from scores join calibrations on calibrations.id = calibration_id"
        " where scores.threshold <> calibrations.threshold or scores.model_id <> calibrations.model_id"
    ) == [(0,)]
