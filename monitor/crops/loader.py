"""A file becomes a crop here: its identity (hole, camera, time), its sha256 and its pixels, or a refusal.

Every refusal is a `CropRefusedError` whose reason is a `Reason` and whose sentence leaves the path to the
caller. Nothing in here depends on the configuration, and everything may be called from several threads.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from PIL import Image, UnidentifiedImageError

from monitor.crops.decoder import LARGEST_PIXEL_LIMIT, decode_rgb, format_of, has_ended
from monitor.errors import CropRefusedError
from monitor.files.walking import (
    CROP_SUFFIXES,
    crop_files,
    crop_paths,
    from_text,
    is_crop_name,
    is_crop_path,
    printable,
    to_text,
)

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "CROP_SUFFIXES",
    "DEFAULT_NAME_PATTERN",
    "DEFAULT_TIME_FORMAT",
    "LARGEST_HOLE",
    "LARGEST_PIXEL_LIMIT",
    "CropReader",
    "Decoded",
    "FileContent",
    "Identity",
    "IdentityPattern",
    "Reason",
    "crop_files",
    "crop_paths",
    "from_text",
    "is_crop_name",
    "is_crop_path",
    "printable",
    "to_text",
]

DEFAULT_NAME_PATTERN: Final = (
    r"(?P<hole>[0-9]+)_CAM_(?P<camera>[^_.]+)_"
    r"(?P<captured_at>[0-9]{2}-[0-9]{2}-[0-9]{4}_[0-9]{2}-[0-9]{2}-[0-9]{2}-[0-9]{1,6})(?![0-9])"
)
"""Reads ``10_CAM_C_01-03-2023_05-39-27-929.jpg`` as hole 10, camera C, captured on 1 March 2023."""

DEFAULT_TIME_FORMAT: Final = "%d-%m-%Y_%H-%M-%S-%f"
"""The `strptime` format of the default pattern's time: day first, a fraction of a second last."""

LARGEST_HOLE: Final = 2**31 - 1
"""The largest hole number that every database's integer column holds."""


class Reason(StrEnum):
    """Why a file is refused: a bounded set, for it labels a metric and fills a column."""

    VANISHED = "vanished"
    """The file is gone."""
    SYMLINK = "symlink"
    """The name is a symbolic link; links are never followed."""
    NOT_A_FILE = "not_a_file"
    """A folder, a pipe, a socket or a device."""
    UNREADABLE = "unreadable"
    """The operating system refuses to open or to read it."""
    EMPTY = "empty"
    """It holds no bytes."""
    TOO_LARGE = "too_large"
    """It holds more bytes than allowed."""
    TOO_MANY_PIXELS = "too_many_pixels"
    """Its header announces more pixels than allowed."""
    UNKNOWN_FORMAT = "unknown_format"
    """It begins like none of the accepted formats."""
    TRUNCATED = "truncated"
    """It ends before its picture does."""
    UNDECODABLE = "undecodable"
    """It is complete but damaged, or of a kind within its format that cannot be read."""


# These look the same while a file is still being written or its permissions are still being set.
_TRANSIENT: Final = frozenset(
    {Reason.UNREADABLE, Reason.EMPTY, Reason.UNKNOWN_FORMAT, Reason.TRUNCATED, Reason.UNDECODABLE}
)


def _refusal(reason: Reason, sentence: str) -> CropRefusedError:
    # .value, because some database drivers store an enumeration's member by its name.
    return CropRefusedError(reason.value, sentence, transient=reason in _TRANSIENT)


class Identity(NamedTuple):
    """Where and when a crop was taken, as far as its name says; ``captured_at`` is in UTC and aware of it."""

    hole: int | None
    camera: str | None
    captured_at: datetime | None


