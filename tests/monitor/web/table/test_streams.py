"""What browsers are told of changes, over the server's own loop and a real store."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from monitor.web.app import application
from monitor.web.table import streams as module
from monitor.web.table.fragments import Audience
from monitor.web.table.streams import COMMENT, Streams
from tests.support.alarm_line import Line

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from monitor.web.site import Site

OPERATOR = Audience("en", may_acknowledge=True, pages=())
VIEWER = Audience("ru", may_acknowledge=False, pages=())


@pytest.fixture
def line(site: Site) -> Line:
    line = Line(site.database)
    line.now = datetime.now(UTC)
    return line


def decide(line: Line, hole: int, *, proliv: bool = False) -> None:
    line.decide(line.crop(0, hole, proliv=proliv)._replace(seen_at=line.now, captured_at=line.now))


def followed(streams: Streams, audience: Audience = OPERATOR) -> AsyncIterator[str]:
    stream = streams.join(audience)
    assert stream is not None
    return streams.events(stream)


async def html(events: AsyncIterator[str]) -> str:
    """The next change."""
    message = COMMENT
    while message == COMMENT:
        message = await anext(events)
    again, data, *end = message.split("\n")
    assert (again, end) == ("retry: 2000", ["", ""])
    found: dict[str, Any] = json.loads(data.removeprefix("data: "))
    return str(found["html"])


async def until(events: AsyncIterator[str], text: str) -> str:
    """What comes until a text does; the figures come when they are known."""
    found = ""
    while text not in found:
        found += await html(events)
    return found


def test_a_new_crop_changes_its_own_tile(site: Site, line: Line) -> None:
    async def course() -> None:
        streams = Streams(site)
        decide(line, 1)
        decide(line, 2)
        events = followed(streams)
        first = await html(events)
        for part in ('id="tables"', 'id="hole-C-1"', 'id="cards"', 'id="alarm-count"', 'id="troubles"', 'id="figures"'):
            assert part in first
        decide(line, 2)
        then = await until(events, 'id="hole-C-2"')
        assert "/crops/3/picture" in then
        assert 'id="hole-C-1"' not in then
        assert 'id="cards"' not in then
        streams.end()

    asyncio.run(course())


def test_an_alarm_that_opens_comes_to_each_in_their_language(site: Site, line: Line) -> None:
    async def course() -> None:
        streams = Streams(site)
        decide(line, 1)
        operator, viewer = followed(streams), followed(streams, VIEWER)
        await html(operator)
        await html(viewer)
        decide(line, 1, proliv=True)
        seen, looked_at = await until(operator, 'id="cards"'), await until(viewer, 'id="cards"')
        assert "Acknowledge</button>" in seen
        assert 'class="count hot"' in seen
        assert "ТРЕВОГА" in looked_at
        assert "<button" not in looked_at
        streams.end()

    asyncio.run(course())


def test_nothing_is_sent_where_nothing_changes_but_a_comment(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "COMMENT_SECONDS", 0.05)
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)

    async def course() -> list[str]:
        streams = Streams(site)
        events = followed(streams)
        await html(events)
        # The figures are looked up beside, once.
        await until(events, 'id="figures"')
        found = [await anext(events) for _ in range(5)]
        streams.end()
        return found

    assert asyncio.run(course()) == [COMMENT] * 5


def test_the_end_of_the_server_ends_all_streams(site: Site) -> None:
    async def course() -> None:
        streams = Streams(site)
        events = [followed(streams) for _ in range(3)]
        for one in events:
            await html(one)
        assert len(streams) == 3
        streams.end()
        for one in events:
            assert [message async for message in one if message.startswith("never")] == []
        assert len(streams) == 0
        assert streams.join(OPERATOR) is None

    asyncio.run(course())


def test_a_stream_ends_in_time_so_that_the_browser_is_let_in_again(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST_SECONDS", 0.1)
    monkeypatch.setattr(module, "COMMENT_SECONDS", 0.02)

    async def course() -> int:
        streams = Streams(site)
        return len([message async for message in followed(streams)])

    assert asyncio.run(course()) >= 1


def test_who_takes_nothing_loses_the_stream(site: Site) -> None:
    async def course() -> list[str | None]:
        stream = module.Stream(OPERATOR, 0.0)
        for number in range(module.MOST_WAITING + 1):
            stream.tell(str(number))
        return [stream.waiting.get_nowait() for _ in range(stream.waiting.qsize())]

    assert asyncio.run(course()) == [None]


def test_too_many_get_a_sentence(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    from starlette.testclient import TestClient

    monkeypatch.setattr(module, "MOST_STREAMS", 0)
    browser = TestClient(application(site), base_url="http://127.0.0.1:8464")
    answer = browser.get("/events/table", headers={"accept-language": "ru"})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")
    assert answer.text == "Живых страниц уже 100; эта показывает то, что было при загрузке."


def test_a_store_that_fails_ends_the_streams_and_is_tried_again(site: Site, line: Line) -> None:
    async def course() -> None:
        streams = Streams(site)
        events = followed(streams)
        await html(events)
        with site.database.write() as connection:
            connection.exec_driver_sql("alter table alarm_pauses rename to hidden")
        assert [message async for message in events if message.startswith("never")] == []
        with site.database.write() as connection:
            connection.exec_driver_sql("alter table hidden rename to alarm_pauses")
        again = followed(streams)
        assert 'id="tables"' in await html(again)
        streams.end()

    asyncio.run(course())


def test_who_never_listens_leaves_its_place_to_others(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST_SECONDS", -3600.0)

    async def course() -> None:
        streams = Streams(site)
        streams.join(OPERATOR)
        monkeypatch.setattr(module, "LONGEST_SECONDS", 600.0)
        events = followed(streams)
        await html(events)
        await until(events, 'id="figures"')
        assert len(streams) == 1
        streams.end()

    asyncio.run(course())
