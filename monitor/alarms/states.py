"""Which holes are in alarm now, for receivers that show it by a lamp, a coil or the like for each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from monitor.api import HoleState, Sink
from monitor.store import alarms
from monitor.store.alarms import NO_HOLE

if TYPE_CHECKING:
    from typing import Literal

    from sqlalchemy.engine import Connection


def shows(sink: Sink) -> bool:
    """Whether a sink has something to show them by."""
    return type(sink).show is not Sink.show


def hole_states(connection: Connection) -> list[HoleState]:
    """The state of each hole, each camera's files without a hole, and each table that are not quiet, in order.

    What nobody is told of, as in a pause, is quiet here too: no message would tell when it is over.
    """
    newest: dict[tuple[str, str, int], tuple[bool, int]] = {}
    for row in alarms.running_subjects(connection):
        subject = row.kind, row.camera, row.hole
        # What waits to be acknowledged counts before what does not, then the newest.
        newest[subject] = max(newest.get(subject, (False, 0)), (row.state == "open", row.newest_id))
    return [
        HoleState(
            cast("Literal['hole', 'file', 'table']", kind),
            camera or None,
            None if hole == NO_HOLE else hole,
            "alarm" if is_open else "acknowledged",
            alarm_id,
        )
        for (kind, camera, hole), (is_open, alarm_id) in sorted(newest.items())
    ]
