"""Learning from labels at night under the daemon as a real process."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from monitor.configuration.file import load
from monitor.daemon.night_training import command
from monitor.harness.waiting import wait_until
from tests.support.daemon import Daemon
from tests.support.states import made_once, make_state

if TYPE_CHECKING:
    from collections.abc import Iterator

OLD = "2026-01-01 03:30:00.000000"
LAST_NIGHT = "select outcome from runs where job = 'retrain' and slot > ? order by slot desc"
QUICK = ("--set", "pool=512", "--set", "epochs=4")


@pytest.fixture(scope="module")
def labelled_state(tmp_path_factory: pytest.TempPathFactory, small_dataset: Path, starts_processes: None) -> Path:
    """A home with an active model of contrast, and proliv that was labelled in the labelled folder."""

    def make(home: Path) -> None:
        shutil.copytree(small_dataset / "test" / "proliv", home / "labelled" / "proliv")
        make_state(home, small_dataset, [["train", "contrast", *QUICK], ["calibrate"]])
        # It reads the labelled folder; whether the threshold that it chooses is taken does not matter.
        read = [sys.executable, "-m", "monitor", "recalibrate"]
        subprocess.run(read, cwd=home, check=False, capture_output=True)

    return made_once(tmp_path_factory, "labelled", make)


@pytest.fixture
def learner(labelled_state: Path, small_dataset: Path, tmp_path: Path) -> Iterator[Daemon]:
    """A daemon that learns at night, whose last night was long ago."""
    shutil.copytree(labelled_state / "state", tmp_path / "state")
    shutil.copytree(labelled_state / "labelled", tmp_path / "labelled")
    daemon = Daemon(tmp_path)
    daemon.environment |= {
        "MONITOR__PIPELINE__WORKERS": "1",
        "MONITOR__CALIBRATION__NIGHTLY": "false",
        "MONITOR__CALIBRATION__MINIMUM_NORMAL": "5",
        "MONITOR__LEARNING__ENABLED": "true",
        "MONITOR__LEARNING__DATA": str(small_dataset),
        "MONITOR__LEARNING__MINIMUM_LABELS": "1",
        "MONITOR__LEARNING__SHADOW_DAYS": "0",
        "MONITOR__LEARNING__MADE_UP_TOLERANCE": "1",
    }
    with closing(sqlite3.connect(daemon.database)) as connection, connection:
        connection.execute(
            "insert into runs (job, slot, started_at, finished_at, outcome) values ('retrain', ?, ?, ?, 'old')",
            (OLD, OLD, OLD),
        )
    yield daemon
    daemon.kill()


def another_night(daemon: Daemon) -> None:
    """Let the nights that have passed lie a day further back, so that the newest slot is due once more."""
    with closing(sqlite3.connect(daemon.database, timeout=30)) as connection, connection:
        connection.execute("update runs set slot = datetime(slot, '-1 day') || '.000000' where job = 'retrain'")


def test_a_model_is_trained_at_night_goes_through_the_shadow_and_is_accepted(
    learner: Daemon, small_dataset: Path
) -> None:
    ((former,),) = learner.query("select name from models")
    learner.start()
    learner.until(lambda: learner.query("select state from retrainings") == [("shadow",)])
    ((new, active),) = learner.query("select name, active from models where name <> ?", former)
    assert not active
    learner.until(lambda: f"model {new} is in the shadow" in learner.text())
    crops = sorted((small_dataset / "test" / "ne_proliv").iterdir())
    for path in crops:
        shutil.copy(path, learner.inbox)
    learner.until(lambda: learner.count("source = 'inbox'") == len(crops))
    by_model = "select count(*) from scores join models on models.id = model_id join crops on crops.id = crop_id"
    for name in (former, new):
        assert learner.query(f"{by_model} where source = 'inbox' and name = ?", name) == [(len(crops),)]
    # The final decision is the active model's, and so are all metrics.
    decided = "select count(*) from crops join scores on crop_id = crops.id join models on models.id = model_id"
    by_former = "source = 'inbox' and name = ? and decision_threshold = threshold and decision_score = score"
    assert learner.query(f"{decided} where {by_former}", former) == [(len(crops),)]
    counted = {name: value for name, value in learner.metrics().items() if name.startswith("monitor_decisions_total")}
    assert sum(counted.values()) == len(crops)
    another_night(learner)
    learner.until(lambda: learner.query("select name from models where active") == [(new,)])
    learner.until(lambda: f"model {new} decides" in learner.text())
    assert learner.query("select state, refusal from retrainings") == [("accepted", None)]
    learner.until(lambda: learner.query(LAST_NIGHT, OLD)[0] == (f"accepted: {new}",))
    name = 'monitor_retrainings_total{detector="contrast",outcome="accepted",reason=""}'
    learner.until(lambda: learner.metrics().get(name) == 1)
    assert learner.stop() == 0


def test_a_refusal_at_night_is_logged_counted_and_changes_nothing(learner: Daemon) -> None:
    learner.environment["MONITOR__CALIBRATION__MINIMUM_PROLIV"] = "1000"
    before = learner.query("select name, active from models")
    learner.start()
    name = 'monitor_retrainings_total{detector="contrast",outcome="refused",reason="too_few_proliv"}'
    learner.until(lambda: learner.metrics().get(name) == 1)
    assert learner.query("select state, refusal from retrainings") == [("refused", "too_few_proliv")]
    assert learner.query("select name, active from models") == before
    assert learner.query(LAST_NIGHT, OLD) == [("refused (too_few_proliv)",)]
    assert (
        "is refused (too_few_proliv): 30 known proliv are fewer than calibration.minimum_proliv 1000" in learner.text()
    )


def training_process(daemon: Daemon) -> int | None:
    """The process of a training that was started by the daemon, if one runs."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
            status = (folder / "status").read_text()
        except OSError:
            continue
        if b"--scheduled" in words and daemon.process and f"PPid:\t{daemon.process.pid}\n" in status:
            return int(folder.name)
    return None


