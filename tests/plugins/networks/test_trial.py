"""A trial may do whatever it likes: what comes of it is its answer, or a sentence."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from monitor.api import ConfigurationError, DataError
from plugins.networks.trial import apart

FILE = Path("network.onnx")
pytestmark = pytest.mark.process


def test_its_answer_comes_back() -> None:
    answer = apart(lambda: {"pid": os.getpid(), "size": [16, 24]}, FILE)
    assert answer.keys() == {"pid", "size"}
    assert answer["size"] == [16, 24]
    assert answer["pid"] != os.getpid()


@pytest.mark.parametrize("kind", [DataError, ConfigurationError])
def test_its_refusal_comes_back(kind: type[Exception]) -> None:
    def trial() -> dict[str, Any]:
        raise kind("network.onnx: too odd")

    with pytest.raises(kind, match=r"^network\.onnx: too odd$"):
        apart(trial, FILE)


def test_another_error_comes_back_on_one_line() -> None:
    def trial() -> dict[str, Any]:
        raise RuntimeError("\x1b[31modd\n" * 1000)

    with pytest.raises(DataError, match=r"^network\.onnx: its trial broke off: \\x1b\[31modd ") as caught:
        apart(trial, FILE)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 600


def test_a_crash_is_contained() -> None:
    def trial() -> dict[str, Any]:
        os.kill(os.getpid(), signal.SIGKILL)
        return {}

    with pytest.raises(DataError, match=r"network\.onnx: its trial broke off by the signal SIGKILL"):
        apart(trial, FILE)


def test_what_does_not_come_to_an_end_is_ended() -> None:
    def trial() -> dict[str, Any]:
        time.sleep(3600)
        return {}

    with pytest.raises(DataError, match=r"has not come to an end of its trial within 0\.1 s"):
        apart(trial, FILE, seconds=0.1)


def test_one_that_wants_too_much_memory_is_refused() -> None:
    def trial() -> dict[str, Any]:
        return {"size": len(bytearray(1 << 40))}

    with pytest.raises(DataError, match=r"network\.onnx: its trial needs more than 8 GiB of memory"):
        apart(trial, FILE)
