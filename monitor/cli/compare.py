"""``monitor compare``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from monitor.cli.program import FOLDER, Program, pass_program
from monitor.words import DECISION

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from monitor.crops.in_memory import ReadCrops
    from monitor.evaluation.comparison import Judge
    from monitor.report.curves import RocCurve

FORMATS: Final = (".png", ".svg")


def _picture(_context: click.Context, _parameter: click.Parameter, path: Path) -> Path:
    if path.suffix.lower() not in FORMATS:
        raise click.BadParameter(f"{str(path)!r} must end in {' or '.join(FORMATS)}, which says how to draw")
    return path


@click.command("compare")
@click.argument("directory", metavar="DIR", type=FOLDER)
@click.option(
    "--model",
    "names",
    multiple=True,
    help=f"A calibrated model's name, or {DECISION}; without it, all calibrated models and the final decision.",
)
@click.option(
    "--output",
    default=Path("compare.png"),
    show_default=True,
    type=click.Path(path_type=Path),
    callback=_picture,
    help="The picture, a .png or .svg file; one that exists is overwritten.",
)
@pass_program
def command(program: Program, directory: Path, names: tuple[str, ...], output: Path) -> None:
    """Draw the ROC curves of several models together.

    DIR is laid out as for monitor evaluate. A mark on each curve is where the threshold in use stands. Prints a line
    for each: the area under the curve, then TPR (the caught share of proliv) and TNR (the passed share of ne_proliv)
    at the threshold. Nothing is stored.
    """
    # Without a database there is nothing to compare, which is said before anything else is looked at.
    program.database(create=False)
    from monitor.report import curves, style
    from monitor.report.output import require_writable, write

    require_writable(output)
    crops, truth = _read(program, directory)
    drawn = [_curve(judge, truth) for judge in _judges(program, names, crops)]
    figure = curves.roc([curve for curve in drawn if curve])
    write(output, style.as_svg(figure) if output.suffix.lower() == ".svg" else style.as_png(figure))


def _read(program: Program, directory: Path) -> tuple[ReadCrops, NDArray[np.bool_]]:
    """The labelled crops that can be read, and their labels, bool (N,), True = proliv."""
    import numpy as np

    from monitor.cli.progress import bar
    from monitor.crops.dataset import open_labelled
    from monitor.crops.in_memory import read_all
    from monitor.crops.reader import Reader
    from monitor.errors import DataError
    from monitor.files.text import printable
    from monitor.words import Label

    labels = {item.path: item.label for item in open_labelled(directory)}
    with bar("reading", len(labels)) as advance:
        crops = read_all(Reader(program.configuration), list(labels), lambda: advance(1))
    unread = {path for path, _ in crops.refused}
    truth = np.array([label is Label.PROLIV for path, label in labels.items() if path not in unread], dtype=np.bool_)
    if truth.all() or not truth.any():
        raise DataError(
            f"{printable(directory)}: {truth.sum()} proliv and {(~truth).sum()} ne_proliv crops can be read; a ROC "
            "curve needs both kinds"
        )
    return crops, truth


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


def _curve(judge: Judge, truth: NDArray[np.bool_]) -> RocCurve | None:
    """Print the line of a judge, and make its curve of the crops that it does not refuse; none of one label alone."""
    import numpy as np

    from monitor.report.curves import roc_curve
    from monitor.report.wording import number, share

    figures = judge.evaluate(truth)
    name = DECISION if judge.detector == DECISION else judge.model
    click.echo(
        f"{name:<28} ROC AUC {share(figures.roc_auc)}  TPR {share(figures.tpr)}  TNR {share(figures.tnr)}  at the "
        f"threshold {number(figures.threshold)}, on {figures.tp + figures.fn} proliv and {figures.tn + figures.fp} "
        "ne_proliv"
    )
    normal, proliv = (judge.scores[np.isfinite(judge.scores) & (truth == label)] for label in (False, True))
    if figures.roc_auc is None:
        return None
    return roc_curve(f"{name}, AUC {share(figures.roc_auc)}", normal, proliv, judge.threshold)
