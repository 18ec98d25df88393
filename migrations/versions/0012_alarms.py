"""Alarms, each the latched notice of an event, with the crops that belong to it.

Revision ID: 0012
Revises: 0011
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

Identifier = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Time = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "alarms",
        sa.Column("id", Identifier, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("camera", sa.Text, nullable=False),
        sa.Column("hole", sa.Integer, nullable=False),
        sa.Column("place", sa.String(64), nullable=False),
        sa.Column("path", sa.Text),
        sa.Column("holes", sa.JSON),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("opened_at", Time, nullable=False),
        sa.Column("opened_on", Time, nullable=False),
        sa.Column("first_at", Time, nullable=False),
        sa.Column("last_at", Time, nullable=False),
        sa.Column("last_decided_at", Time, nullable=False),
        sa.Column("crops", sa.Integer, nullable=False),
        sa.Column("highest_crop_id", Identifier, nullable=False),
        sa.Column("score", sa.Float(53), nullable=False),
        sa.Column("threshold", sa.Float(53), nullable=False),
        sa.Column("acknowledged_at", Time),
        sa.Column("acknowledged_by", sa.Text),
        sa.Column("acknowledged_note", sa.Text),
        sa.Column("closed_at", Time),
        sa.Column("closed_by", sa.Text),
        sa.Column("closed_note", sa.Text),
        sa.Column("ended_by", sa.String(16)),
        sa.Column("part_of", Identifier),
        sa.CheckConstraint("kind in ('hole', 'file', 'table')", name=op.f("ck_alarms_kind")),
        sa.CheckConstraint("state in ('open', 'acknowledged', 'closed')", name=op.f("ck_alarms_state")),
        sa.CheckConstraint("(state = 'closed') = (ended_by is not null)", name=op.f("ck_alarms_ended_by")),
        sa.ForeignKeyConstraint(["highest_crop_id"], ["crops.id"], name=op.f("fk_alarms_highest_crop_id_crops")),
        sa.ForeignKeyConstraint(["part_of"], ["alarms.id"], name=op.f("fk_alarms_part_of_alarms")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alarms")),
    )
    running = sa.text("state <> 'closed'")
    op.create_index(
        "ix_alarms_running", "alarms", ["camera", "last_at"], sqlite_where=running, postgresql_where=running
    )
    op.create_index(op.f("ix_alarms_highest_crop_id"), "alarms", ["highest_crop_id"])
    op.create_index(op.f("ix_alarms_part_of"), "alarms", ["part_of"])
    op.create_table(
        "alarm_crops",
        sa.Column("crop_id", Identifier, nullable=False, autoincrement=False),
        sa.Column("alarm_id", Identifier),
        sa.Column("camera", sa.Text, nullable=False),
        sa.Column("hole", sa.Integer, nullable=False),
        sa.Column("place", sa.String(64), nullable=False),
        sa.Column("at", Time, nullable=False),
        sa.Column("score", sa.Float(53), nullable=False),
        sa.Column("threshold", sa.Float(53), nullable=False),
        sa.ForeignKeyConstraint(["crop_id"], ["crops.id"], name=op.f("fk_alarm_crops_crop_id_crops")),
        sa.ForeignKeyConstraint(["alarm_id"], ["alarms.id"], name=op.f("fk_alarm_crops_alarm_id_alarms")),
        sa.PrimaryKeyConstraint("crop_id", name=op.f("pk_alarm_crops")),
    )
    op.create_index(op.f("ix_alarm_crops_camera_hole_place_at"), "alarm_crops", ["camera", "hole", "place", "at"])
    op.create_index(op.f("ix_alarm_crops_alarm_id_crop_id"), "alarm_crops", ["alarm_id", "crop_id"])


def downgrade() -> None:
    op.drop_table("alarm_crops")
    op.drop_table("alarms")
