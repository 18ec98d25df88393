"""No link is followed on the way to a file below a watched folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from monitor.configuration.file import load
from monitor.crops.reader import Reader
from tests.support.pictures import VALID

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("watched", ["inbox", "labelled"])
@pytest.mark.parametrize("linked", ["a", "a/b"])
def test_a_folder_that_became_a_link_is_refused(tmp_path: Path, watched: str, linked: str) -> None:
    (tmp_path / "config.toml").touch()
    reader = Reader(load(tmp_path / "config.toml"))
    path = tmp_path / watched / "a" / "b" / "1.png"
    path.parent.mkdir(parents=True)
    path.write_bytes(VALID["PNG"])
    assert reader.read([path]).refusals == {}
    folder = tmp_path / watched / linked
    folder.rename(tmp_path / "precious")
    folder.symlink_to(tmp_path / "precious")
    (refusal,) = reader.read([path]).refusals.values()
    assert refusal.reason == "symlink"
    assert "or a folder on the way to it is" in str(refusal)
