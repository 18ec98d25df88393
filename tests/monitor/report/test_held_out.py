from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
import pytest

from monitor.crops.in_memory import ReadCrops
from monitor.report import style
from monitor.report.held_out import view_held_out
from monitor.words import Identity
from tests.monitor.report.conftest import Brightness, BrightnessSettings, Mapped, Scoring

if TYPE_CHECKING:
    from monitor.api import Detector

pytestmark = pytest.mark.process


def held_out() -> ReadCrops:
    """Twelve crops, ever brighter; the first is black, which the detector refuses."""
    pixels = [np.full((9, 14, 3), 20 * number, dtype=np.uint8) for number in range(12)]
    return ReadCrops(pixels, [Identity(None, None, None)] * 12, [f"{number:064}" for number in range(12)])


@pytest.mark.parametrize(("detector_class", "rows"), [(Scoring, 1), (Mapped, 2), (Brightness, 3)])
def test_the_held_out_crops_are_shown_with_what_the_detector_offers(
    detector_class: type[Detector], rows: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    view = view_held_out(detector_class(BrightnessSettings()), held_out())
    np.testing.assert_allclose(view.scores, np.arange(20, 240, 20) / 255, rtol=1e-6)
    assert view.picture is not None
    # In inches: rows of crops of 8 x 12 pixels, two lines above them, and the margin.
    assert len(view.picture) == pytest.approx(style.DOTS_PER_INCH * (rows * 1.12 * 8 / 12 + 2 * 0.2 + 0.3), abs=1)
    told = "the detector brightness reconstructs no crops, so the training log shows them alone"
    assert (told in caplog.messages) == (detector_class is not Brightness)
