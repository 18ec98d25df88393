"""What receivers are told: the message, its form, and how it gets into the outbox.

docs/alarms.md explains the form, and message-1.schema.json beside this module has it for machines; that of heartbeats,
which never get into the outbox, is heartbeat-1.schema.json. What is there stays; keys may come, and anything else would
be another version.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from monitor.alarms.wording import as_dict
from monitor.store import alarms, outbox

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy.engine import Connection

    from monitor.store.outbox import Due

Kind = Literal["opened", "more", "acknowledged", "closed"]

SCHEMA_FILE: Final = Path(__file__).with_name("message-1.schema.json")
HEARTBEAT_SCHEMA_FILE: Final = Path(__file__).with_name("heartbeat-1.schema.json")


class AlarmState(BaseModel):
    """An alarm as it was when the message was written; times are in UTC, null is for what is not known or not yet."""

    id: int
    kind: Literal["hole", "file", "table"] = Field(description="What it is about: a hole, a file, the whole table.")
    about: str = Field(description="The same in words.")
    camera: str | None
    hole: int | None
    path: str | None = Field(description="Of the file whose name tells no hole; bytes that are no UTF-8 are escaped.")
    holes: list[int] | None = Field(description="Of the whole table: the holes that are proliv.")
    state: Literal["open", "acknowledged", "closed"]
    opened_at: datetime
    opened_on: datetime = Field(description="The time of the crop that opened it.")
    first_at: datetime = Field(description="The earliest time of its crops.")
    last_at: datetime = Field(description="The latest time of its crops.")
    last_decided_at: datetime
    crops: int = Field(ge=1)
    highest_crop_id: int = Field(description="The crop whose score exceeds its threshold by most.")
    score: float = Field(description="Of that crop.")
    threshold: float = Field(description="Of that crop.")
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    acknowledged_note: str | None
    closed_at: datetime | None
    closed_by: str | None
    closed_note: str | None
    ended_by: Literal["acknowledgement", "quiet", "person", "table"] | None
    part_of: int | None = Field(description="The alarm of the table that it became part of.")
    sign: Literal["proliv", "unusual"] = Field(
        "proliv", description="What its crops are: decided proliv, or passed although a model calls them proliv."
    )
    cast_id: int | None = Field(None, description="The cast that ran when it opened.")
    cast: str | None = Field(None, description="The number of that cast.")
    alloy: str | None = Field(None, description="Of that cast, as far as it was known when this was written.")
    phase: Literal["idle", "start", "steady", "end"] | None = Field(None, description="Of that cast, then.")
    told_at: datetime | None = Field(None, description="When it was told, where that was later than it opened.")
    pause_id: int | None = Field(None, description="The pause that nobody was told of it in, before it was told.")


class Message(BaseModel):
    """A message about an alarm, or a test, which is about none: of one sink, or of everything by a self-test."""

    model_config = ConfigDict(title="A message of proliv-monitor about an alarm, version 1")

    version: Literal[1] = 1
    id: str = Field(description="The same whenever the message is repeated, and of no other message.")
    number: int = Field(description="Rises from message to message.")
    kind: Literal[Kind, "test"]
    at: datetime = Field(description="When it was written, in UTC.")
    alarm: AlarmState
    selftest: int | None = Field(None, description="Of a test: the number of the self-test that it belongs to.")


class Heartbeat(BaseModel):
    """A sign that alarms are decided and told; it is about no alarm, and has a form of its own."""

    model_config = ConfigDict(title="A heartbeat of proliv-monitor, version 1")

    version: Literal[1] = 1
    id: str = Field(description="Of this heartbeat and of nothing else; heartbeats are not repeated.")
    kind: Literal["heartbeat"]
    at: datetime = Field(description="When it was written, in UTC.")
    every_seconds: float = Field(gt=0, description="After how many seconds the next one is due.")
    host: str = Field(description="The name of the daemon's machine.")
    running: int = Field(ge=0, description="How many alarms that the receiver has been told of are not closed.")
    alarms: list[AlarmState] = Field(description="Those alarms as they are now: the newest 500, the newest first.")


def schema(form: type[Message | Heartbeat] = Message) -> str:
    """The form of a message, or of a heartbeat, as a JSON Schema."""
    return json.dumps(form.model_json_schema(mode="serialization"), indent=2) + "\n"


def tell(connection: Connection, sinks: Collection[str], alarm_id: int, kind: Kind, at: datetime) -> None:
    """Put a message about an alarm, as it is in this transaction, into the outbox; nothing without sinks."""
    if not sinks:
        return
    row = alarms.find(connection, alarm_id)
    assert row is not None
    # Whoever is told of it has been told of it.
    alarm = {name: value for name, value in as_dict(row).items() if name != "withheld"}
    lane = hashlib.sha256(json.dumps([row.camera, row.hole, row.place]).encode()).hexdigest()
    outbox.add(connection, sinks, uid=str(uuid.uuid4()), alarm_id=alarm_id, kind=kind, at=at, alarm=alarm, lane=lane)


def message(due: Due) -> dict[str, Any]:
    """A stored message as receivers get it."""
    values = {"id": due.uid, "number": due.id, "kind": due.kind, "at": due.at, "alarm": due.alarm}
    return Message.model_validate(values).model_dump(mode="json")
