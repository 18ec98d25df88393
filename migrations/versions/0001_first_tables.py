"""The first tables: crops, models, calibrations, scores, labels, runs.

Revision ID: 0001
Revises:
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

# A migration keeps the shape of its day, so it does not import the schema of today.
Identifier = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Time = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "crops",
        sa.Column("id", Identifier, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("mtime_ns", sa.BigInteger, nullable=False),
        sa.Column("width", sa.Integer),
        sa.Column("height", sa.Integer),
        sa.Column("hole", sa.Integer),
        sa.Column("camera", sa.Text),
        sa.Column("captured_at", Time),
        sa.Column("seen_at", Time, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(32)),
        sa.Column("error", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_crops"),
        sa.UniqueConstraint("path", "sha256", name="uq_crops_path_sha256"),
        sa.CheckConstraint("state in ('scored', 'failed')", name=op.f("ck_crops_state")),
    )
    op.create_table(
        "models",
        sa.Column("id", Identifier, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("detector", sa.Text, nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("folder", sa.Text, nullable=False),
        sa.Column("settings", sa.JSON, nullable=False),
        sa.Column("trained_at", Time, nullable=False),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("activated_at", Time),
        sa.PrimaryKeyConstraint("id", name="pk_models"),
        sa.UniqueConstraint("name", name="uq_models_name"),
        sa.UniqueConstraint("fingerprint", name="uq_models_fingerprint"),
    )
    op.create_index(
        "uq_models_active_detector",
        "models",
        ["detector"],
        unique=True,
        sqlite_where=sa.text("active = 1"),
        postgresql_where=sa.text("active"),
    )
    op.create_table(
        "calibrations",
        sa.Column("id", Identifier, nullable=False),
        sa.Column("model_id", Identifier, nullable=False),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("settings", sa.JSON, nullable=False),
        sa.Column("threshold", sa.Float(53), nullable=False),
        sa.Column("evidence", sa.JSON, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("created_at", Time, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_calibrations"),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name="fk_calibrations_model_id_models"),
        sa.CheckConstraint(
            "state in ('active', 'refused', 'superseded', 'rolled_back')", name=op.f("ck_calibrations_state")
        ),
    )
    op.create_index(
        "uq_calibrations_active_model",
        "calibrations",
        ["model_id"],
        unique=True,
        sqlite_where=sa.text("state = 'active'"),
        postgresql_where=sa.text("state = 'active'"),
    )
    op.create_table(
        "scores",
        sa.Column("crop_id", Identifier, nullable=False),
        sa.Column("model_id", Identifier, nullable=False),
        sa.Column("calibration_id", Identifier, nullable=False),
        sa.Column("mse", sa.Float(53), nullable=False),
        sa.Column("score", sa.Float(53), nullable=False),
        sa.Column("threshold", sa.Float(53), nullable=False),
        sa.Column("verdict", sa.String(16), nullable=False),
        sa.Column("scored_at", Time, nullable=False),
        sa.Column("latency_seconds", sa.Float(53), nullable=False),
        sa.PrimaryKeyConstraint("crop_id", "model_id", name="pk_scores"),
        sa.ForeignKeyConstraint(["crop_id"], ["crops.id"], name="fk_scores_crop_id_crops"),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name="fk_scores_model_id_models"),
        sa.ForeignKeyConstraint(["calibration_id"], ["calibrations.id"], name="fk_scores_calibration_id_calibrations"),
        sa.CheckConstraint("verdict in ('proliv', 'ne_proliv')", name=op.f("ck_scores_verdict")),
    )
    op.create_index("ix_scores_model_id_verdict_scored_at", "scores", ["model_id", "verdict", "scored_at"])
    op.create_table(
        "labels",
        sa.Column("id", Identifier, nullable=False),
        sa.Column("crop_id", Identifier, nullable=False),
        sa.Column("label", sa.String(16), nullable=False),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("author", sa.Text),
        sa.Column("at", Time, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_labels"),
        sa.ForeignKeyConstraint(["crop_id"], ["crops.id"], name="fk_labels_crop_id_crops"),
        sa.CheckConstraint("label in ('proliv', 'ne_proliv')", name=op.f("ck_labels_label")),
    )
    op.create_index("ix_labels_crop_id_at", "labels", ["crop_id", "at"])
    op.create_table(
        "runs",
        sa.Column("id", Identifier, nullable=False),
        sa.Column("job", sa.Text, nullable=False),
        sa.Column("slot", Time, nullable=False),
        sa.Column("started_at", Time, nullable=False),
        sa.Column("finished_at", Time),
        sa.Column("outcome", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_runs"),
        sa.UniqueConstraint("job", "slot", name="uq_runs_job_slot"),
    )


def downgrade() -> None:
    for table in ("runs", "labels", "scores", "calibrations", "models", "crops"):
        op.drop_table(table)
