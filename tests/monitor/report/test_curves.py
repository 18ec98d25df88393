from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from monitor.api import EpochReport
from monitor.formulas.rates import evaluate, roc_auc
from monitor.report import curves, style
from monitor.report.curves import Group, Sample

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from numpy.typing import NDArray

pytestmark = pytest.mark.process

GENERATOR = np.random.default_rng(0)
NORMAL = GENERATOR.lognormal(-7, 0.5, 400)
PROLIV = GENERATOR.lognormal(-5.8, 0.6, 60)
THRESHOLD = 0.0018


def labels(figure: Figure) -> set[str]:
    return {text.get_text() for legend in figure.legends for text in legend.get_texts()}


def points(line: Line2D) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in np.stack([np.asarray(line.get_xdata()), np.asarray(line.get_ydata())]).T]


def threshold_lines(axes: Axes) -> list[float]:
    return [points(line)[0][0] for line in axes.lines if len({x for x, _ in points(line)}) == 1]


def test_the_roc_curve_by_hand() -> None:
    normal, proliv = np.array([1.0, 2.0, 3.0, 4.0]), np.array([3.0, 5.0])
    curve = curves.roc_curve("a", normal, proliv, threshold=3.0)
    assert curve.false_alarms.tolist() == [0, 0, 0.25, 0.5, 0.75, 1]
    assert curve.caught.tolist() == [0, 0.5, 0.5, 1, 1, 1]
    # A score equal to the threshold is proliv.
    assert curve.operating_point == (0.5, 1.0)


def test_the_area_under_the_curve_is_the_evaluations() -> None:
    normal, proliv = np.round(NORMAL, 4), np.round(PROLIV, 4)  # with ties
    curve = curves.roc_curve("a", normal, proliv)
    assert np.trapezoid(curve.caught, curve.false_alarms) == pytest.approx(roc_auc(normal, proliv))
    assert curve.operating_point is None


def test_the_rates_at_the_threshold_are_the_evaluations() -> None:
    figure = curves.rates([Sample("test", NORMAL, PROLIV, measured=True)], THRESHOLD, "mse, squared intensity")
    (axes,) = figure.axes
    tpr, tnr = (line for line in axes.lines if len(np.asarray(line.get_xdata())) > 2)
    expected = evaluate(np.concatenate([NORMAL, PROLIV]), np.arange(460) >= 400, THRESHOLD)
    for line, rate in ((tpr, expected.tpr), (tnr, expected.tnr)):
        assert rate is not None
        drawn = np.interp(THRESHOLD, np.asarray(line.get_xdata()), np.asarray(line.get_ydata()))
        assert drawn == pytest.approx(100 * rate, abs=1.0)
    assert threshold_lines(axes) == [THRESHOLD]
    assert labels(figure) == {"TPR, test", "TNR, test", "threshold 0.0018"}
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("threshold for mse, squared intensity", "share of the crops, %")


@pytest.mark.parametrize(
    ("normal", "proliv", "scale"),
    [
        (NORMAL, PROLIV, "log"),
        (np.log(NORMAL), np.log(PROLIV), "linear"),  # negative
        (np.append(NORMAL, 0.0), PROLIV, "linear"),  # an axis of logarithms has no zero
        (np.linspace(1, 2, 50), np.linspace(1.5, 2.5, 9), "linear"),  # close together
        (np.ones(5), np.ones(1), "linear"),  # all the same
        (np.zeros(3), np.zeros(2), "linear"),
        (np.array([1e-9]), np.array([1e9]), "log"),
        (np.ones(1), np.empty(0), "linear"),
    ],
)
def test_scores_of_every_kind_are_drawn(normal: NDArray[np.float64], proliv: NDArray[np.float64], scale: str) -> None:
    threshold = float(np.median(normal))
    pictures = (
        curves.histogram([Group("a", False, normal), Group("b", True, proliv, measured=True)], threshold, "score"),
        curves.rates([Sample("a", normal, proliv)], threshold, "score"),
    )
    for figure in pictures:
        (axes,) = figure.axes
        assert axes.get_xscale() == scale
        low, high = axes.get_xlim()
        assert low < threshold < high
        assert threshold_lines(axes) == [threshold]
        assert style.as_png(figure).startswith(b"\x89PNG")


