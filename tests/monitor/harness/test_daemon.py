from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from monitor.errors import MonitorError
from monitor.harness.daemon import Daemon

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.process


def test_it_is_ready_decides_and_stops(
    trained_state: Path, small_dataset: Path, tmp_path: Path, clean_environment: dict[str, str]
) -> None:
    shutil.copytree(trained_state, tmp_path / "state")
    configuration = tmp_path / "some.toml"
    configuration.write_text("[metrics]\nport = 0\n[paths]\narchive = 'archive'\n[inbox]\nafter = 'archive'\n")
    environment = {**clean_environment, "MONITOR__PATHS__INBOX": str(tmp_path / "holes")}
    with Daemon(tmp_path / "messages", configuration=configuration, folder=tmp_path, environment=environment) as daemon:
        daemon.until_ready()
        crop = next((small_dataset / "train").glob("*.jpg"))
        shutil.copyfile(crop, tmp_path / "holes" / "1_CAM_A_crop.jpg")
        daemon.until(lambda: any((tmp_path / "archive").rglob("*.jpg")))
        assert not daemon.has_ended()
        assert daemon.stop() == 0


def test_a_daemon_that_does_not_come_up_says_why(tmp_path: Path, clean_environment: dict[str, str]) -> None:
    with (
        Daemon(tmp_path / "messages", folder=tmp_path, environment=clean_environment) as daemon,
        pytest.raises(MonitorError, match=r"ended with exit code 4(?s:.*)monitor train contrast --data DIR"),
    ):
        daemon.until_ready()
