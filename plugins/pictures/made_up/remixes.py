"""Scenes that were not there: parts of two normal pictures, or the texture of one made stronger or weaker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch

from plugins.pictures.images import blur, gaussian
from plugins.pictures.made_up.drawing import blended, coordinates, level, parts, size_of
from plugins.pictures.made_up.photometry import LEAST_LEVEL, TURN

if TYPE_CHECKING:
    from torch import Tensor

    from plugins.pictures.made_up.drawing import Draw

# Of two pictures side by side, changed texture and double exposure.
SHARES: Final = (1.0, 1.0, 1.0)

SEAM: Final = (-0.5, 0.5)
SEAM_SOFTNESS: Final = (0.08, 0.5)
# Texture is what a blur of this deviation, in pixels, takes away; by so much more of it is added.
TEXTURE: Final = 1.6
TEXTURE_GAIN: Final = (-0.5, 1.3)


def remixed(draw: Draw, pictures: Tensor) -> Tensor:
    """Normal pictures that are mixed with others of the batch, or with themselves: (N, 3, H, W), 0-1."""
    others = pictures[draw.order(len(pictures))]
    others = others * level(pictures) / level(others).clamp(min=LEAST_LEVEL)
    beside, texture, double = parts(len(pictures), SHARES)
    changed = (
        _side_by_side(draw, pictures[beside], others[beside]),
        _textured(draw, pictures[texture]),
        (pictures[double] + others[double]) / 2,
    )
    return torch.cat(changed).clamp(0, 1)


def _side_by_side(draw: Draw, pictures: Tensor, others: Tensor) -> Tensor:
    count = len(pictures)
    side = coordinates(size_of(pictures)).along(draw.evenly(count, TURN))
    return blended(
        pictures, others, torch.sigmoid((side - draw.evenly(count, SEAM)) / draw.evenly(count, SEAM_SOFTNESS))
    )


def _textured(draw: Draw, pictures: Tensor) -> Tensor:
    texture = (pictures - blur(pictures, gaussian(TEXTURE))).mean(dim=1, keepdim=True)
    return pictures + texture * draw.evenly(len(pictures), TEXTURE_GAIN)
