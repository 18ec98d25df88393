"""Messages about alarms, and which sink has got each of them.

Revision ID: 0013
Revises: 0012
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

Identifier = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Time = sa.DateTime(timezone=True)


def upgrade() -> None:
    kinds = "kind in ('opened', 'more', 'acknowledged', 'closed')"
    op.create_table(
        "alarm_messages",
        sa.Column("id", Identifier, nullable=False),
        sa.Column("uid", sa.String(36), nullable=False),
        sa.Column("alarm_id", Identifier, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("at", Time, nullable=False),
        sa.Column("alarm", sa.JSON, nullable=False),
        sa.CheckConstraint(kinds, name=op.f("ck_alarm_messages_kind")),
        sa.ForeignKeyConstraint(["alarm_id"], ["alarms.id"], name=op.f("fk_alarm_messages_alarm_id_alarms")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alarm_messages")),
        sa.UniqueConstraint("uid", name=op.f("uq_alarm_messages_uid")),
    )
    op.create_index(op.f("ix_alarm_messages_alarm_id"), "alarm_messages", ["alarm_id"])
    op.create_table(
        "alarm_deliveries",
        sa.Column("message_id", Identifier, nullable=False),
        sa.Column("sink", sa.String(40), nullable=False),
        sa.Column("lane", sa.String(64), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_try_at", Time, nullable=False),
        sa.Column("delivered_at", Time),
        sa.Column("error", sa.Text),
        sa.ForeignKeyConstraint(
            ["message_id"], ["alarm_messages.id"], name=op.f("fk_alarm_deliveries_message_id_alarm_messages")
        ),
        sa.PrimaryKeyConstraint("message_id", "sink", name=op.f("pk_alarm_deliveries")),
    )
    due = sa.text("delivered_at is null")
    op.create_index(
        "ix_alarm_deliveries_due",
        "alarm_deliveries",
        ["sink", "lane", "message_id"],
        sqlite_where=due,
        postgresql_where=due,
    )


def downgrade() -> None:
    op.drop_table("alarm_deliveries")
    op.drop_table("alarm_messages")
