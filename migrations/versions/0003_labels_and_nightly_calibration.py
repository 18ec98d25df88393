"""Labels with notes, audits, labelled folders, reference scores, nightly runs and summaries of scores.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

Identifier = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Time = sa.DateTime(timezone=True)
LABEL = "label in ('proliv', 'ne_proliv')"
STATES = "state in ('active', 'refused', 'superseded', 'rolled_back')"
STATES_WITH_SHADOW = "state in ('active', 'shadow', 'refused', 'superseded', 'rolled_back')"
THRESHOLD = "threshold is not null or state = 'refused'"
NEW_TABLES = ("score_summaries", "reference_scores", "audit_crops", "audits", "labelled_files")
LABEL_COLUMNS = ("note", "settles", "recorded_at")
RUN_COLUMNS = ("owner", "lease_until")
CALIBRATION_COLUMNS = ("origin", "author", "fallback", "refusal", "ended_at", "run_id")


def upgrade() -> None:
    op.add_column("crops", sa.Column("source", sa.String(16), nullable=False, server_default="inbox"))
    op.create_index("ix_crops_sha256", "crops", ["sha256"])
    op.create_index("ix_crops_verdict_seen_at", "crops", ["verdict", "seen_at"])
    op.create_index("ix_scores_model_id_scored_at", "scores", ["model_id", "scored_at"])
    op.add_column("labels", sa.Column("note", sa.Text))
    op.add_column("labels", sa.Column("settles", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("labels", sa.Column("recorded_at", Time))
    op.create_index("ix_labels_at", "labels", ["at"])
    op.add_column("runs", sa.Column("owner", sa.Text))
    op.add_column("runs", sa.Column("lease_until", Time))
    with op.batch_alter_table("calibrations") as batch:
        batch.add_column(sa.Column("origin", sa.String(16), nullable=False, server_default="calibrate"))
        batch.add_column(sa.Column("author", sa.Text))
        batch.add_column(sa.Column("fallback", sa.Boolean, nullable=False, server_default=sa.false()))
        batch.add_column(sa.Column("refusal", sa.String(32)))
        batch.add_column(sa.Column("ended_at", Time))
        batch.add_column(sa.Column("run_id", Identifier))
        batch.create_foreign_key("fk_calibrations_run_id_runs", "runs", ["run_id"], ["id"])
        batch.create_unique_constraint("uq_calibrations_model_id_run_id", ["model_id", "run_id"])
        batch.drop_constraint(op.f("ck_calibrations_state"), type_="check")
        batch.create_check_constraint(op.f("ck_calibrations_state"), STATES_WITH_SHADOW)
        batch.alter_column("threshold", existing_type=sa.Float(53), nullable=True)
        batch.create_check_constraint(op.f("ck_calibrations_threshold"), THRESHOLD)
    shadow = sa.text("state = 'shadow'")
    op.create_index(
        "uq_calibrations_shadow_model",
        "calibrations",
        ["model_id"],
        unique=True,
        sqlite_where=shadow,
        postgresql_where=shadow,
    )
    op.create_table(
        "labelled_files",
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("label", sa.String(16), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("mtime_ns", sa.BigInteger, nullable=False),
        sa.Column("crop_id", Identifier),
        sa.Column("reason", sa.String(32)),
        sa.Column("error", sa.Text),
        sa.Column("seen_at", Time, nullable=False),
        sa.PrimaryKeyConstraint("path", name="pk_labelled_files"),
        sa.ForeignKeyConstraint(["crop_id"], ["crops.id"], name="fk_labelled_files_crop_id_crops"),
        sa.CheckConstraint(LABEL, name=op.f("ck_labelled_files_label")),
    )
    op.create_index("ix_labelled_files_sha256", "labelled_files", ["sha256"])
    op.create_table(
        "audits",
        sa.Column("id", Identifier, nullable=False),
        sa.Column("drawn_at", Time, nullable=False),
        sa.Column("author", sa.Text),
        sa.Column("first_crop_id", Identifier, nullable=False),
        sa.Column("last_crop_id", Identifier, nullable=False),
        sa.Column("eligible", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audits"),
    )
    op.create_table(
        "audit_crops",
        sa.Column("audit_id", Identifier, nullable=False),
        sa.Column("crop_id", Identifier, nullable=False),
        sa.PrimaryKeyConstraint("audit_id", "crop_id", name="pk_audit_crops"),
        sa.ForeignKeyConstraint(["audit_id"], ["audits.id"], name="fk_audit_crops_audit_id_audits"),
        sa.ForeignKeyConstraint(["crop_id"], ["crops.id"], name="fk_audit_crops_crop_id_crops"),
        sa.UniqueConstraint("crop_id", name="uq_audit_crops_crop_id"),
    )
    op.create_table(
        "reference_scores",
        sa.Column("model_id", Identifier, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("label", sa.String(16), nullable=False),
        sa.Column("score", sa.Float(53), nullable=False),
        sa.Column("camera", sa.Text),
        sa.Column("captured_at", Time),
        sa.PrimaryKeyConstraint("model_id", "sha256", name="pk_reference_scores"),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name="fk_reference_scores_model_id_models"),
        sa.CheckConstraint(LABEL, name=op.f("ck_reference_scores_label")),
    )
    op.create_table(
        "score_summaries",
        sa.Column("model_id", Identifier, nullable=False),
        sa.Column("hour", Time, nullable=False),
        sa.Column("camera", sa.Text, nullable=False),
        sa.Column("hole", sa.Integer, nullable=False),
        sa.Column("crops", sa.Integer, nullable=False),
        sa.Column("proliv", sa.Integer, nullable=False),
        sa.Column("quantiles", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("model_id", "hour", "camera", "hole", name="pk_score_summaries"),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name="fk_score_summaries_model_id_models"),
    )


def downgrade() -> None:
    for table in NEW_TABLES:
        op.drop_table(table)
    op.execute("delete from calibrations where state = 'shadow' or threshold is null")
    op.drop_index("uq_calibrations_shadow_model", "calibrations")
    with op.batch_alter_table("calibrations") as batch:
        batch.drop_constraint(op.f("ck_calibrations_state"), type_="check")
        batch.create_check_constraint(op.f("ck_calibrations_state"), STATES)
        batch.drop_constraint(op.f("ck_calibrations_threshold"), type_="check")
        batch.alter_column("threshold", existing_type=sa.Float(53), nullable=False)
        batch.drop_constraint("uq_calibrations_model_id_run_id", type_="unique")
        batch.drop_constraint("fk_calibrations_run_id_runs", type_="foreignkey")
        for column in CALIBRATION_COLUMNS:
            batch.drop_column(column)
    for column in RUN_COLUMNS:
        op.drop_column("runs", column)
    op.drop_index("ix_labels_at", "labels")
    for column in LABEL_COLUMNS:
        op.drop_column("labels", column)
    op.drop_index("ix_scores_model_id_scored_at", "scores")
    op.drop_index("ix_crops_verdict_seen_at", "crops")
    op.drop_index("ix_crops_sha256", "crops")
    op.drop_column("crops", "source")
