"""What follows for the files that a worker had in hand when it ended, or took too long."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from monitor.errors import CropRefusedError, WorkerLostError
from monitor.files.text import printable
from monitor.scoring.pools.suspects import GivenUp
from monitor.scoring.pools.trail import Phase
from monitor.scoring.pools.worker import HANGS_FACTOR
from monitor.words import Reason

if TYPE_CHECKING:
    from collections.abc import Iterable

    from monitor.scoring.pools.suspects import Suspects
    from monitor.scoring.pools.worker import Excess, Worker

log = logging.getLogger(__name__)

# Where so many workers end one after the other with nothing in hand, or so many files end one after the other all
# workers that try them, and no crop is scored in between, it is not the files' fault.
MOST_IN_A_ROW: Final = 5

DOING: Final = {
    Phase.NAMING: "parsing the name of",
    Phase.READING: "reading",
    Phase.DECODING: "decoding",
    Phase.SCORING: "scoring",
}


class Judge:
    """Suspects files, and gives them up. Not for several threads at once."""

    def __init__(self, suspects: Suspects, seconds_per_crop: float) -> None:
        self._suspects = suspects
        self._seconds = seconds_per_crop
        self._in_a_row = 0

    def acquit(self, paths: Iterable[str]) -> None:
        """A worker has answered about these."""
        self._suspects.clear(paths)
        self._in_a_row = 0

    def judge(self, worker: Worker, excess: Excess | None, how: str) -> None:
        """A worker was ended for an excess, or has ended by itself, ``how`` in words.

        Raises `WorkerLostError` when workers end whatever they are given.
        """
        paths, phase = worker.suspects()
        if not paths:
            log.warning("a worker that had no crop in hand ended (%s); another one takes its place", how)
            self._count()
            return
        reason = GivenUp(self._refusal(phase, excess, how), phase not in {Phase.NAMING, Phase.READING})
        # The time that a single file has taken is its own, and nothing but itself is to blame.
        if excess == "costly" and len(paths) == 1:
            self._suspects.give_up(paths[0], reason)
        elif not self._suspects.suspect(paths, reason):
            others = f" and {len(paths) - 1} others" if len(paths) > 1 else ""
            what = {None: f"a worker ended ({how})", "costly": "a worker took too long", "hanging": "a worker hung"}
            log.warning("%s while %s %s%s; tried again alone", what[excess], DOING[phase], printable(paths[0]), others)
        elif excess is None:
            self._count()

    def _refusal(self, phase: Phase, excess: Excess | None, how: str) -> CropRefusedError:
        doing = DOING[phase]
        if excess is None:
            sentence = (
                f"{doing} it ended the process each time, alone as well ({how}): by a crash, or for lack of memory"
            )
            return CropRefusedError(Reason.KILLED_WORKER.value, sentence)
        if excess == "costly":
            took = f"took a processor more than {self._seconds:g} s"
        else:
            took = f"did not end in {HANGS_FACTOR * self._seconds:g} s, alone as well"
        sentence = f"{doing} it {took}; raise pipeline.seconds_per_crop if a crop may take so long"
        return CropRefusedError(Reason.TOO_COSTLY.value, sentence)

    def _count(self) -> None:
        self._in_a_row += 1
        if self._in_a_row >= MOST_IN_A_ROW:
            raise WorkerLostError(
                f"{MOST_IN_A_ROW} times one after the other a worker ended, and no crop was scored in between; start "
                "again, with pipeline.workers = 1 if it happens once more"
            )
