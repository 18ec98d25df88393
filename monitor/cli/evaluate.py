"""``monitor evaluate``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from monitor.cli.program import FOLDER, Program, pass_program
from monitor.decision import DECISION

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from monitor.training import ReadCrops


@click.command("evaluate")
@click.argument("directory", metavar="DIR", type=FOLDER)
@click.option("--model", "name", help="A calibrated model's name; without it, the primary.")
@click.option("--all", "everything", is_flag=True, help="All calibrated models and the final decision, side by side.")
@click.option(
    "--robustness", is_flag=True, help="Measure also on the crops compressed harder, moved, and in other light."
)
@click.option("--format", "output_format", type=click.Choice(["table", "json"]), default="table", show_default=True)
@pass_program
def command(
    program: Program, directory: Path, name: str | None, everything: bool, robustness: bool, output_format: str
) -> None:
    """Measure a model on a labelled folder.

    DIR holds test/, or is itself such a folder: proliv/ and ne_proliv/, or imgs/ and test_annotation.txt. Prints
    TPR (the caught share of proliv), TNR (the passed share of ne_proliv), both with exact 95 % intervals, and the
    area under the ROC curve. Nothing is stored.

    With --all every model that has a threshold, the newest first, and last the final decision as the configuration
    makes it ([decision]), whose detector is "decision"; JSON is then one array.

    With --robustness the crops are also measured after each of several changes: JPEG quality 60, moved by 3 pixels
    each way, 15 per cent darker and brighter.
    """
    if everything and name:
        raise click.UsageError("give either --all or --model")
    configuration = program.configuration
    import numpy as np

    from monitor import comparison, pipeline
    from monitor.cli.progress import bar
    from monitor.dataset import Label, open_labelled
    from monitor.ensemble import load_active, load_model
    from monitor.errors import DataError
    from monitor.training import read_all

    labelled = open_labelled(directory)
    database = program.database(create=False)
    registry = program.registry
    active = load_active(database, registry, configuration) if everything else None
    model = None if everything else load_model(database, registry, configuration, name)
    labels = {item.path: item.label for item in labelled}
    with bar("reading", len(labels)) as advance:
        crops = read_all(pipeline.Reader(configuration), list(labels), lambda: advance(1))
    if not crops.pixels:
        raise DataError(f"{directory}: none of the {len(labels)} labelled crops can be read")
    unread = {path for path, _ in crops.refused}
    truth = np.array([label is Label.PROLIV for path, label in labels.items() if path not in unread])

    def measured(crops: ReadCrops) -> list[dict[str, Any]]:
        judges = [comparison.judge(model, crops)] if model else []
        if active:
            judges = comparison.judge_all(active, database, registry, configuration, crops)
        return [{**one.evaluate(truth).as_dict(), "model": one.model, "detector": one.detector} for one in judges]

    reports = measured(crops)
    if robustness:
        _add_robustness(reports, crops, measured)
    if output_format == "json":
        click.echo(json.dumps(reports if everything else reports[0]))
    elif everything:
        _print_side_by_side(reports)
    else:
        _print(reports[0])
    if robustness and output_format == "table":
        for report in reports:
            _print_robustness(report)
    for report in reports:
        if report["n"] < len(labels):
            why = f"could not be read or judged by {report['model']}" if everything else "could not be read"
            count = len(labels) - report["n"]
            click.echo(f"{count} of {len(labels)} labelled crops {why} and are not counted", err=True)


def _add_robustness(
    reports: Sequence[dict[str, Any]], crops: ReadCrops, measured: Callable[[ReadCrops], Sequence[dict[str, Any]]]
) -> None:
    """Give each report the figures after each alteration, by its name, under ``robustness``."""
    from monitor.cli.progress import bar
    from monitor.robustness import ALTERATIONS, altered

    with bar("altering", len(ALTERATIONS)) as advance:
        for name in ALTERATIONS:
            for report, other in zip(reports, measured(altered(crops, name)), strict=True):
                figures = {key: other[key] for key in ("tpr", "tnr", "roc_auc")}
                report.setdefault("robustness", {})[name] = figures
            advance(1)


def _print_robustness(report: dict[str, Any]) -> None:
    click.echo(f"\n{report['model']}, altered")
    for name, figures in {"as they are": report, **report["robustness"]}.items():
        shown = (
            f"{title} {_figure(figures, key)}"
            for title, key in (("TPR", "tpr"), ("TNR", "tnr"), ("ROC AUC", "roc_auc"))
        )
        click.echo(f"{name:<18} {'  '.join(shown)}")


def _print(report: dict[str, Any]) -> None:
    def interval(key: str) -> str:
        return f"{_figure(report, key)}  (95 % interval {_bounds(report, key)})"

    rows = {
        "model": report["model"],
        "threshold": f"{report['threshold']:.6g}",
        "crops": f"{report['n']}: {report['tp'] + report['fn']} proliv, {report['tn'] + report['fp']} ne_proliv",
        "TPR": f"{interval('tpr')}  {report['tp']} caught, {report['fn']} missed",
        "TNR": f"{interval('tnr')}  {report['tn']} passed, {report['fp']} false alarms",
        "balanced accuracy": _figure(report, "balanced_accuracy"),
        "ROC AUC": _figure(report, "roc_auc"),
    }
    for name, value in rows.items():
        click.echo(f"{name:<18} {value}")


def _print_side_by_side(reports: Sequence[dict[str, Any]]) -> None:
    heads = ("model", "TPR", "95 % interval", "caught", "TNR", "95 % interval", "passed", "ROC AUC", "threshold")
    table: list[tuple[str, ...]] = [heads]
    for report in reports:
        cells = [DECISION if report["detector"] == DECISION else report["model"]]
        for rate, right, wrong in (("tpr", "tp", "fn"), ("tnr", "tn", "fp")):
            count = f"{report[right]} of {report[right] + report[wrong]}"
            cells += [_figure(report, rate), _bounds(report, rate), count]
        table.append((*cells, _figure(report, "roc_auc"), f"{report['threshold']:.6g}"))
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        click.echo("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())


def _figure(report: dict[str, Any], key: str) -> str:
    return "unknown" if report[key] is None else f"{report[key]:.4f}"


def _bounds(report: dict[str, Any], key: str) -> str:
    return f"{_figure(report, f'{key}_low')} to {_figure(report, f'{key}_high')}"
