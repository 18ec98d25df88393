"""Every kind of made-up picture of the mixture by itself, so that people can see what is taught."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import torch

from plugins.pictures.images import as_pixels, as_tensor
from plugins.pictures.made_up.chaos import lumpy, transplanted
from plugins.pictures.made_up.drawing import Draw
from plugins.pictures.made_up.empty_holes import emptied
from plugins.pictures.made_up.light import lit
from plugins.pictures.made_up.mixture import CHAOS, EMPTY, HIDDEN, NORMAL, OBJECT_AS_WELL
from plugins.pictures.made_up.objects import partly_hidden, with_objects
from plugins.pictures.made_up.photometry import photographed
from plugins.pictures.made_up.placing import PROLIV_SCALE, placed
from plugins.pictures.made_up.remixes import remixed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from monitor.api import Pixels


class Kind(NamedTuple):
    """A kind of picture, with a name and a sentence for people.

    ``taught_as``: a place in `plugins.pictures.made_up.mixture.CLASSES`. ``make``: of normal crops and as many proliv,
    each placed, float32 (N, 3, H, W), 0-1; where no proliv is known, the proliv are none.
    """

    name: str
    sentence: str
    taught_as: int
    make: Callable[[Draw, Tensor, Tensor], Tensor]


def _scenes(change: Callable[[Draw, Tensor], Tensor]) -> Callable[[Draw, Tensor, Tensor], Tensor]:
    """Changed scenes, some of which have an object as well."""

    def make(draw: Draw, pictures: Tensor, _proliv: Tensor) -> Tensor:
        changed = change(draw, pictures)
        return torch.where(draw.happens(len(changed), OBJECT_AS_WELL), with_objects(draw, changed), changed)

    return make


NORMAL_KINDS: Final = (
    Kind(
        "crops as they are",
        "Normal crops, only seen from a little elsewhere and in a little other light, as all pictures here are.",
        NORMAL,
        lambda _draw, pictures, _proliv: pictures,
    ),
    Kind(
        "objects",
        "Normal crops with something before them: a tool, a bar across or upright, a pipe, something round, a dark "
        "border.",
        NORMAL,
        lambda draw, pictures, _proliv: with_objects(draw, pictures),
    ),
    Kind(
        "other scenes",
        "Scenes that were not there: two crops side by side, then more or less texture, then a double exposure. "
        f"{100 * OBJECT_AS_WELL:.0f} % have an object as well.",
        NORMAL,
        _scenes(remixed),
    ),
    Kind(
        "other light",
        f"Steam, then glare, then a shadow, then overexposure. {100 * OBJECT_AS_WELL:.0f} % have an object as well.",
        NORMAL,
        _scenes(lit),
    ),
)
# An object hides a part of some.
PARTLY: Final = f"{100 * HIDDEN:.0f} % are partly hidden by an object."
CHAOS_KINDS: Final = (
    Kind(
        "known proliv",
        f"Proliv that is known, seen from elsewhere and in other light. {PARTLY}",
        CHAOS,
        lambda _draw, _pictures, proliv: proliv,
    ),
    Kind(
        "chaos in other holes",
        "Normal crops with chaos in the middle: the fine detail of a proliv, then a part of one, then lumps and glints "
        f"out of nothing. {PARTLY}",
        CHAOS,
        transplanted,
    ),
)
CHAOS_OUT_OF_NOTHING: Final = Kind(
    "chaos out of nothing",
    f"Normal crops with coloured lumps and glints in the middle, because no proliv was known. {PARTLY}",
    CHAOS,
    lambda draw, pictures, _proliv: lumpy(draw, pictures),
)
EMPTY_KIND: Final = Kind(
    "empty holes",
    "Normal crops with a smooth ellipse inside the rim, of an even and bluer colour or the crop's own inside blurred: "
    f"what is left when the billet has dropped out. {PARTLY}",
    EMPTY,
    lambda draw, pictures, _proliv: emptied(draw, pictures),
)


def kinds(*, proliv: bool) -> Sequence[Kind]:
    """The kinds that are made where ``proliv`` is known, or where none is."""
    return (*NORMAL_KINDS, *(CHAOS_KINDS if proliv else (CHAOS_OUT_OF_NOTHING,)), EMPTY_KIND)


def of_kind(kind: Kind, normal: Pixels, proliv: Pixels, seed: int) -> Pixels:
    """One picture of each normal crop, uint8 (N, H, W, 3), as the mixture makes them.

    ``proliv``: uint8 (P, H, W, 3), drawn from at random; needed for `CHAOS_KINDS` alone.
    """
    draw = Draw(seed)
    pictures, known = as_tensor(torch.tensor(normal)), as_tensor(torch.tensor(proliv))
    if len(known):
        known = placed(draw, known[draw.choices(len(known), len(pictures))], scale=PROLIV_SCALE)
    made = kind.make(draw, placed(draw, pictures), known)
    if kind.taught_as != NORMAL:
        made = torch.where(draw.happens(len(made), HIDDEN), partly_hidden(draw, made), made)
    return as_pixels(photographed(draw, made))
