from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from monitor.configuration.file import load
from monitor.errors import ConfigurationError
from tests.support.configurations import written

if TYPE_CHECKING:
    from pathlib import Path


def test_relative_paths_count_from_the_files_folder_or_else_from_the_working_directory(tmp_path: Path) -> None:
    text = "paths.inbox = 'a/b'\npaths.quarantine = '../bad'\ndatabase.url = 'sqlite:///c.db'"
    configuration = load(written(tmp_path / "conf", text))
    assert configuration.inbox == tmp_path / "conf" / "a" / "b"
    assert configuration.quarantine == tmp_path / "bad"
    assert configuration.models == tmp_path / "conf" / "state" / "models"
    assert configuration.database_url == f"sqlite:///{tmp_path}/conf/c.db"
    defaults = load()
    assert (defaults.inbox, defaults.state, defaults.quarantine) == (tmp_path / "inbox", tmp_path / "state", None)
    assert defaults.database_url == f"sqlite:///{tmp_path}/state/monitor.db"


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="a circle of links is found only when it is followed")
def test_a_folder_behind_links_in_a_circle_is_named(tmp_path: Path) -> None:
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "circle").symlink_to("circle")
    with pytest.raises(ConfigurationError, match="circle/inbox: is not a path that can be followed: "):
        load(written(tmp_path / "conf", "paths.inbox = 'circle/inbox'"))


def test_a_password_is_not_shown_with_the_settings(tmp_path: Path) -> None:
    url = "postgresql://user:geheim@host/name"
    configuration = load(written(tmp_path, f"database.url = '{url}'"))
    assert configuration.database_url == url
    assert "geheim" not in f"{configuration!r} {configuration} {configuration.settings.model_dump_json()}"
