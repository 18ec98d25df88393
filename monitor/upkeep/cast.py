"""What is believed of the cast, where people ask for it; the daemon itself knows whether it follows the cast file."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from monitor.formulas.casts import believed

if TYPE_CHECKING:
    from datetime import datetime

    from monitor.configuration.resolved import Configuration
    from monitor.formulas.casts import Context
    from monitor.store.casts import Said


def believed_cast(configuration: Configuration, said: Said | None, now: datetime) -> Context:
    """What is believed of the cast; ``said``: what was said last of it, None where nothing ever was."""
    settings = configuration.settings.alarms.cast
    maximum_age = timedelta(seconds=settings.maximum_age_seconds)
    return believed(said, now, maximum_age=maximum_age, followed=settings.file is not None)
