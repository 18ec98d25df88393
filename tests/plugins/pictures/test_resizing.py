"""Resizing many crops at once gives each the pixels that Pillow gives it alone, whatever else is in the batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from plugins.pictures import resizing
from plugins.pictures.framing import fitted
from plugins.pictures.resizing import goes_down_first, resized

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from plugins.pictures.framing import Padding

Shape = tuple[int, int]
Share = tuple[float, float]

WHOLE = (1.0, 1.0)
# What a camera's crops are like.
CAMERA = [(30, 50), (28, 49), (27, 48), (26, 47), (24, 46), (31, 53), (29, 50)]
# Some versions of Pillow filter these down before they filter them across.
HIGH = [(36, 49), (33, 46), (40, 44), (64, 48)]
SMALL = [(8, 8), (8, 9), (9, 8), (8, 300), (300, 8), (11, 200)]


def noise(shapes: Sequence[Shape], seed: int = 0) -> list[NDArray[np.uint8]]:
    generator = np.random.default_rng(seed)
    return [generator.integers(0, 256, size=(*shape, 3), dtype=np.uint8) for shape in shapes]


def by_pillow(pixels: NDArray[np.uint8], size: Shape, share: Share) -> NDArray[np.uint8]:
    rows, columns = pixels.shape[:2]
    top, left = rows * (1 - share[0]) / 2, columns * (1 - share[1]) / 2
    box = (left, top, columns - left, rows - top)
    return np.asarray(Image.fromarray(pixels).resize((size[1], size[0]), Image.Resampling.BILINEAR, box=box))


def assert_as_by_pillow(crops: list[NDArray[np.uint8]], size: Shape, share: Share) -> None:
    together = resized(crops, size=size, share=share)
    assert together.shape == (len(crops), *size, 3)
    assert together.dtype == np.uint8
    for picture, pixels in zip(together, crops, strict=True):
        np.testing.assert_array_equal(picture, by_pillow(pixels, size, share))


@pytest.mark.parametrize("size", [(32, 48), (32, 32), (30, 50), (64, 64), (17, 5), (29, 50)])
@pytest.mark.parametrize("share", [WHOLE, (0.8, 0.5), (0.6, 0.5), (1.0, 0.37), (0.2, 1.0)])
def test_every_crop_has_the_pixels_that_pillow_gives_it_alone(size: Shape, share: Share) -> None:
    shapes = [*CAMERA, *HIGH, *SMALL, (130, 130), size]
    assert_as_by_pillow(noise(sorted(shapes * 4, key=hash)), size, share)


@settings(max_examples=60, deadline=None)
@given(
    shapes=st.lists(st.tuples(st.integers(8, 140), st.integers(8, 140)), min_size=1, max_size=4),
    size=st.tuples(st.integers(8, 80), st.integers(8, 80)),
    share=st.tuples(st.floats(0.05, 1), st.floats(0.05, 1)),
    order=st.randoms(use_true_random=False),
)
def test_crops_of_any_shapes_and_sizes_too(shapes: list[Shape], size: Shape, share: Share, order: object) -> None:
    repeated = shapes * 4
    order.shuffle(repeated)  # type: ignore[attr-defined]
    assert_as_by_pillow(noise(repeated), size, share)


def test_what_is_beside_a_crop_does_not_bleed_into_it() -> None:
    black, white = np.zeros((30, 50, 3), dtype=np.uint8), np.full((30, 50, 3), 255, dtype=np.uint8)
    together = resized([black, white] * 8, size=(32, 48))
    assert (together[::2] == 0).all()
    assert (together[1::2] == 255).all()


def test_it_matters_which_way_a_crop_is_filtered_first(monkeypatch: pytest.MonkeyPatch) -> None:
    # Else the tests above would not see a wrong order.
    crops = noise(CAMERA[:1] * 8)
    expected = by_pillow(crops[0], (32, 48), WHOLE)
    np.testing.assert_array_equal(resized(crops, size=(32, 48))[0], expected)
    contrary = not goes_down_first(CAMERA[0], (32, 48), WHOLE)
    monkeypatch.setattr(resizing, "goes_down_first", lambda *_: contrary)
    other = resized(crops, size=(32, 48))[0]
    difference = np.abs(other.astype(int) - expected)
    assert 0 < difference.max() <= 1


def test_more_crops_than_are_resized_at_once() -> None:
    shapes = [CAMERA[place % len(CAMERA)] for place in range(2 * resizing.BLOCK + 3)]
    assert_as_by_pillow(noise(shapes), (32, 48), WHOLE)


def test_no_crops_are_no_pictures() -> None:
    assert resized([], size=(32, 48)).shape == (0, 32, 48, 3)


@pytest.mark.parametrize("count", [1, 16])
def test_crops_may_be_read_only_and_cut_out_of_larger_ones(count: int) -> None:
    pixels = noise([(60, 100)])[0]
    pixels.setflags(write=False)
    part = pixels[10:40, 20:70]
    pictures = resized([part] * count, size=(32, 48))
    np.testing.assert_array_equal(pictures[-1], by_pillow(np.ascontiguousarray(part), (32, 48), WHOLE))
    same = resized([part] * count, size=(30, 50))
    np.testing.assert_array_equal(same[-1], part)
    # What comes back is the caller's own.
    same[:] = 0
    assert part.any()


@pytest.mark.parametrize("padding", ["edge", "reflect", "black", "mean"])
def test_crops_that_are_fitted_together_are_as_each_alone(padding: Padding) -> None:
    crops = noise([*CAMERA, *HIGH] * 4)
    together = fitted(crops, size=(64, 64), share=(0.8, 0.5), padding=padding)
    for picture, pixels in zip(together, crops, strict=True):
        np.testing.assert_array_equal(picture, fitted([pixels], size=(64, 64), share=(0.8, 0.5), padding=padding)[0])
