from __future__ import annotations

import os
import re
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from monitor.configuration.file import load
from monitor.store.database.engine import Database
from monitor.store.database.lock import only_daemon
from monitor.upkeep.surroundings import findings
from tests.support.configurations import written
from tests.support.stores import upgrade

if TYPE_CHECKING:
    from collections.abc import Callable

    Found = Callable[..., list[str]]

NAME = "10_CAM_C_01-03-2023_05-39-27-929.jpg"


@pytest.fixture
def found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Found:
    """What is found of a configuration, with paths shortened; the inbox has a crop, and nothing else is wrong."""
    for name in [name for name in os.environ if name.upper().startswith("MONITOR")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("TZ", "UTC")
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / NAME).touch()

    def look(text: str = "", *, port: int = 0) -> list[str]:
        configuration = load(written(tmp_path, f"metrics.port = {port}\n{text}"))
        return [sentence.replace(f"{tmp_path}/", "") for sentence in findings(configuration)]

    return look


def test_nothing_is_wrong(found: Found) -> None:
    assert found() == []


def test_an_inbox_that_is_missing_empty_or_a_file(tmp_path: Path, found: Found) -> None:
    (tmp_path / "inbox" / NAME).rename(tmp_path / "inbox" / "notes.txt")
    assert found() == ["paths.inbox: inbox has no crops in it; is it the folder that the camera writes to?"]
    assert found("paths.inbox = 'nowhere'") == [
        "paths.inbox: nowhere does not exist; mount the share or correct the path (monitor run creates a folder)"
    ]
    assert found("paths.inbox = 'config.toml'") == ["paths.inbox: config.toml is not a folder"]


def test_folders_without_permission(tmp_path: Path, found: Found, monkeypatch: pytest.MonkeyPatch) -> None:
    # The tests may run as root, who is refused nothing.
    refused: dict[str, int] = {}
    monkeypatch.setattr(
        "monitor.upkeep.surroundings.os.access", lambda path, mode: not mode & refused.get(Path(path).name, 0)
    )
    for name in ("state", "quarantine", "labelled"):
        (tmp_path / name).mkdir()
    text = (
        "paths.quarantine = 'quarantine'\npaths.archive = 'old/archive'\nmetrics.certificate = 'c'\nmetrics.key = 'k'"
    )
    (tmp_path / "k").touch()
    refused |= {"inbox": os.R_OK, "labelled": os.X_OK, "c": os.R_OK, "k": os.R_OK}
    refused |= dict.fromkeys(("state", "quarantine", tmp_path.name), os.W_OK)
    assert found(text) == [
        "paths.inbox: inbox may not be read; give the user that runs monitor permission",
        "paths.state: state may not be written; give the user that runs monitor permission",
        "paths.quarantine: quarantine may not be written; give the user that runs monitor permission",
        "paths.archive: old/archive does not exist and cannot be created in "
        f"{tmp_path}; create it and give the user permission",
        "paths.labelled: labelled may not be read; give the user that runs monitor permission",
        "metrics.certificate: c does not exist; correct the path or the permissions",
        "metrics.key: k may not be read; correct the path or the permissions",
    ]
    refused.clear()
    refused["inbox"] = os.W_OK
    assert found() == []
    assert found("inbox.after = 'delete'") == [
        "paths.inbox: inbox may not be written, but inbox.after or paths.quarantine moves files out of it"
    ]


def test_only_a_labelled_folder_that_somebody_named_is_missed(found: Found) -> None:
    assert found("paths.labelled = 'labels'") == [
        "paths.labelled: labels does not exist; create it, or correct the path"
    ]


def test_names_that_the_pattern_does_not_match(found: Found) -> None:
    assert found("crops.name_pattern = 'H(?P<hole>[0-9]+)'") == [
        f"crops.name_pattern: matches none of the first 1 names in inbox, such as {NAME}; their hole, camera and time "
        "stay unknown"
    ]


def test_another_time_zone_than_the_machines(found: Found, monkeypatch: pytest.MonkeyPatch) -> None:
    assert found("plant.time_zone = 'Europe/Moscow'") == [
        "plant.time_zone: is Europe/Moscow (+03:00), but this machine's clock is in UTC (+00:00); times in file names "
        "are read as Europe/Moscow, which has to be the cameras' zone"
    ]
    # The same clock under another name.
    assert found("plant.time_zone = 'Etc/GMT'") == []
    # The same one only for half of the year.
    assert len(found("plant.time_zone = 'Europe/London'")) == 1


def test_a_port_in_use_unless_by_the_daemon_of_this_configuration(tmp_path: Path, found: Found) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert found(port=port) == [
            f"metrics.port: {port} is in use by another program; choose another port, or stop it"
        ]
        assert found("metrics.enabled = false", port=port) == []
        (tmp_path / "state").mkdir()
        database = Database(f"sqlite:///{tmp_path}/state/monitor.db", busy_seconds=1)
        upgrade(database)
        with only_daemon(database):
            assert found(port=port) == []
        database.close()


def test_an_address_of_another_machine(found: Found) -> None:
    (sentence,) = found("metrics.host = '192.0.2.1'", port=9464)
    assert re.fullmatch(r"metrics\.host: 192\.0\.2\.1, port 9464: cannot be bound: .+", sentence)


def test_a_database_that_cannot_be_used(tmp_path: Path, found: Found) -> None:
    (tmp_path / "x.db").write_text("no database, " * 100)
    (sentence,) = found("database.url = 'sqlite:///x.db'")
    assert sentence.startswith("database.url: sqlite:///x.db: ")
    pytest.importorskip("psycopg")
    (sentence,) = found("database.url = 'postgresql://u:geheim@127.0.0.1:9/n'")
    assert sentence.startswith("database.url: postgresql+psycopg://u:***@127.0.0.1:9/n: ")
    assert "geheim" not in sentence


def test_variables_that_do_nothing(found: Found, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MONITOR_METRICS_PORT", "MONITOR_INBOX", "MONITOR_TESTS_REQUIRE", "MONITORING"):
        monkeypatch.setenv(name, "1")
    sentences = [
        "environment: MONITOR_INBOX is not used: keys are given as MONITOR__SECTION__KEY",
        "environment: MONITOR_METRICS_PORT is not used: keys are given as MONITOR__SECTION__KEY; did you mean "
        "MONITOR__METRICS__PORT?",
    ]
    assert found() == sentences
    assert list(findings(None)) == sentences
