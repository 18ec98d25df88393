from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from monitor.errors import ModelDamagedError
from tests.monitor.models.conftest import REGISTRY
from tests.support.saved_models import loader_of, row_of

if TYPE_CHECKING:
    from monitor.models.folders import SavedModel
    from tests.monitor.models.conftest import Trained


def test_a_loaded_model_scores_as_the_trained_one(trained: Trained, saved: SavedModel) -> None:
    loaded = loader_of(saved).load(row_of(saved))
    assert loaded.settings == trained.detector.settings
    np.testing.assert_array_equal(loaded.score(trained.batch).mse, trained.detector.score(trained.batch).mse)


def test_the_configuration_chooses_device_and_runtime(saved: SavedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    detector_class = REGISTRY.detector_class("ae")
    load = detector_class.load
    asked: list[Any] = []

    def noting(folder: Any, settings: Any, device: str) -> Any:
        asked.append(device)
        return load(folder, settings, "cpu")

    def runtime_of(_detector: Any, runtime: str) -> str:
        asked.append(runtime)
        return f"the runtime {runtime}"

    monkeypatch.setattr(detector_class, "load", noting)
    monkeypatch.setattr(detector_class, "use_runtime", runtime_of)
    _, computed_by = loader_of(saved, device="cuda", runtime="onnx").load_with_runtime(row_of(saved))
    assert (asked, computed_by) == (["cuda", "onnx"], "the runtime onnx")


@pytest.mark.parametrize("error", [KeyError("a key"), RuntimeError("two\nlines"), OSError("no file")])
def test_what_a_detector_raises_while_it_loads_names_the_model(
    saved: SavedModel, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_arguments: Any) -> Any:
        raise error

    monkeypatch.setattr(REGISTRY.detector_class("ae"), "load", fail)
    reason = " ".join(f"{type(error).__name__}: {error}".split())
    with pytest.raises(ModelDamagedError, match=f"^{saved.folder}: cannot be loaded by the detector 'ae': {reason}; "):
        loader_of(saved).load(row_of(saved))


def test_a_model_whose_settings_the_installed_detector_lost_is_to_be_trained_again(
    saved: SavedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pydantic import BaseModel, ConfigDict

    class Settings(BaseModel):
        model_config = ConfigDict(extra="forbid")

        colour: str = "grey"

    monkeypatch.setattr(REGISTRY.detector_class("ae"), "Settings", Settings)
    with pytest.raises(ModelDamagedError, match="settings that the installed detector 'ae' does not know"):
        loader_of(saved).load(row_of(saved))
