"""The program's messages: a line each, for people, for programs and for systemd's journal; by real processes."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from monitor.logs import LONGEST, Json, Line, fields, fold, shortened, without_passwords

if TYPE_CHECKING:
    from pathlib import Path

SPEAK = """
import logging, sys, threading, warnings
from monitor import logs

class Unraisable:
    def __del__(self):
        raise KeyError("nobody catches this")

logs.setup("info", sys.argv[1])
log = logging.getLogger("monitor.speaking")
log.debug("not told")
log.info("two\\nlines\\x1b[31m of %s", "words")
log.warning("a warning")
try:
    raise ValueError("cannot connect to postgresql://monitor:geheim@db/monitor")
except ValueError:
    log.error("it failed", exc_info=True)
log.critical("the end")
warnings.warn("old ways")
thread = threading.Thread(target=lambda: 1 / 0, name="reader")
thread.start()
thread.join()
Unraisable()
"""


def speak(output_format: str, *, journal: bool) -> list[str]:
    """What a process writes, whose standard error is a pipe that systemd named as the journal's, or did not."""
    reading, writing = os.pipe()
    environment = {name: value for name, value in os.environ.items() if name != "JOURNAL_STREAM"}
    if journal:
        status = os.fstat(writing)
        environment["JOURNAL_STREAM"] = f"{status.st_dev}:{status.st_ino}"
    process = subprocess.Popen([sys.executable, "-c", SPEAK, output_format], stderr=writing, env=environment)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        lines = pipe.read().splitlines()
    assert process.wait() == 0
    return lines


@pytest.mark.process
def test_a_line_a_message_with_the_journals_priorities() -> None:
    lines = speak("text", journal=True)
    assert lines[:2] == ["<6>INFO two | lines\\x1b[31m of words", "<4>WARNING a warning"]
    assert lines[2].startswith("<3>ERROR it failed | Traceback (most recent call last): | File ")
    assert lines[2].endswith("| ValueError: cannot connect to postgresql://monitor:***@db/monitor")
    assert lines[3] == "<2>CRITICAL the end"
    assert lines[4].startswith("<4>WARNING ")
    assert "UserWarning: old ways" in lines[4]
    assert lines[5].startswith("<3>ERROR the thread reader ended because of a defect")
    assert lines[5].endswith("ZeroDivisionError: division by zero")
    assert lines[6].startswith("<4>WARNING ")
    assert lines[6].endswith("KeyError: 'nobody catches this'")
    assert len(lines) == 7


@pytest.mark.process
def test_without_the_journal_lines_have_a_time_and_no_priority() -> None:
    first = speak("text", journal=False)[0]
    date, time, rest = first.split(" ", 2)
    datetime.fromisoformat(f"{date} {time}")
    assert rest == "INFO two | lines\\x1b[31m of words"


@pytest.mark.process
@pytest.mark.parametrize("journal", [True, False])
def test_json_is_an_object_a_line(journal: bool) -> None:
    lines = speak("json", journal=journal)
    assert [line[:3] for line in lines[:4]] == (["<6>", "<4>", "<3>", "<2>"] if journal else ['{"t'] * 4)
    told: list[dict[str, Any]] = [json.loads(line[3 if journal else 0 :]) for line in lines]
    assert told[0]["message"] == "two\nlines\x1b[31m of words"
    assert [one["level"] for one in told[:4]] == ["info", "warning", "error", "critical"]
    assert (told[0]["logger"], told[0]["thread"]) == ("monitor.speaking", "MainThread")
    assert told[0]["time"].endswith("Z")
    datetime.fromisoformat(told[0]["time"])
    assert told[2]["traceback"].startswith("Traceback (most recent call last):\n")
    assert [index for index, one in enumerate(told) if "traceback" in one] == [2, 5, 6]
    assert "geheim" not in "".join(lines)


@pytest.mark.process
def test_a_pipe_that_is_not_the_journals_gets_no_priorities(tmp_path: Path) -> None:
    environment = {**os.environ, "JOURNAL_STREAM": "1:2"}
    spoken = subprocess.run([sys.executable, "-c", SPEAK, "text"], env=environment, capture_output=True, text=True)
    assert not any(line.startswith("<") for line in spoken.stderr.splitlines())


@pytest.mark.process
@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["status"], 78, "nowhere.toml: no such configuration file (named by --config)"),
        (["status", "--nix"], 2, "No such option"),
    ],
)
def test_errors_have_a_priority_too(tmp_path: Path, words: list[str], code: int, sentence: str) -> None:
    reading, writing = os.pipe()
    status = os.fstat(writing)
    environment = {**os.environ, "JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}
    command = [sys.executable, "-m", "monitor", "--config", "nowhere.toml", "--log-format", "json", *words]
    ended = subprocess.run(command, stderr=writing, env=environment, cwd=tmp_path)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        (line,) = pipe.read().splitlines()
    assert ended.returncode == code
    assert line.startswith("<3>{")
    assert sentence in json.loads(line[3:])["message"]


def test_a_json_line_has_fields_beside_the_sentence() -> None:
    extra = fields(id=17, hole=None, path="/inbox/" + "a" * LONGEST, url="http://me:secret@host", score=0.5)
    record = logging.getLogger("any").makeRecord("any", logging.WARNING, "", 1, "proliv", (), None, extra=extra)
    line = json.loads(Json().format(record))
    assert (line["message"], line["id"], line["score"], line["url"]) == ("proliv", 17, 0.5, "http://me:***@host")
    assert "hole" not in line
    assert "[…]" in line["path"]
    assert Line("%(message)s").format(record) == "proliv"


def test_the_middle_of_what_is_too_long_is_left_out() -> None:
    text = "head" + "x" * 100_000 + "tail"
    assert len(shortened(text)) < LONGEST + 10
    assert shortened(text).startswith("headx")
    assert shortened(text).endswith("xtail")
    record = logging.LogRecord("m", logging.INFO, "p", 1, text, None, None)
    assert all(len(formatter.format(record)) < 48_000 for formatter in (Line(), Json()))


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("one", "one"),
        ("  one\n    ~~~^^^~\n\n two ", "one | two"),
        ("a\rb\u2028c\x00d", "a | b | c\\x00d"),
    ],
)
def test_folding(text: str, folded: str) -> None:
    assert fold(text) == folded


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("postgresql://a:p%40ss:w@h:5/n?x=1", "postgresql://a:***@h:5/n?x=1"),
        ("postgresql://a@h/n?user=b&password=geheim&x=1", "postgresql://a@h/n?user=b&password=***&x=1"),
        ("host=h password=geheim dbname=n", "host=h password=*** dbname=n"),
        ("http://127.0.0.1:9464/metrics mail a:b@c", "http://127.0.0.1:9464/metrics mail a:b@c"),
    ],
)
def test_passwords(text: str, told: str) -> None:
    assert without_passwords(text) == told
