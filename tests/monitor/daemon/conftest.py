"""Crops that come, and daemons with models beyond the usual one."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.daemon import Daemon


@pytest.fixture(scope="module")
def crops(small_dataset: Path) -> list[Path]:
    return sorted((small_dataset / "train").glob("*.jpg"))


@pytest.fixture
def pair(pair_state: Path, second_detector: Path, daemon: Daemon) -> Daemon:
    """A daemon with two active models, of `brightness`, the primary, and of `ae`."""
    shutil.rmtree(daemon.home / "state")
    shutil.copytree(pair_state, daemon.home / "state")
    daemon.environment["PYTHONPATH"] = str(second_detector)
    return daemon
