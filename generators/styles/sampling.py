"""Models that draw styles at random, learnt from counts or observations of their attributes.

Two models. *Independence* (`StyleModel.independent`): the maximum-likelihood estimate of each attribute by itself with
additive smoothing A,

    p(value) = (n + A) / (N + A * d),

n: how often the value was observed, N: the observations of the attribute, d: its values; A = 0 is plain maximum
likelihood n / N. *Tree* (`StyleModel.tree`): each attribute depends on one other at most, chosen by mutual information
(`generators.styles.trees`). In both, a style's probability is the product of one factor for each attribute.

    >>> from generators.styles.sampling import StyleModel, default_table
    >>> model = StyleModel.independent(default_table())
    >>> style = next(model.given({"цвет волос": "черный"}).sample(1, seed=7))
    >>> style.values["цвет волос"], style.probabilities["цвет волос"]
    ('черный', 1.0)
"""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass, replace
from functools import cache, cached_property, lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Final, TypeAlias

from generators.styles.draws import draw
from generators.styles.files import read_table
from generators.styles.search import best_first
from generators.styles.tables import Attribute, StyleTable, clean, clean_keys, place, smoothed
from monitor.api import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    Places: TypeAlias = tuple[int, ...]
    Rows: TypeAlias = tuple[tuple[float, ...], ...]

__all__ = ["Attribute", "Style", "StyleModel", "StyleTable", "default_table", "read_table"]

# Styles are kept to be given again when they are drawn again, up to this many values in all.
_KEPT: Final = 2**20

# Neighbours in `StyleModel.most_likely` whose log-probabilities are closer than this are sorted again, exactly.
_TIE: Final = 1e-10

# At most this many values of such neighbours at a time, so that memory stays small.
_SORTED_AT_ONCE: Final = 2**16


@dataclass(frozen=True, slots=True)
class Style:
    """A style: attribute -> value, and attribute -> the factor (0-1) that it brings to the style's probability.

    A factor is the probability of the value, in a tree that of the value given the parent's value, and in a model
    under a condition that under the condition: 1 for an attribute that is given.
    """

    values: Mapping[str, str]
    probabilities: Mapping[str, float]

    @property
    def probability(self) -> float:
        """The product of the factors; 0 when it is smaller than the smallest double (about 5e-324)."""
        return math.prod(self.probabilities.values())

    @property
    def log_probability(self) -> float:
        """The sum of the factors' natural logarithms; minus infinity for an impossible style."""
        return math.fsum(map(_log, self.probabilities.values()))


