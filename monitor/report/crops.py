"""Pictures of crops: each with its reconstruction and where the two differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from monitor.report.style import INK, NE_PROLIV, PROLIV, drawn, new_figure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

SHOWN: Final = 10
"""So many crops are shown in one picture."""


@dataclass(frozen=True)
class Chosen:
    """A crop that is worth a look: its row among all, and why it was chosen."""

    row: int
    why: str


@dataclass(frozen=True)
class Caption:
    """What stands above a crop: ``lines`` of text, and the label that colours them, None where nobody knows it."""

    lines: tuple[str, ...]
    proliv: bool | None = None


def choose(scores: NDArray[np.float64], proliv: NDArray[np.bool_], threshold: float) -> list[Chosen]:
    """Choose up to ten of N crops by their deciding scores, float64 (N,), and labels, bool (N,), True = proliv.

    First the worst, which are those furthest on the wrong side of the threshold or, where there is none, nearest to
    it: the two proliv of the lowest scores and the two ne_proliv of the highest. Then the two best of each kind, then
    those nearest the threshold. No crop is chosen twice.
    """
    upwards, by_distance = np.argsort(scores, kind="stable"), np.argsort(np.abs(scores - threshold), kind="stable")
    wishes = (
        ("worst proliv", [row for row in upwards if proliv[row]], 2),
        ("worst ne_proliv", [row for row in upwards[::-1] if not proliv[row]], 2),
        ("best proliv", [row for row in upwards[::-1] if proliv[row]], 2),
        ("best ne_proliv", [row for row in upwards if not proliv[row]], 2),
        ("nearest", list(by_distance), 2),
    )
    return _take(wishes)


def choose_unlabelled(scores: NDArray[np.float64]) -> list[Chosen]:
    """Choose up to ten of N crops without a threshold: the highest scores, float64 (N,), the middle, the lowest."""
    upwards = np.argsort(scores, kind="stable")
    middle = upwards[np.argsort(np.abs(np.arange(len(upwards)) - (len(upwards) - 1) / 2), kind="stable")]
    return _take((("highest", list(upwards[::-1]), 4), ("lowest", list(upwards), 3), ("middle", list(middle), 3)))


@drawn
def reconstructions(
    crops: NDArray[np.uint8], reconstructed: NDArray[np.float32], captions: Sequence[Caption]
) -> Figure:
    """Prepared crops, uint8 (N, H, W, C), above their reconstructions, float32 (N, H, W, C), 0-1, and the error maps.

    Of the C channels the first three are the picture's; the others, such as a hole's number, are not shown. The error
    is the mean over these three of the squared difference, in squared intensity; all maps have one scale, which ends
    at the 0.995 quantile of what is shown, so that one glaring pixel does not darken the rest.
    """
    pictures = crops[..., :3].astype(np.float32) / 255
    restored = np.clip(reconstructed[..., :3], 0, 1)
    errors = np.square(pictures - restored).mean(axis=-1)
    height, width = crops.shape[1:3]
    column = 1.12
    # Three rows of pictures, the captions above them and the scale at the side.
    figure = new_figure(column * len(crops) + 1.1, 3 * column * height / width + 0.2 * _lines(captions) + 0.3)
    grid = figure.subplots(3, len(crops), squeeze=False)
    shade = None
    for index, caption in enumerate(captions):
        above, between, below = grid[:, index]
        above.imshow(pictures[index], interpolation="nearest")
        between.imshow(restored[index], interpolation="nearest")
        top = max(float(np.quantile(errors, 0.995)), 1e-12)
        shade = below.imshow(errors[index], interpolation="nearest", cmap="cividis", vmin=0, vmax=top)
        colour = INK if caption.proliv is None else PROLIV if caption.proliv else NE_PROLIV
        above.set_title("\n".join(caption.lines), fontsize=8, color=colour)
        for axes in grid[:, index]:
            _bare(axes)
    for axes, name in zip(grid[:, 0], ("crop", "reconstruction", "error"), strict=True):
        axes.set_ylabel(name)
    if shade is not None:
        scale = figure.colorbar(shade, ax=grid[2, :].tolist(), fraction=0.012, pad=0.01)
        scale.set_label("squared\nintensity", fontsize=8)
    return figure


def _take(wishes: Sequence[tuple[str, list[int], int]]) -> list[Chosen]:
    """The first crops of every list that no list before it has taken; what is missing comes from the last lists."""
    taken: dict[int, str] = {}
    for why, rows, count in wishes:
        fresh = [int(row) for row in rows if int(row) not in taken]
        taken.update((row, why) for row in fresh[:count])
    for why, rows, _count in reversed(wishes):
        fresh = [int(row) for row in rows if int(row) not in taken]
        taken.update((row, why) for row in fresh[: SHOWN - len(taken)])
    order = [why for why, _rows, _count in wishes]
    return [Chosen(row, why) for row, why in sorted(taken.items(), key=lambda item: order.index(item[1]))]


def _lines(captions: Sequence[Caption]) -> int:
    return max((len(caption.lines) for caption in captions), default=0)


def _bare(axes: Axes) -> None:
    """Leave the picture alone in its frame."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set_visible(False)
