from itertools import chain

import pytest
import torch
from torch import Tensor, nn

from monitor.api import DataError, EpochReport, FitReport
from plugins.networks.fitting import fit_epochs


class Constant(nn.Module):
    """One number, learned as the mean of what it sees; it notes the mode and the sizes of its batches."""

    def __init__(self) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.zeros(1))
        self.batches: list[tuple[bool, list[float]]] = []

    def loss(self, batch: Tensor) -> Tensor:
        self.batches.append((self.training, batch.tolist()))
        return (batch - self.value).square().mean()


def fit(
    network: Constant,
    *,
    train: list[float],
    validation: list[float],
    epochs: int = 5,
    patience: int = 0,
    seed: int = 0,
    learning_rate: float = 0.1,
    reports: list[EpochReport] | None = None,
    keep_last: bool = False,
) -> FitReport:
    return fit_epochs(
        network,
        network.loss,
        torch.optim.SGD(network.parameters(), lr=learning_rate),
        train=torch.tensor(train),
        validation=torch.tensor(validation),
        epochs=epochs,
        patience=patience,
        batch_size=2,
        generator=torch.Generator().manual_seed(seed),
        progress=lambda report: None if reports is None else reports.append(report),
        keep_last=keep_last,
    )


def test_every_epoch_is_reported_with_mean_losses() -> None:
    network, reports = Constant(), list[EpochReport]()
    report = fit(network, train=[1.0], validation=[2.0, 2.0, 5.0], epochs=1, reports=reports)
    assert report == FitReport(tuple(reports), best_epoch=1)
    value = 0.2  # one step from 0 down the slope 2 (0 - 1) at the rate 0.1
    assert reports[0].epoch == reports[0].epochs == 1
    assert reports[0].train_loss == pytest.approx(1.0)
    assert reports[0].validation_loss == pytest.approx((2 * (2 - value) ** 2 + (5 - value) ** 2) / 3)


def test_each_epoch_sees_every_crop_once_in_a_new_order() -> None:
    network = Constant()
    crops = [float(number) for number in range(9)]
    fit(network, train=crops, validation=[0.0], epochs=2)
    learned = [batch for training, batch in network.batches if training]
    assert [len(batch) for batch in learned] == [2, 2, 2, 2, 1] * 2
    first, second = list(chain(*learned[:5])), list(chain(*learned[5:]))
    assert sorted(first) == sorted(second) == crops
    assert crops != first != second != crops


@pytest.mark.parametrize(("keep_last", "epoch", "value"), [(False, 2, 0.36), (True, 5, 0.67232)])
def test_the_weights_of_the_best_epoch_or_of_the_last_one_are_kept(keep_last: bool, epoch: int, value: float) -> None:
    # Learning from 1, the value is 0.2, 0.36, 0.488, ... after each epoch; 0.36 is the nearest to what is held out.
    network = Constant()
    report = fit(network, train=[1.0], validation=[0.35], keep_last=keep_last)
    assert report.best_epoch == epoch
    assert network.value.item() == pytest.approx(value)


def test_validation_crops_are_never_learned_from() -> None:
    network = Constant()
    fit(network, train=[1.0, 2.0], validation=[7.0, 8.0, 9.0], epochs=3)
    assert {crop for training, batch in network.batches if training for crop in batch} == {1.0, 2.0}
    assert {crop for training, batch in network.batches if not training for crop in batch} == {7.0, 8.0, 9.0}


def test_the_weights_of_the_best_epoch_are_kept_and_patience_ends_the_training() -> None:
    # From 0 the value climbs towards 1 and passes 0.5, where the validation loss is least.
    network = Constant()
    report = fit(network, train=[1.0, 1.0], validation=[0.5], epochs=50, patience=2)
    losses = [epoch.validation_loss for epoch in report.epochs]
    assert len(losses) == report.best_epoch + 2 < 50
    assert losses[report.best_epoch - 1] == min(losses)
    assert (0.5 - network.value.item()) ** 2 == pytest.approx(min(losses), abs=1e-6)
    assert not network.training


def test_without_patience_all_epochs_are_trained() -> None:
    report = fit(Constant(), train=[1.0, 1.0], validation=[0.5], epochs=20, patience=0)
    assert len(report.epochs) == 20
    assert report.best_epoch < 20


def test_the_same_seed_gives_the_same_weights_and_the_global_generator_is_left_alone() -> None:
    before = torch.get_rng_state()
    values = []
    for seed in (3, 3, 4):
        network = Constant()
        fit(network, train=[1.0, 5.0, 9.0, 2.0], validation=[3.0], epochs=2, seed=seed)
        values.append(network.value.item())
    assert values[0] == values[1] != values[2]
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(("train", "validation"), [([], [1.0]), ([1.0], [])])
def test_nothing_to_learn_from_or_to_validate_on_is_refused(train: list[float], validation: list[float]) -> None:
    with pytest.raises(DataError, match="no crops"):
        fit(Constant(), train=train, validation=validation)


@pytest.mark.parametrize(("train", "validation"), [([float("nan")], [1.0]), ([1.0], [float("inf")])])
def test_a_loss_that_is_no_number_is_refused(train: list[float], validation: list[float]) -> None:
    reports: list[EpochReport] = []
    with pytest.raises(DataError, match="lower the learning rate"):
        fit(Constant(), train=train, validation=validation, reports=reports)
    assert reports == []


def test_an_interruption_passes_through() -> None:
    network = Constant()

    def interrupt(report: EpochReport) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit_epochs(
            network,
            network.loss,
            torch.optim.SGD(network.parameters(), lr=0.1),
            train=torch.ones(2),
            validation=torch.ones(2),
            epochs=2,
            patience=0,
            batch_size=2,
            generator=torch.Generator(),
            progress=interrupt,
        )
