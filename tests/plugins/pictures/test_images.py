from __future__ import annotations

import pytest
import torch

from plugins.pictures.images import QuickView, as_tensor, blur, gaussian


@pytest.mark.parametrize(
    ("height", "width", "sigma"), [(32, 32, 1), (30, 50, 0), (8, 8, 10), (30, 50, 1.5), (16, 136, 3)]
)
def test_the_quick_view_is_the_blurred_one(height: int, width: int, sigma: float) -> None:
    pixels = torch.randint(0, 256, (3, height, width, 3), generator=torch.Generator().manual_seed(1)).to(torch.uint8)
    kernel = gaussian(sigma)
    quick = QuickView(height, width, kernel)(pixels)
    torch.testing.assert_close(quick, blur(as_tensor(pixels), kernel), rtol=0, atol=1e-6 if sigma else 0)
    assert quick.is_contiguous(memory_format=torch.channels_last)
