"""Which networks can be imported, and with how many crops at a time they are tried."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pydantic import ValidationError

from monitor.api import ConfigurationError, DataError
from plugins.detectors.onnx import Onnx, OnnxSettings
from plugins.networks import trial
from plugins.networks.runtimes import OnnxSession
from tests.support.imported_onnx import fitted, imported, maps_of
from tests.support.onnx_files import SIZE, constant, model, needs_runtime, node, usual_nodes

if TYPE_CHECKING:
    from pathlib import Path


pytestmark = [needs_runtime, pytest.mark.process]


def test_a_network_for_one_image_gets_one_at_a_time(tmp_path: Path) -> None:
    detector = imported(tmp_path, model(shape=(1, 3, *SIZE)))
    assert detector.settings.one_by_one
    batch = fitted(detector)
    np.testing.assert_allclose(detector.score(batch).deciding, maps_of(batch).max(axis=(1, 2)), rtol=1e-5)


def test_a_network_that_compares_the_crops_of_a_batch_gets_one_at_a_time(tmp_path: Path) -> None:
    # As those do that scale a batch's scores to 0-1.
    nodes = [
        *usual_nodes(),
        node("ReduceMean", ["pred_score"], "usual", axes=[0], keepdims=1),
        node("Mul", ["usual", "half"], "part"),
        node("Sub", ["pred_score", "part"], "score"),
    ]
    detector = imported(tmp_path, model(nodes=nodes, outputs=["score"]))
    assert detector.settings.one_by_one
    batch = fitted(detector)
    np.testing.assert_allclose(detector.score(batch).deciding, maps_of(batch).max(axis=(1, 2)) / 2, rtol=1e-5)


def test_a_network_that_was_traced_for_one_image_gets_one_at_a_time(tmp_path: Path) -> None:
    # Whatever its input says, it makes one row of all numbers.
    import onnx

    shape = onnx.numpy_helper.from_array(np.array([1, 3, *SIZE], dtype=np.int64), "shape")
    nodes = [node("Reshape", ["image", "shape"], "one"), *usual_nodes(start="one")]
    assert imported(tmp_path, model(nodes=nodes, constants=[shape])).settings.one_by_one


def counting_trap(often: int) -> Any:
    """A network that goes round a loop ``often`` times as soon as more than eight crops come together."""
    from onnx import TensorProto, helper, numpy_helper

    def whole(name: str, value: int) -> Any:
        return numpy_helper.from_array(np.array([value], dtype=np.int64), name)

    body = helper.make_graph(
        [node("Add", ["sum", "half"], "sum_after"), node("Identity", ["go"], "go_after")],
        "body",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("sum", TensorProto.FLOAT, []),
        ],
        [
            helper.make_tensor_value_info("go_after", TensorProto.BOOL, []),
            helper.make_tensor_value_info("sum_after", TensorProto.FLOAT, []),
        ],
    )
    nodes = [
        *usual_nodes(start="image"),
        node("Shape", ["image"], "crops", start=0, end=1),
        node("Greater", ["crops", "eight"], "many"),
        node("Where", ["many", "often", "once"], "turns"),
        node("Squeeze", ["turns"], "turns_alone"),
        node("Loop", ["turns_alone", "yes", "zero"], "turned", body=body),
        node("Mul", ["turned", "zero"], "nothing"),
        node("Add", ["pred_score", "nothing"], "score"),
    ]
    constants = [whole("eight", 8), whole("often", often), whole("once", 1), constant("zero", 0.0)]
    constants.append(numpy_helper.from_array(np.array(True), "yes"))
    return model(nodes=nodes, outputs=["score"], constants=constants)


def test_a_network_that_hangs_with_as_many_crops_as_go_through_it_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not imported(tmp_path, counting_trap(10)).settings.one_by_one
    monkeypatch.setattr(trial, "MOST_SECONDS", 5)
    with pytest.raises(DataError, match="has not come to an end of its trial within 5 s"):
        imported(tmp_path, counting_trap(10**14))


def test_a_network_that_takes_too_much_memory_for_many_crops_gets_one_at_a_time(tmp_path: Path) -> None:
    import onnx

    def whole(name: str, value: int) -> Any:
        return onnx.numpy_helper.from_array(np.array([value], dtype=np.int64), name)

    nodes = [
        *usual_nodes(),
        node("Shape", ["image"], "crops", start=0, end=1),
        node("Greater", ["crops", "eight"], "many"),
        node("Where", ["many", "huge", "one"], "size"),
        node("ConstantOfShape", ["size"], "zeros"),
        node("ReduceMax", ["zeros"], "zero", keepdims=0),
        node("Add", ["pred_score", "zero"], "score"),
    ]
    constants = [whole("eight", 8), whole("huge", 3_000_000_000), whole("one", 1)]
    assert imported(tmp_path, model(nodes=nodes, outputs=["score"], constants=constants)).settings.one_by_one


def test_the_file_is_computed_nowhere_but_apart_until_it_is_a_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, computed = os.getpid(), []

    def run(*_arguments: Any) -> list[Any]:
        computed.append(os.getpid())
        return original(*_arguments)

    original = OnnxSession.run
    monkeypatch.setattr(OnnxSession, "run", run)
    detector = imported(tmp_path)
    batch = fitted(detector)
    assert detector.details()["milliseconds"] > 0
    assert here not in computed
    detector.score(batch)
    assert set(computed) == {here}


def test_a_network_that_breaks_off_at_real_crops_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    detector = imported(tmp_path)

    def crash(*_arguments: Any) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(OnnxSession, "run", crash)
    with pytest.raises(DataError, match=r"network\.onnx: its trial broke off by the signal SIGKILL"):
        fitted(detector)


def test_a_network_that_says_the_same_of_every_crop_is_refused(tmp_path: Path) -> None:
    nodes = [*usual_nodes(), node("Mul", ["pred_score", "zero"], "score")]
    detector = imported(tmp_path, model(nodes=nodes, outputs=["score"], constants=[constant("zero", 0.0)]))
    with pytest.raises(
        DataError, match=r"network\.onnx: its score is 0 for each of the 12 held-out crops, so it tells"
    ):
        fitted(detector)


def test_a_network_that_gives_nan_for_real_crops_is_refused(tmp_path: Path) -> None:
    # Whiter than the made-up crops are, and no number.
    nodes = [
        *usual_nodes(),
        node("ReduceMin", ["image"], "darkest", axes=[1, 2, 3], keepdims=0),
        node("Sub", ["almost", "darkest"], "left"),
        node("Sqrt", ["left"], "root"),
        node("Add", ["pred_score", "root"], "score"),
    ]
    detector = imported(tmp_path, model(nodes=nodes, outputs=["score"], constants=[constant("almost", 0.999)]))
    white = detector.prepare_batch([np.full((*SIZE, 3), 255, dtype=np.uint8)] * 2)
    with pytest.raises(DataError, match=r"its score of a crop of train/ is NaN or infinity"):
        detector.fit(white, validation=white, seed=0, progress=lambda _: None)


def test_what_a_refusal_shows_of_a_file_is_no_command_to_a_terminal(tmp_path: Path) -> None:
    evil = "\x1b[31mEVIL" + "x" * 2000
    made = [
        model(nodes=[node("Relu", [evil], "score")], outputs=["score"]),
        model(shape=("N", 4, evil, 24)),
    ]
    folder = tmp_path / "\x1b[31m"
    folder.mkdir()
    for one in made:
        with pytest.raises(DataError, match="EVIL") as caught:
            imported(folder, one)
        message = str(caught.value)
        assert message.isprintable()
        assert message.startswith(f"{tmp_path}/\\x1b[31m/network.onnx: ")
        assert len(message) < 800


def test_a_network_of_any_size_needs_one(tmp_path: Path) -> None:
    made = model(shape=("N", 3, "H", "W"))
    with pytest.raises(ConfigurationError, match=r"takes images of any height; give the one .*: --set height=PIXELS"):
        imported(tmp_path, made)
    detector = imported(tmp_path, made, height=20, width=30)
    assert detector.input_size == (20, 30)
    assert detector.heatmap(fitted(detector)).shape == (12, 20, 30)
    with pytest.raises(ConfigurationError, match="takes images of the height 16 alone, and not 20"):
        imported(tmp_path, height=20)


@pytest.mark.parametrize(
    ("nodes", "outputs", "settings", "words"),
    [
        (
            [node("Flatten", ["image"], "codes")],
            ["codes"],
            {},
            r"none is a score, .* they are: 'codes' float32 \(1, 1152\)",
        ),
        (
            [*usual_nodes(), *(node("Identity", ["pred_score"], name) for name in ("first", "second"))],
            ["first", "second"],
            {},
            "several may be the score or the map; name one with --score or --map",
        ),
        (None, ["pred_score", "anomaly_map"], {"score": "anomaly_map"}, "--score 'anomaly_map' is no score"),
        (None, ["pred_score", "anomaly_map"], {"map": "nix"}, "--map 'nix' is no map"),
        (
            [*usual_nodes(), node("Log", ["shifted"], "log"), node("ReduceMax", ["log"], "score", keepdims=0)],
            ["score"],
            {},
            "its output 'score' of a made-up crop holds NaN or infinity",
        ),
        (
            [
                *usual_nodes(),
                node("RandomNormalLike", ["pred_score"], "noise"),
                node("Add", ["pred_score", "noise"], "score"),
            ],
            ["score"],
            {},
            r"is another one when the same crop comes again; .* \(model\.eval\(\)\)",
        ),
        ([node("Expand", ["image", "far"], "score")], ["score"], {}, "ONNX Runtime cannot load it"),
        (
            [node("Tile", ["image", "often"], "huge"), node("ReduceMax", ["huge"], "score", keepdims=0)],
            ["score"],
            {},
            "ONNX Runtime cannot compute it for a made-up crop of 24x16 pixels",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused(
    tmp_path: Path, nodes: Any, outputs: list[str], settings: Any, words: str
) -> None:
    import onnx

    often = onnx.numpy_helper.from_array(np.array([1, 1, 1 << 20, 1 << 10], dtype=np.int64), "often")
    made = model(nodes=nodes, outputs=outputs, constants=[constant("far", 10.0), often])
    with pytest.raises(DataError, match=words) as caught:
        imported(tmp_path, made, **settings)
    assert str(caught.value).startswith(f"{tmp_path}/network.onnx: ")


@pytest.mark.parametrize(
    "settings",
    [
        {"deviation": [0.5, 0, 0.5]},
        {"deviation": [0.5, float("inf"), 0.5]},
        {"mean": [0.5, 0.5]},
        {"mean": [0.5, float("nan"), 0.5]},
        {"height": 7},
        {"width": 1025},
    ],
)
def test_settings_that_no_network_can_have(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        OnnxSettings.model_validate(settings)


def test_one_without_a_file_says_how_to_get_it() -> None:
    detector = Onnx(OnnxSettings())
    with pytest.raises(DataError, match="import one: monitor models import FILE --data DIR"):
        detector.score(np.zeros((1, *SIZE, 3), dtype=np.uint8))
