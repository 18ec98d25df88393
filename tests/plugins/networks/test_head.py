from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from monitor.api import DataError
from plugins.networks import head_training
from plugins.networks.head import FARTHEST, Head
from plugins.networks.head_training import Examples, train_head

if TYPE_CHECKING:
    from pathlib import Path

FEATURES, CLASSES = 20, 3


def examples(count: int, seed: int) -> Examples:
    """Three clouds, each around a place of its own."""
    generator = np.random.default_rng(seed)
    classes = generator.integers(0, CLASSES, count)
    features = generator.normal(size=(count, FEATURES)) + 5 * np.eye(CLASSES, FEATURES)[classes]
    return Examples(features.astype(np.float32), classes)


def trained(seed: int = 0, epochs: int = 4) -> Head:
    return train_head(
        examples(2000, 1),
        examples(100, 2),
        classes=CLASSES,
        epochs=epochs,
        seed=seed,
        on_epoch=lambda _loss, _validation: None,
    )


def test_it_learns_to_tell_the_classes_apart() -> None:
    features, classes = examples(300, 3)
    assert (trained().logits(features).argmax(axis=1) == classes).mean() > 0.9


def test_numpy_answers_as_torch_does() -> None:
    head = trained(epochs=1)
    network = head_training._network(FEATURES, CLASSES).eval()
    weights = [torch.tensor(array) for array in head[2:]]
    for layer, (weight, bias) in zip(
        [layer for layer in network if isinstance(layer, torch.nn.Linear)],
        zip(weights[::2], weights[1::2], strict=True),
        strict=True,
    ):
        layer.load_state_dict({"weight": weight.T, "bias": bias})
    features = 10 * examples(50, 4).features
    standardized = ((torch.tensor(features) - torch.tensor(head.mean)) / torch.tensor(head.spread)).clamp(
        -FARTHEST, FARTHEST
    )
    with torch.no_grad():
        expected = network(standardized).numpy()
    np.testing.assert_allclose(head.logits(features), expected, rtol=1e-4, atol=1e-5)


def test_each_epoch_s_losses_are_told() -> None:
    losses: list[tuple[float, float]] = []
    train_head(
        examples(2000, 1),
        examples(100, 2),
        classes=CLASSES,
        epochs=3,
        seed=0,
        on_epoch=lambda *both: losses.append(both),
    )
    assert len(losses) == 3
    assert losses[-1][1] < losses[0][1]


def test_it_is_that_of_its_seed_and_the_global_generator_is_left_alone() -> None:
    state = torch.get_rng_state()
    first, again, other = trained(0, 1), trained(0, 1), trained(1, 1)
    assert torch.equal(torch.get_rng_state(), state)
    assert all((one == two).all() for one, two in zip(first, again, strict=True))
    assert not (first.first == other.first).all()


def test_fewer_examples_than_a_batch_are_learned_from() -> None:
    few = examples(7, 1)
    head = train_head(few, few, classes=CLASSES, epochs=2, seed=0, on_epoch=lambda *_: None)
    assert np.isfinite(head.logits(few.features)).all()


def test_features_that_never_vary_do_no_harm() -> None:
    constant = Examples(np.ones((20, FEATURES), dtype=np.float32), np.arange(20) % CLASSES)
    head = train_head(constant, constant, classes=CLASSES, epochs=1, seed=0, on_epoch=lambda *_: None)
    assert np.isfinite(head.logits(100 * constant.features)).all()


def test_it_is_kept_without_pickle_and_damage_is_noticed(tmp_path: Path) -> None:
    head = trained(epochs=1)
    head.save(tmp_path)
    loaded = Head.load(tmp_path, features=FEATURES, classes=CLASSES)
    assert all((one == two).all() for one, two in zip(head, loaded, strict=True))
    with pytest.raises(DataError, match="other settings"):
        Head.load(tmp_path, features=FEATURES + 1, classes=CLASSES)
    (tmp_path / "head.safetensors").write_bytes(b"nonsense")
    with pytest.raises(DataError, match="is damaged"):
        Head.load(tmp_path, features=FEATURES, classes=CLASSES)
