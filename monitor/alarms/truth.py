"""The true events of a stream of crops, with which alarms are compared: from `events.csv`, or from labels.

An event is crops of one hole that are proliv, without a longer pause between them than `alarms.pause_seconds`.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from typing import TYPE_CHECKING, Final, NamedTuple

from monitor.crops.identity import LARGEST_HOLE
from monitor.errors import DataError, InputMissingError
from monitor.files.opening import not_waiting
from monitor.files.text import printable, to_text
from monitor.store.alarms import Subject
from monitor.times import parse_time

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime, timedelta
    from pathlib import Path
    from zoneinfo import ZoneInfo

# Lies in a stream's folder; `monitor gen crops --stream` writes it.
EVENTS_FILE: Final = "events.csv"
COLUMNS: Final = ("hole", "camera", "start", "end")


class Event(NamedTuple):
    """A bleed-out of one hole; ``start``, ``end``: the times of its first and of its last proliv crop, in UTC."""

    subject: Subject
    start: datetime
    end: datetime


def merged(events: Iterable[Event], pause: timedelta) -> list[Event]:
    """The events in the order of their starts; those of one hole without a longer pause between them are one."""
    by_subject: defaultdict[Subject, list[Event]] = defaultdict(list)
    for event in sorted(events, key=lambda one: (one.start, one.subject)):
        own = by_subject[event.subject]
        if own and event.start - own[-1].end <= pause:
            own[-1] = own[-1]._replace(end=max(own[-1].end, event.end))
        else:
            own.append(event)
    return sorted((one for own in by_subject.values() for one in own), key=lambda one: (one.start, one.subject))


def read_events(file: Path, zone: ZoneInfo) -> list[Event]:
    """Read the true events from a CSV file with the columns hole, camera, start and end.

    Times are in ISO 8601; without a zone they are on the clock of ``zone``. Raises `InputMissingError` where the file
    cannot be read, and `DataError` with the line that is wrong.
    """
    name = printable(file)
    try:
        with open(file, encoding="utf-8-sig", opener=not_waiting) as opened:
            text = opened.read()
    except OSError as error:
        raise InputMissingError(f"{name}: cannot be read: {error.strerror}; check it, or take it away") from None
    except UnicodeDecodeError:
        raise DataError(f"{name}: is not UTF-8; save it as that") from None
    rows = csv.reader(text.splitlines())
    try:
        header = tuple(next(rows, ()))
        if header != COLUMNS:
            raise DataError(f"{name}:1: the first line must be {','.join(COLUMNS)}; write the file so")
        return [_event(row, f"{name}:{rows.line_num}", zone) for row in rows if row]
    except csv.Error as error:
        raise DataError(f"{name}:{rows.line_num}: is not CSV: {error}; correct the line") from None


def _event(row: list[str], place: str, zone: ZoneInfo) -> Event:
    if len(row) != len(COLUMNS):
        raise DataError(f"{place}: has {len(row)} values instead of {len(COLUMNS)}: {', '.join(COLUMNS)}; correct it")
    hole, camera, *times = (value.strip() for value in row)
    if not (hole.isascii() and hole.isdecimal()) or len(hole) > len(str(LARGEST_HOLE)) or int(hole) > LARGEST_HOLE:
        raise DataError(f"{place}: hole: {printable(hole)!r} is no number of a hole; correct it")
    moments = []
    for column, value in zip(COLUMNS[2:], times, strict=True):
        try:
            moments.append(parse_time(value, zone))
        except ValueError:
            raise DataError(
                f"{place}: {column}: {printable(value)!r} is no time such as 2026-03-01T05:39:27+03:00; correct it"
            ) from None
    start, end = moments
    if end < start:
        raise DataError(f"{place}: the end is before the start; correct the line")
    return Event(Subject(to_text(camera), int(hole)), start, end)
