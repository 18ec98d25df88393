"""Computes the network of `plugins.networks.head` by torch or by ONNX Runtime, where a person asks for one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from plugins.networks.head import FARTHEST
from plugins.networks.runtimes import NotExportedError, OnnxNetwork, missing_packages

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from monitor.api import Floats
    from plugins.networks.head import Head

    Logits = Callable[[Floats], Floats]


class HeadNetwork(nn.Module):
    """The same layers as a module: features, float32 (N, D), to logits, float32 (N, M)."""

    def __init__(self, head: Head) -> None:
        super().__init__()
        for name, array in head._asdict().items():
            self.register_buffer(name, torch.from_numpy(array))

    def forward(self, features: Tensor) -> Tensor:
        """What speaks for each class."""
        of = dict(self.named_buffers())
        rows = ((features - of["mean"]) / of["spread"]).clamp(-FARTHEST, FARTHEST)
        hidden = (rows @ of["first"] + of["first_bias"]).relu()
        return (hidden @ of["second"] + of["second_bias"]).relu() @ of["third"] + of["third_bias"]


def by_torch(head: Head, device: str) -> Logits:
    """`Head.logits` by torch on a device."""
    network = HeadNetwork(head).to(device)

    def logits(features: Floats) -> Floats:
        with torch.inference_mode():
            answer: Floats = network(torch.from_numpy(features).to(device)).cpu().numpy()
        return answer

    return logits


def by_onnx(head: Head) -> Logits:
    """`Head.logits` by ONNX Runtime on the processor; raises `NotExportedError` where that cannot be had."""
    if missing := missing_packages():
        raise NotExportedError(
            f"{' and '.join(missing)} cannot be imported; install the extra: pip install 'proliv-monitor[runtime]'"
        )
    network = OnnxNetwork(HeadNetwork(head), (torch.zeros(2, len(head.mean)),))

    def logits(features: Floats) -> Floats:
        answer: Floats = network(torch.from_numpy(features)).numpy()
        return answer

    return logits
