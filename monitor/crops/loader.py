"""Reads a file's bytes and decodes them, within limits, or refuses the file.

Every refusal is a `CropRefusedError` whose reason is a `Reason` and whose sentence leaves the path to the caller.
Nothing here depends on the configuration, and everything may be called from several threads.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from PIL import Image, UnidentifiedImageError

from monitor.crops.decoder import LARGEST_PIXEL_LIMIT, decode_rgb, format_of, has_ended
from monitor.crops.refusals import Limits, out_of_memory, refusal, truncated
from monitor.errors import CropRefusedError
from monitor.files.looks import Looks
from monitor.files.opening import open_below
from monitor.files.text import printable
from monitor.words import Reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray


class FileContent(NamedTuple):
    """The bytes of one file and what identifies them.

    ``sha256``: 64 hexadecimal digits. ``looks``: with the length of ``data`` as its size; its times are taken before
    reading, so that a change while reading shows as a later time.
    """

    data: bytes
    sha256: str
    looks: Looks


class Decoded(NamedTuple):
    """The picture of one file.

    ``pixels``: uint8 (height, width, 3), RGB, C-contiguous, writable, upright. ``ended``: the file carries
    its format's end mark at its very end; without it, even a picture that decodes may still be being written.
    BMP, TIFF and WebP have no such mark, so that they are never ``ended``.
    """

    pixels: NDArray[np.uint8]
    width: int
    height: int
    ended: bool


# How much is read at once of a file that has grown since its size was asked.
_BLOCK_BYTES: Final = 65_536


class CropReader:
    """Reads and decodes files within limits: ``max_bytes`` per file, ``max_pixels`` (width x height) per picture.

    Raises `ValueError` when ``max_pixels`` is above `LARGEST_PIXEL_LIMIT`.
    """

    def __init__(self, *, max_bytes: int, max_pixels: int, roots: Sequence[str] = ()) -> None:
        """``roots``: folders below which no link is followed on the way to a file, see `open_below`."""
        if max_pixels > LARGEST_PIXEL_LIMIT:
            raise ValueError(f"the limit of pixels can be at most {LARGEST_PIXEL_LIMIT:,}, got {max_pixels:,}")
        self.max_bytes = max_bytes
        self._limits = Limits(max_pixels)
        self.roots = roots

    def load(self, path: str | os.PathLike[str]) -> FileContent:
        """Read a regular file that is not a symbolic link; raise `CropRefusedError` for anything else."""
        try:
            descriptor = open_below(os.fspath(path), self.roots)
            try:
                status = os.fstat(descriptor)
                looks = Looks.of(status).as_read(time.time_ns())
                data = self._read(descriptor, status)
                if len(data) != looks.size_bytes:
                    looks = looks._replace(size_bytes=len(data))
            finally:
                os.close(descriptor)
        except OSError as error:
            raise _refused_by_system(error) from error
        except MemoryError as error:
            raise out_of_memory() from error
        return FileContent(data, hashlib.sha256(data).hexdigest(), looks)

    def _read(self, descriptor: int, status: os.stat_result) -> bytes:
        if not stat.S_ISREG(status.st_mode):
            raise refusal(Reason.NOT_A_FILE, "it is not a regular file; crops have to be plain files")
        if status.st_size > self.max_bytes:
            raise self._too_large(status.st_size)
        # One byte more than announced, so that one read shows whether the file has grown since.
        blocks = [os.read(descriptor, status.st_size + 1)]
        total = len(blocks[0])
        while total <= self.max_bytes and (block := os.read(descriptor, _BLOCK_BYTES)):
            blocks.append(block)
            total += len(block)
        if total > self.max_bytes:
            raise self._too_large(total)
        if not total:
            raise refusal(Reason.EMPTY, "it holds no bytes; it is still being written, or writing failed")
        return b"".join(blocks)

    def _too_large(self, size: int) -> CropRefusedError:
        return refusal(
            Reason.TOO_LARGE,
            f"it holds {size:,} bytes or more and {self.max_bytes:,} are allowed; "
            "raise the limit of bytes if crops may be that large",
        )

    def decode(self, content: FileContent) -> Decoded:
        """Decode the first picture of a file; raise `CropRefusedError` when it has none that may be read.

        The pixels are as `monitor.crops.decoder.decode_rgb` describes them.
        """
        image_format = format_of(content.data)
        if image_format is None:
            raise refusal(
                Reason.UNKNOWN_FORMAT, "its content is not JPEG, PNG, BMP, TIFF or WebP, whatever its name says"
            )
        ended = has_ended(content.data, image_format)
        try:
            pixels = decode_rgb(content.data, image_format, self._limits)
        except CropRefusedError:
            raise
        except MemoryError as error:
            raise out_of_memory() from error
        except Image.DecompressionBombError as error:
            raise self._limits.too_many_pixels(f"more than {LARGEST_PIXEL_LIMIT:,} pixels") from error
        # Damaged files make Pillow raise nearly everything: OSError, SyntaxError, struct.error, ValueError,
        # KeyError, OverflowError and more; one such file must not stop the others.
        except Exception as error:
            raise _damaged(error, image_format, ended=ended) from error
        height, width = pixels.shape[:2]
        return Decoded(pixels, width, height, ended is True)


def _refused_by_system(error: OSError) -> CropRefusedError:
    match error.errno:
        case errno.ENOMEM:
            return out_of_memory()
        case errno.ENOENT | errno.ENOTDIR:
            return refusal(Reason.VANISHED, "it is no longer there")
        case errno.ELOOP:
            return refusal(
                Reason.SYMLINK,
                "it is a symbolic link, or a folder on the way to it is, and links are not followed; put the file "
                "itself there",
            )
        case errno.ENXIO | errno.ENODEV:
            return refusal(Reason.NOT_A_FILE, "it is a socket or a device; crops have to be plain files")
        case errno.EACCES | errno.EPERM:
            return refusal(Reason.UNREADABLE, "it may not be read; give the user who runs this program read permission")
    return refusal(Reason.UNREADABLE, f"it cannot be read: {error.strerror}")


def _damaged(error: Exception, image_format: str, *, ended: bool | None) -> CropRefusedError:
    if ended is False or isinstance(error, EOFError) or "truncated" in str(error).lower():
        return truncated(image_format)
    # Pillow's own sentence for this one names nothing but an object in memory.
    unidentified = isinstance(error, UnidentifiedImageError)
    detail = "bad header" if unidentified else printable(str(error) or type(error).__name__)
    return refusal(
        Reason.UNDECODABLE,
        f"its {image_format} data are damaged or of an unsupported kind ({detail}); write the crop again",
    )
