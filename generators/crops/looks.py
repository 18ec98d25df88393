"""What one hole looks like: its rim and wall, its billet with crust, and the clean hole when the billet is gone.

Each picture is drawn once for a hole, with a margin around the crop, and the camera looks at it again and again. The
colours are means of real crops at the same places.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

from generators.crops.drawing import paint, smooth_noise, step

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from generators.crops.drawing import Colour, Grid

    Floats: TypeAlias = NDArray[np.float32]

# Red, green, blue in 0-255, as the camera sees them through its greenish light.
# Soot, and what lies in the shade.
SHADOW: Final = (78.0, 102.0, 87.0)

# Frozen metal, yellowish.
CRUST: Final = (116.0, 143.0, 119.0)

_GREY: Final = np.array([0.82, 1.0, 0.87], dtype=np.float32)
_TABLE: Final = (116.0, 149.0, 131.0)
_DUST: Final = (107.0, 136.0, 112.0)
_WALL: Final = (97.0, 126.0, 116.0)
_CLEAN: Final = (92.0, 118.0, 109.0)
_ARC: Final = (72.0, 93.0, 77.0)
_LIP: Final = (97.0, 122.0, 98.0)


# Sizes in pixels of what comes and goes on a crust.
_AGEING_GRAINS: Final = (1.3, 2.0, 2.0, 3.0, 4.5)


class Look:
    """The pictures of one hole, each float32 (1, H, W, 3), 0-255, on ``canvas``, a grid with margins."""

    def __init__(self, canvas: Grid, generator: np.random.Generator) -> None:
        self._canvas = canvas
        self._centre = (generator.uniform(-0.04, 0.04), generator.uniform(0.5, 0.57))
        self._radii = (generator.uniform(0.88, 0.97), self._centre[1] - generator.uniform(0.02, 0.07))
        self._light = generator.normal(0, 3.9) * _GREY + generator.normal(0, [0.4, 0.4, 1.5]).astype(np.float32)
        # The empty hole, after the billet has dropped out.
        self.clean = self._draw_clean(generator)
        # The rim and the wall inside it, without a billet.
        self.wall, rim = self._draw_wall(generator)
        # The hole with its billet, and reliefs that come and go on its crust with time, float32 (K, H, W).
        self.full, self.ageing = self._draw_full(rim, generator)

    def lit(self, colour: Colour) -> Floats:
        """A colour in this hole's own light, float32 (3,)."""
        return np.asarray(colour, dtype=np.float32) + self._light

    def _noise(self, generator: np.random.Generator, vertical: float, horizontal: float) -> Floats:
        return smooth_noise(generator, self._canvas.shape(1), (vertical, horizontal))

    def _draw_table(self, generator: np.random.Generator) -> Floats:
        """The table around the hole, dusty in places, mostly behind the hole."""
        canvas = self._canvas
        image = np.zeros((*canvas.shape(1), 3), dtype=np.float32) + self.lit(_TABLE)
        dust = np.clip(self._noise(generator, 7, 9) * 0.4 + generator.uniform(0.1, 0.7) - canvas.down * 0.6, 0, 1)
        image = paint(image, dust, self.lit(_DUST))
        image += (self._noise(generator, 4, 5) * 1.5)[..., None]
        image[..., 2] += self._noise(generator, 5, 7) * 4
        return image

    def _draw_clean(self, generator: np.random.Generator) -> Floats:
        """A smooth blue-grey ellipse under a dark upper edge, and the launder's lip below."""
        canvas = self._canvas
        image = paint(self._draw_table(generator), np.clip(1.5 - canvas.down, 0.4, 1.0), self.lit(_LIP))
        edge = step(canvas.ellipse(self._centre, self._radii) + 1.2, 2.5) * np.clip(1.6 - 1.6 * canvas.down, 0, 1)
        image = paint(image, edge, self.lit(_ARC))
        slope = (canvas.down[..., None] - 0.4) * np.array([3, 3, 9], dtype=np.float32)
        inner = (self._centre[0], self._centre[1] + 0.08)
        image = paint(image, step(canvas.ellipse(inner, self._radii), 2), self.lit(_CLEAN) + slope)
        lip = (canvas.down - 0.88 - 0.15 * (np.abs(canvas.across) < 0.45)) * canvas.height
        return paint(image, step(lip, 3) * 0.7, self.lit(_LIP))

    def _draw_wall(self, generator: np.random.Generator) -> tuple[Floats, Floats]:
        """The bare wall, and the signed distance in pixels to the rim, float32 (1, H, W)."""
        canvas = self._canvas
        rim = canvas.ellipse(self._centre, self._radii, self._noise(generator, 6, 8) * 0.3)
        streaks = self._noise(generator, 2, 12)[..., None] * 1.5
        blue = generator.uniform(-3, 4) * np.array([-1, 0, 1], dtype=np.float32)
        image = paint(self._draw_table(generator), step(rim, 3.5), self.lit(_WALL) + streaks + blue)
        arc = np.exp(-(((rim - 0.7) / 1.1) ** 2)) * np.clip(1.3 - canvas.down * 1.6, 0, generator.uniform(0.3, 0.8))
        image = paint(image, arc, self.lit(SHADOW))
        return image, rim

    def _draw_full(self, rim: Floats, generator: np.random.Generator) -> tuple[Floats, Floats]:
        """The billet's head inside the rim or, in a third of the holes, crust that reaches up to the launder."""
        canvas = self._canvas
        crust, texture = self._crust(generator)
        image = self.wall
        if generator.random() < 0.35:
            body = self._neck(generator)
            image = paint(image, np.exp(-(((body + 1.5) / 2.5) ** 2)) * step(rim, 2.5) * 0.4, self.lit(SHADOW))
            edge = (0.14 - canvas.down) * canvas.height + self._noise(generator, 3, 3)
            top = step(edge, 4) * generator.uniform(0, 0.9)
        else:
            body, top = self._head(generator), np.zeros_like(rim)
        ends = np.exp(-(((body + 0.8) / 1.2) ** 2)) * step(rim) * np.clip(np.abs(canvas.across) * 1.6 - 0.5, 0.15, 0.9)
        image = paint(image, ends * generator.uniform(0.3, 0.9), self.lit(SHADOW))
        inside = step(body, 3.0) * np.maximum(step(rim, 1.5), np.abs(canvas.across) < self._radii[0] * 0.55)
        image = paint(image, inside, crust)
        image = paint(image, inside * top, self.lit(SHADOW))
        image = self._soot(image, generator)
        image = image + (self._noise(generator, 1.1, 1.6) * 1.6)[..., None]
        return image, inside * texture

    def _soot(self, image: Floats, generator: np.random.Generator) -> Floats:
        """Darken a spot at the upper edge, at the lower edge, or nowhere."""
        canvas = self._canvas
        across, down = generator.uniform(-0.4, 0.4), generator.choice([0.0, 0.8, 0.95])
        spot = np.exp(-(((canvas.across - across) / 0.35) ** 2) - ((canvas.down - down) / 0.18) ** 2)
        return paint(image, (generator.uniform(0, 0.9) ** 1.5 * spot).astype(np.float32), self.lit(SHADOW))

    def _crust(self, generator: np.random.Generator) -> tuple[Floats, Floats]:
        """The crust's colour, float32 (1, H, W, 3), and how its relief changes with time, float32 (K, H, W)."""
        grain = float(np.exp(generator.uniform(np.log(1.1), np.log(2.6))))
        fine = self._noise(generator, grain, grain * 1.25) * generator.uniform(1.5, 5.0)
        ridges = 0.8 - np.abs(self._noise(generator, 2.4, 3.2))
        relief = self._noise(generator, 6, 7) * 4 + fine + ridges * generator.choice([0, 5, 10])
        hue = (self._noise(generator, 3, 4) * 1.4 + generator.normal(0, 1.3))[..., None]
        warmth = hue * np.array([0.8, 0.6, -2.2], dtype=np.float32)
        crust = self.lit(CRUST) + warmth + relief[..., None] + generator.normal(0, 3)
        reliefs = [self._noise(generator, grain, 1.25 * grain) for grain in _AGEING_GRAINS]
        return crust.astype(np.float32), np.concatenate(reliefs) * np.float32(generator.uniform(1.0, 2.4))

    def _head(self, generator: np.random.Generator) -> Floats:
        """Signed distance in pixels to the billet's head, lower than the rim: its wall shows above as a crescent."""
        centre = (self._centre[0] + generator.uniform(-0.06, 0.06), self._centre[1] + generator.uniform(0.2, 0.42))
        radii = (self._radii[0] * generator.uniform(0.8, 0.94), self._radii[1] * generator.uniform(0.95, 1.15))
        return self._canvas.ellipse(centre, radii, self._noise(generator, 4, 5) * generator.uniform(0.2, 0.9))

    def _neck(self, generator: np.random.Generator) -> Floats:
        """Signed distance in pixels to crust that reaches up to the launder, narrow above and wide below."""
        canvas = self._canvas
        top, bottom = generator.uniform(0.3, 0.55), generator.uniform(0.7, 0.9)
        half = top + (bottom - top) * np.clip((canvas.down - 0.25) / 0.55, 0, 1) ** 1.5
        across = np.abs(canvas.across - self._centre[0])
        neck: Floats = (half - across) * (canvas.width / 2) + self._noise(generator, 3, 4) * 0.8
        return neck
