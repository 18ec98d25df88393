"""Where the file of a decided crop may lie: under its name, claimed by the tidier, set aside, archived or labelled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.files.text import from_text
from monitor.store import labelled_files
from monitor.store.crops import archived_places

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sqlalchemy.engine import Connection

    from monitor.configuration.resolved import Configuration
    from monitor.store.kept import Owed


def claim_name(crop_id: int) -> str:
    """What the file of a crop is called while it is taken out of the inbox."""
    return f".{crop_id}.monitor-claim"


def recent_folder(configuration: Configuration) -> Path:
    """Where the last decided files of each hole are set aside if decided files are deleted."""
    return configuration.state / "recent"


def places_of(connection: Connection, crops: Sequence[Owed], recent: Path) -> dict[int, list[Path]]:
    """By crop id, where its content may lie, in the order in which a file goes there."""
    contents = {crop.sha256 for crop in crops}
    elsewhere: dict[str, list[str]] = archived_places(connection, contents)
    for row in labelled_files.files_of_contents(connection, contents):
        elsewhere.setdefault(row.sha256, []).append(row.path)
    found: dict[int, list[Path]] = {}
    for crop in crops:
        path = from_text(crop.path)
        own = [path]
        if crop.source == "inbox":
            own += [path.with_name(claim_name(crop.crop_id)), recent / str(crop.crop_id)]
        found[crop.crop_id] = [*own, *map(from_text, elsewhere.get(crop.sha256, ()))]
    return found
