"""Tries what is not to be trusted in a process of its own, which may crash, hang or run out of memory."""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import signal
from typing import TYPE_CHECKING, Any, Final

from monitor.api import ConfigurationError, DataError
from plugins.networks.onnx_files import on_one_line

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection
    from pathlib import Path

# A trial computes at most a hundred made-up crops or some hundreds of real ones, with as many threads as torch has.
MOST_SECONDS: Final = 120
# A batch of a deep network needs less; without a limit, the kernel would end a process that it chooses, maybe another.
MOST_BYTES: Final = 8 << 30


def apart(trial: Callable[[], dict[str, Any]], file: Path, *, seconds: float | None = None) -> dict[str, Any]:
    """What a trial with ``file`` returns, as JSON holds it, from a forked process.

    ``seconds``: the longest that it may take, by default `MOST_SECONDS`. Raises the `DataError` or `ConfigurationError`
    that it raises, and `DataError` where it raises another one or does not come to an end.
    """
    seconds = MOST_SECONDS if seconds is None else seconds
    # Not spawned: that would import torch again.
    context = multiprocessing.get_context("fork")
    reader, writer = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(trial, file, writer), daemon=True)
    process.start()
    writer.close()
    try:
        if not reader.poll(seconds):
            raise DataError(
                f"{file}: the network has not come to an end of its trial within {seconds:g} s; use a smaller one"
            )
        # Bytes, not objects: nothing that a broken process sends is run.
        answer = json.loads(reader.recv_bytes())
    except EOFError:
        process.join()
        raise DataError(f"{file}: its trial broke off{_how(process.exitcode)}; export it again") from None
    finally:
        process.kill()
        process.join()
        reader.close()
    if "refusal" in answer:
        raise {"ConfigurationError": ConfigurationError}.get(answer["kind"], DataError)(answer["refusal"])
    found: dict[str, Any] = answer["found"]
    return found


def _answer(trial: Callable[[], dict[str, Any]], file: Path, writer: Connection) -> None:
    """Run the trial and send what comes of it."""
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    if most == resource.RLIM_INFINITY or most > MOST_BYTES:
        resource.setrlimit(resource.RLIMIT_DATA, (MOST_BYTES, most))
    # ONNX Runtime prints what it also raises, and the person gets that as a sentence.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    try:
        answer: dict[str, Any] = {"found": trial()}
    except (DataError, ConfigurationError) as error:
        answer = {"refusal": str(error), "kind": type(error).__name__}
    except MemoryError:
        answer = {"refusal": f"{file}: its trial needs more than {MOST_BYTES >> 30} GiB of memory", "kind": "DataError"}
    except Exception as error:  # noqa: BLE001 - whatever ONNX Runtime raises for a graph that fails with some crops
        answer = {"refusal": f"{file}: its trial broke off: {on_one_line(error)}; export it again", "kind": "DataError"}
    writer.send_bytes(json.dumps(answer).encode())


def _how(exit_code: int | None) -> str:
    if exit_code is None or exit_code >= 0:
        return ""
    return f" by the signal {signal.Signals(-exit_code).name}"
