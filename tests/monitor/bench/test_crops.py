from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from monitor.bench import crops
from monitor.configuration.names import DEFAULT_NAME_PATTERN, DEFAULT_TIME_FORMAT
from monitor.crops.identity import IdentityPattern
from monitor.crops.loader import CropReader

if TYPE_CHECKING:
    from pathlib import Path

COUNT = 2100  # more than are drawn at once, and no multiple of it


def test_crops_are_like_those_of_a_camera(tmp_path: Path) -> None:
    paths = crops.write(tmp_path / "crops", COUNT, seed=1)
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == sorted(paths)
    assert len(paths) == COUNT

    pattern = IdentityPattern(DEFAULT_NAME_PATTERN, DEFAULT_TIME_FORMAT, ZoneInfo("UTC"))
    identities = [pattern.parse(path.name) for path in paths]
    assert {one.hole for one in identities} == set(range(1, crops.HOLES + 1))
    assert {one.camera for one in identities} == {"C"}
    moments = [one.captured_at for one in identities]
    assert None not in moments
    assert len(set(moments)) == COUNT

    reader = CropReader(max_bytes=10_000, max_pixels=10_000)
    contents = [reader.load(path) for path in paths]
    assert len({one.sha256 for one in contents}) == COUNT
    sizes = [one.looks.size_bytes for one in contents]
    assert 1000 < median(sizes) < 1300
    assert max(sizes) < 1500
    decoded = [reader.decode(one) for one in contents]
    assert all(one.ended for one in decoded)
    assert len({(one.width, one.height) for one in decoded}) > 10
    assert all(46 <= one.width <= 53 and 24 <= one.height <= 31 for one in decoded)
    # One hole keeps its size, and shows a picture rather than a surface.
    assert (decoded[0].width, decoded[0].height) == (decoded[crops.HOLES].width, decoded[crops.HOLES].height)
    assert min(one.pixels.std() for one in decoded) > 10


def test_the_seed_gives_the_crops() -> None:
    first = list(crops.draw(50, seed=1))
    assert list(crops.draw(50, seed=1)) == first
    assert set(crops.draw(50, seed=2)).isdisjoint(first)
