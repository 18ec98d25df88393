"""Tools, bars, pipes, round things and dark borders in front of the hole."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

import torch

from plugins.pictures.made_up.drawing import (
    EllipseRanges,
    blended,
    coordinates,
    ellipse,
    level,
    parts,
    ridge,
    size_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from plugins.pictures.made_up.drawing import Draw, Range, Size

# Intensities of red, green and blue, of things that stand before a hole of the median brightness `PAINTED_AT`.
COLOURS: Final = (
    (0.55, 0.50, 0.28), (0.50, 0.44, 0.30), (0.62, 0.60, 0.35), (0.14, 0.17, 0.15), (0.22, 0.26, 0.23),
    (0.10, 0.10, 0.10), (0.35, 0.42, 0.36), (0.45, 0.55, 0.48), (0.62, 0.68, 0.62), (0.40, 0.36, 0.30),
    (0.25, 0.28, 0.34),
)  # fmt: skip
PAINTED_AT: Final = 0.48
# The deviation of each channel, as a share, and a factor for all three.
COLOUR_SPREAD: Final = 0.15
COLOUR_BRIGHTNESS: Final = (0.8, 1.25)
COLOUR_LIMITS: Final = (0.02, 0.98)

# Light from one side, unevenness and grain of the surface, as shares of its brightness or in intensity.
SHADING: Final = (-0.5, 0.5)
UNEVENNESS: Final = (0.0, 0.12)
UNEVENNESS_GRID: Final = (8, 12)
GRAIN: Final = (0.0, 0.06)
GRAIN_GRID: Final = (16, 24)
# A line of light along the object: for which share of them, how bright, where across it, and how wide.
SHINY: Final = 0.3
SHINE: Final = (0.0, 0.35)
SHINE_PLACE: Final = (-0.7, 0.7)
SHINE_WIDTH: Final = 0.15
OPACITY: Final = (0.75, 1.0)

# How far across its axis shading goes on, in half widths of the object.
FARTHEST_SHADING: Final = 1.2


class Band(NamedTuple):
    """Something long: its angle from the horizontal in radians, its distance from the middle, its half width.

    Lengths are in half heights of the picture.
    """

    angle: Range
    offset: Range
    half_width: Range = (0.07, 0.45)


TOOL: Final = Band(angle=(-0.6, 0.6), offset=(-0.7, 0.7), half_width=(0.07, 0.6))
HORIZONTAL_BAR: Final = Band(angle=(-0.12, 0.12), offset=(-1.1, 1.1))
VERTICAL_BAR: Final = Band(angle=(math.pi / 2 - 0.25, math.pi / 2 + 0.25), offset=(-1.4, 1.4))
PIPE: Final = Band(angle=(0.0, math.pi), offset=(-0.9, 0.9))
BAND_SOFTNESS: Final = (0.02, 0.10)
# Where a tool ends, and how its width changes along it: cycles in radians, phase in radians, amount.
TOOL_END: Final = (-0.6, 1.2)
TOOL_CYCLES: Final = (1.0, 5.0)
PHASE: Final = (0.0, 6.0)
TOOL_WAVE: Final = (0.0, 0.5)

ROUND: Final = EllipseRanges(
    across=(-0.9, 0.9), down=(-0.9, 0.9), half_width=(0.12, 0.6), half_height=(0.12, 0.7), softness=(0.05, 0.25)
)

# How far a border reaches in from an edge (1: nothing, 0: half of the picture), and its waves.
BORDER: Final = (-0.1, 0.8)
BORDER_WAVE: Final = 0.12
BORDER_CYCLES: Final = (1.0, 6.0)
BORDER_SOFTNESS: Final = (0.02, 0.12)

# The middle of the picture, as shares of its height and width, and how much of it an object may hide of a proliv; what
# changes by more than so much, summed over the channels, is hidden.
MIDDLE: Final = ((0.19, 0.84), (0.25, 0.75))
MOST_HIDDEN: Final = 0.45
HIDDEN: Final = 0.06


class Shape(NamedTuple):
    """``mask``: 1 where the object is; ``across``: how far from its axis, for light and shade. Both (N, 1, H, W)."""

    mask: Tensor
    across: Tensor


def _band(draw: Draw, count: int, size: Size, band: Band, *, ends: bool = False) -> Shape:
    """A bar or a pipe across the picture; with ``ends``, a tool, which is wavy and ends somewhere."""
    place = coordinates(size)
    angle = draw.evenly(count, band.angle)
    distance = place.down * angle.cos() - place.across_in_heights * angle.sin() - draw.evenly(count, band.offset)
    half_width, softness = draw.evenly(count, band.half_width), draw.evenly(count, BAND_SOFTNESS)
    across = (distance / half_width).clamp(-FARTHEST_SHADING, FARTHEST_SHADING)
    if not ends:
        return Shape(torch.sigmoid((half_width - distance.abs()) / softness), across)
    along = place.across_in_heights * angle.cos() + place.down * angle.sin()
    wave = torch.sin(along * draw.evenly(count, TOOL_CYCLES) + draw.evenly(count, PHASE))
    width = half_width * (1 + wave * draw.evenly(count, TOOL_WAVE))
    end = torch.sigmoid((draw.signs(count) * along - draw.evenly(count, TOOL_END)) / softness)
    return Shape(torch.sigmoid((width - distance.abs()) / softness) * end, across)


def _tool(draw: Draw, count: int, size: Size) -> Shape:
    return _band(draw, count, size, TOOL, ends=True)


def _horizontal_bar(draw: Draw, count: int, size: Size) -> Shape:
    return _band(draw, count, size, HORIZONTAL_BAR)


def _vertical_bar(draw: Draw, count: int, size: Size) -> Shape:
    return _band(draw, count, size, VERTICAL_BAR)


def _pipe(draw: Draw, count: int, size: Size) -> Shape:
    return _band(draw, count, size, PIPE)


def _round(draw: Draw, count: int, size: Size) -> Shape:
    mask, distance = ellipse(draw, count, size, ROUND)
    return Shape(mask, distance.clamp(max=FARTHEST_SHADING))


def _border(draw: Draw, count: int, size: Size) -> Shape:
    """Something before the camera, from one of the four edges inwards."""
    place = coordinates(size)
    down, across = (axis.expand(1, 1, *size) for axis in place)
    sides = torch.cat([down, -down, across, -across])
    inwards = sides[draw.choices(len(sides), count)]
    wave = torch.sin(place.across * draw.evenly(count, BORDER_CYCLES) + draw.evenly(count, PHASE))
    reach = -inwards - draw.evenly(count, BORDER) + BORDER_WAVE * wave
    return Shape(torch.sigmoid(reach / draw.evenly(count, BORDER_SOFTNESS)), inwards)


SHAPES: Final = (_tool, _horizontal_bar, _vertical_bar, _pipe, _round, _border)
# A proliv is rarely seen behind a pipe.
SHAPES_BEFORE_PROLIV: Final = (_tool, _horizontal_bar, _vertical_bar, _round, _border)


def with_objects(draw: Draw, pictures: Tensor) -> Tensor:
    """Pictures with one object each, anywhere: (N, 3, H, W), 0-1."""
    return _with(draw, pictures, SHAPES)


def partly_hidden(draw: Draw, pictures: Tensor) -> Tensor:
    """Proliv behind an object, each that is still seen well enough; the others stay as they are."""
    hidden = _with(draw, pictures, SHAPES_BEFORE_PROLIV)
    change = (hidden - pictures).abs().sum(dim=1, keepdim=True) > HIDDEN
    rows, columns = (
        slice(round(side * low), round(side * high))
        for side, (low, high) in zip(size_of(pictures), MIDDLE, strict=True)
    )
    share = change[:, :, rows, columns].float().mean(dim=(2, 3), keepdim=True)
    return torch.where(share < MOST_HIDDEN, hidden, pictures)


def _with(draw: Draw, pictures: Tensor, shapes: Sequence[Callable[[Draw, int, Size], Shape]]) -> Tensor:
    """Each kind of shape before an equal part of the pictures, drawn at random."""
    order = draw.order(len(pictures))
    changed = pictures.clone()
    for shape, place in zip(shapes, parts(len(pictures), [1.0] * len(shapes)), strict=True):
        rows = order[place]
        changed[rows] = _painted(draw, pictures[rows], shape(draw, len(rows), size_of(pictures)))
    return changed


def _painted(draw: Draw, pictures: Tensor, shape: Shape) -> Tensor:
    """The pictures with a surface of some colour in the given shape."""
    count, size = len(pictures), size_of(pictures)
    shading = 1 + draw.evenly(count, SHADING) * shape.across
    lumps = 1 + draw.evenly(count, UNEVENNESS) * draw.lumps(count, size, grid=UNEVENNESS_GRID)
    shine = draw.evenly(count, SHINE) * ridge(shape.across, draw.evenly(count, SHINE_PLACE), SHINE_WIDTH)
    grain = draw.evenly(count, GRAIN) * draw.lumps(count, size, grid=GRAIN_GRID)
    surface = _colours(draw, pictures) * shading * lumps + shine * draw.happens(count, SHINY) + grain
    return blended(pictures, surface, shape.mask * draw.evenly(count, OPACITY)).clamp(0, 1)


def _colours(draw: Draw, pictures: Tensor) -> Tensor:
    """A colour for each picture's object, in the light of the picture: (N, 3, 1, 1)."""
    count = len(pictures)
    colours = torch.tensor(COLOURS)[draw.choices(len(COLOURS), count)].reshape(count, 3, 1, 1)
    colours = colours * (1 + COLOUR_SPREAD * draw.normally(count, 3, 1, 1))
    colours = colours * draw.evenly(count, COLOUR_BRIGHTNESS) * level(pictures) / PAINTED_AT
    return colours.clamp(*COLOUR_LIMITS)
