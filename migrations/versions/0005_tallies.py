"""Crops and decisions are counted as they are stored, and alarms and the hours of a hole have an index of their own.

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

Identifier = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
EVENTS = ("insert", "update", "delete")
KEYS = {"crop_tallies": "source, state, reason, verdict", "score_tallies": "model_id, source, verdict"}
COUNTED = {"crop_tallies": "crops", "score_tallies": "scores"}
# What {row} counts as; a crop's source never changes.
KINDS = {
    "crop_tallies": "{row}.source, {row}.state, coalesce({row}.reason, ''), coalesce({row}.verdict, '')",
    "score_tallies": "{row}.model_id, (select source from crops where id = {row}.crop_id), {row}.verdict",
}
ALARM = sa.text("verdict = 'proliv'")

# In SQLite new crops are counted by the program once a transaction (monitor.store.database.tallies), for a trigger
# would cost more than all the rest; triggers see to what happens to crops that are counted, and to decisions that come
# later.
SQLITE_TRIGGER = """
create trigger {table}_{event} after {event}{columns} on {counted} when {row}.{crop} <= (select until from counted)
begin{statements}
end"""
SQLITE_COUNT = """
    insert into {table} values (0, {kind}, {number})
    on conflict (writer, {keys}) do update set {counted} = {counted} + excluded.{counted};"""
# The number of the newest crop is given away again when that is deleted.
SQLITE_NEWEST = """
    update counted set until = (select coalesce(max(id), 0) from crops) where until = old.id;"""

# A server counts a statement's rows at once. Each connection has rows of its own, so that no program waits for another.
POSTGRESQL_FUNCTION = """
create function {table}_{event}() returns trigger language plpgsql as $$
begin
    insert into {table} select pg_backend_pid() % 64, {keys}, sum(number) from ({rows}) as changes ({keys}, number)
    group by {keys} having sum(number) <> 0 order by {keys}
    on conflict (writer, {keys}) do update set {counted} = {table}.{counted} + excluded.{counted};
    return null;
end $$"""
POSTGRESQL_TRIGGER = """
create trigger {table}_{event} after {event} on {counted} referencing {tables}
for each statement execute function {table}_{event}()"""


def upgrade() -> None:
    op.create_table(
        "crop_tallies",
        sa.Column("writer", sa.Integer, nullable=False),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(32), nullable=False),
        sa.Column("verdict", sa.String(16), nullable=False),
        sa.Column("crops", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("writer", "source", "state", "reason", "verdict", name="pk_crop_tallies"),
    )
    op.create_table(
        "score_tallies",
        sa.Column("writer", sa.Integer, nullable=False),
        sa.Column("model_id", Identifier, nullable=False),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("verdict", sa.String(16), nullable=False),
        sa.Column("scores", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("writer", "model_id", "source", "verdict", name="pk_score_tallies"),
    )
    op.create_table("counted", sa.Column("until", Identifier, nullable=False))
    op.execute(
        "insert into crop_tallies select 0, source, state, coalesce(reason, ''), coalesce(verdict, ''), count(*) "
        "from crops group by 2, 3, 4, 5"
    )
    op.execute(
        "insert into score_tallies select 0, model_id, source, scores.verdict, count(*) from scores "
        "join crops on crops.id = scores.crop_id group by 2, 3, 4"
    )
    op.execute("insert into counted select coalesce(max(id), 0) from crops")
    create = _triggers_of_postgresql if op.get_bind().dialect.name == "postgresql" else _triggers_of_sqlite
    for table in KEYS:
        create(table)
    op.create_index("ix_crops_alarms", "crops", ["seen_at"], sqlite_where=ALARM, postgresql_where=ALARM)
    op.create_index(
        "ix_score_summaries_model_id_camera_hole_hour_crops",
        "score_summaries",
        ["model_id", "camera", "hole", "hour", "crops"],
    )
    op.drop_index("ix_crops_verdict_seen_at", "crops")
    op.drop_index("ix_scores_model_id_verdict_scored_at", "scores")


def _triggers_of_sqlite(table: str) -> None:
    named = {"table": table, "counted": COUNTED[table], "keys": KEYS[table]}
    come, gone = (
        SQLITE_COUNT.format(**named, kind=KINDS[table].format(row=row), number=number)
        for row, number in (("new", 1), ("old", -1))
    )
    crops = table == "crop_tallies"
    statements = {"insert": come, "update": gone + come, "delete": gone + (SQLITE_NEWEST if crops else "")}
    columns = {"update": " of state, reason, verdict" if crops else " of verdict"}
    for event in EVENTS[1:] if crops else EVENTS:
        row, crop = "new" if event == "insert" else "old", "id" if crops else "crop_id"
        op.execute(
            SQLITE_TRIGGER.format(
                **named, event=event, columns=columns.get(event, ""), row=row, crop=crop, statements=statements[event]
            )
        )


def _triggers_of_postgresql(table: str) -> None:
    named = {"table": table, "counted": COUNTED[table], "keys": KEYS[table]}
    come, gone = (
        f"select {KINDS[table].format(row=row)}, {number} from {row}"  # noqa: S608 - our own tables
        for row, number in (("come", 1), ("gone", -1))
    )
    rows = {"insert": come, "update": f"{come} union all {gone}", "delete": gone}
    tables = {"insert": "new table as come", "delete": "old table as gone"}
    tables["update"] = " ".join(tables.values())
    for event in EVENTS:
        op.execute(POSTGRESQL_FUNCTION.format(**named, event=event, rows=rows[event]))
        op.execute(POSTGRESQL_TRIGGER.format(**named, event=event, tables=tables[event]))


def downgrade() -> None:
    server = op.get_bind().dialect.name == "postgresql"
    for table, counted in COUNTED.items():
        for event in EVENTS if server or table == "score_tallies" else EVENTS[1:]:
            op.execute(f"drop trigger {table}_{event}{f' on {counted}' if server else ''}")
            if server:
                op.execute(f"drop function {table}_{event}()")
        op.drop_table(table)
    op.drop_table("counted")
    op.create_index("ix_scores_model_id_verdict_scored_at", "scores", ["model_id", "verdict", "scored_at"])
    op.create_index("ix_crops_verdict_seen_at", "crops", ["verdict", "seen_at"])
    op.drop_index("ix_score_summaries_model_id_camera_hole_hour_crops", "score_summaries")
    op.drop_index("ix_crops_alarms", "crops")
