"""The built-in threshold rules; by all of them a crop is proliv when its deciding score >= the threshold."""

from plugins.rules.cuts import F1, Balanced, Cost, Stump
from plugins.rules.false_alarms import Conformal, FalseAlarmsPerWeek
from plugins.rules.plain import Fixed, FractionOfMax, MeanProliv
from plugins.rules.quantiles import NormalQuantile, QuantileMidpoint, QuantileOfFullTpr
from plugins.rules.rates import TnrAtLeast, TprAtLeast

__all__ = [
    "F1",
    "Balanced",
    "Conformal",
    "Cost",
    "FalseAlarmsPerWeek",
    "Fixed",
    "FractionOfMax",
    "MeanProliv",
    "NormalQuantile",
    "QuantileMidpoint",
    "QuantileOfFullTpr",
    "Stump",
    "TnrAtLeast",
    "TprAtLeast",
]
