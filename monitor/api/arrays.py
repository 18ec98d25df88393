"""The arrays that cross the line between the program and a plug-in."""

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Written as text, so that importing monitor.api does not load numpy; type checkers read them all the same.
Pixels: TypeAlias = "NDArray[np.uint8]"
Floats: TypeAlias = "NDArray[np.float32]"
ScoreArray: TypeAlias = "NDArray[np.float64]"
