"""The daemon as a real process, and receivers that are slow, dead, killed and restarted."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import sys
from contextlib import closing
from threading import Event
from typing import TYPE_CHECKING, Any, cast

import pytest

from monitor.daemon.deliverers import Deliverer
from monitor.harness.waiting import wait_until
from tests.support.receiver import Receiver

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from monitor.alarms.delivery import Delivery
    from tests.support.daemon import Daemon

CONFIGURATION = """
[alarms]
pause_seconds = 1

[alarms.sinks.siren]
kind = "webhook"
url = "http://127.0.0.1:{siren}/"
timeout_seconds = 2

[alarms.sinks.silent]
kind = "webhook"
url = "http://127.0.0.1:{silent}/"
timeout_seconds = 2

[alarms.sinks.absent]
kind = "webhook"
url = "http://127.0.0.1:{absent}/"
secret_file = "absent.secret"

[alarms.sinks.program]
kind = "command"
command = ["{python}", "-c", "import sys; open('told.jsonl', 'a').write(sys.stdin.read())"]
"""


@pytest.fixture
def receivers() -> Iterator[tuple[Receiver, Receiver]]:
    both = Receiver(), Receiver()
    yield both
    for one in both:
        one.stop()


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of a server that takes connections and never says a word."""
    with closing(socket.socket()) as server:
        server.bind(("127.0.0.1", 0))
        server.listen(50)
        yield server.getsockname()[1]


def stored(daemon: Daemon) -> set[str]:
    return {uid for (uid,) in daemon.query("select uid from alarm_messages")}


def test_every_receiver_gets_every_message_whatever_is_killed(
    daemon: Daemon, small_dataset: Path, receivers: tuple[Receiver, Receiver], silent: int
) -> None:
    siren, absent = receivers
    ports = {"siren": siren.port, "silent": silent, "absent": absent.port, "python": sys.executable}
    (daemon.home / "config.toml").write_text(CONFIGURATION.format(**ports), encoding="utf-8")
    (daemon.home / "absent.secret").write_text("geheim\n")
    crops = sorted((small_dataset / "proliv").glob("*.jpg"))
    siren.start()
    process = daemon.start()

    def feed(some: list[Path]) -> None:
        before = daemon.count()
        for source in some:
            shutil.copyfile(source, daemon.inbox / source.name)
        # Decisions go on, whatever the receivers do.
        wait_until(lambda: daemon.count() == before + len(some), daemon.text)

    feed(crops[:7])
    # One is told although another one never answers and a third is not there.
    wait_until(lambda: bool(stored(daemon)) and siren.ids() >= stored(daemon), daemon.text)
    due = dict(daemon.query("select sink, count(*) from alarm_deliveries where delivered_at is null group by sink"))
    assert due["silent"] == due["absent"] >= 1
    wait_until(lambda: daemon.metrics().get('monitor_alarm_messages_due{sink="absent"}', 0) >= 1, daemon.text)
    assert "sink absent: http://127.0.0.1:" in daemon.text()

    siren.stop()
    feed(crops[7:14])
    process.kill()
    process.wait()
    siren.start()
    absent.start()
    daemon.start()
    feed(crops[14:])
    program = daemon.home / "told.jsonl"
    wait_until(
        lambda: (
            siren.ids() == absent.ids() == stored(daemon)
            and {json.loads(line)["id"] for line in program.read_text().splitlines()} == stored(daemon)
        ),
        daemon.text,
    )
    opened = {one["alarm"]["id"] for one in siren.got if one["kind"] == "opened"}
    assert opened == {number for (number,) in daemon.query("select id from alarms")}
    for got in (siren.got, absent.got):
        by_hole: dict[Any, list[int]] = {}
        for one in {one["id"]: one for one in got}.values():
            about = one["alarm"]["kind"], one["alarm"]["camera"], one["alarm"]["hole"]
            by_hole.setdefault(about, []).append(one["number"])
        assert all(numbers == sorted(numbers) for numbers in by_hole.values())
    assert "geheim" not in daemon.text()
    assert daemon.stop() == 0


