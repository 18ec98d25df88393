from __future__ import annotations

import weakref
from typing import TYPE_CHECKING

import numpy as np
import pytest

from monitor.api import CropRefusedError, Scores
from monitor.models.calls import SCORED_AT_ONCE, score_all, score_each, score_together
from tests.support.brightness_detector import Brightness, BrightnessSettings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from monitor.api import Measurement, Pixels


class Failing(Brightness):
    """It refuses crops of one grey, and fails on a batch with a red pixel in it."""

    def __init__(self) -> None:
        super().__init__(BrightnessSettings())
        self.mean = np.float32(0.5)
        self.batches: list[int] = []

    def score(self, crops: Pixels) -> Scores:
        self.batches.append(len(crops))
        if (crops[..., 0] == 255).any():
            raise ZeroDivisionError("red\x1b " * 500)
        return super().score(crops)


def noise(count: int) -> list[NDArray[np.uint8]]:
    return list(np.random.default_rng(0).integers(0, 200, (count, 9, 14, 3), dtype=np.uint8))


def holes(pixels: list[NDArray[np.uint8]]) -> list[int | None]:
    return [None] * len(pixels)


def test_only_the_crops_that_cause_a_failure_are_refused(caplog: pytest.LogCaptureFixture) -> None:
    pixels = noise(6)
    pixels[1] = np.full((9, 14, 3), 7, dtype=np.uint8)
    pixels[4] = np.full((9, 14, 3), [255, 0, 9], dtype=np.uint8)
    pixels[4][0, 0] = 0
    answers = score_each(Failing(), pixels, holes(pixels))
    assert sorted(answers.refusals) == [1, 4]
    assert (answers.refusals[1].reason, answers.refusals[4].reason) == ("detector_refused", "detector_error")
    assert str(answers.refusals[1]) == "the detector brightness refuses it: it shows nothing"
    assert str(answers.refusals[4]).startswith("the detector brightness failed: ZeroDivisionError: red")
    assert "\x1b" not in str(answers.refusals[4])
    assert len(str(answers.refusals[4])) < 600
    assert np.isnan(answers.mse).nonzero()[0].tolist() == np.isnan(answers.deciding).nonzero()[0].tolist() == [1, 4]
    alone = score_each(Failing(), pixels[:1], [None])
    assert (answers.mse[0], answers.deciding[0]) == (alone.mse[0], alone.deciding[0])
    assert answers.mse.dtype == answers.deciding.dtype == np.float64
    assert [record.levelname for record in caplog.records] == ["WARNING"]


