"""Holds out a validation part of the training crops by groups of near-duplicates, not at random.

A fixed camera crops the same holes again and again: nearly every crop has others of the same hole, frames
apart, that differ only by noise. Drawn at random, a validation crop would nearly always have a twin among the
crops that were trained on; its score would say how well the detector remembers, the threshold chosen on such
scores would be too low, and new holes would alarm. So twins stay together: all in one part or all in the other.

1. A crop becomes a grey thumbnail, which keeps the hole's outline and light and loses noise and texture.
2. Farthest-first traversal picks representatives until every crop lies within `TWIN_DISTANCE / 2` of one, or
   `MOST_REPRESENTATIVES` are reached; each crop joins the nearest one's cell. Time and memory grow with the number
   of crops, not with its square. (T. F. Gonzalez, Theoretical Computer Science 38 (1985) 293-306.)
3. Cells are linked, nearest pair first, while their representatives are closer than `TWIN_DISTANCE` and the
   linked group is no larger than `LARGEST_GROUP` of the validation part. This is single linkage, which follows a
   hole through slowly changing light, with a limit, without which chains of lookalikes would end as one giant
   group and leave nothing to choose from. A cell above the limit by itself (a still picture, thousands of times)
   is cut in the order of the crops.
4. Whole groups are drawn at random until the share is reached.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from monitor.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

# Columns and rows of the grey thumbnails by which crops are compared.
THUMBNAIL: Final = (16, 10)

# Crops closer than this count as near-duplicates: root mean square over a thumbnail, intensities 0-1.
TWIN_DISTANCE: Final = 0.02

MOST_REPRESENTATIVES: Final = 2048
# So many distances between two sets of crops are worked out at once: 32 MB, and as much again while that is done.
MOST_DISTANCES: Final = 8_000_000
# The largest group, as a share of the validation part, so that at least two groups make one.
LARGEST_GROUP: Final = 0.5


class Division(NamedTuple):
    """Which of N crops are held out, bool (N,), and the number of each one's group of near-duplicates, (N,)."""

    held_out: NDArray[np.bool_]
    groups: NDArray[np.intp]


def hold_out(crops: Sequence[NDArray[np.uint8]], *, share: float, seed: int) -> Division:
    """Choose about ``share`` (0-1) of the crops for validation.

    ``crops``: each uint8 (h, w, 3), of any sizes. Both parts get at least one crop. The same crops, share and
    seed give the same choice. Raises `DataError` for fewer than two crops or a share that leaves a part empty.
    """
    if len(crops) < 2:
        raise DataError(f"{len(crops)} crops cannot be split into training and validation; at least 2 are needed")
    if not 0 < share < 1:
        raise DataError(f"the validation share must lie between 0 and 1, got {share}")
    wanted = min(max(round(share * len(crops)), 1), len(crops) - 1)
    groups = near_duplicates(thumbnails(crops), largest=max(int(LARGEST_GROUP * wanted), 1))
    return Division(_draw(groups, wanted, np.random.default_rng(seed)), groups)


def groups_of_normal(crops: Sequence[NDArray[np.uint8]], held_out: NDArray[np.bool_]) -> NDArray[np.intp]:
    """The groups of those of N crops that are not held out, bool (N,), as `hold_out` makes them."""
    largest = max(int(LARGEST_GROUP * held_out.sum()), 1)
    return near_duplicates(thumbnails(crops), largest=largest)[~held_out]


def groups_of_proliv(crops: Sequence[NDArray[np.uint8]], holes: Sequence[int | None]) -> NDArray[np.intp]:
    """Group proliv crops, so that one hole's and near-duplicates share a group: (P,), from 0 without gaps.

    A bleed-out is photographed many times, and the crops of neighbouring holes overlap. ``holes``: the number of each
    crop's hole, None where nobody knows it.
    """
    if not crops:
        return np.empty(0, dtype=np.intp)
    groups = near_duplicates(thumbnails(crops), largest=len(crops))
    rows_of_holes: dict[int, list[int]] = {}
    for row, hole in enumerate(holes):
        if hole is not None:
            rows_of_holes.setdefault(hole, []).append(row)
    for rows in rows_of_holes.values():
        groups[np.isin(groups, groups[rows])] = groups[rows[0]]
    return renumbered(groups)


def joined(
    crops: Sequence[NDArray[np.uint8]], groups: NDArray[np.intp], others: Sequence[NDArray[np.uint8]]
) -> NDArray[np.intp]:
    """The groups of N crops and of M others together, (N + M,), from 0 without gaps.

    ``groups``: those of the N crops, (N,). The others are grouped by themselves; a group of them that has a
    near-duplicate among the crops becomes one with that crop's.
    """
    if not others:
        return renumbered(groups)
    points, more = thumbnails(crops), thumbnails(others)
    own = near_duplicates(more, largest=len(others)) + groups.max(initial=-1) + 1
    together = np.concatenate([groups, own])
    for row, distances in enumerate(_each_distances(more, points)):
        for twin in np.flatnonzero(distances < TWIN_DISTANCE):
            both = together[twin], together[len(crops) + row]
            together[np.isin(together, both)] = min(both)
    return renumbered(together)


