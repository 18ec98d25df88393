"""``monitor evaluate``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from monitor.cli.program import FOLDER, Program, pass_program

if TYPE_CHECKING:
    from pathlib import Path


@click.command("evaluate")
@click.argument("directory", metavar="DIR", type=FOLDER)
@click.option("--model", "name", help="A calibrated model's name; without it, the active one.")
@click.option("--format", "output_format", type=click.Choice(["table", "json"]), default="table", show_default=True)
@pass_program
def command(program: Program, directory: Path, name: str | None, output_format: str) -> None:
    """Measure a model on a labelled folder.

    DIR holds test/, or is itself such a folder: proliv/ and ne_proliv/, or imgs/ and test_annotation.txt. Prints
    TPR (the caught share of proliv), TNR (the passed share of ne_proliv), both with exact 95 % intervals, and the
    area under the ROC curve. Nothing is stored.
    """
    configuration = program.configuration
    import numpy as np

    from monitor import evaluation, pipeline
    from monitor.cli.progress import bar
    from monitor.dataset import Label, open_labelled
    from monitor.errors import DataError
    from monitor.training import read_all

    labelled = open_labelled(directory)
    model = pipeline.load_model(
        program.database(create=False),
        program.registry,
        configuration.models,
        configuration.settings.pipeline.device,
        name,
    )
    labels = {item.path: item.label for item in labelled}
    with bar("reading", len(labels)) as advance:
        crops = read_all(pipeline.Reader(configuration), list(labels), lambda: advance(1))
    if not crops.pixels:
        raise DataError(f"{directory}: none of the {len(labels)} labelled crops can be read")
    unread = {path for path, _ in crops.refused}
    truth = np.array([label is Label.PROLIV for path, label in labels.items() if path not in unread])
    scores = pipeline.measure(model.detector, crops.pixels, crops.holes)
    judged = np.isfinite(scores)
    result = evaluation.evaluate(scores[judged], truth[judged], model.threshold)
    report = {**result.as_dict(), "model": model.name, "detector": model.detector.name}
    if output_format == "json":
        click.echo(json.dumps(report))
    else:
        _print(report)
    if result.n < len(labels):
        left_out = len(labels) - result.n
        click.echo(f"{left_out} of {len(labels)} labelled crops could not be read and are not counted", err=True)


def _print(report: dict[str, Any]) -> None:
    def figure(key: str) -> str:
        return "unknown" if report[key] is None else f"{report[key]:.4f}"

    def interval(key: str) -> str:
        return f"{figure(key)}  (95 % interval {figure(f'{key}_low')} to {figure(f'{key}_high')})"

    rows = {
        "model": report["model"],
        "threshold": f"{report['threshold']:.6g}",
        "crops": f"{report['n']}: {report['tp'] + report['fn']} proliv, {report['tn'] + report['fp']} ne_proliv",
        "TPR": f"{interval('tpr')}  {report['tp']} caught, {report['fn']} missed",
        "TNR": f"{interval('tnr')}  {report['tn']} passed, {report['fp']} false alarms",
        "balanced accuracy": figure("balanced_accuracy"),
        "ROC AUC": figure("roc_auc"),
    }
    for name, value in rows.items():
        click.echo(f"{name:<18} {value}")
