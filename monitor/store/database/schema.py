"""The tables; `migrations/` brings a database to this shape.

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
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

from monitor.store.database.alarm_tables import alarm_crops, alarm_deliveries, alarm_messages, alarms
from monitor.store.database.context_tables import alarm_pauses, cast_phases, casts
from monitor.store.database.evidence_tables import alarm_evidence, kept_contents, kept_crops
from monitor.store.database.learning_tables import retrainings
from monitor.store.database.metadata import metadata
from monitor.store.database.selftest_tables import selftest_crops, selftest_deliveries, selftests
from monitor.store.database.service_tables import daemons, runs, watched_folders
from monitor.store.database.types import Identifier, UtcDateTime

__all__ = [
    "SCHEMA_REVISION", "alarm_crops", "alarm_deliveries", "alarm_evidence", "alarm_messages", "alarm_pauses", "alarms",
    "audit_crops", "audits", "calibrations", "cast_phases", "casts", "counted", "crop_tallies", "crops", "daemons",
    "kept_contents", "kept_crops", "labelled_files", "labels", "metadata", "models", "reference_scores", "retrainings",
    "runs", "score_summaries", "score_tallies", "scores", "selftest_crops", "selftest_deliveries", "selftests",
    "watched_folders",
]  # fmt: skip

# The newest migration's revision. Revisions are numbered, so that a newer database can be told from an older one.
SCHEMA_REVISION: Final = "0016"

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
    Column("reason", String(32)),  # one word, if the state is failed
    Column("error", Text),  # a sentence for people, likewise
    # The final decision of all models, if the state is scored; each model's own decision is in `scores`.
    Column("verdict", String(16)),
    Column("decision_score", Float(53)),  # the verdict is proliv when it reaches decision_threshold
    Column("decision_threshold", Float(53)),
    Column("decided_by", String(16)),  # decision.decide of the configuration at that time: the unit of the score
    # "inbox": found by the daemon; "folder": scored by hand; "labelled": first seen in a labelled folder.
    Column("source", String(16), nullable=False, server_default="inbox"),
    # Where the file is moved to after the commit, below paths.archive; null if it is kept in place or deleted.
    Column("archived_path", Text),
    # When anything about the file last changed, and which file it is: see monitor.files.looks. Null if an older program
    # stored the row, or if a later change might not show in them.
    Column("ctime_ns", BigInteger),
    Column("inode", BigInteger),
    # The verdict is ne_proliv although a model that took part in it calls the crop proliv; see monitor.scoring.vote.
    # False for all crops that a program before schema 0010 decided on.
    Column("unusual", Boolean, nullable=False, server_default=false()),
    CheckConstraint("state in ('scored', 'failed')", name="state"),
    CheckConstraint("state <> 'failed' or reason is not null", name="reason"),
    UniqueConstraint("path", "sha256"),
    Index(None, "sha256"),
    Index(None, "seen_at"),
    # Alarms are few, so this index is small.
    Index(
        "ix_crops_alarms",
        "seen_at",
        sqlite_where=text("verdict = 'proliv'"),
        postgresql_where=text("verdict = 'proliv'"),
    ),
    # Likewise.
    Index("ix_crops_unusual", "seen_at", sqlite_where=text("unusual = 1"), postgresql_where=text("unusual")),
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
    Column("activated_at", UtcDateTime),  # when it last became active; null again after a rollback
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
    Column("threshold", Float(53)),  # null if it was refused because no threshold was found
    # Counts, TPR, TNR and their intervals on the crops that it was chosen from, and the percentiles of their scores.
    Column("evidence", JSON, nullable=False),
    Column("state", String(16), nullable=False),
    Column("reason", Text),  # why it was refused, or why a person set it
    Column("created_at", UtcDateTime, nullable=False),
    Column("origin", String(16), nullable=False, server_default="calibrate"),  # what made it, see store.calibrations
    Column("author", Text),  # the person who made it, if one did
    Column("fallback", Boolean, nullable=False, server_default=false()),  # chosen by the rule that needs no proliv
    Column("refusal", String(32)),  # one word, if the state is refused
    Column("ended_at", UtcDateTime),  # when it stopped being active, or being on trial
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
    # A run that is resumed after a crash calibrates no model twice.
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
    Column("score", Float(53), nullable=False),  # the deciding score, which is compared with the threshold
    Column("threshold", Float(53), nullable=False),
    Column("verdict", String(16), nullable=False),
    Column("scored_at", UtcDateTime, nullable=False),
    Column("latency_seconds", Float(53), nullable=False),  # from the file's last change to the decision
    CheckConstraint("verdict in ('proliv', 'ne_proliv')", name="verdict"),
    PrimaryKeyConstraint("crop_id", "model_id"),
    Index(None, "model_id", "scored_at"),
)

# How many crops and decisions there are, because counting millions of rows takes seconds. Each transaction that changes
# them keeps the tallies exact, even one made by hand: see monitor.store.database.tallies. Queries sum over `writer`: on
# PostgreSQL each connection has its own rows, so that none waits for another.
crop_tallies = Table(
    "crop_tallies",
    metadata,
    Column("writer", Integer, nullable=False),
    Column("source", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("reason", String(32), nullable=False),  # empty if there is none
    Column("verdict", String(16), nullable=False),  # the final one; empty if there is none
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

# One row: the id of the newest crop that is in the tallies. Used by SQLite only.
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
    Column("settles", Boolean, nullable=False, server_default=false()),  # older labels no longer count
    Column("recorded_at", UtcDateTime),  # when it was stored; imported labels may be older
    # The label that this row takes back; neither of the two counts then, nor does this row label the crop.
    Column("undoes", Identifier, ForeignKey("labels.id")),
    CheckConstraint("label in ('proliv', 'ne_proliv')", name="label"),
    # A label is taken back once.
    UniqueConstraint("undoes"),
    Index(None, "crop_id", "at"),
    Index(None, "at"),
)

# The labelled folders as they were last seen, so that each file is read once and contradictions are noticed.
labelled_files = Table(
    "labelled_files",
    metadata,
    Column("path", Text, primary_key=True),  # absolute, as monitor.files.text.to_text writes it
    Column("label", String(16), nullable=False),  # the folder in which it lies
    Column("sha256", String(64), nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("mtime_ns", BigInteger, nullable=False),
    Column("crop_id", Identifier, ForeignKey("crops.id")),  # the crop with this content; null if it cannot be read
    Column("reason", String(32)),  # one word, if it cannot be read
    Column("error", Text),  # a sentence for people, likewise
    Column("seen_at", UtcDateTime, nullable=False),
    Column("ctime_ns", BigInteger),  # both as in `crops`
    Column("inode", BigInteger),
    CheckConstraint("label in ('proliv', 'ne_proliv')", name="label"),
    Index(None, "sha256"),
    # Deleting a crop looks for labelled files that refer to it.
    Index(None, "crop_id"),
)

# Random draws of crops to be labelled. Each draws from the crops that were stored since the previous draw, so that no
# crop is drawn twice. A labelled crop of a draw stands for eligible / (labelled crops of the draw) crops. The unusual
# crops and the others are drawn apart, as two rows of the same span.
audits = Table(
    "audits",
    metadata,
    Column("id", Identifier, primary_key=True),
    Column("drawn_at", UtcDateTime, nullable=False),
    Column("author", Text),
    Column("first_crop_id", Identifier, nullable=False),
    Column("last_crop_id", Identifier, nullable=False),
    Column("eligible", Integer, nullable=False),  # crops in that span, of that kind, that had no label and no alarm
    Column("unusual", Boolean),  # drawn from the unusual ones, or from the others; null if from both together
)

audit_crops = Table(
    "audit_crops",
    metadata,
    Column("audit_id", Identifier, ForeignKey("audits.id"), nullable=False),
    Column("crop_id", Identifier, ForeignKey("crops.id"), nullable=False),
    PrimaryKeyConstraint("audit_id", "crop_id"),
    UniqueConstraint("crop_id"),
)

# The scores of the labelled crops that `monitor calibrate --data` was given; the nightly run uses them too.
reference_scores = Table(
    "reference_scores",
    metadata,
    Column("model_id", Identifier, ForeignKey("models.id"), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("label", String(16), nullable=False),
    Column("score", Float(53), nullable=False),  # the deciding score, which is compared with the threshold
    Column("camera", Text),
    Column("captured_at", UtcDateTime),
    Column("mse", Float(53)),  # squared intensity, 0-1; null for references that an older program stored
    PrimaryKeyConstraint("model_id", "sha256"),
    CheckConstraint("label in ('proliv', 'ne_proliv')", name="label"),
)

# A summary of each hour's scores, for drift and for charts over months.
score_summaries = Table(
    "score_summaries",
    metadata,
    Column("model_id", Identifier, ForeignKey("models.id"), nullable=False),
    Column("hour", UtcDateTime, nullable=False),  # its start
    Column("camera", Text, nullable=False),  # "*" for all cameras and holes together, "" for an unknown camera
    Column("hole", Integer, nullable=False),  # -1 for all together, or if it is unknown
    Column("crops", Integer, nullable=False),
    Column("proliv", Integer, nullable=False),  # by the model's own decisions
    Column("quantiles", JSON, nullable=False),  # of the deciding score: 0, 0.05, ..., 1
    PrimaryKeyConstraint("model_id", "hour", "camera", "hole"),
    # Later hours are compared with each hole's first hours that had enough crops.
    Index(None, "model_id", "camera", "hole", "hour", "crops"),
)
