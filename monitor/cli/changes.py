"""How the commands that change thresholds print what became of a change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from monitor.errors import CalibrationRefusedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.thresholds.change import Change


def print_change(change: Change, *, dry_run: bool = False) -> None:
    """Print what became of a model's threshold; notes on what it was chosen from go to standard error."""
    marked = f"{change.rule} (fallback: too little proliv)" if change.fallback else change.rule
    name = f"{change.model.name}{' (dry run)' if dry_run else ''}"
    before = "" if change.before is None else f", before {change.before:.6g}"
    if change.threshold is None:
        click.echo(f"{name}: no new threshold by {marked}; {change.before:.6g} stays")
    elif change.result == "refused":
        click.echo(f"{name}: the threshold {change.threshold:.6g} by {marked} is refused; {change.before:.6g} stays")
    else:
        click.echo(f"{name}: threshold {change.threshold:.6g}{before} by {marked}{_rates(change)}")
    if change.result == "unchanged":
        click.echo("  it is active already; nothing changes")
    elif change.result == "shadow":
        click.echo(f"  {change.reason}")
    for note in change.notes:
        click.echo(f"  note: {note}", err=True)


def raise_refused(changes: Sequence[Change]) -> None:
    """Raise `CalibrationRefusedError` with all reasons if the guard refused a change."""
    refused = [one for one in changes if one.result == "refused"]
    if refused:
        raise CalibrationRefusedError(
            "\n".join(f"{one.model.name}: refused ({one.refusal}): {one.reason}" for one in refused)
        )


def _rates(change: Change) -> str:
    measured = change.evaluation
    if measured is None:
        return ""
    origin = "labelled" if change.rule == "fixed" else "that it was chosen from"
    return (
        f"; on the {measured.tn + measured.fp} ne_proliv and {measured.tp + measured.fn} proliv crops {origin}: "
        f"TPR {_figure(measured.tpr)}, TNR {_figure(measured.tnr)}, AUC {_figure(measured.roc_auc)}"
    )


def _figure(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3f}"
