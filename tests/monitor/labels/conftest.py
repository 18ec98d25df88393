"""Fixtures for labels: an empty database with one model, and a home whose labelled folder is read by hand."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select

from monitor.configuration.file import load
from monitor.crops.reader import Reader
from monitor.labels.missing_scores import ScoredMissing, score_missing
from monitor.labels.rescan import Rescanned, rescan
from monitor.registry import Registry
from monitor.scoring.ensemble import Ensemble, load_active
from monitor.scoring.pipeline import score
from monitor.scoring.record import record
from monitor.store import decisions
from monitor.store.database.engine import Database
from monitor.store.database.schema import calibrations, crops, metadata, models, scores
from monitor.store.decisions import ScoreRow
from monitor.store.labelled_files import all_files
from monitor.store.labels import NewLabel, add_labels, all_labels, find_crops
from monitor.words import Label
from tests.support import stored_crops

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sqlalchemy.engine import Connection

    from monitor.configuration.resolved import Configuration
    from monitor.store.decisions import CropRow

START = datetime(2024, 5, 1, 12, tzinfo=UTC)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty database with one calibrated model."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/monitor.db"
    else:
        new_database: Callable[[], str] = request.getfixturevalue("new_postgresql_database")
        url = new_database()
    database = Database(url, busy_seconds=0)
    with database.write() as connection:
        metadata.create_all(connection)
        connection.execute(
            models.insert().values(
                name="ae-1", detector="ae", fingerprint="1", folder="ae-1", settings={}, trained_at=START
            )
        )
        connection.execute(
            calibrations.insert().values(
                model_id=1, rule="fixed", settings={}, threshold=1.0, evidence={}, state="active", created_at=START
            )
        )
    yield database
    database.close()


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    """A transaction in an empty database with one calibrated model."""
    with database.write() as connection:
        yield connection


def crop(
    connection: Connection,
    name: str,
    content: str | None = None,
    *,
    verdict: str = "ne_proliv",
    source: str = "inbox",
    failed: bool = False,
    unusual: bool = False,
) -> int:
    """Store a crop; its id."""
    row = crop_row(name, content, verdict=verdict, source=source, failed=failed)._replace(unusual=unusual)
    decisions.record(connection, [row])
    return find_crops(connection, paths=[row.path])[-1].id


def crop_row(
    name: str, content: str | None = None, *, verdict: str = "ne_proliv", source: str = "inbox", failed: bool = False
) -> CropRow:
    """A crop of its own content, unless it has that of others."""
    row = stored_crops.crop(
        name, sha256=content or name, hole=1, captured_at=None, seen_at=START, source=source, size_bytes=1, mtime_ns=1
    )
    if failed:
        return stored_crops.failed(row)
    score = ScoreRow(1, 1, 0.1, 0.5, 1.0, verdict, START, 0.0)
    return row._replace(
        verdict=verdict, decision_score=0.5, decision_threshold=1.0, decided_by="primary", scores=(score,)
    )


def say(
    connection: Connection,
    crop_id: int,
    label: Label,
    author: str | None = None,
    *,
    minute: int,
    settles: bool = False,
    source: str | None = None,
) -> None:
    source = source or ("folder" if author is None else "command")
    at = START + timedelta(minutes=minute)
    add_labels(connection, [NewLabel(crop_id, label.value, source, author, at, None, settles)])


class Home:
    """A working directory with a copy of a trained state."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.labelled = folder / "labelled"
        self.configuration: Configuration = load()
        self.registry = Registry.load()
        self.database = Database(self.configuration.database_url, busy_seconds=1)
        self.ensemble: Ensemble = load_active(self.database, self.registry, self.configuration)
        for label in Label:
            (self.labelled / label.value).mkdir(parents=True)

    def rescan(self) -> Rescanned:
        return rescan(self.configuration, self.database, self.ensemble)

    def score_missing(self) -> ScoredMissing:
        return score_missing(self.configuration, self.database, self.ensemble)

    def score(self, *paths: Path) -> None:
        batch = Reader(self.configuration).read(paths, source="folder")
        record(self.database, [score(batch, self.ensemble)])

    def crops(self) -> list[tuple[str, str]]:
        with self.database.read() as connection:
            return [tuple(row) for row in connection.execute(select(crops.c.path, crops.c.source).order_by(crops.c.id))]

    def labels(self) -> list[tuple[int, str]]:
        with self.database.read() as connection:
            return [(row.crop_id, row.label) for row in all_labels(connection)]

    def files(self) -> list[str]:
        with self.database.read() as connection:
            return sorted(row.path for row in all_files(connection))

    def scores(self) -> int:
        with self.database.read() as connection:
            return connection.execute(select(func.count()).select_from(scores)).scalar_one()


@pytest.fixture
def home(tmp_path: Path, trained_state: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    for name in [name for name in os.environ if name.startswith("MONITOR")]:
        monkeypatch.delenv(name)
    shutil.copytree(trained_state, tmp_path / "state")
    monkeypatch.chdir(tmp_path)
    home = Home(tmp_path)
    yield home
    home.database.close()


@pytest.fixture
def pair_home(
    tmp_path: Path, pair_state: Path, second_detector: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Home]:
    for name in [name for name in os.environ if name.startswith("MONITOR")]:
        monkeypatch.delenv(name)
    monkeypatch.syspath_prepend(second_detector)
    shutil.copytree(pair_state, tmp_path / "state")
    monkeypatch.chdir(tmp_path)
    home = Home(tmp_path)
    yield home
    home.database.close()


@pytest.fixture(scope="module")
def pictures(small_dataset: Path) -> list[Path]:
    return sorted((small_dataset / "train").glob("*.jpg"))
