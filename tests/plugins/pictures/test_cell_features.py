from __future__ import annotations

import numpy as np
import pytest

from plugins.detectors.patchstats import PatchStatistics
from plugins.pictures.brightness import errors_in_its_light, gains, scales
from plugins.pictures.cell_features import FEATURES, CellGrid
from tests.plugins.conftest import bleed_outs, crops

SIZE = 32, 48


def test_the_cells_of_the_centre_have_the_same_features_to_the_bit_in_every_grid() -> None:
    detector = PatchStatistics(PatchStatistics.Settings())
    batch = detector.prepare_batch([*crops(150), *bleed_outs(20)])
    whole = CellGrid(SIZE, cell=4)
    everywhere, centre = whole.features_of(batch), detector.grid.features_of(batch)
    assert everywhere.shape == (170, 96, len(FEATURES))
    places = detector.grid.places_in(whole)
    assert len(places) == len(detector.grid) == 36
    np.testing.assert_array_equal(everywhere[:, places], centre)


def test_a_grid_covers_those_over_the_same_crops_whose_cells_it_has() -> None:
    whole, centre = CellGrid(SIZE, cell=4), CellGrid(SIZE, cell=4, share=(0.8, 0.5))
    assert whole.covers(centre)
    assert not centre.covers(whole)
    assert centre.covers(CellGrid(SIZE, cell=4, share=(0.8, 0.5)))
    assert not whole.covers(CellGrid(SIZE, cell=8))
    assert not whole.covers(CellGrid((48, 48), cell=4, share=(0.5, 0.5)))


def test_no_crops_have_no_features() -> None:
    assert CellGrid(SIZE, cell=4).features_of(np.empty((0, *SIZE, 3), dtype=np.uint8)).shape == (0, 96, 7)


def test_cells_are_numbered_row_by_row() -> None:
    whole, part = CellGrid(SIZE, cell=8), CellGrid(SIZE, cell=8, share=(0.5, 0.5))
    assert (list(part.rows), list(part.columns)) == ([1, 2], [1, 2, 3, 4])
    assert part.places_in(whole).tolist() == [7, 8, 9, 10, 13, 14, 15, 16]


@pytest.mark.parametrize("light", [0.5, 1.0])
def test_the_error_is_taken_in_the_light_of_the_crop(light: float) -> None:
    detector = PatchStatistics(PatchStatistics.Settings())
    batch = detector.prepare_batch(crops(5, light=light))
    gain = gains(batch)
    picture = batch[0] * scales(gain)[0]
    errors = errors_in_its_light(batch, picture, gain, scales(gain))
    expected = np.square(batch / 255 - picture * gain[:, None, None, None]).mean(axis=(1, 2, 3))
    np.testing.assert_allclose(errors, expected, rtol=1e-4, atol=1e-9)
