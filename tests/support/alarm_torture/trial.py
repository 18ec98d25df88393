"""One trial: a daemon with every sink, a stream of crops, and attacks."""

from __future__ import annotations

import shutil
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from monitor.configuration.file import load
from monitor.store.database.engine import Database
from tests.support.alarm_torture.attacks import Attackers, Person, plan
from tests.support.alarm_torture.field_buses import Modbus, Mqtt, Opcua
from tests.support.alarm_torture.judging import account, events_without_their_alarm, stored
from tests.support.alarm_torture.receivers import Alerts, Log, Mail, Program, Receiver, Server, Web
from tests.support.alarm_torture.stream import Feeder
from tests.support.daemon import Daemon

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.support.alarm_torture.attacks import Victim
    from tests.support.alarm_torture.judging import Account, Stored
    from tests.support.alarm_torture.stream import Prepared

# How long all messages may take to come after the last crop and the last kill: some have to be tried often.
SETTLING_SECONDS: Final = 150.0
LOOK_SECONDS: Final = 0.3


@dataclass(frozen=True)
class Rules:
    """What is done. ``kills``: of the daemon, and ``server_kills`` of each server. ``rate``: crops a second.

    ``alarms``: the keys of `[alarms]`. ``keeps``: what a killed broker keeps, one of `field_buses.BROKERS`.
    """

    alarms: str
    seed: int = 0
    kills: int = 0
    server_kills: int = 0
    rate: float = 100.0
    keeps: str = "always"

    @property
    def is_rough(self) -> bool:
        """Whether anything is killed; then receivers are moody too, and a person deals with alarms."""
        return self.kills + self.server_kills > 0


@dataclass
class Outcome:
    """What came of it. ``killed``: how often whom; ``faults``: what is wrong, in sentences."""

    store: Stored
    accounts: list[Account]
    receivers: list[Receiver]
    feeder: Feeder
    killed: dict[str, int]
    faults: list[str]


class AttackedDaemon:
    """A daemon that is killed whatever it does, and started without waiting for it."""

    def __init__(self, daemon: Daemon) -> None:
        self.ended_by_itself: list[str] = []
        self._daemon = daemon

    def kill(self) -> None:
        process = self._daemon.process
        assert process is not None
        if process.poll() is not None:
            self.ended_by_itself.append(f"the daemon has ended by itself, with {process.returncode}")
        process.kill()
        process.wait()

    def start(self) -> None:
        self._daemon.start(ready=False)


def run(folder: Path, prepared: Prepared, rules: Rules) -> Outcome:
    """Run a trial in a new folder."""
    folder.mkdir(parents=True)
    shutil.copytree(prepared.state, folder / "state")
    daemon = Daemon(folder)
    daemon.environment["MONITOR__LOGGING__FORMAT"] = "json"
    with ExitStack() as stack:
        receivers = _started(folder, daemon, rules, stack)
        stack.callback(daemon.kill)
        database = Database(f"sqlite:///{daemon.database}", busy_seconds=30)
        stack.callback(database.close)
        daemon.start(ready=False)
        daemon.until(lambda: '"watching ' in daemon.text())
        feeder = Feeder(prepared.crops, daemon.inbox, rules.rate)
        killed, faults = _attacked(daemon, database, receivers, feeder, prepared, rules)
        daemon.until(lambda: stored(database).decided >= len(prepared.crops))
        if rules.is_rough:
            _restart_at_the_end(receivers)
        store, accounts = _settled(database, receivers)
        faults += events_without_their_alarm(prepared.truth, store)
        faults += [fault for one in accounts for fault in one.faults]
        if store.due:
            faults.append(f"{store.due} deliveries are still due")
        if (code := daemon.stop()) != 0:
            faults.append(f"the daemon ended with {code}")
        checked = daemon.command("db", "check")
        if checked.returncode:
            faults.append(f"db check: {checked.stdout}{checked.stderr}")
        return Outcome(store, accounts, receivers, feeder, killed, faults)


def _started(folder: Path, daemon: Daemon, rules: Rules, stack: ExitStack) -> list[Receiver]:
    """The receivers, with the configuration for them."""
    moody = rules.is_rough
    servers: list[Server] = [Web(folder, moody=moody), Mail(folder), Alerts(folder)]
    servers += [Mqtt(folder, rules.keeps), Modbus(folder), Opcua(folder)]
    for one in servers:
        one.enter(stack)
    receivers: list[Receiver] = [Log(daemon.log), Program(folder, moody=moody), *servers]
    sections = [f'[alarms.sinks.{one.name}]\nkind = "{one.name}"\n{one.section()}\n' for one in receivers]
    text = '[plant]\ntime_zone = "UTC"\n[alarms]\n' + "\n".join((rules.alarms, *sections))
    (folder / "config.toml").write_text(text, encoding="utf-8")
    return receivers


def _attacked(
    daemon: Daemon,
    database: Database,
    receivers: Sequence[Receiver],
    feeder: Feeder,
    prepared: Prepared,
    rules: Rules,
) -> tuple[dict[str, int], list[str]]:
    """Give the daemon all crops, with the attacks meanwhile; how often whom, and what went wrong."""
    victims: dict[str, Victim] = {one.name: one for one in receivers if isinstance(one, Server)}
    kills = dict.fromkeys(victims, rules.server_kills)
    attacked = victims["daemon"] = AttackedDaemon(daemon)
    attacks = plan(rules.seed, {**kills, "daemon": rules.kills}, feeder.seconds)
    settings = load(daemon.home / "config.toml").settings.alarms
    person = Person(database, settings, prepared.truth, feeder, rules.seed)
    with ExitStack() as stack:
        attackers = stack.enter_context(Attackers(attacks, victims, lambda: _messages(receivers)))
        if rules.is_rough:
            stack.enter_context(person)
        stack.enter_context(feeder)
    return attackers.done, [*attackers.failures, *attacked.ended_by_itself]


def _restart_at_the_end(receivers: Sequence[Receiver]) -> None:
    """Whatever the plan did: what a receiver shows comes back after a restart when nothing happens any more."""
    for one in receivers:
        if isinstance(one, Server) and one.has_state:
            one.kill()
            one.start()


def _messages(receivers: Sequence[Receiver]) -> int:
    return sum(len(one.received()) for one in receivers if one.name in ("webhook", "mqtt", "opcua"))


def _settled(database: Database, receivers: Sequence[Receiver]) -> tuple[Stored, list[Account]]:
    """Wait until everything has come and is shown, or no longer."""
    until = time.monotonic() + SETTLING_SECONDS
    while True:
        store = stored(database)
        accounts = [account(one, store) for one in receivers]
        open_ones = store.due or any(one.missing or one.wrong_state for one in accounts)
        if not open_ones or time.monotonic() > until:
            return store, accounts
        time.sleep(LOOK_SECONDS)
