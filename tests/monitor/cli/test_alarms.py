from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., subprocess.CompletedProcess[str]]
    Rows = Callable[[str], list[tuple[Any, ...]]]


@pytest.fixture
def alarmed(trained: Path, small_dataset: Path, monitor: Run) -> Path:
    """The home in which the proliv were decided as if by the daemon."""
    assert monitor("score", small_dataset / "proliv", "--as-inbox", "--exit-zero").returncode == 0
    return trained


def listed(monitor: Run, *options: str) -> list[dict[str, Any]]:
    outcome = monitor("alarms", "list", "--format", "json", *options)
    assert outcome.returncode == 0
    return [json.loads(line) for line in outcome.stdout.splitlines()]


def test_scoring_by_hand_makes_no_alarms(trained: Path, small_dataset: Path, monitor: Run, rows: Rows) -> None:
    assert monitor("score", small_dataset / "proliv", "--exit-zero").returncode == 0
    assert rows("select count(*) from crops where verdict = 'proliv'")[0][0] > 0
    assert rows("select count(*) from alarm_crops") == [(0,)]
    assert monitor("alarms", "list").stderr == "no alarm is open; older ones: monitor alarms list --closed\n"
    assert monitor("alarms", "list", "--closed").stderr == "there are no alarms\n"


def test_alarms_are_listed_and_shown(alarmed: Path, monitor: Run, rows: Rows) -> None:
    found = listed(monitor)
    assert sum(one["crops"] for one in found) == rows("select count(*) from crops where verdict = 'proliv'")[0][0]
    assert listed(monitor, "--limit", "1") == found[:1]
    newest = found[0]
    text = monitor("alarms", "list").stdout
    assert newest["about"] in text
    shown = json.loads(monitor("alarms", "show", str(newest["id"]), "--format", "json").stdout)
    assert {key: shown[key] for key in newest} == newest
    assert shown["newest_crops"]
    for_people = monitor("alarms", "show", str(newest["id"])).stdout
    assert newest["about"] in for_people
    assert shown["newest_crops"][0]["path"] in for_people


def test_acknowledging_and_closing(alarmed: Path, monitor: Run) -> None:
    first, second = (str(one["id"]) for one in listed(monitor)[:2])
    done = monitor("alarms", "ack", first, "--author", "anna", "--note", "metal stopped")
    assert (done.returncode, done.stdout.partition(":")[0]) == (
        0, f"alarm {first} is acknowledged, it is closed once the event is over"
    )  # fmt: skip
    assert "by anna at" in monitor("alarms", "show", first).stdout
    twice = monitor("alarms", "ack", first)
    assert twice.returncode == 65
    assert "was acknowledged by anna at" in twice.stderr
    assert monitor("alarms", "close", second, "--author", "ben").stdout.startswith(f"alarm {second} is closed: ")
    closed = monitor("alarms", "ack", second)
    assert closed.returncode == 65
    assert "was closed by ben at" in closed.stderr
    assert "already; nothing is changed" in monitor("alarms", "close", second).stderr
    assert second not in {str(one["id"]) for one in listed(monitor)}
    assert second in {str(one["id"]) for one in listed(monitor, "--closed")}


def test_an_alarm_that_is_unknown_is_said_and_a_word_is_no_alarm(alarmed: Path, monitor: Run) -> None:
    for command in ("show", "ack", "close"):
        outcome = monitor("alarms", command, "4711")
        assert (outcome.returncode, outcome.stderr) == (
            65, "monitor: there is no alarm 4711; see: monitor alarms list --closed\n"
        )  # fmt: skip
        assert monitor("alarms", command, "x").returncode == 2
    assert monitor("alarms", "ack", "1", "--author", " ").returncode == 2


SINKS = """
[alarms.sinks.office]
kind = "log"

[alarms.sinks.siren]
kind = "webhook"
url = "https://siren/geheim"
secret_file = "siren.secret"
"""


def test_deliveries_say_what_is_due_and_sinks_what_they_lack(
    trained: Path, small_dataset: Path, monitor: Run, change: Callable[[str], None]
) -> None:
    plain = (trained / "config.toml").read_text(encoding="utf-8")
    assert monitor("alarms", "deliveries").stderr == "every message is delivered\n"
    assert monitor("alarms", "sinks").stderr.startswith("no sink is configured; see [alarms.sinks]")
    (trained / "config.toml").write_text(plain + SINKS, encoding="utf-8")
    assert monitor("score", small_dataset / "proliv", "--as-inbox", "--exit-zero").returncode == 0
    change("update alarm_deliveries set attempts = 3, error = 'it is out of order' where sink = 'siren'")
    change("update alarm_deliveries set delivered_at = next_try_at where sink = 'office'")
    due = [json.loads(line) for line in monitor("alarms", "deliveries", "--format", "json").stdout.splitlines()]
    assert {(one["sink"], one["attempts"], one["error"]) for one in due} == {("siren", 3, "it is out of order")}
    everything = monitor("alarms", "deliveries", "--delivered", "--format", "json").stdout.splitlines()
    assert len(everything) == 2 * len(due)
    assert "it is out of order" in monitor("alarms", "deliveries").stdout
    assert f"{len(due)} messages since" in monitor("status").stdout
    sinks = monitor("alarms", "sinks", "--format", "json")
    assert sinks.returncode == 69
    office, siren = map(json.loads, sinks.stdout.splitlines())
    assert (office["kind"], office["problem"], office["due"]) == ("log", None, 0)
    assert (siren["kind"], siren["due"]) == ("webhook", len(due))
    assert "siren.secret: cannot be read" in siren["problem"]
    shown = monitor("config", "show")
    assert shown.returncode == 0
    assert "geheim" not in shown.stdout
    (trained / "siren.secret").write_text("x\n")
    assert monitor("alarms", "sinks").returncode == 0
    (trained / "config.toml").write_text(plain, encoding="utf-8")
    assert "no such sink is configured" in monitor("alarms", "deliveries").stdout


def test_config_check_finds_what_is_wrong_with_a_sink(home: Path, monitor: Run) -> None:
    plain = (home / "config.toml").read_text(encoding="utf-8")
    for values, said in (
        (
            'kind = "sirene"',
            "there is no sink 'sirene'; installed are: alertmanager, command, email, log, modbus, mqtt, opcua, webhook",
        ),
        ('kind = "webhook"\nurl = "geheim"', "alarms.sinks.hall.url: is not the address"),
        ('kind = "command"\ncommand = []', "alarms.sinks.hall.command"),
    ):
        (home / "config.toml").write_text(f"{plain}\n[alarms.sinks.hall]\n{values}\n", encoding="utf-8")
        outcome = monitor("config", "check")
        assert outcome.returncode == 78
        assert said in outcome.stdout + outcome.stderr
        assert "geheim" not in outcome.stdout + outcome.stderr
