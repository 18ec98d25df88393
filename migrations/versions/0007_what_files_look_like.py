"""What a crop's file looked like is stored with its change time and inode, and which folder the inbox is.

Size and modification time alone do not tell one file from another that has taken its place. Rows of older programs have
neither value; their files are compared by content once, and get both then.

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

TABLES = ("crops", "labelled_files")
COLUMNS = ("ctime_ns", "inode")


def upgrade() -> None:
    for table in TABLES:
        for column in COLUMNS:
            op.add_column(table, sa.Column(column, sa.BigInteger))
    op.create_table(
        "watched_folders",
        sa.Column("name", sa.String(16), nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("inode", sa.BigInteger, nullable=False),
        sa.Column("known_since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("confirmed", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_watched_folders")),
    )


def downgrade() -> None:
    op.drop_table("watched_folders")
    for table in reversed(TABLES):
        for column in reversed(COLUMNS):
            op.drop_column(table, column)
