"""TPR and TNR in operation, estimated from the crops that people labelled; positive = proliv.

Labels are given where somebody looked, and people look where there was an alarm, so labelled crops are no fair sample.
Each gets a weight, the number of crops that it stands for, as in survey sampling with three strata:

1. crops with an alarm (final verdict proliv): A / a, of A such crops of which a are labelled;
2. crops of a random draw (an audit): eligible / labelled crops of the draw;
3. others, which somebody chose to label without an alarm: 1, for they stand for themselves alone.

A rate is the weighted share of what was decided then, see `monitor.formulas.rates.weighted_rate`. For a camera or a
hole it is the estimate of a domain, with A and a of its own (W. G. Cochran, Sampling Techniques, third edition, Wiley,
1977, on ratio estimates, stratified sampling and domains).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from monitor.formulas.events import events
from monitor.formulas.rates import WeightedRate, interval, weighted_rate
from monitor.labels import labels
from monitor.store import labels as stored
from monitor.store.audits import drawn_crop_times
from monitor.store.traffic import alarms_by_hole
from monitor.words import DECISION, Label

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from sqlalchemy.engine import Connection

    from monitor.labels.labels import LabelledCrop
    from monitor.store.models import ModelRow

By = Literal["camera", "hole"]
Place = tuple[str | None, int | None]
"""(camera, hole); None where it is unknown, or does not matter."""

NOT_AUDITED = (
    "Nothing was audited in this window: proliv that raised no alarm are hardly ever labelled, so TPR is too good. "
    "Draw crops at random and label them: monitor label --audit 20"
)


class Window(NamedTuple):
    """A span of time [since, until), with the name that metrics and tables have for it."""

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
        """((label, verdict), crops) of all four."""
        yes, no = Label.PROLIV, Label.NE_PROLIV
        return ((yes, yes), self.tp), ((no, yes), self.fp), ((no, no), self.tn), ((yes, no), self.fn)


@dataclass(frozen=True, slots=True)
class Rates:
    """TPR and TNR of one detector, or of the final decision; None where no crop of the class is labelled.

    ``model``: its name, None for the final decision. ``camera``, ``hole``: None where unknown or all together;
    ``group``: "all", "camera" or "hole", which tells that apart. ``confusion``: the crops that the rates are of.
    """

    detector: str
    model: str | None
    group: Literal["all", "camera", "hole"]
    camera: str | None
    hole: int | None
    tpr: WeightedRate | None
    tnr: WeightedRate | None
    confusion: Confusion = Confusion()


@dataclass(frozen=True, slots=True)
class Quality:
    """What the labelled crops of a window say.

    ``proliv``, ``ne_proliv``: labelled crops of different content; ``events``: how many events the proliv are of.
    ``contradictory``: contents left out for their labels contradict each other. ``alarms``, ``labelled_alarms``: crops
    with an alarm, and those labelled. ``drawn``, ``audited``, ``audited_proliv``: crops of random draws, the labelled
    ones of them, and those labelled proliv.
    """

    window: Window
    proliv: int
    ne_proliv: int
    events: int
    contradictory: int
    alarms: int
    labelled_alarms: int
    drawn: int
    audited: int
    audited_proliv: int
    rates: tuple[Rates, ...]

    @property
    def caution(self) -> str | None:
        """Why TPR is not to be believed as it stands; None where an audit found what was missed."""
        if not self.audited:
            return NOT_AUDITED
        if self.audited_proliv:
            return None
        high = interval(0, self.audited)[1]
        return (
            f"None of the {self.audited} audited crops is proliv: up to {high:.2%} of the crops without an alarm may "
            "still be (95 %), of which TPR and its interval know nothing. Label more crops drawn at random."
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
        span = {"since": self.window.since.isoformat(), "until": self.window.until.isoformat()}
        return {
            "window": self.window.name,
            **span,
            **values,
            "alarm_label_coverage": self.coverage,
            "caution": self.caution,
            "rates": rates,
        }


def last_days(days: float, now: datetime) -> Window:
    """The window of the last ``days`` days, named such as "7d"."""
    return Window(f"{days:g}d", now - timedelta(days=days), now)


def measure(
    connection: Connection,
    windows: Iterable[Window],
    models: Sequence[ModelRow],
    *,
    event_gap_seconds: float,
    by: By | None = None,
) -> list[Quality]:
    """Estimate the rates of these models and of the final decision in each window, from what was decided then.

    A crop lies in a window by the time when this program saw it: a camera's clock may be wrong. Crops that came with
    their label are left out: nothing was decided on them in operation.
    """
    read = labels.read(connection)
    doubtful = {one.sha256 for one in read.contradictions}
    decided = [crop for crop in read.crops if crop.in_operation]
    verdicts: list[tuple[str, str | None, Mapping[int, bool]]] = [
        (DECISION, None, {crop.id: crop.alarmed for crop in decided})
    ]
    for model in models:
        found = stored.labelled_scores(connection, model.id)
        own = {crop_id: row.verdict == Label.PROLIV.value for crop_id, row in found.items()}
        verdicts.append((model.detector, model.name, own))
    draws = drawn_crop_times(connection)
    results = []
    for window in windows:
        inside = [crop for crop in decided if window.since <= crop.seen_at < window.until]
        crops = [crop for crop in inside if crop.sha256 not in doubtful]
        alarms = alarms_by_hole(connection, window.since, window.until)
        proliv = [crop for crop in crops if crop.label is Label.PROLIV]
        drawn = {crop_id for crop_id, seen_at in draws.items() if window.since <= seen_at < window.until}
        audited = [crop for crop in crops if crop.id in drawn]
        results.append(
            Quality(
                window=window,
                proliv=len(proliv),
                ne_proliv=len(crops) - len(proliv),
                events=len(
                    set(events([(crop.camera, crop.captured_at or crop.seen_at) for crop in proliv], event_gap_seconds))
                ),
                contradictory=len(inside) - len(crops),
                alarms=alarms.total(),
                labelled_alarms=sum(crop.alarmed for crop in crops),
                drawn=len(drawn),
                audited=len(audited),
                audited_proliv=sum(crop.label is Label.PROLIV for crop in audited),
                rates=tuple(_all_rates(crops, alarms, verdicts, by)),
            )
        )
    return results


def weights(
    crops: Sequence[LabelledCrop], alarms: Mapping[Place, int], place: Callable[[Place], Place]
) -> dict[int, float]:
    """What each labelled crop stands for, at least 1, by its id.

    ``alarms``: crops with an alarm by camera and hole. ``place`` maps a camera and hole to the domain that A and a
    are counted in.
    """
    every: Counter[Place] = Counter()
    for key, count in alarms.items():
        every[place(key)] += count
    labelled = Counter(place((crop.camera, crop.hole)) for crop in crops if crop.alarmed)

    def weight(crop: LabelledCrop) -> float:
        if crop.alarmed:
            domain = place((crop.camera, crop.hole))
            return max(1.0, every[domain] / labelled[domain])
        # A crop that no draw holds has the weight 1 already.
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
    verdicts: Sequence[tuple[str, str | None, Mapping[int, bool]]],
    by: By | None,
) -> Iterable[Rates]:
    weight = weights(crops, alarms, _together)
    for detector, model, decided in verdicts:
        yield Rates(detector, model, "all", None, None, *_rates(crops, weight, decided))
    if by is None:
        return
    place = _camera if by == "camera" else _hole
    weight = weights(crops, alarms, place)
    found = {place((crop.camera, crop.hole)) for crop in crops}
    for camera, hole in sorted(found, key=lambda one: (one[0] or "", -1 if one[1] is None else one[1])):
        members = [crop for crop in crops if place((crop.camera, crop.hole)) == (camera, hole)]
        for detector, model, decided in verdicts:
            yield Rates(detector, model, by, camera, hole, *_rates(members, weight, decided))


def _rates(
    crops: Sequence[LabelledCrop], weight: Mapping[int, float], decided: Mapping[int, bool]
) -> tuple[WeightedRate | None, WeightedRate | None, Confusion]:
    """TPR and TNR of those crops that it decided on at all; ``decided``: crop -> whether the verdict was proliv."""
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
