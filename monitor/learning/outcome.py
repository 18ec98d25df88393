"""Who asks for a training from labels, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from monitor.thresholds.change import UTC_CLOCK

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path
    from zoneinfo import ZoneInfo

    from monitor.store.retrainings import RetrainingRow

Result = Literal["unchanged", "shadow", "accepted", "refused"]


@dataclass(frozen=True)
class Request:
    """Who asks, and when.

    ``detector``: None for the one that learns from proliv and decides first. ``data``: the folder to train on.
    ``least``: how many new labels there have to be. ``run_id``: the scheduled run that asks, if one does. ``zone``: the
    plant's clock.
    """

    now: datetime
    data: Path
    seed: int = 0
    detector: str | None = None
    least: int = 0
    author: str | None = None
    run_id: int | None = None
    zone: ZoneInfo = UTC_CLOCK


@dataclass(frozen=True)
class Outcome:
    """What came of it.

    ``model``: the name of the new model, if one was trained; ``replaces``: that of the active one. ``refusal`` and
    ``reason``: why it was refused, or what it waits for. ``evidence``: what it learned from, and how both models
    decide. ``notes``: what a person should know, such as what was set aside.
    """

    detector: str
    model: str | None
    replaces: str
    result: Result
    refusal: str | None = None
    reason: str | None = None
    evidence: dict[str, Any] | None = None
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, row: RetrainingRow, model: str | None, replaces: str, reason: str | None = None) -> Outcome:
        """What a stored training has come to; ``reason``: what it waits for, in place of the stored one."""
        results: dict[str, Result] = {"shadow": "shadow", "refused": "refused"}
        evidence = dict(row.evidence)
        notes = tuple(evidence.pop("notes", ()))
        return cls(
            *(row.detector, model, replaces, results.get(row.state, "accepted"), row.refusal, reason or row.reason),
            evidence=evidence,
            notes=notes,
        )

    def as_dict(self) -> dict[str, Any]:
        """The same by name, ready for JSON."""
        return {
            "detector": self.detector,
            "model": self.model,
            "replaces": self.replaces,
            "result": self.result,
            "refusal": self.refusal,
            "reason": self.reason,
            "evidence": self.evidence,
            "notes": list(self.notes),
        }

    @property
    def summary(self) -> str:
        """In a few words, for the row of a scheduled run."""
        if self.result == "refused":
            return f"refused ({self.refusal})"
        return self.result if self.model is None else f"{self.result}: {self.model}"
