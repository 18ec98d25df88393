"""Random draws of crops that people label for the quality in operation."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from monitor.store import audits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.engine import Connection

    from monitor.store.audits import DrawnCrop


@dataclass(frozen=True, slots=True)
class Draw:
    """A random draw: its id, from how many crops it was made, and what was drawn."""

    audit: int
    eligible: int
    crops: Sequence[DrawnCrop]


class Eligible(NamedTuple):
    """What a draw is made from: the ids of crops among those with ids from ``first`` to ``last``."""

    first: int
    last: int
    ids: Sequence[int]


def eligible(connection: Connection) -> Eligible:
    """The crops without an alarm and without a label that were stored since the draw before, each content once.

    The first time these may be millions, so it is better not asked for while the database is kept from others.
    """
    first, last = audits.span_to_audit(connection)
    return Eligible(first, last, audits.crops_to_audit(connection, first, last))


def draw(
    connection: Connection,
    count: int,
    *,
    author: str | None,
    seed: int | None = None,
    found: Eligible | None = None,
) -> Draw | None:
    """Draw eligible crops at random, to be labelled; none where there is nothing to draw from.

    Fewer than ``count``: all of them. ``seed``: the same draw from the same crops. ``found``: what was eligible a
    moment ago; not believed where somebody else has drawn since.
    """
    if found is None or found.first != audits.span_to_audit(connection)[0]:
        found = eligible(connection)
    first, last, ids = found
    if not ids:
        return None
    chance = random.SystemRandom() if seed is None else random.Random(seed)
    drawn = chance.sample(ids, min(count, len(ids)))
    audit = audits.add_audit(connection, author=author, first=first, last=last, eligible=len(ids), drawn=drawn)
    return Draw(audit, len(ids), audits.drawn_crops(connection, audit))
