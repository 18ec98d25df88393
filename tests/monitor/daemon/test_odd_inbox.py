"""The daemon as a real process over an inbox as plants have them: replaced files, by-products, stalled writers."""

from __future__ import annotations

import shutil
from io import BytesIO
from typing import TYPE_CHECKING

from PIL import Image

from tests.support.disks import replace_like

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.daemon import Daemon


def as_bitmap(path: Path) -> bytes:
    """The picture in a format whose size does not depend on the content."""
    buffer = BytesIO()
    with Image.open(path) as picture:
        picture.resize((60, 40)).save(buffer, "BMP")
    return buffer.getvalue()


def test_what_network_drives_and_stalled_writers_do(daemon: Daemon, small_dataset: Path) -> None:
    crops = sorted((small_dataset / "train").glob("*.jpg"))[:4]
    daemon.environment["MONITOR__PATHS__QUARANTINE"] = "quarantine"
    daemon.start()
    bitmap = daemon.inbox / "1_CAM_C_01-03-2023_05-39-27-929.bmp"
    bitmap.write_bytes(as_bitmap(crops[0]))
    thumbnail = daemon.inbox / "@eaDir" / crops[0].name / "SYNOPHOTO_THUMB_M.jpg"
    thumbnail.parent.mkdir(parents=True)
    shutil.copyfile(crops[1], thumbnail)
    stalled, data = daemon.inbox / crops[2].name, crops[2].read_bytes()
    # A writer that stops for longer than `give_up_seconds` and goes on in the file that it has open.
    with stalled.open("wb", buffering=0) as file:
        file.write(data[: len(data) // 2])
        daemon.until(lambda: any((daemon.home / "quarantine").glob("*/*.jpg")))
        file.write(data[len(data) // 2 :])
    daemon.until(lambda: daemon.count("state = 'scored'") == 2)
    assert stalled.read_bytes() == data
    assert daemon.stop() == 0
    assert list((daemon.home / "quarantine").iterdir()) == []
    # While it is down, another content of the same size and time takes the place of one, and only the other is touched.
    replace_like(bitmap, as_bitmap(crops[3]))
    stalled.chmod(0o600)
    daemon.start()
    daemon.until(lambda: daemon.count("state = 'scored'") == 3)
    daemon.until(lambda: daemon.metrics()['monitor_scans_total{folder="inbox",outcome="done"}'] >= 3)
    assert daemon.query("select count(*) from crops where state = 'scored' group by path order by 1") == [(1,), (2,)]
    assert daemon.count("path like '%@eaDir%'") == 0
    assert daemon.stop() == 0
