from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from monitor.configuration.file import load

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from monitor.configuration.resolved import Configuration

    Configure = Callable[..., Configuration]

PATHS = {"inbox": "/srv/camera/holes", "state": "/var/lib/monitor", "labelled": "/srv/camera/labelled"}


@pytest.fixture
def configure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Configure:
    """A configuration with these folders and, in dotted words, other settings."""
    for name in list(os.environ):
        if name.startswith("MONITOR__"):
            monkeypatch.delenv(name)

    def make(*lines: str, **paths: str) -> Configuration:
        folders = [f'paths.{name} = "{path}"' for name, path in {**PATHS, **paths}.items()]
        (tmp_path / "config.toml").write_text("\n".join([*folders, *lines]))
        return load(tmp_path / "config.toml")

    return make
