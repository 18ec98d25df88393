"""What `monitor evaluate` prints for people."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

import click

from monitor.cli.tables import Table, print_pairs
from monitor.cli.wording import counted
from monitor.words import DECISION

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.evaluation.rule_table import Entry

# Characters of the column of names, in tables of a name and a value a line.
NAME_WIDTH: Final = 18


def print_robustness(report: dict[str, Any]) -> None:
    """The figures of a model on altered crops, below those on the crops as they are."""
    click.echo(f"\n{report['model']}, altered")
    rows = {"as they are": report, **report["robustness"]}
    print_pairs(
        (
            (
                name,
                f"TPR {_figure(figures, 'tpr')} ({_bounds(figures, 'tpr')})  "
                f"TNR {_figure(figures, 'tnr')} ({_bounds(figures, 'tnr')})  ROC AUC {_figure(figures, 'roc_auc')}",
            )
            for name, figures in rows.items()
        ),
        NAME_WIDTH,
    )


def print_one(report: dict[str, Any]) -> None:
    """The figures of one model, a line each."""

    def interval(key: str) -> str:
        return f"{_figure(report, key)}  (95 % interval {_bounds(report, key)})"

    rows = {
        "model": report["model"],
        "threshold": f"{report['threshold']:.6g}",
        "crops": f"{report['n']}: {report['tp'] + report['fn']} proliv, {report['tn'] + report['fp']} ne_proliv",
        "TPR": f"{interval('tpr')}  {report['tp']} caught, {report['fn']} missed",
        "TPR by incident": _by_incident(report),
        "TNR": f"{interval('tnr')}  {report['tn']} passed, {report['fp']} false alarms",
        "balanced accuracy": _figure(report, "balanced_accuracy"),
        "ROC AUC": _figure(report, "roc_auc"),
    }
    print_pairs(rows.items(), NAME_WIDTH)


def _by_incident(report: dict[str, Any]) -> str:
    """The caught share of the incidents with its interval, or why it is unknown."""
    without = report["proliv_without_time"]
    if not report["proliv_events"]:
        return f"unknown{f': {without} proliv have no time in their names' if without else ''}"
    shown = f"{_figure(report, 'event_tpr')}  (95 % interval {_bounds(report, 'event_tpr')})"
    missing = f"; {without} proliv without a time in their names are not counted" if without else ""
    return (
        f"{shown}  {report['proliv_events_caught']} of {counted(report['proliv_events'], 'incident')} caught{missing}"
    )


def print_side_by_side(reports: Sequence[dict[str, Any]]) -> None:
    """A line for each model."""
    rows = []
    for report in reports:
        cells = [_shown_name(report)]
        for rate, right, wrong in (("tpr", "tp", "fn"), ("tnr", "tn", "fp")):
            count = f"{report[right]} of {report[right] + report[wrong]}"
            cells += [_figure(report, rate), _bounds(report, rate), count]
        rows.append([*cells, _figure(report, "roc_auc"), f"{report['threshold']:.6g}"])
    Table(("model", "TPR", "95 % interval", "caught", "TNR", "95 % interval", "passed", "ROC AUC", "threshold")).write(
        rows
    )
    click.echo("\nTPR by incident")
    names = [_shown_name(report) for report in reports]
    print_pairs(zip(names, map(_by_incident, reports), strict=True), max(NAME_WIDTH, *map(len, names)))


def _shown_name(report: dict[str, Any]) -> str:
    return DECISION if report["detector"] == DECISION else str(report["model"])


def print_rules(entries: Sequence[Entry]) -> None:
    """A table for each model; a rule without a threshold has its sentence in place of figures."""
    width = max(len(entry.rule) for entry in entries)
    for model, group in groupby(entries, key=lambda entry: entry.model):
        own = list(group)
        click.echo(("" if own[0] is entries[0] else "\n") + model)
        rows = []
        for entry in own:
            if entry.evaluation is not None:
                report = entry.evaluation.as_dict()
                rates = [cell for rate in ("tpr", "tnr") for cell in (_figure(report, rate), _bounds(report, rate))]
                rows.append([f"{entry.rule:<{width}}", f"{report['threshold']:.6g}", *rates])
        Table((f"{'rule':<{width}}", "threshold", "TPR", "95 % interval", "TNR", "95 % interval")).write(rows)
        for entry in own:
            if entry.reason is not None:
                click.echo(f"{entry.rule:<{width}}  {entry.reason}")


def _figure(report: dict[str, Any], key: str) -> str:
    return "unknown" if report[key] is None else f"{report[key]:.4f}"


def _bounds(report: dict[str, Any], key: str) -> str:
    return f"{_figure(report, f'{key}_low')} to {_figure(report, f'{key}_high')}"
