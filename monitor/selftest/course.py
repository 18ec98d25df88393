"""The course of a self-test: what must hold before it, the two files, waiting for them, and cleaning up."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from monitor.errors import ConfigurationError, DataError, DeliveryError, MonitorError, NoModelError
from monitor.files.text import printable, to_text
from monitor.scoring.ensemble import load_active
from monitor.selftest import files
from monitor.selftest.choice import choose
from monitor.selftest.progress import Leg, is_over, legs, problem
from monitor.store import daemons, selftests
from monitor.store.database.lock import owner
from monitor.store.selftests import SelftestCrop

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from monitor.configuration.resolved import Configuration
    from monitor.registry import Registry
    from monitor.selftest.choice import Chosen
    from monitor.store.database.engine import Database
    from monitor.words import Label

# How often it is looked how far it has come.
LOOK_SECONDS: Final = 0.05
# For the time before the files are written: loading models may take long.
PREPARATION: Final = timedelta(minutes=10)


@dataclass(frozen=True)
class Outcome:
    """How a self-test ended. ``seconds``: from the first file to the last receipt, None if not everything arrived.

    ``sent``: the crops, and ``legs``: how far they came; both empty if it ended before. ``error``: why it failed.
    """

    number: int
    within_seconds: float
    seconds: float | None
    sent: Mapping[Label, Chosen]
    legs: Sequence[Leg]
    error: MonitorError | None

    def as_dict(self) -> dict[str, Any]:
        """The same by name, ready for JSON."""
        return {
            "selftest": self.number,
            "passed": self.error is None,
            "within_seconds": self.within_seconds,
            "seconds": self.seconds,
            "crops": {label.value: one.said for label, one in self.sent.items()},
            "legs": [leg.as_dict() for leg in self.legs],
            "problem": None if self.error is None else str(self.error),
        }


class Course:
    """A self-test."""

    def __init__(
        self, configuration: Configuration, database: Database, registry: Registry, sinks: Sequence[str], within: float
    ) -> None:
        """``sinks``: the names of those that have to take the message; ``within``: the seconds that it may take."""
        self._configuration = configuration
        self._database = database
        self._registry = registry
        self._sinks = sinks
        self._within = within
        self._sent: dict[Label, Chosen] = {}
        self._legs: list[Leg] = []
        self._seconds: float | None = None

    def run(self) -> Outcome:
        """Do all of it, clean up, and store how it ended; raises `StoreError` only, and what interrupts it."""
        now = datetime.now(UTC)
        with self._database.write() as connection:
            number = selftests.begin(connection, began_at=now, ends_at=now + PREPARATION, sinks=self._sinks)
        error: MonitorError | None = None
        try:
            files.remove(self._database)
            self._require_sinks()
            self._require_daemon()
            self._send(number)
            self._wait(number)
        except MonitorError as raised:
            error = raised
        except BaseException:
            error = DataError("it was interrupted")
            raise
        finally:
            error = self._cleaned(number, error)
            self._finish(number, error)
        return Outcome(number, self._within, None if error else self._seconds, self._sent, self._legs, error)

    def _cleaned(self, number: int, error: MonitorError | None) -> MonitorError | None:
        """Remove the files; why the self-test failed, if only because they stay."""
        try:
            files.remove(self._database, selftest_id=number)
        except MonitorError as raised:
            return error or raised
        return error

    def _finish(self, number: int, error: MonitorError | None) -> None:
        said = None if error is None else str(error)
        seconds = None if error else self._seconds
        with self._database.write() as connection:
            selftests.finish(
                *(connection, number), at=datetime.now(UTC), passed=error is None, seconds=seconds, problem=said
            )

    def _require_sinks(self) -> None:
        if not self._sinks:
            raise ConfigurationError(
                f"{self._configuration.source}: leg sink: no sink is configured, so nobody would be told of an alarm; "
                "see [alarms.sinks]"
            )

    def _require_daemon(self) -> None:
        """Raise `DeliveryError` unless a daemon runs, gives signs of life and watches the inbox."""
        holder = owner(self._database)
        with self._database.read() as connection:
            seen = daemons.seen(connection)
        on_file = self._database.file is not None
        if (on_file and holder is None) or (not on_file and not any(one.alive for one in seen)):
            raise DeliveryError("leg folder: the daemon is not running: systemctl start monitor, or monitor run")
        alive = [one.row for one in seen if one.alive]
        if seen and not alive:
            raise DeliveryError(
                f"leg folder: the daemon, process {holder}, has given no sign of life for a minute: it hangs, or the "
                "database refuses; see its log: journalctl -u monitor"
            )
        inbox = to_text(self._configuration.inbox)
        if alive and all(row.inbox != inbox for row in alive):
            raise DeliveryError(
                f"leg folder: the daemon watches {printable(alive[0].inbox)}, and {self._configuration.source} says "
                f"{printable(inbox)} (paths.inbox): restart the daemon, or name its configuration with --config"
            )

    def _send(self, number: int) -> None:
        """Choose the crops, register them, and write their files."""
        try:
            ensemble = load_active(self._database, self._registry, self._configuration)
        except NoModelError as error:
            raise NoModelError(f"leg detector: {error}") from None
        self._sent = choose(self._configuration, self._database, ensemble)
        paths = {label: files.place_for(self._configuration, one) for label, one in self._sent.items()}
        crops = [
            SelftestCrop(number, one.label, to_text(paths[label]), one.sha256) for label, one in self._sent.items()
        ]
        now = datetime.now(UTC)
        with self._database.write() as connection:
            selftests.register(connection, crops, ends_at=now + timedelta(seconds=self._within))
        self._began = time.monotonic()
        for crop, (label, one) in zip(crops, self._sent.items(), strict=True):
            written_at = datetime.now(UTC)
            files.write(paths[label], one.content)
            with self._database.write() as connection:
                selftests.note(connection, crop, written_at=written_at)

    def _wait(self, number: int) -> None:
        """Wait until everything has arrived; raises `DataError` or `DeliveryError` for the leg that failed."""
        while True:
            with self._database.read() as connection:
                found = selftests.crops_of(connection, number)
                deliveries = selftests.deliveries_of(connection, number)
            elapsed = time.monotonic() - self._began
            self._legs = legs(self._sent, found, deliveries, self._sinks)
            late = elapsed > self._within
            if late or is_over(self._legs):
                break
            time.sleep(LOOK_SECONDS)
        failed = problem(self._legs, self._within, late=late)
        if failed is not None:
            kind = DataError if failed.leg == "detector" and failed.failed else DeliveryError
            raise kind(f"leg {failed.leg}, {failed.what}: {failed.outcome}")
        if late:
            raise DeliveryError(f"everything arrived, but only after {elapsed:.2f} s; allowed are {self._within:g} s")
        self._seconds = elapsed
