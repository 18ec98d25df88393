"""Metal that pours out of a hole: from the first drops to a stream that fills it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

from generators.crops.drawing import paint, smooth_noise, step
from generators.crops.looks import SHADOW

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from generators.crops.drawing import Grid
    from generators.crops.looks import Look

    Floats: TypeAlias = NDArray[np.float32]

_MUD: Final = (82.0, 106.0, 89.0)
_METAL: Final = (122.0, 151.0, 132.0)
_BROKEN: Final = (119.0, 147.0, 126.0)


class Pour:
    """One bleed-out of one hole: where its stream runs and how wide it gets stays, its glitter does not."""

    def __init__(self, grid: Grid, look: Look, generator: np.random.Generator) -> None:
        self._grid, self._look = grid, look
        self._lean = generator.uniform(-0.3, 0.05)
        self._turn = generator.uniform(-0.15, 0.25)
        self._half = generator.uniform(0.3, 0.42)
        self._edge = smooth_noise(generator, grid.shape(1), (3, 2.5))
        self._torn = smooth_noise(generator, grid.shape(1), (3, 4))
        self._clods = smooth_noise(generator, grid.shape(1), (2.2, 3))

    def add_mud(self, images: Floats, growth: Floats) -> Floats:
        """Cover the upper middle of float32 (N, H, W, 3) with torn, dark crust as it breaks, and shade the right."""
        grid = self._grid
        half = 0.48 - 0.2 * grid.down + self._torn * 0.05
        middle = step((half - np.abs(grid.across - 0.03)) * (grid.width / 2), 5)
        dark = middle * np.clip(1.3 - 2.4 * grid.down + self._torn * 0.15, 0, 1)
        half = 0.3 + 0.3 * np.minimum(grid.down * 1.5, 1) + self._torn * 0.05
        body = step((half - np.abs(grid.across - 0.03)) * (grid.width / 2), 4)
        shown = np.clip(growth * 2.5, 0, 1)
        clods = (self._clods * 9)[..., None]
        images = paint(images, body * shown * 0.9, self._look.lit(_BROKEN) + clods)
        shade = np.exp(-(((grid.across - 0.58) / 0.2) ** 2) - ((grid.down - 0.6) / 0.22) ** 2)
        images = paint(images, shade * shown * 0.8, self._look.lit(SHADOW))
        return paint(images, dark * shown, self._look.lit(_MUD) + clods)

    def add_metal(self, images: Floats, growth: Floats, violence: float, generator: np.random.Generator) -> Floats:
        """Pour metal into float32 (N, H, W, 3): bright and dark pixels side by side, and coloured reflections.

        ``growth``: float32 (N, 1, 1), 0-1, how far the bleed-out has come: drops, a thread, the whole hole.
        """
        grid, shape = self._grid, self._grid.shape(len(images))
        half = self._half * np.sqrt(growth) * (0.8 + 0.6 * grid.down)
        away = np.abs(grid.across - self._lean - self._turn * grid.down)
        ragged = (self._edge * 1.2 + smooth_noise(generator, shape, (3, 2.2)) * 1.2) * (0.3 + growth)
        stream = step((half - away) * (grid.width / 2) + ragged - (1 - growth) * 1.5, 3)
        stream *= step((grid.down - 0.4 + 0.25 * growth) * grid.height, 7)
        # The first drops: spots that glitter where the stream is going to run.
        drops = step(smooth_noise(generator, shape, (1.6, 1.6)) - 1.3 - 0.6 * growth, 0.4) * (away < 0.35)
        mask = np.maximum(stream, drops * (grid.down > 0.45))
        return paint(images, mask, self._metal(growth, violence, generator))

    def _metal(self, growth: Floats, violence: float, generator: np.random.Generator) -> Floats:
        """The metal's colours, float32 (N, H, W, 3): the further down and the further on, the wilder."""
        grid, shape = self._grid, self._grid.shape(len(growth))
        wild = violence * (0.45 + 0.55 * growth) * (0.4 + 0.8 * grid.down)
        relief = smooth_noise(generator, shape, (3.2, 1.7)) * 24 + smooth_noise(generator, shape, (4, 3)) * 14
        glitter = np.maximum(smooth_noise(generator, shape, (1.9, 1.5)) - 0.9, 0) * 85
        holes = np.maximum(smooth_noise(generator, shape, (2.6, 1.5)) - 0.9, 0) * -75
        colours = np.stack([smooth_noise(generator, shape, (2.8, 2.0)) for _ in range(3)], axis=-1)
        colours *= np.array([19, 9, 25], dtype=np.float32)
        yellow = smooth_noise(generator, shape, (5, 3))[..., None] * np.array([4, 3, -12], dtype=np.float32)
        glow = 6 + 8 * growth
        metal = (relief + glitter + holes + glow)[..., None] + (colours + yellow) * wild[..., None]
        painted: Floats = self._look.lit(_METAL) + wild[..., None] * metal
        return painted
