"""The daemon as a real process, a real mail server and a real Alertmanager, all of which are killed and come again."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from monitor.harness.waiting import wait_until
from tests.support import alertmanager
from tests.support.requirements import go_without
from tests.support.smtp_server import Server as MailServer
from tests.support.web_server import server, status

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.daemon import Daemon

CONFIGURATION = """
[alarms]
table_share = 1.0

[alarms.sinks.office]
kind = "email"
host = "127.0.0.1"
port = {mail}
security = "none"
from = "monitor@plant.example"
to = ["shift@plant.example"]
timeout_seconds = 5

[alarms.sinks.alertmanager]
kind = "alertmanager"
url = "{alertmanager}"
heartbeat_seconds = 1
timeout_seconds = 5
"""


@pytest.fixture
def mail(tmp_path: Path, starts_processes: None) -> Iterator[MailServer]:
    server = MailServer(tmp_path / "mails")
    yield server
    server.kill()


@pytest.fixture
def keeper(tmp_path: Path, starts_servers: None) -> Iterator[alertmanager.Server]:
    if reason := alertmanager.missing():
        go_without("alertmanager", reason)
    with server(status(200)) as (url, _):
        keeper = alertmanager.Server(tmp_path / "alertmanager", url)
        yield keeper
        keeper.kill()


def stored(daemon: Daemon) -> set[str]:
    return {f"<{uid}@plant.example>" for (uid,) in daemon.query("select uid from alarm_messages")}


def running(daemon: Daemon) -> set[str]:
    return {str(number) for (number,) in daemon.query("select id from alarms where state <> 'closed'")}


def mailed(mail: MailServer) -> list[str]:
    return [one["Message-ID"] for one in mail.mails()]


def test_every_mail_arrives_and_alertmanager_knows_what_is_open_whatever_is_killed(
    daemon: Daemon, small_dataset: Path, mail: MailServer, keeper: alertmanager.Server
) -> None:
    text = CONFIGURATION.format(mail=mail.port, alertmanager=keeper.url)
    (daemon.home / "config.toml").write_text(text, encoding="utf-8")
    crops = sorted((small_dataset / "proliv").glob("*.jpg"))

    def feed(some: list[Path]) -> None:
        before = daemon.count()
        for source in some:
            shutil.copyfile(source, daemon.inbox / source.name)
        wait_until(lambda: daemon.count() == before + len(some), daemon.text)

    def all_told() -> bool:
        known = running(daemon)
        return bool(known) and set(mailed(mail)) == stored(daemon) and keeper.alerts().keys() == known

    mail.start()
    keeper.start()
    daemon.start()
    feed(crops[:5])
    wait_until(all_told, daemon.text)

    # Both are away; then the daemon is killed, and all come back: what was open, and what opened meanwhile.
    mail.kill()
    keeper.kill()
    feed(crops[5:12])
    wait_until(lambda: "sink office: 127.0.0.1:" in daemon.text(), daemon.text)
    wait_until(lambda: "sink alertmanager" in daemon.text(), daemon.text)
    daemon.kill()
    mail.start()
    keeper.start()
    daemon.start()
    feed(crops[12:])
    wait_until(all_told, daemon.text)
    opened = [one["Subject"] for one in mail.mails() if " opened: " in one["Subject"]]
    assert len(set(opened)) == len(daemon.query("select id from alarms"))

    with_alarms = daemon.query("select min(id) from alarms")[0][0]
    keeper.kill()
    keeper.start()
    wait_until(lambda: str(with_alarms) in keeper.alerts(), daemon.text)
    assert daemon.stop() == 0
