"""How many of the crops without an alarm may be proliv, by an audit that found none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from monitor.formulas.rates import interval
from monitor.formulas.weights import effective_size
from monitor.words import Label

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from monitor.labels.labels import LabelledCrop


def missed_high(audited: Sequence[LabelledCrop], unusual: Mapping[int, bool]) -> float | None:
    """`Quality.missed_high` of `operation`; ``unusual``: by id, whether a crop was drawn from the unusual ones.

    With W the crops that a stratum's audited ones stand for and h the upper end of the interval of 0 of them:
    ``(sum of W h) / (sum of W)``. Each end holds with 97.5 %, so both do with at least 95 % (Bonferroni's inequality).
    Of draws in which a crop stands for different numbers, as many count as say as much with equal weights (Kish).
    """
    if not audited or any(crop.label is Label.PROLIV for crop in audited):
        return None
    high = 0.0
    for kind in (False, True):
        weights = [crop.weight for crop in audited if unusual[crop.id] is kind]
        if weights:
            high += sum(weights) * (interval(0, max(1, round(effective_size(np.array(weights)))))[1] or 0.0)
    return high / sum(crop.weight for crop in audited)
