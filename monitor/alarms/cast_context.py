"""Which cast is believed to run now, as the store has it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from monitor.formulas.casts import believed
from monitor.store import casts

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sqlalchemy.engine import Connection

    from monitor.configuration.settings import Alarms
    from monitor.formulas.casts import Context


class CurrentCast:
    """What is believed of the cast now, as the store has it."""

    def __init__(self, settings: Alarms, followed: Callable[[], bool] = lambda: False) -> None:
        """``followed``: whether the store has what the cast file says now; without it, such phases are not believed."""
        self._maximum_age = timedelta(seconds=settings.cast.maximum_age_seconds)
        self._followed = followed

    def read(self, connection: Connection, now: datetime) -> Context:
        """Ask the store. Raises `StoreError`."""
        return believed(casts.newest(connection), now, maximum_age=self._maximum_age, followed=self._followed())
