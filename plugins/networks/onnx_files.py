"""Reads ONNX files, which are not to be trusted, and refuses what could reach beyond the file or is no image model."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from monitor.api import SMALLEST_CROP, DataError, InputMissingError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from plugins.networks.runtimes import OnnxSession

# Every process that scores has the network in memory, and protobuf reads less than twice as much.
LARGEST_FILE: Final = 1 << 30
# Operators of other domains are a vendor's or somebody's own, and need code beside the file.
STANDARD_DOMAINS: Final = frozenset({"", "ai.onnx", "ai.onnx.ml"})
# Longer sides than this, in pixels, would take gigabytes for a batch of crops that have fifty pixels in truth.
LARGEST_SIDE: Final = 1024
# Longer names are refused, or, where it does not matter, shown in part.
LONGEST_NAME: Final = 100
LONGEST_REASON: Final = 300

# ONNX Runtime's names of the types of images.
FLOAT: Final = "tensor(float)"
UINT8: Final = "tensor(uint8)"


def shown(name: object) -> str:
    """A name from a file in quotation marks, on one line and not too long."""
    text = str(name)
    return repr(text if len(text) <= LONGEST_NAME else f"{text[: LONGEST_NAME - 1]}…")


def printable(text: object) -> str:
    r"""Text from outside without what a terminal would obey: such characters become ``\xNN`` and the like."""
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode("ascii", "replace") for one in str(text)
    )


def on_one_line(text: object) -> str:
    """What another program says about a file, safe to show and not too long."""
    return printable(" ".join(str(text).split())[:LONGEST_REASON])


def read(path: Path) -> bytes:
    """The content of a regular file of a size that can be; raises `InputMissingError` and `DataError`."""
    file = printable(path)
    try:
        # Without waiting for the writer of a pipe.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise InputMissingError(
            f"{file}: cannot be read: {error.strerror}; check the path and its permissions"
        ) from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise InputMissingError(f"{file}: is no regular file; give an ONNX file")
        if status.st_size <= LARGEST_FILE:
            # It may grow meanwhile.
            with os.fdopen(descriptor, "rb", closefd=False) as opened:
                content = opened.read(LARGEST_FILE + 1)
            if len(content) <= LARGEST_FILE:
                return content
    except OSError as error:
        raise InputMissingError(f"{file}: cannot be read: {error.strerror}; copy it again") from None
    finally:
        os.close(descriptor)
    raise DataError(
        f"{file}: is larger than {LARGEST_FILE >> 20} MiB, and each process that scores would have it in memory; "
        "export a smaller network"
    )


def check(content: bytes, file: Path) -> None:
    """Raise `DataError` unless the content is an ONNX model that is whole in itself and of standard operators alone."""
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.ModelProto.FromString(content)
    except DecodeError:
        raise DataError(f"{file}: is no ONNX file, or a damaged one; copy or export it again") from None
    if not model.graph.node:
        raise DataError(f"{file}: is no ONNX file: there is no network in it; export it again")
    for value in (*model.graph.input, *model.graph.output):
        # They are shown on terminals and kept as settings.
        if not value.name.isprintable() or len(value.name) > LONGEST_NAME:
            raise DataError(
                f"{file}: an input or output has the name {shown(value.name)}; give it one of at most {LONGEST_NAME} "
                "printable characters"
            )
    own = {(function.domain, function.name) for function in model.functions}
    scopes = [model.graph, *model.functions]
    for node in (node for scope in scopes for node in _nodes(scope.node)):
        if node.domain not in STANDARD_DOMAINS and (node.domain, node.op_type) not in own:
            raise DataError(
                f"{file}: its operator {shown(node.op_type)} is of the domain {shown(node.domain)}, and only those of "
                "the ONNX standard are taken, because others need code beside the file; export it without"
            )
    for tensor in (tensor for scope in scopes for tensor in _tensors(scope)):
        if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data:
            places = [entry.value for entry in tensor.external_data if entry.key == "location"]
            raise DataError(
                f"{file}: its weights {shown(tensor.name)} lie outside, in {shown(places[0] if places else '')}, and "
                "no other file is opened; export it as a single file (torch.onnx.export(..., external_data=False), or "
                "onnx.save of what onnx.load reads)"
            )


def _nodes(nodes: Sequence[Any]) -> Iterator[Any]:
    """Nodes, and those of the graphs inside them."""
    for node in nodes:
        yield node
        for attribute in node.attribute:
            for graph in (attribute.g, *attribute.graphs):
                yield from _nodes(graph.node)


def _tensors(scope: Any) -> Iterator[Any]:
    """All tensors with values of a graph or a function, and of the graphs inside it."""
    yield from getattr(scope, "initializer", ())
    for sparse in getattr(scope, "sparse_initializer", ()):
        yield from (sparse.values, sparse.indices)
    for attribute in (*getattr(scope, "attribute_proto", ()), *(one for node in scope.node for one in node.attribute)):
        yield from (attribute.t, *attribute.tensors)
        for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
            yield from (sparse.values, sparse.indices)
        for graph in (attribute.g, *attribute.graphs):
            yield from _tensors(graph)


@dataclass(frozen=True)
class ImageInput:
    """The one input of a network: images of N crops.

    ``uint8``: whether it takes intensities from 0 to 255 as they are, else float32. ``channels_last``: (N, H, W, 3),
    else (N, 3, H, W). ``size``: (H, W) in pixels, None where it is not fixed. ``one_by_one``: whether N is always 1.
    """

    name: str
    uint8: bool
    channels_last: bool
    size: tuple[int | None, int | None]
    one_by_one: bool


def image_input(session: OnnxSession, file: Path) -> ImageInput:
    """Find out what a network wants; raises `DataError` for anything but one batch of images in colour."""
    inputs = session.inputs
    if len(inputs) != 1:
        names = ", ".join(shown(one.name) for one in inputs[:5]) or "none"
        raise DataError(f"{file}: has {len(inputs)} inputs ({names}), and an image must be the only one; export it so")
    (one,) = inputs
    what = f"{file}: its input {shown(one.name)}"
    if one.type not in (FLOAT, UINT8):
        raise DataError(
            f"{what} is a {printable(one.type[:LONGEST_NAME])}; images are given as {FLOAT} or {UINT8}; export it so"
        )
    shape = [axis if isinstance(axis, int) and axis > 0 else None for axis in one.shape]
    # The words for open axes are the file's, too, and as long as it likes.
    axes = [str(axis) if isinstance(axis, int) or axis is None else printable(axis[:20]) for axis in one.shape[:8]]
    words = "(" + ", ".join(axes + ["…"] * (len(one.shape) > 8)) + ")"
    if len(shape) != 4 or 3 not in (shape[1], shape[3]):
        raise DataError(
            f"{what} has the shape {words}; images in colour are (N, 3, H, W) or (N, H, W, 3), with a 3 that is fixed; "
            "export it so"
        )
    if shape[0] not in (None, 1):
        raise DataError(
            f"{what} always takes {shape[0]} images at once, {words}; export it for any number of images, or for one"
        )
    channels_last = shape[1] != 3
    size = (shape[1], shape[2]) if channels_last else (shape[2], shape[3])
    if any(side is not None and not SMALLEST_CROP <= side <= LARGEST_SIDE for side in size):
        raise DataError(
            f"{what} has the shape {words}; sides have from {SMALLEST_CROP} to {LARGEST_SIDE} pixels; export it so"
        )
    return ImageInput(one.name, one.type == UINT8, channels_last, size, one_by_one=shape[0] == 1)
