from __future__ import annotations

from datetime import UTC, datetime, timedelta
from threading import Event

from monitor.errors import StoreError
from monitor.web.live.remembered import Remembered, Slow

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def test_a_value_is_looked_up_again_once_it_is_old() -> None:
    asked: list[datetime] = []

    def look_up(now: datetime) -> int:
        asked.append(now)
        return len(asked)

    remembered = Remembered(look_up, 2)
    assert [remembered.value(after(seconds)) for seconds in (0, 1.9, 2, 3, 4)] == [1, 1, 2, 2, 3]
    # A clock that was set back does not keep it for ever.
    assert remembered.value(NOW) == 4


def test_nobody_waits_for_what_takes_long() -> None:
    go_on, asked = Event(), []

    def look_up(now: datetime) -> int:
        go_on.wait()
        asked.append(now)
        return len(asked)

    slow = Slow(look_up, 60)
    assert slow.value(NOW) is None
    assert slow.value(after(90)) is None
    go_on.set()
    slow.wait()
    assert (slow.value(after(30)), asked) == (1, [NOW])


def test_what_cannot_be_looked_up_is_tried_again_later() -> None:
    asked: list[datetime] = []

    def look_up(now: datetime) -> int:
        asked.append(now)
        if len(asked) == 1:
            raise StoreError("locked")
        return 7

    slow = Slow(look_up, 60)
    assert slow.value(NOW) is None
    slow.wait()
    assert slow.value(after(59)) is None
    assert slow.value(after(61)) is None
    slow.wait()
    assert (slow.value(after(62)), len(asked)) == (7, 2)
