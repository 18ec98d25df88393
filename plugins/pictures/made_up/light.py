"""Steam, glare, shadows and too much light: smooth things that are no empty hole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch

from plugins.pictures.made_up.drawing import (
    EllipseRanges,
    blended,
    coordinates,
    ellipse,
    level,
    parts,
    size_of,
)
from plugins.pictures.made_up.photometry import TURN

if TYPE_CHECKING:
    from torch import Tensor

    from plugins.pictures.made_up.drawing import Draw

# Of steam, glare, shadow and overexposure.
SHARES: Final = (1.0, 1.0, 1.0, 0.6)

STEAM_GRID: Final = (3, 4)
STEAM_CONTRAST: Final = 1.5
# Before a sigmoid: below 0 there is little steam, above 0 much.
STEAM_AMOUNT: Final = (-1.5, 1.0)
STEAM_OPACITY: Final = (0.1, 0.7)
# In units of the picture's brightness.
STEAM_BRIGHTNESS: Final = (0.9, 1.5)

GLARE: Final = EllipseRanges(
    across=(-0.8, 0.8), down=(-0.8, 0.8), half_width=(0.1, 0.5), half_height=(0.1, 0.5), softness=(0.2, 0.6)
)
# Added intensity, and how much its channels differ, as a deviation.
GLARE_INTENSITY: Final = (0.1, 0.5)
GLARE_COLOUR: Final = 0.15

SHADOW_EDGE: Final = (-0.6, 0.6)
SHADOW_SOFTNESS: Final = (0.03, 0.3)
# The share of the light that is missing.
SHADOW_DEPTH: Final = (0.2, 0.6)

OVEREXPOSURE: Final = (1.2, 2.0)


def lit(draw: Draw, pictures: Tensor) -> Tensor:
    """Normal pictures, a part of them under each kind of light: (N, 3, H, W), 0-1."""
    kinds = (_steam, _glare, _shadow, _overexposed)
    places = parts(len(pictures), SHARES)
    changed = [kind(draw, pictures[place]) for kind, place in zip(kinds, places, strict=True)]
    return torch.cat(changed).clamp(0, 1)


def _steam(draw: Draw, pictures: Tensor) -> Tensor:
    count = len(pictures)
    lumps = draw.lumps(count, size_of(pictures), grid=STEAM_GRID, mode="bicubic")
    haze = torch.sigmoid(STEAM_CONTRAST * lumps + draw.evenly(count, STEAM_AMOUNT))
    return blended(
        pictures,
        level(pictures) * draw.evenly(count, STEAM_BRIGHTNESS),
        haze * draw.evenly(count, STEAM_OPACITY),
    )


def _glare(draw: Draw, pictures: Tensor) -> Tensor:
    count = len(pictures)
    spot = ellipse(draw, count, size_of(pictures), GLARE).mask
    colour = 1 + GLARE_COLOUR * draw.normally(count, 3, 1, 1)
    return pictures + spot * draw.evenly(count, GLARE_INTENSITY) * colour


def _shadow(draw: Draw, pictures: Tensor) -> Tensor:
    count = len(pictures)
    side = coordinates(size_of(pictures)).along(draw.evenly(count, TURN))
    shadow = torch.sigmoid((side - draw.evenly(count, SHADOW_EDGE)) / draw.evenly(count, SHADOW_SOFTNESS))
    return pictures * (1 - shadow * draw.evenly(count, SHADOW_DEPTH))


def _overexposed(draw: Draw, pictures: Tensor) -> Tensor:
    return pictures * draw.evenly(len(pictures), OVEREXPOSURE)
