"""``monitor status``."""

from __future__ import annotations

import json
from typing import Any

import click

from monitor.cli.program import Program, pass_program


@click.command("status")
@click.option("--format", "output_format", type=click.Choice(["table", "json"]), default="table", show_default=True)
@pass_program
def command(program: Program, output_format: str) -> None:
    """Show the active models and what was decided."""
    from monitor.daemon_lock import owner
    from monitor.decision import deciding, effective
    from monitor.schedule import NIGHTLY
    from monitor.store import calibrations, queries, runs

    configuration = program.configuration
    database = program.database(create=False)
    with database.read() as connection:
        active = queries.active_models(connection)
        counts = queries.summary(connection)
        nights = runs.newest_runs(connection, NIGHTLY, 1)
        fallbacks = {row.id for row in active if (found := calibrations.active(connection, row.id)) and found.fallback}
    settings = configuration.settings.decision
    rows = deciding(active, settings.detectors)
    report: dict[str, Any] = {
        "configuration": configuration.source,
        "inbox": str(configuration.inbox),
        "database": database.description,
        "daemon_process": owner(database),
        "models": [
            {
                "model": row.name,
                "threshold": row.threshold,
                "rule": row.rule,
                "fallback": row.id in fallbacks,
                "trained_at": row.trained_at.isoformat(),
            }
            for row in active
        ],
        "decide": effective(settings.decide, len(rows)),
        "deciding": [row.name for row in rows],
        "scored": counts.scored,
        "failed": counts.failed,
        "failed_by_reason": counts.failed_by_reason,
        "decisions": {"proliv": 0, "ne_proliv": 0, **counts.final},
        "verdicts": [
            {"model": model, "verdict": verdict, "crops": crops}
            for (model, verdict), crops in sorted(counts.verdicts.items())
        ],
        "nightly_run": {"slot": nights[0].slot.isoformat(), "outcome": nights[0].outcome} if nights else None,
        "last_scored_at": counts.last_scored_at.isoformat() if counts.last_scored_at else None,
    }
    if output_format == "json":
        click.echo(json.dumps(report))
    else:
        _print(report)


def _print(report: dict[str, Any]) -> None:
    from monitor.decision import describe

    daemon = report["daemon_process"]
    reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(report["failed_by_reason"].items()))
    rows = [
        ("configuration", report["configuration"]),
        ("inbox", report["inbox"]),
        ("database", report["database"]),
        ("daemon", f"running, process {daemon}" if daemon else "not running here"),
        *(
            (
                "active model",
                f"{model['model']}, threshold {model['threshold']:.6g} by {model['rule']}"
                f"{' (fallback: too little proliv)' if model['fallback'] else ''}",
            )
            for model in report["models"]
        ),
        ("final decision", describe(report["decide"], report["deciding"]) if report["deciding"] else "none is made"),
        ("crops", f"{report['scored']} scored, {report['failed']} failed{f' ({reasons})' if reasons else ''}"),
        ("decided", ", ".join(f"{crops} {verdict}" for verdict, crops in report["decisions"].items())),
        *(("decisions", f"{row['model']}: {row['crops']} {row['verdict']}") for row in report["verdicts"]),
        ("nightly run", _night(report["nightly_run"])),
        ("last decision", report["last_scored_at"] or "none yet"),
    ]
    if not report["models"]:
        rows.insert(4, ("active model", "none; monitor train and monitor calibrate make one"))
    for name, value in rows:
        click.echo(f"{name:<14} {value}")


def _night(night: dict[str, Any] | None) -> str:
    if night is None:
        return "none yet"
    return f"{night['slot'][:16]} UTC: {night['outcome'] or 'not finished'}"
