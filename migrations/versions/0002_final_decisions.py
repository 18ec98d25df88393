"""The final decision of all models beside each crop.

A crop that was decided before gets the decision that the primary made then: that of the model which was activated
last among those that decided on it, and of the only one where it was one.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

COLUMNS = ("verdict", "decision_score", "decision_threshold", "decided_by")


def upgrade() -> None:
    op.add_column("crops", sa.Column("verdict", sa.String(16)))
    op.add_column("crops", sa.Column("decision_score", sa.Float(53)))
    op.add_column("crops", sa.Column("decision_threshold", sa.Float(53)))
    op.add_column("crops", sa.Column("decided_by", sa.String(16)))
    # A model that was rolled back has no activation any more, so it comes last.
    op.execute(
        "update crops set (verdict, decision_score, decision_threshold, decided_by) = ("
        "select scores.verdict, scores.score, scores.threshold, 'primary' "
        "from scores join models on models.id = scores.model_id where scores.crop_id = crops.id "
        "order by models.activated_at is null, models.activated_at desc, models.id desc limit 1"
        ") where state = 'scored'"
    )


def downgrade() -> None:
    for column in COLUMNS:
        op.drop_column("crops", column)
