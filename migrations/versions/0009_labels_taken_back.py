"""A label can be taken back by a later row, so that a careless command is undone without deleting anything.

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

Identifier = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    with op.batch_alter_table("labels") as batch:
        batch.add_column(sa.Column("undoes", Identifier))
        batch.create_foreign_key("fk_labels_undoes_labels", "labels", ["undoes"], ["id"])
        batch.create_unique_constraint("uq_labels_undoes", ["undoes"])


def downgrade() -> None:
    with op.batch_alter_table("labels") as batch:
        batch.drop_constraint("uq_labels_undoes", type_="unique")
        batch.drop_constraint("fk_labels_undoes_labels", type_="foreignkey")
        batch.drop_column("undoes")
