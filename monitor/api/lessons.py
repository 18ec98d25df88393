"""What a detector was taught by made-up pictures, for people to look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitor.errors import DataError

if TYPE_CHECKING:
    from monitor.api.arrays import Pixels


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """Made-up pictures of one kind, such as a detector learns from; see `Detector.lessons`.

    ``kind``: what a person calls it, such as ``empty holes``. ``sentence``: one or a few sentences that say what was
    made up, and how. ``taught_as``: the class that the detector learns them as, in its own words, and ``proliv``:
    whether that class is proliv. ``pictures``: uint8 (M, H, W, C), as `Detector.prepare_batch` would return them; the
    first three channels are the picture.
    """

    kind: str
    sentence: str
    taught_as: str
    proliv: bool
    pictures: Pixels

    def check(self, size: tuple[int, int]) -> None:
        """Raise `DataError` unless there are pictures of this (height, width)."""
        import numpy as np

        pictures = self.pictures
        if not isinstance(pictures, np.ndarray) or pictures.dtype != np.uint8:
            raise DataError(f"the pictures of {self.kind!r} must be an array of uint8")
        if pictures.ndim != 4 or not len(pictures) or pictures.shape[1:3] != size or pictures.shape[3] < 3:
            raise DataError(
                f"the pictures of {self.kind!r} must have the shape (M, {size[0]}, {size[1]}, 3 or more), M > 0, "
                f"got {pictures.shape}"
            )
