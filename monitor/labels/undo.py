"""Take back the last labels that an author gave: nothing is deleted, further rows say that they no longer count."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from monitor.errors import DataError
from monitor.store.labels import NewLabel, add_labels, newest_action

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.engine import Connection

    from monitor.store.labels import LabelRow


def undo(connection: Connection, action: Sequence[LabelRow], *, author: str, note: str | None) -> None:
    """Take back the labels of an author's newest action, as `newest_action` found them a moment ago.

    Afterwards the labels that counted before count again. Raises `DataError` when the author has labelled since, or
    the action was taken back by another program: what a person confirmed is then no longer what would be undone.
    """
    if {row.id for row in newest_action(connection, author)} != {row.id for row in action}:
        raise DataError(f"the labels of {author} have changed in the meantime; look again: monitor labels undo")
    now = datetime.now(UTC)
    rows = [NewLabel(row.crop_id, row.label, "command", author, now, note, False, undoes=row.id) for row in action]
    add_labels(connection, rows)
