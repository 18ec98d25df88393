"""What all pictures share: colours, fonts, axes, and the formats that a figure is saved in.

The colours are Okabe and Ito's, which colour-blind people can tell apart. Lines and points that must be told apart
differ in shape too, so that nothing is lost in grey. Proliv has the same colour everywhere.
"""

from __future__ import annotations

import functools
import io
from typing import TYPE_CHECKING, Any, Final, ParamSpec

import numpy as np
from matplotlib import style
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

P = ParamSpec("P")

PROLIV: Final = "#D55E00"
# Okabe and Ito's blue, darkened so that it differs from the vermilion of proliv in grey too.
NE_PROLIV: Final = "#004D80"
INK: Final = "#222222"
# Colours, dashes and marks of several curves in one picture; a curve takes the next of each.
LINES: Final = ("#0072B2", "#009E73", "#E69F00", "#CC79A7", "#56B4E9", "#000000")
DASHES: Final = ("-", "--", "-.", ":")
MARKERS: Final = ("o", "s", "^", "D", "v", "P")

DOTS_PER_INCH: Final = 110

_PARAMETERS: Final[dict[str, Any]] = {
    "axes.axisbelow": True,
    "axes.edgecolor": INK,
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": "medium",
    "figure.dpi": DOTS_PER_INCH,
    "figure.facecolor": "white",
    # It comes with matplotlib, so pictures look the same everywhere.
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.6,
    "hatch.linewidth": 0.6,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "savefig.dpi": DOTS_PER_INCH,
    "svg.fonttype": "path",
    # Without it, the ids inside an SVG are random, and the same picture would give a different file each time.
    "svg.hashsalt": "monitor",
    # A dollar sign in the name of a model or a file is not a formula.
    "text.parse_math": False,
}


def drawn(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Let a function draw in the style of all pictures, whatever the user's own matplotlib settings are."""

    @functools.wraps(draw)
    def in_style(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with style.context(["default", _PARAMETERS]):
            return draw(*args, **kwargs)

    return in_style


# Widths in inches of a picture that takes half of the page, or all of it: its letters are then as large as the text
# around it.
HALF: Final = 5.2
WHOLE: Final = 10.6


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of a size in inches, which keeps its labels from overlapping."""
    return Figure(figsize=(width, height), layout="constrained")


def scale(axes: Axes, *, axis: str = "x", logarithmic: bool) -> None:
    """Make an axis logarithmic, if asked for, with plain numbers instead of powers of ten."""
    if not logarithmic:
        return
    (axes.set_xscale if axis == "x" else axes.set_yscale)("log")
    drawn_axis = axes.xaxis if axis == "x" else axes.yaxis
    low, high = axes.get_xlim() if axis == "x" else axes.get_ylim()
    few = np.log10(high / low) < 2.5
    drawn_axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if few else (1.0,)))
    drawn_axis.set_major_formatter(FuncFormatter(lambda value, _position: f"{value:.6g}"))
    drawn_axis.set_minor_formatter(NullFormatter())


def wants_logarithm(*values: NDArray[np.float64]) -> bool:
    """Whether numbers are positive and so far apart that a linear axis would squeeze most of them together."""
    together = np.concatenate([np.ravel(part) for part in values])
    if not len(together) or (together <= 0).any():
        return False
    low, high = np.quantile(together, [0.01, 0.99])
    return bool(high > 8 * low)


def as_png(figure: Figure, *, maker: str | None = None) -> bytes:
    """The figure as a PNG file's bytes, which name its ``maker``."""
    return _saved(figure, "png", {"Software": maker})


def as_svg(figure: Figure, *, maker: str | None = None) -> bytes:
    """The figure as an SVG file's bytes, which name its ``maker``."""
    return _saved(figure, "svg", {"Date": None, "Creator": maker})


def as_pixels(figure: Figure) -> NDArray[np.uint8]:
    """The figure as a picture, uint8 (H, W, 3)."""
    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(as_png(figure))).convert("RGB"), dtype=np.uint8)


def _saved(figure: Figure, kind: str, metadata: dict[str, str | None]) -> bytes:
    buffer = io.BytesIO()
    with style.context(["default", _PARAMETERS]):
        figure.savefig(buffer, format=kind, metadata=metadata)
    return buffer.getvalue()
