from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from generators.avatars.mosaic_parts import find_parts
from generators.avatars.sheet import Sheet

if TYPE_CHECKING:
    from tests.generators.avatars.conftest import Pixels


def test_pixels_that_change_together_are_one_part() -> None:
    """Two places apart from each other share a part, because every source gives them one colour."""
    sources = np.zeros((6, 24, 24, 3), dtype=np.uint8)
    shades = np.array([10, 60, 110, 160, 210, 250], dtype=np.uint8)
    sources[:, 4:10, 2:10] = shades[:, None, None, None]
    sources[:, 4:10, 14:22] = shades[:, None, None, None]
    sources[:, 16:22, 4:20] = shades[[3, 0, 5, 1, 4, 2], None, None, None]
    parts = find_parts(sources, 3)
    assert parts[7, 5] == parts[7, 18]
    assert len({parts[7, 5], parts[19, 12], parts[12, 12]}) == 3


def discs(*, opaque: bool) -> Pixels:
    """Six discs of their own colours with soft edges, on white or on nothing, 120 x 120, with a speck on the ground."""
    images = []
    for shade in (10, 60, 110, 160, 210, 250):
        sheet = Sheet((120, 120), (120, 120), 4)
        sheet.ellipse((60, 60), 40, (shade, 255 - shade, shade // 2))
        sheet.box((5, 5), (7, 7), 0, (shade, 255 - shade, shade // 2))
        image = sheet.finished()
        ground = Image.new("RGBA", image.size, "white" if opaque else (0, 0, 0, 0))
        ground.alpha_composite(image)
        images.append(np.asarray(ground))
    return np.stack(images)


@pytest.mark.parametrize("opaque", [False, True])
def test_soft_edges_stay_with_what_they_belong_to_and_specks_are_no_parts(opaque: bool) -> None:
    sources = discs(opaque=opaque)
    parts = find_parts(sources, 2)
    varied = sources.std(axis=0).sum(axis=-1) > 0
    varied[:10, :10] = False
    assert len(np.unique(parts)) == 2
    assert (parts[varied] == parts[60, 60]).all()
    assert (parts[:15] == parts[0, 60]).all()
