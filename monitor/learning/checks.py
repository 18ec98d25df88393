"""Whether a model that was trained again may replace the active one. Arithmetic alone: no store, no files.

The bounds are `learning.made_up_tolerance` and the absence of any loss of proliv; a refused model is kept with its
reason, and the active one stands.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from monitor.formulas.rates import weighted_rate
from monitor.words import Label, Unlearned

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Name this many crops, and count the others.
MOST_NAMED: Final = 5
# A rate that is lower by no more than this share of a crop is lower by rounding.
ROUNDING: Final = 1e-9


@dataclass(frozen=True)
class Refused:
    """A refusal with its sentence."""

    refusal: Unlearned
    sentence: str


class Share(NamedTuple):
    """How many of so many made-up pictures of a kind the former and the new model decide rightly."""

    kind: str
    pictures: int
    before: int
    after: int

    @property
    def lost(self) -> float:
        """By how much the share that is decided rightly falls, below 0 where it rises."""
        return (self.before - self.after) / self.pictures

    def as_dict(self) -> dict[str, Any]:
        """The same by name, ready for JSON."""
        return self._asdict()


class Pair(NamedTuple):
    """A labelled content, whether the former and the new model decide it rightly, and how much it counts.

    ``name``: how a sentence names it.
    """

    sha256: str
    name: str
    label: Label
    before: bool
    after: bool
    weight: float


def misses_proliv(
    before: Mapping[str, float], after: Mapping[str, float], limits: tuple[float, float], names: Mapping[str, str]
) -> Refused | None:
    """Refuse a model that, cross-fitted, misses a known proliv which the former one finds.

    ``before``, ``after``: scores by content; ``limits``: where proliv begins by the former and by the new model.
    ``names``: how a sentence names a content, if not by its sha256.
    """
    first, second = limits
    missed = [names.get(one, one) for one, score in after.items() if score < second and before.get(one, first) >= first]
    if not missed:
        return None
    return Refused(
        Unlearned.MISSES_PROLIV,
        f"of {len(after)} known proliv it misses {len(missed)} that the active model finds, each judged by what was "
        f"not learned from its hole: {_named(missed)}; look at their labels, or: monitor models accept",
    )


def worse_on_made_up(shares: Sequence[Share], tolerance: float) -> Refused | None:
    """Refuse a model that decides more than ``tolerance``, 0-1, of any kind of made-up pictures wrongly in addition."""
    worst = max(shares, key=lambda share: share.lost, default=None)
    if worst is None or worst.lost <= tolerance:
        return None
    return Refused(
        Unlearned.WORSE_ON_MADE_UP,
        f"of {worst.pictures} made-up pictures of the kind {worst.kind!r} it decides {worst.after} rightly, and the "
        f"active model {worst.before}: {worst.lost:.2%} fewer, and learning.made_up_tolerance allows {tolerance:.2%}; "
        "more labels may help, or: monitor models accept",
    )


def rates(pairs: Sequence[Pair]) -> dict[str, Any]:
    """TPR and TNR of both models on the same labelled contents, with their exact 95 % intervals; ready for JSON."""
    found = {}
    for label, name in ((Label.PROLIV, "tpr"), (Label.NE_PROLIV, "tnr")):
        chosen = [pair for pair in pairs if pair.label is label]
        weights = [pair.weight for pair in chosen]
        for when, right in (("before", [pair.before for pair in chosen]), ("after", [pair.after for pair in chosen])):
            rate = weighted_rate(right, weights)
            found[f"{name}_{when}"] = rate.as_dict() if rate else None
    return found


def worse(pairs: Sequence[Pair]) -> Refused | None:
    """Refuse a model that catches less of all labelled proliv, or surely passes less of all labelled ne_proliv.

    Only contents that the two models decide differently tell them apart. A proliv that is lost has to be made up for by
    one that is won. Of ne_proliv, chance decides a few otherwise with every training, so the share of those that the
    new model loses must be surely above a half: the lower end of its exact 95 % interval (Clopper and Pearson, or Korn
    and Graubard where weights differ).
    """
    proliv = [pair for pair in pairs if pair.label is Label.PROLIV]
    lost = sum(pair.weight * (pair.before - pair.after) for pair in proliv)
    if lost > ROUNDING * sum(pair.weight for pair in proliv):
        names = [pair.name for pair in proliv if pair.before and not pair.after]
        return Refused(
            Unlearned.WORSE_TPR,
            f"of {len(proliv)} labelled proliv it misses {len(names)} that the active model finds, and finds fewer "
            f"that the active one misses: {_named(names)}; look at their labels, or: monitor models accept",
        )
    normal = [pair for pair in pairs if pair.label is Label.NE_PROLIV]
    different = [pair for pair in normal if pair.before != pair.after]
    rate = weighted_rate([pair.before for pair in different], [pair.weight for pair in different])
    if rate is not None and rate.low > 1 / 2:
        names = [pair.name for pair in different if pair.before]
        return Refused(
            Unlearned.WORSE_TNR,
            f"of {len(normal)} labelled ne_proliv crops it raises an alarm on {len(names)} that the active model "
            f"passes, and passes {len(different) - len(names)} others: {_named(names)}; look at their labels, or: "
            "monitor models accept",
        )
    return None


def _named(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
