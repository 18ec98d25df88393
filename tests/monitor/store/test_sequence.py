from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from monitor.store.sequence import in_time_order
from tests.support.alarm_line import Line
from tests.support.stored_crops import NOW, failed

if TYPE_CHECKING:
    from monitor.store.database.engine import Database


def test_crops_come_in_the_order_of_their_times(database: Database) -> None:
    line = Line(database)
    line.decide(
        line.crop(5),
        line.crop(1, None),
        line.crop(3, None)._replace(captured_at=None),
        line.crop(0, proliv=False),
        line.crop(2)._replace(camera=None),
        line.crop(2, source="folder"),
        failed(line.crop(2)._replace(verdict=None)),
    )

    def listed(since: float | None = None, until: float | None = None) -> list[tuple[int, str | None, str]]:
        ends = [None if one is None else NOW + timedelta(seconds=one) for one in (since, until)]
        with database.read() as connection:
            found = list(in_time_order(connection, *ends))
        assert [one.at for one in found] == sorted(one.at for one in found)
        return [(one.id, one.path, one.verdict) for one in found]

    assert listed() == [
        (4, None, "ne_proliv"),
        (2, "/inbox/2.jpg", "proliv"),
        (5, None, "proliv"),
        (3, "/inbox/3.jpg", "proliv"),
        (1, None, "proliv"),
    ]
    assert [crop for crop, *_ in listed(1, 3)] == [2, 5]
    assert listed(6) == []
