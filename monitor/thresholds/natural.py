"""Whether labelled crops are reason enough to leave the threshold that a score itself suggests. Arithmetic alone.

Such a threshold is where the score says that both verdicts are equally likely. A rule knows less: it goes by the ends
of what is labelled, and while there are few bleed-outs, the end of the proliv is the single hardest of them, which can
only ever get harder, whether the threshold had caught it or not. So what a rule chooses takes the place of the natural
threshold only where labelled crops show that this one errs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from monitor.formulas.rates import interval

if TYPE_CHECKING:
    from monitor.api import ScoreArray, ScoreEvidence

# Of the crops that a higher threshold lets pass, surely more than this share must be false alarms.
_MOST: Final = 0.5


def why_held(
    threshold: float, natural: float, scores: ScoreEvidence, *, incidents: int, minimum_events: int
) -> str | None:
    """Why a threshold that a rule chose is not used in place of the natural one; None where it is.

    A lower one needs a labelled proliv that it catches and the natural one misses. A higher one needs proliv of
    ``minimum_events`` bleed-outs, as those of fewer may all lie far from the normal crops, where the next one does not;
    and among the labelled crops that it lets pass and the natural one does not, surely more false alarms than proliv:
    the lower end of the exact 95 % interval of their share must lie above one half. That takes six without a proliv.
    """
    if threshold < natural:
        if _count(scores.proliv, threshold, natural):
            return None
        return "no labelled proliv lies between the two, so nothing shows that it is too high"
    if threshold == natural:
        return None
    if incidents < minimum_events:
        return (
            f"the proliv are known to come from {incidents} bleed-outs, fewer than calibration.minimum_events "
            f"({minimum_events}); crops without a time count as one"
        )
    false_alarms, proliv = (_count(some, natural, threshold) for some in (scores.normal, scores.proliv))
    low, _ = interval(false_alarms, false_alarms + proliv)
    if low is not None and low > _MOST:
        return None
    return (
        f"of the labelled crops between the two, {false_alarms} are ne_proliv and {proliv} are proliv, which does not "
        "show with 95 % confidence that most crops there are false alarms"
    )


def _count(scores: ScoreArray, low: float, high: float) -> int:
    """How many scores lie in [low, high)."""
    return int(np.count_nonzero((scores >= low) & (scores < high)))
