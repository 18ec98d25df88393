"""The tables of alarms: the latched notices of events, which crops belong to them, and who has been told of them."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    text,
)

from monitor.store.database.metadata import metadata
from monitor.store.database.types import Identifier, UtcDateTime

# What an alarm is about is (camera, hole, place): a hole; a whole table, whose hole is -1; or one file whose name tells
# no hole, whose hole is -1 and whose place is the SHA-256 of its path. An unknown camera is "".
alarms = Table(
    "alarms",
    metadata,
    Column("id", Identifier, primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("camera", Text, nullable=False),
    Column("hole", Integer, nullable=False),
    Column("place", String(64), nullable=False),
    Column("path", Text),  # of the file, if that is what it is about
    Column("holes", JSON),  # of an alarm of the table: the numbers of the holes, rising
    Column("state", String(16), nullable=False),
    Column("opened_at", UtcDateTime, nullable=False),  # when it was decided
    Column("opened_on", UtcDateTime, nullable=False),  # the time of the crop that opened it
    # The earliest and the latest time of its crops, and when the last of them was decided.
    Column("first_at", UtcDateTime, nullable=False),
    Column("last_at", UtcDateTime, nullable=False),
    Column("last_decided_at", UtcDateTime, nullable=False),
    Column("crops", Integer, nullable=False),
    # Of the crop whose score exceeds its threshold by most.
    Column("highest_crop_id", Identifier, ForeignKey("crops.id"), nullable=False),
    Column("score", Float(53), nullable=False),
    Column("threshold", Float(53), nullable=False),
    Column("acknowledged_at", UtcDateTime),
    Column("acknowledged_by", Text),
    Column("acknowledged_note", Text),
    Column("closed_at", UtcDateTime),
    Column("closed_by", Text),  # the person who closed it, if one did
    Column("closed_note", Text),
    Column("ended_by", String(16)),  # why it is closed: "acknowledgement", "quiet", "person" or "table"
    Column("part_of", Identifier, ForeignKey("alarms.id")),  # the alarm of the table that it became part of
    # Why no sink has been told of it yet, such as "pause"; null once one was, or would have been.
    Column("withheld", String(16)),
    Column("told_at", UtcDateTime),  # when it was told, where that was later than it opened
    # The last pause in which it was withheld; no foreign key, for which SQLite would have to write the table anew.
    Column("pause_id", Identifier),
    # What its crops are: "proliv", or "unusual" where [alarms] lets those open alarms of their own.
    Column("sign", String(16), nullable=False, server_default="proliv"),
    # The cast that ran when it opened, and its phase; null where none was known.
    Column("cast_id", Identifier),
    Column("phase", String(16)),
    CheckConstraint("kind in ('hole', 'file', 'table')", name="kind"),
    CheckConstraint("state in ('open', 'acknowledged', 'closed')", name="state"),
    CheckConstraint("(state = 'closed') = (ended_by is not null)", name="ended_by"),
    # Alarms that are not closed are few, so this index is small.
    Index(
        "ix_alarms_running",
        "camera",
        "last_at",
        sqlite_where=text("state <> 'closed'"),
        postgresql_where=text("state <> 'closed'"),
    ),
    # Deleting a crop looks for alarms that refer to it.
    Index(None, "highest_crop_id"),
    Index(None, "part_of"),
)

# Each proliv of the line with the alarm that it belongs to, from schema 0012 on, and each unusual crop while [alarms]
# lets those open alarms. Those that have opened no alarm yet, because k of [alarms] is not reached, have none.
alarm_crops = Table(
    "alarm_crops",
    metadata,
    Column("crop_id", Identifier, ForeignKey("crops.id"), primary_key=True, autoincrement=False),
    Column("alarm_id", Identifier, ForeignKey("alarms.id")),
    Column("camera", Text, nullable=False),
    Column("hole", Integer, nullable=False),
    Column("place", String(64), nullable=False),
    Column("at", UtcDateTime, nullable=False),  # the crop's time
    Column("score", Float(53), nullable=False),
    Column("threshold", Float(53), nullable=False),
    Column("sign", String(16), nullable=False, server_default="proliv"),
    Index(None, "camera", "hole", "place", "at"),
    Index(None, "alarm_id", "crop_id"),
)

# What receivers are told of alarms, in the words of that moment; written with what it tells.
alarm_messages = Table(
    "alarm_messages",
    metadata,
    Column("id", Identifier, primary_key=True),  # rising
    Column("uid", String(36), nullable=False, unique=True),  # by which a receiver tells repeats
    Column("alarm_id", Identifier, ForeignKey("alarms.id"), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("alarm", JSON, nullable=False),  # as `monitor.alarms.messages` writes it
    CheckConstraint("kind in ('opened', 'more', 'acknowledged', 'closed')", name="kind"),
    Index(None, "alarm_id"),
)

# Which sink has each message, and which has yet to get it.
alarm_deliveries = Table(
    "alarm_deliveries",
    metadata,
    Column("message_id", Identifier, ForeignKey("alarm_messages.id"), nullable=False),
    Column("sink", String(40), nullable=False),
    # Messages of one lane, about the same hole, are delivered in their order: a digest of what they are about.
    Column("lane", String(64), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_try_at", UtcDateTime, nullable=False),
    Column("delivered_at", UtcDateTime),
    Column("error", Text),  # of the last attempt that failed, a sentence
    PrimaryKeyConstraint("message_id", "sink"),
    # What is due is little, so this index is small.
    Index(
        "ix_alarm_deliveries_due",
        "sink",
        "lane",
        "message_id",
        sqlite_where=text("delivered_at is null"),
        postgresql_where=text("delivered_at is null"),
    ),
)
