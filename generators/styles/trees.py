"""Dependence between attributes: Chow and Liu's tree, and whether it predicts unseen styles better than independence.

Of all trees, the one with the largest sum of mutual information over its edges has the largest likelihood (Chow and
Liu, *Approximating discrete probability distributions with dependence trees*, 1968):

    I(X, Y) = sum over x, y of n(x, y) / N * log(n(x, y) * N / (n(x) * n(y)))        in nats

Its root is the first attribute of the table. Smoothing adds A to each count, so that

    p(root = x) = (n(x) + A) / (N + A * d),        p(x | parent = y) = (n(x, y) + A) / (n(y) + A * d),

d: the number of values of X. With A = 0, where y was never observed, the row is that of x by itself, n(x) / N.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from generators.styles.tables import smoothed
from monitor.api import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from generators.styles.tables import StyleTable

    Floats: TypeAlias = NDArray[np.float64]
    Integers: TypeAlias = NDArray[np.int64]
    Rows: TypeAlias = tuple[tuple[float, ...], ...]

# How many values all attributes together may have; the count of each pair takes 8 bytes.
MOST_VALUES: Final = 4_000

FOLDS: Final = 10

_CELLS_AT_ONCE: Final = 2**24


@dataclass(frozen=True, slots=True)
class Edge:
    """One attribute depends on another; ``information``: their mutual information in nats, >= 0."""

    parent: str
    child: str
    information: float


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Mean log-likelihood, in nats, of an observation that the model has not seen; minus infinity for impossible ones.

    Every observation is held out once, in one of ``folds`` parts drawn at random, always the same ones. ``error``: the
    standard error of tree - independent over the observations; not a number where one of them is infinite.
    """

    folds: int
    independent: float
    tree: float
    error: float


def learn_tree(table: StyleTable, smoothing: float = 1.0) -> tuple[tuple[int | None, ...], tuple[Rows, ...]]:
    """The parent of each attribute and its rows, as `generators.styles.sampling.StyleModel` has them.

    Raises `DataError` when the table has no observations or too many values.
    """
    pairs = _Pairs(table)
    joint = pairs.count(pairs.places)
    parents = _largest_tree(pairs.information(joint))
    return parents, tuple(pairs.rows(joint, number, parent, smoothing) for number, parent in enumerate(parents))


def edges(table: StyleTable) -> tuple[Edge, ...]:
    """The edges of the tree, in the order of the attributes that depend. Raises `DataError` as `learn_tree` does."""
    pairs = _Pairs(table)
    information = pairs.information(pairs.count(pairs.places))
    names = [attribute.name for attribute in table.attributes]
    return tuple(
        Edge(names[parent], names[number], float(information[parent, number]))
        for number, parent in enumerate(_largest_tree(information))
        if parent is not None
    )


def compare(table: StyleTable, smoothing: float = 1.0) -> HeldOut:
    """Measure both models on observations that they were not learnt from.

    Raises `DataError` as `learn_tree` does, and when there are fewer than two observations.
    """
    import numpy as np

    pairs = _Pairs(table)
    count = len(pairs.places)
    if count < 2:
        raise DataError(f"{table.source}: one observation cannot be held out; give two at least")
    folds = min(FOLDS, count)
    everything = pairs.count(pairs.places)
    likelihoods = np.zeros((2, count))
    for part in np.array_split(np.random.RandomState(0).permutation(count), folds):
        held_out = pairs.places[part]
        joint = everything - pairs.count(held_out)
        nothing: tuple[int | None, ...] = (None,) * pairs.places.shape[1]
        for model, parents in enumerate((nothing, _largest_tree(pairs.information(joint)))):
            likelihoods[model, part] = pairs.likelihood(joint, parents, smoothing, held_out)
    independent, tree = likelihoods.mean(axis=1).tolist()
    known = np.isfinite(likelihoods).all()
    error = np.subtract(*likelihoods).std(ddof=1) / np.sqrt(count) if known else np.nan
    return HeldOut(folds, independent, tree, float(error))


