"""The unit of the page, under a real systemd beside the daemon: as whom it runs, and what its users may do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from tests.system.conftest import CONFIGURATION, PROGRAM

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.container import Container

DAEMON: Final = "monitor.service"
UNIT: Final = "monitor-web.service"
USERS: Final = "/var/lib/monitor/web.users"
PAGE: Final = '\n[web]\nusers = "/var/lib/monitor/web.users"\n'
# Asks the page with a token; prints the status and how the answer begins.
ASK: Final = """
import sys, urllib.error, urllib.request
path, token, form = sys.argv[1:]
request = urllib.request.Request("http://127.0.0.1:8464" + path, headers={"Authorization": "Bearer " + token})
try:
    answer = urllib.request.urlopen(request, form.encode() or None, timeout=20)
except urllib.error.HTTPError as error:
    answer = error
print(answer.status, answer.read().decode()[:2000])
"""


@pytest.fixture
def page(machine: Container) -> Iterator[Container]:
    """The machine with the units of both, which are stopped, and a page whose users log in."""
    machine.write("/etc/monitor/config.toml", CONFIGURATION + PAGE)
    deploy = ("deploy", "systemd", "--output", "/etc/systemd/system", "--group", "camera", "--web", "--force")
    machine.run(PROGRAM, "--config", "/etc/monitor/config.toml", *deploy)
    machine.run("systemctl", "daemon-reload")
    yield machine
    machine.run("systemctl", "stop", UNIT, DAEMON, check=False)
    machine.run("systemctl", "reset-failed", UNIT, DAEMON, check=False)
    machine.write("/etc/monitor/config.toml", CONFIGURATION)
    machine.path("/etc/systemd/system/monitor-web.service").unlink()
    machine.path(USERS).unlink(missing_ok=True)
    machine.run("systemctl", "daemon-reload")


def show(machine: Container, name: str) -> str:
    return machine.show(UNIT, name)[name]


def ask(machine: Container, path: str, token: str, form: str = "") -> str:
    return machine.run("/opt/monitor/bin/python", "-c", ASK, path, token, form).stdout


def answers(machine: Container, token: str) -> bool:
    ended = machine.run("/opt/monitor/bin/python", "-c", ASK, "/alarms", token, "", check=False)
    return ended.returncode == 0 and ended.stdout.startswith("200 ")


def user(machine: Container, *arguments: str) -> str:
    return machine.run(PROGRAM, "web", "user", *arguments).stdout


def test_the_page_runs_beside_the_daemon_as_its_user(page: Container) -> None:
    page.run("systemctl", "start", DAEMON)
    page.write("/root/password", "molten metal\n", 0o600)
    user(page, "add", "oleg", "--role", "operator", "--password-file", "/root/password")
    user(page, "add", "vera", "--role", "viewer", "--password-file", "/root/password")
    operator, viewer = user(page, "token", "oleg").strip(), user(page, "token", "vera").strip()
    page.run("systemctl", "start", UNIT)
    page.wait_until(lambda: answers(page, operator), UNIT)
    process = show(page, "MainPID")
    assert page.run("stat", "--format=%U", f"/proc/{process}").stdout == "monitor\n"
    assert page.run("stat", "--format=%U %a", USERS).stdout == "monitor 600\n"
    assert page.run("stat", "--format=%U %a", "/var/lib/monitor/web.key").stdout == "monitor 600\n"
    # It may write into the database, and tells that there is no alarm only where it may.
    assert ask(page, "/alarms/7/close", viewer, "note=x").startswith("403 ")
    assert ask(page, "/alarms/7/close", operator, "note=x").startswith("404 ")

    page.run("systemctl", "reload", UNIT)
    page.run("systemctl", "kill", "--signal=KILL", UNIT)
    page.wait_until(lambda: show(page, "NRestarts") == "1" and answers(page, operator), UNIT)
    user(page, "remove", "oleg")
    assert ask(page, "/alarms", operator).startswith("401 ")
    page.run("systemctl", "stop", UNIT)
    assert show(page, "Result") == "success"
    assert page.show(DAEMON, "ActiveState")["ActiveState"] == "active"


def test_without_anybody_in_the_file_of_users_it_waits_for_a_person(page: Container) -> None:
    page.run("systemctl", "start", UNIT, check=False)
    page.wait_until(lambda: show(page, "ActiveState") == "failed", UNIT)
    assert page.show(UNIT, "ExecMainStatus", "NRestarts") == {"ExecMainStatus": "78", "NRestarts": "0"}
    assert "make it: monitor web user add NAME" in page.messages(UNIT)
