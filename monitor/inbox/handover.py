"""How long a watcher has to wait for the stages after it.

A plain object without a clock: ``now`` is always what a monotonic clock shows, in seconds.
"""

from __future__ import annotations

from typing import Final

# After this long without space downstream, assume there are files that the watcher has not reached.
HELD_UP_SECONDS: Final = 10.0
# Handing on takes less than this where there is space.
QUICK_SECONDS: Final = 0.01


class Handover:
    """Measures the time that handing on takes.

    ``seconds``: all of it together. The watcher is held up from the first delivery that had to wait until one finds
    it with nothing left to do.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self._began = 0.0
        self._held_since: float | None = None
        self._was_held = False

    def begin(self, now: float) -> None:
        """A file is handed on from now on."""
        self._began = now
        self._was_held = self._held_since is not None
        if not self._was_held:
            self._held_since = now

    def end(self, now: float) -> None:
        """The file was handed on."""
        took = now - self._began
        self.seconds += took
        if not self._was_held and took < QUICK_SECONDS:
            self._held_since = None

    def catch_up(self) -> None:
        """The watcher has nothing left to hand on."""
        self._held_since = None

    def is_held_up(self, now: float) -> bool:
        """Whether there has been no space for so long that unseen files may lie in the folder; from any thread."""
        held_since = self._held_since
        return held_since is not None and now - held_since > HELD_UP_SECONDS
