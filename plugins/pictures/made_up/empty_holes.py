"""Empty holes, from which the billet has dropped out: smooth and bluish inside the rim."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch
from torch.nn.functional import avg_pool2d, interpolate

from plugins.pictures.made_up.drawing import (
    EllipseRanges,
    blended,
    coordinates,
    ellipse,
    level,
    ridge,
    size_of,
)
from plugins.pictures.made_up.photometry import TURN

if TYPE_CHECKING:
    from torch import Tensor

    from plugins.pictures.made_up.drawing import Draw

HOLE: Final = EllipseRanges(
    across=(-0.08, 0.08), down=(-0.1, 0.15), half_width=(0.55, 0.9), half_height=(0.5, 0.85), softness=(0.04, 0.22)
)
# The share whose inside is an even colour; that of the others is the crop's own inside, blurred.
EVEN: Final = 0.65
# Factors of red, green and blue, and of the brightness.
TINT: Final = ((0.80, 1.0), (0.90, 1.04), (1.0, 1.22))
BRIGHTNESS: Final = (0.70, 1.15)
# How much brighter one side of an even inside is than its middle, and how uneven it is.
GRADIENT: Final = (0.0, 0.22)
UNEVENNESS: Final = (0.0, 0.06)
UNEVENNESS_GRID: Final = (4, 6)
# A ring inside the rim: how much brighter, at which share of the radius, how wide.
RING: Final = (-0.25, 0.25)
RING_RADIUS: Final = (0.55, 0.9)
RING_WIDTH: Final = (0.06, 0.25)
# The side, in pixels, of the squares whose means make a blurred inside; how much of the tint it takes, and its
# brightness.
BLUR: Final = 8
BLURRED_TINT: Final = (0.4, 1.0)
BLURRED_BRIGHTNESS: Final = (0.8, 1.1)
# The deviation of the noise, in intensity.
NOISE: Final = (0.0, 0.006)
# The line of the rim, in units of the picture's brightness; where it is, and how wide, in shares of the radius.
RIM: Final = (-0.2, 0.35)
RIM_RADIUS: Final = 1.02
RIM_WIDTH: Final = (0.04, 0.12)


def emptied(draw: Draw, pictures: Tensor) -> Tensor:
    """Normal pictures with an empty hole in the middle: (N, 3, H, W), 0-1."""
    count, size = len(pictures), size_of(pictures)
    hole, distance = ellipse(draw, count, size, HOLE)
    tint = torch.cat([draw.evenly(count, channel) for channel in TINT], dim=1)
    brightness = draw.evenly(count, BRIGHTNESS)
    even = _even(draw, pictures, distance) * tint * brightness
    blurred = interpolate(avg_pool2d(pictures, BLUR), size=size, mode="bilinear", align_corners=False)
    blurred = blurred * (1 + (tint - 1) * draw.evenly(count, BLURRED_TINT)) * brightness.clamp(*BLURRED_BRIGHTNESS)
    inside = torch.where(draw.happens(count, EVEN), even, blurred)
    inside = inside + draw.normally(*inside.shape) * draw.evenly(count, NOISE)
    rim = draw.evenly(count, RIM) * level(pictures) * ridge(distance, RIM_RADIUS, draw.evenly(count, RIM_WIDTH))
    return (blended(pictures, inside, hole) + rim).clamp(0, 1)


def _even(draw: Draw, pictures: Tensor, distance: Tensor) -> Tensor:
    """The mean colour of each picture, with a soft gradient, a little unevenness and a ring."""
    count, size = len(pictures), size_of(pictures)
    slope = coordinates(size).along(draw.evenly(count, TURN))
    lumps = draw.lumps(count, size, grid=UNEVENNESS_GRID, mode="bicubic")
    ring = ridge(distance, draw.evenly(count, RING_RADIUS), draw.evenly(count, RING_WIDTH))
    return (
        pictures.mean(dim=(2, 3), keepdim=True)
        * (1 + draw.evenly(count, GRADIENT) * slope)
        * (1 + draw.evenly(count, UNEVENNESS) * lumps)
        * (1 + draw.evenly(count, RING) * ring)
    )
