"""Made-up stores with decisions of every age."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from monitor.configuration.file import load
from tests.support.made_up import MadeUp, made_up
from tests.support.old_decisions import DAY, OLD, RULES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from monitor.configuration.resolved import Configuration


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MadeUp]:
    new: Callable[[], str] | None = None
    if request.param == "postgresql":
        new = request.getfixturevalue("new_postgresql_store")
    with made_up(new() if new else tmp_path) as made:
        made.calibrate(RULES, [0.1, 0.2, 0.3], [1.0, 1.1, 1.2], at=OLD - 30 * DAY)
        yield made


@pytest.fixture
def configuration(tmp_path: Path) -> Configuration:
    (tmp_path / "inbox").mkdir()
    file = tmp_path / "config.toml"
    file.write_text("[paths]\narchive = 'archive'\n[calibration]\nminimum_proliv = 1\nminimum_normal = 1\n")
    return load(file)


@pytest.fixture
def sqlite_store(tmp_path: Path) -> Iterator[MadeUp]:
    with made_up(tmp_path) as made:
        made.calibrate(RULES, [0.1, 0.2, 0.3], [1.0, 1.1, 1.2], at=OLD)
        yield made
