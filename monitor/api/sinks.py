"""The contract of a sink: what takes messages about alarms to people and machines."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel


class Sink(ABC):
    """Takes messages to one receiver.

    ``Settings`` is a frozen pydantic model with ``extra="forbid"``, filled from ``[alarms.sinks.NAME]`` without its
    ``kind`` and ``heartbeat_seconds``. Values of the type `pathlib.Path` are made whole: relative ones begin at the
    folder of the configuration. A secret belongs into a file that a key ending with ``_file`` names, never into the
    configuration itself.
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
        where it was not taken: it is then sent again, with the same ``id``. Called from one thread; whatever it waits
        for must end within a minute.

        With heartbeats, a message may be one: its ``kind`` is "heartbeat", it has ``alarms`` and no ``alarm``, and it
        is not sent again.
        """

    def check(self) -> None:  # noqa: B027 - a sink need not have anything to check
        """Raise `DeliveryError` where `send` could not work as things are; sends nothing."""
