"""Replays the decisions of the store beside the events that people labelled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.alarms.circumstances import Circumstances
from monitor.alarms.columns import AT_ONCE, NE_PROLIV, PROLIV, UNLABELLED, Collector
from monitor.alarms.raising import subject_of
from monitor.alarms.replay import Replay
from monitor.alarms.truth import Event, merged
from monitor.labels import labels
from monitor.store.labels import labelled_crops
from monitor.store.sequence import in_time_order
from monitor.words import Label

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy.engine import Connection

    from monitor.alarms.latch import Rule
    from monitor.alarms.outcomes import Rules
    from monitor.configuration.settings import Alarms
    from monitor.store.alarms import Subject


def replay_stored(
    connection: Connection, settings: Alarms, rules: Sequence[Rules], since: datetime | None, until: datetime | None
) -> Replay:
    """Run the decisions in operation on crops that were first seen in [since, until) through the latch again.

    The rules have one ``pause``. Which cast ran in which phase, and what was paused, is as the store has it; unusual
    crops count where ``settings`` let them open alarms. Contents with contradictory labels count as unlabelled.
    """
    known, events = _labelled(connection, rules[0].usual, since, until)
    subjects: list[Subject] = []
    collector = Collector(subjects)
    circumstances = Circumstances.stored(connection, settings)
    replay = Replay(subjects, rules, events, complete=False, circumstances=circumstances)
    for crop in in_time_order(connection, since, until):
        subject = subject_of(crop.camera, crop.hole, crop.path or "")
        collector.add(
            *(subject, crop.at, known.get(crop.id, UNLABELLED)),
            proliv=crop.verdict == Label.PROLIV,
            unusual=settings.unusual and crop.unusual,
            decided=crop.decided_at,
        )
        if len(collector) == AT_ONCE:
            replay.add(collector.taken())
    replay.add(collector.taken())
    return replay


def _labelled(
    connection: Connection, rule: Rule, since: datetime | None, until: datetime | None
) -> tuple[dict[int, int], list[Event]]:
    """What was said of crops, by their ids, and the events that the proliv among them make."""
    agreed = {crop.sha256: crop.label for crop in labels.read(connection).agreed()}
    crops = [
        crop
        for crop in labelled_crops(connection)
        if crop.sha256 in agreed
        and crop.source == "inbox"
        and (since is None or crop.seen_at >= since)
        and (until is None or crop.seen_at < until)
    ]
    proliv = {crop.id: agreed[crop.sha256] is Label.PROLIV for crop in crops}
    events = [
        Event(subject_of(crop.camera, crop.hole, crop.path), at, at)
        for crop in crops
        if proliv[crop.id]
        for at in (crop.captured_at or crop.seen_at,)
    ]
    return {crop: PROLIV if is_proliv else NE_PROLIV for crop, is_proliv in proliv.items()}, merged(events, rule.pause)
