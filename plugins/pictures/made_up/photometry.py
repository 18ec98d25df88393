"""What lamps, lenses and sensors do to a picture of anything: level, white balance, gradient, curve, blur, noise."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from plugins.pictures.images import blur, gaussian
from plugins.pictures.made_up.drawing import coordinates, level, size_of

if TYPE_CHECKING:
    from torch import Tensor

    from plugins.pictures.made_up.drawing import Draw, Range

TURN: Final = (0.0, 2 * math.pi)

# Factors.
LEVEL: Final = (0.65, 1.5)
WHITE_BALANCE: Final = (0.88, 1.12)
# How much brighter one side is than the middle, as a share.
GRADIENT: Final = (0.0, 0.2)
# Below 0 flattens the contrast, above 0 raises it; bright tones less than dark ones.
CONTRAST: Final = (-0.2, 0.2)
LEAST_LEVEL: Final = 0.05
# The shares of the pictures that are blurred, with the deviation in pixels.
BLURS: Final = ((0.25, 0.6), (0.10, 1.0))
# The share of the pictures with noise, and its deviation in intensity.
NOISY: Final = 0.5
NOISE: Final[Range] = (0.0, 0.012)


def photographed(draw: Draw, pictures: Tensor) -> Tensor:
    """Pictures under other conditions: (N, 3, H, W), 0-1."""
    count = len(pictures)
    lit = pictures * draw.evenly(count, LEVEL) * draw.for_channels(count, WHITE_BALANCE)
    slope = coordinates(size_of(pictures)).along(draw.evenly(count, TURN))
    lit = lit * (1 + draw.evenly(count, GRADIENT) * slope)
    usual = level(lit).clamp(min=LEAST_LEVEL)
    contrast = lit / usual - 1
    lit = usual * (1 + contrast * (1 + draw.evenly(count, CONTRAST) * (1 - contrast)))
    order, start = draw.order(count), 0
    for share, deviation in BLURS:
        chosen = order[start : start + int(count * share)]
        lit[chosen] = blur(lit[chosen], gaussian(deviation))
        start += len(chosen)
    noise = draw.normally(*lit.shape) * draw.evenly(count, NOISE)
    return (lit + noise * draw.happens(count, NOISY)).clamp(0, 1)
