"""Asking several models about a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from monitor.api import CropRefusedError, Scores
from monitor.crops.batch import ReadBatch
from monitor.scoring.pipeline import ask
from tests.support.batches import crop_files
from tests.support.brightness_detector import Brightness, BrightnessSettings

if TYPE_CHECKING:
    from monitor.api import Pixels

UNREADABLE = CropRefusedError("undecodable", "it is damaged")


class Particular(Brightness):
    """It raises an error on crops that are red, and scores the others."""

    def __init__(self, error: Exception) -> None:
        super().__init__(BrightnessSettings())
        self.mean = np.float32(0.5)
        self.error = error

    def score(self, crops: Pixels) -> Scores:
        if (crops == [255, 0, 0]).all(axis=(1, 2, 3)).any():
            raise type(self.error)(*self.error.args)
        return super().score(crops)


def batch() -> ReadBatch:
    """Four files: two good ones, one that cannot be read, and a red crop."""
    noise = np.random.default_rng(0).integers(0, 200, (2, 9, 14, 3), dtype=np.uint8)
    red = np.full((9, 14, 3), [255, 0, 0], dtype=np.uint8)
    return ReadBatch(crop_files(["1", "2", "3", "4"]), [noise[0], None, red, noise[1]], {1: UNREADABLE})


def test_where_one_model_lacks_memory_the_others_do_not_decide_alone() -> None:
    scored = ask(batch(), {7: Particular(ValueError("no")), 8: Particular(MemoryError())})
    assert np.isnan(scored.scores).tolist() == [[False, False], [True, True], [True, True], [False, False]]
    assert {row: refusal.reason for row, refusal in scored.refusals.items()} == {1: "undecodable", 2: "out_of_memory"}
    assert scored.declined == {}


def test_other_failures_of_one_model_leave_the_crop_to_the_others() -> None:
    scored = ask(batch(), {7: Particular(ValueError("no")), 8: Brightness.__new__(Brightness)})
    failed = {key for key, refusal in scored.declined.items() if refusal.reason == "detector_error"}
    assert failed == {(2, 0), (0, 1), (2, 1), (3, 1)} == set(scored.declined)
    assert scored.refusals == {1: UNREADABLE}
