"""Turns the errors of SQLite, PostgreSQL and SQLAlchemy into those of this program, with a message for people."""

from __future__ import annotations

from typing import Final

from monitor.errors import StoreBusyError, StoreDamagedError, StoreError, StoreReadOnlyError, StoreRefusedError

# PostgreSQL's error codes of values that it never accepts: class 22 (out of range, too long, malformed), class 54 (too
# large for an index), and a violated check constraint. Unlike these, a row that violates a unique or a foreign key may
# be accepted later. See https://www.postgresql.org/docs/current/errcodes-appendix.html
REFUSED_CODES: Final = ("22", "54", "23514")
# What SQLite says of a violated check constraint.
REFUSED_MESSAGE: Final = "CHECK constraint failed"


def database_error(error: Exception, database: str) -> StoreError:
    """What an error of the driver, or of SQLAlchemy around it, means for the database of this description."""
    original = getattr(error, "orig", None) or error
    message = _on_one_line(original)
    if str(getattr(original, "sqlstate", None) or "").startswith(REFUSED_CODES) or REFUSED_MESSAGE in message:
        return refused_rows(error, database)
    if "locked" in message:
        return StoreBusyError(f"{database}: locked by another program ({message}); try again when it has finished")
    if "readonly" in message:
        return StoreReadOnlyError(f"{database}: cannot be written; correct the permissions ({message})")
    if "unable to open" in message:
        return StoreReadOnlyError(f"{database}: cannot be opened; its folder must exist and be writable ({message})")
    if "not a database" in message or "malformed" in message:
        return StoreDamagedError(
            f"{database}: is damaged or not a database ({message}); "
            "move it away and restore the last backup, or start with an empty one"
        )
    if "is full" in message:
        return StoreError(f"{database}: the disk is full; free some space ({message})")
    return StoreError(f"{database}: {message}")


def refused_rows(error: Exception, database: str) -> StoreRefusedError:
    """An error of rows that the database never accepts, for example because a number is too large."""
    return StoreRefusedError(
        f"{database}: does not accept these rows ({_on_one_line(getattr(error, 'orig', None) or error)})"
    )


def _on_one_line(error: object) -> str:
    return " ".join(str(error).split())
