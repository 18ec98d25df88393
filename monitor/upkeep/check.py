"""Checks that the store is whole: its tables and rows, the models on the disk, and the files of decided crops."""

from __future__ import annotations

import hashlib
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from monitor.errors import InputMissingError, ModelDamagedError, StoreError
from monitor.files.chunks import chunks
from monitor.files.looks import look, may_be_unchanged
from monitor.files.text import from_text, to_text
from monitor.files.walking import crop_paths
from monitor.models import folders
from monitor.store import consistency, kept
from monitor.store.database import upgrade
from monitor.store.models import all_models

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from monitor.configuration.resolved import Configuration
    from monitor.store.consistency import FileRow
    from monitor.store.database.engine import Database

# Examples that are given of what was found.
EXAMPLES: Final = 5
# Rows that are read in one transaction, and kept contents, which are at most a megabyte each.
ROWS: Final = 1000
CONTENTS: Final = 64
# For how long the content of a crop may be due before it is told.
LONGEST_DUE: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be, or, as a ``note``, that may well be intended.

    ``kind``: a machine-readable word. ``examples``: a few of the ``count``. ``remedy``: what to do.
    """

    kind: str
    count: int
    what: str
    examples: tuple[str, ...]
    remedy: str
    note: bool = False

    def as_dict(self) -> dict[str, Any]:
        """The same by name, ready for JSON."""
        return asdict(self)


def check(database: Database, configuration: Configuration, *, full: bool = False) -> list[Finding]:
    """Check everything; faults come first, then notes. Of a damaged database nothing else is checked.

    ``full``: check every index of the database too, which takes twice as long.
    """
    found = list(_database(database, full=full))
    if not found:
        found = [
            *(*_rows(database), *_evidence(database)),
            *(*_models(database, configuration), *_files(database, configuration)),
        ]
    return sorted(found, key=lambda finding: finding.note)


def _finding(kind: str, items: Iterable[str], what: str, remedy: str, *, note: bool = False) -> Iterator[Finding]:
    listed = list(items)
    if listed:
        yield Finding(
            kind, len(listed), what, tuple(" ".join(item.split()) for item in listed[:EXAMPLES]), remedy, note
        )


def _database(database: Database, *, full: bool) -> Iterator[Finding]:
    try:
        damage = upgrade.damage(database, full=full)
    except StoreError as error:
        damage = [str(error)]
    yield from _finding(
        "damaged",
        damage,
        "places where the database file is damaged",
        "stop the daemon, move the file away and restore the last backup; see docs/retention.md",
    )
    if not damage:
        yield from _finding(
            "schema",
            upgrade.differences(database),
            "differences between the tables and those of this program",
            "the tables were changed by something else than this program; restore the last backup",
        )


def _rows(database: Database) -> Iterator[Finding]:
    with database.read() as connection:
        orphans = consistency.orphans(connection)
        without_scores = consistency.scored_without_scores(connection)
        without_verdict = consistency.scored_without_verdict(connection)
        wrongly_unusual = consistency.wrongly_unusual(connection)
        without_reason = consistency.failed_without_reason(connection)
        without_threshold = consistency.active_without_threshold(connection)
    if orphans:
        yield Finding(
            "orphans",
            sum(orphans.values()),
            "rows that refer to rows which do not exist",
            tuple(f"{column}: {count}" for column, count in orphans.items())[:EXAMPLES],
            "rows were deleted by something else than this program; restore the last backup",
        )
    yield from _finding(
        "without_scores",
        without_scores,
        "decided crops without any score",
        "rows were deleted by something else than this program; restore the last backup, or go on without them",
    )
    yield from _finding(
        "without_verdict",
        without_verdict,
        "decided crops without a verdict",
        "rows were changed by something else than this program; restore the last backup, or go on without them",
    )
    yield from _finding(
        "unusual",
        wrongly_unusual,
        "crops marked unusual that are decided proliv or that no model calls proliv",
        "rows were changed by something else than this program; restore the last backup, or go on: the mark is in no "
        "decision, only in which crops are drawn to be labelled",
    )
    yield from _finding(
        "without_reason",
        without_reason,
        "failed crops without a reason",
        "they have no decision and are not tried again by themselves; have them decided: monitor score DIR",
    )
    yield from _finding(
        "without_threshold",
        without_threshold,
        "active models without a threshold",
        "calibrate them: monitor calibrate --model NAME --data DIR",
    )


def _evidence(database: Database) -> Iterator[Finding]:
    """What is kept of crops: every content is read, and compared with its digest."""
    damaged: list[str] = []
    after = ""
    while True:
        with database.read() as connection:
            contents = kept.contents_after(connection, after, CONTENTS)
        if not contents:
            break
        damaged += [sha256 for sha256, content in contents if hashlib.sha256(content).hexdigest() != sha256]
        after = contents[-1][0]
    with database.read() as connection:
        unused = kept.unused(connection)
        due = kept.owed_since(connection, datetime.now(UTC) - LONGEST_DUE)
    yield from _finding(
        "evidence_damaged",
        damaged,
        "kept crops whose content is not what was kept, by its digest",
        "rows were changed by something else than this program; restore the last backup",
    )
    yield from _finding(
        "evidence_unused",
        unused,
        "kept contents that belong to no crop",
        "rows were deleted by something else than this program; they only take space",
        note=True,
    )
    yield from _finding(
        "evidence_due",
        [path if problem is None else f"{path}: {problem}" for path, problem in due],
        "crops that have to be kept as evidence, and are not yet",
        "start the daemon, which reads their files; where it says that it may not, correct the permissions",
        note=True,
    )


def _models(database: Database, configuration: Configuration) -> Iterator[Finding]:
    with database.read() as connection:
        rows = all_models(connection)
    damaged = []
    for row in rows:
        try:
            folders.verify(folders.folder_of(configuration.models, row), row.fingerprint)
        except ModelDamagedError as error:
            damaged.append(f"{row.name}{' (active)' if row.active else ''}: {error}")
    yield from _finding(
        "models",
        damaged,
        "models whose folder is missing or is not what was trained",
        f"restore their folders below {to_text(configuration.models)} from a backup",
    )


def _files(database: Database, configuration: Configuration) -> Iterator[Finding]:
    """Compare the places that the store knows with what lies there, both ways.

    A daemon may be moving files meanwhile. It notes a place before it moves a file there, so the archive is read before
    the rows are.
    """
    # Hashes, as there may be millions of paths; two paths with the same one are less likely than a broken disk.
    unknown = {hash(to_text(path)) for path in _archived_files(configuration)}
    vanished, gone = _missing_files(database, configuration, unknown)
    yield from _vanished(vanished, configuration)
    yield from _finding(
        "gone",
        gone,
        "decided files that are deleted or overwritten",
        "nothing, if that is intended: their decisions stand, but another model cannot score them",
        note=True,
    )
    yield from _finding(
        "unknown_archived",
        [name for name in map(to_text, _archived_files(configuration) if unknown else ()) if hash(name) in unknown],
        "files in the archive that the database does not know",
        "they were archived after the backup that was restored, or another program put them there; copy them into the "
        "inbox to have them decided, or remove them",
    )


def _missing_files(database: Database, configuration: Configuration, unknown: set[int]) -> tuple[list[str], list[str]]:
    """The places of decided files that have vanished, and of those that are gone as they may be.

    The hashes of all places in the archive that the store knows are taken out of ``unknown``.
    """
    gone: list[str] = []
    suspects: list[int] = []
    for row in _decided(database):
        unknown.discard(hash(row.archived_path))
        state = _state(row, configuration)
        if state == "vanished":
            suspects.append(row.id)
        elif state == "gone":
            gone.append(row.path)
    vanished: list[str] = []
    # A daemon may have been moving them: their rows and places are read once more.
    for ids in chunks(suspects, ROWS):
        with database.read() as connection:
            rows = consistency.file_rows_of(connection, ids)
        vanished += [row.archived_path or row.path for row in rows if _state(row, configuration) == "vanished"]
    return vanished, gone


def _decided(database: Database) -> Iterator[FileRow]:
    """Every decided crop. No transaction stays open while its file is looked at: a share may take hours to answer."""
    after = 0
    while True:
        with database.read() as connection:
            rows = consistency.file_rows(connection, after=after, most=ROWS)
        if not rows:
            return
        yield from rows
        after = rows[-1].id


def _vanished(places: list[str], configuration: Configuration) -> Iterator[Finding]:
    if places and not os.access(configuration.inbox, os.R_OK | os.X_OK):
        yield Finding(
            "inbox",
            len(places),
            "decided files that cannot be found because the inbox cannot be read",
            (to_text(configuration.inbox),),
            "mount its share, or give the user who runs this program read permission; then check again",
        )
        return
    yield from _finding(
        "vanished",
        places,
        "decided files that lie neither in the inbox nor in the archive",
        "another program took them away, or the camera overwrote them before they were moved, so that no other model "
        "can score them any more; if that is intended, as where another program deletes old files, set inbox.after = "
        '"delete"',
    )


def _state(row: FileRow, configuration: Configuration) -> str:
    if row.pruned or row.source == "labelled":
        return "present"  # it need not lie anywhere
    looks = look(from_text(row.path))
    if may_be_unchanged(looks, row):
        return "present"
    if row.archived_path is not None:
        return "present" if look(from_text(row.archived_path)) is not None else "vanished"
    overwritten = looks is not None
    expected = row.source == "inbox" and configuration.settings.inbox.after != "delete"
    return "vanished" if expected and not overwritten else "gone"


def _archived_files(configuration: Configuration) -> Iterator[Path]:
    if configuration.archive is None or not os.path.isdir(configuration.archive):  # noqa: PTH112 - never raises
        return
    try:
        yield from crop_paths(configuration.archive, lambda _folder, _error: None)
    except InputMissingError:
        return
