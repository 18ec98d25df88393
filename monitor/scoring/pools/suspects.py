"""Which files are tried alone, because a worker may have ended by them, and which are given up.

A worker that ends is no proof against a file: the system may have ended it for lack of memory, or a person. So a file
that was in hand is tried alone, and is given up when a worker has ended by it alone more than once. That must be seen
by a program that goes on: how a program itself was ended says nothing about the file that it had in hand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from monitor.errors import CropRefusedError

# So often a worker has to end by a file alone until the file is given up.
ALONE_TRIES: Final = 2


class GivenUp(NamedTuple):
    """Why a file is not worked on any more. ``was_read``: its content had been read, so it can be read again."""

    refusal: CropRefusedError
    was_read: bool


class Suspects:
    """Files by their paths. Not for several threads at once."""

    def __init__(self, paths: Iterable[str] = ()) -> None:
        """``paths``: files that are suspected from the outset."""
        self._ended_alone = dict.fromkeys(paths, 0)
        self._given_up: dict[str, GivenUp] = {}

    def __contains__(self, path: str) -> bool:
        return path in self._ended_alone

    def together(self, paths: Sequence[str]) -> int:
        """How many of the first files may be worked on together: up to the first suspect, or that one alone."""
        alone, given_up = self._ended_alone, self._given_up
        if not alone and not given_up:
            return len(paths)
        return next((row or 1 for row, path in enumerate(paths) if path in alone or path in given_up), len(paths))

    def given_up(self, path: str) -> GivenUp | None:
        """Why a file was given up, once; None where it was not."""
        return self._given_up.pop(path, None)

    def clear(self, paths: Iterable[str]) -> None:
        """These were worked on, and no worker ended.

        One that was given up meanwhile, as two workers may have had it in hand, is not given up any more.
        """
        if self._ended_alone or self._given_up:
            for path in paths:
                self._ended_alone.pop(path, None)
                self._given_up.pop(path, None)

    def suspect(self, paths: Sequence[str], reason: GivenUp) -> bool:
        """A worker ended by one of these files; whether that one is given up now, for this reason."""
        if len(paths) == 1 and paths[0] in self:
            self._ended_alone[paths[0]] += 1
            if self._ended_alone[paths[0]] >= ALONE_TRIES:
                self.give_up(paths[0], reason)
                return True
        for path in paths:
            self._ended_alone.setdefault(path, 0)
        return False

    def give_up(self, path: str, reason: GivenUp) -> None:
        """Work on a file no more."""
        self._ended_alone.pop(path, None)
        self._given_up[path] = reason
