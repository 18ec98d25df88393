"""How imported networks are used: what goes in, what decides, what is drawn, and what is refused."""

from __future__ import annotations

import multiprocessing
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from monitor.api import ConfigurationError, DataError, Detector, FitReport, NotOfferedError, mean_squared_errors
from monitor.models import folders
from plugins.detectors.onnx import Onnx, OnnxWithoutMap
from tests.support.imported_onnx import fitted, imported, maps_of
from tests.support.onnx_files import SIZE, constant, model, needs_runtime, node, usual_nodes
from tests.support.saved_models import loader_of, row_of

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


pytestmark = [needs_runtime, pytest.mark.process]


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
