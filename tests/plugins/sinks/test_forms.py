"""What sinks hand over fits the JSON Schemas that are shipped, whatever the message is."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from monitor.alarms.messages import HEARTBEAT_SCHEMA_FILE, SCHEMA_FILE
from monitor.registry import SINK, Registry
from plugins.sinks.command import Command
from plugins.sinks.email import Email
from plugins.sinks.webhook import Webhook
from tests.support.made_up_messages import STATES, heartbeat, message
from tests.support.smtp_server import Server
from tests.support.web_server import server, status

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Got = Callable[[dict[str, Any], Path], Any]

# Those that hand over something else: words, or what the receiver's own protocol has.
OTHERS = {"log", "alertmanager", "modbus"}
# Held to the schemas where their servers are: test_mqtt.py, test_opcua.py.
ELSEWHERE = {"mqtt", "opcua"}

MESSAGES = {
    **{kind: message(kind) for kind in STATES},
    "of a table": message("more", kind="table", hole=None, holes=[1, 2, 3]),
    "of a file": message("opened", kind="file", hole=None, camera=None, path="Ж\\n.jpg"),
    "part of a table": message("closed", ended_by="table", part_of=13),
    "heartbeat": heartbeat(message("opened"), message("acknowledged")),
    "heartbeat without alarms": heartbeat(),
}


def by_command(sent: dict[str, Any], folder: Path) -> Any:
    keep = "import sys; open(sys.argv[1], 'w').write(sys.stdin.read())"
    Command(Command.Settings(command=(sys.executable, "-c", keep, str(folder / "got")))).send(sent)
    return json.loads((folder / "got").read_text())


def by_webhook(sent: dict[str, Any], _folder: Path) -> Any:
    with server(status(204)) as (url, posted):
        Webhook(Webhook.Settings(url=url)).send(sent)
    return json.loads(posted[0][2])


def by_email(sent: dict[str, Any], folder: Path) -> Any:
    with Server(folder / "mails").running() as running:
        settings = {"host": "localhost", "port": running.port, "security": "none", "from": "a@b.c", "to": ["d@b.c"]}
        Email(Email.Settings(**settings)).send(sent)
        (mail,) = running.mails()
    return json.loads(next(mail.iter_attachments()).get_content())


SINKS: dict[str, Got] = {"command": by_command, "webhook": by_webhook, "email": by_email}


@pytest.mark.process
@pytest.mark.parametrize("sink", SINKS)
@pytest.mark.parametrize("what", MESSAGES)
def test_what_a_sink_hands_over_fits_the_schema(sink: str, what: str, tmp_path: Path) -> None:
    sent = MESSAGES[what]
    got = SINKS[sink](sent, tmp_path)
    assert got == sent
    form = HEARTBEAT_SCHEMA_FILE if sent["kind"] == "heartbeat" else SCHEMA_FILE
    schema = json.loads(form.read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(got)
    # Neither form is the other.
    other = SCHEMA_FILE if sent["kind"] == "heartbeat" else HEARTBEAT_SCHEMA_FILE
    assert not Draft202012Validator(json.loads(other.read_text(encoding="utf-8"))).is_valid(got)


def test_every_sink_that_is_offered_is_tried() -> None:
    offered = {name for name, one in Registry.load().offers[SINK].items() if one.distribution == "proliv-monitor"}
    assert offered == SINKS.keys() | OTHERS | ELSEWHERE
