"""Whether a model's scores move away from where they were after it was calibrated by hand, and where.

Everything is computed from the hourly summaries of `monitor.store.summaries`, for each hole and for all together.
Crops of one hour resemble each other (the same light, the same metal), so that a test that took them for independent
would find a drift in nearly every hour. The unit is the hour: the median of the recent hour is held against the
medians of the hours after the calibration.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from monitor.store import summaries
from monitor.store.summaries import ALL_CAMERAS, NO_HOLE, QUANTILES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from numpy.typing import NDArray
    from sqlalchemy.engine import Connection

    from monitor.configuration.settings import Drift as Settings
    from monitor.store.decisions import ModelRow
    from monitor.store.summaries import GroupKey, Summary

PROBABILITIES: Final = np.linspace(0, 1, QUANTILES)
LOWER_QUARTILE, MEDIAN, UPPER_QUARTILE = (QUANTILES // 4, QUANTILES // 2, QUANTILES // 4 * 3)
QUARTILES_OF_NORMAL: Final = 1.349
"""The distance between the quartiles of a normal distribution with standard deviation 1."""

BINS: Final = 10
PRIOR_CROPS: Final = 5.0
"""Crops that are added to each side of the stability index, so that an empty bin does not make it infinite."""
ROUNDING: Final = 1e-12
"""A relative difference that is due to the order of additions alone."""

EVERYTHING: Final[GroupKey] = (ALL_CAMERAS, NO_HOLE)
MOST_NAMED: Final = 5


class State(StrEnum):
    """What can be said of a group."""

    STEADY = "steady"
    DRIFTING = "drifting"
    LEARNING = "learning"
    """There are fewer than half of the hours to compare with."""
    SILENT = "silent"
    """No recent hour has enough crops."""


@dataclass(frozen=True, slots=True)
class GroupDrift:
    """What the test says of one (camera, hole); ``("*", -1)`` is all together, ``""`` and -1 are unknown ones.

    ``crops``, ``baseline_crops``: recent ones and those they are held against. ``missing_hours``: how many are missing
    before it can be tested. ``shift``: of the median, in robust sigmas of the baseline's crops, positive upwards;
    infinite where those crops all had the same score. ``stability``: the population stability index, >= 0. ``t``,
    ``p``: see `hourly_test`, of the medians `on_even_scale`; all four are None where nothing was tested.
    """

    camera: str
    hole: int
    state: State
    crops: int
    baseline_crops: int
    missing_hours: int
    shift: float | None = None
    stability: float | None = None
    t: float | None = None
    p: float | None = None

    @property
    def key(self) -> GroupKey:
        """(camera, hole)."""
        return self.camera, self.hole

    @property
    def tested(self) -> bool:
        """Whether there was enough to test."""
        return self.p is not None

    @property
    def everything(self) -> bool:
        """Whether it is all cameras and holes together."""
        return self.key == EVERYTHING

    @property
    def drifting(self) -> bool:
        """Whether it drifts."""
        return self.state is State.DRIFTING

    @property
    def up(self) -> bool:
        """Whether it moved upwards."""
        return self.t is not None and self.t > 0

    def as_dict(self) -> dict[str, Any]:
        """The same by name, ready for JSON, which knows no infinity."""
        values = asdict(self)
        return {
            name: None if isinstance(value, float) and not np.isfinite(value) else value
            for name, value in values.items()
        }


@dataclass(frozen=True, slots=True)
class Drift:
    """What is known of one model's drift. ``level``: a group drifts when its p is smaller; None when none was tested.

    ``groups``: all together first, then the holes by camera and number.
    """

    model: str
    detector: str
    level: float | None
    groups: tuple[GroupDrift, ...]
    sentence: str

    def as_dict(self) -> dict[str, Any]:
        """The same by name, ready for JSON."""
        return {
            "model": self.model,
            "detector": self.detector,
            "sentence": self.sentence,
            "level": self.level,
            "groups": [group.as_dict() for group in self.groups],
        }


def measure(connection: Connection, model: ModelRow, settings: Settings, now: datetime) -> Drift:
    """Test every group of a model's summaries; those of the last hours must be there, see `summaries.summarise`."""
    end = summaries.hour_of(now)
    recent_since = end - timedelta(hours=settings.recent_hours)
    baseline = summaries.baseline_summaries(
        connection,
        model.id,
        since=summaries.calibrated_by_hand_at(connection, model.id),
        before=recent_since,
        least_crops=settings.least_crops,
        most=settings.baseline_hours,
    )
    recent = summaries.summaries_between(connection, model.id, recent_since, end)
    return compare(model.name, model.detector, baseline, recent, settings)


