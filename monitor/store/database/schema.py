"""The tables, declared once; `migrations/` brings a database to this shape.

All times are UTC. Verdicts and labels are ``proliv`` or ``ne_proliv``.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

from monitor.store.database.types import Identifier, UtcDateTime

# The newest migration's revision. Revisions are numbered, so that a newer database can be told from an older one.
SCHEMA_REVISION: Final = "0006"

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

crops = Table(
    "crops",
    metadata,
    Column("id", Identifier, primary_key=True),
    Column("path", Text, nullable=False),  # absolute, as monitor.files.text.to_text writes it
    Column("sha256", String(64), nullable=False),  # of the content; empty where it could not be read
    Column("size_bytes", BigInteger, nullable=False),
    Column("mtime_ns", BigInteger, nullable=False),
    Column("width", Integer),
    Column("height", Integer),
    Column("hole", Integer),
    Column("camera", Text),
    Column("captured_at", UtcDateTime),
    Column("seen_at", UtcDateTime, nullable=False),
    Column("state", String(16), nullable=False),
    Column("reason", String(32)),  # machine-readable, where the state is failed
    Column("error", Text),  # the sentence for a person, likewise
    # The final decision of all models, where the state is scored; what each decided is in `scores`.
    Column("verdict", String(16)),
    Column("decision_score", Float(53)),  # the verdict is proliv when it reaches decision_threshold
    Column("decision_threshold", Float(53)),
    Column("decided_by", String(16)),  # decision.decide of the configuration of then: the unit of the score
    # "inbox": found by the daemon; "folder": scored by hand; "labelled": came with a label, unknown until then.
    Column("source", String(16), nullable=False, server_default="inbox"),
    # Where the file is moved to once this is committed, below paths.archive; none where it stays or is deleted.
    Column("archived_path", Text),
    CheckConstraint("state in ('scored', 'failed')", name="state"),
    CheckConstraint("state <> 'failed' or reason is not null", name="reason"),
    UniqueConstraint("path", "sha256"),
    Index(None, "sha256"),
    Index(None, "seen_at"),
    # Alarms are few, so that this one is small.
    Index(
        "ix_crops_alarms",
        "seen_at",
        sqlite_where=text("verdict = 'proliv'"),
        postgresql_where=text("verdict = 'proliv'"),
    ),
)

models = Table(
    "models",
    metadata,
    Column("id", Identifier, primary_key=True),
    Column("name", Text, nullable=False, unique=True),  # the detector and the fingerprint's first twelve digits
    Column("detector", Text, nullable=False),
    Column("fingerprint", String(64), nullable=False, unique=True),
    Column("folder", Text, nullable=False),  # relative to the models' folder
    Column("settings", JSON, nullable=False),
    Column("trained_at", UtcDateTime, nullable=False),
    Column("active", Boolean, nullable=False, default=False),
    Column("activated_at", UtcDateTime),  # when it last became active; empty again once it was rolled back
    # At most one active model for each detector, whatever two programs do at once.
    Index(
        "uq_models_active_detector",
        "detector",
        unique=True,
        sqlite_where=text("active = 1"),
        postgresql_where=text("active"),
    ),
)

calibrations = Table(
    "calibrations",
    metadata,
    Column("id", Identifier, primary_key=True),
    Column("model_id", Identifier, ForeignKey("models.id"), nullable=False),
    Column("rule", Text, nullable=False),
    Column("settings", JSON, nullable=False),  # the rule's
    Column("threshold", Float(53)),  # none where it was refused because there is none
    # Counts, TPR, TNR and their intervals on what it was chosen from, and the percentiles of its scores.
    Column("evidence", JSON, nullable=False),
    Column("state", String(16), nullable=False),
    Column("reason", Text),  # why it was refused, or why somebody set it by hand
    Column("created_at", UtcDateTime, nullable=False),
    Column("origin", String(16), nullable=False, server_default="calibrate"),  # what made it
    Column("author", Text),  # who, where a person did
    Column("fallback", Boolean, nullable=False, server_default=false()),  # by a rule that needs no proliv
    Column("refusal", String(32)),  # machine-readable, where the state is refused
    Column("ended_at", UtcDateTime),  # when it ceased to be active, or to be tried in the shadow
    Column("run_id", Identifier, ForeignKey("runs.id")),  # the scheduled run that made it
    CheckConstraint("state in ('active', 'shadow', 'refused', 'superseded', 'rolled_back')", name="state"),
    CheckConstraint("threshold is not null or state = 'refused'", name="threshold"),
    Index(
        "uq_calibrations_shadow_model",
        "model_id",
        unique=True,
        sqlite_where=text("state = 'shadow'"),
        postgresql_where=text("state = 'shadow'"),
    ),
    # A run that is taken up again after a crash does no model twice.
    UniqueConstraint("model_id", "run_id"),
    Index(
        "uq_calibrations_active_model",
        "model_id",
        unique=True,
        sqlite_where=text("state = 'active'"),
        postgresql_where=text("state = 'active'"),
    ),
)

scores = Table(
    "scores",
    metadata,
    Column("crop_id", Identifier, ForeignKey("crops.id"), nullable=False),
    Column("model_id", Identifier, ForeignKey("models.id"), nullable=False),
    Column("calibration_id", Identifier, ForeignKey("calibrations.id"), nullable=False),
    Column("mse", Float(53), nullable=False),  # squared intensity, 0-1
    Column("score", Float(53), nullable=False),  # the one that was held against the threshold
    Column("threshold", Float(53), nullable=False),
    Column("verdict", String(16), nullable=False),
    Column("scored_at", UtcDateTime, nullable=False),
    Column("latency_seconds", Float(53), nullable=False),  # from the file's last change to the decision
    CheckConstraint("verdict in ('proliv', 'ne_proliv')", name="verdict"),
    PrimaryKeyConstraint("crop_id", "model_id"),
    Index(None, "model_id", "scored_at"),
)

# How many crops and decisions there are, for counting millions takes seconds; kept up to date in the transaction that
# stores, changes or deletes what is counted, whoever does so: see monitor.store.database.tallies. To be summed up over
# `writer`: a server's connections have rows of their own, so that none waits for another.
crop_tallies = Table(
    "crop_tallies",
    metadata,
    Column("writer", Integer, nullable=False),
    Column("source", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("reason", String(32), nullable=False),  # empty where there is none
    Column("verdict", String(16), nullable=False),  # the final one; empty where there is none
    Column("crops", BigInteger, nullable=False),
    PrimaryKeyConstraint("writer", "source", "state", "reason", "verdict"),
)

score_tallies = Table(
    "score_tallies",
    metadata,
    Column("writer", Integer, nullable=False),
    Column("model_id", Identifier, nullable=False),
    Column("source", String(16), nullable=False),  # the crop's
    Column("verdict", String(16), nullable=False),
    Column("scores", BigInteger, nullable=False),
    PrimaryKeyConstraint("writer", "model_id", "source", "verdict"),
)

# One row: the number of the newest crop that is counted. In SQLite alone; a server counts each row as it comes.
counted = Table("counted", metadata, Column("until", Identifier, nullable=False))

labels = Table(
    "labels",
    metadata,
    Column("id", Identifier, primary_key=True),
    Column("crop_id", Identifier, ForeignKey("crops.id"), nullable=False),
    Column("label", String(16), nullable=False),
    Column("source", String(16), nullable=False),  # a labelled folder, a command or an import
    Column("author", Text),
    Column("at", UtcDateTime, nullable=False),
    Column("note", Text),
    Column("settles", Boolean, nullable=False, server_default=false()),  # it ends a disagreement: older ones are void
    Column("recorded_at", UtcDateTime),  # when it was stored; an import may bring labels that are older
    CheckConstraint("label in ('proliv', 'ne_proliv')", name="label"),
    Index(None, "crop_id", "at"),
    Index(None, "at"),
)

# What was last seen in the labelled folders, so that a file is read once and two folders that disagree are noticed.
labelled_files = Table(
    "labelled_files",
    metadata,
    Column("path", Text, primary_key=True),  # absolute, as monitor.files.text.to_text writes it
    Column("label", String(16), nullable=False),  # the folder that it lies in
    Column("sha256", String(64), nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("mtime_ns", BigInteger, nullable=False),
    Column("crop_id", Identifier, ForeignKey("crops.id")),  # the crop of this content; none where it cannot be read
    Column("reason", String(32)),  # machine-readable, where it cannot be read
    Column("error", Text),  # the sentence for a person, likewise
    Column("seen_at", UtcDateTime, nullable=False),
    CheckConstraint("label in ('proliv', 'ne_proliv')", name="label"),
    Index(None, "sha256"),
    # Who deletes a crop asks whether a labelled file is of it.
    Index(None, "crop_id"),
)

# Random draws of crops to be labelled. Each covers the crops that were stored since the draw before, so that no crop
# can be drawn from two of them: a labelled crop of a draw stands for eligible / (labelled crops of the draw).
audits = Table(
    "audits",
    metadata,
    Column("id", Identifier, primary_key=True),
    Column("drawn_at", UtcDateTime, nullable=False),
    Column("author", Text),
    Column("first_crop_id", Identifier, nullable=False),
    Column("last_crop_id", Identifier, nullable=False),
    Column("eligible", Integer, nullable=False),  # crops in that span that had no label and no alarm
)

audit_crops = Table(
    "audit_crops",
    metadata,
    Column("audit_id", Identifier, ForeignKey("audits.id"), nullable=False),
    Column("crop_id", Identifier, ForeignKey("crops.id"), nullable=False),
    PrimaryKeyConstraint("audit_id", "crop_id"),
    UniqueConstraint("crop_id"),
)

# The scores of the labelled crops that `monitor calibrate --data` was given, for the nights in which nobody gives any.
reference_scores = Table(
    "reference_scores",
    metadata,
    Column("model_id", Identifier, ForeignKey("models.id"), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("label", String(16), nullable=False),
    Column("score", Float(53), nullable=False),  # the one that is held against the threshold
    Column("camera", Text),
    Column("captured_at", UtcDateTime),
    Column("mse", Float(53)),  # squared intensity, 0-1; none where they were given to an older program
    PrimaryKeyConstraint("model_id", "sha256"),
    CheckConstraint("label in ('proliv', 'ne_proliv')", name="label"),
)

# What is kept of each hour's scores, for drift and for pictures over months.
score_summaries = Table(
    "score_summaries",
    metadata,
    Column("model_id", Identifier, ForeignKey("models.id"), nullable=False),
    Column("hour", UtcDateTime, nullable=False),  # its beginning
    Column("camera", Text, nullable=False),  # "*" for all cameras and holes together, "" for an unknown camera
    Column("hole", Integer, nullable=False),  # -1 for all together, or where it is unknown
    Column("crops", Integer, nullable=False),
    Column("proliv", Integer, nullable=False),  # as the model decided
    Column("quantiles", JSON, nullable=False),  # of the deciding score: 0, 0.05, ..., 1
    PrimaryKeyConstraint("model_id", "hour", "camera", "hole"),
    # The first hours of each hole that had enough crops are what later ones are held against.
    Index(None, "model_id", "camera", "hole", "hour", "crops"),
)

runs = Table(
    "runs",
    metadata,
    Column("id", Identifier, primary_key=True),
    Column("job", Text, nullable=False),
    Column("slot", UtcDateTime, nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime),
    Column("outcome", Text),
    Column("owner", Text),  # who has taken it on
    Column("lease_until", UtcDateTime),  # until then nobody else takes an unfinished one up again
    UniqueConstraint("job", "slot"),
)
