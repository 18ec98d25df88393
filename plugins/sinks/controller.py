"""What sinks that write to a PLC have in common: a heartbeat, and a handshake for each message."""

from __future__ import annotations

import time
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Final

from monitor.api import DeliveryError, Sink

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel

# How often it is looked whether the PLC has taken a message.
LOOK_SECONDS: Final = 0.05
# How long stopping waits until the PLC knows.
CLOSE_SECONDS: Final = 0.4


class ControllerSink(Sink):
    """Counts heartbeats, and numbers messages; a message is taken once the PLC has given its number back.

    Its settings have ``camera``, ``handshake`` and ``acknowledge_seconds``.
    """

    heartbeat_seconds = 2.0
    # The largest number that the receiver can hold.
    largest: ClassVar[int] = 65535

    def __init__(self, settings: BaseModel) -> None:
        super().__init__(settings)
        self._heartbeat = 0
        # The number of the newest message, and its id.
        self._sequence = 0
        self._newest_id: str | None = None
        # Whether it is we who say that what is shown is good: a test by hand, beside the daemon, does not.
        self.vouches = False
        # Whether a message waits for the PLC.
        self._ready = False

    def send(self, message: Mapping[str, Any]) -> None:
        """Write the message, then its number, and wait until the PLC gives that back; or count a heartbeat."""
        if message["kind"] == "heartbeat":
            self.beat()
        elif message["kind"] == "test" or self.is_ours(message["alarm"]["camera"]):
            self._hand_over(message)

    def is_ours(self, camera: str | None) -> bool:
        """Whether a camera's holes are of this PLC."""
        return self.settings.camera in ("", camera)

    def beat(self) -> None:
        """Count on, which tells the PLC that the daemon decides and that everything before is shown."""
        self.vouches = True
        count = self._following(self._heartbeat)
        self.write_heartbeat(count, is_ready=self._ready)
        self._heartbeat = count

    def _following(self, number: int) -> int:
        # Never 0, which is what a PLC has that was just started.
        return max(0, number) % self.largest + 1

    def _hand_over(self, message: Mapping[str, Any]) -> None:
        if message["id"] != self._newest_id:
            self._sequence, self._newest_id = self._next(), message["id"]
        self.write_message(message)
        self._ready = bool(self.settings.handshake)
        self.write_sequence(self._sequence, is_ready=self._ready)
        if self._ready:
            self._wait_until_acknowledged(self._sequence)
            self._ready = False
            self.write_sequence(self._sequence, is_ready=False)

    def _next(self) -> int:
        """A number that the PLC takes for a new one, whatever was restarted, or whoever wrote the last one."""
        number = self._following(self.read_sequence())
        if self.settings.handshake and number == self.read_acknowledged():
            number = self._following(number)
        return number

    def _wait_until_acknowledged(self, sequence: int) -> None:
        until = time.monotonic() + self.settings.acknowledge_seconds
        while (found := self.read_acknowledged()) != sequence:
            if time.monotonic() >= until:
                raise DeliveryError(
                    f"{self.place_of_acknowledgement}: is {found}, so the message {sequence} is not confirmed; let the "
                    "PLC copy the sequence number into it, or set handshake = false"
                )
            time.sleep(LOOK_SECONDS)

    @abstractmethod
    def read_sequence(self) -> int:
        """The number of the newest message that the PLC has; 0 where there was none."""

    @abstractmethod
    def read_acknowledged(self) -> int:
        """The number that the PLC has given back."""

    @property
    @abstractmethod
    def place_of_acknowledgement(self) -> str:
        """Where that is, in words."""

    @abstractmethod
    def write_message(self, message: Mapping[str, Any]) -> None:
        """Write what a message says."""

    @abstractmethod
    def write_sequence(self, sequence: int, *, is_ready: bool) -> None:
        """Write a message's number after all else, and whether it waits to be taken."""

    @abstractmethod
    def write_heartbeat(self, count: int, *, is_ready: bool) -> None:
        """Write the heartbeat, and that what is shown is good."""
