"""A failed crop has a reason.

Until now, a crop that was scored while the active models were exchanged could be stored as failed without a reason, and
was never looked at again. Such rows get the reason ``undecided``; the program reads and decides their files again.

A scored crop is not required to have a final verdict: 0002 found none for rows whose scores had been deleted by hand.

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

from monitor.errors import StoreDamagedError

revision = "0006"
down_revision = "0005"

NAME = "ck_crops_reason"
CONDITION = "state <> 'failed' or reason is not null"
ERROR = "no model decided on it, because the active models were exchanged at that moment"
# What 0001 wrote of the table in SQLite, and what this revision adds to it.
BEFORE = "CONSTRAINT ck_crops_state CHECK (state in ('scored', 'failed'))"
AFTER = f"{BEFORE}, \n\tCONSTRAINT {NAME} CHECK ({CONDITION})"


def upgrade() -> None:
    give = "update {} set reason = 'undecided', error = :error where {} and reason is null"
    for table, left_undecided in (("crops", "state = 'failed'"), ("labelled_files", "crop_id is null")):
        op.get_bind().execute(sa.text(give.format(table, left_undecided)), {"error": ERROR})
    if op.get_bind().dialect.name == "postgresql":
        op.create_check_constraint(op.f(NAME), "crops", CONDITION)
    else:
        _edit_schema(BEFORE, AFTER)


def _edit_schema(old: str, new: str) -> None:
    """Replace a part of what SQLite has stored of the table.

    Otherwise a constraint can only be added by copying the table, which takes 20 s and 1.7 GB of the disk for a million
    crops. This is the procedure that SQLite describes for changes to a table that leave its rows as they are, see
    https://www.sqlite.org/lang_altertable.html#making_other_kinds_of_table_schema_changes. All rows meet the condition.
    """
    connection = op.get_bind()
    version = connection.exec_driver_sql("pragma schema_version").scalar_one()
    connection.exec_driver_sql("pragma writable_schema = on")
    edited = connection.exec_driver_sql(
        "update sqlite_master set sql = replace(sql, ?, ?) where type = 'table' and name = 'crops' and instr(sql, ?)",
        (old, new, old),
    )
    if edited.rowcount != 1:
        raise StoreDamagedError("the table crops was changed by hand; restore the last backup")
    # Lets every connection, this one too, read the schema again.
    connection.exec_driver_sql(f"pragma schema_version = {version + 1}")
    connection.exec_driver_sql("pragma writable_schema = off")


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.drop_constraint(op.f(NAME), "crops", type_="check")
    else:
        _edit_schema(AFTER, BEFORE)
