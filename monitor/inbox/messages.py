"""What the watcher delivers, and what it is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from monitor.files.looks import Looks
    from monitor.words import Label


class Candidate(NamedTuple):
    """A path to be read.

    ``looks``: what the file looked like before, where it was not complete then; else none. As long as it
    still looks so, two more things hold. ``settled``: a decodable file counts as complete even without its
    format's end mark. ``final``: it is given up if it cannot be read now. ``label``: what the folder that it lies in
    says of it, where it is a labelled one.
    """

    path: str
    looks: Looks | None = None
    settled: bool = False
    final: bool = False
    label: Label | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """Message: a path was decided, recorded as failed, or had vanished."""

    path: str
    looks: Looks | None


@dataclass(frozen=True, slots=True)
class Incomplete:
    """Message: a path is not complete yet; ``looks`` is what it looked like when it was read."""

    path: str
    looks: Looks | None


@dataclass(frozen=True, slots=True)
class Touched:
    """Message: an event named this path."""

    path: str


class Stop:
    """Message: end the watcher's thread."""
