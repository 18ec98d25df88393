"""Draws numbers: losses, rates, histograms of scores, the confusion matrix, ROC curves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from matplotlib.ticker import MaxNLocator

from monitor.report.style import (
    DASHES,
    HALF,
    INK,
    LINES,
    MARKERS,
    NE_PROLIV,
    PROLIV,
    WHOLE,
    drawn,
    new_figure,
    scale,
    wants_logarithm,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from monitor.api import EpochReport

# Bars of a histogram.
BINS: Final = 60
# How many thresholds the picture of the rates tries: about one for each of its dots.
STEPS: Final = 600
# The upper left corner of the ROC curves is enlarged up to this many per cent of false alarms and of misses: the first
# of these that holds all operating points, or the last.
CORNERS: Final = (5, 10, 20)


@dataclass(frozen=True)
class Group:
    """The scores, float64 (N,), of crops of one label; ``measured``: of the test, drawn filled, not in outline."""

    name: str
    proliv: bool
    scores: NDArray[np.float64]
    measured: bool = False


@dataclass(frozen=True)
class Sample:
    """The scores of ne_proliv crops, float64 (N,), and of proliv crops, float64 (M,), of one set of images.

    ``measured``: whether it is the test.
    """

    name: str
    normal: NDArray[np.float64]
    proliv: NDArray[np.float64]
    measured: bool = False


@dataclass(frozen=True)
class RocCurve:
    """The rates at every threshold, each float64 (T,) and ascending, 0-1.

    ``false_alarms`` = 1 - TNR, ``caught`` = TPR; ``operating_point``: both at the threshold in use. A decision that is
    not a threshold on one score has no curve: then the arrays are empty.
    """

    name: str
    false_alarms: NDArray[np.float64]
    caught: NDArray[np.float64]
    operating_point: tuple[float, float] | None = None


def roc_curve(
    name: str, normal: NDArray[np.float64], proliv: NDArray[np.float64], threshold: float | None = None
) -> RocCurve:
    """The ROC curve of the scores of ne_proliv crops, float64 (N,), and of proliv crops, float64 (M,), neither empty.

    Every score that occurs is tried as the threshold, from the highest down, after one above them all.
    """
    thresholds = np.unique(np.concatenate([normal, proliv]))[::-1]
    false_alarms, caught = (np.concatenate([[0.0], _reaching(part, thresholds)]) for part in (normal, proliv))
    point = None
    if threshold is not None:
        at_threshold = np.array([threshold])
        point = float(_reaching(normal, at_threshold)[0]), float(_reaching(proliv, at_threshold)[0])
    return RocCurve(name, false_alarms, caught, point)


@drawn
def losses(epochs: Sequence[EpochReport], best_epoch: int) -> Figure:
    """Training and validation loss by epoch, with the epoch whose weights were kept."""
    figure = new_figure(HALF, 3.2)
    axes = figure.subplots()
    numbers = [report.epoch for report in epochs]
    train = np.array([report.train_loss for report in epochs])
    validation = np.array([report.validation_loss for report in epochs])
    axes.plot(numbers, train, color=LINES[0], linestyle="--", marker="o", markersize=3, label="training crops")
    axes.plot(numbers, validation, color=INK, marker="s", markersize=3, label="held-out crops")
    kept = [loss for number, loss in zip(numbers, validation.tolist(), strict=True) if number == best_epoch]
    if kept:
        axes.axvline(best_epoch, color=INK, linestyle=":", linewidth=1.2)
        axes.plot([best_epoch], kept, "*", color=INK, markersize=13, label=f"kept: epoch {best_epoch}")
    scale(axes, axis="y", logarithmic=_spans(train, validation))
    axes.set_xlabel("epoch (passes over the training crops)")
    axes.set_ylabel("mean loss, the detector's unit")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    _legend(axes)
    return figure


@drawn
def rates(samples: Sequence[Sample], threshold: float, score_name: str) -> Figure:
    """TPR and TNR at every threshold; ``score_name`` names the score that is compared with it, with its unit."""
    figure = new_figure(HALF, 3.6)
    axes = figure.subplots()
    values = [part for sample in samples for part in (sample.normal, sample.proliv)]
    logarithmic = wants_logarithm(*values, np.array([threshold]))
    low, high = _limits([*values, np.array([threshold])], logarithmic=logarithmic)
    tried = np.geomspace(low, high, STEPS) if logarithmic else np.linspace(low, high, STEPS)
    for sample in samples:
        dash, width = ("-", 2.2) if sample.measured else ("--", 1.4)
        if len(sample.proliv):
            share = 100 * _reaching(sample.proliv, tried)
            axes.plot(tried, share, color=PROLIV, linestyle=dash, linewidth=width, label=f"TPR, {sample.name}")
        if len(sample.normal):
            share = 100 - 100 * _reaching(sample.normal, tried)
            axes.plot(tried, share, color=NE_PROLIV, linestyle=dash, linewidth=width, label=f"TNR, {sample.name}")
    axes.set_xlim(low, high)
    axes.set_ylim(-2, 102)
    scale(axes, logarithmic=logarithmic)
    _threshold_line(axes, threshold)
    axes.set_xlabel(f"threshold for {score_name}")
    axes.set_ylabel("share of the crops, %")
    _legend(axes)
    return figure


@drawn
def histogram(groups: Sequence[Group], threshold: float | None, score_name: str) -> Figure:
    """The distribution of the scores of each group; a bar's height is its share of its group."""
    figure = new_figure(HALF, 3.6)
    axes = figure.subplots()
    values = [group.scores for group in groups]
    marked = values if threshold is None else [*values, np.array([threshold])]
    logarithmic = wants_logarithm(*marked)
    low, high = _limits(marked, logarithmic=logarithmic)
    edges = np.geomspace(low, high, BINS + 1) if logarithmic else np.linspace(low, high, BINS + 1)
    for group in groups:
        counts, _ = np.histogram(np.clip(group.scores, low, high), edges)
        shares = 100 * counts / max(len(group.scores), 1)
        colour = PROLIV if group.proliv else NE_PROLIV
        label = f"{group.name}: {len(group.scores):,}"
        if group.measured:
            hatch = "////" if group.proliv else None
            axes.stairs(
                shares, edges, fill=True, facecolor=colour, alpha=0.35, hatch=hatch, edgecolor=colour, label=label
            )
        else:
            axes.stairs(
                shares, edges, color=colour, linestyle="--" if group.proliv else "-", linewidth=1.5, label=label
            )
    axes.set_xlim(low, high)
    scale(axes, logarithmic=logarithmic)
    if threshold is not None:
        _threshold_line(axes, threshold)
    axes.set_xlabel(score_name)
    axes.set_ylabel("share of the group's crops, %")
    _legend(axes)
    return figure


