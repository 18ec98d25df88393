"""The truth about a stream: which hole broke out when, in a file beside its crops."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from monitor.api import OutputError

if TYPE_CHECKING:
    from datetime import datetime, tzinfo
    from pathlib import Path

    from generators.crops.streaming import StreamedCrop

EVENTS_FILE: Final = "events.csv"
_HEADER: Final = "hole,camera,start,end"
_BEHIND: Final = timedelta(seconds=1)


class EventLog:
    """Keeps ``folder``/events.csv: a line for each bleed-out, with the times of its first and of its last crop.

    Times are those in the crops' names, with the offset of ``zone``. What the file holds already stays. Raises
    `OutputError` where it is another file, or cannot be read or written.
    """

    def __init__(self, folder: Path, zone: tzinfo) -> None:
        self._file = folder / EVENTS_FILE
        self._zone = zone
        self._earlier = self._read()
        self._events: list[list[str]] = []
        self._running: dict[tuple[str, int], list[str]] = {}
        self._written: datetime | None = None

    def see(self, crop: StreamedCrop) -> None:
        """Take the next crop; as long as bleed-outs go on, the file is at most a second behind."""
        place = crop.camera, crop.hole
        if not crop.proliv:
            self._running.pop(place, None)
            return
        at = self._time(crop.moment)
        if place not in self._running:
            self._running[place] = [str(crop.hole), crop.camera, at, at]
            self._events.append(self._running[place])
        self._running[place][-1] = at
        if self._written is None or crop.moment - self._written >= _BEHIND:
            self._written = crop.moment
            self.write()

    def write(self) -> None:
        """Write the file, whole or not at all; bleed-outs that go on end with their last crop until now."""
        hidden = self._file.with_name(f".{EVENTS_FILE}")
        lines = "".join(f"{','.join(event)}\n" for event in self._events)
        try:
            hidden.write_text(self._earlier + lines, encoding="utf-8")
            hidden.replace(self._file)
        except OSError as error:
            with suppress(OSError):
                hidden.unlink(missing_ok=True)
            raise OutputError(f"{self._file}: {error.strerror}; the list of true events cannot be written") from None

    def _read(self) -> str:
        try:
            earlier = self._file.read_text(encoding="utf-8")
        except FileNotFoundError:
            return f"{_HEADER}\n"
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no text"
            raise OutputError(f"{self._file}: cannot be read: {reason}; move it away") from None
        if earlier.partition("\n")[0].rstrip("\r") != _HEADER:
            raise OutputError(
                f"{self._file}: is no list of the events of a stream; move it away, or name another folder"
            )
        return earlier if earlier.endswith("\n") else f"{earlier}\n"

    def _time(self, moment: datetime) -> str:
        # As a name is read: of an hour that the clock repeats, the first pass; and of a time, whole milliseconds.
        return moment.replace(tzinfo=self._zone, fold=0).isoformat(timespec="milliseconds")