@dataclass(frozen=True, slots=True)
class IdentityPattern:
    """Reads a crop's identity from its file name.

    ``pattern``: a regular expression that has to match from the start of the name (what follows the match
    is free) with at least one of the named groups ``hole``, ``camera`` and ``captured_at``. ``time_format``:
    the `datetime.strptime` format of ``captured_at``. ``time_zone``: the zone of the camera's clock, unless
    the format holds ``%z``. The hour that the clock repeats in autumn is read as its first pass (summer time),
    and the hour that it skips in spring as if summer time had not begun yet: a name cannot tell.

    Raises `ValueError` with a sentence when the pattern or the format cannot be used.
    """

    pattern: str
    time_format: str
    time_zone: ZoneInfo
    _compiled: re.Pattern[str] = field(init=False, repr=False, compare=False)
    _digits: re.Pattern[str] | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        try:
            compiled = re.compile(self.pattern)
        except (re.error, OverflowError, RecursionError) as error:
            raise ValueError(f"the name pattern {self.pattern!r} is not a regular expression: {error}") from error
        if not set(Identity._fields) & set(compiled.groupindex):
            raise ValueError(
                f"the name pattern {self.pattern!r} names none of the groups "
                "(?P<hole>...), (?P<camera>...) and (?P<captured_at>...); at least one is needed"
            )
        _check_time_format(self.time_format)
        object.__setattr__(self, "_compiled", compiled)
        object.__setattr__(self, "_digits", _only_digits(self.time_format))

    def parse(self, file_name: str) -> Identity:
        """Read a file name without its folder; what it does not say, or says wrongly, is None.

        The camera comes in the form of `to_text`, which any database and any metric takes.
        """
        match = self._compiled.match(file_name)
        groups = match.groupdict() if match else {}
        camera = groups.get("camera")
        return Identity(
            _hole(groups.get("hole")),
            to_text(camera) if camera else None,
            self._captured_at(groups.get("captured_at")),
        )

    def _captured_at(self, text: str | None) -> datetime | None:
        if not text:
            return None
        try:
            moment = self._of_digits(text) or datetime.strptime(text, self.time_format)  # noqa: DTZ007 - the zone follows
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=self.time_zone)
            return moment.astimezone(UTC)
        except (ValueError, OverflowError):
            return None

    def _of_digits(self, text: str) -> datetime | None:
        digits = self._digits.fullmatch(text) if self._digits else None
        if digits is None:
            return None
        year, month, day, hour, minute, second = map(int, digits.group(*_NUMBERS))
        try:
            microsecond = int(digits["microsecond"].ljust(6, "0"))
            return datetime(year, month, day, hour, minute, second, microsecond, self.time_zone)
        except ValueError:
            return None  # without separators, strptime may see other numbers in it


_NUMBERS: Final = ("year", "month", "day", "hour", "minute", "second")
_DIGITS: Final = {
    "%Y": "(?P<year>[0-9]{4})", "%m": "(?P<month>[0-9]{2})", "%d": "(?P<day>[0-9]{2})",
    "%H": "(?P<hour>[0-9]{2})", "%M": "(?P<minute>[0-9]{2})", "%S": "(?P<second>[0-9]{2})",
    "%f": "(?P<microsecond>[0-9]{1,6})",
}  # fmt: skip


def _only_digits(time_format: str) -> re.Pattern[str] | None:
    """Times of a format that holds each of these numbers once, with all their digits; None for another format.

    Reading them so takes a third of the time of `strptime`, which reads what does not match, and sees the same in it.
    """
    parts = re.split("(%.)", time_format)
    if sorted(part for part in parts if part.startswith("%")) != sorted(_DIGITS):
        return None
    return re.compile("".join(_DIGITS.get(part) or re.escape(part) for part in parts))


def _check_time_format(time_format: str) -> None:
    """Raise `ValueError` unless the format is known to `strptime` and holds a whole date."""
    sample = datetime(2023, 11, 30, 21, 45, tzinfo=UTC)
    try:
        restored = datetime.strptime(sample.strftime(time_format), time_format)  # noqa: DTZ007 - date only
    except (ValueError, re.error) as error:
        raise ValueError(
            f"the time format {time_format!r} is not one that Python's datetime.strptime reads: {error}"
        ) from error
    if restored.date() != sample.date():
        raise ValueError(
            f"the time format {time_format!r} holds no whole date; it needs a day, a month and a year, such as %d-%m-%Y"
        )


def _hole(text: str | None) -> int | None:
    # int() alone would also take " 10", "1_0" and "+10", which no camera writes.
    if text is None or not text.isdecimal():
        return None
    hole = int(text)
    return hole if hole <= LARGEST_HOLE else None


class FileContent(NamedTuple):
    """The bytes of one file and what identifies them.

    ``sha256``: 64 hexadecimal digits. ``size_bytes``: the length of ``data``. ``mtime_ns`` and ``ctime_ns``:
    nanoseconds since 1970, taken before reading, so that a change while reading shows as a later time.
    """

    data: bytes
    sha256: str
    size_bytes: int
    mtime_ns: int
    ctime_ns: int


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


_BLOCK_BYTES: Final = 65_536


