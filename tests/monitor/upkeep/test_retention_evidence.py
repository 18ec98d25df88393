"""What an alarm was decided on goes with the alarm, and what is labelled stays."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import insert, select, update

from monitor.configuration.file import load
from monitor.configuration.settings import Calibration
from monitor.store import alarm_evidence, kept
from monitor.store.consistency import scored_without_scores, wrongly_unusual
from monitor.store.database.schema import alarm_crops, alarms, crops, kept_crops, labels, scores
from monitor.upkeep.retention import prune
from tests.support.made_up import NOW, MadeUp, made_up, midpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path

    from monitor.configuration.resolved import Configuration

DAY = timedelta(days=1)
OLD, YOUNG = NOW - 100 * DAY, NOW - 10 * DAY


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MadeUp]:
    new: Callable[[], str] | None = None
    if request.param == "postgresql":
        new = request.getfixturevalue("new_postgresql_store")
    with made_up(new() if new else tmp_path) as made:
        made.calibrate(midpoint(Calibration(minimum_proliv=1, minimum_normal=1)), [0.1, 0.2], [1.0, 1.1], at=OLD)
        yield made


@pytest.fixture
def configuration(tmp_path: Path) -> Configuration:
    (tmp_path / "inbox").mkdir()
    (tmp_path / "config.toml").write_text("[calibration]\nminimum_proliv = 1\nminimum_normal = 1\n")
    return load(tmp_path / "config.toml")


def alarm(store: MadeUp, last: datetime, state: str = "closed") -> tuple[int, int, int]:
    """An alarm about an old proliv: (its id, the crop before it, the crop that opened it), both kept."""
    before, opened = store.crop(0.5, at=OLD, threshold=1.0), store.crop(2.0, at=OLD, threshold=1.0)
    times = {"opened_at": OLD, "opened_on": OLD, "first_at": OLD, "last_at": last, "last_decided_at": last}
    about = {"camera": "C", "hole": opened, "place": ""}
    decided = {"score": 2.0, "threshold": 1.0}
    with store.database.write() as connection:
        values = {"id": opened, "kind": "hole", **about, "state": state, **times, "crops": 1, **decided}
        ended_by = "quiet" if state == "closed" else None
        connection.execute(insert(alarms), {**values, "highest_crop_id": opened, "ended_by": ended_by})
        member = {"crop_id": opened, "alarm_id": opened, **about, "at": OLD, **decided}
        connection.execute(insert(alarm_crops), member)
        alarm_evidence.add(connection, {opened: {before: "before", opened: "opened"}}, OLD)
        for crop_id in (before, opened):
            content = b"%d" % crop_id
            digest = hashlib.sha256(content).hexdigest()
            connection.execute(update(crops).where(crops.c.id == crop_id).values(sha256=digest))
            kept.keep(connection, {crop_id: (digest, content)})
    return opened, before, opened


def present(store: MadeUp) -> tuple[set[int], set[int], set[int], set[bytes]]:
    """(crops, those with scores, those that are kept, what is kept)."""
    with store.database.read() as connection:
        return (
            set(connection.execute(select(crops.c.id)).scalars()),
            set(connection.execute(select(scores.c.crop_id)).scalars()),
            set(connection.execute(select(kept_crops.c.crop_id)).scalars()),
            {content for _, content in kept.contents_after(connection, "", 100)},
        )


def test_it_goes_with_an_old_alarm_and_stays_with_one_that_is_not_closed_or_went_on(
    store: MadeUp, configuration: Configuration
) -> None:
    gone = alarm(store, OLD)
    stay = [*alarm(store, OLD, "open")[1:], *alarm(store, YOUNG)[1:]]
    newest = store.crop(0.5)
    prune(store.database, configuration, 60, NOW)
    stored, scored, kept_ones, contents = present(store)
    # The row of an alarm's crop stays.
    assert stored == {*stay, newest, gone[2]}
    assert scored == {*stay, newest}
    assert kept_ones == set(stay)
    assert contents == {b"%d" % crop_id for crop_id in stay}
    with store.database.read() as connection:
        assert alarm_evidence.of_alarm(connection, gone[0]) == []
    again = prune(store.database, configuration, 60, NOW)
    assert (again.crops, again.alarms) == (0, 0)


def test_of_an_unusual_crop_of_an_old_alarm_the_row_is_left_as_of_a_proliv(
    store: MadeUp, configuration: Configuration
) -> None:
    of_alarm, before, opened = alarm(store, OLD)
    with store.database.write() as connection:
        connection.execute(update(alarms).where(alarms.c.id == of_alarm).values(sign="unusual"))
        connection.execute(update(alarm_crops).values(sign="unusual"))
        connection.execute(update(crops).where(crops.c.id == opened).values(verdict="ne_proliv", unusual=True))
    running = alarm(store, OLD, "open")
    with store.database.write() as connection:
        connection.execute(update(crops).where(crops.c.id == running[2]).values(verdict="ne_proliv", unusual=True))
    newest = store.crop(0.5)
    foreseen = prune(store.database, configuration, 60, NOW, dry_run=True)
    done = prune(store.database, configuration, 60, NOW)
    assert (foreseen.crops, foreseen.alarms) == (done.crops, done.alarms) == (1, 1)
    stored, scored, kept_ones, contents = present(store)
    assert stored == {opened, *running[1:], newest}
    assert scored == {*running[1:], newest}
    assert kept_ones == set(running[1:])
    assert contents == {b"%d" % crop_id for crop_id in running[1:]}
    with store.database.read() as connection:
        assert scored_without_scores(connection) == wrongly_unusual(connection) == []
    again = prune(store.database, configuration, 60, NOW)
    assert (again.crops, again.alarms) == (0, 0)
    assert before not in stored


def test_an_old_unusual_crop_that_opened_no_alarm_goes_whole(store: MadeUp, configuration: Configuration) -> None:
    waited, proliv = store.crop(0.5, at=OLD, threshold=1.0), store.crop(2.0, at=OLD, threshold=1.0)
    about = {"camera": "C", "hole": 1, "place": "", "at": OLD, "score": 2.0, "threshold": 1.0}
    with store.database.write() as connection:
        connection.execute(update(crops).where(crops.c.id == waited).values(unusual=True))
        for crop_id, sign in ((waited, "unusual"), (proliv, "proliv")):
            connection.execute(insert(alarm_crops), {**about, "crop_id": crop_id, "sign": sign})
        kept.owe(connection, [waited, proliv], OLD)
    newest = store.crop(0.5)
    done = prune(store.database, configuration, 60, NOW)
    assert (done.crops, done.alarms) == (1, 1)
    stored, scored, kept_ones, _ = present(store)
    assert (stored, scored, kept_ones) == ({proliv, newest}, {newest}, set())


def test_a_labelled_crop_is_kept_whatever_its_age(store: MadeUp, configuration: Configuration) -> None:
    _, before, opened = alarm(store, OLD)
    with store.database.write() as connection:
        given = {"label": "proliv", "source": "command", "author": "anna", "at": OLD, "settles": False}
        connection.execute(insert(labels), {**given, "crop_id": opened, "recorded_at": OLD})
    store.crop(0.5)
    prune(store.database, configuration, 60, NOW)
    assert present(store)[3] == {b"%d" % opened}
    assert before not in present(store)[0]
