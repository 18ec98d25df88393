import numpy as np
import pytest
from numpy.typing import NDArray

from monitor.crops.in_memory import ReadCrops
from monitor.evaluation.robustness import ALTERATIONS, altered, jpeg, light, shift, white_balance
from monitor.words import Identity

NOISE: NDArray[np.uint8] = np.random.default_rng(0).integers(0, 256, size=(24, 40, 3), dtype=np.uint8)


def test_a_shift_moves_the_picture_and_repeats_its_edge() -> None:
    moved = shift(NOISE, down=2, right=-3)
    assert (moved[2:, :-3] == NOISE[:-2, 3:]).all()
    assert (moved[0] == moved[2]).all()
    assert (moved[:, -1] == moved[:, -4]).all()


def test_light_multiplies_and_stops_at_white() -> None:
    assert light(np.array([[[100, 200, 250]]], dtype=np.uint8), factor=1.15).tolist() == [[[115, 230, 255]]]


def test_a_white_balance_changes_red_and_blue_and_leaves_green() -> None:
    pixel = np.array([[[100, 200, 250]]], dtype=np.uint8)
    assert white_balance(pixel, red=0.92, blue=1.08).tolist() == [[[92, 200, 255]]]
    assert white_balance(pixel, red=1.08, blue=0.92).tolist() == [[[108, 200, 230]]]


def test_a_worse_jpeg_differs_more() -> None:
    smooth = np.kron(NOISE[::8, ::8], np.ones((8, 8, 1), dtype=np.uint8))
    differences = [np.abs(jpeg(smooth, quality=quality).astype(int) - smooth).mean() for quality in (95, 60, 10)]
    assert sorted(differences) == differences
    assert differences[0] < differences[2]


@pytest.mark.parametrize("name", ALTERATIONS)
def test_every_alteration_alters_a_copy_and_keeps_the_rest(name: str) -> None:
    before = NOISE.copy()
    crops = altered(ReadCrops(pixels=[NOISE], identities=[Identity(7, None, None)], digests=["digest"]), name)
    assert (crops.holes, crops.digests) == ([7], ["digest"])
    assert crops.pixels[0].shape == NOISE.shape
    assert crops.pixels[0].dtype == np.uint8
    assert (crops.pixels[0] != NOISE).any()
    assert (before == NOISE).all()
