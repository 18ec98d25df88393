"""Messages about an alarm and heartbeats as sinks get them."""

from __future__ import annotations

import uuid
from typing import Any

from monitor.alarms.messages import Heartbeat, Message

OPENED, CLOSED = "2026-03-01T05:39:28.104000Z", "2026-03-01T05:50:00Z"
STATES = {"opened": "open", "more": "open", "acknowledged": "acknowledged", "closed": "closed"}


def message(what: str, /, *, by: str = "anna", note: str | None = None, **alarm: Any) -> dict[str, Any]:
    """One about alarm 12, of hole 10; ``alarm``: what of the alarm is to be different."""
    state = STATES[what]
    acknowledged, closed = state != "open", state == "closed"
    camera, hole = alarm.get("camera", "C"), alarm.get("hole", 10)
    values = {
        "id": 12, "kind": "hole", "about": f"hole {hole} of camera {camera}", "camera": "C", "hole": 10, "path": None,
        "holes": None, "state": state, "opened_at": OPENED, "opened_on": OPENED, "first_at": OPENED,
        "last_at": "2026-03-01T05:39:40Z", "last_decided_at": "2026-03-01T05:39:41Z", "crops": 1,
        "highest_crop_id": 4711, "score": 2.33, "threshold": 1.0,
        "acknowledged_at": "2026-03-01T05:41:00Z" if acknowledged else None,
        "acknowledged_by": by if acknowledged else None, "acknowledged_note": note if acknowledged else None,
        "closed_at": CLOSED if closed else None, "closed_by": None, "closed_note": note if closed else None,
        "ended_by": "acknowledgement" if closed else None, "part_of": None, **alarm,
    }  # fmt: skip
    whole = {
        "id": str(uuid.uuid4()),
        "number": 31,
        "kind": what,
        "at": values[f"{what}_at"] if acknowledged else OPENED,
    }
    return _as_sent(Message, {**whole, "alarm": values})


def heartbeat(*about: dict[str, Any], running: int | None = None, at: str = OPENED) -> dict[str, Any]:
    """One that has the alarms of these messages."""
    values = {"id": str(uuid.uuid4()), "kind": "heartbeat", "at": at, "every_seconds": 60.0, "host": "hall-2"}
    alarms = [one["alarm"] for one in about]
    return _as_sent(Heartbeat, {**values, "running": len(alarms) if running is None else running, "alarms": alarms})


def _as_sent(form: type[Message | Heartbeat], values: dict[str, Any]) -> dict[str, Any]:
    return form.model_validate(values).model_dump(mode="json")
