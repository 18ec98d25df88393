from __future__ import annotations

import io
import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from monitor.report import curves, style
from monitor.report.curves import Group

GROUPS = [Group("$\\a_{ % <b>", False, np.linspace(1, 2, 20)), Group("proliv", True, np.linspace(2, 3, 20))]


def test_the_same_numbers_give_the_same_file() -> None:
    for save in (style.as_png, style.as_svg):
        assert save(curves.histogram(GROUPS, 2.0, "score")) == save(curves.histogram(GROUPS, 2.0, "score"))


def test_settings_of_the_users_own_matplotlib_do_not_matter() -> None:
    usual = style.as_png(curves.histogram(GROUPS, 2.0, "score"))
    with mpl.rc_context({"font.size": 20, "text.parse_math": True, "axes.facecolor": "red", "savefig.dpi": 30}):
        assert style.as_png(curves.histogram(GROUPS, 2.0, "score")) == usual


def test_a_figure_as_pixels_is_its_png() -> None:
    pixels = style.as_pixels(curves.confusion(1, 2, 3, 4))
    assert pixels.dtype == np.uint8
    assert pixels.shape[2] == 3
    png = Image.open(io.BytesIO(style.as_png(curves.confusion(1, 2, 3, 4))))
    assert pixels.shape[:2] == (png.height, png.width)


def brightness(colour: str) -> float:
    red, green, blue = (int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_the_two_labels_differ_in_grey_and_stand_out_from_the_paper() -> None:
    assert abs(brightness(style.PROLIV) - brightness(style.NE_PROLIV)) > 0.15
    assert max(brightness(style.PROLIV), brightness(style.NE_PROLIV)) < 0.6


@pytest.mark.process
@pytest.mark.parametrize("command", ["report", "compare", "train"])
def test_help_loads_no_pictures(command: str) -> None:
    program = (
        "import atexit, sys\n"
        "from monitor.cli import main\n"
        "atexit.register(lambda: print(*sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr))\n"
        f"sys.argv = ['monitor', '{command}', '--help']\n"
        "main()\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ended.returncode == 0
    loaded = set(ended.stderr.splitlines()[-1].split())
    assert "monitor" in loaded
    assert loaded & {"matplotlib", "torch", "sqlalchemy", "numpy", "sklearn", "umap", "wandb", "tensorboard"} == set()


@pytest.mark.process
def test_drawing_loads_no_window_system() -> None:
    program = "import sys, monitor.report.build\nassert 'matplotlib.pyplot' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
