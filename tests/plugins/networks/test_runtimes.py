"""ONNX Runtime against torch: the same scores and verdicts, and torch in its place where it cannot be used."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from monitor.api import FitReport
from monitor.models import folders
from monitor.registry import Registry
from plugins.detectors.ae import Autoencoder
from plugins.networks import runtimes
from plugins.networks.runtimes import NotExportedError, OnnxNetwork, OnnxSession, say_once
from tests.plugins.conftest import bleed_outs, crops
from tests.plugins.networks.conftest import KINDS, of_kind, prepared
from tests.support.onnx_files import SIZE, model, needs_runtime
from tests.support.saved_models import loader_of, row_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from monitor.api import Detector
    from plugins.detectors.views import ViewDetector

ONNX, TORCH = "ONNX Runtime on cpu", "torch on cpu"


@pytest.fixture(autouse=True)
def _nothing_was_said_before() -> Iterator[None]:
    say_once.cache_clear()
    yield
    say_once.cache_clear()


@needs_runtime
@pytest.mark.parametrize("kind", KINDS)
def test_both_runtimes_give_the_same_scores_and_verdicts(kind: str, trained: dict[str, ViewDetector[Any]]) -> None:
    detector = of_kind(kind, trained)
    # More than the network takes at once, and bleed-outs among them.
    batch = prepared(detector, [*crops(60, seed=2), *bleed_outs(20)])
    assert detector.use_runtime("torch") == TORCH
    expected, pictures = detector.score(batch), detector.reconstruct(batch)
    assert detector.use_runtime("onnx") == ONNX
    found = detector.score(batch)
    np.testing.assert_allclose(found.mse, expected.mse, rtol=1e-5)
    thresholds = np.quantile(expected.deciding, [0.1, 0.5, 0.9], method="midpoint")
    for threshold in thresholds:
        assert ((found.deciding >= threshold) == (expected.deciding >= threshold)).all()
    assert found.others.keys() == expected.others.keys()
    np.testing.assert_allclose(detector.reconstruct(batch), pictures, atol=1e-5)
    # It was another program that computed them: not one of them is rounded in the same way everywhere.
    assert (detector.reconstruct(batch) != pictures).any()


@pytest.mark.process
def test_auto_is_torch_whatever_is_installed(trained: dict[str, ViewDetector[Any]]) -> None:
    assert {of_kind(kind, trained).use_runtime("auto") for kind in KINDS} == {TORCH}


@needs_runtime
def test_what_begins_like_another_format_is_read_as_what_was_checked() -> None:
    # A producer's name, of which a part lies where ONNX Runtime's own format has its mark.
    name = b"\0\0ORTM" + b"a" * 20
    session = OnnxSession(b"\x12" + bytes([len(name)]) + name + model().SerializeToString())
    assert session.outputs == ["pred_score", "anomaly_map"]


@needs_runtime
def test_a_file_is_read_once_to_find_out_what_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[int] = []

    def new_session(content: bytes, threads: int) -> Any:
        started.append(threads)
        return original(content, threads)

    original = runtimes._new_session
    monkeypatch.setattr(runtimes, "_new_session", new_session)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    session = OnnxSession(model().SerializeToString())
    assert [(one.name, one.type, one.shape) for one in session.inputs] == [("image", "tensor(float)", ("N", 3, *SIZE))]
    assert session.outputs == ["pred_score", "anomaly_map"]
    assert started == [1]
    session.run({"image": np.zeros((1, 3, *SIZE), dtype=np.float32)})
    assert started == [1, 2]


@needs_runtime
def test_a_fork_of_another_thread_takes_no_session_from_one_that_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    session = OnnxSession(model().SerializeToString())
    threads = torch.get_num_threads()

    class Forking:
        """As long as it is compared, another thread forks."""

        def __ne__(self, other: object) -> bool:
            session.close()
            return other != threads

        __hash__ = None  # type: ignore[assignment]

    monkeypatch.setattr(session, "_threads", Forking())
    (scores,) = session.run({"image": np.ones((1, 3, *SIZE), dtype=np.float32)}, ["pred_score"])
    np.testing.assert_allclose(scores, [0.5])


def scored_in_a_child(detector: Detector, batch: NDArray[np.uint8], found: Any) -> None:
    torch.set_num_threads(1)
    found.put(detector.score(batch).mse)


@needs_runtime
@pytest.mark.process
def test_a_forked_process_scores_the_same(trained: dict[str, ViewDetector[Any]]) -> None:
    detector = of_kind("dense-30x50", trained)
    batch = prepared(detector, crops(20, seed=4))
    assert detector.use_runtime("onnx") == ONNX
    threads = torch.get_num_threads()
    try:
        # A session with a pool of threads, none of which lives on in the other process.
        torch.set_num_threads(2)
        expected = detector.score(batch).mse
        context = multiprocessing.get_context("fork")
        found = context.Queue()
        process = context.Process(target=scored_in_a_child, args=(detector, batch, found))
        process.start()
        np.testing.assert_allclose(found.get(timeout=60), expected, rtol=1e-5)
        process.join(60)
        assert process.exitcode == 0
        np.testing.assert_allclose(detector.score(batch).mse, expected, rtol=1e-5)
    finally:
        torch.set_num_threads(threads)


REPORTING = """
import os, sys
from plugins.networks.runtimes import OnnxNetwork
import torch
with torch.inference_mode():
    network = OnnxNetwork(torch.nn.Sequential(torch.nn.Linear(4, 2)), (torch.zeros(3, 4),))
    assert network(torch.zeros(5, 4)).shape == (5, 2)
