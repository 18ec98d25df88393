"""Models that were trained again from labels are tried in the shadow, and each such training leaves a row.

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

Identifier = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "retrainings",
        sa.Column("id", Identifier, nullable=False),
        sa.Column("detector", sa.Text, nullable=False),
        sa.Column("model_id", Identifier),
        sa.Column("replaces_id", Identifier, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("refusal", sa.String(32)),
        sa.Column("reason", sa.Text),
        sa.Column("evidence", sa.JSON, nullable=False),
        sa.Column("labels_until", sa.DateTime(timezone=True)),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.Column("author", sa.Text),
        sa.Column("run_id", Identifier),
        sa.CheckConstraint(
            "state in ('shadow', 'accepted', 'refused', 'rolled_back')", name=op.f("ck_retrainings_state")
        ),
        sa.CheckConstraint("model_id is not null or state = 'refused'", name=op.f("ck_retrainings_model")),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name=op.f("fk_retrainings_model_id_models")),
        sa.ForeignKeyConstraint(["replaces_id"], ["models.id"], name=op.f("fk_retrainings_replaces_id_models")),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_retrainings_run_id_runs")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_retrainings")),
        sa.UniqueConstraint("detector", "run_id", name=op.f("uq_retrainings_detector_run_id")),
    )
    op.create_index(
        "uq_retrainings_shadow_detector",
        "retrainings",
        ["detector"],
        unique=True,
        sqlite_where=sa.text("state = 'shadow'"),
        postgresql_where=sa.text("state = 'shadow'"),
    )


def downgrade() -> None:
    op.drop_index("uq_retrainings_shadow_detector", table_name="retrainings")
    op.drop_table("retrainings")
