"""``monitor evaluate``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import click

from monitor.cli.alarm_outcomes import rule_options
from monitor.cli.evaluate_alarms import evaluate_alarms
from monitor.cli.evaluation_tables import print_one, print_robustness, print_rules, print_side_by_side
from monitor.cli.options import data_option, earlier_data_argument, format_option, given_data, models_option
from monitor.cli.program import FOLDER, Program, pass_program

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from monitor.crops.dataset import LabelledPath
    from monitor.crops.in_memory import ReadCrops
    from monitor.evaluation.comparison import Judge
    from monitor.evaluation.labelled_folder import CropsWithTruth

# What is said of altered crops.
ALTERED_FIGURES: Final = ("tpr", "tpr_low", "tpr_high", "tnr", "tnr_low", "tnr_high", "roc_auc")


# What `monitor evaluate --help` shows.
HELP: Final = """Measure a model on a labelled folder.

DIR holds test/, or is itself such a folder: proliv/ and ne_proliv/, or imgs/ and test_annotation.txt. Prints TPR
(the caught share of proliv), TNR (the passed share of ne_proliv), both with exact 95 % intervals, and the area
under the ROC curve. Nothing is stored.

Crops of one bleed-out are alike, so TPR is also given by incident: one is caught when at least one of its crops is.
Crops of one camera are one incident as long as the times in their names leave no pause of more than
calibration.event_gap_seconds; proliv without a time in their names belong to no known one. A sentence says how
many proliv without a miss a lower bound of 0.98 takes.

With several --model, they are measured side by side. With --all, every model that has a threshold is, the newest
first, and last the final decision as the configuration makes it ([decision]), whose detector is "decision". JSON
is then one array.

With --robustness, the models are also measured on the crops after each of several changes: JPEG quality 60, moved
by 3 pixels each way, 15 per cent darker and brighter, 8 per cent more red and less blue and the other way round.

With --rules, every threshold rule, configured as for calibration, chooses from the labelled crops that `monitor
calibrate` was given, for every model that has them, or for each --model; each threshold is measured on DIR. A rule
that cannot choose says why. JSON is one array. No threshold is changed.

With --alarms, the active models decide on every crop below DIR, whose names tell hole, camera and time, and alarms
are opened from the decisions with the configured k, n and within_seconds and with others (--k, --n, --within).
Prints the events that an alarm reported, how soon, and the false alarms per table and day. The true events are
those of DIR/events.csv, as written by monitor gen crops --stream, or else formed by the proliv crops of a labelled
folder, where a gap of more than alarms.pause_seconds at a hole begins another event. Unusual crops open alarms as
well if alarms.unusual is set; cast phases and pauses have no part in it, as a folder tells of none.

\b
Examples:
  monitor evaluate --data crops/
  monitor evaluate --data crops/ --all --robustness --format json
  monitor evaluate --data crops/ --rules --model ae-8596479d03a2
  monitor evaluate --alarms stream/ --k 2 --k 3 --within 10
