"""Which crops are sent: the best known ones that a real model decides as it should."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from monitor.configuration.file import load
from monitor.errors import DataError, InputMissingError
from monitor.registry import Registry
from monitor.scoring.ensemble import load_active
from monitor.selftest.choice import choose
from monitor.words import Label
from tests.support.stored_crops import opened

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.selftest.choice import Chosen
    from tests.conftest import RunMonitor


@pytest.fixture
def home(trained_state: Path, tmp_path: Path) -> Path:
    """A folder with a trained state and a configuration."""
    shutil.copytree(trained_state, tmp_path / "state")
    (tmp_path / "config.toml").write_text("[pipeline]\nworkers = 1\n", encoding="utf-8")
    return tmp_path


def chosen(home: Path) -> dict[Label, Chosen]:
    configuration = load(home / "config.toml")
    with opened(configuration.database_url) as database:
        return choose(configuration, database, load_active(database, Registry.load(), configuration))


def said(home: Path) -> list[str]:
    return [one.said for one in chosen(home).values()]


def change(home: Path, statement: str) -> None:
    with closing(sqlite3.connect(home / "state" / "monitor.db", timeout=30)) as connection, connection:
        connection.execute(statement)


def test_references_of_the_threshold_are_sent_where_nothing_was_decided_yet(home: Path, small_dataset: Path) -> None:
    found = chosen(home)
    for label, part in ((Label.PROLIV, "proliv"), (Label.NE_PROLIV, "train")):
        one = found[label]
        assert one.said.startswith(f"{small_dataset / part}/")
        assert one.said.endswith(", a reference for the threshold")
        assert (one.score >= one.threshold) is (label is Label.PROLIV)


def test_labelled_crops_come_first_and_then_those_that_were_decided(
    home: Path, small_dataset: Path, run_monitor: RunMonitor
) -> None:
    # The folder is not on this machine any more.
    change(home, "update calibrations set evidence = json_remove(evidence, '$.data')")
    assert run_monitor("score", str(small_dataset / "test"), "--as-inbox", "--exit-zero").returncode == 0
    proliv, normal = said(home)
    assert (proliv.partition(",")[2], normal.partition(",")[2]) == (" decided proliv", " decided ne_proliv")
    number = proliv.split()[1].rstrip(",")
    assert run_monitor("label", number, "--as", "proliv").returncode == 0
    assert said(home) == [f"crop {number}, labelled proliv", normal]
    # Of what was decided wrongly it is known that it shows none.
    assert run_monitor("label", number, "--as", "ne_proliv").returncode == 0
    assert number not in said(home)[0].partition(",")[0].split()


def test_a_model_that_decides_none_as_it_should_is_named_with_what_was_tried(home: Path) -> None:
    change(home, "update calibrations set threshold = 1e9, evidence = json_remove(evidence, '$.data')")
    with pytest.raises(DataError, match=r"leg detector: of \d+ made-up crops ae-\w+ decides none to be proliv"):
        chosen(home)


def test_crops_that_the_configuration_names_are_sent_and_no_others(home: Path, small_dataset: Path) -> None:
    (proliv, *_), (normal, *_) = (sorted((small_dataset / part).glob("*.jpg")) for part in ("proliv", "train"))
    section = '[alarms.selftest]\nproliv_crop = "{}"\nnormal_crop = "{}"\n'
    (home / "config.toml").write_text(section.format(proliv, normal), encoding="utf-8")
    found = chosen(home)
    assert [one.content for one in found.values()] == [proliv.read_bytes(), normal.read_bytes()]
    assert found[Label.PROLIV].said == "named by alarms.selftest.proliv_crop"
    (home / "config.toml").write_text(section.format(home / "gone.jpg", normal), encoding="utf-8")
    with pytest.raises(InputMissingError, match=r"gone\.jpg: the crop that alarms\.selftest\.proliv_crop names cannot"):
        chosen(home)
    (home / "config.toml").write_text(section.format(normal, normal), encoding="utf-8")
    with pytest.raises(DataError, match=r"of 1 named crops .* decides none to be proliv"):
        chosen(home)
