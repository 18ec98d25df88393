from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from monitor.store import calibrations
from tests.support.made_up import MadeUp, made_up, midpoint
from tests.support.made_up_rules import LOW
from tests.support.stored_crops import NOW, opened
from tests.support.stores import upgrade

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy.engine import Connection

    from monitor.store.calibrations import State
    from monitor.store.models import ModelRow


@pytest.fixture(params=["sqlite", "postgresql"])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MadeUp]:
    """A model whose threshold, 2, was chosen from ten normal crops at 1 and ten proliv at 4."""
    place = tmp_path if request.param == "sqlite" else request.getfixturevalue("new_postgresql_store")()
    with made_up(place) as store:
        store.calibrate(midpoint(LOW), [1.0] * 10, [4.0] * 10)
        yield store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[MadeUp]:
    """The same, on SQLite alone."""
    with made_up(tmp_path) as store:
        store.calibrate(midpoint(LOW), [1.0] * 10, [4.0] * 10)
        yield store


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    """A transaction in an empty database."""
    with opened(f"sqlite:///{tmp_path / 'monitor.db'}") as database:
        upgrade(database)
        with database.write() as connection:
            yield connection


def add_calibration(
    connection: Connection, model: ModelRow, threshold: float | None, state: State, *, hours: int
) -> int:
    """Store a calibration so many hours after `NOW`; its number."""
    return calibrations.add(
        connection,
        model_id=model.id,
        rule="balanced",
        settings={},
        threshold=threshold,
        evidence={"n": 3, "normal_percentiles": [0.1] * 101},
        now=NOW + timedelta(hours=hours),
        state=state,
        reason="a jump" if state == "refused" else None,
    )