@drawn
def confusion(tp: int, fn: int, fp: int, tn: int) -> Figure:
    """The counts of the four kinds of decisions, by label and by what was decided, shaded by the share of the row."""
    figure = new_figure(HALF, 3.1)
    axes = figure.subplots()
    counts = np.array([[tp, fn], [fp, tn]], dtype=np.float64)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Greys", vmin=0, vmax=2.4, aspect="auto")
    names = (("caught", "missed"), ("false alarms", "passed"))
    for row, column in np.ndindex(2, 2):
        words = f"{counts[row, column]:,.0f}\n{names[row][column]}\n{100 * shares[row, column]:.1f} %"
        axes.text(column, row, words, ha="center", va="center", fontsize=11)
    axes.set_xticks([0, 1], ["proliv", "ne_proliv"])
    axes.set_yticks([0, 1], ["proliv", "ne_proliv"], rotation=90, va="center")
    axes.tick_params(length=0)
    axes.grid(visible=False)
    axes.set_xlabel("decided (number of crops)")
    axes.set_ylabel("labelled (number of crops)")
    return figure


@drawn
def roc(curves: Sequence[RocCurve]) -> Figure:
    """ROC curves, whole on the left, their upper left corner on the right; a mark is the threshold in use."""
    figure = new_figure(WHOLE, 4.6 + 0.1 * len(curves))
    whole, corner = figure.subplots(1, 2)
    whole.plot([0, 100], [0, 100], color="#999999", linewidth=0.8, linestyle=":")
    whole.set(xlim=(0, 100), ylim=(0, 100), title="whole")
    side = _corner(curves)
    corner.set(xlim=(0, side), ylim=(100 - side, 100), title="its corner, enlarged")
    for number, curve in enumerate(curves):
        for axes in (whole, corner):
            _draw_roc(axes, curve, number)
    for axes in (whole, corner):
        axes.set_xlabel("false alarms: share of ne_proliv crops, % (1 − TNR)")
        axes.set_ylabel("caught: share of proliv crops, % (TPR)")
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.yaxis.set_major_locator(MaxNLocator(5))
    handles, labels = whole.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2 if len(curves) > 3 else 1)
    return figure


