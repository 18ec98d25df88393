from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from monitor.configuration import file

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, and a system without a configuration of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(file, "SYSTEM_PATH", tmp_path / "etc" / "config.toml")
    monkeypatch.delenv(file.PATH_VARIABLE, raising=False)
    return tmp_path
