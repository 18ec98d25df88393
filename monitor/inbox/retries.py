"""When files are tried again whose failure may be over although they look the same.

Permissions of the file itself show in its looks, but a group of the daemon's user, a mount or a detector may have been
corrected as well. All such files are tried at each start, and then so rarely that a folder full of them costs nothing.

A plain object without a clock: ``now`` is always what a monotonic clock shows, in seconds.
"""

from __future__ import annotations

from typing import Final

RETRY_SECONDS: Final = 3600.0


class Retries:
    """Says of a scan whether it tries them again."""

    def __init__(self) -> None:
        self._due_at: float | None = None

    def due(self, now: float) -> bool:
        """Whether a scan that is under way does."""
        return self._due_at is None or now >= self._due_at

    def scanned(self, now: float) -> None:
        """A scan has gone through."""
        if self.due(now):
            self._due_at = now + RETRY_SECONDS
