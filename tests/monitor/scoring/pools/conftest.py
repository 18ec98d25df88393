"""A trained model, pools on it, and files that are traps for whatever reads them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from monitor.configuration.file import load
from monitor.crops.loader import CropReader
from monitor.files.walking import crop_files
from monitor.registry import Registry
from monitor.scoring.ensemble import Ensemble, load_active
from monitor.scoring.pools import pool as pool_module
from monitor.scoring.pools import watched
from monitor.scoring.pools.pool import open_pool
from monitor.store.database.engine import Database
from tests.support.decoding_traps import trapped, with_traps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from monitor.configuration.resolved import Configuration
    from monitor.scoring.batches import ScoredBatch
    from monitor.scoring.pools.watched import WatchedPool

SECONDS_PER_CROP = 0.3


class Home:
    """A trained state, loaded, and pools on it, which end with the test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.configuration: Configuration = load(folder / "config.toml")
        self.registry = Registry.load()
        self.database = Database(self.configuration.database_url, busy_seconds=1)
        self.ensemble: Ensemble = load_active(self.database, self.registry, self.configuration)
        self.database.close()
        self.pools: list[WatchedPool] = []

    def start(self, count: int, *, remember: bool = False) -> WatchedPool:
        pool = open_pool(self.configuration, self.registry, self.ensemble, count, remember=remember)
        self.pools.append(pool)
        return pool

    def score(self, pool: WatchedPool, paths: Sequence[str]) -> list[ScoredBatch]:
        return list(pool.submit(paths, self.ensemble).parts())


@pytest.fixture
def home(tmp_path: Path, trained_state: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    monkeypatch.setattr(pool_module, "cores", lambda: 2)
    monkeypatch.setattr(watched, "LOOK_SECONDS", 0.05)
    shutil.copytree(trained_state, tmp_path / "state")
    settings = f'[pipeline]\ndevice = "cpu"\nseconds_per_crop = {SECONDS_PER_CROP}\n'
    (tmp_path / "config.toml").write_text(settings, encoding="utf-8")
    home = Home(tmp_path)
    yield home
    for pool in home.pools:
        pool.stop()


@pytest.fixture
def good(small_dataset: Path) -> list[str]:
    """Twenty crops that nothing is wrong with."""
    return sorted(crop_files(small_dataset / "test"))[:20]


@pytest.fixture
def bad(tmp_path: Path) -> list[str]:
    """Files that are refused: one that is empty, one that is no picture, and one that is not there."""
    folder = tmp_path / "bad"
    folder.mkdir()
    (folder / "empty.jpg").touch()
    (folder / "text.jpg").write_text("hello", encoding="utf-8")
    return [str(folder / name) for name in ("empty.jpg", "text.jpg", "gone.jpg")]


@pytest.fixture
def trap(tmp_path: Path, good: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Make crops that are traps, see `tests.support.decoding_traps`; to be used before a pool is begun."""
    monkeypatch.setattr(CropReader, "decode", with_traps(CropReader.decode, tmp_path / "sprung"))

    def make(word: str, name: str = "") -> str:
        path = tmp_path / "traps" / f"7_CAM_C_01-03-2023_05-39-27-929_{name or word}.jpg"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(trapped(Path(good[0]).read_bytes(), word))
        return str(path)

    return make


def rows(parts: Sequence[ScoredBatch]) -> dict[str, str | None]:
    """By name of each file that came back, the reason of its refusal."""
    found: dict[str, str | None] = {}
    for part in parts:
        for row, path in enumerate(part.files.paths):
            assert path not in found
            refusal = part.refusals.get(row)
            found[path] = refusal.reason if refusal else None
    return found
