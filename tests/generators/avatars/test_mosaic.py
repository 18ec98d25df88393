from __future__ import annotations

import itertools
import math
from collections import Counter

import numpy as np
import pytest

from generators.avatars import mosaic
from generators.avatars.sources import embedded_sources
from tests.generators.avatars.conftest import blocks


@pytest.mark.parametrize("coherence", [0.2, 0.5, 0.8, 0.95])
@pytest.mark.parametrize("count", [2, 3, 12])
def test_kernels_are_doubly_stochastic(coherence: float, count: int) -> None:
    learnt = mosaic.learn(embedded_sources((40, 42)).pixels[:count], coherence)
    assert learnt.edges
    for edge in learnt.edges:
        assert edge.kernel.min() >= 0
        np.testing.assert_allclose(edge.kernel.sum(axis=0), 1, atol=1e-11)
        np.testing.assert_allclose(edge.kernel.sum(axis=1), 1, atol=1e-11)


def test_kernels_prefer_seams_that_are_not_seen() -> None:
    sources = blocks(4, seed=3)
    sources[1, :4] = sources[0, :4]
    sources[2] = 255 - sources[0]
    learnt = mosaic.learn(sources, 0.8)
    likely = np.mean([edge.kernel[0, 1] for edge in learnt.edges])
    assert likely > 3 * np.mean([edge.kernel[0, 2] for edge in learnt.edges])


def test_the_tree_reaches_every_part_from_the_first() -> None:
    learnt = mosaic.learn(embedded_sources((40, 42)).pixels, 0.6)
    known = {0}
    for edge in learnt.edges:
        assert edge.parent in known
        known.add(edge.child)
    assert known == set(np.unique(learnt.parts).tolist())
    assert len(learnt.edges) == len(known) - 1 > 5


def test_parts_do_not_depend_on_the_order_of_the_images() -> None:
    sources = embedded_sources((66, 70)).pixels
    first, second = mosaic.learn(sources, 0.7).parts, mosaic.learn(sources[::-1], 0.7).parts
    pairs = set(zip(first.ravel().tolist(), second.ravel().tolist(), strict=True))
    assert len(pairs) == first.max() + 1 == second.max() + 1


def test_what_is_transparent_looks_alike_whatever_its_colour() -> None:
    sources = embedded_sources((66, 70)).pixels[:6]
    hidden = sources.copy()
    clear = sources[..., 3] == 0
    hidden[..., :3][clear] = np.random.default_rng(0).integers(0, 256, (int(clear.sum()), 3))
    np.testing.assert_array_equal(mosaic.learn(hidden, 0.7).parts, mosaic.learn(sources, 0.7).parts)


def test_the_probability_of_labels_along_a_kernel_that_goes_round() -> None:
    """A kernel that is not symmetric: what it says from the parent to the child is not what it says backwards."""
    kernel = np.array([[0.1, 0.9, 0.0], [0.0, 0.1, 0.9], [0.9, 0.0, 0.1]])
    field = mosaic.Mosaic(np.array([[0, 1, 2]]), (mosaic.Edge(0, 1, kernel), mosaic.Edge(1, 2, kernel)), 3, False)
    generator = np.random.default_rng(0)
    drawn = Counter(tuple(field.sample(generator).tolist()) for _ in range(3000))
    for labels in itertools.product(range(3), repeat=3):
        chance = kernel[labels[0], labels[1]] * kernel[labels[1], labels[2]] / 3
        with np.errstate(divide="ignore"):
            likelihood = np.log(np.eye(3)[list(labels)])
        assert math.exp(field.log_probability(likelihood)) == pytest.approx(chance)
        assert drawn[labels] / 3000 == pytest.approx(chance, abs=0.03)
