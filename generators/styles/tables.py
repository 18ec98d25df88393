"""What style models learn from: how often each value of each attribute was counted, or the observations themselves.

Names are kept in Unicode's composed form (NFC) without blanks around them, so that one typed on another system is
found; and ё is е, because people write either.
"""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import count as count_from
from typing import TYPE_CHECKING, Any, Final, TypeVar

from monitor.api import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    Entry = TypeVar("Entry")

# Above it a double no longer holds every whole number.
LARGEST_COUNT: Final = 2**53

# How many of the known names an error lists at most.
_NAMED: Final = 10


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of a style; ``counts`` says of each of its ``values`` how often it was observed, >= 0."""

    name: str
    values: tuple[str, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True)
class StyleTable:
    """The attributes of a style, at least one, each with at least one value.

    ``source`` names the table in errors. ``observations``: for each observed style one tuple with, for each
    attribute, the place of the observed value among the attribute's ``values``; none where only counts are known.
    """

    attributes: tuple[Attribute, ...]
    source: str = "the table"
    observations: tuple[tuple[int, ...], ...] | None = None

    @classmethod
    def of_counts(cls, counts: Mapping[str, Mapping[str, int]], source: str = "the table") -> StyleTable:
        """The table of counts, attribute -> value -> how often. Raises `DataError` for anything else."""
        if not counts:
            raise DataError(f"{source}: there is no attribute; name one at least, and how often each value was counted")
        attributes = []
        for name, row in clean_keys(counts, source).items():
            where = f"{source}: {name}"
            if not row:
                raise DataError(f"{where}: the attribute has no value; name each with how often it was counted")
            cleaned = clean_keys(row, where)
            numbers = tuple(check_count(count, f"{where}: {value}") for value, count in cleaned.items())
            attributes.append(Attribute(name, tuple(cleaned), numbers))
        return cls(tuple(attributes), source)

    @classmethod
    def of_observations(
        cls,
        observations: Sequence[Mapping[str, str]],
        values: Mapping[str, Sequence[str]] | None = None,
        source: str = "the table",
    ) -> StyleTable:
        """The table of observed styles, each attribute -> value.

        ``values``: all values of some or all attributes, including those that were never observed. The others have
        the values that were observed, in the order in which they first occur. Raises `DataError` when an observation
        lacks an attribute, has one that the first has not, or a value that ``values`` does not name.
        """
        names = list(observations[0]) if observations else []
        rows = (
            (where, _row(observation, names, where))
            for where, observation in zip(_numbered(source), observations, strict=False)
        )
        return cls.of_rows(names, rows, values, source)

    @classmethod
    def of_rows(
        cls,
        names: Sequence[str],
        rows: Iterable[tuple[str, Sequence[Any]]],
        values: Mapping[str, Sequence[str]] | None = None,
        source: str = "the table",
    ) -> StyleTable:
        """Likewise from the attributes' ``names`` and rows of their values, each with the place that errors name."""
        columns = [_Column(clean(name, source), source) for name in names]
        known = {column.name: number for number, column in enumerate(columns)}
        if twice := [name for name, count in Counter(alike(column.name) for column in columns).items() if count > 1]:
            raise DataError(f"{source}: the attribute {twice[0]!r} is there twice; keep one of them")
        for name, listed in clean_keys(values or {}, source).items():
            columns[place(name, known, f"{source}: values: there is no attribute")].close(listed)
        observations = tuple(
            tuple(column.place(value, where) for column, value in zip(columns, row, strict=True)) for where, row in rows
        )
        if not observations or not columns:
            raise DataError(
                f"{source}: there is no observation; one at least is needed, with a value of each attribute"
            )
        attributes = tuple(
            column.attribute(numbers) for column, numbers in zip(columns, zip(*observations, strict=True), strict=True)
        )
        return cls(attributes, source, observations)


class _Column:
    """The values of one attribute while observations are read."""

    def __init__(self, name: str, source: str) -> None:
        self.name = name
        self.where = f"{source}: values: {name}"
        self.places: dict[str, int] = {}
        # The first spelling of each value, by what it is alike to.
        self._spellings: dict[str, str] = {}
        self.open = True
        # Names as they are written, so that each is cleaned once, however many observations there are.
        self._seen: dict[str, int] = {}

    def close(self, values: Sequence[str]) -> None:
        """From now on there are only these values."""
        if not isinstance(values, list | tuple) or not values:
            raise DataError(f"{self.where}: must be a list of one value at least")
        for value in values:
            name = clean(value, self.where)
            if alike(name) in self._spellings:
                raise DataError(f"{self.where}: {name!r} is there twice; take one out")
            self._spellings[alike(name)] = name
            self.places[name] = len(self.places)
        self.open = False

    def place(self, value: Any, where: str) -> int:
        if not isinstance(value, str) or value not in self._seen:
            name = clean(value, f"{where}: {self.name}")
            if self.open:
                name = self._spellings.setdefault(alike(name), name)
                self.places.setdefault(name, len(self.places))
            self._seen[value] = place(name, self.places, f"{where}: {self.name} has no value")
        return self._seen[value]

    def attribute(self, numbers: Sequence[int]) -> Attribute:
        counts = Counter(numbers)
        return Attribute(self.name, tuple(self.places), tuple(counts[number] for number in range(len(self.places))))


