"""Where decided files are archived, when crops came, and the reconstruction errors of references.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("crops", sa.Column("archived_path", sa.Text))
    op.create_index("ix_crops_seen_at", "crops", ["seen_at"])
    op.create_index("ix_labelled_files_crop_id", "labelled_files", ["crop_id"])
    op.add_column("reference_scores", sa.Column("mse", sa.Float(53)))


def downgrade() -> None:
    op.drop_column("reference_scores", "mse")
    op.drop_index("ix_labelled_files_crop_id", "labelled_files")
    op.drop_index("ix_crops_seen_at", "crops")
    op.drop_column("crops", "archived_path")
