"""The published way as a reference: one image at a time, with a forward pass and a commit for each."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from monitor.api import Detector

LONGEST_SECONDS: Final = 1.0
SCHEMA: Final = "create table decisions (id integer primary key, file text, mse real, proliv integer)"
INSERT: Final = "insert into decisions (file, mse, proliv) values (?, ?, ?)"


def crops_per_second(detector: Detector, threshold: float, paths: Sequence[Path], database: Path) -> float:
    """Decide on files one by one: Pillow opens and resizes a file, the detector scores it, one row is committed.

    It stops after `LONGEST_SECONDS` or with the last file. The commit is as cheap as one that survives a power cut can
    be: SQLite with a write-ahead log, and one table without an index.
    """
    height, width = detector.input_size
    database.unlink(missing_ok=True)
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("pragma journal_mode = wal")
        connection.execute("pragma synchronous = full")
        connection.execute(SCHEMA)
        connection.commit()
        done, passed, started = 0, 0.0, time.perf_counter()
        for path in paths:
            with Image.open(path) as image:
                pixels = np.asarray(image.convert("RGB").resize((width, height), Image.Resampling.BILINEAR))
            scores = detector.score(pixels[None])
            mse, score = float(scores.mse[0]), float(scores.deciding[0])
            connection.execute(INSERT, (path.name, mse, int(score >= threshold)))
            connection.commit()
            done += 1
            passed = time.perf_counter() - started
            if passed >= LONGEST_SECONDS:
                break
        return done / passed