def test_a_kind_that_is_not_installed_and_a_wrong_setting_end_the_daemon_with_a_sentence(daemon: Daemon) -> None:
    for text, said in (
        (
            'kind = "siren"',
            "alarms.sinks.hall: there is no sink of the kind 'siren'; installed are: alertmanager,",
        ),
        ('kind = "webhook"\nurl = "geheim"', "alarms.sinks.hall.url: is not the address of a web service"),
        ('kind = "webhook"\nurl = "http://x"\nsecret = "geheim"', "alarms.sinks.hall.secret: unknown key"),
        ("url = 1", "hall has no kind"),
        (
            'kind = "log"\nheartbeat_seconds = 0.5',
            "hall.heartbeat_seconds should be a number of seconds from 1 to 86400",
        ),
    ):
        (daemon.home / "config.toml").write_text(f"[alarms.sinks.hall]\n{text}\n", encoding="utf-8")
        process = daemon.start(ready=False)
        assert process.wait() == 78
        assert said in daemon.text()
        assert "geheim" not in daemon.text()


def test_sinks_are_reloaded_and_stay_where_the_configuration_is_broken(daemon: Daemon, small_dataset: Path) -> None:
    configuration, one, two = (daemon.home / name for name in ("config.toml", "one.jsonl", "two.jsonl"))

    def write(*sections: str) -> None:
        configuration.write_text("\n".join(("[alarms]\npause_seconds = 1", *sections)), encoding="utf-8")

    def sink(name: str, file: Path) -> str:
        program = f"import sys; open('{file.name}', 'a').write(sys.stdin.read())"
        return f'[alarms.sinks.{name}]\nkind = "command"\ncommand = ["{sys.executable}", "-c", "{program}"]'

    def reload(said: str) -> None:
        assert daemon.process is not None
        daemon.process.send_signal(signal.SIGHUP)
        daemon.until(lambda: said in daemon.text())

    def told(file: Path) -> set[str]:
        return {json.loads(line)["id"] for line in file.read_text().splitlines()} if file.exists() else set()

    crops = iter(sorted((small_dataset / "proliv").glob("*.jpg")))

    def alarm() -> None:
        before = len(stored(daemon))
        while len(stored(daemon)) == before:
            source = next(crops)
            decided = daemon.count()
            shutil.copyfile(source, daemon.inbox / source.name)
            daemon.until(lambda: daemon.count() > decided)  # noqa: B023 - it is called at once

    write(sink("one", one))
    daemon.start()
    alarm()
    daemon.until(lambda: told(one) == stored(daemon))
    first = stored(daemon)

    write(sink("one", one), sink("two", two))
    reload("the sinks are now: one, two")
    alarm()
    daemon.until(lambda: told(one) == stored(daemon) and told(two) == stored(daemon) - first)

    write(sink("two", two), '[alarms.sinks.three]\nkind = "siren"')
    reload("alarms.sinks.three: there is no sink")
    write("[metrics]", "port = ", sink("two", two))
    reload("metrics.port: has no value")
    assert daemon.text().count("the sinks of alarms are not reloaded; those in use stay") == 2
    alarm()
    daemon.until(lambda: told(one) == stored(daemon) and told(two) == stored(daemon) - first)
    both = stored(daemon)

    write(sink("two", two))
    reload("the sinks are now: two\n")
    alarm()
    daemon.until(lambda: told(two) == stored(daemon) - first)
    assert told(one) & (stored(daemon) - both) == set()
    assert daemon.stop() == 0


class Recorded:
    """A delivery that notes when it begins and ends, and sends until it is let go."""

    def __init__(self, name: str, notes: list[str], let_go: Event) -> None:
        self.name = name
        self._notes = notes
        self._let_go = let_go
        self.sends = Event()

    def begin(self, *, take_up: bool) -> None:
        self._notes.append(f"{self.name} begins{' and takes up' * take_up}")

    def step(self) -> bool:
        self.sends.set()
        self._let_go.wait()
        return False

    def end(self) -> None:
        self._notes.append(f"{self.name} ends")


def test_a_sink_with_other_settings_begins_after_what_it_takes_the_place_of() -> None:
    notes: list[str] = []
    let_go = Event()
    before, behind = Recorded("before", notes, let_go), Recorded("behind", notes, let_go)
    first, second = (Deliverer(cast("Delivery", one), None, {}, None) for one in (before, behind))
    first.start(taken_up=False)
    before.sends.wait()
    first.end()
    second.start(taken_up=True, after=first)
    let_go.set()
    behind.sends.wait()
    second.end()
    second.join()
    assert notes == ["before begins and takes up", "before ends", "behind begins", "behind ends"]
