"""The scores that a detector gives crops."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from monitor.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from monitor.api.arrays import Floats


@dataclass(frozen=True)
class Scores:
    """The scores of N crops.

    ``mse``: float32 (N,), finite and >= 0: the mean squared error over pixels and channels, in squared intensity
    (intensities 0-1), of the reconstruction or, where there is none, of the mean crop (`mean_squared_errors`).
    ``others``: further named scores, each float32 (N,) and finite. ``decision``: which of them is compared with the
    threshold, ``"mse"`` or a key of ``others``.
    """

    mse: Floats
    others: Mapping[str, Floats] = field(default_factory=dict)
    decision: str = "mse"

    @property
    def deciding(self) -> Floats:
        """float32 (N,): the scores that are compared with the threshold."""
        return self.mse if self.decision == "mse" else self.others[self.decision]

    def check(self, count: int) -> None:
        """Raise `DataError` unless the scores keep the contract for ``count`` crops."""
        import numpy as np

        if self.decision != "mse" and self.decision not in self.others:
            raise DataError(f"the deciding score {self.decision!r} is not among the scores {sorted(self.others)}")
        for name, values in {"mse": self.mse, **self.others}.items():
            if values.shape != (count,) or values.dtype != np.float32:
                raise DataError(
                    f"the score {name!r} must be float32 of shape ({count},), "
                    f"got {values.dtype} of shape {values.shape}"
                )
            if not np.isfinite(values).all():
                raise DataError(f"the score {name!r} holds a value that is not a finite number")
        if (self.mse < 0).any():
            raise DataError("the score 'mse' holds a negative value")
