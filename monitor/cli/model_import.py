"""``monitor models import``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from monitor.cli.options import data_option, seed_option, set_option
from monitor.cli.program import Program, parse_assignments, pass_program
from monitor.cli.training_data import read_training_data

if TYPE_CHECKING:
    from monitor.api import Detector
    from monitor.models.training import TrainingData

FILE: Final = click.Path(path_type=Path, readable=False)


@click.command("import")
@click.argument("file", type=FILE)
@data_option("its train/ holds the crops that the network learned from, and others", required=True)
@click.option("--name", metavar="NAME", help="What the model is called, before its fingerprint; by default onnx.")
@click.option(
    "--input",
    "scaling",
    type=click.Choice(["0-1", "0-255", "imagenet"]),
    help="How intensities go in; imagenet is 0-1, less ImageNet's mean, divided by its deviation. By default 0-1, and "
    "0-255 for an input of whole numbers.",
)
@click.option("--score", metavar="OUTPUT", help="The output that decides; by default one with a usual name.")
@click.option("--map", "heat_map", metavar="OUTPUT", help="The output that is drawn; decides where there is no score.")
@click.option(
    "--held-out",
    metavar="FILE",
    type=FILE,
    help="A list of the crops of train/ that the network has not learned from, one sha256 a line.",
)
@seed_option("of which crops are held out without --held-out; overrides training.seed")
@click.option(
    "--importer", "detector", metavar="DETECTOR", help="The detector that takes the file, where several could."
)
@set_option("of the detector")
@pass_program
def command(
    program: Program,
    file: Path,
    data: Path,
    name: str | None,
    scaling: str | None,
    score: str | None,
    heat_map: str | None,
    held_out: Path | None,
    seed: int | None,
    detector: str | None,
    assignments: tuple[str, ...],
) -> None:
    """Import a network that was trained elsewhere, as an ONNX file.

    It takes images in colour and tells for each how abnormal it is, by a number, by a map, or by both. It is tried on
    made-up crops and copied; the file is not needed afterwards. Prints the model's name. From then on it is a model
    like any other: calibrate it, and it decides. To try it beside the models that decide: monitor calibrate
    --no-activate, and then monitor models shadow.

    Its threshold is chosen from crops that are held out: a part of train/, drawn as in monitor train with the same
    seed, or those that --held-out lists. A network that has learned from them makes the threshold too low.

    \b
    Examples:
      monitor models import padim.onnx --name padim --data crops/
      monitor models import net.onnx --data crops/ --input imagenet --set height=64 --set width=64
      monitor models import net.onnx --data crops/ --map anomaly_map --held-out held-out.txt
    """
    from monitor.models.importing import import_model, importer, require_name

    configuration, registry = program.configuration, program.registry
    detector_class = importer(registry, detector)
    require_name(registry, name, detector_class.name)
    given = {"input": scaling, "score": score, "map": heat_map}
    overrides: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    settings = registry.new_detector(
        detector_class.name, configuration, {**parse_assignments(assignments), **overrides}
    ).settings
    imported = detector_class.from_file(file, settings, configuration.settings.pipeline.device)
    seed = configuration.settings.training.seed if seed is None else seed
    parts = read_training_data(program, data, None, seed, proliv=False, held_out=held_out)
    database = program.database(create=True)
    saved = import_model(imported, parts, name=name, seed=seed, database=database, models_folder=configuration.models)
    click.echo(saved.name)
    _describe(imported, parts)
    _say_next(saved.name, data)


def _describe(imported: Detector, parts: TrainingData) -> None:
    """Say how the network is used, how long it takes, and what the held-out crops are held out from."""
    count = len(parts.validation.pixels)
    crops, them = ("crop that is", "it") if count == 1 else (f"{count} crops that are", "them")
    height, width = imported.input_size
    drawn = "with a heat map" if imported.offers("heatmap") else "without a heat map"
    # Not measured here: what computes a file that is not trusted is the detector, apart.
    details = imported.details()
    speed = f", for {details['milliseconds']:.3g} ms a crop" if "milliseconds" in details else ""
    click.echo(f"it sees {width}x{height} pixels{speed}; {details.get('decides', 'its score')} decides", err=True)
    click.echo(
        f"{drawn}; the threshold will be chosen from the {crops} held out: see to it that the network has not learned "
        f"from {them}",
        err=True,
    )


def _say_next(model: str, data: Path) -> None:
    from monitor.files.text import printable

    words = f"monitor calibrate --model {model} --data {printable(data)}"
    click.echo(f"next, choose the threshold: {words}", err=True)
    click.echo(
        f"to try it first, without letting it decide: {words} --no-activate, then monitor models shadow {model}",
        err=True,
    )
