"""A crop that was decided ne_proliv although one of its models calls it proliv is unusual, and draws tell them apart.

Crops that were decided before stay as they are, not unusual, even where a model called one proliv: which of the scored
models decided at the time is not stored. Neither table is rewritten: a column with a constant default is a change of
the definition alone. The index reads all crops once and holds none of them yet.

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.add_column("crops", sa.Column("unusual", sa.Boolean, nullable=False, server_default=sa.false()))
    op.create_index(
        "ix_crops_unusual",
        "crops",
        ["seen_at"],
        sqlite_where=sa.text("unusual = 1"),
        postgresql_where=sa.text("unusual"),
    )
    op.add_column("audits", sa.Column("unusual", sa.Boolean))


def downgrade() -> None:
    op.drop_column("audits", "unusual")
    op.drop_index("ix_crops_unusual", "crops")
    op.drop_column("crops", "unusual")
