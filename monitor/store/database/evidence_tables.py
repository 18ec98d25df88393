"""The tables of evidence: the bytes of crops that alarms were decided on, and of those that people have judged."""

from __future__ import annotations

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    text,
)

from monitor.store.database.metadata import metadata
from monitor.store.database.types import Identifier, UtcDateTime

# What was in the files of kept crops, byte for byte; each content once, however many crops have it.
kept_contents = Table(
    "kept_contents",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("content", LargeBinary, nullable=False),
)

# The crops whose content is kept, or has to be, whatever becomes of their files; from schema 0014 on.
kept_crops = Table(
    "kept_crops",
    metadata,
    Column("crop_id", Identifier, ForeignKey("crops.id"), primary_key=True, autoincrement=False),
    # "due": its file has yet to be read; "kept"; or why it cannot be: "gone" or "too_large".
    Column("state", String(16), nullable=False),
    Column("sha256", String(64), ForeignKey("kept_contents.sha256")),  # of the kept content
    Column("since", UtcDateTime, nullable=False),  # when it became due
    Column("tried_at", UtcDateTime),  # when its file was last looked for in vain
    Column("problem", Text),  # why it is not kept, a sentence
    CheckConstraint("state in ('due', 'kept', 'gone', 'too_large')", name="state"),
    CheckConstraint("(state = 'kept') = (sha256 is not null)", name="sha256"),
    # Deleting a content looks for other crops that have it.
    Index(None, "sha256"),
    # What is due is little, so this index is small.
    Index("ix_kept_crops_due", "crop_id", sqlite_where=text("state = 'due'"), postgresql_where=text("state = 'due'")),
)

# Which crops an alarm was decided on: those that "opened" it, each that was the "highest" when it joined, and the last
# ones of the hole that were decided "before" it.
alarm_evidence = Table(
    "alarm_evidence",
    metadata,
    Column("alarm_id", Identifier, ForeignKey("alarms.id"), nullable=False),
    Column("crop_id", Identifier, ForeignKey("crops.id"), nullable=False),
    Column("role", String(16), nullable=False),
    PrimaryKeyConstraint("alarm_id", "crop_id"),
    CheckConstraint("role in ('opened', 'highest', 'before')", name="role"),
    Index(None, "crop_id"),
)
