"""Takes over what is new in the labelled folder and what is gone from it, by hand."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitor.crops.reader import Reader
from monitor.crops.refusals import lacks_memory
from monitor.files.chunks import chunks
from monitor.files.ignoring import IgnoredNames
from monitor.files.text import printable, to_text
from monitor.files.walking import crop_files
from monitor.labels.folder import LabelledFolder, is_folder
from monitor.logs import fields
from monitor.scoring import pipeline
from monitor.scoring.record import Committed, record
from monitor.store import labelled_files

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.configuration.resolved import Configuration
    from monitor.errors import CropRefusedError
    from monitor.scoring.ensemble import Ensemble
    from monitor.store.database.engine import Database


log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Rescanned:
    """What was found in the labelled folder.

    ``new``: files with a label that are new or changed. ``unreadable``: those of them that cannot be read. ``gone``:
    files that are no longer there.
    """

    new: int
    unreadable: int
    gone: int


def rescan(configuration: Configuration, database: Database, ensemble: Ensemble) -> Rescanned:
    """Take over what is new in the labelled folder, and forget what is gone.

    Does nothing without a configured folder, or where it is missing.
    """
    if configuration.labelled is None:
        return Rescanned(0, 0, 0)
    labelled = LabelledFolder(configuration.labelled, IgnoredNames(configuration.settings.crops.ignore))
    labelled.warn_of_links()
    if not is_folder(labelled.folder):
        return Rescanned(0, 0, 0)
    reader = Reader(configuration)
    gone = labelled.forget_gone(database)
    new = unreadable = 0
    found = crop_files(labelled.folder, _warn_unreadable, labelled.ignored)
    for paths in chunks(found, configuration.settings.pipeline.batch_size):
        fresh = labelled.unknown(database, paths)
        decided = pipeline.score(reader.read(fresh, labels=[labelled.label_of(path) for path in fresh]), ensemble)
        recorded = record(database, [decided])
        for row in Committed.of(decided, recorded, time.time()).newly_failed:
            warn_unreadable(decided.files.paths[row], decided.refusals[row])
        for row, refusal in decided.refusals.items():
            if lacks_memory(refusal):
                log.warning("%s: %s; its label does not count yet", printable(decided.files.paths[row]), refusal)
        with database.read() as connection:
            rows = labelled_files.known_files(connection, [to_text(path) for path in fresh])
        refused = sum(row.reason is not None for row in rows.values())
        new += len(rows) - refused
        unreadable += refused
    return Rescanned(new, unreadable, gone)


def warn_unreadable(path: str, refusal: CropRefusedError) -> None:
    """Warn that a labelled file gives no label, and why."""
    log.warning(
        *("%s: %s; its label does not count (%s) until the file is replaced", printable(path), refusal, refusal.reason),
        extra=fields(path=printable(path), reason=refusal.reason),
    )


def _warn_unreadable(folder: Path, error: OSError) -> None:
    log.warning(
        "%s: the folder cannot be read: %s; its labels are not taken over until its permissions are corrected",
        printable(folder), error.strerror,
    )  # fmt: skip
