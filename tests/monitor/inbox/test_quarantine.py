from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.crops.loader import CropReader
from monitor.files import moving
from monitor.inbox import quarantine
from tests.support.disks import replace_like

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from monitor.files.moving import Place


def test_what_comes_while_a_failed_file_is_quarantined_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "1.jpg"
    path.write_bytes(b"bad")
    content = CropReader(max_bytes=10, max_pixels=10).load(path)
    before = moving.move

    def move(source: Place, target: Place) -> None:
        monkeypatch.setattr(quarantine, "move", before)
        replace_like(path, b"new")
        before(source, target)

    monkeypatch.setattr(quarantine, "move", move)
    assert quarantine.quarantine(path, content.sha256, content.looks, tmp_path / "quarantine") is None
    assert (path.read_bytes(), list((tmp_path / "quarantine").iterdir())) == (b"new", [])
