"""Tiny networks as ONNX files, made without torch: a crop is abnormal where it is unlike grey."""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

import pytest

from plugins.networks.runtimes import PACKAGES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

# Looked for, not imported: importing ONNX Runtime before the program does would let it report to its maker.
MISSING: Final = [name for name in PACKAGES if find_spec(name) is None]
needs_runtime = pytest.mark.skipif(
    bool(MISSING) and "runtime" not in os.environ.get("MONITOR_TESTS_REQUIRE", ""),
    reason="needs the extra proliv-monitor[runtime]",
)

SIZE: Final = (16, 24)
Shape = tuple[int | str | None, ...]


def node(operator: str, inputs: Sequence[str], output: str, **attributes: Any) -> Any:
    from onnx import helper

    return helper.make_node(operator, list(inputs), [output], **attributes)


def constant(name: str, values: Any) -> Any:
    import numpy as np
    from onnx import numpy_helper

    return numpy_helper.from_array(np.asarray(values, dtype=np.float32), name)


def usual_nodes(*, channels: int = 1, start: str = "image") -> list[Any]:
    """|image - 0.5|, its mean over the channels as ``anomaly_map`` and the largest of these as ``pred_score``."""
    spatial = [1, 2, 3] if channels == 1 else [1, 2]
    return [
        node("Sub", [start, "half"], "shifted"),
        node("Abs", ["shifted"], "difference"),
        node("ReduceMean", ["difference"], "anomaly_map", axes=[channels], keepdims=int(channels == 1)),
        node("ReduceMax", ["anomaly_map"], "pred_score", axes=spatial, keepdims=0),
    ]


def model(
    *,
    shape: Shape = ("N", 3, *SIZE),
    kind: str = "FLOAT",
    nodes: Sequence[Any] | None = None,
    outputs: Sequence[str] = ("pred_score", "anomaly_map"),
    constants: Sequence[Any] = (),
    more_inputs: Sequence[str] = (),
) -> Any:
    """A model with the input ``image``; ``nodes`` in place of the usual ones."""
    import onnx
    from onnx import TensorProto, helper

    inputs = [helper.make_tensor_value_info("image", getattr(TensorProto, kind), shape)]
    inputs += [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in more_inputs]
    channels = 1 if len(shape) > 1 and shape[1] == 3 else 3
    graph = helper.make_graph(
        list(usual_nodes(channels=channels) if nodes is None else nodes),
        "network",
        inputs,
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [constant("half", 0.5), *constants],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    assert isinstance(made, onnx.ModelProto)
    return made


def written(folder: Path, made: Any, name: str = "network.onnx") -> Path:
    """The file of a model."""
    file = folder / name
    file.write_bytes(made.SerializeToString())
    return file
