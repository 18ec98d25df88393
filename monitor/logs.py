"""Writes the program's messages to standard error, one line each: as text, as JSON, or for systemd's journal.

Python's warnings, and exceptions that end a thread or that no code can catch, become messages like any other. Passwords
in URLs are left out of all of them.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import threading
from datetime import UTC, datetime
from typing import Final, Literal

log = logging.getLogger(__name__)

Format = Literal["text", "json"]

# The journal splits lines of more than 48 KiB; messages with more characters than this lose their middle.
LONGEST: Final = 8000
# Python's levels and the priorities of syslog.
PRIORITIES: Final = {logging.CRITICAL: 2, logging.ERROR: 3, logging.WARNING: 4, logging.INFO: 6, logging.DEBUG: 7}
PASSWORD: Final = re.compile(r"(?<=://)([^\s:/?#@]*):[^\s/?#]*@|(?<=\bpassword=)[^\s&'\"]+")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def setup(level: str, output_format: Format = "text") -> None:
    """Log with this level and in this format from now on; may be called again."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_formatter(output_format))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # Alembic reports every migration context that it makes.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    # The scheduler reports every look at the clock.
    logging.getLogger("apscheduler").setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)
    threading.excepthook = _thread_ended
    sys.unraisablehook = _unraisable


def for_machines() -> bool:
    """Whether a program reads standard error, so that every line has to be a message."""
    return any(isinstance(handler.formatter, Journal | Json) for handler in logging.getLogger().handlers)


def _formatter(output_format: Format) -> logging.Formatter:
    formatter: logging.Formatter = Json() if output_format == "json" else Line("%(asctime)s %(levelname)s %(message)s")
    if not goes_to_journal():
        return formatter
    # The journal adds the time itself.
    return Journal(formatter if output_format == "json" else Line("%(levelname)s %(message)s"))


def goes_to_journal() -> bool:
    """Whether standard error still is the pipe to the journal that systemd named when it started the program."""
    try:
        status = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


class Line(logging.Formatter):
    """Text: further lines of a message, and a traceback, follow on the same line."""

    def format(self, record: logging.LogRecord) -> str:
        """Make one line of a record."""
        return shortened(fold(without_passwords(super().format(record))))


# A message's ``extra`` under this name becomes fields of its JSON object: a mapping from names to values of JSON.
FIELDS: Final = "fields"


def fields(**values: str | float | None) -> dict[str, dict[str, str | float | None]]:
    """The ``extra`` of a message that says the same in fields, for programs; what is None is left out."""
    return {FIELDS: {name: value for name, value in values.items() if value is not None}}


class Json(logging.Formatter):
    """One object a line: time (UTC, RFC 3339), level, message, logger, thread, what `fields` gave, and a traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """Make one line of a record."""
        at = datetime.fromtimestamp(record.created, UTC)
        values = {
            "time": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "message": shortened(without_passwords(record.getMessage())),
            "logger": record.name,
            "thread": record.threadName,
        }
        for name, value in getattr(record, FIELDS, {}).items():
            values[name] = shortened(without_passwords(value)) if isinstance(value, str) else value
        if record.exc_info:
            values["traceback"] = shortened(without_passwords(self.formatException(record.exc_info)))
        return json.dumps(values, ensure_ascii=False)


class Journal(logging.Formatter):
    """Another format, with the prefix from which the journal takes a line's priority."""

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        """Make one line of a record."""
        priority = next((number for level, number in PRIORITIES.items() if record.levelno >= level), 7)
        return f"<{priority}>{self._inner.format(record)}"


def fold(text: str) -> str:
    """Several lines as one, separated by bars, without the marks below code; control characters are escaped."""
    lines = (line.strip() for line in text.splitlines())
    folded = " | ".join(line for line in lines if line and not set(line) <= set("^~"))
    return _CONTROL.sub(lambda match: repr(match[0])[1:-1], folded)


def shortened(text: str) -> str:
    """A text without its middle if it is too long; the exception of a traceback is at its end."""
    if len(text) <= LONGEST:
        return text
    head, tail = LONGEST // 4, LONGEST - LONGEST // 4
    return f"{text[:head]} […] {text[-tail:]}"


def without_passwords(text: str) -> str:
    """A text with *** in place of the passwords in URLs and connection strings."""
    return PASSWORD.sub(lambda match: f"{match[1]}:***@" if match[1] is not None else "***", text)


def _thread_ended(arguments: threading.ExceptHookArgs) -> None:
    if arguments.exc_type is SystemExit:
        return
    name = arguments.thread.name if arguments.thread is not None else "of unknown name"
    value = arguments.exc_value if arguments.exc_value is not None else arguments.exc_type()
    log.error(
        "the thread %s ended because of a defect; its work is no longer done; please report it with this message",
        name,
        exc_info=(arguments.exc_type, value, arguments.exc_traceback),
    )


def _unraisable(unraisable: sys.UnraisableHookArgs) -> None:
    value = unraisable.exc_value
    log.warning(
        "%s %r; it was ignored",
        unraisable.err_msg or "an exception in",
        unraisable.object,
        exc_info=(unraisable.exc_type, value, unraisable.exc_traceback) if value is not None else None,
    )
