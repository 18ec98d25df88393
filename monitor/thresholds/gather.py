"""What a threshold is chosen from: every labelled crop with a stored score, with the weight that it counts with.

Two sources: the labelled crops that `monitor calibrate --data` was given, whose scores are kept (references), and
those that people labelled since (`monitor.labels.labels`). A content counts once, and what was said of it last.

**Proliv.** One bleed-out gives a hundred pictures that are all alike. Crops of one camera without a long pause between
them are one event, and each event counts the same: a crop's weight is ``1 / crops of its event``.

**Ne_proliv.** People label alarms, so the labelled crops are not those of the line. Two strata are put together in the
proportion in which they come: the false alarms stand for ``A * f`` crops, with A the alarms of the line and f the
share of ne_proliv among the labelled ones; all others (references, random draws, crops that somebody picked) stand for
the crops without an alarm. Source: stratification after sampling, W. G. Cochran, Sampling Techniques (1977), 5A.9.

**Age.** A crop counts half as much as one that is a half-life newer, so thresholds follow a line that changes slowly.

**Set aside** are contents whose labels contradict each other, and floods: more labels than a person gives from one
labeller within an hour, or of one event, since somebody last accepted such. A wrong folder copied by mistake must not
move the threshold before anybody has looked.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import numpy as np

from monitor.api import ScoreEvidence
from monitor.crops.dataset import Label
from monitor.files.walking import printable
from monitor.formulas.events import events
from monitor.labels import labels
from monitor.scoring.vote import PERCENTILES
from monitor.store import calibrations, traffic
from monitor.store.labels import labelled_scores

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from numpy.typing import NDArray
    from sqlalchemy.engine import Connection

    from monitor.configuration.settings import Calibration
    from monitor.labels.labels import LabelledCrop, LabelledCrops
    from monitor.store.calibrations import CalibrationRow, ReferenceRow
    from monitor.store.labels import LabelRow

FLOOD_SPAN: Final = timedelta(hours=1)
WEEK: Final = timedelta(days=7)
MOST_SENTENCES: Final = 3
SMALLEST_WEIGHT: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Item:
    """One labelled content with its deciding score; ``crop`` is none for a reference."""

    sha256: str
    label: Label
    score: float
    camera: str | None
    taken_at: datetime | None
    since: datetime
    """From when its age counts: when its crop was seen, or when the references were given."""
    crop: LabelledCrop | None = None


@dataclass(frozen=True)
class Evidence:
    """The labelled crops of one model, ready for a rule, and what a guard wants to know of them.

    ``newest``: the items that were labelled since a threshold was last judged. ``events``: how many bleed-outs the
    proliv crops come from. ``notes``: what a person should know. ``set_aside``: what was left out, a sentence each.
    """

    scores: ScoreEvidence
    items: Sequence[Item]
    newest: Sequence[Item]
    events: int
    labels_until: datetime | None
    accepted_until: datetime | None
    set_aside: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def gather(
    connection: Connection,
    model_id: int,
    settings: Calibration,
    *,
    now: datetime,
    accept: bool = False,
    given: Sequence[ReferenceRow] | None = None,
    trained_on: Collection[str] = (),
) -> Evidence:
    """Read the evidence for a model's threshold; with ``accept`` floods count like all others.

    ``given``: references in place of the stored ones. ``trained_on``: the sha256 of the crops that the model was
    trained on; of those, what is labelled ne_proliv says nothing of crops that it has not seen.
    """
    labelled = labels.read(connection)
    active = calibrations.active(connection, model_id)
    accepted_until = now if accept else _accepted_until(active, now)
    doubtful = {one.sha256 for one in labelled.contradictions}
    set_aside = _first([one.sentence for one in labelled.contradictions])
    floods = _floods(labelled, settings, accepted_until, set_aside)
    crops = _before_floods(labelled, floods)
    events_of_floods = _floods_of_events(crops, settings, accepted_until, set_aside)
    known = {crop.sha256 for crop in crops if crop.label is Label.NE_PROLIV}.intersection(trained_on)
    if known:
        set_aside.append(f"{len(known)} crops labelled ne_proliv are among those that the model was trained on")
    usable = [crop for crop in crops if crop.sha256 not in doubtful | events_of_floods | known]
    items = _items(connection, model_id, usable, doubtful | known, now, given)
    half_life = timedelta(days=settings.half_life_days) if settings.half_life_days else None
    recent = traffic.verdicts_since(connection, now - half_life if half_life else None)
    week = traffic.verdicts_since(connection, now - WEEK)
    alarms = [crop for crop in usable if crop.alarmed and crop.in_operation]
    false_share = sum(crop.label is Label.NE_PROLIV for crop in alarms) / len(alarms) if alarms else 0.0
    normal = [item for item in items if item.label is Label.NE_PROLIV]
    proliv = [item for item in items if item.label is Label.PROLIV]
    numbers = events([(item.camera, item.taken_at) for item in proliv], settings.event_gap_seconds)
    judged_since = calibrations.judged_since(connection, model_id, now)
    return Evidence(
        scores=ScoreEvidence(
            np.array([item.score for item in normal]),
            np.array([item.score for item in proliv]),
            normal_weights=_in_strata(normal, _ages(normal, now, half_life), recent, false_share),
            proliv_weights=_ages(proliv, now, half_life) * _shares(numbers),
            crops_per_week=float(sum(week.values())) or None,
        ),
        items=items,
        newest=[item for item in items if item.crop and judged_since and item.crop.recorded_at > judged_since],
        events=len(set(numbers)),
        labels_until=max((row.recorded_at for row in labelled.given), default=None),
        accepted_until=accepted_until,
        set_aside=set_aside,
        notes=_notes(normal, proliv, numbers, sum(week.values())),
    )


def _items(
    connection: Connection,
    model_id: int,
    usable: Sequence[LabelledCrop],
    doubtful: Collection[str],
    now: datetime,
    given: Sequence[ReferenceRow] | None,
) -> list[Item]:
    """The labelled contents that the model has a score of, and the references of which nothing was said since."""
    stored = labelled_scores(connection, model_id)
    rows = calibrations.references(connection, model_id) if given is None else given
    references = {row.sha256: row for row in rows}
    given_at = calibrations.references_given_at(connection, model_id) if given is None else now
    items = []
    for crop in usable:
        score = stored.get(crop.id) or references.get(crop.sha256)
        if score is not None:
            taken_at = crop.captured_at or crop.seen_at
            items.append(Item(crop.sha256, crop.label, score.score, crop.camera, taken_at, crop.seen_at, crop))
    # A flood takes no reference away: it is as if nobody had said anything.
    spoken_of = {item.sha256 for item in items} | set(doubtful)
    return items + [
        Item(sha256, Label(row.label), row.score, row.camera, row.captured_at, given_at or now)
        for sha256, row in references.items()
        if sha256 not in spoken_of
    ]


def _floods(
    labelled: LabelledCrops, settings: Calibration, accepted_until: datetime | None, set_aside: list[str]
) -> set[int]:
    """The ids of labels that came in a flood that nobody has accepted yet; the floods are named in ``set_aside``.

    A flood is told by all labels that were given, so that correcting a part of it does not let the rest pass. One of
    which no label counts any more is not named.
    """
    limit = settings.flood_labels
    unseen = [row for row in labelled.given if accepted_until is None or row.recorded_at > accepted_until]
    counting = {crop.label_id for crop in labelled.crops}
    flooding: set[int] = set()
    by_labeller: dict[str, list[LabelRow]] = defaultdict(list)
    for row in unseen:
        by_labeller["the labelled folder" if row.source == "folder" else row.author or "somebody unnamed"].append(row)
    for name, rows in by_labeller.items():
        flood = _dense(sorted(rows, key=lambda row: row.recorded_at), limit)
        flooding |= {row.id for row in flood}
        if any(row.id in counting for row in flood):
            first, last = flood[0].recorded_at, flood[-1].recorded_at
            set_aside.append(
                f"{len(flood)} labels of {printable(name)} were given faster than {limit} an hour, from "
                f"{first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC; see: monitor labels list; correct them, or take "
                "them all: monitor recalibrate --accept"
            )
    return flooding


def _before_floods(labelled: LabelledCrops, floods: Collection[int]) -> list[LabelledCrop]:
    """The crops with the label that counts where nothing that came in a flood does; without any, they are left out."""
    calm: dict[str, list[LabelRow]] = defaultdict(list)
    for row in labelled.given:
        if row.id not in floods:
            calm[row.sha256].append(row)
    crops = []
    for crop in labelled.crops:
        if crop.label_id not in floods:
            crops.append(crop)
        elif crop.sha256 in calm:
            row = labels.valid(calm[crop.sha256])[-1]
            crops.append(
                replace(
                    crop,
                    label=Label(row.label),
                    label_id=row.id,
                    labelled_at=row.at,
                    recorded_at=row.recorded_at,
                    source=row.source,
                    author=row.author,
                )
            )
    return crops


def _floods_of_events(
    crops: Sequence[LabelledCrop], settings: Calibration, accepted_until: datetime | None, set_aside: list[str]
) -> set[str]:
    """The contents of events that more proliv labels were given to than anybody would."""
    unseen = [
        crop
        for crop in crops
        if crop.label is Label.PROLIV and (accepted_until is None or crop.recorded_at > accepted_until)
    ]
    taken = [(crop.camera, crop.captured_at or crop.seen_at) for crop in unseen]
    numbers = events(taken, settings.event_gap_seconds)
    contents: set[str] = set()
    for number, count in Counter(numbers).items():
        if count > settings.flood_labels:
            members = [crop for crop, one in zip(unseen, numbers, strict=True) if one == number]
            first = min(crop.captured_at or crop.seen_at for crop in members)
            set_aside.append(
                f"{count} proliv labels are of one event, on camera {printable(members[0].camera or 'unknown')} at "
                f"{first:%Y-%m-%d %H:%M} UTC; look at them, then: monitor recalibrate --accept"
            )
            contents |= {crop.sha256 for crop in members}
    return contents


def _first(sentences: Sequence[str]) -> list[str]:
    """The first few sentences, and how many more there are."""
    more = len(sentences) - MOST_SENTENCES
    return [*sentences[:MOST_SENTENCES], *([f"and {more} more contents with contradictory labels"] if more > 0 else [])]


def _dense(rows: Sequence[LabelRow], limit: int) -> list[LabelRow]:
    """Those of the labels, in the order of their storing, that lie within an hour with more than ``limit``."""
    dense: list[LabelRow] = []
    start = taken = 0
    for end, row in enumerate(rows):
        while row.recorded_at - rows[start].recorded_at > FLOOD_SPAN:
            start += 1
        if end - start + 1 > limit:
            dense += rows[max(start, taken) : end + 1]
            taken = end + 1
    return dense


def _ages(items: Sequence[Item], now: datetime, half_life: timedelta | None) -> NDArray[np.float64]:
    """Half for each half-life, (N,); within a class only the proportions count, so the newest of it has 1."""
    if half_life is None or not items:
        return np.ones(len(items))
    ages = np.array([max((now - item.since) / half_life, 0.0) for item in items])
    weights: NDArray[np.float64] = np.exp2(ages.min() - ages)
    return weights.clip(min=SMALLEST_WEIGHT)  # however old, it stays a positive number


def _shares(numbers: Sequence[int]) -> NDArray[np.float64]:
    """1 / crops of its event, (N,)."""
    counts = Counter(numbers)
    return np.array([1 / counts[number] for number in numbers])


def _in_strata(
    normal: Sequence[Item], ages: NDArray[np.float64], recent: Mapping[str, int], false_share: float
) -> NDArray[np.float64]:
    """Weights, (N,), that put false alarms and all others together in the proportion of the line.

    Within a stratum they are in the proportion of the ``ages``, (N,).
    """
    false_alarms = np.array(
        [item.crop is not None and item.crop.alarmed and item.crop.in_operation for item in normal], dtype=np.bool_
    )
    masses = (
        (false_alarms, recent.get(Label.PROLIV.value, 0) * false_share),
        (~false_alarms, float(recent.get(Label.NE_PROLIV.value, 0))),
    )
    if not all(members.any() and mass > 0 for members, mass in masses):
        return ages
    weights = ages.copy()
    for members, mass in masses:
        weights[members] *= mass / ages[members].sum()
    return weights


def _notes(normal: Sequence[Item], proliv: Sequence[Item], numbers: Sequence[int], crops: int) -> list[str]:
    notes = []
    if proliv and len(set(numbers)) == 1:
        times = sorted(item.taken_at for item in proliv if item.taken_at)
        span = f" within {(times[-1] - times[0]).total_seconds():.0f} s" if len(times) > 1 else ""
        notes.append(
            f"all {len(proliv)} proliv crops come from one event{span}: how well others are caught, nobody knows yet"
        )
    picked = [item for item in normal if item.crop and item.crop.in_operation]
    if crops and picked and not any(item.crop and item.crop.audit for item in picked):
        notes.append("no crop without an alarm was drawn at random to be labelled: monitor label --audit 50")
    return notes


def effective(weights: NDArray[np.float64]) -> float:
    """How many crops of equal weight say as much as those of these weights, float64 (N,): ``(sum w)^2 / sum w^2``.

    Source: L. Kish, Survey Sampling (1965).
    """
    return float(weights.sum() ** 2 / (weights**2).sum()) if len(weights) else 0.0


def percentiles(scores: NDArray[np.float64], weights: NDArray[np.float64]) -> list[float]:
    """The percentiles 0, 1, ..., 100 of weighted float64 (N,) scores, linear between neighbours; none of no scores.

    The i-th of the sorted scores lies at the share ``(W_i - w_i) / (W_n - w_n)`` with W the cumulated weights w; with
    equal weights these are the usual shares ``(i - 1) / (n - 1)``.
    """
    if not len(scores):
        return []
    order = np.argsort(scores)
    ordered, sizes = scores[order], weights[order]
    below = np.cumsum(sizes) - sizes
    shares = below / below[-1] if below[-1] > 0 else np.zeros(len(below))
    return [float(one) for one in np.interp(np.linspace(0, 1, PERCENTILES), shares, ordered)]


def _accepted_until(active: CalibrationRow | None, now: datetime) -> datetime | None:
    """Until when floods of labels were accepted; a moment that lies ahead was stored by a clock that ran ahead."""
    text = active.evidence.get("accepted_until") if active else None
    moment = datetime.fromisoformat(text) if text else None
    return moment if moment is not None and moment <= now else None
