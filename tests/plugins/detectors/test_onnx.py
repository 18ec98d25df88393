"""How imported networks are used: what goes in, what decides, what is drawn, and what is refused."""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from monitor.api import ConfigurationError, DataError, Detector, FitReport, NotOfferedError, mean_squared_errors
from monitor.models import folders
from plugins.detectors.onnx import Onnx, OnnxSettings, OnnxWithoutMap
from plugins.networks import trial
from plugins.networks.runtimes import OnnxSession
from tests.plugins.conftest import crops
from tests.support.onnx_files import SIZE, constant, model, needs_runtime, node, usual_nodes, written
from tests.support.saved_models import loader_of, row_of

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

pytestmark = [needs_runtime, pytest.mark.process]


def imported(folder: Path, made: Any = None, **settings: Any) -> Onnx:
    file = written(folder, model() if made is None else made)
    return Onnx.from_file(file, OnnxSettings.model_validate(settings), "cpu")


def fitted(detector: Onnx, count: int = 12) -> NDArray[np.uint8]:
    """Let it learn the mean of crops, and return them as it prepares them."""
    batch = detector.prepare_batch(crops(count))
    detector.fit(batch, validation=batch, seed=0, progress=lambda _: None)
    return batch


def maps_of(batch: NDArray[np.uint8]) -> NDArray[np.float64]:
    """What the usual network draws of prepared crops."""
    return np.asarray(abs(batch / 255 - 0.5).mean(axis=3), dtype=np.float64)


def test_the_scores_and_the_heat_map_are_the_outputs_with_the_usual_names(tmp_path: Path) -> None:
    detector = imported(tmp_path)
    assert (detector.settings.score, detector.settings.map) == ("pred_score", "anomaly_map")
    assert (detector.input_size, detector.settings.one_by_one) == (SIZE, False)
    batch = fitted(detector)
    scores = detector.score(batch)
    np.testing.assert_allclose(scores.deciding, maps_of(batch).max(axis=(1, 2)), rtol=1e-5)
    np.testing.assert_allclose(detector.heatmap(batch), maps_of(batch), rtol=1e-5, atol=1e-7)
    mean = (batch / 255).mean(axis=0).astype(np.float32)
    np.testing.assert_allclose(scores.mse, mean_squared_errors(batch, mean), rtol=1e-5)
    assert detector.details()["decides"] == "the output pred_score"
    assert (detector.offers("reconstruct"), detector.offers("latent")) == (False, False)


@pytest.mark.parametrize(("quantile", "expected"), [(1.0, np.max), (0.5, np.median)])
def test_without_a_score_a_quantile_of_the_map_decides(tmp_path: Path, quantile: float, expected: Any) -> None:
    detector = imported(tmp_path, model(outputs=["anomaly_map"]), quantile=quantile)
    assert (detector.settings.score, detector.settings.map) == (None, "anomaly_map")
    batch = fitted(detector)
    np.testing.assert_allclose(detector.score(batch).deciding, expected(maps_of(batch), axis=(1, 2)), rtol=1e-5)
    assert detector.details()["decides"] == f"the {quantile:g} quantile of anomaly_map"


def test_without_a_map_there_is_no_heat_map(tmp_path: Path) -> None:
    detector = imported(tmp_path, model(outputs=["pred_score"]))
    assert isinstance(detector, OnnxWithoutMap)
    batch = fitted(detector)
    assert not detector.offers("heatmap")
    with pytest.raises(NotOfferedError, match=r"^the detector 'onnx' has no heat map"):
        detector.heatmap(batch)
    detector.score(batch).check(len(batch))
    folder = tmp_path / "saved"
    folder.mkdir()
    detector.save(folder)
    assert not Onnx.load(folder, detector.settings, "cpu").offers("heatmap")


def test_outputs_are_chosen_by_name(tmp_path: Path) -> None:
    nodes = [*usual_nodes(), node("ReduceMean", ["image"], "brightness", axes=[1, 2, 3], keepdims=0)]
    made = model(nodes=nodes, outputs=["brightness", "pred_score", "anomaly_map"])
    by_name = imported(tmp_path, made, score="brightness")
    batch = fitted(by_name)
    np.testing.assert_allclose(by_name.score(batch).deciding, (batch / 255).mean(axis=(1, 2, 3)), rtol=1e-5)
    by_map = imported(tmp_path, made, map="anomaly_map")
    assert (by_map.settings.score, by_map.settings.map) == (None, "anomaly_map")


SCALINGS: list[tuple[dict[str, Any], Any]] = [
    ({"input": "0-1"}, lambda values: values / 255),
    ({"input": "0-255"}, lambda values: values),
    ({"input": "imagenet"}, lambda values: (values / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]),
    (
        {"mean": [0.5, 0.4, 0.3], "deviation": [0.5, 0.25, 0.2]},
        lambda v: (v / 255 - [0.5, 0.4, 0.3]) / [0.5, 0.25, 0.2],
    ),
    ({"input": "0-255", "mean": [100, 90, 80]}, lambda values: values - [100, 90, 80]),
]


