"""A few weeks of the simulated year: the guard refuses exactly the models that lose a known proliv."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest
from sqlalchemy import select

from monitor.learning import comparison
from monitor.models import folders
from monitor.store import models, retrainings
from monitor.store.database import schema
from monitor.words import Label
from tests.support import simulated_learning
from tests.support.simulated_learning import Result, simulate
from tests.support.stored_crops import opened

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.engine import Connection

    from monitor.store.models import ModelRow

pytestmark = pytest.mark.process

WEEKS = 5
# Where proliv begins by the score of contrast itself.
NATURAL = 1.0


class Trained(NamedTuple):
    """What became of a training; ``lost``: the known proliv that its model misses and the one before it finds."""

    model: str
    state: str
    refusal: str | None
    lost: set[str]


@pytest.fixture(autouse=True)
def few_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that it takes seconds; how so small a model decides on made-up pictures is left to chance."""
    learning = {**simulated_learning.CONFIGURED["learning"], "made_up_tolerance": 1.0}
    monkeypatch.setattr(simulated_learning, "CONFIGURED", {**simulated_learning.CONFIGURED, "learning": learning})
    monkeypatch.setattr(simulated_learning, "SETTINGS", {"pool": 256, "epochs": 3})
    monkeypatch.setattr(simulated_learning, "CHECKED", 60)
    monkeypatch.setattr(simulated_learning, "POLICIES", ("learning",))
    monkeypatch.setattr(simulated_learning, "WEEKS", WEEKS)
    # The simulation changes it.
    monkeypatch.setattr(comparison, "PICTURES", comparison.PICTURES)


def known(connection: Connection, folder: Path, model: ModelRow) -> dict[str, float]:
    """The scores of all known proliv by a model, by content: its own, or cross-fitted where it learned from it."""
    scores, crops = schema.scores, schema.crops
    own = select(crops.c.sha256, scores.c.score).join(crops, crops.c.id == scores.c.crop_id)
    found = {row.sha256: row.score for row in connection.execute(own.where(scores.c.model_id == model.id))}
    learned = folders.cross_fitted(folder, model) | folders.learned_labels(folder, model).get(Label.PROLIV, {})
    return found | {sha256: one.score for sha256, one in learned.items()}


def trained(home: Path) -> list[Trained]:
    """Every training of the plant that learns, judged from what the models' folders and the store say."""
    state = home / "learning" / "state"
    with opened(f"sqlite:///{state / 'monitor.db'}") as database, database.read() as connection:
        by_id = {row.id: row for row in models.all_models(connection)}
        found = []
        for row in retrainings.history(connection, 100)[::-1]:
            assert row.model_id is not None
            new, former = by_id[row.model_id], by_id[row.replaces_id]
            learned = folders.cross_fitted(state / "models", new)
            learned |= folders.learned_labels(state / "models", new).get(Label.PROLIV, {})
            before = known(connection, state / "models", former)
            lost = {
                sha256 for sha256, one in learned.items()
                if one.score < NATURAL and before.get(sha256, NATURAL) >= NATURAL
            }  # fmt: skip
            found.append(Trained(new.name, row.state, row.refusal, lost))
        return found


def lived(home: Path) -> tuple[Result, list[Trained]]:
    (result,) = simulate(home).values()
    return result, trained(home)


def test_no_model_that_loses_a_known_proliv_is_accepted_and_the_same_weeks_come_again(tmp_path: Path) -> None:
    result, rows = lived(tmp_path / "first")
    assert len(result.outcomes) == len(result.false_alarms) == WEEKS
    assert rows
    # For this and for nothing else: worse rates are another reason.
    assert [bool(one.lost) for one in rows] == [one.refusal == "misses_proliv" for one in rows]
    assert lived(tmp_path / "second") == (result, rows)
