"""``monitor compare``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from monitor.cli.options import data_option, earlier_data_argument, given_data, models_option, output_option
from monitor.cli.program import Program, pass_program
from monitor.cli.wording import counted
from monitor.words import DECISION

if TYPE_CHECKING:
    from monitor.crops.in_memory import ReadCrops
    from monitor.evaluation.comparison import Judge
    from monitor.evaluation.labelled_folder import CropsWithTruth
    from monitor.report.curves import RocCurve

FORMATS: Final = (".png", ".svg")


@click.command("compare")
@data_option("laid out as for monitor evaluate")
@earlier_data_argument()
@models_option(f"{DECISION} is the final decision; by default it and all calibrated models")
@output_option(
    "FILE",
    "a .png or .svg file; an earlier picture is overwritten, any other file is not",
    default=Path("compare.png"),
)
@pass_program
def command(
    program: Program, data: Path | None, earlier_data: Path | None, names: tuple[str, ...], output: Path
) -> None:
    """Draw the ROC curves of several models together.

    A mark on each curve is where the threshold in use stands. Prints a line for each: the area under the curve, then
    TPR (the caught share of proliv) and TNR (the passed share of ne_proliv) at the threshold, with exact 95 %
    intervals, and how many incidents were caught, as monitor evaluate counts them. The last line says how many proliv
    without a miss a lower bound of 0.98 for TPR takes. Nothing is stored.

    \b
    Examples:
      monitor compare --data crops/
      monitor compare --data crops/ --model ae-8596479d03a2 --model decision --output roc.svg
    """
    data = given_data(data, earlier_data)
    _require_picture(output)
    # Without a database there is nothing to compare, which is said before anything else is looked at.
    program.database(create=False)
    from monitor.evaluation.certainty import outlook_sentence
    from monitor.files.replacing import MADE_BY, write_whole
    from monitor.report.output import is_picture, require_matplotlib, require_writable

    require_matplotlib("compare")
    from monitor.report import curves, style

    require_writable(output, is_picture, "a picture that monitor made")
    found = _read(program, data)
    gap = program.configuration.settings.calibration.event_gap_seconds
    drawn = [_curve(judge, found, gap) for judge in _judges(program, names, found.crops)]
    click.echo(outlook_sentence(int(found.proliv.sum())))
    figure = curves.roc([curve for curve in drawn if curve])
    draw = style.as_svg if output.suffix.lower() == ".svg" else style.as_png
    write_whole(output, draw(figure, maker=MADE_BY))


def _require_picture(path: Path) -> None:
    if path.suffix.lower() not in FORMATS:
        raise click.BadParameter(
            f"{str(path)!r} must end in {' or '.join(FORMATS)}, which says how to draw", param_hint="--output"
        )


def _read(program: Program, directory: Path) -> CropsWithTruth:
    """The labelled crops that can be read; raises `DataError` unless they are of both kinds."""
    from monitor.cli.progress import bar
    from monitor.crops.dataset import open_labelled
    from monitor.crops.reader import Reader
    from monitor.errors import DataError
    from monitor.evaluation.labelled_folder import read_with_truth
    from monitor.files.text import printable

    labelled = open_labelled(directory, program.ignored)
    with bar("reading", len(labelled)) as advance:
        found = read_with_truth(labelled, Reader(program.configuration), lambda: advance(1))
    proliv = found.proliv
    if proliv.all() or not proliv.any():
        raise DataError(
            f"{printable(directory)}: {proliv.sum()} proliv and {(~proliv).sum()} ne_proliv crops can be read; a ROC "
            "curve needs both kinds"
        )
    return found


def _judges(program: Program, names: tuple[str, ...], crops: ReadCrops) -> list[Judge]:
    """The named models and the final decision, if it is named, or all there are."""
    from monitor.evaluation import comparison
    from monitor.scoring import ensemble

    context = program.database(create=False), program.registry, program.configuration
    active = ensemble.load_active(*context) if DECISION in names or not names else None
    if active and not names:
        return comparison.judge_all(active, *context, crops)
    named = [ensemble.load_model(*context, name) for name in names if name != DECISION]
    judged = {
        model.id: comparison.judge(model, crops)
        for model in {model.id: model for model in (*named, *(active.models if active else ()))}.values()
    }
    final = [comparison.judge_together(active, {key: one.scores for key, one in judged.items()})] if active else []
    return [*(judged[key] for key in dict.fromkeys(model.id for model in named)), *final]


def _curve(judge: Judge, found: CropsWithTruth, gap_seconds: float) -> RocCurve | None:
    """Print a judge's line, and make its curve from the crops that it does not refuse; None for one label alone."""
    import numpy as np

    from monitor.report.curves import roc_curve
    from monitor.report.wording import share

    proliv, figures = found.proliv, judge.evaluate(found.proliv)
    name = DECISION if judge.detector == DECISION else judge.model
    click.echo(f"{name:<28} {_line(judge, found, gap_seconds)}")
    if figures.roc_auc is None:
        return None
    judged = np.isfinite(judge.scores)
    return roc_curve(
        f"{name}, AUC {share(figures.roc_auc)}",
        judge.scores[judged & ~proliv],
        judge.scores[judged & proliv],
        judge.threshold,
    )


def _line(judge: Judge, found: CropsWithTruth, gap_seconds: float) -> str:
    """A judge's figures with their intervals."""
    from monitor.evaluation.certainty import incidents_caught
    from monitor.report.wording import number, share

    figures, caught = judge.evaluate(found.proliv), incidents_caught(judge, found, gap_seconds)
    by_incident = caught.as_dict()
    incidents = (
        f"caught {caught.caught} of {counted(caught.incidents, 'incident')} "
        f"({share(by_incident['event_tpr_low'])} to {share(by_incident['event_tpr_high'])})"
        if caught.incidents
        else "incidents unknown"
    )
    return (
        f"ROC AUC {share(figures.roc_auc)}  TPR {_with_interval(figures.tpr, figures.tpr_low, figures.tpr_high)}  "
        f"TNR {_with_interval(figures.tnr, figures.tnr_low, figures.tnr_high)}  at the threshold "
        f"{number(figures.threshold)}, on {figures.tp + figures.fn} proliv and {figures.tn + figures.fp} ne_proliv; "
        f"{incidents}"
    )


def _with_interval(rate: float | None, low: float | None, high: float | None) -> str:
    from monitor.report.wording import share

    return share(rate) if rate is None else f"{share(rate)} ({share(low)} to {share(high)})"
