"""Casts begin, change their phase and end: said by a person, or by the cast file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.errors import ConfigurationError, DataError
from monitor.files.text import printable
from monitor.store import alarms, casts
from monitor.store.casts import NO_CAST

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.engine import Connection

    from monitor.alarms.cast_file import CastFile
    from monitor.configuration.resolved import Configuration
    from monitor.formulas.casts import Doubt
    from monitor.store.casts import CastRow
    from monitor.store.database.engine import Database
    from monitor.words import Phase


def start(database: Database, number: str, alloy: str | None, phase: Phase, *, by: str, at: datetime) -> CastRow | None:
    """Begin a cast; returns the one that runs no more because of it, None where none ran.

    Raises `DataError` where the cast of this number runs already.
    """
    with database.write() as connection:
        alarms.lock(connection)
        before = casts.running(connection)
        if before is not None and before.number == number:
            raise DataError(f"cast {number} runs already; change its phase: monitor cast phase PHASE")
        cast_id = casts.begin(connection, number, alloy, at)
        casts.say(connection, cast_id, phase, at, source="person", author=by)
        return before


def change_phase(database: Database, phase: Phase, *, by: str, at: datetime) -> CastRow | None:
    """Say in which phase the cast is; returns it. Raises `DataError` where none runs, unless the phase is idle."""
    with database.write() as connection:
        alarms.lock(connection)
        row = casts.running(connection)
        if row is None and phase != "idle":
            raise DataError("no cast runs; begin one: monitor cast start NUMBER")
        casts.say(connection, None if row is None else row.id, phase, at, source="person", author=by)
        return row


def end(database: Database, *, by: str, at: datetime) -> CastRow | None:
    """End the cast that runs and returns it; from idle without a cast, None. Raises `DataError` where neither is."""
    with database.write() as connection:
        alarms.lock(connection)
        row = casts.running(connection)
        said = casts.newest(connection)
        if row is None and (said is None or said.phase == NO_CAST):
            raise DataError("no cast runs, so there is none to end; see: monitor cast list")
        casts.end(connection, at)
        casts.say(connection, None, NO_CAST, at, source="person", author=by)
        return row


def follow(connection: Connection, found: CastFile, at: datetime) -> None:
    """Take over what the cast file says."""
    # Of several daemons that follow the file, one begins a new cast.
    alarms.lock(connection)
    row, said = casts.running(connection), casts.newest(connection)
    cast_id = None
    if found.number is None:
        casts.end(connection, at)
    elif row is None or row.number != found.number:
        cast_id = casts.begin(connection, found.number, found.alloy, at)
    else:
        cast_id = row.id
        if found.alloy is not None and found.alloy != row.alloy:
            casts.name_alloy(connection, cast_id, found.alloy)
    if said is not None and said[:2] == (cast_id, found.phase) and (said.source, said.problem) == ("file", None):
        return
    casts.say(connection, cast_id, found.phase, at, source="file")


def distrusts(connection: Connection, doubt: Doubt) -> bool:
    """Whether it is news that the cast file cannot be used."""
    return _in_doubt(connection, doubt) is not None


def distrust(connection: Connection, doubt: Doubt, at: datetime) -> None:
    """Note that the cast file cannot be used, if that is news."""
    row = _in_doubt(connection, doubt)
    if row is not None:
        casts.say(connection, *row, at, source="file", problem=doubt.problem)


def _in_doubt(connection: Connection, doubt: Doubt) -> tuple[int | None, str] | None:
    """The cast and the phase that hold while the file cannot be used; None where the store has them already."""
    said = casts.newest(connection)
    keeps = said is not None and said.source == "file" and doubt.keeps_last
    row = (said.cast_id, said.phase) if said is not None and keeps else (None, NO_CAST)
    if (
        said is not None
        and (said.cast_id, said.phase) == row
        and (said.source, said.problem) == ("file", doubt.problem)
    ):
        return None
    return row


def refuse_by_hand(configuration: Configuration) -> None:
    """Raise `ConfigurationError` where a file says which cast runs, so that a person's word would not last."""
    file = configuration.settings.alarms.cast.file
    if file is not None:
        place = configuration.origins.place(("alarms", "cast", "file"))
        raise ConfigurationError(
            f"{place}: {printable(file)} says which cast runs; change it there, or take the key out and restart"
        )


def require(database: Database, number: str) -> CastRow:
    """The newest cast with a number, as `monitor cast list` shows it; raises `DataError` where there is none."""
    shown = number if number.isprintable() else printable(number)
    with database.read() as connection:
        row = casts.find(connection, shown)
    if row is None:
        raise DataError(f"there is no cast {shown}; see: monitor cast list")
    return row
