"""What `monitor status` tells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from monitor.cli.program import Program


def status(program: Program) -> dict[str, Any]:
    """What `monitor status` tells, as plain values."""
    from monitor.scoring.vote import deciding, effective
    from monitor.store import calibrations, models, runs
    from monitor.store import counts as store_counts
    from monitor.store.database.lock import owner
    from monitor.store.runs import NIGHTLY

    configuration = program.configuration
    database = program.database(create=False)
    with database.read() as connection:
        active = models.active_models(connection)
        counts = store_counts.summary(connection)
        nights = runs.newest_runs(connection, NIGHTLY, 1)
        fallbacks = {row.id for row in active if (found := calibrations.active(connection, row.id)) and found.fallback}
    settings = configuration.settings.decision
    rows = deciding(active, settings.detectors)
    return {
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
