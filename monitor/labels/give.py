"""Giving a label to crops."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from monitor.labels.labels import valid
from monitor.store import labels as stored
from monitor.store.labels import NewLabel

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy.engine import Connection

    from monitor.store.labels import FoundCrop, LabelRow
    from monitor.words import Label


@dataclass(frozen=True, slots=True)
class Given:
    """How many contents got a label, and how many had it already from the same author."""

    new: int
    known: int


def give(
    connection: Connection,
    crops: Iterable[FoundCrop],
    label: Label,
    *,
    author: str | None,
    note: str | None = None,
    settles: bool = False,
) -> Given:
    """Label crops by command, each content once; what the same author said of one already is not added again."""
    chosen: dict[str, FoundCrop] = {}
    for crop in crops:
        chosen.setdefault(crop.sha256, crop)
    before = stored.labels_of_contents(connection, chosen.keys())
    now = datetime.now(UTC)
    rows = [
        NewLabel(crop.id, label.value, "command", author, now, note, settles)
        for sha256, crop in chosen.items()
        if not _says_already(before.get(sha256, ()), label, author, note, settles=settles)
    ]
    stored.add_labels(connection, rows)
    return Given(len(rows), len(chosen) - len(rows))


def _says_already(
    rows: Sequence[LabelRow], label: Label, author: str | None, note: str | None, *, settles: bool
) -> bool:
    counting = valid(rows)
    if settles:
        # To settle means to have the last word.
        counting = [row for row in counting[-1:] if row.settles]
    own = [row for row in counting if row.source != "folder" and row.author == author]
    return bool(own) and own[-1].label == label.value and note in (None, own[-1].note)
