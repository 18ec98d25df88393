"""A sheet to draw on with soft edges: shapes in units of its own, drawn several times larger and shrunk."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Final, TypeAlias

from PIL import Image, ImageDraw

if TYPE_CHECKING:
    from collections.abc import Sequence

    Point: TypeAlias = tuple[float, float]
    Colour: TypeAlias = tuple[int, int, int]

# Straight pieces between two points of a curve.
_STEPS: Final = 16


def mix(colour: Colour, other: Colour, share: float) -> Colour:
    """A colour with ``share`` (0-1) of another one in it."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(colour, other, strict=True))
    return red, green, blue


def darker(colour: Colour, share: float = 0.2) -> Colour:
    """A colour with some black in it."""
    return mix(colour, (20, 10, 20), share)


def lighter(colour: Colour, share: float = 0.25) -> Colour:
    """A colour with some white in it."""
    return mix(colour, (255, 255, 255), share)


def curve(points: Sequence[Point], *, closed: bool = True) -> list[Point]:
    """A smooth line through all points: a Catmull-Rom spline."""
    count = len(points)
    line: list[Point] = []
    for number in range(count if closed else count - 1):
        if closed:
            before, start, end, after = (points[(number + step) % count] for step in (-1, 0, 1, 2))
        else:
            before, start, end, after = (points[min(max(number + step, 0), count - 1)] for step in (-1, 0, 1, 2))
        line += (_between(before, start, end, after, step / _STEPS) for step in range(_STEPS))
    if not closed:
        line.append(points[-1])
    return line


def _between(before: Point, start: Point, end: Point, after: Point, t: float) -> Point:
    x, y = (
        (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3) / 2
        for a, b, c, d in zip(before, start, end, after, strict=True)
    )
    return x, y


class Sheet:
    """``size``: (width, height) of the picture in pixels; ``units``: of the sheet in its own units."""

    def __init__(self, size: tuple[int, int], units: tuple[float, float], finer: int) -> None:
        self._size = size
        self._scale = (size[0] * finer / units[0], size[1] * finer / units[1])
        self._image = Image.new("RGBA", (size[0] * finer, size[1] * finer))
        self._pen = ImageDraw.Draw(self._image)

    def _placed(self, points: Sequence[Point]) -> list[Point]:
        return [(x * self._scale[0], y * self._scale[1]) for x, y in points]

    def polygon(self, points: Sequence[Point], colour: Colour) -> None:
        """Fill what lies within straight lines."""
        self._pen.polygon(self._placed(points), fill=colour)

    def shape(self, points: Sequence[Point], colour: Colour) -> None:
        """Fill what lies within a smooth line through the points."""
        self.polygon(curve(points), colour)

    def ellipse(self, middle: Point, radius: float, colour: Colour, height: float | None = None) -> None:
        """Fill a circle, or an ellipse of ``height`` up and down from its middle."""
        (x, y), up = middle, radius if height is None else height
        self._pen.ellipse(self._placed([(x - radius, y - up), (x + radius, y + up)]), fill=colour)

    def box(self, first: Point, second: Point, radius: float, colour: Colour) -> None:
        """Fill a box with round corners."""
        self._pen.rounded_rectangle(self._placed([first, second]), radius * self._scale[0], fill=colour)

    def line(self, points: Sequence[Point], width: float, colour: Colour) -> None:
        """Draw a smooth line with round ends."""
        # Discs along the line: Pillow's own thick lines have gaps at their joints.
        line = curve(points, closed=False)
        for (x0, y0), (x1, y1) in pairwise(line):
            steps = max(1, math.ceil(math.hypot(x1 - x0, y1 - y0) / (width / 8)))
            for step in range(steps + 1):
                place = (x0 + (x1 - x0) * step / steps, y0 + (y1 - y0) * step / steps)
                self.ellipse(place, width / 2, colour)

    def ring(self, middle: Point, radius: float, width: float, colour: Colour) -> None:
        """Draw a circle's line."""
        (x, y), thickness = middle, round(width * self._scale[0])
        corners = self._placed([(x - radius, y - radius), (x + radius, y + radius)])
        self._pen.ellipse(corners, outline=colour, width=thickness)

    def keep(self, mask: Sheet) -> None:
        """Make transparent what is not drawn on the other sheet."""
        clear = Image.new("RGBA", self._image.size)
        self._image = Image.composite(self._image, clear, mask._image.getchannel("A"))
        self._pen = ImageDraw.Draw(self._image)

    def lay(self, upper: Sheet) -> None:
        """Lay another sheet upon this one."""
        self._image.alpha_composite(upper._image)

    def finished(self) -> Image.Image:
        """The picture: RGBA, of the sheet's size."""
        return self._image.resize(self._size, Image.Resampling.BOX)
