"""A crop on its way from its file to its rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from monitor.files.text import to_text

if TYPE_CHECKING:
    from datetime import datetime

    from monitor.crops.loader import Decoded, FileContent
    from monitor.errors import CropRefusedError
    from monitor.models.calls import Scored
    from monitor.scoring.ensemble import Decision
    from monitor.scoring.vote import FinalDecision
    from monitor.store.crops import CropKey
    from monitor.words import Identity, Label, Source


@dataclass(slots=True)
class Work:
    """One crop on its way through the pipeline."""

    path: str
    seen_at: datetime
    identity: Identity
    content: FileContent | None = None
    """What was read, without its bytes."""
    decoded: Decoded | None = None
    """Its pixels, until it has been scored."""
    ended: bool | None = None
    """Whether the file carries its format's end mark; None where it could not be decoded, or is too small."""
    size: tuple[int, int] | None = None
    """(width, height) in pixels."""
    refusal: CropRefusedError | None = None
    scores: dict[int, Scored | CropRefusedError] = field(default_factory=dict)
    """What each model says of it, by the model's id."""
    source: Source = "inbox"
    label: Label | None = None
    """What the labelled folder that it lies in says of it."""
    decisions: list[Decision] = field(default_factory=list)
    final: FinalDecision | None = None
    decided_at: datetime | None = None

    @property
    def failed(self) -> bool:
        """Whether no model decided on it."""
        return self.refusal is not None and not self.decisions

    @property
    def latency_seconds(self) -> float:
        """Seconds from the file's last change (writing, renaming) to the decision; 0 before it."""
        if self.content is None or self.decided_at is None:
            return 0.0
        return max(0.0, self.decided_at.timestamp() - self.content.ctime_ns / 1e9)


def key(work: Work) -> CropKey:
    """(path, sha256): what names a crop in the store."""
    return to_text(work.path), work.content.sha256 if work.content else ""
