"""Opens pictures by Pillow, with its warnings and those of its libraries kept off standard error."""

from __future__ import annotations

import ctypes
import io
import re
import warnings
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

_PILLOW_MODULES: Final = r"PIL\."
# The library that Pillow was built with, as the kernel lists what this process has loaded.
_LIBTIFF: Final = re.compile(r"(/\S*libtiff[^/\s]*)$", re.MULTILINE)


def pillow_pixels(data: bytes, image_format: str) -> tuple[np.ndarray[Any, Any], str]:
    """Decode a picture of one of Pillow's formats: its pixels as Pillow has them, writable, and Pillow's mode.

    Palettes are looked up. Raises whatever Pillow does for damaged data.
    """
    silence_pillow()
    with Image.open(io.BytesIO(data), formats=[image_format]) as image:
        image.load()
        picture = image.convert("RGB") if image.mode == "P" else image
        return np.array(picture), picture.mode


def silence_pillow() -> None:
    """Ignore Pillow's warnings about damaged metadata in this process: no one can act on them.

    `warnings.catch_warnings` would swap the process's filters under other threads; a filter that is put in
    front once, and again when another one was put before it, needs no lock and is never removed.
    """
    first: Any = warnings.filters[0] if warnings.filters else None
    if first is None or getattr(first[3], "pattern", None) != _PILLOW_MODULES:
        warnings.filterwarnings("ignore", module=_PILLOW_MODULES)


@cache
def silence_libtiff() -> bool:
    """Keep libtiff from writing its complaints to standard error, where every line is a message; whether that worked.

    Pillow raises what matters of them. It offers no way to do this, so the library is asked itself.
    """
    try:
        found = _LIBTIFF.search(Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace"))
        if found is None:
            return False
        library = ctypes.CDLL(found[1])
        for name in ("TIFFSetErrorHandler", "TIFFSetWarningHandler"):
            handler = getattr(library, name)
            handler.argtypes, handler.restype = [ctypes.c_void_p], ctypes.c_void_p
            handler(None)
    except (OSError, AttributeError):
        return False
    return True
