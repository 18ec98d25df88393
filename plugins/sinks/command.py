"""The sink that runs a program with each message on its standard input."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from shutil import which
from threading import Event, Thread
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import Field

from monitor.api import DeliveryError, Sink
from plugins.sinks.settings import Patience, SinkSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

# What of the program's last words is kept.
QUOTED: Final = 300
# What a pipe holds at most, and how long it is waited for more before it is looked whether the program has ended.
MOST_IN_PIPE: Final = 65536
LISTEN_MILLISECONDS: Final = 100
# The variables that it inherits: what it needs to find programs, its home and its language, and no secret.
INHERITED: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TZ")


class Settings(SinkSettings):
    """``command``: the program and its arguments, which no shell reads."""

    command: Annotated[tuple[str, ...], Field(min_length=1)]
    timeout_seconds: Patience = 10.0


class Command(Sink):
    """Runs a program; the message is taken when it ends with 0."""

    name = "command"
    Settings = Settings

    def send(self, message: Mapping[str, Any]) -> None:
        """Run it with the message as a line of JSON on its standard input."""
        body = json.dumps(message, ensure_ascii=False).encode() + b"\n"
        said, ended = bytearray(), Event()
        words, end = os.pipe()
        # Read to the end, whatever comes: neither a disk nor the memory may fill with it.
        listener = Thread(target=_listen, args=(words, said, ended), daemon=True)
        listener.start()
        try:
            code = self._ended_with(message, body, end)
        finally:
            os.close(end)
            ended.set()
            listener.join()
        if code:
            quoted = " ".join(said.decode(errors="replace").split())
            raise DeliveryError(f"{self._program}: ended with {code}: {quoted or 'it said nothing'}")

    def _ended_with(self, message: Mapping[str, Any], body: bytes, words: int) -> int:
        """Run it, with what it says going to a file descriptor, and end what it has started; returns its exit code."""
        try:
            process = subprocess.Popen(  # noqa: S603 - the configuration's own, and no shell reads it
                self.settings.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=words,
                env=_environment(message),
                # So that what it starts can be ended with it.
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            raise DeliveryError(f"{self._program}: cannot be run: {error}") from None
        try:
            process.communicate(body, timeout=self.settings.timeout_seconds)  # it need not read everything
        except subprocess.TimeoutExpired:
            raise DeliveryError(
                f"{self._program}: has not ended within {self.settings.timeout_seconds:g} s, and was killed"
            ) from None
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        return process.returncode

    def check(self) -> None:
        """The program must be there."""
        if which(self.settings.command[0]) is None:
            raise DeliveryError(f"{self._program}: there is no such program, or it may not be run; check the path")

    @property
    def _program(self) -> str:
        # Without its arguments, which may hold a secret.
        return Path(self.settings.command[0]).name


def _listen(words: int, said: bytearray, ended: Event) -> None:
    """Read what a program says, from a file descriptor, until it has ended, and keep the beginning.

    It may have left a process that goes on and says more, which nobody waits for.
    """
    ready, last = select.poll(), False
    ready.register(words, select.POLLIN)
    try:
        while not last:
            last = ended.is_set()
            if ready.poll(0 if last else LISTEN_MILLISECONDS):
                chunk = os.read(words, MOST_IN_PIPE)
                if not chunk:
                    return
                said += chunk[: QUOTED - len(said)]
    finally:
        os.close(words)


def _environment(message: Mapping[str, Any]) -> dict[str, str]:
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    # A heartbeat is about no alarm.
    about = {"MONITOR_ALARM_ID": str(message["alarm"]["id"])} if "alarm" in message else {}
    return {**inherited, "MONITOR_MESSAGE_ID": message["id"], "MONITOR_MESSAGE_KIND": message["kind"], **about}
