"""The status of an installation, read from a real database."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import update

from monitor.configuration.resolved import Configuration
from monitor.configuration.settings import Decision, Paths, Settings
from monitor.store.database.schema import calibrations
from monitor.store.decisions import record
from monitor.store.runs import NIGHTLY, claim, finish
from monitor.upkeep.status import Status, read_status
from tests.support.stored_crops import NOW, crop, decided, decision, failed, make_active, opened
from tests.support.stores import upgrade

if TYPE_CHECKING:
    from collections.abc import Iterator

    from monitor.store.database.engine import Database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with opened(f"sqlite:///{tmp_path / 'monitor.db'}") as database:
        upgrade(database)
        yield database


def status(database: Database, **decision_settings: object) -> Status:
    settings = Settings(paths=Paths(inbox=Path("/srv/inbox")), decision=Decision.model_validate(decision_settings))
    found = read_status(Configuration(settings=settings, file=Path("/etc/monitor/config.toml")), database)
    json.dumps(found.as_dict())  # ready for JSON
    return found


def test_of_an_empty_database(database: Database) -> None:
    found = status(database)
    assert (found.configuration, found.inbox) == ("/etc/monitor/config.toml", Path("/srv/inbox"))
    assert (found.database, found.daemon_process) == (database.description, None)
    assert (found.models, found.deciding, found.nightly_run) == ((), (), None)
    assert found.as_dict() == {
        "configuration": "/etc/monitor/config.toml",
        "inbox": "/srv/inbox",
        "database": database.description,
        "daemon_process": None,
        "daemons": [],
        "models": [],
        "decide": "primary",
        "deciding": [],
        "scored": 0,
        "failed": 0,
        "failed_by_reason": {},
        "by_hand": 0,
        "decisions": {"proliv": 0, "ne_proliv": 0},
        "verdicts": [],
        "last_day": {"decided": 0, "unusual": 0, "unusual_share": None},
        "nightly_run": None,
        "training_run": None,
        "shadows": [],
        "alarms": {
            "open": 0,
            "acknowledged": 0,
            "oldest_open_at": None,
            "withheld": 0,
            "pauses": [],
            "undelivered": [],
        },
        "evidence": {"due": 0, "due_since": None, "missing": 0},
        "cast": None,
        "selftest": None,
        "last_scored_at": None,
        "last_scored_before": None,
    }


def test_of_models_and_crops(database: Database) -> None:
    with database.write() as connection:
        first, second = make_active(connection, "1"), make_active(connection, "2", "other")
        assert first.calibration_id is not None
        assert second.calibration_id is not None
        one = decision(first.id, first.calibration_id, mse=0.5)
        other = decision(second.id, second.calibration_id, mse=0.001)
        record(connection, [decided("1.jpg", "a", one, other), decided("2.jpg", "b", other)])
        record(connection, [failed(crop("3.jpg", "c"))])
        connection.execute(update(calibrations).where(calibrations.c.model_id == first.id).values(fallback=True))
    found = status(database)
    assert [(model.name, model.threshold, model.rule, model.fallback) for model in found.models] == [
        (second.name, 0.002, "balanced", False),
        (first.name, 0.002, "balanced", True),
    ]
    assert (found.decide, found.deciding) == ("primary", (second.name, first.name))
    assert found.decisions == {"proliv": 1, "ne_proliv": 1}
    assert found.verdicts == [(first.name, "proliv", 1), (second.name, "ne_proliv", 2)]
    report = found.as_dict()
    assert (report["scored"], report["failed"], report["failed_by_reason"]) == (2, 1, {"truncated": 1})
    assert report["last_scored_at"] == NOW.isoformat()
    assert report["models"][0]["trained_at"] == second.trained_at.isoformat()
    assert report["verdicts"][0] == {"model": first.name, "verdict": "proliv", "crops": 1}


def test_of_the_last_day(database: Database) -> None:
    now = datetime.now(UTC)
    with database.write() as connection:
        first, second = make_active(connection, "1"), make_active(connection, "2", "other")
        assert first.calibration_id is not None
        assert second.calibration_id is not None
        passed = decision(first.id, first.calibration_id)
        other = decision(second.id, second.calibration_id, mse=0.5)
        old = decided("old.jpg", "a", passed, other)._replace(seen_at=now - timedelta(days=1, minutes=1))
        new = [decided(f"{name}.jpg", name, passed, other)._replace(seen_at=now) for name in "bc"]
        plain = [decided(f"{name}.jpg", name, passed)._replace(seen_at=now) for name in "def"]
        by_hand = new[0]._replace(path="/by/hand.jpg", source="folder")
        record(connection, [old, *new, *plain, by_hand, failed(crop("g.jpg", "g", seen_at=now))])
    found = status(database)
    assert (found.last_day.decided, found.last_day.unusual, found.last_day.share) == (5, 2, 0.4)
    assert found.as_dict()["last_day"] == {"decided": 5, "unusual": 2, "unusual_share": 0.4}


def test_of_the_final_decision(database: Database) -> None:
    with database.write() as connection:
        first, second = make_active(connection, "1"), make_active(connection, "2", "other")
    found = status(database, decide="any", detectors=["ae", "other"])
    assert (found.decide, found.deciding) == ("any", (first.name, second.name))
    alone = status(database, decide="any", detectors=["other", "mnad"])
    assert (alone.decide, alone.deciding) == ("primary", (second.name,))


def test_of_the_last_night(database: Database) -> None:
    with database.write() as connection:
        run = claim(connection, NIGHTLY, NOW, owner="me", now=NOW, lease=NOW - NOW)
        assert run is not None
    assert status(database).as_dict()["nightly_run"] == {"slot": NOW.isoformat(), "outcome": None}
    with database.write() as connection:
        finish(connection, run, outcome="1 activated", now=NOW)
    assert status(database).as_dict()["nightly_run"] == {"slot": NOW.isoformat(), "outcome": "1 activated"}
