"""The contract of a sink: what takes messages about alarms to people and machines."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic import BaseModel


class HoleState(NamedTuple):
    """A hole, or a table, with alarms that are not closed."""

    kind: Literal["hole", "file", "table"]
    """What it is: a hole, all files of a camera whose names tell no hole, or a camera's table."""
    camera: str | None
    """None where file names tell no camera."""
    hole: int | None
    """None for files and tables."""
    state: Literal["alarm", "acknowledged"]
    """``alarm`` as long as one of the alarms waits to be acknowledged."""
    alarm_id: int
    """The newest alarm in that state: of the hole itself, or of the table, if that names the hole."""


class Sink(ABC):
    """Takes messages to one receiver.

    ``Settings`` is a frozen pydantic model with ``extra="forbid"``, filled from ``[alarms.sinks.NAME]`` without its
    ``kind`` and ``heartbeat_seconds``. Values of the type `pathlib.Path` are made whole: relative ones begin at the
    folder of the configuration. A secret belongs into a file that a key ending with ``_file`` names, never into the
    configuration itself.

    One that is made may raise `ConfigurationError`, such as where a package is missing. It is made before processes are
    forked, so it connects to nothing until one of its methods is called; they are called from one thread.
    """

    name: ClassVar[str]
    Settings: ClassVar[type[BaseModel]]
    # How often it gets a heartbeat where ``heartbeat_seconds`` of its section does not say; None: never.
    heartbeat_seconds: ClassVar[float | None] = None

    def __init__(self, settings: BaseModel) -> None:
        self.settings: Any = settings

    @abstractmethod
    def send(self, message: Mapping[str, Any]) -> None:
        """Hand a message over; returning means that the receiver has it.

        ``message``: see docs/alarms.md; JSON can hold it. Raises `DeliveryError` with a sentence, or anything else,
        where it was not taken: it is then sent again, with the same ``id``. Whatever it waits for must end within a
        minute, together with what `show` waits for.

        With heartbeats, a message may be one: its ``kind`` is "heartbeat", it has ``alarms`` and no ``alarm``, and it
        is not sent again.
        """

    def show(self, states: Sequence[HoleState]) -> None:  # noqa: B027 - most receivers have nothing to show it by
        """Show which holes are in alarm now, for a receiver that has a lamp, a coil or the like for each hole.

        ``states``: all that are not quiet, by kind, camera and hole. Called at the start, and before each message and
        heartbeat is sent, so that it never matters in which order messages come, and a receiver that lost what it was
        shown has it again with the next heartbeat. Raises as `send` does.
        """

    def check(self) -> None:  # noqa: B027 - a sink need not have anything to check
        """Raise `DeliveryError` where `send` could not work as things are; sends nothing."""

    def close(self) -> None:  # noqa: B027 - most sinks keep no connection
        """Let go of connections, in the end; returns within a second."""
