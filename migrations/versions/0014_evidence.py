"""Evidence: the bytes of crops that alarms were decided on, and of those that people have judged.

Revision ID: 0014
Revises: 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

Identifier = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Time = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "kept_contents",
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_kept_contents")),
    )
    op.create_table(
        "kept_crops",
        sa.Column("crop_id", Identifier, nullable=False, autoincrement=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("sha256", sa.String(64)),
        sa.Column("since", Time, nullable=False),
        sa.Column("tried_at", Time),
        sa.Column("problem", sa.Text),
        sa.CheckConstraint("state in ('due', 'kept', 'gone', 'too_large')", name=op.f("ck_kept_crops_state")),
        sa.CheckConstraint("(state = 'kept') = (sha256 is not null)", name=op.f("ck_kept_crops_sha256")),
        sa.ForeignKeyConstraint(["crop_id"], ["crops.id"], name=op.f("fk_kept_crops_crop_id_crops")),
        sa.ForeignKeyConstraint(["sha256"], ["kept_contents.sha256"], name=op.f("fk_kept_crops_sha256_kept_contents")),
        sa.PrimaryKeyConstraint("crop_id", name=op.f("pk_kept_crops")),
    )
    op.create_index(op.f("ix_kept_crops_sha256"), "kept_crops", ["sha256"])
    due = sa.text("state = 'due'")
    op.create_index("ix_kept_crops_due", "kept_crops", ["crop_id"], sqlite_where=due, postgresql_where=due)
    op.create_table(
        "alarm_evidence",
        sa.Column("alarm_id", Identifier, nullable=False),
        sa.Column("crop_id", Identifier, nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.CheckConstraint("role in ('opened', 'highest', 'before')", name=op.f("ck_alarm_evidence_role")),
        sa.ForeignKeyConstraint(["alarm_id"], ["alarms.id"], name=op.f("fk_alarm_evidence_alarm_id_alarms")),
        sa.ForeignKeyConstraint(["crop_id"], ["crops.id"], name=op.f("fk_alarm_evidence_crop_id_crops")),
        sa.PrimaryKeyConstraint("alarm_id", "crop_id", name=op.f("pk_alarm_evidence")),
    )
    op.create_index(op.f("ix_alarm_evidence_crop_id"), "alarm_evidence", ["crop_id"])


def downgrade() -> None:
    op.drop_table("alarm_evidence")
    op.drop_table("kept_crops")
    op.drop_table("kept_contents")
