from __future__ import annotations

from importlib.machinery import PathFinder
from typing import TYPE_CHECKING

import pytest

from monitor.configuration import extras
from monitor.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path


def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda _name: None)
    with pytest.raises(ConfigurationError) as refused:
        extras.require_package("matplotlib", extra="report", needed_by="report")
    assert str(refused.value) == (
        "report: the package matplotlib is not installed; install the extra: pip install 'proliv-monitor[report]'"
    )


def test_a_package_that_is_there_is_not_asked_for() -> None:
    extras.require_package("pytest", extra="development", needed_by="this test")


def test_a_folder_in_the_working_directory_is_no_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "wandb").mkdir()
    found = PathFinder.find_spec("wandb", [str(tmp_path)])
    assert found is not None
    monkeypatch.setattr(extras, "find_spec", lambda _name: found)
    assert not extras.is_installed("wandb")
