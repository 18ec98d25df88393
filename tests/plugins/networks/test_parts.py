from __future__ import annotations

import pytest
import torch

from monitor.api import ConfigurationError
from plugins.detectors.ae import Autoencoder
from plugins.networks.parts import available_device


def pretend(monkeypatch: pytest.MonkeyPatch, *, built: bool, gpus: int) -> None:
    """As if torch were another build, on a machine with this many GPUs."""
    monkeypatch.setattr(torch.backends.cuda, "is_built", lambda: built)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)


@pytest.mark.parametrize(
    ("name", "built", "gpus", "words"),
    [
        ("cuda", False, 0, f"torch {torch.__version__} is a build for the processor alone; install one with CUDA"),
        ("cuda:1", False, 0, 'pipeline.device is "cuda:1", but torch '),
        ("cuda", True, 0, "torch finds no GPU; look at what nvidia-smi says"),
        ("cuda:2", True, 2, "the GPUs here have the numbers 0 to 1; take one of them"),
    ],
)
def test_a_gpu_that_cannot_be_used_is_named_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, name: str, built: bool, gpus: int, words: str
) -> None:
    pretend(monkeypatch, built=built, gpus=gpus)
    with pytest.raises(ConfigurationError) as refused:
        Autoencoder(Autoencoder.Settings(), name)
    assert words in str(refused.value)
    assert str(refused.value).endswith('set pipeline.device to "auto" or "cpu"')


@pytest.mark.parametrize(
    ("name", "gpus", "device"),
    [("auto", 0, "cpu"), ("auto", 2, "cuda"), ("cpu", 0, "cpu"), ("cpu", 2, "cpu"), ("cuda", 1, "cuda"),
     ("cuda:1", 2, "cuda:1")],
)  # fmt: skip
def test_a_device_that_is_there_is_taken(monkeypatch: pytest.MonkeyPatch, name: str, gpus: int, device: str) -> None:
    pretend(monkeypatch, built=True, gpus=gpus)
    assert available_device(name) == device