def compare(
    model: str, detector: str, baseline: Sequence[Summary], recent: Sequence[Summary], settings: Settings
) -> Drift:
    """Hold the recent hours of each group against its baseline's, and say where the scores drift."""
    before, after = _by_group(baseline), _by_group(recent)
    keys = sorted({EVERYTHING, *before, *after}, key=lambda key: (key != EVERYTHING, key))
    tested = [_test(key, before.get(key, []), after.get(key, []), settings) for key in keys]
    count = sum(group.tested for group in tested)
    level = false_alarm_level(count, settings) if count else None
    groups = tuple(_decided(group, level) for group in tested)
    return Drift(model, detector, level, groups, sentence(groups))


def false_alarm_level(groups: int, settings: Settings) -> float:
    """The p below which a group drifts, such that false alarms come once in ``false_alarm_days`` on the average.

    Every hour as many tests are made as there are ``groups``; where nothing drifts, p is uniform in 0-1, so the
    expected number of tests a day that raise an alarm is (tests a day) * level, whether or not they depend on each
    other. With ``recent_hours`` above 1 tests overlap and alarms last longer, so they begin more rarely.
    """
    tests_a_day = 24 * groups
    return min(1.0, 1 / (tests_a_day * settings.false_alarm_days))


def hourly_test(
    baseline: NDArray[np.float64], recent: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Student's t and its two-sided p for medians of hours, float64 (..., B) and (..., R), along the last axis.

    With m the mean of the R recent medians, and B, M and s the number, mean and standard deviation (B - 1) of the
    baseline's: ``t = (m - M) / (s sqrt(1 / R + 1 / B))``, of B - 1 degrees of freedom when hours are independent
    and normal: the prediction interval of the mean of R further values (G. J. Hahn, W. Q. Meeker, Statistical
    Intervals, Wiley, 1991). Neither median nor MAD stand in for M and s: their ratio has no Student distribution, and
    at levels of one in some ten thousand the false alarms would be anybody's guess. B >= 2. Without any spread t is 0
    for the same value, infinite for another.
    """
    # Imported here: it takes a good tenth of a second, and only this needs it.
    from scipy.special import stdtr

    hours, recent_hours = baseline.shape[-1], recent.shape[-1]
    middle = baseline.mean(axis=-1)
    difference = recent.mean(axis=-1) - middle
    difference = np.where(np.abs(difference) <= ROUNDING * np.abs(middle), 0.0, difference)
    error = baseline.std(axis=-1, ddof=1) * np.sqrt(1 / recent_hours + 1 / hours)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(difference == 0, 0.0, difference / error)
    return t, 2 * stdtr(hours - 1, -np.abs(t))


def on_even_scale(
    baseline: NDArray[np.float64], recent: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Medians of hours, float64 (B,) and (R,), as logarithms where all are positive, else as they are.

    Errors and distances are positive, and another light multiplies them rather than adds to them: over the hours they
    are skewed, and a test made for a normal distribution finds drifts dozens of times too often in their tail. Their
    logarithms are about even. Where the hours differ little, both scales say the same.
    """
    if (baseline > 0).all() and (recent > 0).all():
        return np.log(baseline), np.log(recent)
    return baseline, recent


def stability_index(baseline: Sequence[Summary], recent: Sequence[Summary]) -> float:
    """The population stability index of the recent crops against the baseline's, over `BINS` bins.

    ``PSI = sum over the bins of (a - e) ln(a / e)`` with a and e the shares of the recent and of the baseline's crops
    in a bin: Kullback and Leibler's divergence J (On information and sufficiency, Annals of Mathematical Statistics
    22 (1951) 79-86), under the name that credit scoring gave it (N. Siddiqi, Credit Risk Scorecards, Wiley, 2006).
    The bins' inner edges are the deciles of the baseline, as the crop-weighted mean of its hours' deciles; shares come
    from the hours' quantiles, linear in between. `PRIOR_CROPS` are added to the baseline's, the same to each bin, and
    to the recent ones, as the baseline's lie, so that few crops are no drift; n of them still give up to about 9 / n
    where nothing drifts.
    """
    # Where many scores are the same, so are edges; between them there is nothing to count.
    edges = np.unique(pooled_quantiles(baseline)[2:-1:2])
    even = np.full(len(edges) + 1, 1 / (len(edges) + 1))
    expected = _bin_shares(baseline, edges, even)
    actual = _bin_shares(recent, edges, expected)
    return float(((actual - expected) * np.log(actual / expected)).sum())


def pooled_quantiles(hours: Sequence[Summary]) -> NDArray[np.float64]:
    """The crop-weighted mean of the hours' quantiles, float64 (`QUANTILES`,)."""
    return np.average([hour.quantiles for hour in hours], axis=0, weights=[hour.crops for hour in hours])


def median_shift(baseline: Sequence[Summary], recent: Sequence[Summary]) -> float:
    """How far the median moved, in robust sigmas of the baseline's crops: (q75 - q25) / 1.349, as for a normal one."""
    before, after = pooled_quantiles(baseline), pooled_quantiles(recent)
    sigma = (before[UPPER_QUARTILE] - before[LOWER_QUARTILE]) / QUARTILES_OF_NORMAL
    moved = float(after[MEDIAN] - before[MEDIAN])
    if sigma > 0:
        return moved / float(sigma)
    return 0.0 if abs(moved) <= ROUNDING * abs(before[MEDIAN]) else float(np.copysign(np.inf, moved))


def sentence(groups: Sequence[GroupDrift]) -> str:
    """Where the scores drift, for a person: one hole alone, all together, or which."""
    everything = next((group for group in groups if group.everything), None)
    holes = [group for group in groups if not group.everything]
    tested = [group for group in holes if group.tested]
    drifting = [group for group in tested if group.drifting]
    several_cameras = len({group.camera for group in holes}) > 1
    if len(drifting) == 1:
        (alone,) = drifting
        return f"{place(alone.key, several_cameras)} alone: {_moved(alone)}"
    same_way = max(([one for one in drifting if one.up is up] for up in (True, False)), key=len)
    if 2 * len(same_way) > len(tested) > 0:
        middle = sorted(same_way, key=_size)[len(same_way) // 2]
        return f"all holes together: {_moved(middle)}, {len(same_way)} of {len(tested)} holes"
    if drifting:
        strongest = sorted(drifting, key=_size, reverse=True)
        named = ", ".join(f"{place(one.key, several_cameras)} {_moved(one)}" for one in strongest[:MOST_NAMED])
        more = len(strongest) - MOST_NAMED
        return f"{named}, and {more} more" if more > 0 else named
    if everything is not None and everything.drifting:
        return f"all holes together: {_moved(everything)}, no hole stands out"
    return _quiet(groups, everything)


def place(key: GroupKey, several_cameras: bool) -> str:
    """A group as sentences name it."""
    camera, hole = key
    if key == EVERYTHING:
        return "all together"
    named = "unknown hole" if hole == NO_HOLE else f"hole {hole}"
    return f"camera {camera or 'unknown'} {named}" if several_cameras else named


def _quiet(groups: Sequence[GroupDrift], everything: GroupDrift | None) -> str:
    tested = sum(group.tested for group in groups if not group.everything)
    if tested or (everything is not None and everything.tested):
        return f"no drift: of {tested} holes and of all together, none moved more than chance would"
    learning = [group for group in groups if group.state is State.LEARNING]
    if len(learning) == len(groups) and everything is not None:
        return f"learning: {everything.missing_hours} more hours with crops are needed to compare with"
    return "silent: too few crops in the last hours to compare"


def _moved(group: GroupDrift) -> str:
    return f"{'up' if group.up else 'down'} by {_size(group):.1f} robust sigmas"


def _size(group: GroupDrift) -> float:
    return abs(group.shift or 0.0)


def _by_group(rows: Iterable[Summary]) -> dict[GroupKey, list[Summary]]:
    found: defaultdict[GroupKey, list[Summary]] = defaultdict(list)
    for row in rows:
        found[row.camera, row.hole].append(row)
    return found


def _test(key: GroupKey, baseline: list[Summary], recent: list[Summary], settings: Settings) -> GroupDrift:
    """Test one group; whether it drifts is decided when it is known how many were tested."""
    enough = [hour for hour in recent if hour.crops >= settings.least_crops]
    camera, hole = key
    crops, baseline_crops = sum(hour.crops for hour in recent), sum(hour.crops for hour in baseline)
    missing = max(0, (settings.baseline_hours + 1) // 2 - len(baseline))
    if missing:
        return GroupDrift(camera, hole, State.LEARNING, crops, baseline_crops, missing)
    if not enough:
        return GroupDrift(camera, hole, State.SILENT, crops, baseline_crops, 0)
    t, p = hourly_test(*on_even_scale(_medians(baseline), _medians(enough)))
    return GroupDrift(
        *(camera, hole, State.STEADY, sum(hour.crops for hour in enough), baseline_crops, 0),
        shift=median_shift(baseline, enough),
        stability=stability_index(baseline, enough),
        t=float(t),
        p=float(p),
    )


def _decided(group: GroupDrift, level: float | None) -> GroupDrift:
    if level is None or group.p is None or group.p >= level:
        return group
    return replace(group, state=State.DRIFTING)


def _medians(hours: Sequence[Summary]) -> NDArray[np.float64]:
    return np.array([hour.quantiles[MEDIAN] for hour in hours], dtype=np.float64)


def _bin_shares(
    hours: Sequence[Summary], edges: NDArray[np.float64], prior: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The share of the hours' and the prior crops in each bin between the inner edges, float64 (len(edges) + 1,)."""
    crops = np.array([hour.crops for hour in hours], dtype=np.float64)
    # Where a value repeats, np.interp takes the last of its probabilities: the share that is at most so high.
    below = np.array([np.interp(edges, hour.quantiles, PROBABILITIES, left=0.0, right=1.0) for hour in hours])
    counts = crops @ np.diff(below, axis=1, prepend=0, append=1)
    shares: NDArray[np.float64] = (counts + PRIOR_CROPS * prior) / (crops.sum() + PRIOR_CROPS)
    return shares
