"""Reads the cast file, which a PLC or a person writes: which cast runs, of which alloy, in which phase.

    number = "4711"     # or without quotes; not needed while idle
    alloy = "6063"      # may be left out
    phase = "steady"    # idle, start, steady or end

The same in JSON if the file's name ends with ``.json``. Keys that are not known are ignored: other programs may read
the file as well.
"""

from __future__ import annotations

import json
import os
import stat
import tomllib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from monitor.alarms.cast_words import checked_name
from monitor.errors import DataError
from monitor.files.opening import READING
from monitor.files.text import printable
from monitor.words import PHASES

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.words import Phase

# A file of a few lines; more is another file.
MOST_BYTES: Final = 65_536


class CastFile(NamedTuple):
    """What a cast file says; ``number`` is None only while idle. ``written_at``: when it was written."""

    number: str | None
    alloy: str | None
    phase: Phase
    written_at: datetime


def read_cast_file(path: Path) -> CastFile:
    """Read a cast file; raises `DataError` with a sentence where it is missing, half-written or wrong."""
    text, written_at = _read(path)
    place = printable(path)
    try:
        values = json.loads(text) if path.suffix.lower() == ".json" else tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        words = " ".join(str(error).split())
        raise DataError(f"{place}: cannot be understood, or is half written: {printable(words)[:200]}") from None
    if not isinstance(values, dict):
        raise DataError(f"{place}: holds no keys; write number, alloy and phase")
    return CastFile(*_cast(values, place), written_at)


def _read(path: Path) -> tuple[str, datetime]:
    place = printable(path)
    try:
        descriptor = os.open(path, READING)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise DataError(f"{place}: is not a file; have the number, alloy and phase of the cast written there")
            content = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise DataError(f"{place}: is missing; alarms.cast.file names it, so have it written there") from None
    except OSError as error:
        raise DataError(f"{place}: cannot be read: {error.strerror}") from None
    if len(content) > MOST_BYTES:
        raise DataError(f"{place}: has more than {MOST_BYTES} bytes, so it is no cast file")
    try:
        return content.decode("utf-8-sig"), datetime.fromtimestamp(status.st_mtime, UTC)
    except UnicodeDecodeError:
        raise DataError(f"{place}: is not text in UTF-8") from None
    except (OverflowError, ValueError, OSError):
        raise DataError(f"{place}: its time is none that there is; write the file again") from None


def _cast(values: dict[str, Any], place: str) -> tuple[str | None, str | None, Phase]:
    said = values.get("phase")
    phase = next((one for one in PHASES if isinstance(said, str) and said.strip().lower() == one), None)
    if phase is None:
        what = "has no phase" if said is None else f"{printable(str(said))[:60]!r} is no phase"
        raise DataError(f"{place}: {what}; write one of {', '.join(PHASES)}")
    number, alloy = (_name(values.get(key), key, place) for key in ("number", "alloy"))
    if number is None and phase != "idle":
        raise DataError(f"{place}: has no number, and only in the phase idle there need be none")
    return number, alloy, phase


def _name(value: object, key: str, place: str) -> str | None:
    """A number or an alloy; None where it is left out or empty."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise DataError(f"{place}: {key} is neither a text nor a whole number")
    try:
        return checked_name(str(value))
    except ValueError as error:
        raise DataError(f"{place}: {key} {error}") from None
