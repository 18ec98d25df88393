"""The tables about the service itself: its daemons, its scheduled runs and the folders that it watches."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, String, Table, Text, UniqueConstraint

from monitor.store.database.metadata import metadata
from monitor.store.database.types import Identifier, UtcDateTime

# Which folder is known to be the inbox. Another folder in its place, such as the empty one below a share that is not
# mounted, is no proof that files are gone: see monitor.upkeep.inbox_identity.
watched_folders = Table(
    "watched_folders",
    metadata,
    Column("name", String(16), primary_key=True),  # "inbox"
    Column("path", Text, nullable=False),  # as monitor.files.text.to_text writes it
    Column("inode", BigInteger, nullable=False),
    Column("known_since", UtcDateTime, nullable=False),
    Column("confirmed", Boolean, nullable=False),  # by a person
)

runs = Table(
    "runs",
    metadata,
    Column("id", Identifier, primary_key=True),
    Column("job", Text, nullable=False),
    Column("slot", UtcDateTime, nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime),
    Column("outcome", Text),
    Column("owner", Text),  # the program that claimed it
    Column("lease_until", UtcDateTime),  # until then only its owner may claim it again, if it is unfinished
    UniqueConstraint("job", "slot"),
)

# The daemons that run, each with a row that it renews as long as its pipeline moves: see monitor.store.daemons.
daemons = Table(
    "daemons",
    metadata,
    Column("id", Identifier, primary_key=True),
    Column("host", Text, nullable=False),
    Column("process", BigInteger, nullable=False),
    Column("version", Text, nullable=False),  # of the program
    Column("inbox", Text, nullable=False),  # as monitor.files.text.to_text writes it
    Column("started_at", UtcDateTime, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),  # its last sign of life
)
