"""Whether the store is whole: its tables and rows, the models on the disk, and the files of what was decided."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from monitor.errors import InputMissingError, ModelDamagedError, StoreError
from monitor.files.chunks import chunks
from monitor.files.looks import is_unchanged, look
from monitor.files.text import from_text, to_text
from monitor.files.walking import crop_paths
from monitor.models import folders
from monitor.store import consistency, models
from monitor.store.database import upgrade
from monitor.store.database.rows import VALUES_AT_ONCE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from monitor.configuration.resolved import Configuration
    from monitor.store.consistency import FileRow
    from monitor.store.database.engine import Database

EXAMPLES: Final = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be, or, as a ``note``, that may well be so.

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
    """Look at everything, what is wrong first; a damaged database is looked at no further.

    ``full``: every index of the database too, which takes as long again.
    """
    found = list(_database(database, full=full))
    if not found:
        found = [*_rows(database), *_models(database, configuration), *_files(database, configuration)]
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
            "somebody has changed the tables; restore the last backup",
        )


def _rows(database: Database) -> Iterator[Finding]:
    with database.read() as connection:
        orphans = consistency.orphans(connection)
        bare = consistency.scored_without_scores(connection)
        undecided = consistency.active_without_threshold(connection)
    if orphans:
        yield Finding(
            "orphans",
            sum(orphans.values()),
            "rows that point at rows which do not exist",
            tuple(f"{column}: {count}" for column, count in orphans.items())[:EXAMPLES],
            "rows were deleted past the program; restore the last backup",
        )
    yield from _finding(
        "without_scores",
        bare,
        "decided crops without any score",
        "rows were deleted past the program; restore the last backup, or go on without them",
    )
    yield from _finding(
        "without_threshold",
        undecided,
        "active models without a threshold",
        "calibrate them: monitor calibrate --model NAME --data DIR",
    )


def _models(database: Database, configuration: Configuration) -> Iterator[Finding]:
    with database.read() as connection:
        rows = models.all_models(connection)
    damaged = []
    for row in rows:
        try:
            folders.verify(configuration.models / Path(row.folder).name, row.fingerprint)
        except ModelDamagedError as error:
            damaged.append(f"{row.name}{' (active)' if row.active else ''}: {error}")
    yield from _finding(
        "models",
        damaged,
        "models whose folder is missing or is not what was trained",
        f"restore their folders below {to_text(configuration.models)} from a backup",
    )


def _files(database: Database, configuration: Configuration) -> Iterator[Finding]:
    """Hold the places that the store knows against what lies there, and the other way round.

    A daemon may be moving files meanwhile. It notes a place before it moves a file there, so that the archive is looked
    at before the rows are; and what seems to have vanished, which may have been on its way, is looked at once more.
    """
    # Numbers, for there may be millions; two names with the same are less likely than a broken disk.
    unknown = {hash(to_text(path)) for path in _archived_files(configuration)}
    gone: list[str] = []
    seeming: list[int] = []
    with database.read() as connection:
        for row in consistency.file_rows(connection):
            unknown.discard(hash(row.archived_path))
            state = _state(row, configuration)
            if state == "vanished":
                seeming.append(row.id)
            elif state == "gone":
                gone.append(row.path)
    vanished: list[str] = []
    for ids in chunks(seeming, VALUES_AT_ONCE):
        with database.read() as connection:
            rows = consistency.file_rows(connection, ids)
            vanished += [row.archived_path or row.path for row in rows if _state(row, configuration) == "vanished"]
    if vanished and not os.access(configuration.inbox, os.R_OK | os.X_OK):
        yield Finding(
            "inbox",
            len(vanished),
            "decided files that nobody can find, for the inbox cannot be read",
            (to_text(configuration.inbox),),
            "mount its share, or give the user who runs this program read permission; then check again",
        )
        vanished = []
    yield from _finding(
        "vanished",
        vanished,
        "decided files that lie neither in the inbox nor in the archive",
        "somebody else took them away, or the camera overwrote them before they were moved, so that no other model can "
        'score them any more; if that is meant, as where another program deletes old files, set inbox.after = "delete"',
    )
    yield from _finding(
        "gone",
        gone,
        "decided files that are deleted or overwritten",
        "nothing, if that is meant: their decisions stand, but another model cannot score them",
        note=True,
    )
    yield from _finding(
        "unknown_archived",
        [name for name in map(to_text, _archived_files(configuration) if unknown else ()) if hash(name) in unknown],
        "files in the archive that the database does not know",
        "they were archived after the backup that was restored, or put there by somebody; copy them into the inbox to "
        "have them decided, or remove them",
    )


def _state(row: FileRow, configuration: Configuration) -> str:
    if row.pruned or row.source == "labelled":
        return "present"  # nobody expects it anywhere
    path = from_text(row.path)
    looks = look(path)
    if is_unchanged(looks, row):
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
