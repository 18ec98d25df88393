"""Why a crop is not labelled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from monitor.store.details import StoredCropRow


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a label is neither given nor taken back.

    ``why``: the note is too long; the crop cannot be labelled (see `cannot`); the label does not count any more, or
    is not the person's; the person has labelled something since, which is crop ``crop_id``; or the label was given
    together with others, ``count`` in all. ``note``: what was written with it, so that it is not lost.
    """

    why: Literal["long", "unreadable", "failed", "late", "since", "together"]
    note: str = ""
    crop_id: int = 0
    count: int = 0

    @property
    def status(self) -> int:
        """The status of the answer."""
        return 413 if self.why == "long" else 409


def cannot(row: StoredCropRow) -> Literal["unreadable", "failed"] | None:
    """Why a crop cannot be labelled: its content has no digest that a label could belong to, or was not scored."""
    if not row.sha256:
        return "unreadable"
    return None if row.state == "scored" else "failed"
