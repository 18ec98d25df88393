from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest
from sqlalchemy import delete, insert

from monitor.api import Provider
from monitor.configuration import file
from monitor.crops.in_memory import read_all
from monitor.crops.reader import Reader
from monitor.errors import ConfigurationError, NoModelError
from monitor.evaluation.rule_table import referenced_models, tabulate
from monitor.registry import RULE, Registered, Registry
from monitor.store import references
from monitor.store.database.engine import Database
from monitor.store.database.schema import reference_scores

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from monitor.crops.in_memory import ReadCrops
    from monitor.evaluation.rule_table import Entry

RULES = """
from pydantic import BaseModel

from monitor.api import ThresholdRule


class Nothing(BaseModel):
    pass


class Unmade(ThresholdRule):
    name = "unmade"
    Settings = BaseModel  # pydantic refuses to make one

    def choose(self, evidence):
        return 1


class Raising(ThresholdRule):
    name = "raising"
    Settings = Nothing

    def choose(self, evidence):
        return 1 / len(evidence.normal[:0])


class Endless(ThresholdRule):
    name = "endless"
    Settings = Nothing

    def choose(self, evidence):
        return float("inf")


class Counting(ThresholdRule):
    name = "counting"
    Settings = Nothing

    def choose(self, evidence):
        assert set(evidence.normal_weights) == set(evidence.proliv_weights) == {1}
        assert evidence.crops_per_week is None
        return len(evidence.normal) + len(evidence.proliv) / 100
"""


@pytest.fixture
def state(tmp_path: Path, trained_state: Path) -> Path:
    """A home folder with one model, which has two references of ne_proliv and three of proliv."""
    shutil.copytree(trained_state, tmp_path / "state")
    (tmp_path / "config.toml").write_text('[pipeline]\ndevice = "cpu"\n', encoding="utf-8")
    return tmp_path


@pytest.fixture
def database(state: Path) -> Iterator[Database]:
    opened = Database(file.load(state / "config.toml").database_url, busy_seconds=5)
    with opened.write() as connection:
        connection.execute(delete(reference_scores))
        for number, (label, score) in enumerate(
            [("ne_proliv", 0.25), ("proliv", 0.5), ("proliv", 4.0), ("ne_proliv", 0.125), ("proliv", 0.75)]
        ):
            row = {"model_id": 1, "sha256": f"{9 - number:064d}", "label": label, "score": score}
            connection.execute(insert(reference_scores).values(row))
    yield opened
    opened.close()


@pytest.fixture
def crops(state: Path, small_dataset: Path) -> ReadCrops:
    paths = sorted((small_dataset / "test" / "ne_proliv").iterdir())[:3]
    return read_all(Reader(file.load(state / "config.toml")), paths)


def table(home: Path, database: Database, registry: Registry, crops: ReadCrops) -> dict[str, Entry]:
    configuration = file.load(home / "config.toml")
    truth = np.array([False, True, False])
    return {entry.rule: entry for entry in tabulate(referenced_models(database), registry, configuration, crops, truth)}


def offering(*names: str) -> Registry:
    """The installed plug-ins, and third-party rules of these names."""
    registry = Registry.load()
    for name in names:
        provider = Provider(name, "for a test", f"odd_rules:{name.capitalize()}")
        registry.rules[name] = Registered(RULE, provider, "a test")
    return registry


def test_references_come_by_model_in_the_order_of_their_digests(database: Database) -> None:
    with database.read() as connection:
        found = [(row.label, row.score) for row in references.references_of(connection, 1)]
    assert found == [("proliv", 0.75), ("ne_proliv", 0.125), ("proliv", 4.0), ("proliv", 0.5), ("ne_proliv", 0.25)]
    (one,) = referenced_models(database)
    assert sorted(one.evidence.normal) == [0.125, 0.25]
    assert sorted(one.evidence.proliv) == [0.5, 0.75, 4.0]


def test_no_references_and_an_unknown_model_are_said(database: Database) -> None:
    with pytest.raises(NoModelError, match="nix"):
        referenced_models(database, ["nix"])
    with database.write() as connection:
        connection.execute(delete(reference_scores))
    with pytest.raises(NoModelError, match="no model has stored scores of labelled crops"):
        referenced_models(database)


def test_whatever_one_rule_does_the_others_are_measured(
    state: Path, database: Database, crops: ReadCrops, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (state / "odd_rules.py").write_text(RULES, encoding="utf-8")
    monkeypatch.syspath_prepend(state)
    entries = table(state, database, offering("raising", "endless", "counting", "absent", "unmade"), crops)
    assert entries["raising"].reason == "the rule 'raising' of a test failed: ZeroDivisionError: division by zero"
    assert "Traceback" in caplog.text
    assert "the rule 'unmade' of a test failed: PydanticUserError" in str(entries["unmade"].reason)
    assert entries["endless"].reason == "the rule 'endless' of a test chose inf, which is no threshold"
    assert "cannot be imported from odd_rules:Absent" in str(entries["absent"].reason)
    counting = entries["counting"].evaluation
    assert counting is not None
    assert (counting.threshold, counting.n) == (2.03, 3)
    assert entries["mean-proliv"].as_dict()["threshold"] == 1.75
    assert entries["raising"].as_dict()["threshold"] is None


def test_a_wrong_setting_is_an_error_and_no_sentence_in_a_table(
    state: Path, database: Database, crops: ReadCrops
) -> None:
    (state / "config.toml").write_text("[rules.stump]\ncriterion = 'mse'", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"rules\.stump"):
        table(state, database, Registry.load(), crops)