def test_the_shares_of_a_group_add_up_and_its_number_is_told() -> None:
    groups = [Group("train, held out", False, NORMAL), Group("test, proliv", True, PROLIV, measured=True)]
    figure = curves.histogram(groups, THRESHOLD, "mse, squared intensity")
    (axes,) = figure.axes
    for patch in axes.patches:
        assert patch.get_data().values.sum() == pytest.approx(100)  # type: ignore[attr-defined]
    assert labels(figure) == {"train, held out: 400", "test, proliv: 60", "threshold 0.0018"}
    without = curves.histogram(groups, None, "mse, squared intensity")
    assert threshold_lines(without.axes[0]) == []


def test_the_kept_epoch_is_marked() -> None:
    epochs = [EpochReport(number, 9, 1 / number, 1 / number + 0.1 * abs(number - 4)) for number in range(1, 10)]
    figure = curves.losses(epochs, 4)
    (axes,) = figure.axes
    assert labels(figure) == {"training crops", "held-out crops", "kept: epoch 4"}
    (star,) = (line for line in axes.lines if line.get_marker() == "*")
    assert points(star) == [(4.0, 0.25)]
    assert "epoch" in axes.get_xlabel()
    assert "unit" in axes.get_ylabel()


@pytest.mark.parametrize("losses", [[1.0], [0.0, 0.0], [-1.0, -2.0], [1.0, 1e-6], [5.0, 5.0]])
def test_losses_of_every_kind_are_drawn(losses: list[float]) -> None:
    epochs = [EpochReport(number, len(losses), loss, loss) for number, loss in enumerate(losses, 1)]
    assert style.as_svg(curves.losses(epochs, 1)).startswith(b"<?xml")


def test_the_confusion_matrix_tells_the_four_counts() -> None:
    figure = curves.confusion(tp=60, fn=4, fp=80, tn=1752)
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts == ["60\ncaught\n93.8 %", "4\nmissed\n6.2 %", "80\nfalse alarms\n4.4 %", "1,752\npassed\n95.6 %"]
    assert style.as_png(curves.confusion(tp=0, fn=0, fp=0, tn=3))


@pytest.mark.parametrize(
    ("points", "side"),
    [([(0.01, 0.99)], 5), ([(0.05, 0.95)], 5), ([(0.01, 0.94)], 10), ([(0.2, 1.0)], 20), ([(0.6, 0.5), (0, 1)], 20)],
)
def test_the_enlarged_corner_is_as_small_as_the_marks_allow(points: list[tuple[float, float]], side: int) -> None:
    nothing = np.empty(0)
    figure = curves.roc([curves.RocCurve("a", nothing, nothing, point) for point in points])
    assert figure.axes[1].get_xlim() == (0, side)
    assert figure.axes[1].get_ylim() == (100 - side, 100)


def test_many_curves_differ_in_more_than_colour() -> None:
    drawn = [curves.roc_curve(f"model {number}", NORMAL, PROLIV * number, THRESHOLD) for number in range(1, 9)]
    point = curves.RocCurve("point", np.empty(0), np.empty(0), (0.01, 0.99))
    figure = curves.roc([*drawn, point])
    whole, corner = figure.axes
    looks = {
        (line.get_color(), line.get_linestyle(), line.get_marker())
        for line in whole.lines
        if line.get_label() in labels(figure)
    }
    assert len(looks) == 9
    assert labels(figure) == {*(f"model {number}" for number in range(1, 9)), "point"}
    # In the enlarged corner there is no mark that lies outside of it.
    marks = [point for line in corner.lines if line.get_marker() not in ("None", "") for point in points(line)]
    assert (1.0, 99.0) in marks
    assert all(x <= corner.get_xlim()[1] and y >= corner.get_ylim()[0] for x, y in marks)
    assert style.as_svg(figure)
