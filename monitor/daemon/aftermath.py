"""What follows once decisions are committed: counting, logging, quarantine, tidying, and telling the watchers."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from monitor.alarms.wording import about
from monitor.errors import OutputError
from monitor.files.text import printable
from monitor.inbox.quarantine import Quarantine
from monitor.labels.rescan import warn_unreadable
from monitor.logs import fields
from monitor.scoring.record import Committed
from monitor.times import on_clock
from monitor.words import UNKNOWN, Label

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from monitor.files.looks import Looks
    from monitor.inbox.second_looks import SecondLooks
    from monitor.inbox.tidier import Tidier
    from monitor.metrics import Metrics
    from monitor.scoring.batches import DecidedBatch
    from monitor.scoring.ensemble import Decision
    from monitor.scoring.vote import FinalDecision
    from monitor.store.decisions import Raised, Recorded

log = logging.getLogger(__name__)


class Listener(Protocol):
    """Hears of every batch that is committed, in the writer's thread, so it must not wait for anything."""

    def __call__(self, commit: Committed, /) -> None:
        """Take a batch whose rows are in the store."""


class Aftermath:
    """Tells listeners of what is committed, one after the other."""

    def __init__(
        self, listeners: Sequence[Listener], tell_alarms: Callable[[Sequence[Raised]], None] = lambda _raised: None
    ) -> None:
        """``tell_alarms`` hears of the alarms that were opened, before the others hear of the crops, and, without one,
        of self-tests."""
        self._listeners = listeners
        self._tell_alarms = tell_alarms

    def committed(self, batches: Sequence[DecidedBatch], recorded: Recorded, at: float) -> None:
        """Tell of batches that were committed together; ``at``: Unix time."""
        if recorded.raised or recorded.tests:
            self._tell_alarms(recorded.raised)
        for batch in batches:
            commit = Committed.of(batch, recorded, at)
            for listener in self._listeners:
                listener(commit)


def listeners(metrics: Metrics, progress: Progress, second_looks: SecondLooks | None, tidier: Tidier) -> list[Listener]:
    """Who hears of what the daemon commits, in their order, but for the watchers; None: no file is set aside."""
    hear: list[Listener] = [
        metrics.count_committed,
        progress.committed,
        log_bleed_outs,
        log_unusual,
        Failures(metrics).committed,
    ]
    if second_looks is not None:
        hear.append(MoveFailed(Quarantine(second_looks).take).committed)
    return [*hear, OfferToTidier(tidier).committed]


def log_alarms(raised: Sequence[Raised]) -> None:
    """Warn of each alarm that was opened."""
    for alarm in raised:
        log.warning(
            *("alarm %d: %s%s", alarm.id, about(alarm.kind, alarm.camera, alarm.hole, alarm.path, sign=alarm.sign)),
            f"; recorded, and not told: {alarm.withheld}" if alarm.withheld else "",
            extra=fields(alarm=alarm.id, camera=alarm.camera or None),
        )


class Progress:
    """How many crops were decided since the start, and when the last one was."""

    def __init__(self, zone: tzinfo = UTC) -> None:
        """``zone``: the plant's, in which times are said."""
        self._zone = zone
        self.decided = 0
        self._last_at: float | None = None

    def committed(self, commit: Committed) -> None:
        """Count what was not decided before."""
        if commit.new:
            self.decided += len(commit.new)
            self._last_at = commit.at

    def sentence(self) -> str:
        """For `systemctl status`."""
        if self._last_at is None:
            return "no crop was decided since the start"
        at = datetime.fromtimestamp(self._last_at, UTC)
        return f"{self.decided} crops decided since the start, the last at {on_clock(at, self._zone)}"


def log_bleed_outs(commit: Committed) -> None:
    """Warn of each proliv that was not known before, with the scores that made it one."""
    batch = commit.batch
    finals, decisions = batch.final.listed, None
    for row in commit.new:
        final = finals[row]
        if final is None or final.verdict is not Label.PROLIV:
            continue
        decisions = decisions or batch.decisions
        hole = batch.files.identities[row].hole
        log.warning(
            "proliv: hole %s, crop %s, %s: %s",
            UNKNOWN if hole is None else hole,
            commit.ids.get(row, UNKNOWN),
            printable(batch.files.paths[row]),
            _reason(final, decisions[row]),
            extra=_fields(commit, row, score=final.score, threshold=final.threshold, verdict=final.verdict.value),
        )