def clean(name: Any, where: str) -> str:
    """A name as tables hold it. Raises `DataError` when it is no text, is empty, or cannot be printed on one line."""
    if not isinstance(name, str):
        raise DataError(f"{where}: {name!r} is no name; write names as text, between quotation marks")
    text = unicodedata.normalize("NFC", name).strip()
    if not text:
        raise DataError(f"{where}: a name is empty; every attribute and every value needs one")
    if not text.isprintable():
        raise DataError(f"{where}: the name {text!r} holds a character that cannot be printed; take it out")
    return text


def clean_keys(entries: Mapping[str, Entry], where: str) -> dict[str, Entry]:
    """The entries under clean names. Raises `DataError` when two of them are one."""
    cleaned: dict[str, Entry] = {}
    known: set[str] = set()
    for key, entry in entries.items():
        name = clean(key, where)
        if alike(name) in known:
            raise DataError(f"{where}: {name!r} is there twice; keep one of them")
        known.add(alike(name))
        cleaned[name] = entry
    return cleaned


def alike(name: str) -> str:
    """What a clean name shares with those that mean the same: ё is е."""
    return name.replace("ё", "е").replace("Ё", "Е")


def unique(pairs: list[tuple[str, Any]], where: str) -> dict[str, Any]:
    """The JSON object of these pairs. Raises `DataError` for a key that is there twice: Python would keep the last."""
    entries: dict[str, Any] = {}
    for key, value in pairs:
        if key in entries:
            raise DataError(f"{where}: {key!r} is there twice in one object; keep one of them")
        entries[key] = value
    return entries


def check_count(count: Any, where: str) -> int:
    """Raise `DataError` unless ``count`` is a whole number from 0 to `LARGEST_COUNT`."""
    # bool is a kind of int in Python, and no count.
    if not isinstance(count, int) or isinstance(count, bool):
        raise DataError(f"{where}: {count!r:.40} is no count; write a whole number, 0 or more")
    if not 0 <= count <= LARGEST_COUNT:
        problem = "is below zero" if count < 0 else f"is more than {LARGEST_COUNT}"
        raise DataError(f"{where}: the count {_short(count)} {problem}; write how often the value was observed")
    return count


def smoothed(counts: Sequence[float], smoothing: float, where: str) -> tuple[float, ...]:
    """The probability (n + A) / (N + A * d) of each value; raises `DataError` where that is no distribution."""
    total = sum(counts) + smoothing * len(counts)
    if not smoothing >= 0 or math.isinf(total):
        raise DataError(f"{where}: the smoothing {smoothing} must be 0 or more, and not so large that sums overflow")
    if total == 0:
        raise DataError(f"{where}: nothing was observed; without observations the smoothing must be above 0")
    return tuple((count + smoothing) / total for count in counts)


def place(name: str, known: Mapping[str, int], complaint: str) -> int:
    """The place of ``name``, or of the one that is alike. Raises `DataError` as `unknown` makes it."""
    if name in known:
        return known[name]
    wanted = alike(name)
    for other, number in known.items():
        if alike(other) == wanted:
            return number
    raise unknown(name, known, complaint)


def unknown(name: str, known: Iterable[str], complaint: str) -> DataError:
    """The error for an unknown ``name``: ``complaint``, the name, and the nearest of those that are known."""
    names = list(known)
    by_casefold = {other.casefold(): other for other in names}
    near = [by_casefold[found] for found in get_close_matches(name.casefold(), by_casefold, n=3, cutoff=0.5)]
    if near:
        return DataError(f"{complaint} {name!r}; the nearest: {', '.join(near)}")
    return DataError(f"{complaint} {name!r}; there are: {', '.join(names[:_NAMED])}{', …' * (len(names) > _NAMED)}")


def _row(observation: Any, names: Sequence[str], where: str) -> list[Any]:
    if not isinstance(observation, dict):
        raise DataError(f"{where}: must name a value of each attribute, not {observation!r}")
    if observation.keys() != set(names):
        # The names of the first observation may be spelled otherwise in this one.
        spellings = {alike(name): name for name in names}
        observation = {spellings.get(alike(str(name)), name): value for name, value in observation.items()}
    if missing := [name for name in names if name not in observation]:
        raise DataError(f"{where}: the attribute {missing[0]!r} is missing; an observation has a value of each")
    if len(observation) > len(names):
        extra = next(name for name in observation if name not in names)
        raise DataError(f"{where}: the attribute {extra!r} is not in observation 1; all have the same attributes")
    return [observation[name] for name in names]


def _numbered(source: str) -> Iterable[str]:
    return (f"{source}: observation {number}" for number in count_from(1))


def _short(count: int) -> str:
    # Python refuses to print whole numbers of thousands of digits.
    return str(count) if abs(count) < 10**20 else "of over 20 digits"
