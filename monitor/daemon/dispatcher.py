"""What is handed to the workers."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from monitor.inbox.messages import Candidate
    from monitor.scoring.ensemble import Ensemble
    from monitor.scoring.pools.batch import Batch


class Dispatched(NamedTuple):
    """Candidates that are being read and scored by the models of an ensemble."""

    candidates: list[Candidate]
    ensemble: Ensemble
    batch: Batch
