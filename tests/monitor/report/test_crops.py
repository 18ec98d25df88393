from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from monitor.report import style
from monitor.report.crops import Caption, Seen, choose_labelled, choose_unlabelled, sheet
from tests.monitor.report.conftest import Brightness, BrightnessSettings, Mapped, Scoring

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from monitor.api import Floats, Pixels

pytestmark = pytest.mark.process


class Darkened(Brightness):
    """It reconstructs what it is given."""

    def __init__(self, restored: NDArray[np.float32]) -> None:
        super().__init__(BrightnessSettings())
        self.restored = restored

    def reconstruct(self, crops: Pixels) -> Floats:
        return self.restored


SCORES = np.arange(20, dtype=np.float64)
LABELS = np.isin(np.arange(20), [3, 6, 12, 15, 17, 19])


def chosen(threshold: float) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for one in choose_labelled(SCORES, LABELS, threshold):
        found.setdefault(one.why, []).append(one.row)
    return found


def test_the_worst_the_best_and_the_nearest_are_chosen() -> None:
    assert chosen(10.5) == {
        "worst proliv": [3, 6],  # missed
        "worst ne_proliv": [18, 16],  # false alarms
        "best proliv": [19, 17],
        "best ne_proliv": [0, 1],
        "nearest": [10, 11],
    }


@pytest.mark.parametrize("count", [0, 1, 2, 5, 9, 10, 11])
def test_no_crop_is_chosen_twice_and_none_is_left_out_that_has_room(count: int) -> None:
    rows = [one.row for one in choose_labelled(SCORES[:count], LABELS[:count], 3.5)]
    assert len(rows) == len(set(rows)) == min(count, 10)
    rows = [one.row for one in choose_unlabelled(SCORES[:count])]
    assert len(rows) == len(set(rows)) == min(count, 10)


def test_one_label_alone_fills_the_picture() -> None:
    for labels in (np.zeros(20, dtype=np.bool_), np.ones(20, dtype=np.bool_)):
        assert len(choose_labelled(SCORES, labels, 5.0)) == 10


def test_without_a_threshold_the_highest_the_lowest_and_the_middle_are_chosen() -> None:
    assert [(one.row, one.why) for one in choose_unlabelled(SCORES)] == [
        *((row, "highest") for row in (19, 18, 17, 16)),
        *((row, "lowest") for row in (0, 1, 2)),
        *((row, "middle") for row in (9, 10, 8)),
    ]


@pytest.mark.parametrize(("count", "shape"), [(1, (8, 8, 3)), (3, (48, 32, 4)), (10, (30, 50, 3))])
def test_crops_stand_above_their_reconstructions_and_errors(count: int, shape: tuple[int, int, int]) -> None:
    crops = np.random.default_rng(0).integers(0, 256, (count, *shape), dtype=np.uint8)
    restored = (crops / 255).astype(np.float32)
    restored[..., :3] = np.clip(restored[..., :3] - 0.5, 0, 1)
    seen = Seen.by(Darkened(restored), crops)
    figure = sheet(seen, [Caption((f"{number}. $x", "score 1"), True) for number in range(count)])
    grid = np.array(figure.axes[: 3 * count]).reshape(3, count)
    for column in range(count):
        above, below, error = (axes.images[0].get_array() for axes in grid[:, column])
        picture = crops[column, ..., :3] / 255
        darker = np.clip(picture - 0.5, 0, 1)
        expected = (picture, darker, np.square(picture - darker).mean(axis=-1))
        assert all(np.allclose(*pair, atol=1e-6) for pair in zip((above, below, error), expected, strict=True))
    scales = {axes.images[0].get_clim() for axes in grid[2]}
    assert len(scales) == 1
    assert figure.axes[-1].get_ylabel() == "squared\nintensity"
    assert style.as_png(figure)


def test_perfect_reconstructions_are_drawn() -> None:
    crops = np.full((2, 8, 8, 3), 51, dtype=np.uint8)
    seen = Seen(crops, (crops / 255).astype(np.float32), np.zeros((2, 8, 8), dtype=np.float32))
    assert style.as_png(sheet(seen, [Caption(("a",)), Caption(("b",), False)]))


def test_a_detector_without_a_reconstruction_shows_its_own_heat_map() -> None:
    crops = np.random.default_rng(0).integers(0, 256, (3, 9, 12, 3), dtype=np.uint8)
    seen = Seen.by(Mapped(BrightnessSettings()), crops)
    assert seen.reconstructed is None
    figure = sheet(seen, [Caption((str(number),)) for number in range(3)])
    names = [axes.get_ylabel() for axes in figure.axes]
    assert names == ["crop", "", "", "heat map", "", "", "detector's\nown unit"]
    for axes, crop in zip(figure.axes[3:6], crops, strict=True):
        shown = axes.images[0].get_array()
        assert shown is not None
        assert np.allclose(shown, crop[..., :3].max(axis=-1))


def test_a_detector_with_neither_shows_the_crops_alone() -> None:
    crops = np.zeros((2, 9, 12, 3), dtype=np.uint8)
    figure = sheet(Seen.by(Scoring(BrightnessSettings()), crops), [Caption(("a",)), Caption(("b",))])
    assert [axes.get_ylabel() for axes in figure.axes] == ["crop", ""]
