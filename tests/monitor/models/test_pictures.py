"""What a detector sees, as pictures."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from monitor.models.pictures import as_png, coloured


def test_a_heat_map_runs_from_black_over_red_and_yellow_to_white() -> None:
    heatmap = np.array([[0.0, 1.0], [2.0, 3.0]], dtype=np.float32)
    assert coloured(heatmap).tolist() == [[[0, 0, 0], [255, 0, 0]], [[255, 255, 0], [255, 255, 255]]]


def test_a_heat_map_of_nothing_is_black() -> None:
    assert coloured(np.zeros((2, 3), dtype=np.float32)).max() == 0


def test_a_picture_is_written_with_its_own_pixels() -> None:
    picture = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    with Image.open(io.BytesIO(as_png(picture))) as image:
        assert np.asarray(image).tolist() == picture.tolist()
