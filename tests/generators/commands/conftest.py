"""Runs ``monitor gen avatar`` in this process, and makes the images that it learns from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from click.testing import CliRunner, Result
from PIL import Image

from generators.commands import gen

if TYPE_CHECKING:
    from pathlib import Path

SMALL = "44x46"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(gen, ["avatar", *map(str, arguments)])


def refusal(error: type[Exception], *arguments: object) -> str:
    result = run(*arguments)
    assert isinstance(result.exception, error), result.output
    return str(result.exception)


def images(folder: Path, *, count: int = 3, size: tuple[int, int] = (12, 10), mode: str = "RGB") -> Path:
    """A folder of images ``0.png``, ``1.png``, ... of noise."""
    folder.mkdir()
    generator = np.random.default_rng(1)
    for number in range(count):
        pixels = generator.integers(0, 256, (size[1], size[0], 4), dtype=np.uint8)
        Image.fromarray(pixels).convert(mode).save(folder / f"{number}.png")
    return folder


def save(path: Path, mode: str, size: tuple[int, int] = (12, 10), **options: Any) -> None:
    Image.new(mode, size).save(path, **options)
