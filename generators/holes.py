"""One hole of a casting table, drawn as a fixed camera sees it: with its billet, pouring metal out, or empty.

The colours, sizes and noise are set so that the channel means and deviations come close to those of real crops.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

from generators.drawing import Grid, column, paint, smooth_noise, step

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Pixels: TypeAlias = NDArray[np.uint8]
    Floats: TypeAlias = NDArray[np.float32]

CROP_HEIGHTS: Final = (24, 31)
CROP_WIDTHS: Final = (46, 53)
"""Smallest and largest sides of a crop in pixels."""

_MARGIN: Final = 3
"""Pixels that a hole's drawing reaches beyond the crop, so that the camera may shake."""

# Red, green, blue in 0-255, as the camera sees them through its greenish light.
_TABLE: Final = (112.0, 145.0, 124.0)
_WALL: Final = (98.0, 128.0, 115.0)
_CRUST: Final = (122.0, 151.0, 131.0)
_NECK: Final = (107.0, 133.0, 113.0)
_SHADOW: Final = (76.0, 101.0, 87.0)
_CLEAN: Final = (93.0, 120.0, 117.0)
_ARC: Final = (66.0, 87.0, 69.0)
_LIP: Final = (97.0, 121.0, 96.0)
_MUD: Final = (95.0, 119.0, 97.0)
_METAL: Final = (124.0, 152.0, 130.0)
_TOOL: Final = (84.0, 90.0, 60.0)
_BAR: Final = (103.0, 130.0, 128.0)


