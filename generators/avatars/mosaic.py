"""A random field over the source images: parts of a picture, each from one source, every pixel's marginal uniform.

Parts. `generators.avatars.mosaic_parts` finds them.

Labels. A tree joins the parts, the maximum spanning tree over their common borders by how visible a seam would be.
The root's source is uniform over the N sources, and along each edge the source follows a doubly stochastic kernel
``K = Sinkhorn(exp(-aversion * cost))``, where ``cost[i, j]`` is the root of the mean squared difference of the sources
i and j along the border. A doubly stochastic kernel keeps the uniform distribution, so the source of every part, and
of every pixel, is uniform: exactly n/N for each colour. The tree makes the probability of a picture a sum that belief
propagation carries out exactly.

No copies. On one edge, the kernel gives no weight to any pair of sources with which the two parts together
could look like one source (Sinkhorn keeps zeros), so that no picture is a copy of a source.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from generators.avatars.mosaic_parts import find_parts, premultiplied, variety

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Sources: TypeAlias = NDArray[np.uint8]
    Matrix: TypeAlias = NDArray[np.float64]
    Labels: TypeAlias = NDArray[np.intp]

# What a seam's cost is multiplied by at coherence 0.5; it grows as coherence / (1 - coherence).
AVERSION: Final = 4.0

# Before balancing, no pair of sources is less likely than this, or Sinkhorn's iterations would not settle.
_LEAST_WEIGHT: Final = 1e-4

# How many numbers all kernels together may hold: of many sources there are fewer parts.
_KERNEL_NUMBERS: Final = 8_000_000

# A longer border is represented by this many of its places.
_LONGEST_BORDER: Final = 400

# Sums of probabilities below this are computed again from their logarithms.
_SMALL: Final = 1e-200

# Balancing ends when every sum is this close to 1, or after this many iterations.
_BALANCED: Final = 1e-12
_ITERATIONS: Final = 3000


@dataclass(frozen=True)
class Edge:
    """``kernel``, float64 (N, N): the probability of the child part's source (column) given the parent's (row)."""

    parent: int
    child: int
    kernel: Matrix


@dataclass(frozen=True)
class Mosaic:
    """``parts``, (H, W): each pixel's part. ``edges``: the tree, from part 0 outwards.

    ``no_copies``: no picture can equal a source. It is false where that is impossible, such as for sources that
    differ in a single pixel, and for a mosaic of one part.
    """

    parts: Labels
    edges: tuple[Edge, ...]
    source_count: int
    no_copies: bool

    def sample(self, generator: np.random.Generator) -> Labels:
        """Draw each part's source: (number of parts,), 0 to N - 1."""
        chances = generator.random(len(self.edges) + 1)
        labels = np.zeros(len(chances), dtype=np.intp)
        labels[0] = int(chances[0] * self.source_count)
        for edge, chance in zip(self.edges, chances[1:].tolist(), strict=True):
            sums = edge.kernel[labels[edge.parent]].cumsum()
            labels[edge.child] = np.searchsorted(sums, chance * sums[-1], side="right")
        return labels

    def log_probability(self, likelihood: Matrix) -> float:
        """Sum over all labels, by belief propagation from the leaves to the root.

        ``likelihood``, float64 (number of parts, N): the natural logarithm of the probability of what a part shows,
        given its source; -inf where it is impossible.
        """
        belief = likelihood.copy()
        for edge in reversed(self.edges):
            child = belief[edge.child]
            top = child.max()
            if not np.isfinite(top):
                return -np.inf
            shares = edge.kernel @ np.exp(child - top)
            # Where the likeliest source cannot follow, what is left may be too small for a double.
            small = shares < _SMALL
            with np.errstate(divide="ignore"):
                messages = top + np.log(shares)
                messages[small] = np.logaddexp.reduce(np.log(edge.kernel[small]) + child, axis=1)
            belief[edge.parent] += messages
        top = belief[0].max()
        return float(top + np.log(np.exp(belief[0] - top).mean())) if np.isfinite(top) else -np.inf


