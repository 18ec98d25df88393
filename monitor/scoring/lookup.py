"""Tells the files that the store knows from those that have to be read.

A file is known by its name and its looks, see `monitor.files.looks`. Where size and time are those of its row but the
rest is not, as after a change of permissions, a remounted share or a restored backup, and for rows of older programs,
its content is compared with that of the row, and the row gets the new looks.

Files are looked at outside of transactions: a share may take its time to answer.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, NamedTuple

from monitor.errors import StoreDamagedError, StoreError
from monitor.files.looks import is_gone, is_unchanged, look, may_be_unchanged
from monitor.files.text import from_text, to_text
from monitor.scoring.matching import match
from monitor.store import crops
from monitor.store.crops import known_crops
from monitor.store.decisions import stored_scores
from monitor.store.labelled_files import files_of_contents

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from monitor.scoring.matching import Match
    from monitor.store.crops import KnownCrop
    from monitor.store.database.engine import Database
    from monitor.store.decisions import StoredScore

log = logging.getLogger(__name__)

# Reasons that may no longer hold although the file is unchanged: permissions or the detector may have been corrected,
# and no model was at fault for an undecided crop.
WORTH_ANOTHER_TRY: Final = frozenset({"unreadable", "detector_error", "undecided"})


class StoredCrop(NamedTuple):
    """What the store knows of a file: its row, and the decisions of the models that were asked about."""

    crop: KnownCrop
    scores: list[StoredScore]


def unknown(
    database: Database, paths: Sequence[str], *, model_ids: Sequence[int] = ()
) -> tuple[list[str], dict[str, StoredCrop]]:
    """Tell the paths that have to be read from those that the store knows.

    With ``model_ids``, a crop is known only when all of these models have decided on it, so that a new model
    decides on old crops and a failed crop is tried again; without, any row will do.
    """
    matches = _matches(database, paths)
    known = {
        path: found.row
        for path, found in matches.items()
        if found.certain and found.row.reason not in WORTH_ANOTHER_TRY
    }
    decisions: dict[int, list[StoredScore]] = {}
    if model_ids and known:
        with database.read() as connection:
            decisions = stored_scores(connection, [row.id for row in known.values()], model_ids)
    stored = {path: StoredCrop(row, decisions.get(row.id, [])) for path, row in known.items()}
    if model_ids:
        stored = {path: crop for path, crop in stored.items() if len(crop.scores) == len(model_ids)}
    return [path for path in paths if path not in stored], stored


def new(
    database: Database, paths: Sequence[str], *, again: bool = True, alive: Callable[[], None] = lambda: None
) -> list[str]:
    """The paths that the daemon has to read: they are unknown and there.

    A file that cannot be looked at, but was decided on, is not: it may still be what it was. ``again``: those whose
    reason may no longer hold are tried again. ``alive``: as for `match`.
    """
    matches = _matches(database, paths, alive)
    known = {path for path, found in matches.items() if not (again and found.row.reason in WORTH_ANOTHER_TRY)}
    return [path for path in paths if path not in known and not is_gone(path)]


def undecided(database: Database, paths: Sequence[str]) -> list[str]:
    """The paths that the store has no row of as they look now, not even one that says why they failed."""
    with database.read() as connection:
        rows = known_crops(connection, [to_text(path) for path in paths])
    return [
        path
        for path in paths
        if (looks := look(path)) is not None
        and not any(
            # Older programs stored no more than size and time.
            may_be_unchanged(looks, row) if row.inode is None else is_unchanged(looks, row)
            for row in rows.get(to_text(path), ())
        )
    ]


def moved_away(database: Database, contents: Collection[str]) -> list[str]:
    """The paths at which labelled files of these contents used to lie, and no longer do."""
    with database.read() as connection:
        files = files_of_contents(connection, contents)
    return [row.path for row in files if is_gone(from_text(row.path))]


def _matches(
    database: Database, paths: Sequence[str], alive: Callable[[], None] = lambda: None
) -> dict[str, Match[KnownCrop]]:
    """The rows that the files at these paths belong to; what was found out about them is stored."""
    with database.read() as connection:
        rows_of = known_crops(connection, [to_text(path) for path in paths])
    if not rows_of:
        return {}
    found: dict[str, Match[KnownCrop]] = {}
    for path in paths:
        rows = rows_of.get(to_text(path))
        one = match(path, rows, alive) if rows else None
        if one is not None:
            found[path] = one
    _remember(database, found, rows_of)
    return found


def _remember(
    database: Database, found: Mapping[str, Match[KnownCrop]], rows_of: Mapping[str, Sequence[KnownCrop]]
) -> None:
    """Store new looks, and forget that files could not be read once which turned out to be known."""
    looks = {one.row.id: one.looks for one in found.values() if one.looks is not None}
    void = [
        row.id
        for path, one in found.items()
        if one.certain and one.row.sha256
        for row in rows_of[to_text(path)]
        if not row.sha256
    ]
    if not looks and not void:
        return
    try:
        with database.write() as connection:
            crops.set_looks(connection, looks)
            crops.forget_unreadable(connection, void)
    except StoreDamagedError:
        raise
    except StoreError as error:
        # They are compared once more the next time.
        log.debug("what %d known files look like now was not stored: %s", len(looks), error)
