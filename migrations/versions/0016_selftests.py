"""Self-tests: their crops and messages, in tables of their own.

Revision ID: 0016
Revises: 0015
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"

Identifier = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Time = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "selftests",
        sa.Column("id", Identifier, nullable=False),
        sa.Column("began_at", Time, nullable=False),
        sa.Column("ends_at", Time, nullable=False),
        sa.Column("sinks", sa.JSON, nullable=False),
        sa.Column("finished_at", Time),
        sa.Column("passed", sa.Boolean),
        sa.Column("seconds", sa.Float(53)),
        sa.Column("problem", sa.Text),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_selftests")),
    )
    op.create_table(
        "selftest_crops",
        sa.Column("selftest_id", Identifier, nullable=False),
        sa.Column("expected", sa.String(16), nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("written_at", Time),
        sa.Column("seen_at", Time),
        sa.Column("decided_at", Time),
        sa.Column("verdict", sa.String(16)),
        sa.Column("score", sa.Float(53)),
        sa.Column("threshold", sa.Float(53)),
        sa.Column("stored_at", Time),
        sa.Column("alarm_at", Time),
        sa.Column("problem", sa.Text),
        sa.Column("removed_at", Time),
        sa.CheckConstraint("expected in ('proliv', 'ne_proliv')", name=op.f("ck_selftest_crops_expected")),
        sa.ForeignKeyConstraint(
            ["selftest_id"], ["selftests.id"], name=op.f("fk_selftest_crops_selftest_id_selftests")
        ),
        sa.PrimaryKeyConstraint("selftest_id", "expected", name=op.f("pk_selftest_crops")),
        sa.UniqueConstraint("path", "sha256", name=op.f("uq_selftest_crops_path_sha256")),
    )
    op.create_table(
        "selftest_deliveries",
        sa.Column("selftest_id", Identifier, nullable=False),
        sa.Column("sink", sa.String(40), nullable=False),
        sa.Column("message", sa.JSON, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_try_at", Time),
        sa.Column("delivered_at", Time),
        sa.Column("error", sa.Text),
        sa.ForeignKeyConstraint(
            ["selftest_id"], ["selftests.id"], name=op.f("fk_selftest_deliveries_selftest_id_selftests")
        ),
        sa.PrimaryKeyConstraint("selftest_id", "sink", name=op.f("pk_selftest_deliveries")),
    )
    op.create_index(
        "ix_selftest_deliveries_due",
        "selftest_deliveries",
        ["sink"],
        sqlite_where=sa.text("next_try_at is not null"),
        postgresql_where=sa.text("next_try_at is not null"),
    )


def downgrade() -> None:
    for table in ("selftest_deliveries", "selftest_crops", "selftests"):
        op.drop_table(table)