def learn(sources: Sources, coherence: float) -> Mosaic:
    """Find the parts of ``sources``, uint8 (N, H, W, 3 or 4), and how they follow each other.

    ``coherence``, above 0 and up to 1: there are about (H * W) ** (1 - coherence) parts, but no more than the
    coarse grid has cells; 1 makes the whole picture one part. The higher it is, the more seams are avoided.
    """
    count, height, width = sources.shape[:3]
    wanted = min(round((height * width) ** (1 - coherence)), max(16, _KERNEL_NUMBERS // count**2))
    if coherence < 1:
        wanted = max(wanted, 2)
    colours = premultiplied(sources)
    alone = wanted < 2 or height * width < 2
    parts = np.zeros((height, width), dtype=np.intp) if alone else find_parts(colours, wanted)
    borders = list(_borders(colours, parts))
    if not borders:
        return Mosaic(parts, (), count, no_copies=False)
    aversion = AVERSION * coherence / (1 - coherence)
    edges, no_copies = _kernels(sources, parts, _spanning_tree(borders), aversion)
    return Mosaic(parts, edges, count, no_copies)


@dataclass(frozen=True)
class _Border:
    """Where two parts meet; ``cost``, float64 (N, N): how visible a seam between the sources i and j would be."""

    first: int
    second: int
    length: int
    cost: Matrix


def _borders(colours: Sources, parts: Labels) -> Iterator[_Border]:
    """All common borders; of a long one, pixels at equal distances stand for the whole."""
    places = np.arange(parts.size).reshape(parts.shape)
    pairs = np.concatenate(
        [
            np.stack([places[:, :-1].ravel(), places[:, 1:].ravel()]),
            np.stack([places[:-1].ravel(), places[1:].ravel()]),
        ],
        axis=1,
    )
    sides = np.sort(parts.ravel()[pairs], axis=0)
    across = sides[0] != sides[1]
    pairs, sides = pairs[:, across], sides[:, across]
    keys = sides[0] * (int(parts.max()) + 1) + sides[1]
    order = np.argsort(keys, kind="stable")
    _, starts, lengths = np.unique(keys[order], return_index=True, return_counts=True)
    flat = colours.reshape(len(colours), parts.size, -1)
    for start, length in zip(starts.tolist(), lengths.tolist(), strict=True):
        step = -(-length // _LONGEST_BORDER)
        chosen = order[start : start + length : step]
        # (N, pixels on both sides of the border, channels)
        values = flat[:, pairs[:, chosen].ravel()].reshape(len(colours), -1)
        first, second = sides[:, chosen[0]].tolist()
        yield _Border(first, second, length, _differences(values))


def _differences(values: Sources) -> Matrix:
    """The root of the mean squared difference of each two of N rows of values: (N, N), 0-1."""
    scaled = values.astype(np.float64) / 255
    squares = (scaled**2).sum(axis=1)
    sums = squares[:, None] + squares[None, :] - 2 * scaled @ scaled.T
    differences: Matrix = np.sqrt(np.maximum(sums, 0) / values.shape[1])
    return differences


def _spanning_tree(borders: list[_Border]) -> list[_Border]:
    """The tree of the borders along which seams would be most visible, each from the root's side outwards."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import breadth_first_order, minimum_spanning_tree

    ends = np.array([[border.first, border.second] for border in borders]).T
    seen = np.array([border.length * border.cost.mean() for border in borders])
    count = int(ends.max()) + 1
    # A minimum of the inverse is a maximum of what is seen; an invisible seam still joins two parts.
    graph = coo_array((1 / (seen + 1e-9), (ends[0], ends[1])), shape=(count, count))
    tree = minimum_spanning_tree(graph)
    order, parents = breadth_first_order(tree, 0, directed=False)
    by_ends = {(border.first, border.second): border for border in borders}
    outwards = []
    for child in order[1:].tolist():
        parent = int(parents[child])
        border = by_ends[min(parent, child), max(parent, child)]
        outwards.append(_Border(parent, child, border.length, border.cost))
    return outwards


def _kernels(sources: Sources, parts: Labels, tree: list[_Border], aversion: float) -> tuple[tuple[Edge, ...], bool]:
    """Turn the tree's costs into kernels, one of them without copies; also return whether that was possible."""
    weights = [np.maximum(np.exp(-aversion * border.cost), _LEAST_WEIGHT) for border in tree]
    kernels: list[Any] = [None] * len(tree)
    for number in _by_variety(sources, parts, tree):
        same_first = _same(sources, parts == tree[number].first)
        same_second = _same(sources, parts == tree[number].second)
        # Some source looks like i on the one part and like j on the other.
        copies = same_first.astype(np.intp) @ same_second.astype(np.intp) > 0
        kernels[number] = balance(np.where(copies, 0, weights[number]))
        if kernels[number] is not None:
            break
    no_copies = any(kernel is not None for kernel in kernels)
    made = [
        Edge(border.first, border.second, balance_positive(weight) if kernel is None else kernel)
        for border, weight, kernel in zip(tree, weights, kernels, strict=True)
    ]
    return tuple(made), no_copies


# How many edges are tried to find one without copies: where no pair of large parts differs, none does.
_TRIED: Final = 8


def _by_variety(sources: Sources, parts: Labels, tree: list[_Border]) -> list[int]:
    """The tree's edges, those first whose poorer side still differs most between the sources."""
    spread = variety(sources, parts)
    order = np.argsort([-min(spread[border.first], spread[border.second]) for border in tree], kind="stable")
    return [int(number) for number in order[:_TRIED]]


def _same(sources: Sources, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which sources are equal where ``mask`` is true: bool (N, N)."""
    shown = [image[mask].tobytes() for image in sources]
    numbers = np.array([shown.index(one) for one in shown])
    equal: NDArray[np.bool_] = numbers[:, None] == numbers[None, :]
    return equal


def balance(weights: Matrix) -> Matrix | None:
    """Scale rows and columns until every one sums to 1 (Sinkhorn and Knopp 1967), or None where that cannot be."""
    kernel: Matrix = weights.astype(np.float64)
    for _ in range(_ITERATIONS):
        rows = kernel.sum(axis=1, keepdims=True)
        if (rows == 0).any():
            return None
        kernel = kernel / rows
        columns = kernel.sum(axis=0, keepdims=True)
        if (columns == 0).any():
            return None
        if np.abs(columns - 1).max() < _BALANCED:
            return kernel
        kernel = kernel / columns
    return None


def balance_positive(weights: Matrix) -> Matrix:
    """Balance weights above 0, for which there is always a solution, though it may take many iterations.

    Where it takes too many, what is missing from rows and columns is added as a product (Altschuler, Weed and
    Rigollet 2017, algorithm 2), which is doubly stochastic to the last digit.
    """
    kernel = balance(weights)
    if kernel is not None:
        return kernel
    kernel = weights / np.maximum(weights.sum(axis=1, keepdims=True), weights.sum(axis=0, keepdims=True)).max()
    rows, columns = 1 - kernel.sum(axis=1), 1 - kernel.sum(axis=0)
    whole: Matrix = kernel + np.outer(rows, columns) / rows.sum()
    return whole
