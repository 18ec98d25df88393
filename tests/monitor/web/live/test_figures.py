from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from monitor.configuration.file import load
from monitor.formulas.rates import weighted_rate
from monitor.store import casts
from monitor.store.database.schema import labels
from monitor.web.live.figures import Rate, find_figures
from tests.support.alarm_line import Line

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.configuration.resolved import Configuration
    from monitor.web.site import Site


def rate(right: int, crops: int, target: float = 0.9) -> Rate:
    return Rate(weighted_rate([True] * right + [False] * (crops - right), [1.0] * crops), right, crops, target)


@pytest.mark.parametrize(
    ("found", "begins"), [(rate(990, 1000, 0.95), 0.9), (rate(990, 1000, 0.9), 0.5), (rate(1, 3), 0)]
)
def test_the_drawing_of_a_rate_begins_below_its_interval_and_its_target(found: Rate, begins: float) -> None:
    assert found.lower_end == begins
    assert found.place(1.0, 180) == 180
    assert found.place(begins, 180) == 0


@pytest.fixture
def configuration(site: Site, tmp_path: Path) -> Configuration:
    file = tmp_path / "config.toml"
    file.write_text(
        "[completeness]\ninterval_seconds = 10\nlate_seconds = 1\ncameras = { C = '1-2' }\n", encoding="utf-8"
    )
    assert load(file).database_url == site.configuration.database_url
    return load(file)


def test_an_empty_store_knows_no_rate_and_expects_what_is_named(site: Site, configuration: Configuration) -> None:
    found = find_figures(configuration, site.database, datetime.now(UTC))
    assert (found.tpr.rate, found.tnr.rate, found.slowest, found.share) == (None, None, None, None)
    assert (found.expects, found.of_cast, found.a_minute) == (True, False, 0.0)
    assert found.expected == {("C", 1), ("C", 2)}
    assert len(found.line.split()) == 60


def test_labelled_crops_and_a_hole_that_came_half_the_time(site: Site, configuration: Configuration) -> None:
    now = datetime.now(UTC)
    line = Line(site.database)
    rows = []
    for index in range(30):
        at = now - timedelta(seconds=600 - 10 * index)
        for hole in (1, 2) if index % 2 else (1,):
            row = line.crop(0, hole, proliv=index == 4)
            rows.append(row._replace(seen_at=at, captured_at=at))
    line.decide(*rows)
    with site.database.write() as connection:
        for crop_id, label in ((1, "ne_proliv"), (7, "proliv"), (2, "proliv")):
            values = {"crop_id": crop_id, "label": label, "source": "command", "author": "a", "at": now}
            connection.execute(labels.insert().values(**values, recorded_at=now))
        begun = now - timedelta(seconds=700)
        casts.say(connection, casts.begin(connection, "7", None, begun), "steady", begun, source="person", author="a")
    found = find_figures(configuration, site.database, now)
    assert (found.tpr.right, found.tpr.all, found.tnr.right, found.tnr.all) == (1, 2, 1, 1)
    assert found.of_cast
    assert found.share == pytest.approx(0.75, abs=0.03)
    assert found.below == (("C", 2),)
    assert sum(found.by_minute) == len(rows)
    assert found.slowest == 0.25
