"""Two daemons as real processes that share a PostgreSQL server: alarms that are withheld and told are told once."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from generators.crops.datasets import crop_name
from monitor.harness.waiting import wait_until
from tests.support.daemon import Daemon
from tests.support.receiver import Receiver
from tests.support.states import make_state
from tests.support.stored_crops import opened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from monitor.store.database.engine import Database

CONFIGURATION = """
[plant]
time_zone = "UTC"

[database]
url = "{url}"

[alarms]
table_share = 1.0
pause_seconds = 3600

[alarms.cast]
file = "{cast}"

[alarms.sinks.siren]
kind = "webhook"
url = "http://127.0.0.1:{port}/"
timeout_seconds = 5
"""
START = datetime(2026, 3, 1, 6, tzinfo=UTC)


class Hall:
    """Two daemons with an inbox each, one receiver, and one cast file."""

    def __init__(self, folder: Path, url: str, dataset: Path, database: Database) -> None:
        self.receiver = Receiver()
        self._cast = folder / "cast.toml"
        self._database = database
        self._proliv = sorted((dataset / "proliv").glob("*.jpg"))
        self._taken = 0
        text = CONFIGURATION.format(url=url, cast=self._cast, port=self.receiver.port)
        homes = [folder / name for name in ("one", "other")]
        for home in homes:
            home.mkdir()
            (home / "config.toml").write_text(text, encoding="utf-8")
        make_state(homes[0], dataset, [["train", "patchstats"], ["calibrate"]])
        shutil.copytree(homes[0] / "state", homes[1] / "state")
        self.daemons = [Daemon(home) for home in homes]
        for home in homes:
            (home / "inbox").mkdir()

    def say(self, text: str) -> None:
        """Let the PLC write the cast file."""
        beside = self._cast.with_suffix(".new")
        beside.write_text(text, encoding="utf-8")
        beside.replace(self._cast)

    def phase_is(self, phase: str) -> None:
        """Wait until the store has a phase."""
        newest = "select phase from cast_phases order by id desc limit 1"
        self.wait(lambda: self.query(newest) == [(phase,)])

    def proliv(self, hole: int, *daemons: int) -> None:
        """Give a proliv of a hole to each of these daemons, and wait until they are decided."""
        before = self.query("select count(*) from crops")[0][0]
        for daemon in daemons:
            name = crop_name(hole, "C", START + self._taken * timedelta(seconds=1))
            source = self._proliv[self._taken % len(self._proliv)]
            shutil.copyfile(source, self.daemons[daemon].inbox / f".{name}")
            (self.daemons[daemon].inbox / f".{name}").rename(self.daemons[daemon].inbox / name)
            self._taken += 1
        self.wait(lambda: self.query("select count(*) from crops") == [(before + len(daemons),)])

    def told(self, hole: int) -> list[str]:
        """What the receiver was told of a hole, each message once, in the order in which it came."""
        return list(dict.fromkeys(one["kind"] for one in self.receiver.got if one["alarm"]["hole"] == hole))

    def wait(self, condition: Callable[[], bool]) -> None:
        wait_until(condition, lambda: "".join(one.text() for one in self.daemons if one.log.exists()))

    def query(self, statement: str) -> Sequence[Any]:
        with self._database.read() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(statement)]

    def alarm_of(self, hole: int) -> Any:
        (row,) = self.query(f"select withheld, phase, state from alarms where hole = {hole}")
        return row


@pytest.fixture
def hall(tmp_path: Path, small_dataset: Path, new_postgresql_database: Callable[[], str]) -> Iterator[Hall]:
    url = new_postgresql_database()
    with opened(url) as database:
        hall = Hall(tmp_path, url, small_dataset, database)
        yield hall
        for one in hall.daemons:
            one.kill()
        hall.receiver.stop()


@pytest.mark.timeout(400)
def test_what_two_daemons_withhold_and_tell_is_told_once_whichever_is_killed(hall: Hall) -> None:
    one, other = hall.daemons
    hall.receiver.start()
    # Idle: nobody is told, whichever daemon decides.
    hall.say('phase = "idle"')
    one.start()
    other.start()
    hall.phase_is("idle")
    hall.proliv(1, 0)
    hall.proliv(2, 1)
    assert [hall.alarm_of(hole) for hole in (1, 2)] == [("idle", "idle", "open")] * 2
    assert hall.receiver.got == []
    # The event goes on when a cast begins.
    hall.say('number = "4711"\nphase = "start"')
    hall.wait(lambda: hall.told(1) == hall.told(2) == ["opened"])

    # One is killed during a pause; the other one tells when that is over.
    assert other.command("pause", "--hole", "3", "--for", "1h", "--reason", "nozzle").returncode == 0
    hall.proliv(3, 0)
    assert hall.alarm_of(3) == ("pause", "start", "open")
    one.kill()
    assert other.command("alarms", "ack", "3", "--author", "anna").returncode == 0
    assert hall.told(3) == []
    assert other.command("pause", "end", "1").returncode == 0
    hall.wait(lambda: hall.told(3) == ["opened", "acknowledged"])

    # The receiver is away, and who decided is killed: the other one has its messages.
    one.start()
    hall.say('number = "4711"\nphase = "steady"')
    hall.phase_is("steady")
    hall.receiver.stop()
    hall.proliv(4, 0, 1)
    other.kill()
    hall.proliv(4, 0, 0)
    hall.receiver.start()
    hall.say('number = "4711"\nphase = "end"')
    hall.phase_is("end")
    hall.wait(lambda: hall.told(4) == ["opened", "more"])
    other.start()
    hall.say('phase = "idle"')
    hall.phase_is("idle")
    # Who was told hears of the end, idle or not; and who was not told, nothing.
    hall.proliv(5, 1)
    assert other.command("alarms", "close", "4").returncode == 0
    assert one.command("alarms", "close", "5").returncode == 0
    hall.wait(lambda: hall.query("select count(*) from alarm_deliveries where delivered_at is null") == [(0,)])
    assert (hall.told(4), hall.told(5)) == (["opened", "more", "closed"], [])
    assert_told_once(hall)
    assert [one.stop(), other.stop()] == [0, 0]


def assert_told_once(hall: Hall) -> None:
    """No message was lost, and what came twice is the same message."""
    assert hall.receiver.ids() == {uid for (uid,) in hall.query("select uid from alarm_messages")}
    different = {json.dumps(one, sort_keys=True) for one in hall.receiver.got}
    assert len(different) == len(hall.receiver.ids())
    first = {one["id"]: one for one in reversed(hall.receiver.got)}.values()
    assert Counter((one["alarm"]["hole"], one["kind"], one["alarm"]["crops"]) for one in first) == dict.fromkeys(
        [
            *((1, "opened", 1), (2, "opened", 1), (3, "opened", 1), (3, "acknowledged", 1)),
            *((4, "opened", 1), (4, "more", 2), (4, "more", 4), (4, "closed", 4)),
        ],
        1,
    )
    assert {one["alarm"]["phase"] for one in first if one["alarm"]["hole"] == 4} == {"steady"}
