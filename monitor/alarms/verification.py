"""Checks a ZIP file with the evidence of an alarm, which anyone may have made.

Nothing is written to the disk. Before anything is unpacked, the file's own table of contents is bounded, and every name
and size in it is compared with the manifest; what is unpacked is counted and thrown away piece by piece.
"""

from __future__ import annotations

import hashlib
import os
import stat
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from pydantic import ValidationError

from monitor.alarms.bundle import LARGEST_MEMBER, LARGEST_TOTAL, MANIFEST, MOST_MEMBERS, NAME, Manifest
from monitor.errors import DataError, InputMissingError
from monitor.files.opening import not_waiting
from monitor.files.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from io import BufferedReader
    from pathlib import Path

# What the table of contents may take: some hundred bytes for each member.
LARGEST_TABLE: Final = 16 * 2**20
LARGEST_MANIFEST: Final = 8 * 2**20
BLOCK: Final = 65_536
# How a ZIP file ends: a mark, numbers of disks and members, the size and place of the table, and of a comment. Before
# it, larger archives have another mark; none of ours is so large.
_END: Final = struct.Struct("<4s4H2LH")
_END_MARK: Final = b"PK\x05\x06"
_LARGER_MARK: Final = b"PK\x06\x07"
_LARGER_BYTES: Final = 20
_LONGEST_COMMENT: Final = 65_535
# An encrypted member.
_ENCRYPTED: Final = 1
_BROKEN: Final = (BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, struct.error, ValueError)


@dataclass(frozen=True)
class Verified:
    """A file that is what its manifest says. ``sha256``: of the file itself; ``bytes``: of all members, unpacked."""

    manifest: Manifest
    sha256: str
    bytes: int


class _WrongError(Exception):
    """Why a file is not what it should be, as the end of a sentence that its path begins."""


def verify(path: Path) -> Verified:
    """Check a file whole; raises `DataError` with what is wrong, and `InputMissingError` where it cannot be read."""
    try:
        with open(path, "rb", opener=not_waiting) as file:
            return _verified(file)
    except _WrongError as wrong:
        raise DataError(f"{printable(path)}: {wrong}") from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputMissingError(f"{printable(path)}: cannot be read: {reason}; check the path") from None
    except _BROKEN as error:
        reason = printable(" ".join(str(error).split())) or type(error).__name__
        raise DataError(f"{printable(path)}: is no whole ZIP file: {reason}; take another copy of it") from None


def _verified(file: BufferedReader) -> Verified:
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        raise _WrongError("is not a regular file; give the ZIP file of monitor alarms export")
    _bound_table(file)
    with ZipFile(file) as archive:
        infos = archive.infolist()
        _require_plain(infos)
        manifest = _manifest(archive, infos)
        _require_listed(infos, manifest)
        for info in infos:
            if info.filename != MANIFEST:
                _require_same(archive, info, manifest.members[info.filename].sha256)
    file.seek(0)
    total = sum(member.bytes for member in manifest.members.values())
    return Verified(manifest, hashlib.file_digest(file, "sha256").hexdigest(), total)


def _bound_table(file: BufferedReader) -> None:
    """Refuse a table of contents that is larger than any of ours, before it is read into memory."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _END.size - _LONGEST_COMMENT - _LARGER_BYTES))
    tail = file.read()
    place = tail.rfind(_END_MARK)
    if place < 0 or len(tail) - place < _END.size:
        raise _WrongError("is no ZIP file, or was cut off; take another copy of it")
    _, _, _, _, members, table_bytes, _, _ = _END.unpack_from(tail, place)
    larger = tail[max(0, place - _LARGER_BYTES) : place].startswith(_LARGER_MARK)
    if larger or members > MOST_MEMBERS + 1 or table_bytes > LARGEST_TABLE:
        raise _WrongError(f"has more than the {MOST_MEMBERS:,} members that evidence may have, so it is not unpacked")
    file.seek(0)


def _require_plain(infos: Sequence[ZipInfo]) -> None:
    """Only plain members with plain names, each once, and not too much of them."""
    seen: set[str] = set()
    for info in infos:
        name = info.orig_filename
        shown = printable(repr(name))
        if name != info.filename or not NAME.fullmatch(name):
            raise _WrongError(f"has a member with the name {shown}, which evidence never has; do not unpack it")
        # On some systems upper and lower case are one.
        if name.lower() in seen:
            raise _WrongError(f"has two members with the name {shown}; do not unpack it")
        seen.add(name.lower())
        if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG) or info.flag_bits & _ENCRYPTED:
            raise _WrongError(
                f"{shown} in it is a link, a device or encrypted, which evidence never is; do not unpack it"
            )
        if info.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
            raise _WrongError(f"{shown} in it is packed in a way that evidence never is; do not unpack it")
        if info.file_size > LARGEST_MEMBER:
            raise _WrongError(
                f"{shown} in it has {info.file_size:,} bytes, more than evidence may have; do not unpack it"
            )
    if sum(info.file_size for info in infos) > LARGEST_TOTAL:
        raise _WrongError(f"would be more than {LARGEST_TOTAL:,} bytes, which evidence never is; do not unpack it")


def _manifest(archive: ZipFile, infos: Sequence[ZipInfo]) -> Manifest:
    info = next((info for info in infos if info.filename == MANIFEST), None)
    if info is None:
        raise _WrongError(f"has no {MANIFEST}, so it is not the evidence of an alarm; see: monitor alarms export")
    if info.file_size > LARGEST_MANIFEST:
        raise _WrongError(f"its {MANIFEST} has {info.file_size:,} bytes, more than one may have; do not unpack it")
    try:
        return Manifest.model_validate_json(b"".join(_pieces(archive, info)))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "all of it"
        raise _WrongError(
            f"its {MANIFEST} is not one that this version knows ({printable(where)}: {printable(first['msg'])}); it "
            "was changed, or made by a newer version"
        ) from None


def _require_listed(infos: Sequence[ZipInfo], manifest: Manifest) -> None:
    """The members and those that the manifest lists are the same, with the same sizes."""
    found = {info.filename: info.file_size for info in infos if info.filename != MANIFEST}
    for name in found.keys() - manifest.members.keys():
        raise _WrongError(f"{name} in it is not in its manifest: it was put there later")
    for name, member in manifest.members.items():
        if name not in found:
            raise _WrongError(f"lacks {printable(name)}, which its manifest lists: it was taken out")
        if found[name] != member.bytes:
            raise _WrongError(f"{name} in it has {found[name]:,} bytes instead of {member.bytes:,}: it was changed")


def _require_same(archive: ZipFile, info: ZipInfo, sha256: str) -> None:
    digest = hashlib.sha256()
    for piece in _pieces(archive, info):
        digest.update(piece)
    if digest.hexdigest() != sha256:
        raise _WrongError(f"{info.filename} in it does not have the checksum of its manifest: it was changed")


def _pieces(archive: ZipFile, info: ZipInfo) -> Iterator[bytes]:
    """A member's content, piece by piece; raises `_WrongError` where it is damaged or more than announced."""
    left = info.file_size
    try:
        with archive.open(info) as member:
            while piece := member.read(BLOCK):
                left -= len(piece)
                if left < 0:
                    raise _WrongError(f"{info.filename} in it unpacks to more than it says; do not unpack it")
                yield piece
    except _BROKEN as error:
        raise _WrongError(
            f"{info.filename} in it is damaged ({printable(str(error)) or type(error).__name__})"
        ) from None
    if left:
        raise _WrongError(f"{info.filename} in it ends too early: it is damaged")