def test_a_training_that_is_killed_leaves_the_models_as_they_are(learner: Daemon) -> None:
    before = learner.query("select name, active from models")
    learner.start()
    learner.until(lambda: training_process(learner) is not None)
    process = training_process(learner)
    assert process is not None
    learner.until(lambda: os.getpriority(os.PRIO_PROCESS, process) == 19)
    os.kill(process, signal.SIGKILL)
    learner.until(lambda: learner.query(LAST_NIGHT, OLD)[0][0] is not None)
    assert "failed: the training ended with SIGKILL" in learner.query(LAST_NIGHT, OLD)[0][0]
    assert learner.query("select name, active from models") == before
    assert learner.query("select count(*) from retrainings") == [(0,)]
    assert learner.metrics()['monitor_scheduled_runs_total{outcome="failed",task="retrain"}'] == 1
    assert [path.name for path in (learner.home / "state" / "models").iterdir()] == [before[0][0]]


def test_a_training_ends_with_its_daemon(learner: Daemon) -> None:
    learner.start()
    learner.until(lambda: training_process(learner) is not None)
    process = training_process(learner)
    learner.kill()
    wait_until(lambda: not Path(f"/proc/{process}").exists())
    assert learner.query(LAST_NIGHT, OLD) == [(None,)]


@pytest.mark.parametrize("moved", ["gone", "another"])
def test_data_that_is_gone_or_another_is_said_and_nothing_changes(learner: Daemon, tmp_path: Path, moved: str) -> None:
    folder = tmp_path / "elsewhere"
    if moved == "another":
        shutil.copytree(learner.labelled / "proliv", folder / "train")
    learner.environment["MONITOR__LEARNING__DATA"] = str(folder)
    learner.start()
    learner.until(
        lambda: learner.query("select count(*) from runs where slot > ? and outcome is not null", OLD) != [(0,)]
    )
    ((outcome,),) = learner.query(LAST_NIGHT, OLD)
    assert outcome.startswith(f"failed: {folder}")
    assert ("is not the folder that the model was trained on" in outcome) == (moved == "another")
    assert learner.query("select count(*) from retrainings") == [(0,)]


def test_the_process_is_this_program_with_the_same_configuration(tmp_path: Path) -> None:
    (tmp_path / "config.toml").touch()
    assert command(load(tmp_path / "config.toml"))[3:] == [
        "monitor", "--config", str(tmp_path / "config.toml"), "retrain", "--scheduled",
    ]  # fmt: skip