def log_unusual(commit: Committed) -> None:
    """Tell of each new crop that is passed although a model calls it proliv; no warning, for most are nothing."""
    batch = commit.batch
    if not batch.unusual.any():
        return
    flags, finals = batch.unusual.tolist(), batch.final.listed
    for row in commit.new:
        final = finals[row]
        if final is None or not flags[row]:
            continue
        hole = batch.files.identities[row].hole
        log.info(
            "unusual: hole %s, crop %s, %s: decided ne_proliv, but %s",
            UNKNOWN if hole is None else hole,
            commit.ids.get(row, UNKNOWN),
            printable(batch.files.paths[row]),
            ", ".join(
                f"{one.model.name} calls it proliv ({one.score:.6g} >= {one.threshold:.6g})"
                for one in batch.decisions[row]
                if one.verdict is Label.PROLIV
            ),
            extra=_fields(commit, row, score=final.score, threshold=final.threshold, verdict=final.verdict.value),
        )


def _fields(commit: Committed, row: int, **more: str | float) -> dict[str, Any]:
    """What names a crop, and more, as fields of a message."""
    files = commit.batch.files
    identity, path = files.identities[row], printable(files.paths[row])
    return fields(id=commit.ids.get(row), hole=identity.hole, camera=identity.camera, path=path, **more)


def _reason(final: FinalDecision, decisions: Sequence[Decision]) -> str:
    if final.decided_by == "primary":
        model = decisions[0].model.name
        return f"score {final.score:.6g} reaches the threshold {final.threshold:.6g} of {model}"
    votes = ", ".join(
        f"{one.model.name} {one.score:.6g} {'>=' if one.verdict is Label.PROLIV else '<'} {one.threshold:.6g}"
        for one in decisions
    )
    return f"by {final.decided_by}, {final.score:.6g} >= {final.threshold:.6g}: {votes}"


class Failures:
    """Counts and logs crops that could not be scored, those that were not known to have failed before."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def committed(self, commit: Committed) -> None:
        """Look at the refusals of a batch."""
        files = commit.batch.files
        for row, refusal in commit.batch.refusals.items():
            new = row in commit.newly_failed
            if row in commit.tests:
                continue  # the command that made it tells of it
            if files.labels[row] is not None:
                if new:
                    warn_unreadable(files.paths[row], refusal)
            elif new or refusal.reason == "vanished":
                self._metrics.failed.labels(refusal.reason).inc()
                path = printable(files.paths[row])
                log.warning(
                    *("%s: %s; recorded as failed (%s)", path, refusal, refusal.reason),
                    extra=_fields(commit, row, reason=refusal.reason),
                )


class MoveFailed:
    """Moves files whose content cannot be scored; what is not a file, or fails by a detector's defect, stays."""

    def __init__(self, take: Callable[[Path, str, Looks], Path | None]) -> None:
        """``take``: that of an `inbox.quarantine.Quarantine`."""
        self._take = take

    def committed(self, commit: Committed) -> None:
        """Move the failed files of a batch."""
        files = commit.batch.files
        for row, refusal in commit.batch.refusals.items():
            looks = files.looks[row]
            if files.labels[row] is not None or refusal.reason == "detector_error" or row in commit.tests:
                continue
            if looks is None or not files.digests[row]:
                continue  # it was not read
            path = Path(files.paths[row])
            try:
                moved = self._take(path, files.digests[row], looks)
            except OutputError as error:
                log.error("%s; it stays in the inbox", error, extra=_fields(commit, row))  # noqa: TRY400
            else:
                if moved is not None:
                    log.warning("%s: moved to %s", printable(path), printable(moved), extra=_fields(commit, row))


class OfferToTidier:
    """Hands decided crops of the inbox to the tidier."""

    def __init__(self, tidier: Tidier) -> None:
        self._tidier = tidier

    def committed(self, commit: Committed) -> None:
        """Offer the decided files of a batch."""
        batch = commit.batch
        for row, path in enumerate(batch.files.paths):
            if batch.files.labels[row] is None and row not in batch.refusals and row not in commit.tests:
                self._tidier.offer(path)
