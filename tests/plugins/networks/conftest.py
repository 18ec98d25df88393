"""The kinds of networks that the built-in detectors have, each trained once for the tests of a module."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from plugins.detectors.ae import Autoencoder
from plugins.detectors.cvae import VariationalAutoencoder
from plugins.detectors.mnad import MemoryAutoencoder
from tests.plugins.conftest import crops

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from monitor.api import Detector
    from plugins.detectors.views import ViewDetector

KINDS: dict[str, tuple[type[ViewDetector[Any]], dict[str, Any]]] = {
    "conv": (Autoencoder, {}),
    "linear-2": (Autoencoder, {"variant": "linear-2"}),
    "linear-5": (Autoencoder, {"variant": "linear-5"}),
    "dense-30x50": (Autoencoder, {"variant": "dense-30x50"}),
    "cvae": (VariationalAutoencoder, {}),
    "cvae with holes": (VariationalAutoencoder, {"hole_numbers": True}),
    "mnad": (MemoryAutoencoder, {}),
    "mnad without memory": (MemoryAutoencoder, {"memory": False}),
}


@pytest.fixture(scope="module")
def trained() -> dict[str, ViewDetector[Any]]:
    """Each kind that was asked for, trained once for all tests."""
    return {}


def of_kind(kind: str, trained: dict[str, ViewDetector[Any]]) -> ViewDetector[Any]:
    if kind not in trained:
        detector_class, changes = KINDS[kind]
        detector = detector_class(detector_class.Settings.model_validate({"epochs": 1, **changes}))
        train, held_out = prepared(detector, crops(48)), prepared(detector, crops(16, seed=1))
        detector.fit(train, validation=held_out, seed=0, progress=lambda _: None)
        trained[kind] = detector
    return trained[kind]


def prepared(detector: Detector, pictures: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    return detector.prepare_batch(pictures, list(range(len(pictures))))
