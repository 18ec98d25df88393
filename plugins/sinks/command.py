"""The sink that runs a program with each message on its standard input."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import Field

from monitor.api import DeliveryError, Sink
from plugins.sinks.settings import Patience, SinkSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

# What of the program's last words is kept.
QUOTED: Final = 300
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
        with tempfile.TemporaryFile() as words:
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
                with suppress(BrokenPipeError):  # it need not read everything
                    process.communicate(body, timeout=self.settings.timeout_seconds)
            except subprocess.TimeoutExpired:
                raise DeliveryError(
                    f"{self._program}: has not ended within {self.settings.timeout_seconds:g} s, and was killed"
                ) from None
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            if process.returncode:
                words.seek(0)
                said = " ".join(words.read(QUOTED).decode(errors="replace").split())
                raise DeliveryError(f"{self._program}: ended with {process.returncode}: {said or 'it said nothing'}")

    def check(self) -> None:
        """The program must be there."""
        if which(self.settings.command[0]) is None:
            raise DeliveryError(f"{self._program}: there is no such program, or it may not be run; check the path")

    @property
    def _program(self) -> str:
        # Without its arguments, which may hold a secret.
        return Path(self.settings.command[0]).name


def _environment(message: Mapping[str, Any]) -> dict[str, str]:
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    # A heartbeat is about no alarm.
    about = {"MONITOR_ALARM_ID": str(message["alarm"]["id"])} if "alarm" in message else {}
    return {**inherited, "MONITOR_MESSAGE_ID": message["id"], "MONITOR_MESSAGE_KIND": message["kind"], **about}
