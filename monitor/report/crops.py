"""Draws crops, each with what its detector makes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from monitor.api import Detector, squared_error_maps
from monitor.report.style import INK, NE_PROLIV, PROLIV, drawn, new_figure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

# How many crops one picture shows.
SHOWN: Final = 10


@dataclass(frozen=True)
class ShownCrop:
    """A crop that is worth a look: its row among all, and why it was chosen."""

    row: int
    why: str


@dataclass(frozen=True)
class Seen:
    """N prepared crops and what a detector makes of them.

    ``crops``: uint8 (N, H, W, C); the first three of the C channels are the picture. Others, such as a hole's number,
    are not shown. ``reconstructed``: float32 (N, H, W, 3 or more), 0-1, None where the detector reconstructs nothing.
    ``heatmap``: float32 (N, H, W), None where there is none. ``own_heatmap``: whether the heat map is the detector's
    own and not the error of the reconstruction.
    """

    crops: NDArray[np.uint8]
    reconstructed: NDArray[np.float32] | None
    heatmap: NDArray[np.float32] | None
    own_heatmap: bool = False

    @classmethod
    def by(cls, detector: Detector, crops: NDArray[np.uint8]) -> Seen:
        """Ask a detector for what it offers."""
        reconstructed = detector.reconstruct(crops) if detector.offers("reconstruct") else None
        if type(detector).heatmap is not Detector.heatmap:
            return cls(crops, reconstructed, detector.heatmap(crops), own_heatmap=True)
        heatmap = None if reconstructed is None else squared_error_maps(crops, np.clip(reconstructed, 0, 1))
        return cls(crops, reconstructed, heatmap)

    @property
    def map_name(self) -> str:
        """What the heat map is called."""
        return "heat map" if self.own_heatmap else "error map"


@dataclass(frozen=True)
class Caption:
    """What stands above a crop: ``lines`` of text, and the label that colours them, None where it is not known."""

    lines: tuple[str, ...]
    proliv: bool | None = None


def choose_labelled(scores: NDArray[np.float64], proliv: NDArray[np.bool_], threshold: float) -> list[ShownCrop]:
    """Choose up to ten of N crops by their deciding scores, float64 (N,), and labels, bool (N,), True = proliv.

    First the worst, furthest on the wrong side of the threshold or, where none is wrong, nearest to it: the two proliv
    of the lowest scores and the two ne_proliv of the highest. Then the two best of each kind, then those nearest the
    threshold. No crop is chosen twice.
    """
    upwards, by_distance = np.argsort(scores, kind="stable"), np.argsort(np.abs(scores - threshold), kind="stable")
    wanted = (
        ("worst proliv", [row for row in upwards if proliv[row]], 2),
        ("worst ne_proliv", [row for row in upwards[::-1] if not proliv[row]], 2),
        ("best proliv", [row for row in upwards[::-1] if proliv[row]], 2),
        ("best ne_proliv", [row for row in upwards if not proliv[row]], 2),
        ("nearest", list(by_distance), 2),
    )
    return _take(wanted)


def choose_unlabelled(scores: NDArray[np.float64]) -> list[ShownCrop]:
    """Choose up to ten of N crops by their scores, float64 (N,), alone: the highest, the lowest and the middle ones."""
    upwards = np.argsort(scores, kind="stable")
    middle = upwards[np.argsort(np.abs(np.arange(len(upwards)) - (len(upwards) - 1) / 2), kind="stable")]
    return _take((("highest", list(upwards[::-1]), 4), ("lowest", list(upwards), 3), ("middle", list(middle), 3)))


@drawn
def sheet(seen: Seen, captions: Sequence[Caption]) -> Figure:
    """Prepared crops above their reconstructions and heat maps, where there are any.

    All heat maps share a scale that ends at the 0.995 quantile of what is shown, so that one glaring pixel does not
    darken the rest.
    """
    rows = [("crop", seen.crops[..., :3].astype(np.float32) / 255)]
    if seen.reconstructed is not None:
        rows.append(("reconstruction", np.clip(seen.reconstructed[..., :3], 0, 1)))
    maps = int(seen.heatmap is not None)
    height, width = seen.crops.shape[1:3]
    column = 1.12
    # Room for the rows of pictures, the captions above them and the scale at the side.
    figure = new_figure(
        column * len(captions) + 1.1, (len(rows) + maps) * column * height / width + 0.2 * _lines(captions) + 0.3
    )
    grid = figure.subplots(len(rows) + maps, len(captions), squeeze=False)
    for line, (name, pictures) in zip(grid, rows, strict=False):
        for axes, picture in zip(line, pictures, strict=True):
            axes.imshow(picture, interpolation="nearest")
        line[0].set_ylabel(name)
    if seen.heatmap is not None:
        _draw_heatmaps(figure, grid[-1].tolist(), seen.heatmap, own=seen.own_heatmap)
    for axes, caption in zip(grid[0], captions, strict=True):
        colour = INK if caption.proliv is None else PROLIV if caption.proliv else NE_PROLIV
        axes.set_title("\n".join(caption.lines), fontsize=8, color=colour)
    for axes in grid.flat:
        _bare(axes)
    return figure


def _draw_heatmaps(figure: Figure, line: Sequence[Axes], heatmaps: NDArray[np.float32], *, own: bool) -> None:
    """N heat maps, float32 (N, H, W), side by side, with their scale."""
    top = max(float(np.quantile(heatmaps, 0.995)), 1e-12)
    for axes, heatmap in zip(line, heatmaps, strict=True):
        shade = axes.imshow(heatmap, interpolation="nearest", cmap="cividis", vmin=0, vmax=top)
    line[0].set_ylabel("heat map" if own else "error")
    scale = figure.colorbar(shade, ax=list(line), fraction=0.012, pad=0.01)
    scale.set_label("detector's\nown unit" if own else "squared\nintensity", fontsize=8)


def _take(wanted: Sequence[tuple[str, list[int], int]]) -> list[ShownCrop]:
    """Take from every (reason, rows, count) the first rows that none before it took; fill up from the last ones."""
    taken: dict[int, str] = {}
    for why, rows, count in wanted:
        fresh = [int(row) for row in rows if int(row) not in taken]
        taken.update((row, why) for row in fresh[:count])
    for why, rows, _count in reversed(wanted):
        fresh = [int(row) for row in rows if int(row) not in taken]
        taken.update((row, why) for row in fresh[: SHOWN - len(taken)])
    order = [why for why, _rows, _count in wanted]
    return [ShownCrop(row, why) for row, why in sorted(taken.items(), key=lambda item: order.index(item[1]))]


def _lines(captions: Sequence[Caption]) -> int:
    return max((len(caption.lines) for caption in captions), default=0)


def _bare(axes: Axes) -> None:
    """Leave the picture alone in its frame."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set_visible(False)