pid = os.fork()
if pid == 0:
    sys.exit(0)  # not os._exit: what waits for threads that are no more would hang here
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


@needs_runtime
@pytest.mark.process
def test_it_starts_no_thread_that_reports_to_its_maker() -> None:
    environment = {name: value for name, value in os.environ.items() if name not in {"ORT_DISABLE_TELEMETRY", "CI"}}
    one_thread = {**environment, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    ended = subprocess.run(
        [sys.executable, "-c", REPORTING], env=one_thread, capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 0, ended.stderr


@needs_runtime
def test_a_model_is_loaded_with_the_runtime_and_its_folder_is_left_as_it_is(
    trained: dict[str, ViewDetector[Any]], tmp_path: Path
) -> None:
    saved = folders.save(tmp_path / "models", of_kind("linear-2", trained), validation=(), report=FitReport())
    loaded, computed_by = loader_of(saved, runtime="onnx").load_with_runtime(row_of(saved))
    assert computed_by == ONNX
    assert isinstance(loaded, Autoencoder)
    assert isinstance(loaded._for_scoring().forward, OnnxNetwork)
    loaded.score(prepared(loaded, crops(3))).check(3)
    folders.verify(saved.folder, saved.fingerprint)


def test_a_detector_without_a_network_keeps_to_itself() -> None:
    detector = Registry.load().detector_class("patchstats")
    assert detector(detector.Settings()).use_runtime("onnx") == "its own arithmetic"


class Bessel(nn.Module):
    """A layer that cannot be exported."""

    def forward(self, values: Tensor) -> Tensor:
        answer: Tensor = torch.special.i0e(values)
        return answer


@needs_runtime
def test_a_network_that_cannot_be_exported_is_refused_with_the_reason() -> None:
    with pytest.raises(NotExportedError, match="special_i0e"):
        OnnxNetwork(nn.Sequential(Bessel()), (torch.rand(2, 3),))


class Unexportable(Autoencoder):
    """An autoencoder with such a layer."""

    def _new_network(self, seed: int) -> Any:
        network = super()._new_network(seed)
        network.decoder.append(Bessel())
        return network


class Biased(nn.Module):
    """A layer that gives other numbers wherever it is traced."""

    def forward(self, values: Tensor) -> Tensor:
        return values + 0.01 if torch.onnx.is_in_onnx_export() else values


class Disagreeing(Autoencoder):
    """An autoencoder that another runtime computes otherwise."""

    def _new_network(self, seed: int) -> Any:
        network = super()._new_network(seed)
        network.decoder.append(Biased())
        return network


@needs_runtime
@pytest.mark.parametrize(
    ("detector_class", "reason"), [(Unexportable, "special_i0e"), (Disagreeing, "its scores are not torch's")]
)
def test_torch_takes_its_place_and_that_is_said_once(
    detector_class: type[Autoencoder], reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    detector = detector_class(Autoencoder.Settings.model_validate({"epochs": 1}))
    batch = prepared(detector, crops(24))
    detector.fit(batch, validation=batch, seed=0, progress=lambda _: None)
    expected = detector.score(batch).mse
    assert [detector.use_runtime("onnx") for _ in range(2)] == [TORCH, TORCH]
    (said,) = [record for record in caplog.records if record.levelname == "WARNING"]
    assert "the detector ae is computed by torch, not by ONNX Runtime" in said.message
    assert reason in said.message
    assert (detector.score(batch).mse == expected).all()


MISSING = """
import logging, sys
import numpy as np

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "onnxruntime":
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Blocked())
sys.modules["onnxruntime"] = None
logging.basicConfig(format="%(levelname)s %(message)s")
from plugins.detectors.ae import Autoencoder

for variant in ("linear-2", "linear-2"):
    detector = Autoencoder(Autoencoder.Settings.model_validate({"variant": variant, "epochs": 1}))
    batch = np.random.default_rng(0).integers(0, 256, size=(12, 30, 50, 3), dtype=np.uint8)
    detector.fit(batch, validation=batch, seed=0, progress=lambda _: None)
    print(detector.use_runtime("auto"))
    print(detector.use_runtime("onnx"))
    detector.score(batch).check(12)
"""


@pytest.mark.process
def test_without_the_extra_torch_is_used_and_the_extra_is_named_once() -> None:
    ended = subprocess.run([sys.executable, "-c", MISSING], capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines() == [TORCH] * 4
    (said,) = ended.stderr.splitlines()
    assert said.startswith("WARNING the detector ae is computed by torch, not by ONNX Runtime: onnxruntime")
    assert said.endswith("install the extra: pip install 'proliv-monitor[runtime]'")
