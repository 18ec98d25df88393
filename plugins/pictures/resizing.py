"""Resizes many crops at once, to exactly the pixels that Pillow gives for each one."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from monitor.api import Pixels

# How many crops are resized together at most: enough to be worth it, few enough for memory.
BLOCK: Final = 256
# Fewer crops than this, and crops of more pixels than this, are resized one by one: nothing would be gained.
FEW: Final = 4
LARGE: Final = 2**14

WHOLE: Final = (1.0, 1.0)


def resized(crops: Sequence[Pixels], *, size: tuple[int, int], share: tuple[float, float] = WHOLE) -> Pixels:
    """Cut the middle ``share`` (of rows, of columns; 0-1) out of each crop, uint8 (h, w, 3), and resize it.

    ``size``: (height, width) in pixels of the results, uint8 (N, height, width, 3); the filter is Pillow's bilinear.
    """
    pictures = np.empty((len(crops), *size, 3), dtype=np.uint8)
    for start in range(0, len(crops), BLOCK):
        block, results = crops[start : start + BLOCK], pictures[start : start + BLOCK]
        for place in _resize_together(block, results, share) if len(block) >= FEW else range(len(block)):
            results[place] = resized_alone(block[place], size, share)
    return pictures


def _resize_together(crops: Sequence[Pixels], results: Pixels, share: tuple[float, float]) -> list[int]:
    """Fill ``results``, (n, H, W, 3), with n resized crops; return the places of those that are left out."""
    shapes = grouped(pixels.shape[:2] for pixels in crops)
    # Each shape costs some work, which pays only if most shapes have several crops.
    if len(crops) < 2 * len(shapes):
        return list(range(len(crops)))
    small = [places for (rows, columns), places in shapes.items() if rows * columns <= LARGE]
    stacks = [np.stack([crops[place] for place in places]) for places in small]
    _filter(stacks, results.shape[1:3], share)
    for places, stack in zip(small, stacks, strict=True):
        results[places] = stack
    return [place for (rows, columns), places in shapes.items() if rows * columns > LARGE for place in places]


def resized_alone(pixels: Pixels, size: tuple[int, int], share: tuple[float, float]) -> Pixels:
    """One crop, uint8 (h, w, 3), as `resized` has it, by Pillow: uint8 (height, width, 3)."""
    rows, columns = pixels.shape[:2]
    if (rows, columns) == size and share == WHOLE:
        return pixels
    top, left = _margin(rows, share[0]), _margin(columns, share[1])
    return _by_pillow(pixels, size, (left, top, columns - left, rows - top))


def grouped(keys: Iterable[Any]) -> dict[Any, list[int]]:
    """The places at which each key stands."""
    places: dict[Any, list[int]] = {}
    for place, key in enumerate(keys):
        places.setdefault(key, []).append(place)
    return places


def _filter(stacks: list[Pixels], size: tuple[int, int], share: tuple[float, float]) -> None:
    """Resize stacks of crops, each uint8 (n, h, w, 3), in place.

    Pillow filters a picture across and then down, or the other way round, and rounds to whole levels each time. Rows
    do not affect each other while it filters across, nor columns while it filters down. So crops of one width are
    filtered across as one picture, stacked on top of each other, and crops of one height are filtered down side by
    side.
    """
    early = [place for place, stack in enumerate(stacks) if goes_down_first(stack.shape[1:3], size, share)]
    late = [place for place in range(len(stacks)) if place not in early]
    _filter_down(stacks, early, size[0], share[0])
    _filter_across(stacks, early + late, size[1], share[1])
    _filter_down(stacks, late, size[0], share[0])


@lru_cache(maxsize=1024)
def goes_down_first(shape: tuple[int, int], size: tuple[int, int], share: tuple[float, float]) -> bool:
    """Whether Pillow filters crops of this shape (h, w) down before across; its versions differ."""
    noise = np.random.default_rng(0).integers(0, 256, size=(1, *shape, 3), dtype=np.uint8)
    stacks = [noise]
    _filter_across(stacks, [0], size[1], share[1])
    _filter_down(stacks, [0], size[0], share[0])
    return not np.array_equal(stacks[0][0], resized_alone(noise[0], size, share))


def _filter_across(stacks: list[Pixels], places: list[int], width: int, share: float) -> None:
    """Bring the middle ``share`` of the columns of the stacks at these places, (n, h, w, 3), to (n, h, width, 3)."""
    for columns, group in grouped(stacks[place].shape[2] for place in places).items():
        left = _margin(columns, share)
        if columns == width and not left:
            continue
        members = [places[index] for index in group]
        joined = np.concatenate([stacks[place].reshape(-1, columns, 3) for place in members])
        rows = len(joined)
        filtered = _by_pillow(joined, (rows, width), (left, 0, columns - left, rows))
        end = 0
        for place in members:
            count, height = stacks[place].shape[:2]
            start, end = end, end + count * height
            stacks[place] = filtered[start:end].reshape(count, height, width, 3)


def _filter_down(stacks: list[Pixels], places: list[int], height: int, share: float) -> None:
    """Bring the middle ``share`` of the rows of the stacks at these places, (n, h, w, 3), to (n, height, w, 3)."""
    for (rows, columns), group in grouped(stacks[place].shape[1:3] for place in places).items():
        top = _margin(rows, share)
        if rows == height and not top:
            continue
        members = [places[index] for index in group]
        counts = [len(stacks[place]) for place in members]
        joined = np.empty((rows, sum(counts), columns, 3), dtype=np.uint8)
        ends = np.cumsum(counts).tolist()
        spans = [slice(end - count, end) for count, end in zip(counts, ends, strict=True)]
        for place, span in zip(members, spans, strict=True):
            joined[:, span] = stacks[place].swapaxes(0, 1)
        # With the channels as further columns it is a grey picture, which Pillow takes as it lies in memory.
        grey = joined.reshape(rows, -1)
        along = grey.shape[1]
        filtered = _by_pillow(grey, (height, along), (0, top, along, rows - top)).reshape(height, -1, columns, 3)
        for place, span in zip(members, spans, strict=True):
            stacks[place] = filtered[:, span].swapaxes(0, 1)


def _margin(side: int, share: float) -> float:
    return side * (1 - share) / 2


def _by_pillow(picture: Pixels, size: tuple[int, int], box: tuple[float, float, float, float]) -> Pixels:
    from PIL import Image

    resized = Image.fromarray(picture).resize((size[1], size[0]), Image.Resampling.BILINEAR, box=box)
    return np.asarray(resized, dtype=np.uint8)
