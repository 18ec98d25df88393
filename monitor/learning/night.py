"""A night's training, in a process of its own that takes only the time that nothing else wants."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from monitor.errors import ConfigurationError, MonitorError
from monitor.learning.outcome import Request
from monitor.learning.retraining import Retraining
from monitor.scoring.pools.remote import end_with

if TYPE_CHECKING:
    from monitor.configuration.resolved import Configuration
    from monitor.learning.outcome import Outcome
    from monitor.registry import Registry
    from monitor.store.database.engine import Database

# The lowest priority that there is.
LOWEST: Final = 19


def be_the_process(database: Database, registry: Registry, configuration: Configuration, run_id: int) -> dict[str, Any]:
    """Be the process that the daemon has started for a run; returns what came of it, ready for JSON.

    It ends with the daemon.
    """
    os.nice(LOWEST)
    end_with(os.getppid())
    try:
        outcome = train_at_night(database, registry, configuration, run_id)
    except MonitorError as error:
        return {"summary": f"failed: {error}"}
    return {**outcome.as_dict(), "summary": outcome.summary}


def train_at_night(database: Database, registry: Registry, configuration: Configuration, run_id: int) -> Outcome:
    """Do what is due for a scheduled run, once; raises `MonitorError` where it cannot."""
    data, learning = configuration.learning_data, configuration.settings.learning
    if data is None:
        raise ConfigurationError(f"{configuration.source}: learning.data is empty; name the folder to train on")
    request = Request(
        *(datetime.now(UTC), data, configuration.settings.training.seed),
        least=learning.minimum_labels,
        run_id=run_id,
        zone=configuration.time_zone,
    )
    return Retraining(database, registry, configuration, request, lambda _: None).run()
