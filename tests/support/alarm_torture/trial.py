"""One trial: a daemon with every sink, a stream of crops, and attacks."""

from __future__ import annotations

import shutil
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from monitor.configuration.file import load
from monitor.store.database.engine import Database
from tests.support.alarm_torture.attacks import Attackers, Person, plan
from tests.support.alarm_torture.field_buses import Modbus, Mqtt, Opcua
from tests.support.alarm_torture.judging import account, events_without_their_alarm, stored
from tests.support.alarm_torture.receivers import Alerts, Log, Mail, Program, Receiver, Web
from tests.support.alarm_torture.stream import Feeder
from tests.support.daemon import Daemon

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.support.alarm_torture.judging import Account, Stored
    from tests.support.alarm_torture.stream import Prepared

# How long all messages may take to come after the last crop and the last kill: some have to be tried often.
SETTLING_SECONDS: Final = 150.0


@dataclass(frozen=True)
class Rules:
    """What is done. ``kills``: of the daemon, and ``server_kills`` of each server. ``rate``: crops a second.

    ``alarms``: the keys of `[alarms]`. ``keeps``: what the broker does, one of `field_buses.BROKERS`.
    """

    alarms: str
    seed: int = 0
    kills: int = 0
    server_kills: int = 0
    rate: float = 100.0
    keeps: str = "always"

    @property
    def is_rough(self) -> bool:
        """Whether anything is killed, and receivers are moody."""
        return self.kills + self.server_kills > 0


@dataclass
class Outcome:
    """What came of it. ``faults``: what is wrong, in sentences; ``seconds`` from a file's name to the message, by sink."""

    store: Stored
    accounts: list[Account]
    killed: dict[str, int]
    faults: list[str]
    feeder: Feeder
    receivers: list[Receiver]


class AttackedDaemon:
    """A daemon that is killed whatever it does, and started without waiting for it."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon
        self.ended_by_itself: list[str] = []

    def kill(self) -> None:
        process = self.daemon.process
        assert process is not None
        if process.poll() is not None:
            self.ended_by_itself.append(f"the daemon has ended by itself, with {process.returncode}")
        process.kill()
        process.wait()

    def start(self) -> None:
        self.daemon.start(ready=False)


def run(folder: Path, prepared: Prepared, rules: Rules) -> Outcome:
    """Run a trial in a new folder."""
    folder.mkdir(parents=True)
    shutil.copytree(prepared.state, folder / "state")
    daemon = Daemon(folder)
    daemon.environment["MONITOR__LOGGING__FORMAT"] = "json"
    receivers = _receivers(folder, daemon, rules)
    with ExitStack() as stack:
        for one in receivers:
            one.enter(stack)
        _configure(folder, receivers, rules)
        stack.callback(daemon.kill)
        configuration = load(folder / "config.toml")
        database = Database(f"sqlite:///{daemon.database}", busy_seconds=30)
        stack.callback(database.close)
        daemon.start(ready=False)
        daemon.until(lambda: '"watching ' in daemon.text())
        feeder = Feeder(prepared.crops, daemon.inbox, rules.rate)
        person = Person(database, configuration.settings.alarms, prepared.truth, feeder, rules.seed)
        victims: dict[str, Any] = {one.name: one for one in receivers if one.can_be_killed}
        kills = dict.fromkeys(victims, rules.server_kills)
        attacked = victims["daemon"] = AttackedDaemon(daemon)
        attacks = plan(rules.seed, {**kills, "daemon": rules.kills}, feeder.seconds)
        with Attackers(attacks, victims, lambda: _messages(receivers)) as attackers, person if rules.is_rough else stack.enter_context(ExitStack()), feeder:
            pass
        faults = [*attackers.failures, *attacked.ended_by_itself]
        daemon.until(lambda: stored(database).decided == len(prepared.crops))
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
        return Outcome(store, accounts, attackers.done, faults, feeder, receivers)


def _receivers(folder: Path, daemon: Daemon, rules: Rules) -> list[Receiver]:
    moody = rules.is_rough
    buses = [Mqtt(folder, rules.keeps), Modbus(folder), Opcua(folder)]
    return [Log(daemon.log), Program(folder, moody=moody), Web(folder, moody=moody), Mail(folder), Alerts(folder), *buses]


def _configure(folder: Path, receivers: Sequence[Receiver], rules: Rules) -> None:
    sections = [f'[alarms.sinks.{one.name}]\nkind = "{one.name}"\n{one.section()}\n' for one in receivers]
    text = '[plant]\ntime_zone = "UTC"\n[alarms]\n' + "\n".join((rules.alarms, *sections))
    (folder / "config.toml").write_text(text, encoding="utf-8")


def _messages(receivers: Sequence[Receiver]) -> int:
    return sum(len(one.received()) for one in receivers if one.name in ("webhook", "mqtt", "opcua"))


def _settled(database: Database, receivers: Sequence[Receiver]) -> tuple[Stored, list[Account]]:
    """Wait until everything has come and is shown, or no longer."""
    until = time.monotonic() + SETTLING_SECONDS
    while True:
        store = stored(database)
        accounts = [account(one, store) for one in receivers]
        wrong = any(one.missing or one.wrong_state for one in accounts) or store.due
        if not wrong or time.monotonic() > until:
            return store, accounts
        time.sleep(0.5)
