"""What harmlessly stands before a hole: a tool, a bar, a rod, a plate that reflects the light, and steam."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

from generators.crops.drawing import paint, smooth_noise, step
from generators.crops.looks import SHADOW

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from generators.crops.drawing import Grid

    Floats: TypeAlias = NDArray[np.float32]

_TOOL: Final = (84.0, 90.0, 60.0)
_BAR: Final = (103.0, 130.0, 128.0)
_ROD: Final = (70.0, 86.0, 76.0)
_PLATE: Final = (150.0, 182.0, 148.0)
_STEAM: Final = (112.0, 140.0, 122.0)


def add_obstacles(images: Floats, grid: Grid, numbers: NDArray[np.int64]) -> Floats:
    """Put an obstacle in front of float32 (N, H, W, 3) where its number, int64 (N,), is not 0.

    Everything about an obstacle follows from its number: two crops with one number show the same one.
    """
    covered = images.copy()
    for index in np.flatnonzero(numbers).tolist():
        generator = np.random.default_rng(int(numbers[index]))
        add = (add_tool, add_bar, add_rod, add_plate)[generator.integers(0, 4)]
        covered[index] = add(images[index : index + 1], grid, generator)[0]
    return covered


def add_tool(images: Floats, grid: Grid, generator: np.random.Generator) -> Floats:
    """Push a round yellow-brown tool in from a lower corner of float32 (N, H, W, 3)."""
    side = generator.choice([-1, -1, 1])
    radius = np.hypot(grid.across - side, (grid.down - 1) * 0.95)
    colour = np.asarray(_TOOL, dtype=np.float32) + smooth_noise(generator, grid.shape(1), (2, 2.5))[..., None] * 5
    return paint(images, step((generator.uniform(0.3, 1.1) - radius) * (grid.width / 2), 2), colour)


def add_bar(images: Floats, grid: Grid, generator: np.random.Generator) -> Floats:
    """Lay a horizontal grey bar with a dark lower edge across the top or the bottom of float32 (N, H, W, 3)."""
    away = (grid.down - generator.choice([0.15, 0.82]) - generator.uniform(-0.06, 0.06)) * grid.height
    images = paint(images, step(4.5 - np.abs(away), 1.5), _BAR)
    return paint(images, step(1 - np.abs(away - 3), 1.5) * 0.7, SHADOW)


def add_rod(images: Floats, grid: Grid, generator: np.random.Generator) -> Floats:
    """Stand a dark rod upright in float32 (N, H, W, 3), a little aslant, lit from the right."""
    place = generator.uniform(-0.85, 0.85) + grid.down * generator.uniform(-0.15, 0.15)
    thick = np.float32(generator.uniform(1.0, 5.0))
    colour = np.asarray(_ROD, dtype=np.float32) * generator.uniform(0.6, 1.0)
    away: Floats = (grid.across - place) * np.float32(grid.width / 2)
    images = paint(images, step(thick - np.abs(away - thick), 1.5) * 0.3, _BAR)
    return paint(images, step(thick - np.abs(away), 1.5), colour)


def add_plate(images: Floats, grid: Grid, generator: np.random.Generator) -> Floats:
    """Lay a flat piece that reflects the light on the crust of float32 (N, H, W, 3)."""
    down = (grid.down - generator.uniform(0.35, 0.6) + grid.across * generator.uniform(-0.1, 0.1)) * grid.height
    across = (grid.across - generator.uniform(-0.25, 0.25)) * (grid.width / 2)
    inside = np.minimum(generator.uniform(6, 10) - np.abs(across), generator.uniform(1.5, 2.5) - np.abs(down))
    images = paint(images, step(inside + 1.5 - (down > 0), 1.5) * 0.4, SHADOW)
    return paint(images, step(inside, 2.5) * generator.uniform(0.7, 1.0), _PLATE)


def add_steam(images: Floats, grid: Grid, strength: Floats, generator: np.random.Generator) -> Floats:
    """Veil float32 (N, H, W, 3) by steam of a ``strength``, float32 (N, 1, 1), 0-1."""
    veil = np.clip(smooth_noise(generator, grid.shape(len(images)), (12, 16)) * 0.3 + 0.8, 0, 1)
    return paint(images, veil * np.clip(strength, 0, 0.8), _STEAM)