@dataclass(frozen=True)
class StyleModel:
    """A distribution over styles.

    ``parents``: of each attribute the number of the one that it depends on, none where it depends on nothing.
    ``tables``: of each attribute one row for each value of its parent, a single row where it has none; a row holds the
    probability of each value, 0-1. A row that cannot be reached holds zeros only.
    """

    attributes: tuple[Attribute, ...]
    parents: tuple[int | None, ...]
    tables: tuple[Rows, ...]

    @classmethod
    def independent(cls, table: StyleTable, smoothing: float = 1.0) -> StyleModel:
        """Each attribute by itself. Raises `DataError` where ``smoothing`` >= 0 makes no distribution."""
        rows = tuple((smoothed(a.counts, smoothing, f"{table.source}: {a.name}"),) for a in table.attributes)
        return cls(table.attributes, (None,) * len(rows), rows)

    @classmethod
    def tree(cls, table: StyleTable, smoothing: float = 1.0) -> StyleModel:
        """Chow and Liu's tree of the observations. Raises `DataError` when the table holds only counts."""
        from generators.styles.trees import learn_tree

        parents, tables = learn_tree(table, smoothing)
        return cls(table.attributes, parents, tables)

    @cached_property
    def order(self) -> Places:
        """The numbers of the attributes, each after its parent."""
        children: dict[int | None, list[int]] = {}
        for number, parent in enumerate(self.parents):
            children.setdefault(parent, []).append(number)
        order = list(children[None])
        for number in order:
            order += children.get(number, [])
        return tuple(order)

    def given(self, condition: Mapping[str, str]) -> StyleModel:
        """The model of all styles with these values of these attributes: P(style | condition), exact.

        In a tree, sums over what is not given go from the leaves to the roots as messages. Raises `DataError` for an
        unknown attribute or value, and for a condition of probability 0.
        """
        known = self.places(condition)
        logs: list[list[float]] = [[0.0] * len(attribute.values) for attribute in self.attributes]
        touched = set(known)
        tables = list(self.tables)
        for number in reversed(self.order):
            # Where nothing is given below, the numbers stay exactly as they are.
            if number not in touched:
                continue
            for value in range(len(logs[number])):
                if number in known and value != known[number]:
                    logs[number][value] = -math.inf
            rows, sums = _weigh(tables[number], logs[number])
            tables[number] = rows
            parent = self.parents[number]
            if parent is not None:
                touched.add(parent)
                logs[parent] = [log + more for log, more in zip(logs[parent], sums, strict=True)]
            elif sums[0] == -math.inf:
                names = ", ".join(f"{name}={value}" for name, value in condition.items())
                raise DataError(
                    f"the condition {names} has probability 0, so nothing can be said under it; "
                    "take a smoothing above 0 or another condition"
                )
        return replace(self, tables=tuple(tables))

    def style(self, values: Mapping[str, str]) -> Style:
        """The style with these values. With only some attributes, the probability is that of all styles with them.

        The factors are then those of the chain rule, each under the values of those before it, parents first. Raises
        `DataError` for an unknown attribute or value.
        """
        known = self.places(values)
        if all(self.parents[number] is None or self.parents[number] in known for number in known):
            factors = {number: self._factor(number, known) for number in known}
        else:
            factors = self._chain(known)
        chosen = [(self.attributes[number], number) for number in sorted(known)]
        return Style(
            {attribute.name: attribute.values[known[number]] for attribute, number in chosen},
            {attribute.name: factors[number] for attribute, number in chosen},
        )

    def sample(self, count: int, seed: int | None = None) -> Iterator[Style]:
        """Draw ``count`` styles. The same seed gives the same ones, the first ones too, however many are drawn.

        Each style takes one number in [0, 1) for each attribute from Python's Mersenne Twister, in the order of the
        table, so with independent attributes a condition changes those that it gives and no other.
        """
        return map(self._known_style, draw(self.parents, self.tables, self.order, count, seed))

    def most_likely(self) -> Iterator[Style]:
        """All possible styles by probability, the likeliest first, equal ones in the order of the table.

        They are found one after another, however many there are. Where so many are equally likely that they would
        have to be kept in thousands, equal ones come in any order.
        """
        tied: list[Places] = []
        last, most = 0.0, max(_SORTED_AT_ONCE // len(self.attributes), 1)
        for log, places in best_first(self.parents, self.tables, self.order):
            if tied and (last - log > _TIE or len(tied) == most):
                yield from self._sorted(tied)
                tied = []
            tied.append(places)
            last = log
        yield from self._sorted(tied)

    def _sorted(self, tied: list[Places]) -> list[Style]:
        styles = [self._style(places) for places in sorted(tied)]
        return sorted(styles, key=lambda style: (style.probability, style.log_probability), reverse=True)

    def _style(self, places: Sequence[int]) -> Style:
        return Style(
            {a.name: a.values[index] for a, index in zip(self.attributes, places, strict=True)},
            {a.name: self._factor(number, places) for number, a in enumerate(self.attributes)},
        )

    @cached_property
    def _known_style(self) -> Callable[[Places], Style]:
        # Of a million styles most are the same few thousand.
        return lru_cache(maxsize=_KEPT // len(self.attributes))(self._style)

    def _factor(self, number: int, places: Mapping[int, int] | Sequence[int]) -> float:
        """The probability of the attribute's value given its parent's."""
        parent = self.parents[number]
        return self.tables[number][0 if parent is None else places[parent]][places[number]]

    def _chain(self, known: Mapping[int, int]) -> dict[int, float]:
        """The factors of the chain rule where parents are left open; all 0 after the first impossible value."""
        model, factors = self, dict.fromkeys(known, 0.0)
        for number in self.order:
            if number not in known:
                continue
            factors[number] = model._marginal(number)[known[number]]
            if factors[number] == 0:
                break
            attribute = self.attributes[number]
            model = model.given({attribute.name: attribute.values[known[number]]})
        return factors

    def _marginal(self, number: int) -> Sequence[float]:
        """The probability of each value of an attribute whatever the others are."""
        path = [number]
        while (parent := self.parents[path[-1]]) is not None:
            path.append(parent)
        marginal: Sequence[float] = (1.0,)
        for step in reversed(path):
            columns = zip(*self.tables[step], strict=True)
            marginal = [math.fsum(map(operator.mul, marginal, column)) for column in columns]
        return marginal

    def places(self, values: Mapping[str, str]) -> dict[int, int]:
        """Attribute number -> the place of its value. Raises `DataError` that names the nearest to what is unknown."""
        known = {}
        for name, value in clean_keys(values, "the style").items():
            number = place(name, self._numbers, "there is no attribute")
            places = {other: index for index, other in enumerate(self.attributes[number].values)}
            known[number] = place(clean(value, name), places, f"{name} has no value")
        return known

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {attribute.name: number for number, attribute in enumerate(self.attributes)}


@cache
def default_table() -> StyleTable:
    """The table that comes with the program: five attributes of a person, 50 observations of each."""
    with resources.as_file(resources.files("generators") / "data" / "styles.toml") as path:
        return read_table(path)


def _log(probability: float) -> float:
    return math.log(probability) if probability > 0 else -math.inf


def _weigh(rows: Rows, logs: Sequence[float]) -> tuple[Rows, list[float]]:
    """Rows with each value's probability times its weight, brought to the sum 1, and the logs of what the sums were."""
    weighed, sums = [], []
    for row in rows:
        weights = [_log(probability) + log for probability, log in zip(row, logs, strict=True)]
        most = max(weights)
        # The largest goes apart, or the product of thousands of messages would be too small for a double.
        total = most if most == -math.inf else most + math.log(math.fsum(math.exp(w - most) for w in weights))
        sums.append(total)
        weighed.append(tuple(0.0 if w == -math.inf else math.exp(w - total) for w in weights))
    return tuple(weighed), sums
