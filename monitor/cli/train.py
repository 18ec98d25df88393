"""``monitor train``."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from monitor.cli.options import data_option, seed_option, set_option
from monitor.cli.program import Program, parse_assignments, pass_program
from monitor.cli.training_data import read_training_data
from monitor.configuration.extras import require_package

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from monitor.api import Detector
    from monitor.models.training import TrainingData
    from monitor.models.training_log import LogKind, TrainingLog
    from monitor.registry import Registry

log = logging.getLogger(__name__)


@click.command("train")
@click.argument("detectors", nargs=-1, metavar="[DETECTOR]...")
@data_option("its train/ is used, and proliv/ by detectors that learn from proliv", required=True)
@click.option("--recipe", "recipe_name", metavar="NAME", help="Repeat a published experiment instead of a DETECTOR.")
@seed_option("overrides training.seed")
@click.option(
    "--limit", metavar="N", type=click.IntRange(2), help="Train on at most N crops, and N proliv; drawn by the seed."
)
@set_option("of the detector")
@click.option("--log", "kind", type=click.Choice(["tensorboard", "wandb"]), help="Write a log of the training.")
@click.option(
    "--log-dir",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="The folder for logs, each in a folder of its own; by default logs/ in the state folder.",
)
@pass_program
def command(
    program: Program,
    detectors: tuple[str, ...],
    data: Path,
    recipe_name: str | None,
    seed: int | None,
    limit: int | None,
    assignments: tuple[str, ...],
    kind: LogKind | None,
    log_dir: Path | None,
) -> None:
    """Train detectors on crops without proliv.

    Without a DETECTOR, all detectors are trained but those whose models are imported (monitor models import). A part
    of train/ is held out, by groups of near-duplicates; the threshold is chosen on it later (monitor calibrate). Prints
    each model's name.

    The detector contrast learns from proliv/ as well, where there is any. The threshold is then chosen from what each
    of these crops would have scored if nothing of its hole had been learned from.

    A recipe trains its detector as a publication says, whatever the configuration says about the detector:
    dense-30x50, linear-2, linear-5 and cvae-64 are built in. At the end, the command is printed that chooses the
    threshold as the publication does.

    A log holds the losses of every epoch and, at the end, ten held-out crops with their reconstructions and the
    held-out scores. W&B runs stay on this machine unless WANDB_MODE=online is set.

    \b
    Examples:
      monitor train contrast --data crops/
      monitor train ae --data crops/ --set epochs=20 --seed 1 --log tensorboard
      monitor train --recipe dense-30x50 --data crops/
    """
    if log_dir and not kind:
        raise click.UsageError("--log-dir is the folder for a log; choose the kind of log with --log")
    if recipe_name and detectors:
        raise click.UsageError("a recipe trains its own detector; give either --recipe or DETECTOR")
    configuration = program.configuration
    if kind:
        require_package(kind, extra=kind, needed_by=f"--log {kind}")
    untrained, rule = _untrained(program, detectors, recipe_name, parse_assignments(assignments))
    seed = configuration.settings.training.seed if seed is None else seed
    proliv = any(detector.learns_from_proliv for detector in untrained)
    parts = read_training_data(program, data, limit, seed, proliv=proliv)
    for detector in untrained:
        with _log(kind, log_dir or configuration.state / "logs", detector, parts, seed) as journal:
            name = _train(program, detector, parts, seed, journal)
    words = f"--model {name} {rule} " if rule else ""
    click.echo(f"next, choose the threshold: monitor calibrate {words}--data {data}", err=True)


def _untrained(
    program: Program, names: Sequence[str], recipe_name: str | None, overrides: dict[str, Any]
) -> tuple[list[Detector], str | None]:
    """The detectors to train, and how a recipe's publication chooses the threshold, as options of calibrate."""
    configuration, registry = program.configuration, program.registry
    if recipe_name is None:
        chosen = list(dict.fromkeys(names)) or sorted(registry.trainable())
        _refuse_imported(registry, chosen)
        return [registry.new_detector(name, configuration, overrides) for name in chosen], None
    from monitor.models.recipes import find_recipe, new_detector

    found = find_recipe(registry, recipe_name)
    settings = "".join(f" --set {key}={value}" for key, value in found.recipe.rule_settings.items())
    return [new_detector(registry, configuration, found, overrides)], f"--rule {found.recipe.rule}{settings}"


def _refuse_imported(registry: Registry, names: Sequence[str]) -> None:
    """Say of a detector whose models come from outside how they come."""
    from monitor.errors import PluginError

    for name in names:
        if registry.detector_class(name).imported:
            raise PluginError(
                f"the detector {name!r} is not trained here; import a model that was trained elsewhere: monitor models "
                "import FILE --data DIR"
            )


def _train(program: Program, detector: Detector, parts: TrainingData, seed: int, journal: TrainingLog) -> str:
    """Train one detector, print and return the model's name, and log what it makes of the held-out crops."""
    from monitor.cli.progress import epochs
    from monitor.models.training import train
    from monitor.report.held_out import view_held_out

    with epochs(detector.name) as progress:
        saved = train(
            detector,
            parts,
            seed=seed,
            progress=journal.behind(progress),
            database=program.database(create=True),
            models_folder=program.configuration.models,
        )
    click.echo(saved.name)
    journal.result(partial(view_held_out, detector, parts.validation))
    return saved.name


@contextmanager
def _log(
    kind: LogKind | None, parent: Path, detector: Detector, parts: TrainingData, seed: int
) -> Iterator[TrainingLog]:
    """The log of one training, or one that does nothing; its folder is printed at the end."""
    from datetime import UTC, datetime

    from monitor.files.text import printable
    from monitor.models import training_log

    if kind is None:
        yield training_log.TrainingLog(None)
        return
    settings = {
        **detector.settings.model_dump(mode="json"),
        "detector": detector.name,
        "seed": seed,
        "training_crops": len(parts.train.pixels),
        "held_out_crops": len(parts.validation.pixels),
    }
    folder = training_log.new_folder(parent, detector.name, datetime.now(UTC))
    with training_log.opened(kind, folder, settings) as journal:
        yield journal
    click.echo(f"the log is in {printable(folder)}", err=True)
