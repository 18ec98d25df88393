from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from plugins.detectors.folds import fold_of_each, held_out_of, learned_by


@given(groups=st.lists(st.integers(0, 20), min_size=0, max_size=200), folds=st.integers(2, 5), seed=st.integers(0, 100))
def test_no_group_is_in_two_folds_and_the_folds_are_about_equal(groups: list[int], folds: int, seed: int) -> None:
    numbers = np.unique(groups, return_inverse=True)[1].reshape(-1).astype(np.intp)
    chosen = fold_of_each(numbers, folds, np.random.default_rng(seed))
    assert chosen.shape == numbers.shape
    for group in np.unique(numbers):
        assert len(np.unique(chosen[numbers == group])) == 1
    if len(numbers):
        counts = np.bincount(chosen, minlength=folds)
        assert counts.max() - counts.min() <= np.bincount(numbers).max()


def test_folds_are_drawn_by_the_seed() -> None:
    groups = np.repeat(np.arange(30), 3)
    first, again, other = (fold_of_each(groups, 2, np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert (first == again).all()
    assert (first != other).any()


def test_what_a_fold_learns_from_it_is_not_judged_by() -> None:
    folds = np.array([0, 1, 2, 1, 0])
    for fold in range(3):
        assert (learned_by(folds, fold) != held_out_of(folds, fold)).all()


def test_a_single_group_is_learned_from_and_judged_by_in_all_folds() -> None:
    folds = fold_of_each(np.zeros(4, dtype=np.intp), 2, np.random.default_rng(0))
    assert learned_by(folds, 0).all()
    assert learned_by(folds, 1).all()
    assert held_out_of(folds, 1).all()
