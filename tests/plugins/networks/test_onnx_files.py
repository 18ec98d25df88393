"""What an ONNX file must not be, each refused with a sentence that names the file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from monitor.api import DataError, InputMissingError
from plugins.networks import onnx_files
from plugins.networks.onnx_files import ImageInput, check, image_input, read
from plugins.networks.runtimes import OnnxSession
from tests.support.onnx_files import constant, model, needs_runtime, node, usual_nodes, written

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = needs_runtime


def refusal(made: Any, folder: Path) -> str:
    file = written(folder, made)
    with pytest.raises(DataError) as caught:
        check(read(file), file)
    assert str(caught.value).startswith(f"{file}: ")
    return str(caught.value)


def taken(made: Any, folder: Path) -> ImageInput:
    file = written(folder, made)
    return image_input(OnnxSession(read(file)), file)


def test_an_ordinary_file_is_read_as_it_is(tmp_path: Path) -> None:
    made = model()
    file = written(tmp_path, made)
    assert read(file) == made.SerializeToString()
    check(read(file), file)


def test_a_file_that_is_too_large_is_refused_before_it_is_read(tmp_path: Path) -> None:
    file = tmp_path / "large.onnx"
    with file.open("wb") as opened:
        opened.truncate(10 << 30)
    with pytest.raises(DataError, match=r"large\.onnx: is larger than 1024 MiB, .* export a smaller network"):
        read(file)


def test_a_file_that_grows_beyond_the_limit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "grows.onnx"
    file.write_bytes(b"x" * 101)
    monkeypatch.setattr(onnx_files, "LARGEST_FILE", 100)
    with pytest.raises(DataError, match="is larger than"):
        read(file)


def test_what_is_no_regular_file_is_refused_without_waiting(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path, words in ((pipe, "is no regular file"), (tmp_path, "is no regular file"), (tmp_path / "nix", "No such")):
        with pytest.raises(InputMissingError, match=words):
            read(path)


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xd8\xff\xe0 a picture", b"PK\x03\x04 a zip of pickles", b"\x80\x04K\x01."]
)
def test_other_files_are_no_onnx_files(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(DataError, match="is no ONNX file"):
        check(content, tmp_path / "other")


def test_a_file_that_was_cut_off_or_damaged_is_refused_or_no_model(tmp_path: Path) -> None:
    content = model().SerializeToString()

    def used(cut: bytes) -> None:
        check(cut, tmp_path / "cut")
        OnnxSession(cut)

    for length in range(0, len(content) - 1, 7):
        # Ours, or one of ONNX Runtime's, which the detector turns into a sentence.
        with pytest.raises(Exception, match=r"."):
            used(content[:length])


def test_operators_of_other_domains_are_refused_by_their_domain(tmp_path: Path) -> None:
    own = node("Steal", ["image"], "pred_score", domain="com.example")
    said = refusal(model(nodes=[own], outputs=["pred_score"]), tmp_path)
    assert "its operator 'Steal' is of the domain 'com.example', and only those of the ONNX standard" in said


def test_a_name_from_the_file_is_shown_on_one_line_and_cut_off(tmp_path: Path) -> None:
    own = node("x\n\x1b[2J" * 100, ["image"], "pred_score", domain="com.example\n" * 1000)
    said = refusal(model(nodes=[own], outputs=["pred_score"]), tmp_path)
    assert "\n" not in said
    assert "\x1b" not in said
    assert len(said) - len(str(tmp_path)) < 450


@pytest.mark.parametrize("name", ["score\x1b[2J", "new\nline", "x" * 101])
def test_outputs_whose_names_cannot_be_shown_are_refused(tmp_path: Path, name: str) -> None:
    nodes = [*usual_nodes(), node("Identity", ["pred_score"], name)]
    said = refusal(model(nodes=nodes, outputs=[name]), tmp_path)
    assert "an input or output has the name " in said
    assert said.isprintable()


def test_operators_and_weights_inside_of_other_graphs_are_found(tmp_path: Path) -> None:
    from onnx import TensorProto, helper

    def branch(inner: Any) -> Any:
        result = helper.make_tensor_value_info("inner", TensorProto.FLOAT, None)
        return helper.make_graph([inner], "branch", [], [result])

    def conditional(inner: Any) -> Any:
        condition = node("Constant", [], "condition", value=helper.make_tensor("c", TensorProto.BOOL, [], [True]))
        choice = node("If", ["condition"], "pred_score", then_branch=branch(inner), else_branch=branch(inner))
        return model(nodes=[condition, choice], outputs=["pred_score"])

    assert "'com.example'" in refusal(conditional(node("Own", [], "inner", domain="com.example")), tmp_path)
    assert "'/etc/shadow'" in refusal(
        conditional(node("Constant", [], "inner", value=outside("/etc/shadow"))), tmp_path
    )


def outside(location: str) -> Any:
    """Weights that lie in another file."""
    from onnx import TensorProto

    tensor = constant("weights", [0.5])
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    return tensor


@pytest.mark.parametrize("location", ["weights.bin", "../../secret", "/etc/shadow"])
def test_weights_outside_of_the_file_are_refused(tmp_path: Path, location: str) -> None:
    (tmp_path / "weights.bin").write_bytes(b"\0\0\0?")
    said = refusal(model(constants=[outside(location)]), tmp_path)
    assert f"its weights 'weights' lie outside, in {location!r}, and no other file is opened" in said
    assert "external_data=False" in said


def test_functions_that_the_file_brings_along_are_operators_of_its_own(tmp_path: Path) -> None:
    from onnx import helper

    made = model(nodes=[node("Halve", ["image"], "shifted", domain="own"), *usual_nodes()[1:]])
    own = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    made.opset_import.append(helper.make_opsetid("own", 1))
    half = helper.make_node("Mul", ["x", "x"], ["y"])
    made.functions.append(helper.make_function("own", "Halve", ["x"], ["y"], [half], own))
    file = written(tmp_path, made)
    check(read(file), file)
    assert taken(made, tmp_path).size == (16, 24)
    made.functions[0].node.append(helper.make_node("Steal", ["y"], ["z"], domain="com.example"))
    assert "'com.example'" in refusal(made, tmp_path)


@pytest.mark.parametrize(
    ("shape", "kind", "expected"),
    [
        (("N", 3, 16, 24), "FLOAT", ImageInput("image", False, False, (16, 24), False)),
        ((1, 3, 16, 24), "FLOAT", ImageInput("image", False, False, (16, 24), True)),
        (("N", 16, 24, 3), "FLOAT", ImageInput("image", False, True, (16, 24), False)),
        (("N", 16, 24, 3), "UINT8", ImageInput("image", True, True, (16, 24), False)),
        (("N", 3, "H", 24), "FLOAT", ImageInput("image", False, False, (None, 24), False)),
        ((None, 3, None, None), "FLOAT", ImageInput("image", False, False, (None, None), False)),
    ],
)
def test_the_input_is_found_out(tmp_path: Path, shape: Any, kind: str, expected: ImageInput) -> None:
    channels = 1 if shape[1] == 3 else 3
    cast = [node("Cast", ["image"], "values", to=1)] if kind == "UINT8" else []
    nodes = [*cast, *usual_nodes(channels=channels, start="values" if cast else "image")]
    assert taken(model(shape=shape, kind=kind, nodes=nodes), tmp_path) == expected


@pytest.mark.parametrize(
    ("shape", "kind", "words"),
    [
        (("N", 1, 16, 24), "FLOAT", r"'image' has the shape \(N, 1, 16, 24\); images in colour are \(N, 3, H, W\)"),
        (("N", "C", 16, 24), "FLOAT", r"\(N, C, 16, 24\)"),
        ((3, 16, 24), "FLOAT", r"\(3, 16, 24\)"),
        (("N", 1152), "FLOAT", r"\(N, 1152\)"),
        ((8, 3, 16, 24), "FLOAT", "always takes 8 images at once"),
        (("N", 3, 4, 24), "FLOAT", "sides have from 8 to 1024 pixels"),
        (("N", 3, 16, 100_000), "FLOAT", "sides have from 8 to 1024 pixels"),
        (("N", 3, 16, 24), "INT64", r"is a tensor\(int64\); images are given as tensor\(float\) or tensor\(uint8\)"),
        (("N", 3, 16, 24), "FLOAT16", r"is a tensor\(float16\)"),
    ],
)
def test_another_input_is_refused(tmp_path: Path, shape: Any, kind: str, words: str) -> None:
    made = model(shape=shape, kind=kind, nodes=[node("Shape", ["image"], "sides")], outputs=[])
    made.graph.output.append(_sides())
    with pytest.raises(DataError, match=words):
        taken(made, tmp_path)


def _sides() -> Any:
    from onnx import TensorProto, helper

    return helper.make_tensor_value_info("sides", TensorProto.INT64, None)


def test_several_inputs_are_refused_by_their_names(tmp_path: Path) -> None:
    nodes = [*usual_nodes(), node("Identity", ["threshold"], "again")]
    made = model(nodes=nodes, outputs=["pred_score", "again"], more_inputs=["threshold"])
    with pytest.raises(DataError, match=r"has 2 inputs \('image', 'threshold'\), and an image must be the only one"):
        taken(made, tmp_path)
