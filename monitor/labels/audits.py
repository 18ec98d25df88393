"""Draw crops at random, whose labels tell how many proliv raise no alarm (an audit)."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from monitor.store.audits import add_audit, crops_to_audit, drawn_crops, span_to_audit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.engine import Connection

    from monitor.store.audits import DrawnCrop
    from monitor.store.database.engine import Database


@dataclass(frozen=True, slots=True)
class Draw:
    """A random draw: its id, the number of crops it was made from, and the crops that were drawn."""

    audit: int
    eligible: int
    crops: Sequence[DrawnCrop]


class Eligible(NamedTuple):
    """What a draw is made from: the ``ids`` of the eligible crops in the span of ids from ``first`` to ``last``."""

    first: int
    last: int
    ids: Sequence[int]


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
    first, last, ids = found
    if not ids:
        return None
    chance = random.SystemRandom() if seed is None else random.Random(seed)
    drawn = chance.sample(ids, min(count, len(ids)))
    audit = add_audit(connection, author=author, first=first, last=last, eligible=len(ids), drawn=drawn)
    return Draw(audit, len(ids), drawn_crops(connection, audit))
