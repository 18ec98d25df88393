from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from monitor.configuration.settings import Alarms
from monitor.store.outbox import Due
from monitor.web.alarms.view import deliveries_by_sink
from tests.monitor.web.conftest import browser_of, made_site
from tests.support.alarm_line import Line
from tests.support.stored_crops import NOW

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = Alarms(sinks={"siren": {"kind": "log"}, "office": {"kind": "log"}})


def due(number: int, sink: str, **changes: Any) -> Due:
    at = NOW + timedelta(seconds=number)
    return Due(number, str(number), 1, "opened", at, {}, sink, 0, at, None, None)._replace(**changes)


def test_each_sink_is_as_far_as_its_first_message_that_is_due() -> None:
    got = NOW + timedelta(seconds=3)
    rows = [
        due(1, "office", delivered_at=got),
        due(2, "office", attempts=4, error="HTTP 503", next_try_at=got),
        due(3, "office"),
        due(1, "siren", delivered_at=got),
        due(1, "gone", attempts=1, error="no"),
        due(1, "new"),
    ]
    found = deliveries_by_sink(rows, SETTINGS)
    assert [(one.sink, one.state, one.received, one.messages) for one in found] == [
        ("siren", "received", 1, 1), ("office", "again", 1, 3), ("gone", "unknown", 0, 1), ("new", "unknown", 0, 1),
    ]  # fmt: skip
    assert (found[1].attempts, found[1].error, found[1].next_try_at, found[1].seconds) == (4, "HTTP 503", got, 2.0)
    (waiting,) = deliveries_by_sink([due(1, "siren")], SETTINGS)
    assert (waiting.state, waiting.seconds, waiting.kind) == ("waits", None, "log")


def test_the_page_says_which_sink_is_behind(tmp_path: Path) -> None:
    with made_site(tmp_path, '[alarms.sinks.siren]\nkind = "log"') as site:
        line = Line(site.database, site.configuration.settings.alarms)
        line.decide(line.crop(0))
        text = browser_of(site).get("/alarms/1").text
    assert "1 of 1 behind" in text
    assert "0 of 1" in text
