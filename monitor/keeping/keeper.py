"""Reads the files of crops whose content is due, and keeps it in the store.

The crops are noted in the transaction that makes them evidence, and their files are read after it: the files are on a
share that may take its time. Until they are read, the tidier leaves them alone, so that nothing is lost whatever is
killed. Any program may do it: the daemon does all the time, and a command that labels crops does it at once.
"""

from __future__ import annotations

import logging
import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from monitor.crops.loader import CropReader
from monitor.crops.refusals import lacks_memory
from monitor.errors import CropRefusedError, StoreDamagedError, StoreError
from monitor.files.text import from_text
from monitor.keeping.places import places_of, recent_folder
from monitor.store import kept
from monitor.words import Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from monitor.configuration.resolved import Configuration
    from monitor.store.database.engine import Database
    from monitor.store.kept import Owed

log = logging.getLogger(__name__)

# A crop has some kilobytes; a file beyond this is not kept.
LARGEST_BYTES: Final = 1_048_576
# How many files are read before what was in them is stored.
TOGETHER: Final = 32
# What could not be read is tried again after this.
TRY_AGAIN: Final = timedelta(seconds=30)
# A file that is nowhere may be on its way from one place to another; after this it is gone. One of another inbox may be
# another daemon's, which finds it sooner.
GONE_AFTER: Final = timedelta(seconds=60)
ANOTHERS_GONE_AFTER: Final = timedelta(days=1)
# With these, a place does not hold the crop's content.
ELSEWHERE: Final = frozenset({Reason.VANISHED, Reason.EMPTY, Reason.SYMLINK, Reason.NOT_A_FILE, Reason.TOO_LARGE})

GONE: Final = "its file was deleted, moved away or overwritten before it could be kept"


class _Found(NamedTuple):
    """What became of a crop: its content, or why there is none; ``unsure``: it may be there and was not read."""

    content: bytes | None = None
    unsure: str | None = None


class Keeper:
    """Keeps what is due."""

    def __init__(
        self,
        database: Database,
        configuration: Configuration,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database = database
        self._inbox = configuration.inbox
        self._recent = recent_folder(configuration)
        self._clock = clock
        folders = (configuration.inbox, configuration.labelled)
        roots = sorted((os.fspath(folder) for folder in folders if folder is not None), key=len)
        self._reader = CropReader(max_bytes=LARGEST_BYTES, max_pixels=1, roots=roots)

    def look(self) -> bool:
        """Keep some of what is due; False where nothing is left that can be tried now. Raises `StoreError`."""
        now = self._clock()
        with self._database.read() as connection:
            crops = kept.owed(connection, now, TOGETHER, again=TRY_AGAIN)
            places = places_of(connection, crops, self._recent) if crops else {}
        if not crops:
            return False
        too_large = {crop.crop_id: _too_large(crop.size_bytes) for crop in crops if crop.size_bytes > LARGEST_BYTES}
        found = {
            crop.crop_id: self._read(crop.sha256, places[crop.crop_id])
            for crop in crops
            if crop.crop_id not in too_large
        }
        self._store(crops, found, too_large, now)
        return len(crops) == TOGETHER

    def _store(self, crops: Sequence[Owed], found: dict[int, _Found], too_large: dict[int, str], now: datetime) -> None:
        contents: dict[int, tuple[str, bytes]] = {}
        waiting: dict[int, str] = {}
        gone: dict[int, str] = {}
        for crop in crops:
            one = found.get(crop.crop_id)
            if one is None:
                continue
            if one.content is not None:
                contents[crop.crop_id] = (crop.sha256, one.content)
            elif one.unsure is None and now - crop.since >= self._gone_after(crop):
                gone[crop.crop_id] = GONE
            else:
                waiting[crop.crop_id] = one.unsure or GONE
        with self._database.write() as connection:
            kept.keep(connection, contents)
            kept.put_off(connection, waiting, now)
            kept.give_up(connection, gone, "gone", now)
            kept.give_up(connection, too_large, "too_large", now)
        for crop in crops:
            why = gone.get(crop.crop_id) or too_large.get(crop.crop_id)
            if why is not None:
                log.warning("crop %d, %s: is not kept as evidence: %s", crop.crop_id, crop.path, why)

    def _gone_after(self, crop: Owed) -> timedelta:
        own = crop.source != "inbox" or from_text(crop.path).is_relative_to(self._inbox)
        return GONE_AFTER if own else ANOTHERS_GONE_AFTER

    def _read(self, sha256: str, places: Sequence[Path]) -> _Found:
        """The content from the first place that has it."""
        unsure = None
        for place in places:
            try:
                content = self._reader.load(place)
            except CropRefusedError as refusal:
                if lacks_memory(refusal) or refusal.reason not in ELSEWHERE:
                    unsure = str(refusal)
                continue
            if content.sha256 == sha256:
                return _Found(content.data)
        if unsure is None and not os.path.isdir(self._inbox):  # noqa: PTH112 - never raises
            unsure = "the inbox is not there; mount its share"
        return _Found(unsure=unsure)


def keep_now(database: Database, configuration: Configuration) -> None:
    """Keep what is due, for a command that has just made something due; what cannot be kept now the daemon keeps."""
    keeper = Keeper(database, configuration)
    try:
        while keeper.look():
            pass
    except StoreDamagedError:
        raise
    except StoreError as error:
        log.warning("the crops' files are not kept as evidence yet: %s; the daemon will do it", error)


def _too_large(size_bytes: int) -> str:
    return f"its file holds {size_bytes:,} bytes, and at most {LARGEST_BYTES:,} are kept of a crop"
