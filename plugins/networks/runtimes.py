"""Computes networks by ONNX Runtime, where it is installed: those that come as ONNX files, and others instead of torch.

The latter are exported in memory from the weights that were loaded; nothing is written into a model's folder.
"""

from __future__ import annotations

import io
import logging
import os
import warnings
import weakref
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

log = logging.getLogger(__name__)

# What the extra ``runtime`` installs: torch needs the second to write what the first reads.
PACKAGES: Final = ("onnxruntime", "onnx")
OPSET: Final = 17
# One of ONNX Runtime's levels of severity, from 0 to 4.
ONLY_ERRORS: Final = 3


class NotExportedError(Exception):
    """A network that ONNX Runtime cannot compute; the message is the reason."""


def missing_packages() -> list[str]:
    """Which packages of the extra ``runtime`` cannot be imported."""
    return [name for name in PACKAGES if not _is_there(name)]


def _is_there(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except (ImportError, ValueError):
        return False


@cache
def say_once(message: str) -> None:
    """Log a warning, but each message only once: several models are loaded, and again on every reload."""
    log.warning("%s", message)


class NetworkInput(NamedTuple):
    """What has to be given: its name, its type, such as ``tensor(float)``, and its axes: numbers, words or None."""

    name: str
    type: str
    shape: tuple[int | str | None, ...]


class OnnxSession:
    """A graph in the ONNX format, computed by ONNX Runtime on the processor; each process has a session of its own."""

    def __init__(self, model: bytes) -> None:
        """``model``: the content of an ONNX file. Raises what ONNX Runtime raises for one that it cannot compute."""
        self._model = model
        session = _new_session(model, threads=1)
        # Copied: what ONNX Runtime returns would keep the session and its threads.
        self.inputs = [NetworkInput(one.name, one.type, tuple(one.shape)) for one in session.get_inputs()]
        self.outputs: list[str] = [one.name for one in session.get_outputs()]
        self._session, self._threads = session, 1
        _sessions.add(self)

    def run(self, inputs: Mapping[str, NDArray[Any]], outputs: Sequence[str] | None = None) -> list[Any]:
        """The outputs of these names, or all, mostly arrays, for inputs by their names."""
        answers: list[Any] = self._current_session().run(outputs, inputs)
        return answers

    def close(self) -> None:
        """Drop the session and its threads; the next call starts a new one."""
        self._session = None

    def _current_session(self) -> Any:
        """A session with as many threads as torch has now."""
        threads = torch.get_num_threads()
        # Another thread may fork at any time, which drops the session.
        session = self._session
        if session is None or self._threads != threads:
            session = _new_session(self._model, threads)
            self._session, self._threads = session, threads
        return session


_sessions: weakref.WeakSet[OnnxSession] = weakref.WeakSet()


def _close_sessions() -> None:
    for session in list(_sessions):
        session.close()


# A forked process does not have the session's threads, and would wait for them forever.
os.register_at_fork(before=_close_sessions)


class OnnxNetwork:
    """A network's forward pass, computed by ONNX Runtime on the processor; called like the network.

    Tensors with four dimensions lie channels last in memory, as they do in scoring, on the way in and out.
    """

    def __init__(self, network: nn.Module, example: Sequence[Tensor]) -> None:
        """Export ``network`` for inputs like those of ``example``, of any number of crops.

        Raises `NotExportedError`.
        """
        try:
            self._session = OnnxSession(_exported(network, example))
        except Exception as error:  # the exporter and the session have dozens of exceptions of their own
            reason = " ".join(str(error).split())
            raise NotExportedError(f"{type(error).__name__}: {reason[:200]}") from error

    def __call__(self, *inputs: Tensor) -> Any:
        """What the network answers: a tensor, or a tuple of several."""
        names = [one.name for one in self._session.inputs]
        arrays = [(one.permute(0, 2, 3, 1) if one.dim() == 4 else one).contiguous().numpy() for one in inputs]
        outputs = [torch.from_numpy(one) for one in self._session.run(dict(zip(names, arrays, strict=True)))]
        answers = tuple(one.permute(0, 3, 1, 2) if one.dim() == 4 else one for one in outputs)
        return answers if len(answers) > 1 else answers[0]


class _ChannelsLast(nn.Module):
    """A network whose four-dimensional inputs and outputs are (N, H, W, C)."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, *inputs: Tensor) -> Any:
        answers = self.network(*(one.permute(0, 3, 1, 2) if one.dim() == 4 else one for one in inputs))
        every = answers if isinstance(answers, tuple) else (answers,)
        return tuple(one.permute(0, 2, 3, 1) if one.dim() == 4 else one for one in every)


def _exported(network: nn.Module, example: Sequence[Tensor]) -> bytes:
    """The network in the ONNX format, with the number of crops left open."""
    inputs = tuple((one.permute(0, 2, 3, 1) if one.dim() == 4 else one).contiguous() for one in example)
    names = [f"input_{number}" for number in range(len(inputs))]
    file = io.BytesIO()
    with warnings.catch_warnings():
        # torch warns that this exporter, which traces, is the older one. The newer one takes seconds instead of a tenth
        # of one, at every start, and needs another package.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _ChannelsLast(network).eval(),
            inputs,
            file,  # type: ignore[arg-type]  # typed as a path, but this exporter takes a file as well
            dynamo=False,
            opset_version=OPSET,
            input_names=names,
            dynamic_axes={name: {0: "crops"} for name in names},
        )
    return file.getvalue()


def _new_session(model: bytes, threads: int) -> Any:
    # Microsoft's builds since 1.29 report to Microsoft which networks are run, unless this is set before the import.
    # Nothing may leave the plant, and a forked process, which does not have the reporting thread, would wait for it
    # forever when it ends.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Threads that wait for work by spinning take the processor from torch's, and from other processes.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Else it takes bytes that begin like its own format as that, and what was checked is what they are as ONNX.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    # With every batch it would warn that the number of crops is not the one that the export was traced with.
    options.log_severity_level = ONLY_ERRORS
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
