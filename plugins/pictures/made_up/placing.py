"""Moves, turns, scales and mirrors pictures, as another aim of the camera does."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import torch
from torch.nn.functional import affine_grid, grid_sample

from plugins.pictures.made_up.drawing import size_of

if TYPE_CHECKING:
    from torch import Tensor

    from plugins.pictures.made_up.drawing import Draw

# In pixels, down and across.
SHIFT: Final = 3.0
# Smaller or larger by up to these shares: normal crops, and proliv, of which fewer are known.
NORMAL_SCALE: Final = 0.10
PROLIV_SCALE: Final = 0.15
# In radians.
TURN: Final = math.radians(5)


def placed(draw: Draw, pictures: Tensor, *, scale: float = NORMAL_SCALE) -> Tensor:
    """Pictures seen from elsewhere, half of them mirrored; beyond the edge the edge's pixels repeat."""
    count = len(pictures)
    height, width = size_of(pictures)
    angle = draw.evenly(count, (-TURN, TURN)).flatten()
    across = 1 + draw.evenly(count, (-scale, scale)).flatten()
    # Height and width change together but for half as much.
    down = across * (1 + draw.evenly(count, (-scale / 2, scale / 2)).flatten())
    across = across * draw.signs(count).flatten()
    shift = draw.evenly(count, (-SHIFT, SHIFT)).flatten(), draw.evenly(count, (-SHIFT, SHIFT)).flatten()
    # The sampling grid's unit is half a side, so a turn mixes the sides in proportion to their lengths.
    rows = (
        (across * angle.cos(), -down * angle.sin() * height / width, shift[0] * 2 / width),
        (across * angle.sin() * width / height, down * angle.cos(), shift[1] * 2 / height),
    )
    matrix = torch.stack([torch.stack(row, dim=1) for row in rows], dim=1)
    grid = affine_grid(matrix, list(pictures.shape), align_corners=False)
    return grid_sample(pictures, grid, mode="bilinear", padding_mode="border", align_corners=False)
