"""A stream of crops: each hole in turn, and bleed-outs that grow."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
import pytest

from generators.crops.datasets import CastingTable, encode
from generators.crops.streaming import CropStream, StreamedCrop, spread
from tests.generators.crops.conftest import stream

if TYPE_CHECKING:
    from collections.abc import Sequence

START = datetime(2026, 3, 1, 12)  # noqa: DTZ001 - names carry local time


def watch(crops: CropStream, count: int, step: timedelta = timedelta(seconds=1)) -> list[StreamedCrop]:
    return [crops.crop(START + turn * step) for turn in range(count)]


def kinds(crops: Sequence[StreamedCrop]) -> list[str]:
    return [kind for kind, _ in groupby(crop.kind for crop in crops)]


def test_every_hole_of_every_camera_has_its_turn() -> None:
    crops = watch(stream(2, "CA"), 6)
    assert [(crop.camera, crop.hole) for crop in crops] == [("C", 1), ("C", 2), ("A", 1), ("A", 2), ("C", 1), ("C", 2)]
    assert crops[0].name == "1_CAM_C_01-03-2026_12-00-00-000.jpg"
    assert {crop.pixels.dtype for crop in crops} == {np.dtype(np.uint8)}


def test_the_same_seed_and_moments_give_the_same_crops() -> None:
    every = timedelta(seconds=20)
    one, same, other = (
        [crop.pixels.tobytes() for crop in watch(stream(seed=seed, proliv_every=every), 90)] for seed in (4, 4, 5)
    )
    assert one == same
    assert len(set(one) & set(other)) < len(one) / 10


def test_a_bleed_out_grows_empties_the_hole_and_is_repaired() -> None:
    crops = watch(stream(1, proliv_every=timedelta(minutes=8)), 900)
    assert kinds(crops)[:4] == ["normal", "pouring", "empty", "normal"]
    pouring = [crop for crop in crops if crop.kind == "pouring"][:45]
    assert (pouring[-1].moment - pouring[0].moment).seconds == 44
    brightest = [float(crop.pixels.max()) for crop in pouring]
    assert np.mean(brightest[:8]) < np.mean(brightest[-15:]) - 20
    assert {crop.proliv for crop in crops if crop.kind == "normal"} == {False}
    assert {crop.proliv for crop in crops if crop.kind != "normal"} == {True}
    lengths = [len(list(group)) for _, group in groupby(crop.kind for crop in crops)]
    assert lengths[1:3] == [45, 120]


@pytest.mark.process
def test_bleed_outs_come_about_as_often_as_asked_for() -> None:
    crops = watch(stream(10, proliv_every=timedelta(minutes=5)), 3000, timedelta(seconds=4))
    began = 0
    for hole in range(1, 11):
        began += kinds([crop for crop in crops if crop.hole == hole]).count("pouring")
    assert 30 <= began <= 50


def test_without_a_pause_between_bleed_outs_there_is_none() -> None:
    assert {crop.kind for crop in watch(stream(), 50, timedelta(hours=1))} == {"normal"}


def test_no_hole_breaks_out_twice_at_once() -> None:
    crops = watch(stream(2, proliv_every=timedelta(seconds=1)), 400)
    for hole in (1, 2):
        order = kinds([crop for crop in crops if crop.hole == hole])
        assert "".join(kind[0] for kind in order).lstrip("n").startswith("penpe")


def test_bleed_outs_begin_when_they_are_asked_to_and_every_hole_has_its_turn() -> None:
    beginnings = spread(START, timedelta(seconds=900), 3, seed=0)
    assert beginnings == sorted(beginnings)
    assert [int((one - START).total_seconds() // 150) for one in beginnings] == [0, 2, 4]
    crops = watch(CropStream([CastingTable(1, holes=3)], beginnings=beginnings), 900)
    for hole in (1, 2, 3):
        assert kinds([crop for crop in crops if crop.hole == hole]).count("pouring") == 1
    assert kinds(watch(CropStream([CastingTable(1, holes=3)], beginnings=[]), 9)) == ["normal"]


def test_a_bleed_out_waits_for_a_hole_that_has_none() -> None:
    crops = watch(CropStream([CastingTable(1, holes=1)], beginnings=[START, START]), 400)
    assert kinds(crops) == ["pouring", "empty", "normal", "pouring", "empty", "normal"]


def test_a_stream_without_a_hole_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one hole"):
        CropStream([])


def test_a_streamed_crop_is_as_small_as_a_real_one() -> None:
    assert 900 < np.mean([len(encode(crop.pixels)) for crop in watch(stream(40), 40)]) < 1250
