"""A folder whose crops are a stream with known events: decided anew, as the replay of alarms takes it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from monitor.alarms.columns import NE_PROLIV, PROLIV, UNLABELLED, Collector, moment_of
from monitor.alarms.raising import subject_of
from monitor.alarms.truth import EVENTS_FILE, Event, merged, read_events
from monitor.crops.dataset import open_labelled
from monitor.errors import DataError
from monitor.files.text import printable, to_text
from monitor.files.walking import crop_files
from monitor.scoring.folder import score_paths
from monitor.words import Label

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import timedelta
    from pathlib import Path
    from zoneinfo import ZoneInfo

    from monitor.alarms.columns import Decisions
    from monitor.files.ignoring import IgnoredNames
    from monitor.scoring.ensemble import Ensemble
    from monitor.scoring.pools.base import ScoringPool
    from monitor.store.alarms import Subject
    from monitor.store.database.engine import Database


@dataclass(frozen=True)
class StreamFolder:
    """The crops of a stream.

    ``paths``: all of them, in any order. ``labels``: what they show, by path; empty where ``events`` are known.
    ``events``: the true events of the stream, None where the labels tell them.
    """

    paths: Iterable[str]
    labels: Mapping[str, int]
    events: Sequence[Event] | None


def open_stream(folder: Path, zone: ZoneInfo, ignored: IgnoredNames) -> StreamFolder:
    """Find the crops and the true events of a folder.

    With an events.csv every crop below the folder belongs to the stream; else it has to be a labelled folder. Raises
    `InputMissingError` where something cannot be read, and `DataError` where the folder is neither, or the file wrong.
    """
    file = folder / EVENTS_FILE
    if os.path.lexists(file):  # a link that leads nowhere is no folder without a list
        return StreamFolder(crop_files(folder, ignored=ignored), {}, read_events(file, zone))
    try:
        labelled = open_labelled(folder, ignored)
    except DataError as error:
        raise DataError(f"{error}; or write the true events into {printable(file)}") from None
    labels = {str(one.path): PROLIV if one.label is Label.PROLIV else NE_PROLIV for one in labelled}
    return StreamFolder(list(labels), labels, None)


@dataclass
class DecidedStream:
    """A stream that was decided.

    ``decisions``: in the order of the crops' times. ``subjects``: what their columns refer to. ``refused``: how many
    crops could not be read or decided on. ``without_time``: how many were left out because their names tell no time.
    """

    decisions: Decisions
    events: list[Event]
    subjects: list[Subject] = field(default_factory=list)
    refused: int = 0
    without_time: int = 0


def decide_stream(
    stream: StreamFolder,
    pool: ScoringPool,
    ensemble: Ensemble,
    database: Database,
    *,
    batch_size: int,
    pause: timedelta,
    unusual: bool,
    on_crops: Callable[[int], None],
) -> DecidedStream:
    """Decide on every crop of a stream, in any order; nothing is stored.

    Memory holds a few bytes for each crop. ``pause``: what ends an event. ``unusual``: such crops open alarms, too.
    ``on_crops`` is called with the number of crops just decided.
    """
    subjects: list[Subject] = []
    collector = Collector(subjects)
    refused = without_time = 0
    for results in score_paths(stream.paths, pool, ensemble, database, batch_size=batch_size, keep=False):
        for one in results:
            if one.final is None:
                refused += 1
            elif one.captured_at is None:
                without_time += 1
            else:
                subject = subject_of(one.camera, one.hole, to_text(one.path))
                label = stream.labels.get(one.path, UNLABELLED)
                proliv = one.final.verdict is Label.PROLIV
                collector.add(subject, one.captured_at, label, proliv=proliv, unusual=unusual and one.unusual)
        on_crops(len(results))
    decisions = collector.taken().in_order()
    known = _labelled_events(decisions, subjects) if stream.events is None else stream.events
    return DecidedStream(decisions, merged(known, pause), subjects, refused, without_time)


def _labelled_events(decisions: Decisions, subjects: Sequence[Subject]) -> list[Event]:
    """Each crop that is labelled proliv as an event of its own."""
    proliv = decisions.labels == PROLIV
    columns = decisions.subjects[proliv].tolist(), decisions.at[proliv].tolist()
    return [Event(subjects[place], moment_of(at), moment_of(at)) for place, at in zip(*columns, strict=True)]
