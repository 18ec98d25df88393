"""What a watcher delivers, and the messages that it receives."""

from __future__ import annotations

from dataclasses import dataclass
from queue import SimpleQueue
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from monitor.files.looks import Looks
    from monitor.words import Label


class Candidate(NamedTuple):
    """A path to be read.

    ``looks``: how the file looked when it was last found incomplete; None where it never was. Two more things hold
    as long as it still looks like that: if ``settled``, a file that can be decoded counts as complete even without
    its format's end mark; if ``final``, the file is given up when it cannot be read now. ``label``: what its folder
    says of it, if that is a labelled one.
    """

    path: str
    looks: Looks | None = None
    settled: bool = False
    final: bool = False
    label: Label | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """Message: a path was decided, recorded as failed, or had vanished; ``looks``: how it looked when it was read."""

    path: str
    looks: Looks | None


@dataclass(frozen=True, slots=True)
class Incomplete:
    """Message: a path is not complete yet; ``looks``: how it looked when it was read."""

    path: str
    looks: Looks | None


@dataclass(frozen=True, slots=True)
class Touched:
    """Message: an event of the kernel named this path."""

    path: str


class Stop:
    """Message: end the watcher's thread."""


Message: TypeAlias = Touched | Done | Incomplete | Stop
Mailbox: TypeAlias = SimpleQueue[Message]
