"""Draw crops at random, whose labels tell how many proliv raise no alarm (an audit).

The unusual crops (`monitor.scoring.vote.unusual`) are a stratum of their own: a missed proliv is likelier among them,
so they are drawn more often than the others. Each of the two has a draw of its own, with its own number of eligible
crops, so that what a labelled crop stands for is known whatever its kind, and the estimates stay unbiased. Of a draw of
two crops or more both get some, because a stratum without any would be missing from the estimates. Source: W. G.
Cochran, Sampling Techniques, third edition, Wiley, 1977, chapter 5.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from monitor.store.audits import add_audit, crops_to_audit, drawn_crops, span_to_audit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.engine import Connection

    from monitor.store.audits import CropsToAudit, DrawnCrop
    from monitor.store.database.engine import Database


class Part(NamedTuple):
    """A random draw from one kind of crops: its id, how many crops it was made from, and how many were drawn.

    ``unusual``: whether these were the unusual ones, or the others; None for both together.
    """

    audit: int
    eligible: int
    drawn: int
    unusual: bool | None


@dataclass(frozen=True, slots=True)
class Draw:
    """What was drawn: the parts, and their crops, the unusual ones first."""

    parts: Sequence[Part]
    crops: Sequence[DrawnCrop]

    @property
    def eligible(self) -> int:
        """How many crops it was made from."""
        return sum(part.eligible for part in self.parts)


class Eligible(NamedTuple):
    """What a draw is made from: the eligible ``crops`` in the span of ids from ``first`` to ``last``."""

    first: int
    last: int
    crops: CropsToAudit


def eligible(connection: Connection) -> Eligible:
    """The crops without an alarm and without a label that were stored since the last draw, each content once.

    The first time these may be millions, so do not ask for them while holding the lock for writing.
    """
    first, last = span_to_audit(connection)
    return Eligible(first, last, crops_to_audit(connection, first, last))


def draw_audit(database: Database, count: int, *, author: str | None, seed: int | None = None) -> Draw | None:
    """`draw`, in transactions of its own; what is eligible is looked up before the one that writes."""
    with database.read() as connection:
        found = eligible(connection)
    with database.write() as connection:
        return draw(connection, count, author=author, seed=seed, found=found)


def draw(
    connection: Connection,
    count: int,
    *,
    author: str | None,
    seed: int | None = None,
    found: Eligible | None = None,
) -> Draw | None:
    """Draw ``count`` eligible crops at random, or all where there are fewer; None where there are none.

    ``seed`` makes the draw repeatable: the same crops give the same draw. ``found`` is what was eligible a moment ago;
    where another draw was made since, it is out of date and looked up again.
    """
    if found is None or found.first != span_to_audit(connection)[0]:
        found = eligible(connection)
    chance = random.SystemRandom() if seed is None else random.Random(seed)
    parts: list[Part] = []
    for unusual, ids, wanted in _strata(found.crops, count):
        drawn = chance.sample(ids, wanted)
        audit = add_audit(
            connection,
            author=author,
            first=found.first,
            last=found.last,
            eligible=len(ids),
            drawn=drawn,
            unusual=unusual,
        )
        parts.append(Part(audit, len(ids), len(drawn), unusual))
    return Draw(parts, drawn_crops(connection, [part.audit for part in parts])) if parts else None


def of_unusual(count: int, unusual: int, others: int) -> int:
    """How many of ``count`` drawn crops are unusual ones: at most half, unless there are not enough others."""
    return min(unusual, max(count // 2, count - others))


def _strata(crops: CropsToAudit, count: int) -> list[tuple[bool | None, Sequence[int], int]]:
    """(kind, ids, how many of them are drawn) of each stratum that has crops."""
    unusual, others = crops
    if count == 1 and unusual and others:
        return [(None, sorted([*unusual, *others]), 1)]  # a single crop cannot stand for two strata
    first = of_unusual(count, len(unusual), len(others))
    strata = ((True, unusual, first), (False, others, min(len(others), count - first)))
    return [(kind, ids, wanted) for kind, ids, wanted in strata if ids]
