"""Reads labelled crops from files, together with what they show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from monitor.crops.in_memory import read_all
from monitor.words import Label

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from monitor.crops.dataset import LabelledPath
    from monitor.crops.in_memory import ReadCrops
    from monitor.crops.reader import Reader


@dataclass(frozen=True)
class CropsWithTruth:
    """N labelled crops; ``labelled`` has the file and the label of each."""

    crops: ReadCrops
    labelled: tuple[LabelledPath, ...]

    @property
    def proliv(self) -> NDArray[np.bool_]:
        """What the crops show, bool (N,), True = proliv."""
        return np.array([one.label is Label.PROLIV for one in self.labelled], dtype=np.bool_)


def read_with_truth(
    labelled: Sequence[LabelledPath], reader: Reader, on_read: Callable[[], None] = lambda: None
) -> CropsWithTruth:
    """Read labelled files; ``on_read`` is called after each.

    Files that cannot be read are left out, with a warning, and are listed in ``crops.refused``.
    """
    crops = read_all(reader, [one.path for one in labelled], on_read)
    refused = {path for path, _ in crops.refused}
    return CropsWithTruth(crops, tuple(one for one in labelled if one.path not in refused))
