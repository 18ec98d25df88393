"""What crosses from one process to another: a scored batch as plain values.

The program's own classes would take three times as long to copy, and what the program knows of a batch itself, its
paths above all, does not come back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from monitor.crops.batch import CropFiles
from monitor.files.looks import Looks
from monitor.scoring.batches import ScoredBatch
from monitor.words import Identity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    import numpy as np
    from numpy.typing import NDArray

    from monitor.errors import CropRefusedError
    from monitor.words import Label, Source


class Asked(NamedTuple):
    """Files that are to be read and scored: their ``paths``, with what `CropFiles` holds of each from the outset."""

    paths: Sequence[str]
    seen_at: datetime
    source: Source
    labels: Sequence[Label | None]

    def after(self, count: int) -> Asked:
        """The same without the first files."""
        return self._replace(paths=self.paths[count:], labels=self.labels[count:])


class Flat(NamedTuple):
    """The columns of a `ScoredBatch`; identities and looks are tuples."""

    identities: list[tuple[Any, ...]]
    digests: Sequence[str]
    looks: list[tuple[Any, ...] | None]
    sizes: Sequence[tuple[int, int] | None]
    ended: Sequence[bool | None]
    model_ids: tuple[int, ...]
    mse: NDArray[np.float64]
    scores: NDArray[np.float64]
    refusals: Mapping[int, CropRefusedError]
    declined: Mapping[tuple[int, int], CropRefusedError]


def flat(batch: ScoredBatch) -> Flat:
    """A scored batch as plain values, without its paths."""
    files = batch.files
    return Flat(
        [tuple(identity) for identity in files.identities],
        files.digests,
        [None if looks is None else tuple(looks) for looks in files.looks],
        files.sizes,
        files.ended,
        batch.model_ids,
        batch.mse,
        batch.scores,
        batch.refusals,
        batch.declined,
    )


def restored(asked: Asked, values: Flat) -> ScoredBatch:
    """The batch that `flat` was made of; it holds the first of the files that were asked for, or all of them."""
    count = len(values.digests)
    files = CropFiles(
        asked.paths[:count],
        asked.seen_at,
        asked.source,
        asked.labels[:count],
        [Identity(*identity) for identity in values.identities],
        values.digests,
        [None if looks is None else Looks(*looks) for looks in values.looks],
        values.sizes,
        values.ended,
    )
    return ScoredBatch(files, values.model_ids, values.mse, values.scores, values.refusals, values.declined)
