"""How far crops are from other pictures, such as a reconstruction or a mean crop."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from monitor.api.arrays import Floats, Pixels


def squared_error_maps(crops: Pixels, pictures: Floats) -> Floats:
    """The mean over the colours of each pixel's squared error, in squared intensity: float32 (N, H, W).

    ``crops``: prepared ones, uint8 (N, H, W, 3 or more), of which the first three channels are the picture's.
    ``pictures``: float32 (N, H, W, 3 or more), 0-1, one for each crop, or one of (H, W, 3) for all of them.
    """
    import numpy as np

    errors: Floats = np.square(crops[..., :3] / np.float32(255) - pictures[..., :3]).mean(axis=-1, dtype=np.float32)
    return errors


def mean_squared_errors(crops: Pixels, pictures: Floats) -> Floats:
    """The mean of `squared_error_maps` over the pixels: float32 (N,), as `Scores.mse` takes it.

    A detector that reconstructs nothing gives its own ``mse`` by it: the error against the mean of its training crops.
    """
    import numpy as np

    errors: Floats = squared_error_maps(crops, pictures).mean(axis=(1, 2), dtype=np.float64).astype(np.float32)
    return errors
