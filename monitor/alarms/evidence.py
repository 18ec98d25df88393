"""Notes what alarms are decided on, in the transaction of the decision; the files are read after that."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from monitor.store import alarm_evidence

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy.engine import Connection

    from monitor.alarms.latch import Latched
    from monitor.store.alarms import Subject


def note_evidence(connection: Connection, changed: Sequence[Latched], most_before: int, now: datetime) -> None:
    """Note the crops that opened stored alarms and the last ``most_before`` of each hole before them.

    The crop with the highest margin as well, each time that it is another one.
    """
    # At once: a thousand files whose names tell no hole make a thousand alarms.
    alarm_evidence.add(
        connection,
        {one.id: _roles(connection, one, most_before) for one in changed if one.id is not None and one.table is None},
        now,
    )
    for one in changed:
        if one.table is not None:
            assert one.id is not None
            assert one.table.id is not None
            alarm_evidence.move(connection, one.id, one.table.id)


def _roles(connection: Connection, alarm: Latched, most_before: int) -> dict[int, str]:
    roles = {one.crop_id: "opened" for one in alarm.opening}
    if any(one.crop_id == alarm.highest.crop_id for one in alarm.taken):
        roles.setdefault(alarm.highest.crop_id, "highest")
    opening: defaultdict[Subject, dict[int, datetime]] = defaultdict(dict)
    for one in alarm.opening:
        opening[one.subject][one.crop_id] = one.at
    for subject, times in opening.items():
        for crop_id in alarm_evidence.crops_before(connection, subject, times, most_before):
            roles.setdefault(crop_id, "before")
    return roles
