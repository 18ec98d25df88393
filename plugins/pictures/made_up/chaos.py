"""Metal that has broken out: chaotic, coloured texture in the middle of the hole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch

from plugins.pictures.images import blur, gaussian
from plugins.pictures.made_up.drawing import EllipseRanges, blended, ellipse, level, parts, size_of
from plugins.pictures.made_up.photometry import LEAST_LEVEL

if TYPE_CHECKING:
    from torch import Tensor

    from plugins.pictures.made_up.drawing import Draw

PLACE: Final = EllipseRanges(
    across=(-0.15, 0.15), down=(-0.15, 0.25), half_width=(0.4, 0.9), half_height=(0.45, 1.0), softness=(0.08, 0.5)
)
# Of a proliv's detail, of the proliv itself, and of lumps.
TRANSPLANTS: Final = (0.4, 0.4, 0.2)

# Deviations, in pixels, of the blurs that leave the hole without its own detail and the proliv without its light.
SMOOTHED: Final = 1.5
DETAIL: Final = 2.5
# Factors: the brightness of the smoothed hole, the strength of the detail and, as a deviation, how its colours vary.
DETAIL_BRIGHTNESS: Final = (0.9, 1.3)
DETAIL_STRENGTH: Final = (0.8, 1.8)
DETAIL_COLOUR: Final = 0.25
PASTED_BRIGHTNESS: Final = (0.8, 1.25)

# Lumps and glints of 1.5 to 4 pixels: the grids of the noise, how many channels it has, and its weight.
LUMPS: Final = (((12, 18), 1, 1.0), ((20, 30), 1, 0.6), ((14, 20), 3, 0.35))
LUMPS_BRIGHTNESS: Final = (0.9, 1.2)
# In units of the picture's brightness. The exponential makes few bright glints of noise that is even to both sides.
LUMPS_STRENGTH: Final = (0.12, 0.35)
LUMPS_EXPONENT: Final = 0.8
LUMPS_LIMITS: Final = (-2.0, 2.2)
LUMPS_MIDDLE: Final = 1.2


def transplanted(draw: Draw, pictures: Tensor, proliv: Tensor) -> Tensor:
    """Normal pictures with chaos in the middle, most of it taken from as many proliv: (N, 3, H, W), 0-1."""
    proliv = proliv * level(pictures) / level(proliv).clamp(min=LEAST_LEVEL)
    detail, pasted, made = parts(len(pictures), TRANSPLANTS)
    inside = (
        _detail(draw, pictures[detail], proliv[detail]),
        proliv[pasted] * draw.evenly(len(proliv[pasted]), PASTED_BRIGHTNESS),
        _lumps(draw, pictures[made]),
    )
    return _in_the_middle(draw, pictures, torch.cat(inside))


def lumpy(draw: Draw, pictures: Tensor) -> Tensor:
    """Normal pictures with chaos out of nothing in the middle: (N, 3, H, W), 0-1."""
    return _in_the_middle(draw, pictures, _lumps(draw, pictures))


def _in_the_middle(draw: Draw, pictures: Tensor, inside: Tensor) -> Tensor:
    place = ellipse(draw, len(pictures), size_of(pictures), PLACE).mask
    return blended(pictures, inside, place).clamp(0, 1)


def _detail(draw: Draw, pictures: Tensor, proliv: Tensor) -> Tensor:
    """The light of the hole with the detail of the proliv."""
    count = len(pictures)
    detail = proliv - blur(proliv, gaussian(DETAIL))
    colour = 1 + DETAIL_COLOUR * draw.normally(count, 3, 1, 1)
    return (
        blur(pictures, gaussian(SMOOTHED)) * draw.evenly(count, DETAIL_BRIGHTNESS)
        + detail * draw.evenly(count, DETAIL_STRENGTH) * colour
    )


def _lumps(draw: Draw, pictures: Tensor) -> Tensor:
    """The light of the hole with coloured lumps and glints."""
    count, size = len(pictures), size_of(pictures)
    noise = sum(
        (weight * draw.lumps(count, size, grid=grid, channels=channels) for grid, channels, weight in LUMPS),
        start=torch.zeros(1),
    )
    glints = torch.exp(LUMPS_EXPONENT * noise.clamp(*LUMPS_LIMITS)) - LUMPS_MIDDLE
    return (
        blur(pictures, gaussian(SMOOTHED)) * draw.evenly(count, LUMPS_BRIGHTNESS)
        + level(pictures) * draw.evenly(count, LUMPS_STRENGTH) * glints
    )
