"""The tables of what decides whether anybody is told of an alarm: pauses, and which cast runs in which phase."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Integer, String, Table, Text

from monitor.store.database.metadata import metadata
from monitor.store.database.types import Identifier, UtcDateTime

# A pause is of one hole, with a camera or of every camera; of a camera; or, with neither, of everything.
alarm_pauses = Table(
    "alarm_pauses",
    metadata,
    Column("id", Identifier, primary_key=True),
    Column("camera", Text),
    Column("hole", Integer),
    Column("begins_at", UtcDateTime, nullable=False),
    Column("ends_at", UtcDateTime, nullable=False),  # by itself, or when a person ended it
    Column("reason", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("ended_by", Text),  # the person who ended it before its time, if one did
    CheckConstraint("begins_at <= ends_at", name="order"),
    Index(None, "ends_at"),
)

# A number may come again, after years; the newest cast of a number is the one that is meant.
casts = Table(
    "casts",
    metadata,
    Column("id", Identifier, primary_key=True),
    Column("number", Text, nullable=False),
    Column("alloy", Text),
    Column("started_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    Index(None, "number"),
)

# What was said of the cast, in order: the newest row is what holds. Append-only.
cast_phases = Table(
    "cast_phases",
    metadata,
    Column("id", Identifier, primary_key=True),
    Column("cast_id", Identifier, ForeignKey("casts.id")),
    Column("phase", String(16), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("source", String(16), nullable=False),  # "file" or "person"
    Column("author", Text),  # the person
    Column("problem", Text),  # why the file cannot be used since then, a sentence; this is then what it said last
    CheckConstraint("phase in ('idle', 'start', 'steady', 'end', 'none')", name="phase"),
    CheckConstraint("source in ('file', 'person')", name="source"),
    Index(None, "cast_id"),
)
