"""Made-up pictures of each kind, that a detector trained again is compared with the former one by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from monitor.api import MadeUp
from plugins.pictures.images import as_pixels, as_tensor
from plugins.pictures.made_up.chaos import lumpy, transplanted
from plugins.pictures.made_up.drawing import Draw
from plugins.pictures.made_up.empty_holes import emptied
from plugins.pictures.made_up.light import lit
from plugins.pictures.made_up.objects import with_objects
from plugins.pictures.made_up.remixes import remixed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from monitor.api import Pixels

# How many pictures of each kind: half a point of them is ten.
COUNT: Final = 2000
BATCH: Final = 250
# Factors of each channel, as other lamps or another white balance make them.
COLOUR: Final = (0.92, 1.08)


def checks(normal: Pixels, proliv: Pixels, seed: int) -> Sequence[MadeUp]:
    """Pictures made over normal ones, uint8 (N, H, W, 3), and of proliv, uint8 (P, H, W, 3), if there is any.

    The numbers of each kind are drawn by themselves, so that no kind depends on another one.
    """
    kinds: dict[str, tuple[Callable[[Draw, Tensor], Tensor], bool]] = {
        "objects": (with_objects, False),
        "light": (lit, False),
        "scenes": (remixed, False),
        "colours": (_coloured, False),
        "chaos": (lumpy, True),
        "empty holes": (emptied, True),
    }
    if len(proliv):
        known = torch.tensor(proliv)
        kinds["transplants"] = (lambda draw, pictures: _with_proliv(draw, pictures, known), True)
    background = torch.tensor(normal)
    return [
        MadeUp(kind, _made(background, make, seed + number), is_proliv)
        for number, (kind, (make, is_proliv)) in enumerate(kinds.items())
    ]


def _made(background: Tensor, make: Callable[[Draw, Tensor], Tensor], seed: int) -> Pixels:
    draw = Draw(seed)
    batches = [background[draw.choices(len(background), BATCH)] for _ in range(COUNT // BATCH)]
    return np.concatenate([as_pixels(make(draw, as_tensor(batch))) for batch in batches])


def _coloured(draw: Draw, pictures: Tensor) -> Tensor:
    return (pictures * draw.for_channels(len(pictures), COLOUR)).clamp(0, 1)


def _with_proliv(draw: Draw, pictures: Tensor, proliv: Tensor) -> Tensor:
    return transplanted(draw, pictures, as_tensor(proliv[draw.choices(len(proliv), len(pictures))]))
