from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from monitor.api import DataError
from plugins.detectors.regions import REGIONS, Regions


def usual(count: int = 2000, cells: int = 3, features: int = 4, seed: int = 0) -> NDArray[np.float32]:
    """Features that go together differently in each cell."""
    generator = np.random.default_rng(seed)
    mixing = np.random.default_rng(99).normal(size=(cells, features, features))
    values = (
        np.einsum("nck,ckj->ncj", generator.normal(size=(count, cells, features)), mixing) + np.arange(cells)[:, None]
    )
    return np.asarray(values, dtype=np.float32)


def test_the_distance_is_mahalanobis_per_feature() -> None:
    values = usual()
    regions = Regions.learn(values, shrinkage=0)
    one = usual(1, seed=1)[0]
    for cell in range(3):
        covariance = np.cov(values[:, cell].T.astype(np.float64))
        away = one[cell] - values[:, cell].mean(axis=0, dtype=np.float64)
        expected = away @ np.linalg.inv(covariance) @ away / 4
        assert np.exp(regions.log_distances(one[None])[0, cell]) - 0.1 == pytest.approx(expected, rel=1e-3)


def test_usual_crops_lie_at_a_distance_of_about_one() -> None:
    distances = np.exp(Regions.learn(usual(), shrinkage=0.05).log_distances(usual(seed=2))) - 0.1
    assert distances.mean() == pytest.approx(1, rel=0.1)


def test_too_little_is_as_odd_as_too_much() -> None:
    values = usual()
    regions = Regions.learn(values, shrinkage=0.05)
    middle = values.mean(axis=0, keepdims=True)
    spread = values.std(axis=0, keepdims=True)
    below, above = regions.distance(middle - 4 * spread), regions.distance(middle + 4 * spread)
    assert below == pytest.approx(above, rel=1e-3)
    assert below > 3 * regions.distance(values).mean()


def test_a_quarter_of_very_odd_cells_counts_for_less_than_all_of_them_somewhat_odd() -> None:
    values = usual(cells=16)
    regions = Regions.learn(values, shrinkage=0.05)
    spread = values.std(axis=0)
    few_cells = values[:1].copy()
    few_cells[0, :4] += 300 * spread[:4]
    many_cells = values[:1] + 2 * spread
    assert regions.distance(few_cells) < regions.distance(many_cells)


def test_each_crop_is_held_against_the_kind_of_scene_that_is_nearest() -> None:
    bright, dark = usual(seed=3) + np.float32(50), usual(seed=4)
    both = np.concatenate([bright, dark])
    one_kind, two_kinds = (Regions.learn(both, shrinkage=0.05, kinds=kinds) for kinds in (1, 2))
    assert len(two_kinds.mean) == 2
    between = dark[:50] + np.float32(25)
    assert two_kinds.distance(between).min() > 20 * two_kinds.distance(both).max()
    assert one_kind.distance(between).max() < one_kind.distance(both).max()


def test_too_few_crops_for_several_kinds_make_one() -> None:
    assert len(Regions.learn(usual(150), shrinkage=0.05, kinds=4).mean) == 1


@pytest.mark.parametrize("count", [1, 2, 24, 900])
def test_few_or_identical_crops_have_finite_distances(count: int) -> None:
    values = np.zeros((count, 3, 4), dtype=np.float32)
    regions = Regions.learn(values, shrinkage=0.05, kinds=4)
    assert np.isfinite(regions.distance(values + 1)).all()


def test_without_crops_nothing_is_learned() -> None:
    with pytest.raises(DataError, match="no crops"):
        Regions.learn(np.empty((0, 3, 4), dtype=np.float32), shrinkage=0.05)


def test_what_was_saved_comes_back(tmp_path: Path) -> None:
    regions = Regions.learn(usual(), shrinkage=0.05)
    regions.save(tmp_path)
    loaded = Regions.load(tmp_path, cells=3, features=4)
    assert (loaded.distance(usual(5)) == regions.distance(usual(5))).all()
    with pytest.raises(DataError, match="other settings"):
        Regions.load(tmp_path, cells=4, features=4)
    (tmp_path / REGIONS).write_bytes(b"nonsense")
    with pytest.raises(DataError, match=r"regions\.safetensors: is damaged"):
        Regions.load(tmp_path, cells=3, features=4)


def test_arrays_that_lie_in_memory_in_another_order_come_back_as_they_were(tmp_path: Path) -> None:
    regions = Regions.learn(usual(), shrinkage=0.05)
    turned = Regions(np.asfortranarray(regions.mean), np.asfortranarray(regions.precision))
    turned.save(tmp_path)
    assert (Regions.load(tmp_path, cells=3, features=4).precision == regions.precision).all()


def test_the_distance_is_the_trimmed_mean_in_the_kind_of_scene_that_is_nearest() -> None:
    values = np.concatenate([usual(cells=12) + np.float32(5), usual(cells=12, seed=1)])
    regions = Regions.learn(values, shrinkage=0.05, kinds=2)
    nearest = np.sort(regions.log_distances(values, trimmed=0.25), axis=1)[:, :9]
    np.testing.assert_allclose(regions.distance(values, trimmed=0.25), np.exp(nearest.mean(axis=1)), rtol=1e-6)


def test_a_distance_is_to_the_bit_the_same_in_every_batch() -> None:
    values = usual(500, cells=36, features=7)
    regions = Regions.learn(values, shrinkage=0.05)
    together = regions.distance(values)
    for size in (1, 3, 64):
        parts = [regions.distance(values[start : start + size]) for start in range(0, len(values), size)]
        np.testing.assert_array_equal(np.concatenate(parts), together)