def _corner(curves: Sequence[RocCurve]) -> int:
    """How many per cent of the picture's sides the enlarged corner takes."""
    points = [curve.operating_point for curve in curves if curve.operating_point]
    # Rounded because 1 - 0.95 is a little more than 0.05.
    needed = round(max((100 * max(false_alarms, 1 - caught) for false_alarms, caught in points), default=0), 6)
    return next((side for side in CORNERS if needed <= side), CORNERS[-1])


def _draw_roc(axes: Axes, curve: RocCurve, number: int) -> None:
    """Draw a curve and its operating point; its ``number`` decides about colour, dashes and mark."""
    colour, dash = LINES[number % len(LINES)], DASHES[number % len(DASHES)]
    mark = MARKERS[number % len(MARKERS)] if curve.operating_point else ""
    axes.plot(100 * curve.false_alarms, 100 * curve.caught, color=colour, linestyle=dash, linewidth=1.6)
    # An empty line for the legend, which shows line and mark together.
    axes.plot([], [], color=colour, linestyle=dash, marker=mark, markeredgecolor=INK, label=curve.name)
    if curve.operating_point is None:
        return
    x, y = (100 * rate for rate in curve.operating_point)
    if x <= axes.get_xlim()[1] and y >= axes.get_ylim()[0]:
        # Not clipped, because a mark on the edge of the picture would be cut in half.
        axes.plot(x, y, mark, color=colour, markeredgecolor=INK, markersize=8, clip_on=False, zorder=3)


def _reaching(scores: NDArray[np.float64], thresholds: NDArray[np.float64]) -> NDArray[np.float64]:
    """The share, 0-1, of ``scores`` (N,) that reach each threshold, (T,)."""
    below = np.searchsorted(np.sort(scores), thresholds, side="left")
    return 1 - below / len(scores)


def _limits(values: Sequence[NDArray[np.float64]], *, logarithmic: bool) -> tuple[float, float]:
    """From the lowest number to the highest, with a margin."""
    together = np.concatenate(values)
    low, high = float(together.min()), float(together.max())
    if logarithmic:
        return low / 1.1, high * 1.1
    margin = 0.03 * (high - low) or 0.05 * abs(high) or 0.5
    return low - margin, high + margin


def _spans(*values: NDArray[np.float64]) -> bool:
    """Whether a few numbers, such as losses, differ so much that a logarithmic axis shows more."""
    together = np.concatenate(values)
    return bool(len(together) and together.min() > 0 and together.max() > 5 * together.min())


def _threshold_line(axes: Axes, threshold: float) -> None:
    axes.axvline(threshold, color=INK, linestyle="-.", linewidth=1.4, label=f"threshold {threshold:.6g}")


def _legend(axes: Axes) -> None:
    """The legend below the picture, where it hides nothing."""
    axes.figure.legend(loc="outside lower center", ncols=2, fontsize=8)
