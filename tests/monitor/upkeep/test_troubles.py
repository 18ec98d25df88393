"""What is wrong with the system, found in a real database."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from monitor.configuration.resolved import Configuration
from monitor.configuration.settings import Settings
from monitor.store import calibrations, casts, daemons, outbox, pauses
from monitor.store.database import schema
from monitor.store.database.lock import only_daemon
from monitor.store.decisions import record
from monitor.store.runs import NIGHTLY, claim, finish
from monitor.upkeep.troubles import Trouble, find_troubles
from tests.support.alarm_line import Line
from tests.support.stored_crops import decided, decision, make_active, opened
from tests.support.stores import upgrade

if TYPE_CHECKING:
    from collections.abc import Iterator

    from monitor.store.database.engine import Database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with opened(f"sqlite:///{tmp_path / 'monitor.db'}") as database:
        upgrade(database)
        yield database


def troubles(database: Database, now: datetime | None = None, **settings: Any) -> list[Trouble]:
    configuration = Configuration(settings=Settings.model_validate(settings), file=Path("/etc/monitor/config.toml"))
    return find_troubles(configuration, database, now or datetime.now(UTC))


def kinds(database: Database, now: datetime | None = None, **settings: Any) -> list[str]:
    return [one.kind for one in troubles(database, now, **settings)]


@pytest.fixture
def running(database: Database) -> Iterator[Database]:
    """With a daemon that runs and a model that decides."""
    with database.write() as connection:
        make_active(connection, "a")
        daemons.enter(connection, daemons.Identity("here", 1, "1", "/inbox"))
    with ExitStack() as stack:
        stack.enter_context(only_daemon(database))
        yield database


def test_of_an_empty_database_nobody_watches_and_nothing_decides(database: Database) -> None:
    assert kinds(database) == ["not_running", "no_model"]
    assert troubles(database)[0].since is None


def test_nothing_is_wrong_where_all_is_well(running: Database) -> None:
    assert troubles(running) == []


def test_a_daemon_that_ended_or_hangs(database: Database) -> None:
    with database.write() as connection:
        make_active(connection, "a")
        row = daemons.enter(connection, daemons.Identity("here", 1, "1", "/inbox"))
        seen = datetime.now(UTC) - timedelta(minutes=2)
        connection.execute(schema.daemons.update().where(schema.daemons.c.id == row).values(seen_at=seen))
    (trouble,) = troubles(database)
    assert (trouble.severity, trouble.kind, trouble.since) == ("stop", "not_running", seen)
    with only_daemon(database):
        assert kinds(database) == ["hangs"]


def test_no_crops_for_longer_than_a_pause_between_casts(running: Database) -> None:
    with running.write() as connection:
        model = make_active(connection, "b", "mnad")
        assert model.calibration_id is not None
        now = datetime.now(UTC)
        score = decision(model.id, model.calibration_id)._replace(scored_at=now)
        record(connection, [decided("1.jpg", "a", score)])
    assert kinds(running, now + timedelta(seconds=7199)) == []
    assert kinds(running, now + timedelta(seconds=7201)) == ["no_crops"]
    with running.write() as connection:
        casts.say(connection, casts.begin(connection, "7", None, now), "steady", now, source="person", author="a")
    # While metal is cast, that is long.
    assert kinds(running, now + timedelta(seconds=901)) == ["no_crops"]
    with running.write() as connection:
        casts.say(connection, None, "idle", now, source="person", author="a")
    assert kinds(running, now + timedelta(seconds=7201)) == []


@pytest.mark.parametrize(("latency", "found"), [(9.9, []), (11.0, ["late"])])
def test_decisions_that_come_late(running: Database, latency: float, found: list[str]) -> None:
    with running.write() as connection:
        model = make_active(connection, "b", "mnad")
        assert model.calibration_id is not None
        now = datetime.now(UTC)
        score = decision(model.id, model.calibration_id)._replace(scored_at=now, latency_seconds=latency)
        record(connection, [decided("1.jpg", "a", score)])
    assert kinds(running, now + timedelta(seconds=1)) == found
    assert kinds(running, now + timedelta(minutes=6)) == []


def test_thresholds_that_are_a_fallback_or_whose_successor_was_refused(running: Database) -> None:
    values: dict[str, Any] = {"model_id": 1, "rule": "r", "settings": {}, "evidence": {}, "now": datetime.now(UTC)}
    with running.write() as connection:
        calibrations.add(connection, **values, threshold=0.1, fallback=True)
    assert kinds(running) == ["fallback"]
    with running.write() as connection:
        calibrations.add(connection, **values, threshold=0.2, state="refused", reason="TNR falls", refusal="tnr")
    refused, fallback = troubles(running)
    assert (refused.kind, refused.why, fallback.kind) == ("refused", "TNR falls", "fallback")


def test_messages_that_no_sink_took(running: Database) -> None:
    line = Line(running)
    line.decide(line.crop(0))
    at = datetime.now(UTC)
    with running.write() as connection:
        message: dict[str, Any] = {"alarm_id": 1, "kind": "opened", "alarm": {}, "lane": "x", "at": at}
        outbox.add(connection, ["siren"], uid="u", **message)
    assert "undelivered" not in kinds(running, at + timedelta(seconds=59))
    (trouble,) = [one for one in troubles(running, at + timedelta(seconds=61)) if one.kind == "undelivered"]
    assert (trouble.severity, trouble.name, trouble.amount, trouble.since) == ("warn", "siren", 1, at)


def test_a_night_that_failed_a_cast_in_doubt_and_a_pause(running: Database) -> None:
    now = datetime.now(UTC)
    with running.write() as connection:
        run = claim(connection, NIGHTLY, now, owner="me", now=now, lease=timedelta(hours=1))
        assert run is not None
        finish(connection, run, outcome="failed: the disk is full", now=now)
        casts.say(connection, casts.begin(connection, "7", None, now), "steady", now, source="file", problem="no file")
        pauses.add(
            connection, camera="C", hole=4, begins_at=now, ends_at=now + timedelta(hours=1), reason="why", author="anna"
        )
    night, cast, pause = troubles(running, now)
    assert (night.kind, night.why) == ("night_failed", "failed: the disk is full")
    assert cast.kind == "cast_in_doubt"
    assert (pause.severity, pause.kind, pause.camera, pause.hole, pause.why) == ("info", "paused", "C", 4, "anna: why")
