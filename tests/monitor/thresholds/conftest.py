from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.made_up import MadeUp, made_up, midpoint
from tests.support.made_up_rules import LOW

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(params=["sqlite", "postgresql"])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MadeUp]:
    """A model whose threshold, 2, was chosen from ten normal crops at 1 and ten proliv at 4."""
    place = tmp_path if request.param == "sqlite" else request.getfixturevalue("new_postgresql_database")()
    with made_up(place) as store:
        store.calibrate(midpoint(LOW), [1.0] * 10, [4.0] * 10)
        yield store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[MadeUp]:
    """The same, on SQLite alone."""
    with made_up(tmp_path) as store:
        store.calibrate(midpoint(LOW), [1.0] * 10, [4.0] * 10)
        yield store
