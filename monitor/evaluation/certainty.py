"""What so few proliv allow to be said: the rate by incident, and how many proliv a better bound of TPR takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from monitor.formulas.incidents import incidents
from monitor.formulas.rates import CONFIDENCE, interval, trials_without_a_miss

if TYPE_CHECKING:
    from monitor.evaluation.comparison import Judge
    from monitor.evaluation.labelled_folder import CropsWithTruth

# The lower bound of TPR that is worth asking for: of a hundred proliv, two may be missed.
WANTED_TPR: Final = 0.98


@dataclass(frozen=True, slots=True)
class IncidentsCaught:
    """How many bleed-outs are caught: those of which at least one crop is.

    ``incidents``: how many there are among the proliv crops with a time in their names; ``without_time``: how many
    crops have none, and so belong to no known incident.
    """

    incidents: int
    caught: int
    without_time: int

    @property
    def rate(self) -> float | None:
        """The caught share of the incidents, 0-1; None without incidents."""
        return self.caught / self.incidents if self.incidents else None

    def as_dict(self) -> dict[str, Any]:
        """The same by name, with the exact interval, ready for JSON."""
        low, high = interval(self.caught, self.incidents)
        return {
            "proliv_events": self.incidents,
            "proliv_events_caught": self.caught,
            "proliv_without_time": self.without_time,
            "event_tpr": self.rate,
            "event_tpr_low": low,
            "event_tpr_high": high,
        }


def incidents_caught(judge: Judge, found: CropsWithTruth, gap_seconds: float) -> IncidentsCaught:
    """Compare the verdicts on labelled crops with the incidents that the proliv among them belong to.

    A pause of more than ``gap_seconds`` between a camera's crops begins another incident. Crops that were refused are
    not counted, as in `Judge.evaluate`.
    """
    identities = found.crops.identities
    rows = np.flatnonzero(found.proliv & np.isfinite(judge.scores)).tolist()
    timed = [row for row in rows if identities[row].captured_at is not None]
    numbers = incidents([(identities[row].camera, identities[row].captured_at) for row in timed], gap_seconds)
    caught = {number for row, number in zip(timed, numbers, strict=True) if judge.scores[row] >= judge.threshold}
    return IncidentsCaught(len(set(numbers)), len(caught), len(rows) - len(timed))


def outlook(proliv: int) -> dict[str, Any]:
    """What a number of proliv can show at best, ready for JSON.

    ``tpr_low_at_best``: the lower bound of TPR if none is missed, None without proliv; ``proliv_needed``: how many it
    takes for the bound ``tpr_low_wanted``, none of them missed.
    """
    return {
        "tpr_low_at_best": interval(proliv, proliv)[0],
        "tpr_low_wanted": WANTED_TPR,
        "proliv_needed": trials_without_a_miss(WANTED_TPR),
    }


def outlook_sentence(proliv: int) -> str:
    """The same for a person."""
    known = outlook(proliv)
    at_best, needed = known["tpr_low_at_best"], known["proliv_needed"]
    here = "there are none" if at_best is None else f"with {proliv}, as here, it is {at_best:.4f} at best"
    return (
        f"A lower bound of {WANTED_TPR:g} for TPR ({100 * CONFIDENCE:.0f} % interval) takes {needed} proliv without "
        f"a miss; {here}."
    )
