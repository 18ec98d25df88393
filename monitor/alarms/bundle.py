"""The form of an alarm's evidence as a ZIP file: a manifest that comes first, and the members that it lists.

Only what follows that form is taken for one: `monitor.alarms.verification` reads files that anyone may have made.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Final, Literal
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from monitor.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMAT: Final = "proliv-monitor alarm evidence"
MANIFEST: Final = "manifest.json"
# Names of one or more parts, none of which begins with a dot, so that they lead nowhere else.
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}(/[A-Za-z0-9][A-Za-z0-9._-]{0,99}){0,3}")
# A member, all of them together, and how many there may be.
LARGEST_MEMBER: Final = 64 * 2**20
LARGEST_TOTAL: Final = 2**30
MOST_MEMBERS: Final = 20_000

Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Member(BaseModel):
    """What the manifest says of a member."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    bytes: int = Field(ge=0, le=LARGEST_MEMBER)
    sha256: Digest


class Manifest(BaseModel):
    """The manifest: whose evidence it is, and every other member. ``made_at``: in UTC."""

    model_config = ConfigDict(frozen=True)

    format: Literal["proliv-monitor alarm evidence"] = FORMAT
    version: Literal[1] = 1
    made_by: str = Field(max_length=200)
    made_at: datetime
    alarm: int = Field(ge=1)
    about: str = Field(max_length=10_000)
    members: dict[str, Member] = Field(max_length=MOST_MEMBERS)


def made(members: Mapping[str, bytes], *, made_by: str, made_at: datetime, alarm: int, about: str) -> bytes:
    """A ZIP file with these members, by name, and the manifest of them.

    Raises `DataError` where that is more than a reader takes.
    """
    too_large = [name for name, content in members.items() if len(content) > LARGEST_MEMBER]
    if too_large or len(members) > MOST_MEMBERS or sum(map(len, members.values())) > LARGEST_TOTAL:
        raise DataError(
            f"alarm {alarm}: its evidence is too much for one file: {len(members):,} parts with "
            f"{sum(map(len, members.values())):,} bytes; export it with --no-pictures"
        )
    assert all(NAME.fullmatch(name) for name in members)
    listed = {name: Member(bytes=len(content), sha256=_sha256(content)) for name, content in members.items()}
    manifest = Manifest(made_by=made_by, made_at=made_at, alarm=alarm, about=about[:10_000], members=listed)
    head = json.dumps(manifest.model_dump(mode="json"), indent=1).encode() + b"\n"
    stream = io.BytesIO()
    moment = made_at.timetuple()[:6]
    with ZipFile(stream, "w") as archive:
        # The manifest as it is, so that an export is known by how it begins.
        for name, content in {MANIFEST: head, **members}.items():
            info = ZipInfo(name, moment)
            info.compress_type = ZIP_DEFLATED if name.endswith((".json", ".html")) and name != MANIFEST else ZIP_STORED
            info.external_attr = 0o100644 << 16
            archive.writestr(info, content)
    return stream.getvalue()


def is_bundle(beginning: bytes) -> bool:
    """Whether a file that begins so is the evidence of an alarm."""
    name = MANIFEST.encode()
    return (
        beginning.startswith(b"PK\x03\x04") and beginning[30 : 30 + len(name)] == name and FORMAT.encode() in beginning
    )


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
