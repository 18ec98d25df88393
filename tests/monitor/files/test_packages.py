from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

import monitor
from monitor.files import packages


def test_our_packages_lie_beside_each_other() -> None:
    home = Path(monitor.__file__).parents[1]
    assert packages.folder_of("migrations") == home / "migrations"
    assert packages.folder_of("plugins") == home / "plugins"


def test_a_package_that_is_missing_is_named() -> None:
    with pytest.raises(ModuleNotFoundError, match="the package nix is missing; install monitor again"):
        packages.folder_of("nix")


@pytest.fixture
def made_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with a package of its own, and a foreign one of the same name that Python has imported."""
    folder = tmp_path / "made_up"
    folder.mkdir()
    (folder / "__init__.py").write_text("answer = 1\n")
    (folder / "below.py").write_text("answer = 2\n")
    monkeypatch.setattr(packages, "HOME", tmp_path)
    for name in ("made_up", "made_up.below"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    return folder


def test_ours_takes_the_place_of_a_foreign_one_and_stays(made_up: Path) -> None:
    packages.import_ours("made_up")
    ours = sys.modules["made_up"]
    assert ours.answer == 1
    from made_up.below import answer  # type: ignore[import-not-found]

    assert answer == 2
    packages.import_ours("made_up")
    assert sys.modules["made_up"] is ours


def test_one_that_cannot_be_imported_leaves_nothing_behind(made_up: Path) -> None:
    (made_up / "__init__.py").write_text("raise RuntimeError('broken')\n")
    with pytest.raises(RuntimeError, match="broken"):
        packages.import_ours("made_up")
    assert "made_up" not in sys.modules
