"""Find the crops that a person means: by id, file or pattern, or by hole, camera and time."""

from __future__ import annotations

import fnmatch
import glob
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from monitor.errors import CropRefusedError, DataError, InputMissingError
from monitor.files.text import printable
from monitor.store.labelled_files import crops_of_contents
from monitor.store.labels import find_crops, scored_crops

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy.engine import Connection

    from monitor.crops.loader import CropReader
    from monitor.store.labels import FoundCrop

# The largest number that a database's 64-bit integer column holds.
LARGEST_ID: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Selection:
    """Which crops a person means: the ``targets`` if there are any, else the crops that meet all other conditions.

    A target is a crop's id, a file, or a pattern such as ``*_CAM_C_*`` for stored paths and file names. ``camera`` is
    its name as it was typed. The time of a crop is the one in its name, or else when it was first seen; it must lie in
    [``since``, ``until``). A condition that is None is met by every crop.
    """

    targets: Sequence[str] = ()
    hole: int | None = None
    camera: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class Found(NamedTuple):
    """The crops that were found.

    ``unnamed`` of them matched a pattern or a condition and were not named singly; ``numbered``: those named by id.
    """

    crops: list[FoundCrop]
    unnamed: int
    numbered: Sequence[FoundCrop] = ()


def find_selected(connection: Connection, reader: CropReader, selection: Selection) -> Found:
    """Find all crops of a selection; each of them was scored, so that it can be labelled.

    ``reader`` reads the files that targets name. Raises `InputMissingError` when a target, or the selection without
    targets, means no crop, and `DataError` when a crop was not scored or a path stands for several crops.
    """
    if selection.targets:
        return _Targets(connection, reader).find(selection.targets)
    crops = list(
        scored_crops(
            connection,
            hole=selection.hole,
            camera=None if selection.camera is None else printable(selection.camera),
            since=selection.since,
            until=selection.until,
        )
    )
    if not crops:
        raise InputMissingError("no scored crop has this hole, camera and time; see what is stored: monitor status")
    return Found(crops, len(crops))


def find_crop(connection: Connection, reader: CropReader, target: str) -> FoundCrop:
    """Find the one crop that an id or a file means, scored or failed; raises as `find_selected`."""
    crops = _Targets(connection, reader, scored=False).find([target]).crops
    if len(crops) > 1:
        raise DataError(f"{printable(target)}: {len(crops)} crops match; name one by its id or its file")
    return crops[0]


class _Targets:
    """Finds the crops of targets, all in one view of the database; with ``scored``, failed crops are refused."""

    def __init__(self, connection: Connection, reader: CropReader, *, scored: bool = True) -> None:
        self._connection = connection
        self._reader = reader
        self._scored = scored

    def find(self, targets: Sequence[str]) -> Found:
        """The crops of all targets; raises when one target means nothing."""
        named: list[FoundCrop] = []
        numbered: list[FoundCrop] = []
        patterns = [target for target in targets if _is_pattern(target)]
        # Before the first query: a share may take hours to answer, and what a transaction has read stays in SQLite's
        # log until it ends.
        files = [target for target in targets if not (_is_id(target) or _is_pattern(target))]
        contents = {target: self._content(target) for target in files}
        for target in targets:
            if _is_id(target):
                numbered.append(self._of_id(int(target)))
                named.append(numbered[-1])
            elif target in contents:
                named.append(self._of_file(target, contents[target]))
        matched = self._of_patterns(patterns) if patterns else []
        return Found([*named, *matched], len(matched), numbered)

    def _of_id(self, crop_id: int) -> FoundCrop:
        found = find_crops(self._connection, ids=[crop_id]) if crop_id <= LARGEST_ID else []
        if not found:
            raise InputMissingError(
                f"there is no crop with the id {crop_id}; check the number, name the crop's file, or, if the hole is "
                f"meant, use --hole {crop_id}"
            )
        return self._checked(found[0])

    def _content(self, target: str) -> str | CropRefusedError:
        """The sha256 of a file, or why it cannot be read."""
        try:
            return self._reader.load(Path(target)).sha256
        except CropRefusedError as refusal:
            return refusal

    def _of_file(self, target: str, content: str | CropRefusedError) -> FoundCrop:
        """The crop with the content of the file, or, where the file is gone, the crop with its path."""
        path = Path(target)
        # As the daemon stores a path, as a person may type it, and as our own messages show it.
        texts = {target, printable(os.path.abspath(path)), printable(os.path.realpath(path))}  # noqa: PTH100
        stored = find_crops(self._connection, paths=sorted(texts))
        if isinstance(content, str):
            return self._of_content(target, content, stored)
        if content.reason != "vanished" and not stored:
            raise InputMissingError(f"{printable(target)}: cannot be read: {content}")
        return self._checked(_of_path(target, stored))

    def _of_content(self, target: str, sha256: str, stored: Sequence[FoundCrop]) -> FoundCrop:
        same = [crop for crop in stored if crop.sha256 == sha256]
        if same and same[0].state == "scored":
            return same[0]
        known = crops_of_contents(self._connection, [sha256])
        if known:
            return find_crops(self._connection, ids=[known[sha256]])[0]
        if same:
            return self._checked(same[0])
        changed = "has changed since it was scored, and its present content" if stored else "its content"
        raise InputMissingError(
            f"{printable(target)}: {changed} is not known; score it first with monitor score DIR, or copy it into "
            "proliv/ or ne_proliv/ of the labelled folder"
        )

    def _checked(self, crop: FoundCrop) -> FoundCrop:
        if self._scored and crop.state != "scored":
            raise DataError(
                f"crop {crop.id} ({crop.path}) could not be scored ({crop.reason}), so it cannot be labelled; "
                "fix the file and score it again"
            )
        return crop

    def _of_patterns(self, patterns: Sequence[str]) -> list[FoundCrop]:
        here = glob.escape(printable(os.getcwd()))  # noqa: PTH109
        # A pattern may also start at the working directory.
        compiled = {
            pattern: [re.compile(fnmatch.translate(one)) for one in (pattern, f"{here}/{pattern.removeprefix('./')}")]
            for pattern in patterns
        }
        unmatched = set(patterns)
        found = []
        for crop in scored_crops(self._connection):
            names = (crop.path, crop.path.rpartition("/")[2])
            matching = {
                pattern
                for pattern, expressions in compiled.items()
                if any(expression.match(name) for expression in expressions for name in names)
            }
            if matching:
                found.append(crop)
                unmatched -= matching
        if unmatched:
            raise InputMissingError(
                f"{printable(min(unmatched))}: no scored crop has a path or file name that matches; quote the pattern "
                "so that the shell does not expand it"
            )
        return found


def _is_id(target: str) -> bool:
    return re.fullmatch("[0-9]+", target, re.ASCII) is not None


def _is_pattern(target: str) -> bool:
    return re.search(r"[*?\[]", target) is not None and not os.path.lexists(target)


def _of_path(target: str, stored: Sequence[FoundCrop]) -> FoundCrop:
    """The one crop among those that were stored by the path of a file that cannot be read any more."""
    if not stored:
        raise InputMissingError(f"{printable(target)}: there is no such file, and no crop has this path; check it")
    scored = [crop for crop in stored if crop.state == "scored"] or stored
    if len(scored) > 1:
        ids = ", ".join(str(crop.id) for crop in scored)
        raise DataError(
            f"{printable(target)}: {len(scored)} crops have had this path one after another; name one by its id: {ids}"
        )
    return scored[0]
