"""Divides groups of crops into folds, so that what was learned from can be judged by what did not learn from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def fold_of_each(groups: NDArray[np.intp], folds: int, generator: np.random.Generator) -> NDArray[np.intp]:
    """The fold of each of N crops, (N,), from 0; a group, whose numbers are ``groups``, (N,), is never divided.

    The groups come in random order, each into the fold with the fewest crops so far. Where there are fewer groups than
    folds, the last folds stay empty.
    """
    sizes = np.bincount(groups)
    of_group = np.zeros(len(sizes), dtype=np.intp)
    counts = np.zeros(folds, dtype=np.intp)
    for group in generator.permutation(len(sizes)):
        of_group[group] = counts.argmin()
        counts[of_group[group]] += sizes[group]
    chosen: NDArray[np.intp] = of_group[groups]
    return chosen


def learned_by(folds: NDArray[np.intp], fold: int) -> NDArray[np.bool_]:
    """The crops that a fold learns from, bool (N,): those of the other folds, or all where there are no others."""
    others = folds != fold
    return others if others.any() else np.ones_like(others)


def held_out_of(folds: NDArray[np.intp], fold: int) -> NDArray[np.bool_]:
    """The crops that a fold is judged by, bool (N,): its own, or all where it has none."""
    own = folds == fold
    return own if own.any() else np.ones_like(own)
