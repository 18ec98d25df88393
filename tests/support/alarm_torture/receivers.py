"""The receivers that alarms are told to: real programs, which can be killed, and what each of them has got."""

from __future__ import annotations

import json
import sys
import time
from abc import ABC, abstractmethod
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple

from tests.support import alertmanager, smtp_server, web_server
from tests.support.alarm_torture import moody_web
from tests.support.server_process import ServerProcess

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import ExitStack
    from http.server import BaseHTTPRequestHandler


class Received(NamedTuple):
    """A message as a receiver got it. ``at``: Unix time; ``key``: see `Receiver.key`; ``content``: if it is kept."""

    at: float
    key: str
    content: Mapping[str, Any] | None = None


class Receiver(ABC):
    """One receiver; its sink has the same name."""

    name: ClassVar[str]
    # Whether it shows how things are now.
    has_state: ClassVar[bool] = False
    # Whether a repeat comes before anything later about its hole.
    keeps_order: ClassVar[bool] = True

    @abstractmethod
    def section(self) -> str:
        """The settings of its sink, without the kind."""

    @abstractmethod
    def received(self) -> Sequence[Received]:
        """What it has got until now, in order."""

    def key(self, message: Mapping[str, Any]) -> str | None:
        """What it knows a message by; None: it is not told of such ones."""
        return str(message["id"])

    def shown(self) -> set[str]:
        """What it shows now."""
        return set()

    def to_show(self, holes: Mapping[str, str], running: Sequence[int]) -> set[str]:
        """The same as it should be; ``holes``: alarm or acknowledged by hole or "table", ``running``: alarms."""
        return set()


class Server(Receiver):
    """One with a server that can be killed."""

    @abstractmethod
    def start(self) -> None:
        """Start the server; returns when it answers."""

    @abstractmethod
    def kill(self) -> None:
        """Kill the server."""

    def enter(self, stack: ExitStack) -> None:
        """Start everything, and end it with the stack."""
        stack.callback(self.kill)
        self.start()


def by_fields(message: Mapping[str, Any]) -> str:
    """What receivers know a message by that do not get its id."""
    alarm = message["alarm"]
    return f"{alarm['id']} {message['kind']} {alarm['crops']}"


def _lines(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8").splitlines() if file.exists() else []


class Web(Server):
    """An HTTP receiver, which may be moody."""

    name = "webhook"

    def __init__(self, folder: Path, *, moody: bool) -> None:
        self._process = ServerProcess(folder / "web.log")
        self._file = folder / "web.jsonl"
        port = self._process.port
        self._settings = {"port": port, "file": str(self._file), "moody": moody, "slow_seconds": 2.5}

    def section(self) -> str:
        return f'url = "http://127.0.0.1:{self._process.port}/"\ntimeout_seconds = 2'

    def start(self) -> None:
        self._process.run([sys.executable, str(Path(moody_web.__file__)), json.dumps(self._settings)])

    def kill(self) -> None:
        self._process.kill()

    def received(self) -> list[Received]:
        found = [json.loads(line) for line in _lines(self._file)]
        return [Received(one["at"], one["message"]["id"], one["message"]) for one in found if one["taken"]]


# It may fail before or after it has taken a message, or hang.
MOODS: Final = """
case $(($$ % 12)) in
    0) exit 1 ;;
    1) code=1 ;;
    2) sleep 5 ;;
esac
"""
PROGRAM: Final = """#!/bin/sh
code=0
{moods}
body=$(cat)
printf '%s %s\\n' "$(date +%s.%N)" "$body" >> '{file}'
exit $code
"""


class Program(Receiver):
    """A program that is started for each message, which may be moody."""

    name = "command"

    def __init__(self, folder: Path, *, moody: bool) -> None:
        self._file = folder / "command.txt"
        self._program = folder / "told"
        self._program.write_text(PROGRAM.format(moods=MOODS if moody else "", file=self._file), encoding="utf-8")
        self._program.chmod(0o755)

    def section(self) -> str:
        return f'command = ["{self._program}"]\ntimeout_seconds = 2'

    def received(self) -> list[Received]:
        found = [line.split(" ", 1) for line in _lines(self._file)]
        return [Received(float(at), json.loads(body)["id"], json.loads(body)) for at, body in found]


class Log(Receiver):
    """The daemon's own log, as JSON."""

    name = "log"

    def __init__(self, log: Path) -> None:
        self._log = log

    def section(self) -> str:
        return ""

    def key(self, message: Mapping[str, Any]) -> str:
        return by_fields(message)

    def received(self) -> list[Received]:
        found = []
        for line in _lines(self._log):
            if '"logger": "plugins.sinks.log"' not in line:
                continue
            entry = json.loads(line)
            words = entry["message"].replace(":", "").split()
            at = datetime.fromisoformat(entry["time"]).timestamp()
            found.append(Received(at, f"{words[1]} {words[2]} {words[-2]}"))
        return found


class Mail(Server):
    """A mail server."""

    name = "email"

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "mails"
        self._server = smtp_server.Server(self._folder)

    def start(self) -> None:
        self._server.start()

    def kill(self) -> None:
        self._server.kill()

    def section(self) -> str:
        people = 'from = "monitor@plant.example"\nto = ["shift@plant.example"]'
        return f'host = "127.0.0.1"\nport = {self._server.port}\nsecurity = "none"\n{people}\ntimeout_seconds = 5'

    def received(self) -> list[Received]:
        files = sorted(self._folder.glob("*.eml"))
        found = []
        for file, mail in zip(files, self._server.mails(), strict=False):
            (part,) = mail.iter_attachments()
            content = json.loads(part.get_content())
            assert mail["Message-ID"] == f"<{content['id']}@plant.example>"
            found.append(Received(file.stat().st_mtime, content["id"], content))
        return found


class Alerts(Server):
    """An Alertmanager, and what it notifies of: each alert when it begins."""

    name = "alertmanager"
    has_state = True
    keeps_order = False  # it notifies of all again after its own restart

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "alertmanager"
        self._got: list[Received] = []
        self._server: alertmanager.Server | None = None

    def enter(self, stack: ExitStack) -> None:
        posted: list[Any] = []

        def answer(handler: BaseHTTPRequestHandler) -> None:
            at, (_, _, body) = time.time(), posted[-1]
            alerts = json.loads(body)["alerts"]
            self._got += [Received(at, one["labels"]["alarm"]) for one in alerts if one["status"] == "firing"]
            web_server.status(200)(handler)

        url, taken = stack.enter_context(web_server.server(answer))
        posted = taken
        self._server = alertmanager.Server(self._folder, url)
        super().enter(stack)

    def start(self) -> None:
        assert self._server is not None
        self._server.start()

    def kill(self) -> None:
        assert self._server is not None
        self._server.kill()

    def section(self) -> str:
        assert self._server is not None
        return f'url = "{self._server.url}"\nheartbeat_seconds = 5\ntimeout_seconds = 5'

    def key(self, message: Mapping[str, Any]) -> str | None:
        return str(message["alarm"]["id"]) if message["kind"] == "opened" else None

    def received(self) -> list[Received]:
        return list(self._got)

    def shown(self) -> set[str]:
        assert self._server is not None
        return set(self._server.alerts())

    def to_show(self, holes: Mapping[str, str], running: Sequence[int]) -> set[str]:
        return {str(one) for one in running}
