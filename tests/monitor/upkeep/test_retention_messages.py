"""Messages about alarms go with old decisions, once nobody waits for them."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from monitor.alarms.acknowledgement import close
from monitor.configuration.file import load
from monitor.configuration.settings import Alarms
from monitor.store import outbox
from monitor.store.database.schema import alarm_deliveries, alarm_messages
from monitor.upkeep.retention import prune
from tests.support.alarm_line import Line
from tests.support.stored_crops import NOW

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.configuration.resolved import Configuration
    from monitor.store.database.engine import Database

SETTINGS = Alarms(sinks={"siren": {"kind": "log"}, "office": {"kind": "log"}})
LATER = NOW + timedelta(days=800)


@pytest.fixture
def line(either_store: Database) -> Line:
    return Line(either_store, SETTINGS)


@pytest.fixture
def configuration(tmp_path: Path) -> Configuration:
    (tmp_path / "inbox").mkdir()
    file = tmp_path / "config.toml"
    file.write_text('[alarms.sinks.siren]\nkind = "log"\n[alarms.sinks.office]\nkind = "log"\n')
    return load(file)


def deliver(line: Line, *sinks: str) -> None:
    """Let sinks have everything."""
    with line.database.write() as connection:
        for due in outbox.deliveries(connection, delivered=False, most=None):
            if due.sink in sinks:
                outbox.delivered(connection, due, line.now)


def left(line: Line) -> tuple[list[int], set[int]]:
    """The ids of the messages, and those that a delivery is of."""
    with line.database.read() as connection:
        messages = connection.execute(select(alarm_messages.c.id).order_by(alarm_messages.c.id)).scalars()
        return list(messages), set(connection.execute(select(alarm_deliveries.c.message_id)).scalars())


def over(line: Line, *alarms: int) -> None:
    for alarm in alarms:
        close(line.database, SETTINGS, alarm, by="anna", note=None, at=line.now, zone=UTC)


def newest(line: Line) -> None:
    """A crop of two years later, from which ages count."""
    line.decide(line.crop((LATER - NOW).total_seconds(), proliv=False))


def pruned(line: Line, configuration: Configuration, *, dry_run: bool = False) -> int:
    return prune(line.database, configuration, 400, LATER, accept_inbox=True, dry_run=dry_run).messages


def test_what_every_sink_has_goes_but_for_the_newest_and_for_alarms_that_run(
    line: Line, configuration: Configuration
) -> None:
    line.decide(line.crop(0, hole=1), line.crop(0, hole=2))
    over(line, 1)
    deliver(line, "siren", "office")
    newest(line)
    assert left(line)[0] == [1, 2, 3]
    assert pruned(line, configuration, dry_run=True) == 1
    assert left(line)[0] == [1, 2, 3]
    assert pruned(line, configuration) == 1
    assert left(line) == ([2, 3], {2, 3})
    over(line, 2)
    deliver(line, "siren", "office")
    assert pruned(line, configuration) == 2
    assert left(line) == ([4], {4})
    # Numbers go on rising.
    assert len(line.decide(line.crop(800 * 86400))) == 1
    assert left(line)[0] == [4, 5]


def test_what_waits_for_a_sink_of_the_configuration_stays(line: Line, configuration: Configuration) -> None:
    line.decide(line.crop(0, hole=1))
    over(line, 1)
    deliver(line, "siren")
    newest(line)
    assert pruned(line, configuration) == 0
    assert configuration.file is not None
    configuration.file.write_text('[alarms.sinks.siren]\nkind = "log"\n')
    assert pruned(line, load(configuration.file)) == 1
    assert left(line)[0] == [2]


def test_what_is_not_old_stays(line: Line, configuration: Configuration) -> None:
    line.decide(line.crop(0, hole=1))
    over(line, 1)
    deliver(line, "siren", "office")
    assert prune(line.database, configuration, 400, LATER, accept_inbox=True).messages == 0
