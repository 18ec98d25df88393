"""The crops that a training, or the import of a model, takes from a labelled folder."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from monitor.cli.program import Program
    from monitor.configuration.resolved import Configuration
    from monitor.crops.in_memory import ReadCrops
    from monitor.models.training import TrainingData

log = logging.getLogger(__name__)


def read_training_data(
    program: Program, data: Path, limit: int | None, seed: int, *, proliv: bool, held_out: Path | None = None
) -> TrainingData:
    """Read the crops of train/ and hold out a part of them; with ``proliv``, read those of proliv/ too.

    ``held_out``: a list of the crops to hold out; None: they are chosen by groups of near-duplicates.
    """
    from monitor.crops.dataset import open_dataset, require
    from monitor.errors import DataError
    from monitor.files.text import printable
    from monitor.models.importing import listed_digests, split_as_listed
    from monitor.models.training import split, subset

    configuration = program.configuration
    dataset = open_dataset(data, program.ignored)
    require(dataset, "train")
    listed = listed_digests(held_out) if held_out else None
    paths = subset(dataset.train, limit, seed)
    # A database that cannot be made is better said now than after minutes of reading.
    program.database(create=True)
    crops = _read_all(configuration, paths, "reading")
    if len(crops.pixels) < 2:
        why = "".join(f"; {printable(path)}: {reason}" for path, reason in crops.refused[:1])
        raise DataError(
            f"{printable(data)}: {len(crops.pixels)} of the {len(paths)} crops in train/ can be read, and at least 2 "
            f"are needed{why}"
        )
    if held_out and listed is not None:
        parts = split_as_listed(crops, listed, held_out)
    else:
        parts = split(crops, share=configuration.settings.training.validation_share, seed=seed)
    click.echo(
        f"{len(parts.train.pixels)} crops to train on, {len(parts.validation.pixels)} held out, "
        f"{len(crops.refused)} left out",
        err=True,
    )
    if not proliv:
        return parts
    if not dataset.proliv:
        log.warning(
            "%s: there is no proliv in proliv/; detectors that learn from proliv are trained without any, and their "
            "thresholds are less sure; add what is known and train again", printable(data),
        )  # fmt: skip
    known = _read_all(configuration, subset(dataset.proliv, limit, seed), "reading proliv")
    parts = parts.with_proliv(known)
    click.echo(f"{len(parts.proliv.pixels)} proliv to learn from", err=True)
    return parts


def _read_all(configuration: Configuration, paths: Sequence[Path], what: str) -> ReadCrops:
    """Read crops, with a progress bar."""
    from monitor.cli.progress import bar
    from monitor.crops.in_memory import read_all
    from monitor.crops.reader import Reader

    with bar(what, len(paths)) as advance:
        return read_all(Reader(configuration), paths, lambda: advance(1))
