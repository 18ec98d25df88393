"""The fixed camera over a casting table: its light, its aim and its sensor, as they wander over hours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

from generators.crops.drawing import smooth_noise

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from generators.crops.drawing import Grid

    Pixels: TypeAlias = NDArray[np.uint8]
    Floats: TypeAlias = NDArray[np.float32]
    Seconds: TypeAlias = NDArray[np.float64]

# How many pixels a hole is drawn beyond its crop, so that the camera may move.
MARGIN: Final = 3

_MINUTE: Final = 60.0
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR
_WAVES: Final = 6

# How far red, green and blue wander apart: on real crops red and green stay together, and blue wanders more.
_TINTS: Final = np.array([0.002, 0.002, 0.006], dtype=np.float32)


class Wander:
    """A quantity that wanders smoothly around zero and is known for every moment, in whatever order they are asked.

    w(t) = sqrt(2 / K) · Σ sin(2π t / period_k + phase_k), with K periods between ``quickest`` and ``slowest``
    seconds: its mean over time is 0, its variance 1.
    """

    def __init__(self, generator: np.random.Generator, quickest: float, slowest: float) -> None:
        spread = (np.arange(_WAVES) + generator.random(_WAVES)) / _WAVES
        self._speeds = 2 * np.pi / (quickest * (slowest / quickest) ** spread)
        self._phases = generator.uniform(0, 2 * np.pi, _WAVES)

    def at(self, seconds: Seconds) -> Floats:
        """Its values, float32 (N, 1, 1), at moments in seconds, float64 (N,)."""
        waves = np.sin(np.asarray(seconds, dtype=np.float64)[:, None] * self._speeds + self._phases)
        values = np.sqrt(2 / _WAVES) * waves.sum(axis=1)
        wandered: Floats = values[:, None, None].astype(np.float32)
        return wandered


class Camera:
    """One camera: all holes that it sees share its light and its movements."""

    def __init__(self, generator: np.random.Generator) -> None:
        self._gain = Wander(generator, 10 * _MINUTE, _DAY)
        self._tint = tuple(Wander(generator, _HOUR, 2 * _DAY) for _ in range(3))
        self._slope = Wander(generator, _HOUR, _DAY)
        self._aim = tuple(Wander(generator, _HOUR, 3 * _DAY) for _ in range(2))

    def look(self, canvas: Floats, grid: Grid, seconds: Seconds, generator: np.random.Generator) -> Floats:
        """Look at N canvases, or N times at one, float32 (N or 1, H + margins, W + margins, 3): float32 (N, H, W, 3).

        The camera's aim moves slowly, over days, by about half a pixel, and a little from frame to frame.
        """
        shift = [wander.at(seconds)[:, 0, 0] * 0.5 + generator.normal(0, 0.2, len(seconds)) for wander in self._aim]
        moved = np.clip(shift, -MARGIN + 0.01, MARGIN - 1.01) + MARGIN
        whole = np.floor(moved).astype(np.intp)
        part = (moved - whole).astype(np.float32)[..., None, None, None]
        rows = (whole[0][:, None] + np.arange(grid.height))[:, :, None]
        columns = (whole[1][:, None] + np.arange(grid.width))[:, None, :]
        which = (np.arange(len(seconds)) % len(canvas))[:, None, None]
        upper = canvas[which, rows, columns] * (1 - part[1]) + canvas[which, rows, columns + 1] * part[1]
        lower = canvas[which, rows + 1, columns] * (1 - part[1]) + canvas[which, rows + 1, columns + 1] * part[1]
        seen: Floats = upper * (1 - part[0]) + lower * part[0]
        return seen

    def expose(
        self, images: Floats, grid: Grid, seconds: Seconds, generator: np.random.Generator, change: float = 1.0
    ) -> Pixels:
        """Light float32 (N, H, W, 3) as it is at each moment, add the sensor's noise, and round to uint8.

        ``change``: how strongly the light wanders, 1 being an ordinary one, about 2 % over a day.
        """
        count = len(images)
        gain = self._gain.at(seconds) * 0.022 + generator.normal(0, 0.006, (count, 1, 1))
        tint = np.stack([wander.at(seconds) for wander in self._tint], axis=-1) * _TINTS
        light = (1 + gain[..., None] * change) * (1 + tint * change)
        slope = 1 + (self._slope.at(seconds) * grid.across * 0.02 * change)[..., None]
        noise = smooth_noise(generator, grid.shape(count), (0.8, 0.8))[..., None] * 1.3
        exposed = images * light.astype(np.float32) * slope.astype(np.float32) + noise
        pixels: Pixels = np.clip(np.rint(exposed), 0, 255).astype(np.uint8)
        return pixels
