"""One hole of a casting table as a fixed camera sees it: with its billet, pouring metal out, or empty.

The colours, sizes and noise are set so that the channel means and deviations come close to those of real crops.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

from generators.crops.camera import MARGIN, Camera, Wander
from generators.crops.drawing import Grid, column, paint, smooth_noise
from generators.crops.looks import Look
from generators.crops.metal import Pour
from generators.crops.obstacles import add_obstacles, add_steam, add_tool

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Pixels: TypeAlias = NDArray[np.uint8]
    Floats: TypeAlias = NDArray[np.float32]
    Seconds: TypeAlias = NDArray[np.float64]

# Smallest and largest sides of a crop in pixels.
CROP_HEIGHTS: Final = (24, 31)
CROP_WIDTHS: Final = (46, 53)

_LARGEST_NUMBER: Final = 2**31
_ANY_TIME: Final = 5 * 86400.0

# Quickest and slowest change, in seconds.
_AGEING: Final = (600.0, 6 * 3600.0)
_STEAMING: Final = (20.0, 900.0)


class Hole:
    """One hole of a table, with a look of its own that it keeps over time.

    ``number`` stands in its file names; ``height`` and ``width`` are its crops' size in pixels. ``camera`` is
    what sees it, by default one of its own.

    Every kind of crop takes ``seconds``, float64 (N,), the moments at which the crops are taken, in seconds since
    any beginning that holes under one camera share; without them, random moments. Light, aim and crust at a
    moment follow only from the hole and the moment; ``generator`` gives what differs from frame to frame.
    """

    def __init__(self, number: int, generator: np.random.Generator, camera: Camera | None = None) -> None:
        self.number = number
        self.height = int(generator.integers(CROP_HEIGHTS[0], CROP_HEIGHTS[1], endpoint=True))
        self.width = int(generator.integers(CROP_WIDTHS[0], CROP_WIDTHS[1], endpoint=True))
        self._grid = Grid.of(self.height, self.width)
        self._look = Look(Grid.of(self.height, self.width, MARGIN), generator)
        self._ages = [Wander(generator, *_AGEING) for _ in self._look.ageing]
        self._steam = Wander(generator, *_STEAMING)
        self._camera = camera or Camera(generator)

    def normal(
        self,
        count: int,
        generator: np.random.Generator,
        *,
        seconds: Seconds | None = None,
        light_change: float = 1.0,
        obstacle_share: float = 0.0,
        obstacles: NDArray[np.int64] | None = None,
    ) -> Pixels:
        """Draw ``count`` crops without a proliv: uint8 (N, height, width, 3), RGB.

        ``light_change``: how strongly the light wanders, 1 being an ordinary change. ``obstacle_share``: the
        part (0-1) of crops in which a bar, a rod, a plate or a tool harmlessly covers something; or
        ``obstacles``, int64 (N,), which one, by any number, and 0 for none.
        """
        moments = _moments(count, seconds, generator)
        images = self._billet(moments, generator)
        images = add_steam(images, self._grid, self._steam.at(moments) * 0.5 - 0.8, generator)
        if obstacles is None:
            covered = generator.random(count) < obstacle_share
            obstacles = np.where(covered, generator.integers(1, _LARGEST_NUMBER, count), 0)
        images = add_obstacles(images, self._grid, obstacles)
        return self._camera.expose(images, self._grid, moments, generator, light_change)

    def proliv(
        self,
        count: int,
        generator: np.random.Generator,
        *,
        seconds: Seconds | None = None,
        violence: float = 1.0,
        growth: Floats | None = None,
        event: int | None = None,
    ) -> Pixels:
        """Draw ``count`` crops of metal pouring out: uint8 (N, height, width, 3), RGB.

        ``violence``: how bright and contrasty the metal is. ``growth``, float32 (N,), 0-1: how far it has come,
        from the first drops to a stream through the whole hole; without it, anything from a clear stream on.
        ``event``: a number for one bleed-out of this hole; its stream runs in the same place in all its crops.
        """
        moments = _moments(count, seconds, generator)
        far = column(generator, count, 0.3, 1.0) if growth is None else np.float32(growth).reshape(count, 1, 1)
        number = int(generator.integers(1, _LARGEST_NUMBER)) if event is None else event
        pour = Pour(self._grid, self._look, np.random.default_rng([self.number, number]))
        wall = self._camera.look(self._look.wall, self._grid, moments, generator)
        images = paint(self._billet(moments, generator), np.clip(far * 3, 0, 1) * np.ones_like(wall[..., 0]), wall)
        images = pour.add_mud(images, far)
        images = pour.add_metal(images, far, violence, generator)
        return self._camera.expose(images, self._grid, moments, generator)

    def empty(self, count: int, generator: np.random.Generator, *, seconds: Seconds | None = None) -> Pixels:
        """Draw ``count`` crops of the clean hole after the billet has dropped out: uint8 (N, height, width, 3), RGB.

        Some show a row of sparks at the lower edge, some are half covered by a tool.
        """
        moments = _moments(count, seconds, generator)
        images = self._camera.look(self._look.clean, self._grid, moments, generator)
        sparks = np.maximum(smooth_noise(generator, self._grid.shape(count), (1.2, 1.3)) - 0.4, 0)
        where = np.exp(-(((self._grid.down - 0.92) / 0.07) ** 2)) * (np.abs(self._grid.across) < 0.4)
        images += (sparks * where * (column(generator, count, 0, 1) < 0.5))[..., None] * 35
        for index in np.flatnonzero(generator.random(count) < 0.2).tolist():
            images[index] = add_tool(images[index : index + 1], self._grid, generator)[0]
        return self._camera.expose(images, self._grid, moments, generator)

    def _billet(self, moments: Seconds, generator: np.random.Generator) -> Floats:
        """The hole with its billet, float32 (N, H, W, 3), its crust as old as it is at each moment."""
        ages = np.concatenate([wander.at(moments)[:, 0] for wander in self._ages], axis=1)
        canvas = np.repeat(self._look.full, len(moments), axis=0)
        canvas += np.tensordot(ages, self._look.ageing, axes=1)[..., None]
        return self._camera.look(canvas, self._grid, moments, generator)


def _moments(count: int, seconds: Seconds | None, generator: np.random.Generator) -> Seconds:
    """The moments that were given, or random ones."""
    if seconds is None:
        return generator.uniform(0, _ANY_TIME, count)
    moments = np.asarray(seconds, dtype=np.float64)
    if moments.shape != (count,):
        raise ValueError(f"seconds has the shape {moments.shape}; {count} crops need ({count},)")
    return moments
