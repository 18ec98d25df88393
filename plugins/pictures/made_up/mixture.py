"""The mixture of made-up pictures that a network learns from, with the class of each.

Half are normal: crops as they are, with an object, as a scene that was not there, in other light. A quarter is chaos,
a quarter empty holes. All are seen from elsewhere and under other conditions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import torch

from plugins.pictures.images import as_pixels, as_tensor
from plugins.pictures.made_up.chaos import lumpy, transplanted
from plugins.pictures.made_up.drawing import Draw, parts
from plugins.pictures.made_up.empty_holes import emptied
from plugins.pictures.made_up.light import lit
from plugins.pictures.made_up.objects import partly_hidden, with_objects
from plugins.pictures.made_up.photometry import photographed
from plugins.pictures.made_up.placing import PROLIV_SCALE, placed
from plugins.pictures.made_up.remixes import remixed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from torch import Tensor

    from monitor.api import Floats, Pixels

CLASSES: Final = ("normal", "chaos", "empty")
NORMAL, CHAOS, EMPTY = range(len(CLASSES))

# How many pictures are made at once.
BATCH: Final = 256
# Of normal pictures, chaos and empty holes.
CLASS_SHARES: Final = (0.5, 0.25, 0.25)
# Of normal pictures: as they are, with an object, remixed, in other light.
NORMAL_SHARES: Final = (0.33, 0.33, 0.17, 0.17)
# How many of the remixed ones and of those in other light have an object as well.
OBJECT_AS_WELL: Final = 0.3
# How many of the chaos are whole proliv; the others are transplanted or made.
WHOLE_PROLIV: Final = 0.5
# How many of chaos and empty holes an object hides a part of.
HIDDEN: Final = 0.2


class Material(NamedTuple):
    """What pictures are made of.

    ``normal``: uint8 (N, H, W, 3), with ``weights``, (N,), of how often each is drawn. ``proliv``: uint8 (P, H, W, 3);
    where P is 0, chaos is made out of nothing.
    """

    normal: Pixels
    weights: Floats
    proliv: Pixels


class Labelled(NamedTuple):
    """Made-up pictures, uint8 (n, H, W, 3), and the class of each, int64 (n,), a place in `CLASSES`."""

    pictures: Pixels
    classes: NDArray[np.int64]


def mixture(material: Material, count: int, seed: int) -> Iterator[Labelled]:
    """At least ``count`` pictures, a batch at a time; the same seed gives the same ones."""
    draw = Draw(seed)
    normal, proliv = torch.tensor(material.normal), torch.tensor(material.proliv)
    weights = torch.tensor(material.weights, dtype=torch.float32)

    def some_normal(number: int) -> Tensor:
        return placed(draw, as_tensor(normal[draw.weighted_choices(weights, number)]))

    def some_proliv(number: int) -> Tensor:
        return placed(draw, as_tensor(proliv[draw.choices(len(proliv), number)]), scale=PROLIV_SCALE)

    sizes = [place.stop - place.start for place in parts(BATCH, CLASS_SHARES)]
    classes = np.repeat(np.arange(len(CLASSES), dtype=np.int64), sizes)
    for _ in range(-(-count // BATCH)):
        chaos = some_normal(sizes[CHAOS])
        chaos = _chaos(draw, chaos, some_proliv(len(chaos))) if len(proliv) else lumpy(draw, chaos)
        abnormal = torch.cat([chaos, emptied(draw, some_normal(sizes[EMPTY]))])
        hidden = torch.where(draw.happens(len(abnormal), HIDDEN), partly_hidden(draw, abnormal), abnormal)
        pictures = photographed(draw, torch.cat([_normal(draw, some_normal(sizes[NORMAL])), hidden]))
        yield Labelled(as_pixels(pictures), classes)


def chaos_out_of_nothing(material: Material, count: int, seed: int) -> Pixels:
    """Chaos that no picture of a proliv was needed for, over normal crops as they are: uint8 (count, H, W, 3)."""
    draw = Draw(seed)
    rows = draw.weighted_choices(torch.tensor(material.weights, dtype=torch.float32), count)
    return as_pixels(lumpy(draw, as_tensor(torch.tensor(material.normal)[rows])))


def _normal(draw: Draw, pictures: Tensor) -> Tensor:
    """Everything that may be new without being proliv."""
    plain, objects, mixed, light = (pictures[place] for place in parts(len(pictures), NORMAL_SHARES))
    scenes = torch.cat([remixed(draw, mixed), lit(draw, light)])
    also = draw.happens(len(scenes), OBJECT_AS_WELL)
    return torch.cat([plain, with_objects(draw, objects), torch.where(also, with_objects(draw, scenes), scenes)])


def _chaos(draw: Draw, pictures: Tensor, proliv: Tensor) -> Tensor:
    """Whole proliv, and parts of proliv in other holes."""
    whole = int(len(proliv) * WHOLE_PROLIV)
    return torch.cat([proliv[:whole], transplanted(draw, pictures[whole:], proliv[whole:])])
