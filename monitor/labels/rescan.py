"""A look over the labelled folder by hand."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitor.crops import reader as crops_reader
from monitor.files.chunks import chunks
from monitor.files.text import printable, to_text
from monitor.files.walking import crop_files
from monitor.labels.folder import LabelledFolder, is_folder
from monitor.scoring import pipeline, record
from monitor.scoring import work as scoring_work
from monitor.store import labelled_files

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.configuration.resolved import Configuration
    from monitor.scoring.ensemble import Ensemble
    from monitor.scoring.work import Work
    from monitor.store.database.engine import Database


log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Rescanned:
    """What a look at the labelled folder found: files with a label that are new or changed, those of them that cannot
    be read, and files that are no longer there.
    """

    new: int
    unreadable: int
    gone: int


def rescan(configuration: Configuration, database: Database, ensemble: Ensemble) -> Rescanned:
    """Look over the labelled folder, and take over what is new and what is gone.

    Without a configured folder, or where it is missing, nothing is done.
    """
    if configuration.labelled is None:
        return Rescanned(0, 0, 0)
    labelled = LabelledFolder(configuration.labelled)
    labelled.warn_of_links()
    if not is_folder(labelled.folder):
        return Rescanned(0, 0, 0)
    reader = crops_reader.Reader(configuration)
    gone = labelled.forget_gone(database)
    new = unreadable = 0
    for batch in chunks(crop_files(labelled.folder, _warn_unreadable), configuration.settings.pipeline.batch_size):
        works = [reader.read(path, label=labelled.label_of(path)) for path in labelled.unknown(database, batch)]
        works = [work for work in works if not (work.refusal and work.refusal.reason == "vanished")]
        pipeline.score(works, ensemble)
        recorded = record.store(database, works)
        for work in works:
            if scoring_work.key(work) in recorded.failed:
                warn_unreadable(work)
        with database.read() as connection:
            rows = labelled_files.known_files(connection, [to_text(work.path) for work in works])
        refused = sum(row.reason is not None for row in rows.values())
        new += len(rows) - refused
        unreadable += refused
    return Rescanned(new, unreadable, gone)


def warn_unreadable(work: Work) -> None:
    """Say that a labelled file gives no label, and why."""
    assert work.refusal is not None
    log.warning(
        "%s: %s; its label does not count (%s) until the file is replaced",
        printable(work.path), work.refusal, work.refusal.reason,
    )  # fmt: skip


def _warn_unreadable(folder: Path, error: OSError) -> None:
    log.warning(
        "%s: the folder cannot be read: %s; its labels are not taken over until its permissions are mended",
        printable(folder), error.strerror,
    )  # fmt: skip
