"""How `monitor.api.Detector` brings crops to the size that a detector looks at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from monitor.api import CropRefusedError, Detector
from monitor.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from monitor.api import Pixels

REGISTRY = Registry.load()


@pytest.fixture(params=["ae", "cvae", "mnad", "patchstats"])
def kind(request: pytest.FixtureRequest) -> type[Detector]:
    """Each of the built-in detectors, untrained."""
    return REGISTRY.detector_class(request.param)


def new(kind: type[Detector]) -> Detector:
    return kind(kind.Settings())


def crops() -> list[NDArray[np.uint8]]:
    """Noise of two shapes, several crops of each."""
    generator = np.random.default_rng(0)
    shapes = [(30, 50, 3), (31, 49, 3)] * 6
    return [generator.integers(0, 256, size=shape, dtype=np.uint8) for shape in shapes]


def test_a_batch_is_prepared_like_its_singles(kind: type[Detector]) -> None:
    detector = new(kind)
    batch = detector.prepare_batch(crops())
    for prepared, pixels in zip(batch, crops(), strict=True):
        np.testing.assert_array_equal(prepared[..., :3], detector.prepare(pixels))


def test_a_subclass_that_prepares_single_crops_in_its_own_way_does_so_in_a_batch(kind: type[Detector]) -> None:
    class Negative(kind):  # type: ignore[valid-type, misc]
        def prepare(self, pixels: Pixels) -> Pixels:
            if pixels.max() == pixels.min():
                raise CropRefusedError("blank", "it shows nothing")
            prepared: Pixels = 255 - super().prepare(pixels)
            return prepared

    class Derived(Negative):
        pass

    usual = new(kind).prepare_batch(crops())
    for negative in (Negative, Derived):
        np.testing.assert_array_equal(new(negative).prepare_batch(crops())[..., :3], 255 - usual[..., :3])
    with pytest.raises(CropRefusedError, match="shows nothing"):
        new(Negative).prepare_batch([*crops(), np.zeros((30, 50, 3), dtype=np.uint8)])


def test_a_subclass_that_prepares_many_crops_in_its_own_way_does_so(kind: type[Detector]) -> None:
    class Negative(kind):  # type: ignore[valid-type, misc]
        def prepare_together(self, crops: Sequence[Pixels]) -> Pixels:
            prepared: Pixels = 255 - super().prepare_together(crops)
            return prepared

    usual = new(kind).prepare_batch(crops())
    np.testing.assert_array_equal(new(Negative).prepare_batch(crops())[..., :3], 255 - usual[..., :3])
