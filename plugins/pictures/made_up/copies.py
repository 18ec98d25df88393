"""Changed copies of pictures as they are: seen from elsewhere and under other conditions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from plugins.pictures.images import as_pixels, as_tensor
from plugins.pictures.made_up.drawing import Draw
from plugins.pictures.made_up.photometry import photographed
from plugins.pictures.made_up.placing import placed

if TYPE_CHECKING:
    from monitor.api import Floats, Pixels

# How many are made at once.
BATCH: Final = 256


def copies(pictures: Pixels, weights: Floats, count: int, seed: int, *, scale: float) -> Pixels:
    """``count`` changed copies of pictures, uint8 (N, H, W, 3): uint8 (count, H, W, 3).

    ``weights``, (N,): how often each is drawn. ``scale``: smaller or larger by up to this share.
    """
    draw, originals = Draw(seed), torch.tensor(pictures)
    chances = torch.tensor(weights, dtype=torch.float32)
    made = []
    for start in range(0, count, BATCH):
        rows = draw.weighted_choices(chances, min(BATCH, count - start))
        made.append(as_pixels(photographed(draw, placed(draw, as_tensor(originals[rows]), scale=scale))))
    return np.concatenate(made)
