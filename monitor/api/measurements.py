"""What several detectors begin with, so that it is computed once for all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from monitor.api.arrays import Pixels


class Measurement(Protocol):
    """How a detector measures crops before it judges them; equal ones measure alike. See `Detector.measurement`."""

    def covers(self, other: Measurement) -> bool:
        """Whether a detector that measures by ``other`` can judge by what this one measures.

        This also says that both detectors prepare crops alike.
        """

    def measure(self, crops: Pixels) -> Any:
        """Measure prepared crops, uint8 (N, H, W, 3)."""
