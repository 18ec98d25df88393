"""The table about models on trial: trained again in operation, or tried by a person."""

from __future__ import annotations

from sqlalchemy import JSON, CheckConstraint, Column, ForeignKey, Index, String, Table, Text, UniqueConstraint, text

from monitor.store.database.metadata import metadata
from monitor.store.database.types import Identifier, UtcDateTime

# Every training from labels, also what was refused, every model that a person tried, and what became of it.
retrainings = Table(
    "retrainings",
    metadata,
    Column("id", Identifier, primary_key=True),
    Column("detector", Text, nullable=False),
    Column("model_id", Identifier, ForeignKey("models.id")),  # null if it was refused before anything was trained
    Column("replaces_id", Identifier, ForeignKey("models.id"), nullable=False),  # the model that was active then
    Column("state", String(16), nullable=False),
    Column("refusal", String(32)),  # one word, if the state is refused
    Column("reason", Text),  # why it was refused, or why a person accepted it
    # What it learned from, and how it and the model that it replaces decided on crops and made-up pictures.
    Column("evidence", JSON, nullable=False),
    Column("labels_until", UtcDateTime),  # when the newest label that it could learn from was stored
    Column("created_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),  # when the trial ended
    Column("author", Text),  # the person who asked for it, or accepted it
    Column("run_id", Identifier, ForeignKey("runs.id")),  # the scheduled run that made it
    CheckConstraint("state in ('shadow', 'accepted', 'refused', 'rolled_back')", name="state"),
    CheckConstraint("model_id is not null or state = 'refused'", name="model"),
    # At most one model of each detector is in the shadow, whatever two programs do at once.
    Index(
        "uq_retrainings_shadow_detector",
        "detector",
        unique=True,
        sqlite_where=text("state = 'shadow'"),
        postgresql_where=text("state = 'shadow'"),
    ),
    # A run that is resumed after a crash trains no detector twice.
    UniqueConstraint("detector", "run_id"),
)
