"""How the commands that change thresholds tell what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from monitor.errors import CalibrationRefusedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.thresholds.change import Change


def tell(outcome: Change, *, dry_run: bool = False) -> None:
    """Print what became of a model's threshold, and on standard error what a person should know of the evidence."""
    marked = f"{outcome.rule} (fallback: too little proliv)" if outcome.fallback else outcome.rule
    name = f"{outcome.model.name}{' (dry run)' if dry_run else ''}"
    before = "" if outcome.before is None else f", before {outcome.before:.6g}"
    if outcome.threshold is None:
        click.echo(f"{name}: no new threshold by {marked}; {outcome.before:.6g} stays")
    elif outcome.result == "refused":
        click.echo(f"{name}: the threshold {outcome.threshold:.6g} by {marked} is refused; {outcome.before:.6g} stays")
    else:
        click.echo(f"{name}: threshold {outcome.threshold:.6g}{before} by {marked}{_measured(outcome)}")
    if outcome.result == "unchanged":
        click.echo("  it is the active one already; nothing changes")
    elif outcome.result == "shadow":
        click.echo(f"  {outcome.reason}")
    for note in outcome.notes:
        click.echo(f"  note: {note}", err=True)


def as_dict(outcome: Change) -> dict[str, Any]:
    """The same for JSON."""
    measured = outcome.evaluation
    return {
        "model": outcome.model.name,
        "detector": outcome.model.detector,
        "result": outcome.result,
        "threshold": outcome.threshold,
        "before": outcome.before,
        "rule": outcome.rule,
        "fallback": outcome.fallback,
        "refusal": outcome.refusal,
        "reason": outcome.reason,
        "notes": list(outcome.notes),
        "evaluation": measured.as_dict() if measured else None,
    }


def raise_refused(outcomes: Sequence[Change]) -> None:
    """Raise `CalibrationRefusedError` where the guard refused a change, with all the reasons."""
    refused = [one for one in outcomes if one.result == "refused"]
    if refused:
        raise CalibrationRefusedError(
            "\n".join(f"{one.model.name}: refused ({one.refusal}): {one.reason}" for one in refused)
        )


def _measured(outcome: Change) -> str:
    measured = outcome.evaluation
    if measured is None:
        return ""
    origin = "labelled" if outcome.rule == "fixed" else "that it was chosen from"
    return (
        f"; on the {measured.tn + measured.fp} ne_proliv and {measured.tp + measured.fn} proliv crops {origin}: "
        f"TPR {_figure(measured.tpr)}, TNR {_figure(measured.tnr)}, AUC {_figure(measured.roc_auc)}"
    )


def _figure(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3f}"
