"""Estimates TPR and TNR in operation from the crops that people labelled; positive = proliv.

People label where they look, and they look where there was an alarm, so labelled crops are not a fair sample. Each gets
a weight, the number of crops that it stands for, as in survey sampling with three strata:

1. crops with an alarm (final verdict proliv): A / a, of A such crops of which a are labelled;
2. crops of a random draw (an audit): eligible / labelled crops of the draw; the unusual crops and all others are drawn
   apart, as strata of their own (`monitor.labels.audits`);
3. others, which a person chose to label without an alarm: 1, as they stand only for themselves.

A rate is the weighted share of the decisions that were made then, see `monitor.formulas.rates.weighted_rate`. For a
camera or a hole it is the estimate of a domain, with its own A and a (W. G. Cochran, Sampling Techniques, third
edition, Wiley, 1977, on ratio estimates, stratified sampling and domains).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeAlias

from monitor.formulas.incidents import incidents
from monitor.formulas.rates import WeightedRate, weighted_rate
from monitor.labels import labels
from monitor.quality.missed import missed_high
from monitor.store.audits import drawn_crop_times
from monitor.store.labels import verdicts_in_operation
from monitor.store.traffic import alarms_by_hole
from monitor.times import iso
from monitor.words import DECISION, Label

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from sqlalchemy.engine import Connection

    from monitor.labels.labels import LabelledCrop
    from monitor.store.models import ModelRow

# What the rates may be split by.
By: TypeAlias = Literal["camera", "hole"]
# (camera, hole); None where it is unknown, or does not matter.
Place: TypeAlias = tuple[str | None, int | None]

NOT_AUDITED: Final = (
    "Nothing was audited in this window: proliv that raised no alarm are hardly ever labelled, so TPR is too good. "
    "Draw crops at random and label them: monitor label --audit 20"
)
OTHERS_NOT_AUDITED: Final = (
    "Of the drawn crops only unusual ones are labelled, and these stand for the unusual crops alone: proliv among all "
    "others that raised no alarm are missing from TPR. Label the others as well: monitor label --audit-open"
)
UNUSUAL_NOT_AUDITED: Final = (
    "None of the drawn unusual crops is labelled, and a missed proliv is most likely among them: all these are missing "
    "from TPR. Label them: monitor label --audit-open"
)


class Window(NamedTuple):
    """A span of time [since, until), with its name in metrics and tables."""

    name: str
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Confusion:
    """Labelled crops by label and verdict, each counted once; positive = proliv."""

    tp: int = 0
    fp: int = 0
    tn: int = 0
    fn: int = 0

    @property
    def cells(self) -> tuple[tuple[tuple[Label, Label], int], ...]:
        """((label, verdict), crops) of all four cells."""
        yes, no = Label.PROLIV, Label.NE_PROLIV
        return ((yes, yes), self.tp), ((no, yes), self.fp), ((no, no), self.tn), ((yes, no), self.fn)


@dataclass(frozen=True, slots=True)
class Rates:
    """TPR and TNR of one detector, or of the final decision; None where no crop of the class is labelled.

    ``model``: its name, None for the final decision. ``camera``, ``hole``: None where it is unknown, or for all
    together; ``group`` says which. ``confusion``: the crops that the rates are of.
    """

    detector: str
    model: str | None
    group: Literal["all"] | By
    camera: str | None
    hole: int | None
    tpr: WeightedRate | None
    tnr: WeightedRate | None
    confusion: Confusion = Confusion()


@dataclass(frozen=True, slots=True)
class Quality:
    """What the labelled crops of a window say.

    ``proliv``, ``ne_proliv``: labelled crops of different content; ``incidents``: how many incidents the proliv crops
    belong to. ``contradictory``: contents that are left out because their labels contradict each other. ``alarms``,
    ``labelled_alarms``: crops with an alarm, and how many of them are labelled. ``drawn``, ``audited``,
    ``audited_proliv``: crops of random draws, how many of them are labelled, and how many as proliv;
    ``drawn_unusual``, ``audited_unusual``: likewise of the draws from the unusual crops. ``missed_high``: the share of
    the crops without an alarm that may be proliv at most (95 %), 0-1, where no audited crop is; else None.
    """

    window: Window
    proliv: int
    ne_proliv: int
    incidents: int
    contradictory: int
    alarms: int
    labelled_alarms: int
    drawn: int
    audited: int
    audited_proliv: int
    rates: tuple[Rates, ...]
    drawn_unusual: int = 0
    audited_unusual: int = 0
    missed_high: float | None = None

    @property
    def caution(self) -> str | None:
        """Why TPR cannot be taken at face value; None where an audit found missed proliv."""
        if not self.audited:
            return NOT_AUDITED
        if self.audited == self.audited_unusual:
            return OTHERS_NOT_AUDITED
        if self.drawn_unusual and not self.audited_unusual:
            return UNUSUAL_NOT_AUDITED
        if self.missed_high is None:
            return None
        return (
            f"None of the {self.audited} audited crops is proliv: up to {self.missed_high:.2%} of the crops without an "
            "alarm may still be (95 %), and TPR and its interval do not include them. Label more crops drawn at random."
        )

    @property
    def coverage(self) -> float | None:
        """The labelled share of the alarms, 0-1; None where there was none."""
        return self.labelled_alarms / self.alarms if self.alarms else None

    def as_dict(self) -> dict[str, Any]:
        """The same by name, ready for JSON."""
        values = asdict(self)
        rates = values.pop("rates")
        del values["window"]
        span = {"since": iso(self.window.since), "until": iso(self.window.until)}
        return {
            "window": self.window.name,
            **span,
            "events": values.pop("incidents"),  # the key of earlier versions, which their readers go on reading
            **values,
            "alarm_label_coverage": self.coverage,
            "caution": self.caution,
            "rates": rates,
        }


def last_days(days: float, now: datetime) -> Window:
    """The window of the last ``days`` days; its name is such as ``7d``."""
    return Window(f"{days:g}d", now - timedelta(days=days), now)


class _Verdicts(NamedTuple):
    """The decisions of a model, or the final ones (``model`` None): by crop, whether the verdict was proliv."""

    detector: str
    model: str | None
    proliv: Mapping[int, bool]


def quality_in_operation(
    connection: Connection,
    windows: Iterable[Window],
    models: Sequence[ModelRow],
    *,
    event_gap_seconds: float,
    by: By | None = None,
) -> list[Quality]:
    """Estimate the rates of these models and of the final decision in each window, from the decisions made then.

    A crop belongs to a window by the time when this program saw it, because a camera's clock may be wrong. Crops that
    came with their label are left out: no decision was made on them in operation.
    """
    labelled = labels.read(connection)
    doubtful = {one.sha256 for one in labelled.contradictions}
    decided = [crop for crop in labelled.crops if crop.in_operation]
    verdicts = _verdicts(connection, decided, models)
    draws = drawn_crop_times(connection)
    found = []
    for window in windows:
        alarms = alarms_by_hole(connection, window.since, window.until)
        inside = [crop for crop in decided if window.since <= crop.seen_at < window.until]
        drawn = {crop_id: one.unusual for crop_id, one in draws.items() if window.since <= one.seen_at < window.until}
        crops = [crop for crop in inside if crop.sha256 not in doubtful]
        proliv = [crop for crop in crops if crop.label is Label.PROLIV]
        audited = [crop for crop in crops if crop.id in drawn]
        taken = [(crop.camera, crop.captured_at or crop.seen_at) for crop in proliv]
        found.append(
            Quality(
                window=window,
                proliv=len(proliv),
                ne_proliv=len(crops) - len(proliv),
                incidents=len(set(incidents(taken, event_gap_seconds))),
                contradictory=len(inside) - len(crops),
                alarms=alarms.total(),
                labelled_alarms=sum(crop.alarmed for crop in crops),
                drawn=len(drawn),
                audited=len(audited),
                audited_proliv=sum(crop.label is Label.PROLIV for crop in audited),
                rates=tuple(_all_rates(crops, alarms, verdicts, by)),
                drawn_unusual=sum(drawn.values()),
                audited_unusual=sum(drawn[crop.id] for crop in audited),
                missed_high=missed_high(audited, drawn),
            )
        )
    return found


def _verdicts(connection: Connection, decided: Sequence[LabelledCrop], models: Sequence[ModelRow]) -> list[_Verdicts]:
    """The final decisions on the labelled crops, and then those of each model."""
    verdicts = [_Verdicts(DECISION, None, {crop.id: crop.alarmed for crop in decided})]
    for model in models:
        given = verdicts_in_operation(connection, model.id)
        own = {crop_id: verdict == Label.PROLIV.value for crop_id, verdict in given.items()}
        verdicts.append(_Verdicts(model.detector, model.name, own))
    return verdicts


def crop_weights(
    crops: Sequence[LabelledCrop], alarms: Mapping[Place, int], place: Callable[[Place], Place]
) -> dict[int, float]:
    """How many crops each labelled crop stands for, at least 1, by its id.

    ``alarms``: crops with an alarm by camera and hole. ``place`` maps a camera and a hole to the domain in which A and
    a are counted.
    """
    every: Counter[Place] = Counter()
    for key, count in alarms.items():
        every[place(key)] += count
    labelled = Counter(place((crop.camera, crop.hole)) for crop in crops if crop.alarmed)

    def weight(crop: LabelledCrop) -> float:
        if crop.alarmed:
            domain = place((crop.camera, crop.hole))
            return max(1.0, every[domain] / labelled[domain])
        # A crop that belongs to no draw has the weight 1.
        return crop.weight

    return {crop.id: weight(crop) for crop in crops}


def _together(_: Place) -> Place:
    return None, None


def _camera(place: Place) -> Place:
    return place[0], None


def _hole(place: Place) -> Place:
    return place


def _all_rates(
    crops: Sequence[LabelledCrop],
    alarms: Mapping[Place, int],
    verdicts: Sequence[_Verdicts],
    by: By | None,
) -> Iterable[Rates]:
    weight = crop_weights(crops, alarms, _together)
    for detector, model, decided in verdicts:
        yield Rates(detector, model, "all", None, None, *_rates(crops, weight, decided))
    if by is None:
        return
    place = _camera if by == "camera" else _hole
    weight = crop_weights(crops, alarms, place)
    found = {place((crop.camera, crop.hole)) for crop in crops}
    for camera, hole in sorted(found, key=lambda one: (one[0] or "", -1 if one[1] is None else one[1])):
        members = [crop for crop in crops if place((crop.camera, crop.hole)) == (camera, hole)]
        for detector, model, decided in verdicts:
            yield Rates(detector, model, by, camera, hole, *_rates(members, weight, decided))


def _rates(
    crops: Sequence[LabelledCrop], weight: Mapping[int, float], decided: Mapping[int, bool]
) -> tuple[WeightedRate | None, WeightedRate | None, Confusion]:
    """TPR, TNR and confusion over the crops with a decision; ``decided``: by crop, whether the verdict was proliv."""
    known = [crop for crop in crops if crop.id in decided]
    proliv = [crop for crop in known if crop.label is Label.PROLIV]
    normal = [crop for crop in known if crop.label is not Label.PROLIV]
    caught = [decided[crop.id] for crop in proliv]
    passed = [not decided[crop.id] for crop in normal]
    return (
        weighted_rate(caught, [weight[crop.id] for crop in proliv]),
        weighted_rate(passed, [weight[crop.id] for crop in normal]),
        Confusion(sum(caught), len(passed) - sum(passed), sum(passed), len(caught) - sum(caught)),
    )
