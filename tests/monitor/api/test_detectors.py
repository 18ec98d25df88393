"""What a detector has to have and may have, and how it brings crops to the size that it looks at."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from monitor.api import CropRefusedError, Detector, NotOfferedError
from monitor.registry import Registry
from tests.support.neighbours_detector import Neighbours, NeighboursSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from monitor.api import Floats, Pixels

REGISTRY = Registry.load()


def test_every_member_of_a_detector_is_documented() -> None:
    page = (Path(__file__).parents[3] / "docs/plugins.md").read_text(encoding="utf-8")
    written = dict(re.findall(r"^\| `(\w+)` \| (required|optional|given) \|", page, re.MULTILINE))
    members = {name for name in {*vars(Detector), *Detector.__annotations__} if not name.startswith("_")}
    assert written.keys() == members
    abstract = {name for name, how in written.items() if how == "required"} - {"name", "Settings"}
    assert abstract == Detector.__abstractmethods__


class Mapless(Neighbours):
    """It has nothing but scores."""

    heatmap = Detector.heatmap


class Grey(Mapless):
    """It reconstructs every crop as grey."""

    def reconstruct(self, crops: Pixels) -> Floats:
        return np.full((*crops.shape[:3], 3), 0.5, dtype=np.float32)


@pytest.mark.parametrize(
    ("detector_class", "offered"),
    [(Mapless, set()), (Neighbours, {"heatmap"}), (Grey, {"heatmap", "reconstruct"})],
)
def test_a_detector_offers_what_it_overrides_and_refuses_the_rest(
    detector_class: type[Detector], offered: set[str]
) -> None:
    detector = detector_class(NeighboursSettings())
    batch = np.zeros((2, *detector.input_size, 3), dtype=np.uint8)
    assert {name for name in ("heatmap", "reconstruct", "latent") if detector.offers(name)} == offered
    for name, sentence in {
        "heatmap": "has no heat map",
        "reconstruct": "reconstructs no crops",
        "latent": "has no codes of crops",
    }.items():
        if name not in offered:
            with pytest.raises(NotOfferedError, match=f"^the detector 'neighbours' {sentence}$") as caught:
                getattr(detector, name)(batch)
            assert caught.value.exit_code == 4


def test_a_reconstruction_comes_with_a_heat_map() -> None:
    detector = Grey(NeighboursSettings())
    batch = np.full((2, *detector.input_size, 3), 255, dtype=np.uint8)
    np.testing.assert_allclose(detector.heatmap(batch), np.full((2, 10, 16), 0.25))


@pytest.fixture(params=["ae", "contrast", "cvae", "mnad", "patchstats"])
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


def test_a_detector_that_is_trained_imports_no_files(tmp_path: Path) -> None:
    assert not Neighbours.imported
    with pytest.raises(
        NotOfferedError, match="the detector 'neighbours' imports no models; train one: monitor train nei"
    ):
        Neighbours.from_file(tmp_path / "network.onnx", NeighboursSettings(), "cpu")