@pytest.mark.parametrize(("settings", "scaled"), SCALINGS)
@pytest.mark.parametrize("shape", [("N", 3, *SIZE), ("N", *SIZE, 3)])
def test_intensities_go_in_as_the_settings_say(tmp_path: Path, settings: Any, scaled: Any, shape: Any) -> None:
    detector = imported(tmp_path, model(shape=shape), **settings)
    batch = fitted(detector)
    expected = abs(scaled(batch.astype(np.float64)) - 0.5).mean(axis=3).max(axis=(1, 2))
    np.testing.assert_allclose(detector.score(batch).deciding, expected, rtol=1e-4)


def test_whole_numbers_go_in_as_they_are(tmp_path: Path) -> None:
    nodes = [node("Cast", ["image"], "values", to=1), *usual_nodes(channels=3, start="values")]
    detector = imported(tmp_path, model(shape=("N", *SIZE, 3), kind="UINT8", nodes=nodes))
    batch = fitted(detector)
    assert detector.settings.input == "0-255"
    np.testing.assert_allclose(
        detector.score(batch).deciding, abs(batch - 0.5).mean(axis=3).max(axis=(1, 2)), rtol=1e-5
    )
    with pytest.raises(ConfigurationError, match="takes whole numbers from 0 to 255, so --input imagenet does not fit"):
        imported(tmp_path, model(shape=("N", *SIZE, 3), kind="UINT8", nodes=nodes), input="imagenet")


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


def test_maps_are_enlarged_and_what_is_usual_in_negative_ones_is_drawn_as_nothing(tmp_path: Path) -> None:
    nodes = [
        *usual_nodes(),
        node("AveragePool", ["anomaly_map"], "small", kernel_shape=[4, 4], strides=[4, 4]),
        node("Sub", ["small", "far"], "log_likelihood"),
    ]
    made = model(nodes=nodes, outputs=["log_likelihood"], constants=[constant("far", 10.0)])
    detector = imported(tmp_path, made)
    batch = fitted(detector)
    assert (detector.score(batch).deciding < 0).all()
    heatmaps = detector.heatmap(batch)
    assert heatmaps.shape == (12, *SIZE)
    assert heatmaps.min() >= 0
    assert 0 < heatmaps.max() < 1
    blocks = maps_of(batch).reshape(12, 4, 4, 6, 4).mean(axis=(2, 4))
    np.testing.assert_allclose(heatmaps[:, 0, 0], blocks[:, 0, 0] - blocks.min(), atol=1e-4)


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


def test_a_saved_one_needs_the_file_no_more_and_is_the_same_file(tmp_path: Path) -> None:
    detector = imported(tmp_path)
    batch = fitted(detector)
    content = (tmp_path / "network.onnx").read_bytes()
    (tmp_path / "network.onnx").unlink()
    saved = folders.save(tmp_path / "models", detector, validation=(), report=FitReport(), name="grey")
    assert re.fullmatch("grey-[0-9a-f]{12}", saved.name)
    assert (saved.folder / "detector" / "network.onnx").read_bytes() == content
    loaded, computed_by = loader_of(saved, runtime="auto").load_with_runtime(row_of(saved))
    assert computed_by == "ONNX Runtime on cpu"
    for found, expected in ((loaded.score(batch), detector.score(batch)),):
        np.testing.assert_array_equal(found.mse, expected.mse)
        np.testing.assert_array_equal(found.deciding, expected.deciding)
    np.testing.assert_array_equal(loaded.heatmap(batch), detector.heatmap(batch))


def test_what_was_learned_is_checked_when_it_is_loaded(tmp_path: Path) -> None:
    detector = imported(tmp_path)
    fitted(detector)
    folder = tmp_path / "saved"
    folder.mkdir()
    detector.save(folder)
    (folder / "learned.safetensors").write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"learned\.safetensors: is not of this model: .*; import it again"):
        Onnx.load(folder, detector.settings, "cpu")


def scored_in_a_child(detector: Detector, batch: NDArray[np.uint8], found: Any) -> None:
    torch.set_num_threads(1)
    found.put(detector.score(batch).deciding)


def test_a_forked_process_scores_the_same(tmp_path: Path) -> None:
    detector = imported(tmp_path)
    batch = fitted(detector)
    threads = torch.get_num_threads()
    try:
        # A session with a pool of threads, none of which lives on in the other process.
        torch.set_num_threads(2)
        expected = detector.score(batch).deciding
        context = multiprocessing.get_context("fork")
        found = context.Queue()
        process = context.Process(target=scored_in_a_child, args=(detector, batch, found))
        process.start()
        np.testing.assert_allclose(found.get(timeout=60), expected, rtol=1e-5)
        process.join(60)
        assert process.exitcode == 0
    finally:
        torch.set_num_threads(threads)


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


MISSING = """
import sys
from pathlib import Path

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "onnxruntime":
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Blocked())
sys.modules["onnxruntime"] = None
from monitor.errors import ConfigurationError
from plugins.detectors.onnx import Onnx, OnnxSettings

for make in (Onnx.from_file, Onnx.load):
    try:
        make(Path("network.onnx"), OnnxSettings(), "cpu")
    except ConfigurationError as error:
        print(error)
"""


def test_without_the_extra_it_is_named() -> None:
    ended = subprocess.run([sys.executable, "-c", MISSING], capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr
    lines = ended.stdout.splitlines()
    assert len(lines) == 2
    for line in lines:
        assert "onnxruntime cannot be imported; to read ONNX files, install the extra: pip install" in line
        assert "proliv-monitor[runtime]" in line
