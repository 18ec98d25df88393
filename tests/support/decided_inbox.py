"""An inbox with an archive and a store, whose crops are decided past the program."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import select

from monitor.configuration.file import load
from monitor.files.text import to_text
from monitor.inbox.archive import Archive
from monitor.inbox.tidier import Tidier
from monitor.store import decisions
from monitor.store import models as store_models
from monitor.store.database.engine import Database
from monitor.store.database.schema import calibrations, crops, models
from monitor.store.decisions import CropRow, ScoreRow
from tests.support.disks import below, sha256
from tests.support.stores import upgrade

if TYPE_CHECKING:
    from pathlib import Path

NOW: Final = datetime(2026, 3, 2, 23, 30, tzinfo=UTC)
# The same on the plant's clock.
DAY: Final = "2026-03-03"


class DecidedInbox:
    """A store with two models, an inbox and an archive; crops are decided past the program."""

    def __init__(self, home: Path, after: str, archive: Path | None = None) -> None:
        self.home = home
        self.inbox = home / "inbox"
        self.archive = archive or home / "archive"
        self.inbox.mkdir()
        self.file = home / "config.toml"
        self.configure(after)
        self.database = Database(self.configuration.database_url, busy_seconds=5)
        upgrade(self.database)
        with self.database.write() as connection:
            for number in (1, 2):
                store_models.add_model(
                    connection,
                    name=f"m{number}", detector=f"d{number}", fingerprint=f"{number}" * 64, folder="f", settings={},
                )  # fmt: skip
                row: dict[str, Any] = {
                    "model_id": number,
                    "rule": "r",
                    "settings": {},
                    "threshold": 0.5,
                    "evidence": {},
                }
                connection.execute(calibrations.insert(), {**row, "state": "active", "created_at": NOW})
            connection.execute(models.update().values(active=True, activated_at=NOW))
        self.outcomes: Counter[str] = Counter()

    def configure(self, after: str, **paths: Path) -> None:
        places = {"archive": self.archive, **paths}
        lines = [f"{key} = '{path}'" for key, path in places.items()]
        self.file.write_text(
            "\n".join(["[plant]", "time_zone = 'Europe/Moscow'", "[paths]", *lines, "[inbox]", f"after = '{after}'"])
        )
        self.configuration = load(self.file)

    def put(self, name: str, content: bytes) -> Path:
        path = self.inbox / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        return path

    def decide(self, path: Path, *, planned: bool = True, **changes: object) -> int:
        """Store a decision on a file as it is now, with its place in the archive where there is one."""
        status = path.stat()
        score = ScoreRow(1, 1, 0.1, 0.1, 0.5, "ne_proliv", NOW, 0.0)
        archive = Archive(self.archive, ZoneInfo("Europe/Moscow"))
        values: dict[str, Any] = {
            "path": to_text(path), "sha256": sha256(path), "size_bytes": status.st_size, "mtime_ns": status.st_mtime_ns,
            "width": 9, "height": 9, "hole": 1, "camera": "C", "captured_at": None, "seen_at": NOW, "reason": None,
            "error": None, "verdict": "ne_proliv", "decision_score": 0.1, "decision_threshold": 0.5,
            "decided_by": "primary", "scores": (score,), "source": "inbox",
            "archived_path": to_text(archive.place(NOW, "ne_proliv", path.name)) if planned else None,
            **changes,
        }  # fmt: skip
        with self.database.write() as connection:
            decisions.record(connection, [CropRow(**values)])
            query = select(crops.c.id).where(crops.c.path == to_text(path), crops.c.sha256 == values["sha256"])
            return int(connection.execute(query).scalar_one())

    def tidier(self) -> Tidier:
        def count(outcome: str) -> None:
            self.outcomes[outcome] += 1

        return Tidier(self.configuration, self.database, count)

    def tidy(self) -> None:
        """One look over the inbox, as at the start of the daemon."""
        self.tidier()._sweep()

    def archived(self) -> dict[str, bytes]:
        return {path.relative_to(self.archive).as_posix(): path.read_bytes() for path in below(self.archive)}

    def places(self) -> dict[int, str | None]:
        with self.database.read() as connection:
            return {row.id: row.archived_path for row in connection.execute(select(crops.c.id, crops.c.archived_path))}
