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

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import numpy as np

from monitor.api import ScoreEvidence
from monitor.formulas.events import events
from monitor.labels import labels
from monitor.store import calibrations, traffic
from monitor.store.labels import labelled_scores
from monitor.store.references import calibrated_by_hand_at, references_of
from monitor.thresholds.evidence import Evidence, Item
from monitor.thresholds.floods import before_floods, floods_of_events, labels_of_floods
from monitor.thresholds.weights import ages, in_strata, shares
from monitor.words import Label

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy.engine import Connection

    from monitor.configuration.settings import Calibration
    from monitor.labels.labels import LabelledCrop
    from monitor.store.calibrations import CalibrationRow
    from monitor.store.references import ReferenceRow
WEEK: Final = timedelta(days=7)
MOST_SENTENCES: Final = 3


def gather_evidence(
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
    floods = labels_of_floods(labelled, settings, accepted_until, set_aside)
    crops = before_floods(labelled, floods)
    events_of_floods = floods_of_events(crops, settings, accepted_until, set_aside)
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
            normal_weights=in_strata(normal, ages(normal, now, half_life), recent, false_share),
            proliv_weights=ages(proliv, now, half_life) * shares(numbers),
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
    rows = references_of(connection, model_id) if given is None else given
    references = {row.sha256: row for row in rows}
    given_at = calibrated_by_hand_at(connection, model_id) if given is None else now
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


def _first(sentences: Sequence[str]) -> list[str]:
    """The first few sentences, and how many more there are."""
    more = len(sentences) - MOST_SENTENCES
    return [*sentences[:MOST_SENTENCES], *([f"and {more} more contents with contradictory labels"] if more > 0 else [])]


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


def _accepted_until(active: CalibrationRow | None, now: datetime) -> datetime | None:
    """Until when floods of labels were accepted; a moment that lies ahead was stored by a clock that ran ahead."""
    text = active.evidence.get("accepted_until") if active else None
    moment = datetime.fromisoformat(text) if text else None
    return moment if moment is not None and moment <= now else None
