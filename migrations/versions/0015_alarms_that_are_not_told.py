"""Pauses, in which alarms are recorded and not told; alarms of unusual crops; casts with their phases.

No table is rewritten: what is added may be null or has a constant default.

Revision ID: 0015
Revises: 0014
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"

Identifier = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Time = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "alarm_pauses",
        sa.Column("id", Identifier, nullable=False),
        sa.Column("camera", sa.Text),
        sa.Column("hole", sa.Integer),
        sa.Column("begins_at", Time, nullable=False),
        sa.Column("ends_at", Time, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("ended_by", sa.Text),
        sa.CheckConstraint("begins_at <= ends_at", name=op.f("ck_alarm_pauses_order")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alarm_pauses")),
    )
    op.create_index(op.f("ix_alarm_pauses_ends_at"), "alarm_pauses", ["ends_at"])
    op.create_table(
        "casts",
        sa.Column("id", Identifier, nullable=False),
        sa.Column("number", sa.Text, nullable=False),
        sa.Column("alloy", sa.Text),
        sa.Column("started_at", Time, nullable=False),
        sa.Column("ended_at", Time),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_casts")),
    )
    op.create_index(op.f("ix_casts_number"), "casts", ["number"])
    op.create_table(
        "cast_phases",
        sa.Column("id", Identifier, nullable=False),
        sa.Column("cast_id", Identifier),
        sa.Column("phase", sa.String(16), nullable=False),
        sa.Column("at", Time, nullable=False),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("author", sa.Text),
        sa.Column("problem", sa.Text),
        sa.CheckConstraint("phase in ('idle', 'start', 'steady', 'end', 'none')", name=op.f("ck_cast_phases_phase")),
        sa.CheckConstraint("source in ('file', 'person')", name=op.f("ck_cast_phases_source")),
        sa.ForeignKeyConstraint(["cast_id"], ["casts.id"], name=op.f("fk_cast_phases_cast_id_casts")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cast_phases")),
    )
    op.create_index(op.f("ix_cast_phases_cast_id"), "cast_phases", ["cast_id"])
    op.add_column("alarms", sa.Column("withheld", sa.String(16)))
    op.add_column("alarms", sa.Column("told_at", Time))
    op.add_column("alarms", sa.Column("pause_id", Identifier))
    for table in ("alarms", "alarm_crops"):
        op.add_column(table, sa.Column("sign", sa.String(16), nullable=False, server_default="proliv"))
    op.add_column("alarms", sa.Column("cast_id", Identifier))
    op.add_column("alarms", sa.Column("phase", sa.String(16)))


def downgrade() -> None:
    op.drop_column("alarm_crops", "sign")
    for column in ("phase", "cast_id", "sign", "pause_id", "told_at", "withheld"):
        op.drop_column("alarms", column)
    for table in ("cast_phases", "casts", "alarm_pauses"):
        op.drop_table(table)
