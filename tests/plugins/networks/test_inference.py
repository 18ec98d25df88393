from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn

from plugins.networks.inference import Doubling, tuned
from tests.plugins.conftest import crops
from tests.plugins.networks.conftest import KINDS, of_kind, prepared

if TYPE_CHECKING:
    from plugins.detectors.views import ViewDetector


@pytest.mark.process
def test_every_network_is_tuned_to_the_same_answers(trained: dict[str, ViewDetector[Any]]) -> None:
    for kind in KINDS:
        detector = of_kind(kind, trained)
        batch = prepared(detector, crops(5, seed=3))
        network = detector._learned(detector._network)
        with torch.inference_mode():
            (plain,), (quick,) = (
                list(detector._seen(way, batch)) for way in (detector._as_trained(network), detector._for_scoring())
            )
        torch.testing.assert_close(quick.view, plain.view, rtol=0, atol=1e-6)
        torch.testing.assert_close(quick.reconstruction, plain.reconstruction, rtol=0, atol=1e-5)
        assert detector._for_scoring().forward is not network


@pytest.mark.parametrize(("before", "after", "side", "count"), [(16, 3, 5, 4), (3, 1, 1, 1), (1, 8, 4, 2)])
def test_a_transposed_convolution_is_replaced_by_its_equal(before: int, after: int, side: int, count: int) -> None:
    layer = nn.ConvTranspose2d(before, after, 4, stride=2, padding=1)
    images = torch.rand(count, before, side, side + 1)
    torch.testing.assert_close(Doubling(layer)(images), layer(images), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "changes", [{"kernel_size": 2, "padding": 0}, {"output_padding": 1}, {"bias": False}, {"stride": 4}]
)
def test_other_transposed_convolutions_stay(changes: dict[str, Any]) -> None:
    options = {"kernel_size": 4, "stride": 2, "padding": 1, **changes}
    network = nn.Sequential(nn.ConvTranspose2d(4, 4, **options))
    assert isinstance(tuned(network)[0], nn.ConvTranspose2d)
