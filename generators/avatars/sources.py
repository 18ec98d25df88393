"""Reads and checks the images that avatars are learnt from, or draws the dozen built-in faces."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import numpy as np
from PIL import Image, ImageOps

from generators.avatars import faces
from monitor.api import DataError, InputMissingError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Sources: TypeAlias = NDArray[np.uint8]
    Size: TypeAlias = tuple[int, int]

# The endings of the names of images in a folder; other files are left alone.
ENDINGS: Final = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")

# Images with more pixels are not decoded.
LARGEST_IMAGE: Final = 4096 * 4096

# More values (images x pixels x 4 channels) are not kept in memory at once.
LARGEST_SET: Final = 2**28

_FORMATS: Final = ("BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP")
_OPAQUE: Final = ("1", "L", "P", "RGB")
_CLEAR: Final = ("LA", "PA", "RGBA", "La", "RGBa")
# A PNG with 16 bits a channel, of which Pillow would silently keep 8.
_PNG_DEPTH: Final = re.compile(rb"\x89PNG\r\n\x1a\n.{16}\x10", re.DOTALL)


@dataclass(frozen=True)
class SourceImages:
    """``pixels``: uint8 (N, H, W, 3) RGB, or (N, H, W, 4) RGBA where an image has transparency; ``names``: N."""

    names: tuple[str, ...]
    pixels: Sources


def read_sources(folder: Path, resize: Size | Literal["first"] | None = None) -> SourceImages:
    """Read all images of a folder in the order of their names; all of one size, or brought to one by ``resize``.

    ``resize``: (width, height) in pixels, or ``"first"`` for the size of the first image. Raises
    `InputMissingError` for a folder or a file that cannot be read, and `DataError`, naming the file, for an image
    that is damaged, animated, too large, of another size or of a mode other than 8 bits of grey, RGB or a palette,
    with or without transparency; also for fewer than two images.
    """
    paths = _image_paths(folder)
    images: list[Image.Image] = []
    size = resize if isinstance(resize, tuple) else None
    for path in paths:
        image = _decoded(path)
        if size is None:
            size = image.size
        _check_set(str(folder), len(paths), size)
        if image.size != size:
            if resize is None:
                raise DataError(
                    f"{path}: is {_text(image.size)} pixels, but {paths[0].name} is {_text(size)}; "
                    f"all images need one size: give --resize first, or --resize {_text(size)}"
                )
            image = image.resize(size, Image.Resampling.LANCZOS)
        images.append(image)
    mode = "RGBA" if any(image.mode == "RGBA" for image in images) else "RGB"
    pixels = np.stack([np.asarray(image.convert(mode)) for image in images])
    return SourceImages(tuple(path.name for path in paths), pixels)


def _image_paths(folder: Path) -> list[Path]:
    try:
        found = sorted(path for path in folder.iterdir() if path.suffix.lower() in ENDINGS)
    except NotADirectoryError:
        raise InputMissingError(f"{folder}: is a file; name the folder that the images lie in") from None
    except FileNotFoundError:
        raise InputMissingError(f"{folder}: there is no such folder; name one with images") from None
    except OSError as error:
        raise InputMissingError(f"{folder}: cannot be read: {error.strerror}; correct its permissions") from None
    # Some programs keep notes on images in files with a leading dot.
    paths = [path for path in found if not path.name.startswith(".") and not path.is_dir()]
    if len(paths) < 2:
        there = "holds no image" if not paths else f"holds a single image, {paths[0].name}"
        raise DataError(
            f"{folder}: {there}; avatars are learnt from two or more, named {', '.join(f'*{one}' for one in ENDINGS)}"
        )
    return paths


def _decoded(path: Path) -> Image.Image:
    """An image as RGB or RGBA, turned as its EXIF data say."""
    try:
        with warnings.catch_warnings():
            # Pillow warns of large images, which are refused below, and of damaged metadata.
            warnings.simplefilter("ignore")
            with Image.open(path, formats=_FORMATS) as image:
                _check_header(path, image)
                image.load()
                return _in_colour(ImageOps.exif_transpose(image))
    except DataError:
        raise
    except (PermissionError, FileNotFoundError) as error:
        raise InputMissingError(f"{path}: cannot be read: {error.strerror}; correct this or remove it") from None
    except Image.DecompressionBombError:
        raise _too_large(path, "too many") from None
    # Pillow raises whatever it likes for damaged data.
    except Exception as error:
        raise DataError(f"{path}: is damaged or not an image of a known kind; replace or remove it") from error


def _too_large(path: Path, pixels: str) -> DataError:
    return DataError(f"{path}: has {pixels} pixels, {LARGEST_IMAGE:,} is the most; make it smaller or remove it")


def _check_header(path: Path, image: Image.Image) -> None:
    """Refuse what should not be decoded or could not be kept without loss."""
    if image.width * image.height > LARGEST_IMAGE:
        raise _too_large(path, _text(image.size))
    if getattr(image, "n_frames", 1) > 1:
        raise DataError(f"{path}: is animated or has several pages; save one picture of it, or remove it")
    with path.open("rb") as file:
        deep = _PNG_DEPTH.match(file.read(25))
    if image.mode not in _OPAQUE + _CLEAR or deep:
        kind = "16 bits a channel" if deep or image.mode.startswith("I") else f"the mode {image.mode}"
        raise DataError(f"{path}: has {kind}; save it with 8 bits of grey, RGB or RGBA, or remove it")


def _check_set(where: str, count: int, size: Size) -> None:
    if count * size[0] * size[1] * 4 > LARGEST_SET:
        raise DataError(
            f"{where}: {count} images of {_text(size)} pixels are too many to learn from at once; "
            f"give fewer images, or a smaller size with --resize"
        )


def _in_colour(image: Image.Image) -> Image.Image:
    transparent = image.mode in _CLEAR or "transparency" in image.info
    return image.convert("RGBA" if transparent else "RGB")


def _text(size: Size) -> str:
    return f"{size[0]}x{size[1]}"


EMBEDDED: Final = 12


def embedded_styles() -> list[dict[str, str]]:
    """The styles of the dozen built-in faces: together they show every value that can be drawn."""
    drawn = faces.drawn_values()
    steps = {faces.HAIR: 1, faces.HAIR_COLOUR: 5, faces.GLASSES: 2, faces.CLOTHES: 3, faces.CLOTHES_COLOUR: 3}
    return [
        {name: values[(number * steps[name] + number // len(values)) % len(values)] for name, values in drawn.items()}
        for number in range(EMBEDDED)
    ]


@cache
def embedded_sources(size: Size = (faces.WIDTH, faces.HEIGHT)) -> SourceImages:
    """The dozen built-in faces, RGBA, of ``size`` (width, height) pixels; not to be written to.

    Raises `DataError` for a size at which they are too large to be kept in memory at once.
    """
    _check_set("built-in faces", EMBEDDED, size)
    # With one ground, no part of it can stand out from another.
    drawn = [faces.draw_face(style, size, ground=faces.GROUND) for style in embedded_styles()]
    pixels = np.stack([np.asarray(image) for image in drawn])
    pixels.setflags(write=False)
    return SourceImages(tuple(f"face {number + 1}" for number in range(EMBEDDED)), pixels)
