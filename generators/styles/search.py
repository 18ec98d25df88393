"""The styles of a model in the order of their probability, each found only when it is asked for.

A model is a forest: a style's probability is the product of one factor for each attribute, which depends on the value
of the attribute's parent. The best styles below an attribute are put together from the best below its children, and of
those only as many are looked for as are needed (lazy lists as in Huang and Chiang, *Better k-best parsing*, 2005).
So the first styles of a table with more styles than there are atoms come at once.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Table: TypeAlias = Sequence[Sequence[float]]
    Candidate: TypeAlias = tuple[int, int]


def best_first(
    parents: Sequence[int | None], tables: Sequence[Table], order: Sequence[int]
) -> Iterator[tuple[float, tuple[int, ...]]]:
    """Yield (log-probability, the place of each attribute's value), the likeliest first, without impossible ones.

    ``parents``: of each attribute the number of the one that it depends on. ``tables``: of each attribute one row for
    each value of its parent (a single row where it has none), with the probability of each value, 0-1. ``order``: all
    attributes, parents first. Styles whose probabilities differ only by rounding may come in any order.
    """
    styles = _forest(parents, tables, order)
    rank = 0
    while True:
        while not styles.done and len(styles.found) == rank:
            _find_next(styles)
        if len(styles.found) == rank:
            return
        yield styles.found[rank][0], _places(styles, rank, len(parents))
        rank += 1


class _Styles(ABC):
    """Styles of a part of the attributes, the likeliest first: ``found`` so far, as (log-probability, candidate).

    A candidate is a pair of numbers that says how a style is put together from those of smaller parts.
    """

    def __init__(self, candidates: list[Candidate]) -> None:
        self.found: list[tuple[float, Candidate]] = []
        # Whether all have been found.
        self.done = False
        self._waiting = candidates
        self._ready: list[tuple[float, Candidate]] = []

    @abstractmethod
    def parts(self, candidate: Candidate) -> tuple[tuple[_Styles, int], ...]:
        """What it is put together from, each with the rank of its style."""

    @abstractmethod
    def own(self, candidate: Candidate) -> float:
        """The log of the factor that comes on top of the parts."""

    @abstractmethod
    def next_after(self, candidate: Candidate) -> list[Candidate]:
        """Those that cannot be likelier than this one; every one but the first ones follows exactly one other."""

    def missing(self) -> _Styles | None:
        """The part whose next style has to be found before `take` can be called; none when all are there."""
        while self._waiting:
            candidate = self._waiting[-1]
            score, possible = self.own(candidate), True
            for part, rank in self.parts(candidate):
                if rank < len(part.found):
                    score += part.found[rank][0]
                elif part.done:
                    possible = False
                else:
                    return part
            self._waiting.pop()
            if possible:
                heappush(self._ready, (-score, candidate))
        return None

    def take(self) -> None:
        """Find one more, or be done."""
        if not self._ready:
            self.done = True
            return
        score, candidate = heappop(self._ready)
        self.found.append((-score, candidate))
        self._waiting = self.next_after(candidate)


class _Nothing(_Styles):
    """No attribute at all: one empty style of probability 1."""

    def __init__(self) -> None:
        super().__init__([])
        self.found, self.done = [(0.0, (0, 0))], True

    def parts(self, candidate: Candidate) -> tuple[tuple[_Styles, int], ...]:  # noqa: ARG002 - it has none
        return ()

    def own(self, candidate: Candidate) -> float:  # noqa: ARG002
        return 0.0

    def next_after(self, candidate: Candidate) -> list[Candidate]:  # noqa: ARG002
        return []


class _Attribute(_Styles):
    """An attribute and all below it; a candidate is (the place of its value, the rank of what is below)."""

    def __init__(self, number: int, row: Sequence[float], below: Sequence[_Styles]) -> None:
        super().__init__([(value, 0) for value, probability in enumerate(row) if probability > 0])
        self.number, self._row, self._below = number, row, below

    def parts(self, candidate: Candidate) -> tuple[tuple[_Styles, int], ...]:
        value, rank = candidate
        return ((self._below[value], rank),)

    def own(self, candidate: Candidate) -> float:
        return math.log(self._row[candidate[0]])

    def next_after(self, candidate: Candidate) -> list[Candidate]:
        value, rank = candidate
        return [(value, rank + 1)]


class _Pair(_Styles):
    """Two parts that do not depend on each other; a candidate is (the rank in one, the rank in the other)."""

    def __init__(self, one: _Styles, other: _Styles) -> None:
        super().__init__([(0, 0)])
        self._one, self._other = one, other

    def parts(self, candidate: Candidate) -> tuple[tuple[_Styles, int], ...]:
        return (self._one, candidate[0]), (self._other, candidate[1])

    def own(self, candidate: Candidate) -> float:  # noqa: ARG002 - a pair adds nothing
        return 0.0

    def next_after(self, candidate: Candidate) -> list[Candidate]:
        one, other = candidate
        following = [(one, other + 1)]
        if other == 0:
            following.append((one + 1, 0))
        return following


_NOTHING: Final = _Nothing()


def _forest(parents: Sequence[int | None], tables: Sequence[Table], order: Sequence[int]) -> _Styles:
    """The styles of all attributes, built from the leaves up."""
    # below[a][value]: what depends on attribute a, when it has this value.
    below: list[list[list[_Styles]]] = [[[] for _ in table[0]] for table in tables]
    roots: list[_Styles] = []
    for number in reversed(order):
        joined = [_join(parts) for parts in below[number]]
        alternatives = [_Attribute(number, row, joined) for row in tables[number]]
        parent = parents[number]
        if parent is None:
            roots += alternatives
        else:
            for parts, alternative in zip(below[parent], alternatives, strict=True):
                parts.append(alternative)
    return _join(roots)


def _join(parts: list[_Styles]) -> _Styles:
    """All parts together, in pairs of pairs, so that a new style takes few steps even with thousands of parts."""
    while len(parts) > 1:
        pairs: list[_Styles] = [_Pair(one, other) for one, other in zip(parts[::2], parts[1::2], strict=False)]
        parts = pairs + parts[len(pairs) * 2 :]
    return parts[0] if parts else _NOTHING


def _find_next(styles: _Styles) -> None:
    """Find one more of ``styles``; with a list instead of recursion, because a chain may be long."""
    waiting = [styles]
    while waiting:
        missing = waiting[-1].missing()
        if missing is None:
            waiting.pop().take()
        else:
            waiting.append(missing)


def _places(styles: _Styles, rank: int, count: int) -> tuple[int, ...]:
    """The place of each attribute's value in the style of this rank."""
    places = [0] * count
    open_parts = [(styles, rank)]
    while open_parts:
        part, rank = open_parts.pop()
        candidate = part.found[rank][1]
        if isinstance(part, _Attribute):
            places[part.number] = candidate[0]
        open_parts.extend(part.parts(candidate))
    return tuple(places)