class _Pairs:
    """The observations as numbers. ``places``: int64 (N, D), the places of the values.

    A *joint* is float64 (K, K), K values of all attributes in a row: how often two were observed together.
    """

    def __init__(self, table: StyleTable) -> None:
        import numpy as np

        if table.observations is None:
            raise DataError(
                f"{table.source}: holds only counts, which say nothing about dependence; a tree needs observations"
            )
        sizes = [len(attribute.values) for attribute in table.attributes]
        if sum(sizes) > MOST_VALUES:
            raise DataError(
                f"{table.source}: {sum(sizes)} values are too many for a tree; "
                f"take independence, or {MOST_VALUES} values at most"
            )
        self.source = table.source
        self.names = [attribute.name for attribute in table.attributes]
        self.places: Integers = np.array(table.observations, dtype=np.int64)
        self.starts: Integers = np.cumsum([0, *sizes])

    def count(self, places: Integers) -> Floats:
        """The joint of some observations, int64 (M, D)."""
        import numpy as np

        width = int(self.starts[-1])
        joint = np.zeros((width, width))
        for chunk in np.array_split(places, len(places) * width // _CELLS_AT_ONCE + 1):
            observed = np.zeros((len(chunk), width))
            np.put_along_axis(observed, chunk + self.starts[:-1], 1.0, axis=1)
            joint += observed.T @ observed
        return joint

    def information(self, joint: Floats) -> Floats:
        """The mutual information of each two attributes in nats, float64 (D, D); of one with itself, its entropy."""
        import numpy as np

        total = joint[: self.starts[1], : self.starts[1]].sum()
        logs = np.log(joint, out=np.zeros_like(joint), where=joint > 0)
        logs *= joint
        sums = np.add.reduceat(np.add.reduceat(logs, self.starts[:-1], axis=0), self.starts[:-1], axis=1)
        alone = np.diag(sums)
        # Rounded, so that ties are ties: then the order of the table decides on every machine.
        information: Floats = np.round(np.log(total) + (sums - alone[:, None] - alone[None, :]) / total, 12)
        return np.maximum(information, 0)

    def rows(self, joint: Floats, number: int, parent: int | None, smoothing: float) -> Rows:
        """The probabilities of an attribute's values, one row for each value of its parent."""
        own, where = self._block(number), f"{self.source}: {self.names[number]}"
        alone = joint[own, own].diagonal().tolist()
        if parent is None:
            return (smoothed(alone, smoothing, where),)
        counts = joint[self._block(parent), own].tolist()
        return tuple(smoothed(row if smoothing or any(row) else alone, smoothing, where) for row in counts)

    def likelihood(self, joint: Floats, parents: tuple[int | None, ...], smoothing: float, places: Integers) -> Floats:
        """The log-likelihood of each of these observations, int64 (M, D), in nats: float64 (M,)."""
        import numpy as np

        likelihood = np.zeros(len(places))
        for number, parent in enumerate(parents):
            rows = np.array(self.rows(joint, number, parent, smoothing))
            condition: Any = 0 if parent is None else places[:, parent]
            with np.errstate(divide="ignore"):
                likelihood += np.log(rows[condition, places[:, number]])
        return likelihood

    def _block(self, number: int) -> slice:
        return slice(int(self.starts[number]), int(self.starts[number + 1]))


def _largest_tree(information: Floats) -> tuple[int | None, ...]:
    """The parents of the spanning tree with the most information: Prim's algorithm from the first attribute."""
    import numpy as np

    parents: list[int | None] = [None] * len(information)
    best, nearest = information[0].copy(), np.zeros(len(information), dtype=np.int64)
    best[0] = -np.inf
    for _ in range(1, len(information)):
        number = int(best.argmax())
        parents[number] = int(nearest[number])
        outside = best > -np.inf
        better = outside & (information[number] > best)
        best[better], nearest[better] = information[number][better], number
        best[number] = -np.inf
    return tuple(parents)