"""


@click.command("evaluate", help=HELP)
@data_option("its test/ is measured, or the folder itself if it has none")
@earlier_data_argument()
@models_option("by default the primary")
@click.option("--all", "everything", is_flag=True, help="All calibrated models and the final decision, side by side.")
@click.option(
    "--robustness",
    is_flag=True,
    help="Measure also on the crops compressed harder, moved, and in other light and colour.",
)
@click.option("--rules", is_flag=True, help="Every threshold rule, by what it would choose for every model.")
@click.option(
    "--alarms",
    metavar="DIR",
    type=FOLDER,
    help="Count alarms by event, on a stream of crops with times.",
)
@rule_options
@format_option()
@pass_program
def command(
    program: Program,
    data: Path | None,
    earlier_data: Path | None,
    names: tuple[str, ...],
    everything: bool,
    robustness: bool,
    rules: bool,
    alarms: Path | None,
    ks: tuple[int, ...],
    ns: tuple[int, ...],
    withins: tuple[float, ...],
    output_format: str,
) -> None:
    """Measure what was asked for; `HELP` says what that may be."""
    if alarms is not None:
        if data or earlier_data or names or everything or robustness or rules:
            raise click.UsageError(
                "--alarms takes the folder itself (--alarms DIR), and beside it only --k, --n, --within and --format"
            )
        evaluate_alarms(program, alarms, ks, ns, withins, output_format)
        return
    if ks or ns or withins:
        raise click.UsageError("--k, --n and --within need --alarms")
    directory = given_data(data, earlier_data)
    names = tuple(dict.fromkeys(names))
    if everything and names:
        raise click.UsageError("give either --all or --model")
    if rules and (everything or robustness):
        raise click.UsageError("--rules goes together with --model and --format alone")
    if rules:
        _evaluate_rules(program, directory, names, output_format)
    else:
        _evaluate_models(program, directory, names, everything, robustness, output_format)


def _evaluate_models(
    program: Program, directory: Path, names: Sequence[str], everything: bool, robustness: bool, output_format: str
) -> None:
    from monitor.crops.dataset import open_labelled
    from monitor.evaluation import comparison
    from monitor.evaluation.certainty import outlook_sentence
    from monitor.scoring.ensemble import load_active, load_model

    configuration = program.configuration
    labelled = open_labelled(directory, program.ignored)
    database = program.database(create=False)
    registry = program.registry
    active = load_active(database, registry, configuration) if everything else None
    wanted: Sequence[str | None] = () if everything else names or (None,)
    chosen = [load_model(database, registry, configuration, name) for name in wanted]
    several = everything or len(chosen) > 1
    found = _read(program, directory, labelled)

    def measured(crops: ReadCrops) -> list[dict[str, Any]]:
        judges = [comparison.judge(model, crops) for model in chosen]
        if active:
            judges = comparison.judge_all(active, database, registry, configuration, crops)
        gap = configuration.settings.calibration.event_gap_seconds
        return [_report(one, found, gap) for one in judges]

    reports = measured(found.crops)
    if robustness:
        _add_robustness(reports, found.crops, measured)
    if output_format == "json":
        click.echo(json.dumps(reports if several else reports[0]))
    elif several:
        print_side_by_side(reports)
    else:
        print_one(reports[0])
    if output_format == "text":
        # A model may refuse crops, and then says nothing of them.
        click.echo(f"\n{outlook_sentence(min(report['tp'] + report['fn'] for report in reports))}")
        for report in reports if robustness else ():
            print_robustness(report)
    for report in reports:
        _say_uncounted(labelled, report["n"], report["model"] if several else None)


def _report(judge: Judge, found: CropsWithTruth, gap_seconds: float) -> dict[str, Any]:
    """A judge's figures by crop and by incident, ready for JSON."""
    from monitor.evaluation.certainty import incidents_caught, outlook

    figures = judge.evaluate(found.proliv)
    caught = incidents_caught(judge, found, gap_seconds)
    return {
        **figures.as_dict(),
        **caught.as_dict(),
        **outlook(figures.tp + figures.fn),
        "model": judge.model,
        "detector": judge.detector,
    }


def _evaluate_rules(program: Program, directory: Path, names: Sequence[str], output_format: str) -> None:
    from monitor.cli.progress import bar
    from monitor.crops.dataset import open_labelled
    from monitor.evaluation import rule_table
    from monitor.evaluation.certainty import outlook_sentence

    configuration = program.configuration
    labelled = open_labelled(directory, program.ignored)
    models = rule_table.referenced_models(program.database(create=False), names)
    found = _read(program, directory, labelled)
    with bar("judging", len(models)) as advance:
        entries = rule_table.tabulate(
            models, program.registry, configuration, found.crops, found.proliv, lambda: advance(1)
        )
    if output_format == "json":
        click.echo(json.dumps([entry.as_dict() for entry in entries]))
    else:
        print_rules(entries)
        click.echo(f"\n{outlook_sentence(int(found.proliv.sum()))}")
    judged = {entry.model: entry.evaluation.n for entry in entries if entry.evaluation is not None}
    for model, count in judged.items():
        _say_uncounted(labelled, count, model)


def _read(program: Program, directory: Path, labelled: Sequence[LabelledPath]) -> CropsWithTruth:
    """The labelled crops that can be read; raises `DataError` when there are none."""
    from monitor.cli.progress import bar
    from monitor.crops.reader import Reader
    from monitor.errors import DataError
    from monitor.evaluation.labelled_folder import read_with_truth

    with bar("reading", len(labelled)) as advance:
        found = read_with_truth(labelled, Reader(program.configuration), lambda: advance(1))
    if not found.labelled:
        raise DataError(f"{directory}: none of the {len(labelled)} labelled crops can be read")
    return found


def _say_uncounted(labelled: Sequence[LabelledPath], judged: int, model: str | None) -> None:
    """Say how many crops are not among the ``judged`` ones, because ``model``, if named, refused some too."""
    if judged < len(labelled):
        why = "could not be read" if model is None else f"could not be read or judged by {model}"
        count = len(labelled) - judged
        click.echo(f"{count} of {len(labelled)} labelled crops {why} and are not counted", err=True)


def _add_robustness(
    reports: Sequence[dict[str, Any]], crops: ReadCrops, measured: Callable[[ReadCrops], Sequence[dict[str, Any]]]
) -> None:
    """Give each report the figures after each alteration, by its name, under ``robustness``."""
    from monitor.cli.progress import bar
    from monitor.evaluation.robustness import ALTERATIONS, altered

    with bar("altering", len(ALTERATIONS)) as advance:
        for name in ALTERATIONS:
            for report, other in zip(reports, measured(altered(crops, name)), strict=True):
                figures = {key: other[key] for key in ALTERED_FIGURES}
                report.setdefault("robustness", {})[name] = figures
            advance(1)
