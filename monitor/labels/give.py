"""Give crops a label by command."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from monitor.labels.labels import valid
from monitor.store.labels import NewLabel, add_labels, labels_of_contents

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy.engine import Connection

    from monitor.store.labels import FoundCrop, LabelRow
    from monitor.words import Label


@dataclass(frozen=True, slots=True)
class Given:
    """How many contents got the label, and how many had it already from the same author."""

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
    """Label crops, each content once, and return how many labels are new.

    A label that the same author gave already is not added again, unless the note is another or it has to settle.
    """
    chosen: dict[str, FoundCrop] = {}
    for crop in crops:
        chosen.setdefault(crop.sha256, crop)
    before = labels_of_contents(connection, chosen.keys())
    now = datetime.now(UTC)
    rows = [
        NewLabel(crop.id, label.value, "command", author, now, note, settles)
        for sha256, crop in chosen.items()
        if not _says_already(before.get(sha256, ()), label, author, note, settles=settles)
    ]
    add_labels(connection, rows)
    return Given(len(rows), len(chosen) - len(rows))


def _says_already(
    rows: Sequence[LabelRow], label: Label, author: str | None, note: str | None, *, settles: bool
) -> bool:
    counting = valid(rows)
    if settles:
        # Settling means having the last word, so only a settling label that is the newest is the same.
        counting = [row for row in counting[-1:] if row.settles]
    own = [row for row in counting if row.source != "folder" and row.author == author]
    return bool(own) and own[-1].label == label.value and note in (None, own[-1].note)