class Hungry(Brightness):
    """It has memory for a few crops at once, and none for a red one."""

    def __init__(self, error: Exception) -> None:
        super().__init__(BrightnessSettings())
        self.mean = np.float32(0.5)
        self.error = error
        self.taken: list[weakref.ref[Pixels]] = []

    def score(self, crops: Pixels) -> Scores:
        self.taken.append(weakref.ref(crops))
        if len(crops) > 2 or (crops == [255, 0, 0]).all():
            raise type(self.error)(*self.error.args)
        # What the attempt before had in memory is gone.
        assert self.taken[0]() is None or len(self.taken) == 1
        return super().score(crops)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("Unable to allocate 9 GiB"),
        RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:121] . DefaultCPUAllocator: can't allocate memory: you tried"),
        RuntimeError("Failed to allocate memory for requested buffer of size 4096"),
        OSError(12, "Cannot allocate memory"),
    ],
    ids=lambda error: str(error)[:20],
)
def test_a_lack_of_memory_is_no_failure_of_the_detector(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    pixels = noise(6)
    pixels[3] = np.full((9, 14, 3), [255, 0, 0], dtype=np.uint8)
    answers = score_each(Hungry(error), pixels, holes(pixels))
    assert list(answers.refusals) == [3]
    assert (answers.refusals[3].reason, answers.refusals[3].transient) == ("out_of_memory", True)
    assert np.isnan(answers.deciding).nonzero()[0].tolist() == [3]
    assert not caplog.records


def test_scores_that_break_the_contract_are_a_failure_of_the_detector() -> None:
    class Short(Failing):
        def score(self, crops: Pixels) -> Scores:
            return Scores(np.zeros(len(crops) + 1, dtype=np.float32))

    answers = score_each(Short(), noise(2), [None, None])
    assert {refusal.reason for refusal in answers.refusals.values()} == {"detector_error"}
    assert all("must be float32 of shape (1,)" in str(refusal) for refusal in answers.refusals.values())


def test_no_crops_have_no_answers() -> None:
    for score in (score_each, score_all):
        answers = score(Failing(), [], [])
        assert (answers.mse.shape, answers.deciding.shape, answers.refusals) == ((0,), (0,), {})


def test_many_crops_are_scored_in_batches_and_each_refusal_is_told(caplog: pytest.LogCaptureFixture) -> None:
    pixels = noise(SCORED_AT_ONCE + 3)
    pixels[-1] = np.full((9, 14, 3), 7, dtype=np.uint8)
    detector = Failing()
    answers = score_all(detector, pixels, holes(pixels))
    assert detector.batches == [SCORED_AT_ONCE, 1, 1]
    last = len(pixels) - 1
    assert list(answers.refusals) == [last]
    assert isinstance(answers.refusals[last], CropRefusedError)
    assert np.isfinite(answers.deciding[:last]).all()
    sentence = f"crop {last + 1} of {last + 1} is left out: the detector brightness refuses it: it shows nothing"
    assert caplog.messages == [sentence]


class Width:
    """Measures so many columns, and counts how often it does."""

    def __init__(self, columns: int) -> None:
        self.columns = columns
        self.times = 0

    def covers(self, other: Measurement) -> bool:
        return isinstance(other, Width) and self.columns >= other.columns

    def measure(self, crops: Pixels) -> Pixels:
        self.times += 1
        return crops[:, :, : self.columns]


class Measuring(Failing):
    """It looks at the first columns alone."""

    def __init__(self, columns: int) -> None:
        super().__init__()
        self.width = Width(columns)

    def measurement(self) -> Width:
        return self.width

    def score_measured(self, measured: Pixels) -> Scores:
        return super().score(measured[:, :, : self.width.columns])

    def score(self, crops: Pixels) -> Scores:
        return self.score_measured(crops)


def test_what_several_detectors_measure_is_measured_once_by_the_one_that_covers_the_others() -> None:
    pixels = noise(5)
    detectors = [Measuring(3), Failing(), Measuring(7), Measuring(2)]
    together = score_together(detectors, pixels, holes(pixels))
    assert [one.width.times for one in detectors if isinstance(one, Measuring)] == [0, 1, 0]
    for detector, answers in zip(detectors, together, strict=True):
        alone = score_each(detector, pixels, holes(pixels))
        np.testing.assert_array_equal(answers.deciding, alone.deciding)
        np.testing.assert_array_equal(answers.mse, alone.mse)


def test_a_detector_that_shares_with_nobody_scores_the_crops_itself() -> None:
    alone = Measuring(3)
    (answers,) = score_together([alone], noise(4), [None] * 4)
    assert alone.width.times == 0
    assert not answers.refusals
    assert [len(one.deciding) for one in score_together([alone, Measuring(3)], [], [])] == [0, 0]


def test_a_crop_that_cannot_be_measured_or_judged_is_refused_alone() -> None:
    pixels = noise(6)
    pixels[2] = np.zeros((3, 3, 3), dtype=np.uint8)
    pixels[4] = np.full((9, 14, 3), [255, 0, 9], dtype=np.uint8)
    for answers in score_together([Measuring(3), Measuring(7)], pixels, holes(pixels)):
        assert {row: one.reason for row, one in answers.refusals.items()} == {
            2: "detector_refused", 4: "detector_error",
        }  # fmt: skip


class Unmeasurable(Failing):
    """Its author made a mistake in what is shared, and none in scoring."""

    def __init__(self, answer: Measurement | None) -> None:
        super().__init__()
        self.answer = answer

    def measurement(self) -> Measurement:
        if self.answer is None:
            raise ZeroDivisionError
        return self.answer


class Covering(Width):
    """It covers nothing, not even itself, or fails."""

    def covers(self, other: Measurement) -> bool:
        if self.columns:
            raise ZeroDivisionError
        return False


def test_a_mistake_in_what_is_shared_keeps_nobody_from_scoring() -> None:
    pixels = noise(4)
    detectors = [Unmeasurable(None), Unmeasurable(Covering(0)), Unmeasurable(Covering(1)), Measuring(3)]
    for answers in score_together(detectors, pixels, holes(pixels)):
        assert not answers.refusals
        assert not np.isnan(answers.deciding).any()