def twins(crops: Sequence[NDArray[np.uint8]], others: Sequence[NDArray[np.uint8]]) -> NDArray[np.intp]:
    """The nearest near-duplicate of each of N crops among others, (N,), by its place; -1 where it has none."""
    if not crops or not others:
        return np.full(len(crops), -1, dtype=np.intp)
    found = np.empty(len(crops), dtype=np.intp)
    for row, distances in enumerate(_each_distances(thumbnails(crops), thumbnails(others))):
        nearest = distances.argmin()
        found[row] = nearest if distances[nearest] < TWIN_DISTANCE else -1
    return found


def _each_distances(points: NDArray[np.float32], others: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    """The distances of each point from all others, (M,); labels of years do not fit into memory at once."""
    rows = max(1, MOST_DISTANCES // max(1, len(others)))
    for start in range(0, len(points), rows):
        yield from _distances(points[start : start + rows], others)


def _distances(points: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    """Euclidean distances of points (N, D) and others (M, D): float32 (N, M)."""
    squares = np.einsum("nd,nd->n", points, points)[:, None] + np.einsum("md,md->m", others, others)
    distances: NDArray[np.float32] = np.sqrt(np.maximum(squares - 2 * (points @ others.T), 0))
    return distances


def renumbered(groups: NDArray[np.intp]) -> NDArray[np.intp]:
    """The same groups with numbers from 0 without gaps."""
    return np.unique(groups, return_inverse=True)[1].reshape(-1)


def thumbnails(crops: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
    """Grey thumbnails, float32 (N, D); the Euclidean distance of two is the root mean square of 0-1 intensities."""
    from PIL import Image

    small = np.empty((len(crops), math.prod(THUMBNAIL)), dtype=np.float32)
    for row, pixels in zip(small, crops, strict=True):
        row[:] = np.asarray(Image.fromarray(pixels).convert("L").resize(THUMBNAIL, Image.Resampling.BOX)).ravel()
    return small / np.float32(255 * math.sqrt(small.shape[1]))


def near_duplicates(points: NDArray[np.float32], *, largest: int) -> NDArray[np.intp]:
    """Group points, float32 (N, D), so that near-duplicates share a group of at most ``largest``.

    Returns the groups' numbers, (N,), from 0 without gaps.
    """
    cells, representatives = _cells(points)
    sizes = np.bincount(cells, minlength=len(representatives))
    linked = _link(points[representatives], sizes, largest)
    return _cut(linked[cells], largest)


def _cells(points: NDArray[np.float32]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The cell of every point, (N,), and the point that represents each cell, (K,), farthest first."""
    squares = np.einsum("nd,nd->n", points, points)
    cells = np.zeros(len(points), dtype=np.intp)
    nearest = np.full(len(points), np.inf, dtype=np.float32)
    representatives = [0]
    while True:
        new = representatives[-1]
        distances = squares + squares[new] - 2 * (points @ points[new])
        distances[new] = 0
        closer = distances < nearest
        cells[closer] = len(representatives) - 1
        nearest[closer] = distances[closer]
        farthest = int(nearest.argmax())
        if nearest[farthest] <= (TWIN_DISTANCE / 2) ** 2 or len(representatives) == MOST_REPRESENTATIVES:
            return cells, np.array(representatives, dtype=np.intp)
        representatives.append(farthest)


def _link(points: NDArray[np.float32], sizes: NDArray[np.intp], largest: int) -> NDArray[np.intp]:
    """Link the nearest points, float32 (K, D), first (Kruskal); returns one of its points for each group, (K,)."""
    squares = np.einsum("kd,kd->k", points, points)
    distances = squares[:, None] + squares[None, :] - 2 * (points @ points.T)
    left, right = np.nonzero(np.triu(distances < TWIN_DISTANCE**2, k=1))
    nearest_first = np.argsort(distances[left, right], kind="stable")
    # Lists: there may be millions of pairs, and reading one number out of an array costs several times as much.
    groups, weights = list(range(len(points))), sizes.tolist()

    def root(point: int) -> int:
        while groups[point] != point:
            groups[point] = point = groups[groups[point]]
        return point

    for one, other in zip(left[nearest_first].tolist(), right[nearest_first].tolist(), strict=True):
        first, second = root(one), root(other)
        if first != second and weights[first] + weights[second] <= largest:
            groups[second] = first
            weights[first] += weights[second]
    return np.array([root(point) for point in range(len(points))], dtype=np.intp)


def _cut(groups: NDArray[np.intp], largest: int) -> NDArray[np.intp]:
    """Cut groups of more than ``largest`` in the order of their members, and number all groups from 0."""
    order = np.argsort(groups, kind="stable")
    _, starts, sizes = np.unique(groups[order], return_index=True, return_counts=True)
    position = np.arange(len(groups)) - np.repeat(starts, sizes)
    parts = np.empty((len(groups), 2), dtype=np.intp)
    parts[order, 0], parts[order, 1] = groups[order], position // largest
    return np.unique(parts, axis=0, return_inverse=True)[1].reshape(-1)


def _draw(groups: NDArray[np.intp], wanted: int, generator: np.random.Generator) -> NDArray[np.bool_]:
    """Draw whole groups in random order, passing over those that would exceed ``wanted`` points."""
    sizes = np.bincount(groups)
    chosen = np.zeros(len(sizes), dtype=np.bool_)
    missing = wanted
    for group in generator.permutation(len(sizes)):
        if sizes[group] <= missing:
            chosen[group] = True
            missing -= int(sizes[group])
    return chosen[groups]