class CropReader:
    """Reads and decodes files within limits: ``max_bytes`` per file, ``max_pixels`` (width x height) per picture.

    Raises `ValueError` when ``max_pixels`` is above `LARGEST_PIXEL_LIMIT`.
    """

    def __init__(self, *, max_bytes: int, max_pixels: int) -> None:
        if max_pixels > LARGEST_PIXEL_LIMIT:
            raise ValueError(f"the limit of pixels can be at most {LARGEST_PIXEL_LIMIT:,}, got {max_pixels:,}")
        self.max_bytes = max_bytes
        self.max_pixels = max_pixels

    def load(self, path: str | os.PathLike[str]) -> FileContent:
        """Read a regular file that is not a symbolic link; raise `CropRefusedError` for anything else."""
        # Non-blocking, so that opening a pipe without a writer does not wait for one.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        try:
            descriptor = os.open(path, flags)
            try:
                status = os.fstat(descriptor)
                data = self._read(descriptor, status)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise _refused_by_system(error) from error
        return FileContent(data, hashlib.sha256(data).hexdigest(), len(data), status.st_mtime_ns, status.st_ctime_ns)

    def _read(self, descriptor: int, status: os.stat_result) -> bytes:
        if not stat.S_ISREG(status.st_mode):
            raise _refusal(Reason.NOT_A_FILE, "it is not a regular file; crops have to be plain files")
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
            raise _refusal(Reason.EMPTY, "it holds no bytes; it is still being written, or writing failed")
        return b"".join(blocks)

    def _too_large(self, size: int) -> CropRefusedError:
        return _refusal(
            Reason.TOO_LARGE,
            f"it holds {size:,} bytes or more and {self.max_bytes:,} are allowed; "
            "raise the limit of bytes if such crops are meant",
        )

    def decode(self, content: FileContent) -> Decoded:
        """Decode the first picture of a file; raise `CropRefusedError` when it has none that may be read.

        The pixels are as `monitor.crops.decoder.decode_rgb` describes them.
        """
        image_format = format_of(content.data)
        if image_format is None:
            raise _refusal(
                Reason.UNKNOWN_FORMAT, "its content is none of JPEG, PNG, BMP, TIFF and WebP, whatever its name says"
            )
        ended = has_ended(content.data, image_format)
        try:
            pixels = decode_rgb(content.data, image_format, self._check_pixels)
        except CropRefusedError:
            raise
        except Image.DecompressionBombError as error:
            raise self._too_many_pixels(f"more than {LARGEST_PIXEL_LIMIT:,} pixels") from error
        # Damaged files make Pillow raise nearly everything: OSError, SyntaxError, struct.error, ValueError,
        # KeyError, OverflowError, MemoryError and more; one such file must not stop the others.
        except Exception as error:
            raise _damaged(error, image_format, ended=ended) from error
        height, width = pixels.shape[:2]
        return Decoded(pixels, width, height, ended is True)

    def _check_pixels(self, width: int, height: int) -> None:
        if width * height > self.max_pixels:
            raise self._too_many_pixels(f"{width:,} x {height:,} pixels")

    def _too_many_pixels(self, announced: str) -> CropRefusedError:
        return _refusal(
            Reason.TOO_MANY_PIXELS,
            f"its header announces {announced} and {self.max_pixels:,} in all are allowed; "
            "raise the limit of pixels if such crops are meant",
        )


def _refused_by_system(error: OSError) -> CropRefusedError:
    match error.errno:
        case errno.ENOENT | errno.ENOTDIR:
            return _refusal(Reason.VANISHED, "it is no longer there")
        case errno.ELOOP:
            return _refusal(
                Reason.SYMLINK, "it is a symbolic link, and links are not followed; put the file itself there"
            )
        case errno.ENXIO | errno.ENODEV:
            return _refusal(Reason.NOT_A_FILE, "it is a socket or a device; crops have to be plain files")
        case errno.EACCES | errno.EPERM:
            return _refusal(
                Reason.UNREADABLE, "it may not be read; give the user who runs this program read permission"
            )
    return _refusal(Reason.UNREADABLE, f"it cannot be read: {error.strerror}")


def _damaged(error: Exception, image_format: str, *, ended: bool | None) -> CropRefusedError:
    if ended is False or isinstance(error, EOFError) or "truncated" in str(error).lower():
        return _refusal(
            Reason.TRUNCATED,
            f"its {image_format} data end before the picture does; it is still being written or was cut off",
        )
    # Pillow's own sentence for this one names nothing but an object in memory.
    unidentified = isinstance(error, UnidentifiedImageError)
    detail = "bad header" if unidentified else printable(str(error) or type(error).__name__)
    return _refusal(
        Reason.UNDECODABLE,
        f"its {image_format} data are damaged or of an unsupported kind ({detail}); write the crop anew",
    )
