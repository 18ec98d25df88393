"""What a network could not restore of a picture, as features of its cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from plugins.pictures.cells import Neighbours, padded, pool, pool_neighbours

if TYPE_CHECKING:
    from monitor.api import Floats

RESIDUAL_FEATURES: Final = 5

# In squared intensity: well below what the rounding to 256 levels leaves in an even surface.
ENERGY_FLOOR: Final = np.float32(1e-6)


def residual_features(view: Floats, reconstruction: Floats, cell: int) -> Floats:
    """Features of what a network could not restore, float32 (N, C, 5); both pictures float32 (N, H, W, 3), 0-1.

    With e = view - reconstruction, for each cell: ``log(mean e^2)``; ``log(mean |grad L|^2)`` of the view's
    brightness L, because more texture leaves more error; and the mean of e's brightness ``(r + g + b) / 3`` and
    opponent colours ``r - g``, ``b - (r + g) / 2``, which keep the sign that the square loses. A smooth surface has
    too little error for its place, a strange colour has an error in one direction; the distance from the usual is
    two-sided and sees both.
    """
    # Colour by colour, because numpy is fast with long rows of numbers.
    error = np.ascontiguousarray(np.moveaxis(view, 3, 0))
    brightness = error[0] + error[1]
    brightness += error[2]
    error = error - np.moveaxis(reconstruction, 3, 0)
    red, green, blue = pool(error, cell)
    error *= error
    error[0] += error[1]
    error[0] += error[2]
    down, across = Neighbours(padded(brightness)).squared_slopes()
    down += across
    features = np.empty((RESIDUAL_FEATURES, *red.shape), dtype=np.float32)
    np.divide(pool(error[0], cell), 3, out=features[0])
    # The slopes are those of three times L over two pixels.
    np.divide(pool_neighbours(down, cell), 36, out=features[1])
    features[:2] += ENERGY_FLOOR
    np.log(features[:2], out=features[:2])
    np.divide(red + green + blue, 3, out=features[2])
    np.subtract(red, green, out=features[3])
    np.subtract(blue, (red + green) / 2, out=features[4])
    return features.transpose(1, 2, 0)
