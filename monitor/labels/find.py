"""Crops by id, file, pattern, hole, camera or time."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from monitor.files.text import printable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy.engine import Connection

    from monitor.cli.program import Program
    from monitor.store.labels import FoundCrop


LARGEST_ID: Final = 2**63 - 1


def of_span(
    connection: Connection, hole: int | None, camera: str | None, since: datetime | None, until: datetime | None
) -> list[FoundCrop]:
    """The crops of a hole, a camera and a span of time."""
    from monitor.errors import InputMissingError
    from monitor.store import labels as stored

    camera = None if camera is None else printable(camera)
    crops = list(stored.scored_crops(connection, hole=hole, camera=camera, since=since, until=until))
    if not crops:
        raise InputMissingError(
            "no scored crop is of this hole, camera and time; see what there is: monitor status, and mend the options"
        )
    return crops


class Targets:
    """Finds the crops that words of the command line mean, in one view of the database."""

    def __init__(self, connection: Connection, program: Program) -> None:
        from monitor.crops.loader import CropReader

        limits = program.configuration.settings.crops
        self._connection = connection
        self._reader = CropReader(max_bytes=limits.max_bytes, max_pixels=limits.max_pixels)

    def resolve(self, targets: Sequence[str]) -> tuple[list[FoundCrop], int]:
        """All that is meant, and how many of it by patterns; raises when one target means nothing."""
        crops: list[FoundCrop] = []
        patterns = []
        for target in targets:
            if re.fullmatch("[0-9]+", target, re.ASCII):
                crops.append(self._of_id(int(target)))
            elif re.search(r"[*?\[]", target) and not os.path.lexists(target):
                patterns.append(target)
            else:
                crops.append(self._of_file(target))
        matched = self._of_patterns(patterns) if patterns else []
        return [*crops, *matched], len(matched)

    def _of_id(self, crop_id: int) -> FoundCrop:
        from monitor.errors import InputMissingError

        found = self._find(ids=[crop_id]) if crop_id <= LARGEST_ID else []
        if not found:
            raise InputMissingError(
                f"there is no crop with the id {crop_id}; check the number, or name the crop's file"
            )
        return self._scored(found[0])

    def _of_file(self, target: str) -> FoundCrop:
        """The crop of a file that is there by its content, of one that is not by its stored path."""
        from monitor.errors import CropRefusedError, DataError, InputMissingError

        path = Path(target)
        # As the daemon stores a path, as a person may write it, and as our own messages show it.
        texts = {target, printable(os.path.abspath(path)), printable(os.path.realpath(path))}  # noqa: PTH100
        stored = self._find(paths=sorted(texts))
        try:
            sha256 = self._reader.load(path).sha256
        except CropRefusedError as refusal:
            if refusal.reason != "vanished" and not stored:
                raise InputMissingError(f"{printable(target)}: cannot be read: {refusal}") from None
        else:
            return self._of_content(target, sha256, stored)
        if not stored:
            raise InputMissingError(
                f"{printable(target)}: there is no such file, and no crop was stored by this path; check it"
            )
        scored = [crop for crop in stored if crop.state == "scored"] or stored
        if len(scored) > 1:
            ids = ", ".join(str(crop.id) for crop in scored)
            raise DataError(
                f"{printable(target)}: {len(scored)} crops had this path one after another; name one: {ids}"
            )
        return self._scored(scored[0])

    def _of_content(self, target: str, sha256: str, stored: Sequence[FoundCrop]) -> FoundCrop:
        from monitor.errors import InputMissingError
        from monitor.store import labelled_files

        same = [crop for crop in stored if crop.sha256 == sha256]
        if same and same[0].state == "scored":
            return same[0]
        known = labelled_files.crops_of_contents(self._connection, [sha256])
        if known:
            return self._find(ids=[known[sha256]])[0]
        if same:
            return self._scored(same[0])
        changed = " was changed since it was scored and" if stored else ""
        raise InputMissingError(
            f"{printable(target)}:{changed} is not known; score it first: monitor score DIR, or copy it into the "
            "labelled folder's proliv/ or ne_proliv/"
        )

    def _of_patterns(self, patterns: Sequence[str]) -> list[FoundCrop]:
        import fnmatch
        import glob

        from monitor.errors import InputMissingError
        from monitor.store import labels

        here = glob.escape(printable(os.getcwd()))  # noqa: PTH109
        # A pattern may also be written from the working directory on.
        compiled = {
            pattern: [re.compile(fnmatch.translate(one)) for one in (pattern, f"{here}/{pattern.removeprefix('./')}")]
            for pattern in patterns
        }
        unmatched = set(patterns)
        found = []
        for crop in labels.scored_crops(self._connection):
            names = (crop.path, crop.path.rpartition("/")[2])
            meant = {
                pattern
                for pattern, expressions in compiled.items()
                if any(expression.match(name) for expression in expressions for name in names)
            }
            if meant:
                found.append(crop)
                unmatched -= meant
        if unmatched:
            raise InputMissingError(
                f"{printable(min(unmatched))}: no scored crop has such a path or file name; quote a pattern, so that "
                "the shell leaves it alone"
            )
        return found

    def _find(self, *, ids: Sequence[int] = (), paths: Sequence[str] = ()) -> list[FoundCrop]:
        from monitor.store import labels

        return labels.find_crops(self._connection, ids=ids, paths=paths)

    @staticmethod
    def _scored(crop: FoundCrop) -> FoundCrop:
        from monitor.errors import DataError

        if crop.state != "scored":
            raise DataError(
                f"the crop {crop.id} ({crop.path}) could not be scored ({crop.reason}), so it cannot be labelled; "
                "mend the file and score it again"
            )
        return crop
