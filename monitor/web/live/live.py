"""What the server keeps in memory of an installation while it serves the page."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from monitor.upkeep.troubles import find_troubles
from monitor.web.live.board import Board
from monitor.web.live.figures import find_figures
from monitor.web.live.remembered import Remembered, Slow

if TYPE_CHECKING:
    from datetime import datetime

    from monitor.configuration.resolved import Configuration
    from monitor.store.database.engine import Database
    from monitor.upkeep.troubles import Trouble

# After how many seconds it is looked again what is wrong with the system, and for the figures at the foot.
TROUBLES_SECONDS: Final = 2.0
FIGURES_SECONDS: Final = 60.0


class Live:
    """The newest crops, what is wrong with the system, and the figures at the foot; several threads may use it."""

    def __init__(self, configuration: Configuration, database: Database) -> None:
        def troubles(now: datetime) -> tuple[Trouble, ...]:
            return tuple(find_troubles(configuration, database, now))

        self.board = Board()
        self.troubles = Remembered(troubles, TROUBLES_SECONDS)
        self.figures = Slow(partial(find_figures, configuration, database), FIGURES_SECONDS)
