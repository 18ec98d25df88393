"""A message about an alarm, or a heartbeat, as a mail: a text for people, with the message itself attached as JSON."""

from __future__ import annotations

import json
from datetime import datetime
from email.headerregistry import HeaderRegistry, MessageIDHeader
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any, Final

from plugins.sinks.casting import cast_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

LONGEST_SUBJECT: Final = 150
# No more alarms of a heartbeat are in its text.
MOST_LISTED: Final = 50
ADVICE: Final = "This is advice and no interlock. The attached message.json is the same for machines."
ENDED_BY: Final = {
    "acknowledgement": "it was acknowledged, and its event is over",
    "quiet": "its event is over",
    "person": "by {closed_by}",
    "table": "it became part of alarm {part_of}",
}

_HEADERS: Final = HeaderRegistry()
# As any text, a long one would be divided and encoded, and no program would find the mail that it names.
_HEADERS.map_to_type("references", MessageIDHeader)  # type: ignore[arg-type] # its stub knows no mix-ins
_POLICY: Final = SMTP.clone(header_factory=_HEADERS)


def letter(message: Mapping[str, Any], sender: str, recipients: Sequence[str]) -> EmailMessage:
    """The mail; whatever names holes and cameras have, they are text on a line of their own, or of the subject.

    Its Message-ID is made of the message's id, so a repeat has the same; mails about one alarm refer to a common one.
    """
    is_heartbeat = message["kind"] == "heartbeat"
    subject, lines = _heartbeat(message) if is_heartbeat else _alarm(message)
    domain = sender.rpartition("@")[2]
    mail = EmailMessage(_POLICY)
    mail["Subject"] = subject if len(subject) <= LONGEST_SUBJECT else f"{subject[: LONGEST_SUBJECT - 1]}…"
    mail["From"] = sender
    mail["To"] = ", ".join(recipients)
    mail["Date"] = format_datetime(datetime.fromisoformat(message["at"]))
    mail["Message-ID"] = f"<{message['id']}@{domain}>"
    if not is_heartbeat:
        opened = datetime.fromisoformat(message["alarm"]["opened_at"])
        mail["References"] = f"<alarm-{message['alarm']['id']}-{opened:%Y%m%d%H%M%S}@{domain}>"
    # So that nobody's absence is told to us.
    mail["Auto-Submitted"] = "auto-generated"
    text = "\n".join([subject, "", *lines, "", ADVICE, ""])
    mail.set_content(text, cte="quoted-printable")
    whole = json.dumps(message, indent=1).encode()
    mail.add_attachment(whole, maintype="application", subtype="json", filename="message.json")
    return mail


def _alarm(message: Mapping[str, Any]) -> tuple[str, list[str]]:
    """The subject and the lines of a message about an alarm."""
    alarm, kind = message["alarm"], message["kind"]
    done = {"more": f"goes on, {alarm['crops']} crops", "acknowledged": f"acknowledged by {alarm['acknowledged_by']}"}
    subject = plain(f"Alarm {alarm['id']} {done.get(kind, kind)}: {alarm['about']}")
    lines = [f"{name + ':':<15} {plain(str(value))}" for name, value in _facts(alarm)]
    if alarm["state"] == "open":
        lines += ["", "Look at the table; then, where the daemon runs:", f"monitor alarms ack {alarm['id']}"]
    return subject, lines


def _facts(alarm: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    yield "State", alarm["state"]
    yield "Opened", _time(alarm["opened_at"])
    if cast := cast_of(alarm):
        yield "Cast", cast
    yield "Last crop", _time(alarm["last_at"])
    yield "Crops", alarm["crops"]
    yield "Highest score", f"{alarm['score']:.4g}, with a threshold of {alarm['threshold']:.4g}"
    if alarm["acknowledged_at"]:
        yield "Acknowledged", f"by {alarm['acknowledged_by']} at {_time(alarm['acknowledged_at'])}"
        if alarm["acknowledged_note"]:
            yield "Note", alarm["acknowledged_note"]
    if alarm["closed_at"]:
        why = ENDED_BY.get(alarm["ended_by"], "{ended_by}").format_map(alarm)
        yield "Closed", f"at {_time(alarm['closed_at'])}: {why}"
        if alarm["closed_note"]:
            yield "Note", alarm["closed_note"]


def _heartbeat(message: Mapping[str, Any]) -> tuple[str, list[str]]:
    """The subject and the lines of a heartbeat."""
    running, alarms = message["running"], message["alarms"][:MOST_LISTED]
    subject = plain(f"Heartbeat of {message['host']}: {running or 'no'} alarm{'s' * (running != 1)} not closed")
    lines = [f"The daemon decides. The next heartbeat is due in {message['every_seconds']:g} seconds."]
    lines += [plain(f"Alarm {one['id']}, {one['state']}: {one['about']}") for one in alarms]
    if running > len(alarms):
        lines.append(f"and {running - len(alarms)} older ones")
    return subject, lines


def _time(value: str) -> str:
    return f"{datetime.fromisoformat(value):%Y-%m-%d %H:%M:%S} UTC"


def plain(text: str) -> str:
    """A text on one line, in which every character can be seen."""
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in " ".join(text.split()))
