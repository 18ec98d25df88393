"""What is kept count of is what counting would find, whatever is stored, changed and deleted."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from threading import Thread
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import delete, func, select, text, update

from monitor.store import decisions, models, retention, traffic
from monitor.store.counts import count_crops
from monitor.store.database.schema import crop_tallies, crops, score_tallies, scores
from monitor.store.database.upgrade import _alembic_configuration, upgrade
from monitor.store.decisions import CropRow, ScoreRow
from tests.support.made_up import MadeUp

if TYPE_CHECKING:
    from monitor.store.database.engine import Database

NOW = datetime(2026, 3, 2, 3, tzinfo=UTC)
REASONS = ("truncated", "empty")


@pytest.fixture
def database(either_store: Database) -> Database:
    """A store with two models that have a calibration each."""
    MadeUp(either_store)
    with either_store.write() as connection:
        models.add_model(connection, name="b", detector="b", fingerprint="b", folder="b", settings={})
        connection.execute(
            text(
                "insert into calibrations (id, model_id, rule, settings, threshold, evidence, state, created_at) "
                "values (1, 1, 'r', '{}', 1, '{}', 'active', '2026-01-01'), "
                "(2, 2, 'r', '{}', 1, '{}', 'active', '2026-01-01')"
            )
        )
    return either_store


def tallies(database: Database) -> tuple[dict[tuple[str, ...], int], dict[tuple[object, ...], int]]:
    """What is kept count of: of crops, and of scores."""
    with database.read() as connection:
        of_crops = connection.execute(
            select(*list(crop_tallies.c)[1:5], func.sum(crop_tallies.c.crops)).group_by(*list(crop_tallies.c)[1:5])
        )
        of_scores = connection.execute(
            select(*list(score_tallies.c)[1:4], func.sum(score_tallies.c.scores)).group_by(*list(score_tallies.c)[1:4])
        )
        return {tuple(row[:-1]): int(row[-1]) for row in of_crops if row[-1]}, {
            tuple(row[:-1]): int(row[-1]) for row in of_scores if row[-1]
        }


def counts(database: Database) -> tuple[dict[tuple[str, ...], int], dict[tuple[object, ...], int]]:
    """The same, counted."""
    reason, verdict = func.coalesce(crops.c.reason, ""), func.coalesce(crops.c.verdict, "")
    with database.read() as connection:
        kind = (crops.c.source, crops.c.state, reason, verdict)
        of_crops = connection.execute(select(*kind, func.count()).group_by(*kind))
        decided = (scores.c.model_id, crops.c.source, scores.c.verdict)
        joined = select(*decided, func.count()).join(crops, crops.c.id == scores.c.crop_id)
        return {tuple(row[:-1]): row[-1] for row in of_crops}, {
            tuple(row[:-1]): row[-1] for row in connection.execute(joined.group_by(*decided))
        }


def score(model: int, chance: random.Random) -> ScoreRow:
    verdict = chance.choice(["proliv", "ne_proliv"])
    return ScoreRow(model, model, 0.1, 0.1, 1.0, verdict, NOW, 0.1)


def row(number: int, chance: random.Random) -> CropRow:
    """One of few crops, decided on by some models, failed, or not even readable."""
    made = tuple(score(model, chance) for model in (1, 2) if chance.random() < 0.5)
    readable = bool(made) or chance.random() < 0.5
    return CropRow(
        path=f"/inbox/{number}.jpg", sha256=f"{number}" * 8 if readable else "", size_bytes=1, mtime_ns=1, width=1,
        height=1, hole=1, camera="C", captured_at=None, seen_at=NOW - timedelta(days=number),
        reason=None if made else chance.choice(REASONS), error=None if made else "it is so",
        verdict=made[0].verdict if made else None, decision_score=0.1 if made else None,
        decision_threshold=1.0 if made else None, decided_by="primary" if made else None, scores=made,
        source=chance.choice(["inbox", "folder", "labelled"]),
    )  # fmt: skip


def step(database: Database, chance: random.Random) -> None:
    """Something that the program does with crops, or a person with the database."""
    act = chance.choice(["record", "record", "record", "score", "forget", "delete newest", "delete all", "by hand"])
    with database.write() as connection:
        known = list(connection.execute(select(crops.c.id).order_by(crops.c.id)).scalars())
        if act == "record":
            decisions.record(connection, [row(chance.randrange(30), chance) for _ in range(chance.randrange(1, 9))])
        elif act == "score" and known:
            decisions.add_scores(connection, {chance.choice(known): [score(2, chance)]})
        elif act == "forget":
            retention.forget(connection, NOW - timedelta(days=20), known)
        elif act == "by hand":
            connection.execute(update(crops).where(crops.c.verdict == "proliv").values(verdict="ne_proliv"))
            connection.execute(update(scores).where(scores.c.model_id == 1).values(verdict="proliv"))
        elif known:
            # SQLite gives the numbers away again.
            going = known[-2:] if act == "delete newest" else known if chance.random() < 0.2 else []
            connection.execute(delete(scores).where(scores.c.crop_id.in_(going)))
            connection.execute(delete(crops).where(crops.c.id.in_(going)))


def test_they_are_what_counting_finds_after_whatever_happens(database: Database) -> None:
    chance = random.Random(7)
    seen = set()
    for _ in range(80):
        step(database, chance)
        assert tallies(database) == counts(database)
        seen |= set(tallies(database)[0])
    assert len(seen) > 9, seen


def test_what_is_taken_back_is_not_counted(database: Database) -> None:
    chance = random.Random(1)
    with database.write() as connection:
        decisions.record(connection, [row(1, chance), row(2, chance)])
    before = tallies(database)
    with pytest.raises(ZeroDivisionError), database.write() as connection:  # noqa: PT012 - what is tried is the end
        decisions.record(connection, [row(3, chance), row(4, chance)])
        _ = 1 / 0
    assert tallies(database) == before == counts(database)


def test_programs_that_store_at_once_are_all_counted(database: Database) -> None:
    def store(first: int) -> None:
        chance = random.Random(first)
        for number in range(first, first + 40, 4):
            with database.write() as connection:
                decisions.record(connection, [row(one, chance) for one in range(number, number + 4)])

    threads = [Thread(target=store, args=(first,)) for first in (100, 200, 300)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = tallies(database)
    assert sum(found[0].values()) == 120
    assert found == counts(database)


def test_what_was_there_before_is_counted_by_the_migration(database: Database) -> None:
    from alembic import command

    chance = random.Random(3)
    with database.write() as connection:
        decisions.record(connection, [row(number, chance) for number in range(40)])
    with database.rebuild() as connection:
        command.downgrade(_alembic_configuration(connection), "0004")
    upgrade(database)
    assert tallies(database) == counts(database)
    with database.write() as connection:
        decisions.record(connection, [row(number, chance) for number in range(30, 50)])
    assert tallies(database) == counts(database)


def test_status_and_the_evidence_are_told_of_them(database: Database) -> None:
    chance = random.Random(5)
    with database.write() as connection:
        decisions.record(connection, [row(number, chance) for number in range(60)])
    with database.read() as connection:
        found = count_crops(connection)
        verdicts = traffic.verdicts_since(connection, None)
        since = traffic.verdicts_since(connection, NOW - timedelta(days=999))
    of_crops, of_scores = counts(database)
    own = {kind: count for kind, count in of_crops.items() if kind[0] == "inbox"}
    assert found.scored == sum(count for kind, count in own.items() if kind[1] == "scored") > 0
    assert found.failed == sum(count for kind, count in own.items() if kind[1] == "failed") > 0
    assert found.failed_by_reason == {
        reason: sum(count for kind, count in own.items() if kind[2] == reason) for reason in REASONS
    }
    assert found.verdicts["b", "proliv"] == of_scores.get((2, "inbox", "proliv"), 0)
    assert found.by_hand == sum(count for kind, count in of_crops.items() if kind[0] == "folder") > 0
    assert verdicts == since == {kind[3]: count for kind, count in of_crops.items() if kind[:2] == ("inbox", "scored")}
    assert found.last_scored_at == NOW
