"""Files that do something dreadful to whatever decodes them, as a picture may that its decoder has no answer to.

As a distribution of its own (`write_distribution`) this module is loaded by a real program as a plug-in, and lays the
traps there.
"""

from __future__ import annotations

import faulthandler
import hashlib
import os
import re
import shutil
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.crops.loader import CropReader

if TYPE_CHECKING:
    from collections.abc import Callable

    from monitor.crops.loader import Decoded, FileContent

MARK = b"TRAP"
WORD_BYTES = 12


def trapped(picture: bytes, word: str) -> bytes:
    """A picture whose decoding does what the word says, see `spring`."""
    return picture + word.encode().rjust(WORD_BYTES, b".") + MARK


def spring(word: str) -> None:
    match word:
        case "spin":  # in C, without the interpreter's lock
            hashlib.pbkdf2_hmac("sha256", b"", b"", 2**31 - 1)
        case "spin-locked":  # in C, with it
            re.match(r"(a+)+$", "a" * 60 + "b")
        case "spin-a-while":
            began = time.thread_time()
            while time.thread_time() - began < 1:
                hashlib.pbkdf2_hmac("sha256", b"", b"", 10_000)
        case "sleep":
            time.sleep(600)
        case "sleep-a-bit":
            time.sleep(1)
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "crash":
            faulthandler.disable()
            os.kill(os.getpid(), signal.SIGSEGV)


def with_traps(
    decode: Callable[[CropReader, FileContent], Decoded], sprung: Path
) -> Callable[[CropReader, FileContent], Decoded]:
    """A decoder for which traps work; each that springs adds its word to the file ``sprung``."""

    def decode_or_worse(self: CropReader, content: FileContent) -> Decoded:
        if content.data.endswith(MARK):
            word = content.data[-WORD_BYTES - len(MARK) : -len(MARK)].decode().strip(".")
            with sprung.open("a", encoding="ascii") as file:
                file.write(word + "\n")
            spring(word)
        return decode(self, content)

    return decode_or_worse


def write_distribution(site: Path) -> None:
    """Write a plug-in into a folder of Python's path that lays traps in the program which loads it."""
    information = site / "decoding_traps-1.0.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: decoding-traps\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text("[monitor]\ntraps = decoding_traps\n")
    shutil.copy(__file__, site)


if __name__ == "decoding_traps":
    CropReader.decode = with_traps(CropReader.decode, Path(__file__).with_name("sprung"))  # type: ignore[assignment, method-assign]
