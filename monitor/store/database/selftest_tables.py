"""The tables of self-tests. A crop of a self-test is in these tables and in no other, so that it counts nowhere."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from monitor.store.database.metadata import metadata
from monitor.store.database.types import Identifier, UtcDateTime

selftests = Table(
    "selftests",
    metadata,
    Column("id", Identifier, primary_key=True),
    Column("began_at", UtcDateTime, nullable=False),
    Column("ends_at", UtcDateTime, nullable=False),  # by then everything has to have arrived
    Column("sinks", JSON, nullable=False),  # the names of those that have to take the message
    Column("finished_at", UtcDateTime),
    Column("passed", Boolean),
    Column("seconds", Float(53)),  # from the first file to the last receipt, where everything arrived
    Column("problem", Text),  # why it failed, a sentence
)

# The two crops. The row is stored before the file is written, and only a file with this path and this content is of the
# self-test: nobody can make a crop one by its name.
selftest_crops = Table(
    "selftest_crops",
    metadata,
    Column("selftest_id", Identifier, ForeignKey("selftests.id"), nullable=False),
    Column("expected", String(16), nullable=False),
    Column("path", Text, nullable=False),  # as monitor.files.text.to_text writes it
    Column("sha256", String(64), nullable=False),
    Column("written_at", UtcDateTime),
    Column("seen_at", UtcDateTime),  # when the daemon found the file
    Column("decided_at", UtcDateTime),
    Column("verdict", String(16)),
    Column("score", Float(53)),
    Column("threshold", Float(53)),
    Column("stored_at", UtcDateTime),  # when it went through the statements that store a crop
    Column("alarm_at", UtcDateTime),  # when it went through those that open an alarm and tell sinks of it
    Column("problem", Text),  # why it has no decision, or why it cannot be stored, a sentence
    Column("removed_at", UtcDateTime),  # when it was made sure that the file is gone
    CheckConstraint("expected in ('proliv', 'ne_proliv')", name="expected"),
    PrimaryKeyConstraint("selftest_id", "expected"),
    UniqueConstraint("path", "sha256"),
)

# Which sink has taken the message of a self-test.
selftest_deliveries = Table(
    "selftest_deliveries",
    metadata,
    Column("selftest_id", Identifier, ForeignKey("selftests.id"), nullable=False),
    Column("sink", String(40), nullable=False),
    Column("message", JSON, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_try_at", UtcDateTime),  # null once it is delivered, or the self-test is over
    Column("delivered_at", UtcDateTime),
    Column("error", Text),  # of the last attempt that failed, a sentence
    PrimaryKeyConstraint("selftest_id", "sink"),
    # What is due is little, so this index is small.
    Index(
        "ix_selftest_deliveries_due",
        "sink",
        sqlite_where=text("next_try_at is not null"),
        postgresql_where=text("next_try_at is not null"),
    ),
)
