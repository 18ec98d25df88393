"""Gathers what a threshold is chosen from: every labelled crop with a stored score, and how much it counts.

There are two sources: the labelled crops that `monitor calibrate --data` was given, whose scores are kept (references),
and those that people labelled since (`monitor.labels.labels`). Each content counts once, by its newest label.

**Proliv.** One bleed-out gives a hundred pictures that are all alike. Crops of one camera without a long pause between
them are one incident, and each incident counts the same: a crop's weight is ``1 / crops of its incident``.

**Ne_proliv.** People label alarms and unusual crops, so the labelled crops are not a fair sample of the line. Three
strata are combined in the proportion in which they occur: the false alarms stand for ``A * f`` crops, with A the alarms
of the line and f the share of ne_proliv among the labelled ones; the unusual crops, likewise, for their number times
their share of ne_proliv; all others (references, random draws, crops that a person picked) stand for the rest.
Source: stratification after sampling, W. G. Cochran, Sampling Techniques (1977), 5A.9.

**Age.** A crop counts half as much as one that is a half-life newer, so thresholds follow a line that changes slowly.

**Set aside** are contents with contradictory labels, and floods: more labels than a person gives in an hour, or more of
one incident, since such labels were last accepted. A folder that was copied to the wrong place must not move the
threshold before a person has looked.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import numpy as np

from monitor.api import ScoreEvidence
from monitor.formulas.incidents import incidents
from monitor.labels import labels
from monitor.models.folders import TrainedOn
from monitor.store import calibrations
from monitor.store.labels import labelled_scores
from monitor.store.references import calibrated_by_hand_at, references_of
from monitor.store.traffic import unusual_since, verdicts_since
from monitor.thresholds.change import UTC_CLOCK
from monitor.thresholds.evidence import Evidence, Item
from monitor.thresholds.floods import (
    before_floods,
    contradictions_before_floods,
    floods_of_incidents,
    labels_of_floods,
)
from monitor.thresholds.weights import NormalShares, Recent, age_weights, incident_weights, stratum_weights
from monitor.words import Label

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from zoneinfo import ZoneInfo

    from sqlalchemy.engine import Connection

    from monitor.configuration.settings import Calibration
    from monitor.labels.labels import LabelledCrop, LabelledCrops
    from monitor.store.references import ReferenceRow

NOTHING_SEEN: Final = TrainedOn()
WEEK: Final = timedelta(days=7)
# Name this many contents with contradictory labels, and count the others.
MOST_NAMED: Final = 3


def gather_evidence(
    connection: Connection,
    model_id: int,
    settings: Calibration,
    *,
    now: datetime,
    accept: bool = False,
    accepted_until: datetime | None = None,
    given: Sequence[ReferenceRow] | None = None,
    trained_on: TrainedOn = NOTHING_SEEN,
    zone: ZoneInfo = UTC_CLOCK,
) -> Evidence:
    """Read the evidence for a model's threshold; with ``accept``, floods count like all other labels.

    ``accepted_until``: until when they do all the same; None: as the model's active calibration says.
    ``given``: references that take the place of the stored ones. ``trained_on``: the sha256 of the crops that the
    model was trained on; their labels are set aside, because they say nothing about crops that the model has not seen.
    Of the proliv among them the references count, which are cross-fitted; and what was learned from labels in operation
    counts with its cross-fitted score, as long as its label is what it was. ``zone``: the plant's clock, for the
    sentences about what is set aside.
    """
    labelled = labels.read(connection)
    accepted_until = now if accept else accepted_until or floods_accepted_until(connection, model_id, now)
    usable = usable_labels(labelled, settings, accepted_until, trained_on, zone)
    items = _items(connection, model_id, usable, now, given, trained_on)
    normal = [item for item in items if item.label is Label.NE_PROLIV]
    proliv = [item for item in items if item.label is Label.PROLIV]
    numbers = incidents([(item.camera, item.taken_at) for item in proliv], settings.event_gap_seconds)
    crops_in_week = sum(verdicts_since(connection, now - WEEK).values())
    half_life = timedelta(days=settings.half_life_days) if settings.half_life_days else None
    since = now - half_life if half_life else None
    recent = Recent(verdicts_since(connection, since), unusual_since(connection, since))
    judged_since = calibrations.judged_since(connection, model_id, now)
    return Evidence(
        scores=ScoreEvidence(
            np.array([item.score for item in normal]),
            np.array([item.score for item in proliv]),
            normal_weights=stratum_weights(normal, age_weights(normal, now, half_life), recent, usable.normal_shares),
            proliv_weights=age_weights(proliv, now, half_life) * incident_weights(numbers),
            crops_per_week=float(crops_in_week) or None,
        ),
        items=items,
        newest=[item for item in items if item.crop and judged_since and item.crop.recorded_at > judged_since],
        incidents=len(set(numbers)),
        labels_until=max((row.recorded_at for row in labelled.given), default=None),
        accepted_until=accepted_until,
        set_aside=usable.set_aside,
        notes=_notes(normal, proliv, numbers, crops_in_week),
    )


@dataclass(frozen=True)
class UsableLabels:
    """The labelled crops that count. ``excluded``: the contents that do not, not even as references."""

    crops: Sequence[LabelledCrop]
    excluded: Collection[str]
    set_aside: list[str]

    @property
    def normal_shares(self) -> NormalShares:
        """The shares of ne_proliv among the labelled alarms and unusual crops; 0 where none is labelled."""
        came = [crop for crop in self.crops if crop.in_operation]
        strata = ([crop for crop in came if crop.alarmed], [crop for crop in came if crop.unusual])
        return NormalShares(
            *(sum(crop.label is Label.NE_PROLIV for crop in some) / len(some) if some else 0.0 for some in strata)
        )


def usable_labels(
    labelled: LabelledCrops,
    settings: Calibration,
    accepted_until: datetime | None,
    trained_on: TrainedOn,
    zone: ZoneInfo,
) -> UsableLabels:
    """Set aside contradictions, floods, and crops that the model was trained on."""
    of_floods: list[str] = []
    floods = labels_of_floods(labelled, settings, accepted_until, of_floods, zone)
    contradictions = contradictions_before_floods(labelled, floods)
    doubtful = {one.sha256 for one in contradictions}
    set_aside = [*_first([one.sentence for one in contradictions]), *of_floods]
    crops = before_floods(labelled, floods)
    incidents_of_floods = floods_of_incidents(crops, settings, accepted_until, set_aside, zone)
    by_label = {label: {crop.sha256 for crop in crops if crop.label is label} for label in Label}
    # What was learned as proliv and is labelled ne_proliv has no score that is worth anything.
    known = by_label[Label.NE_PROLIV].intersection({*trained_on.normal, *trained_on.proliv})
    if known:
        set_aside.append(f"{len(known)} crops labelled ne_proliv are among those that the model was trained on")
    known_proliv = by_label[Label.PROLIV].intersection(trained_on.proliv)
    if known_proliv:
        set_aside.append(
            f"{len(known_proliv)} crops labelled proliv are among those that the model was trained on; they count with "
            "their cross-fitted scores where monitor calibrate --data was given them"
        )
    relabelled = {
        crop.sha256 for crop in crops for other in Label if other is not crop.label
        if crop.sha256 in trained_on.labelled(other)
    }  # fmt: skip
    if relabelled:
        set_aside.append(f"{len(relabelled)} crops were learned by the model with another label than they have now")
    known |= relabelled
    usable = [crop for crop in crops if crop.sha256 not in doubtful | incidents_of_floods | known | known_proliv]
    return UsableLabels(usable, doubtful | known, set_aside)


def _items(
    connection: Connection,
    model_id: int,
    usable: UsableLabels,
    now: datetime,
    given: Sequence[ReferenceRow] | None,
    trained_on: TrainedOn,
) -> list[Item]:
    """The labelled contents that the model has a score of, and the references that were not labelled since."""
    stored = labelled_scores(connection, model_id)
    rows = references_of(connection, model_id) if given is None else given
    references = {row.sha256: row for row in rows}
    given_at = calibrated_by_hand_at(connection, model_id) if given is None else now
    items = []
    for crop in usable.crops:
        # What was learned by heart has a score of its own, which says nothing.
        learned = trained_on.labelled(crop.label).get(crop.sha256)
        score = learned or stored.get(crop.id) or references.get(crop.sha256)
        if score is not None:
            taken_at = crop.captured_at or crop.seen_at
            items.append(Item(crop.sha256, crop.label, score.score, crop.camera, taken_at, crop.seen_at, crop))
    # A flood removes no reference: it counts as if none of its labels had been given.
    labelled = {item.sha256 for item in items}.union(usable.excluded)
    return items + [
        Item(sha256, Label(row.label), row.score, row.camera, row.captured_at, given_at or now)
        for sha256, row in references.items()
        if sha256 not in labelled
    ]


def _first(sentences: Sequence[str]) -> list[str]:
    """The first few sentences, and how many more there are."""
    more = len(sentences) - MOST_NAMED
    return [*sentences[:MOST_NAMED], *([f"and {more} more contents with contradictory labels"] if more > 0 else [])]


def _notes(normal: Sequence[Item], proliv: Sequence[Item], numbers: Sequence[int], crops_in_week: int) -> list[str]:
    notes = []
    if proliv and len(set(numbers)) == 1:
        times = sorted(item.taken_at for item in proliv if item.taken_at)
        span = f" within {(times[-1] - times[0]).total_seconds():.0f} s" if len(times) > 1 else ""
        notes.append(
            f"all {len(proliv)} proliv crops come from one incident{span}: how well others are caught is unknown"
        )
    picked = [item for item in normal if item.crop and item.crop.in_operation]
    if crops_in_week and picked and not any(item.crop and item.crop.audit for item in picked):
        notes.append("no crop without an alarm was drawn at random to be labelled: monitor label --audit 50")
    return notes


def floods_accepted_until(connection: Connection, model_id: int, now: datetime) -> datetime | None:
    """Until when floods of labels were accepted; a moment after ``now`` was stored by a clock that ran ahead."""
    active = calibrations.active(connection, model_id)
    text = active.evidence.get("accepted_until") if active else None
    moment = datetime.fromisoformat(text) if text else None
    return moment if moment is not None and moment <= now else None