class Hole:
    """One hole of a table, with a look of its own that it keeps over time.

    ``number`` stands in its file names; ``height`` and ``width`` are its crops' size in pixels.
    """

    def __init__(self, number: int, generator: np.random.Generator) -> None:
        self.number = number
        self.height = int(generator.integers(CROP_HEIGHTS[0], CROP_HEIGHTS[1], endpoint=True))
        self.width = int(generator.integers(CROP_WIDTHS[0], CROP_WIDTHS[1], endpoint=True))
        self._grid = Grid.of(self.height, self.width)
        canvas = Grid.of(self.height, self.width, _MARGIN)
        self._rim = (generator.uniform(-0.04, 0.04), generator.uniform(0.56, 0.64))
        self._radii = (generator.uniform(0.88, 0.98), self._rim[1] - generator.uniform(0.02, 0.08))
        self._brightness = generator.normal(0, 2.5) + generator.normal(0, [1.0, 1.2, 2.0]).astype(np.float32)
        self._clean = self._draw_clean(canvas, generator)
        self._walled, rim = self._draw_wall(canvas, generator)
        self._full, self._ageing = self._draw_full(canvas, rim, generator)

    def normal(
        self,
        count: int,
        generator: np.random.Generator,
        *,
        light_change: float = 1.0,
        obstacle_share: float = 0.0,
    ) -> Pixels:
        """Draw ``count`` crops without a proliv, in order of time: uint8 (N, height, width, 3), RGB.

        ``light_change``: how strongly the light wanders, 1 being an ordinary shift. ``obstacle_share``: the
        part (0-1) of crops in which a bar, a rod or a tool harmlessly covers something.
        """
        age = np.cumsum(generator.normal(0, 0.4, count)) + generator.normal(0, 1)
        images = self._seen(self._full, count, generator)
        images += np.sin(age).astype(np.float32)[:, None, None, None] * self._seen(self._ageing, count, generator)
        images = self._add_haze(images, generator)
        covered = np.flatnonzero(generator.random(count) < obstacle_share)
        if covered.size:
            images[covered] = self._add_obstacle(images[covered], generator)
        return self._expose(images, generator, light_change)

    def proliv(self, count: int, generator: np.random.Generator, *, violence: float = 1.0) -> Pixels:
        """Draw ``count`` crops of metal pouring out: uint8 (N, height, width, 3), RGB.

        ``violence``: how bright and contrasty the metal is; one crop has a quarter of it, another one all.
        """
        images = self._seen(self._walled, count, generator)
        images = self._add_mud(images, generator)
        images = self._add_metal(images, violence * column(generator, count, 0.25, 1.0), generator)
        return self._expose(images, generator)

    def empty(self, count: int, generator: np.random.Generator) -> Pixels:
        """Draw ``count`` crops of the clean hole after the billet has dropped out: uint8 (N, height, width, 3), RGB.

        Some show a row of sparks at the lower edge, some are half covered by a tool.
        """
        images = self._seen(self._clean, count, generator)
        sparks = np.maximum(smooth_noise(generator, self._grid.shape(count), (1.2, 1.3)) - 0.4, 0)
        where = np.exp(-(((self._grid.down - 0.92) / 0.07) ** 2)) * (np.abs(self._grid.across) < 0.3)
        images += (sparks * where * (column(generator, count, 0, 1) < 0.5))[..., None] * 70
        covered = np.flatnonzero(generator.random(count) < 0.2)
        if covered.size:
            images[covered] = self._add_tool(images[covered], generator)
        return self._expose(images, generator)

    def _draw_table(self, canvas: Grid, generator: np.random.Generator) -> Floats:
        """The table around the hole, float32 (1, H, W, 3), a little darker where the camera looks along it."""
        image = np.zeros((*canvas.shape(1), 3), dtype=np.float32) + np.asarray(_TABLE, dtype=np.float32)
        image += (smooth_noise(generator, canvas.shape(1), (9, 12)) * 3 + (canvas.down - 0.5) * 8)[..., None]
        image[..., 2] += (canvas.down - 0.3) * 8
        return image + self._brightness

    def _draw_clean(self, canvas: Grid, generator: np.random.Generator) -> Floats:
        """The empty hole: a smooth blue-grey ellipse under a dark upper edge, float32 (1, H, W, 3)."""
        image = self._draw_table(canvas, generator)
        image = paint(image, np.clip(1.4 - canvas.down, 0.5, 1.0), _LIP)
        edge = step(canvas.ellipse(self._rim, self._radii) + 0.6, 2) * np.clip(1.3 - 1.6 * canvas.down, 0, 0.9)
        image = paint(image, edge, _ARC)
        inside = np.asarray(_CLEAN, dtype=np.float32) + (canvas.down[..., None] - 0.5) * np.float32(6)
        inside = inside + self._brightness
        image = paint(image, step(canvas.ellipse((self._rim[0], self._rim[1] + 0.07), self._radii), 2), inside)
        lip = (canvas.down - 0.86 - 0.15 * (np.abs(canvas.across) < 0.45)) * canvas.height
        return paint(image, step(lip, 3) * 0.7, _LIP)

    def _draw_wall(self, canvas: Grid, generator: np.random.Generator) -> tuple[Floats, Floats]:
        """The hole's bare wall, float32 (1, H, W, 3), and the signed distance in pixels to its rim, (1, H, W)."""
        image = self._draw_table(canvas, generator)
        rim = canvas.ellipse(self._rim, self._radii, smooth_noise(generator, canvas.shape(1), (6, 8)) * 0.3)
        wall = _WALL + self._brightness + smooth_noise(generator, canvas.shape(1), (2, 12))[..., None] * 2
        image = paint(image, step(rim, 2.5), wall)
        image = paint(image, np.exp(-(((rim - 0.5) / 1.2) ** 2)) * np.clip(1.2 - canvas.down * 1.4, 0, 0.7), _SHADOW)
        return image, rim

    def _draw_full(self, canvas: Grid, rim: Floats, generator: np.random.Generator) -> tuple[Floats, Floats]:
        """The hole with its billet and what comes and goes on it with time, each float32 (1, H, W, 3)."""
        image = self._walled
        crust, texture = self._crust(canvas, generator)
        if generator.random() < 0.35:
            body = self._neck(canvas, generator)
            crust = crust + (np.asarray(_NECK, dtype=np.float32) - np.asarray(_CRUST, dtype=np.float32))
            image = paint(image, np.exp(-(((body + 1) / 2.5) ** 2)) * step(rim, 2.5) * 0.7, _SHADOW)
        else:
            body = self._head(canvas, generator)
            dark = np.exp(-(((body + 1) / 1.2) ** 2)) * step(rim) * generator.uniform(0, 0.8)
            image = paint(image, dark * np.clip(1.6 - 1.5 * canvas.down, 0, 1), _SHADOW)
        inside = step(body, 2.5) * step(rim, 1.5)
        image = paint(image, inside, crust)
        soot = generator.uniform(0, 0.9) ** 1.5 * np.exp(
            -(((canvas.across - generator.uniform(-0.5, 0.5)) / 0.3) ** 2)
            - ((canvas.down - generator.choice([0.0, 0.75, 0.9])) / 0.2) ** 2
        )
        return paint(image, soot.astype(np.float32), _SHADOW), (inside * texture)[..., None] * np.ones(3, np.float32)

    def _crust(self, canvas: Grid, generator: np.random.Generator) -> tuple[Floats, Floats]:
        """The crust's colour, float32 (1, H, W, 3), and how its relief changes with time, float32 (1, H, W)."""
        coarse, fine = smooth_noise(generator, (2, *canvas.shape(1)[1:]), (3.2, 4.0))
        pebbles = np.abs(smooth_noise(generator, canvas.shape(1), (2.2, 2.6)))
        large = smooth_noise(generator, canvas.shape(1), (6, 7))
        relief = large * 5 + coarse * generator.uniform(1.5, 6) + (pebbles - 0.8) * generator.choice([0, 4, 11])
        warmth = generator.uniform(-1, 1) * np.array([3, 1, -3], dtype=np.float32)
        crust = _CRUST + warmth + self._brightness + relief[..., None].astype(np.float32)
        return crust, fine[None] * np.float32(generator.uniform(1, 3))

    def _head(self, canvas: Grid, generator: np.random.Generator) -> Floats:
        """Signed distance in pixels to the billet's head, lower than the rim: its wall shows above."""
        drop = generator.uniform(0.12, 0.3)
        radii = (self._radii[0] * generator.uniform(0.78, 0.96), self._radii[1] * generator.uniform(0.85, 1.0))
        roughness = smooth_noise(generator, canvas.shape(1), (5, 7)) * generator.uniform(0.2, 0.8)
        return canvas.ellipse((self._rim[0], self._rim[1] + drop), radii, roughness)

    def _neck(self, canvas: Grid, generator: np.random.Generator) -> Floats:
        """Signed distance in pixels to crust that reaches up to the launder, narrow above and wide below."""
        top, bottom = generator.uniform(0.28, 0.6), generator.uniform(0.7, 1.0)
        half = top + (bottom - top) * np.clip((canvas.down - 0.3) / 0.6, 0, 1) ** 1.5
        roughness = smooth_noise(generator, canvas.shape(1), (3, 4)) * 0.8
        neck: Floats = (half - np.abs(canvas.across - self._rim[0])) * (self.width / 2) + roughness
        return neck

    def _seen(self, canvas: Floats, count: int, generator: np.random.Generator) -> Floats:
        """Look at a canvas (1, H + margins, W + margins, 3) ``count`` times through a shaking camera."""
        shake = np.clip(generator.normal(0, 0.5, (2, count)), -_MARGIN + 0.01, _MARGIN - 1.01) + _MARGIN
        whole = np.floor(shake).astype(np.intp)
        part = (shake - whole).astype(np.float32)[..., None, None, None]
        rows = (whole[0][:, None] + np.arange(self.height))[:, :, None]
        columns = (whole[1][:, None] + np.arange(self.width))[:, None, :]
        flat = canvas[0]
        upper = flat[rows, columns] * (1 - part[1]) + flat[rows, columns + 1] * part[1]
        lower = flat[rows + 1, columns] * (1 - part[1]) + flat[rows + 1, columns + 1] * part[1]
        seen: Floats = upper * (1 - part[0]) + lower * part[0]
        return seen

    def _expose(self, images: Floats, generator: np.random.Generator, light_change: float = 1.0) -> Pixels:
        """Light float32 (N, H, W, 3) by a wandering light, add the sensor's noise, and round to uint8."""
        count = len(images)
        gain = 1 + generator.normal(0, 0.018, (count, 1, 1, 1)) * light_change
        tint = 1 + generator.normal(0, 0.006, (count, 1, 1, 3)) * light_change
        slope = 1 + (self._grid.across * column(generator, count, -0.03, 0.03) * light_change)[..., None]
        noise = smooth_noise(generator, self._grid.shape(count), (0.9, 0.9))[..., None] * 0.9
        exposed = images * (gain * tint).astype(np.float32) * slope + noise
        pixels: Pixels = np.clip(np.rint(exposed), 0, 255).astype(np.uint8)
        return pixels

    def _add_haze(self, images: Floats, generator: np.random.Generator) -> Floats:
        """Let steam veil a few crops."""
        count = len(images)
        veil = np.clip(smooth_noise(generator, self._grid.shape(count), (12, 16)) * 0.2 + 0.3, 0, 0.7)
        return paint(images, veil * (column(generator, count, 0, 1) < 0.06), _NECK)

    def _add_mud(self, images: Floats, generator: np.random.Generator) -> Floats:
        """Cover the upper middle with torn, dark crust."""
        shape = self._grid.shape(len(images))
        edge = smooth_noise(generator, shape, (4, 5)) * 3
        body = self._grid.ellipse((0, 0.15), (0.85, 0.6), edge)
        relief = smooth_noise(generator, shape, (4, 4))[..., None] * 14
        images = paint(images, step(body, 6) * 0.9, _MUD + self._brightness + relief)
        shade = np.exp(-(((self._grid.across - 0.42) / 0.25) ** 2) - ((self._grid.down - 0.62) / 0.3) ** 2)
        return paint(images, shade * column(generator, len(images), 0.1, 0.7), _SHADOW)

    def _add_metal(self, images: Floats, violence: Floats, generator: np.random.Generator) -> Floats:
        """Pour metal down the middle: bright and dark pixels side by side, and coloured reflections."""
        grid, shape = self._grid, self._grid.shape(len(images))
        half = column(generator, shape[0], 0.16, 0.34) + grid.down * 0.16
        lean = column(generator, shape[0], -0.2, 0.1)
        stream = (half - np.abs(grid.across - lean)) * (self.width / 2) + smooth_noise(generator, shape, (4, 3)) * 2
        mask = step(stream, 3) * step((grid.down - 0.18) * self.height, 6)
        relief = smooth_noise(generator, shape, (3, 1.6)) * 26 + smooth_noise(generator, shape, (6, 4)) * 14
        sparkle = np.maximum(smooth_noise(generator, shape, (2.4, 1.5)) - 0.8, 0) * 75 * grid.down
        colour = np.stack([smooth_noise(generator, shape, (3, 2)) for _ in range(3)], axis=-1)
        colour *= np.array([18, 9, 20], dtype=np.float32) * (0.2 + grid.down[..., None])
        metal = _METAL + violence[..., None] * ((relief + sparkle)[..., None] + colour * violence[..., None])
        return paint(images, mask, metal)

    def _add_obstacle(self, images: Floats, generator: np.random.Generator) -> Floats:
        """Put a tool, a bar or a rod, each with the same chance, in front of every crop."""
        kinds = generator.integers(0, 3, len(images))
        for kind, add in enumerate((self._add_tool, self._add_bar, self._add_rod)):
            chosen = np.flatnonzero(kinds == kind)
            images[chosen] = add(images[chosen], generator)
        return images

    def _add_tool(self, images: Floats, generator: np.random.Generator) -> Floats:
        """Push a round yellow-brown tool in from a lower corner."""
        count = len(images)
        side = np.where(column(generator, count, 0, 1) < 0.6, -1, 1)
        reach = column(generator, count, 0.3, 0.85)
        radius = np.hypot(self._grid.across - side, (self._grid.down - 1) * 0.95)
        colour = _TOOL + smooth_noise(generator, self._grid.shape(count), (4, 5))[..., None] * 4
        return paint(images, step((reach - radius) * (self.width / 2), 2), colour)

    def _add_bar(self, images: Floats, generator: np.random.Generator) -> Floats:
        """Lay a horizontal grey bar with a dark lower edge across the top or the bottom."""
        count = len(images)
        place = np.where(column(generator, count, 0, 1) < 0.5, 0.15, 0.82)
        away = (self._grid.down - place - column(generator, count, -0.06, 0.06)) * self.height
        images = paint(images, step(4.5 - np.abs(away), 1.5), _BAR)
        return paint(images, step(1 - np.abs(away - 3), 1.5) * 0.7, _SHADOW)

    def _add_rod(self, images: Floats, generator: np.random.Generator) -> Floats:
        """Stand a thin dark rod upright, a little aslant."""
        count = len(images)
        place = column(generator, count, -0.85, 0.85) + self._grid.down * column(generator, count, -0.15, 0.15)
        distance: Floats = 1.3 - np.abs(self._grid.across - place) * np.float32(self.width / 2)
        return paint(images, step(distance, 1.5), _SHADOW)
