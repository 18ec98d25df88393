"""Tells the files that the store knows, by name, size and time, from those that have to be read.

Files are looked at outside of transactions: a share may take its time to answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from monitor.files.looks import is_gone, is_unchanged, look
from monitor.files.text import from_text, to_text
from monitor.store.crops import known_crops
from monitor.store.decisions import stored_scores
from monitor.store.labelled_files import files_of_contents

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from monitor.store.crops import KnownCrop
    from monitor.store.database.engine import Database
    from monitor.store.decisions import StoredScore

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
    """Tell the paths that have to be read from those that the store knows, by name, size and time.

    With ``model_ids``, a crop is known only when all of these models have decided on it, so that a new model
    decides on old crops and a failed crop is tried again; without, any row will do.
    """
    paths_of = {to_text(path): path for path in paths}
    with database.read() as connection:
        rows_of = known_crops(connection, list(paths_of))
    known: dict[str, KnownCrop] = {}
    for text, rows in rows_of.items():
        path = paths_of[text]
        looks = look(path)
        for row in rows:
            if is_unchanged(looks, row) and row.reason not in WORTH_ANOTHER_TRY:
                known[path] = row
    decisions: dict[int, list[StoredScore]] = {}
    if model_ids and known:
        with database.read() as connection:
            decisions = stored_scores(connection, [row.id for row in known.values()], model_ids)
    stored = {path: StoredCrop(row, decisions.get(row.id, [])) for path, row in known.items()}
    if model_ids:
        stored = {path: crop for path, crop in stored.items() if len(crop.scores) == len(model_ids)}
    return [path for path in paths if path not in stored], stored


def undecided(database: Database, paths: Sequence[str]) -> list[str]:
    """The paths that the store has no row of as they look now, not even one that says why they failed."""
    with database.read() as connection:
        rows = known_crops(connection, [to_text(path) for path in paths])
    return [
        path
        for path in paths
        if (looks := look(path)) is not None
        and not any(is_unchanged(looks, row) for row in rows.get(to_text(path), ()))
    ]


def new(database: Database, paths: Sequence[str]) -> list[str]:
    """The paths that the store does not know, without those that have vanished."""
    return [path for path in unknown(database, paths)[0] if not is_gone(path)]


def moved_away(database: Database, contents: Collection[str]) -> list[str]:
    """The paths at which labelled files of these contents used to lie, and no longer do."""
    with database.read() as connection:
        files = files_of_contents(connection, contents)
    return [row.path for row in files if is_gone(from_text(row.path))]
