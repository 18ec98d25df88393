"""The evidence of an alarm as one file, the same as `monitor alarms export` writes."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from tempfile import TemporaryFile
from threading import BoundedSemaphore
from typing import IO, TYPE_CHECKING, Final

from starlette.exceptions import HTTPException
from starlette.responses import StreamingResponse

from monitor.errors import DataError
from monitor.web.ids import id_of
from monitor.web.site import Site

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.requests import Request
    from starlette.responses import Response

PIECE: Final = 65_536
# Models are loaded and pictures drawn for each export: one at a time, so that the page goes on.
_drawing: Final = BoundedSemaphore(1)


def export(request: Request) -> Response:
    """The ZIP file; 503 while another one is being put together.

    What the daemon has yet to keep of the crops is missing in it: looking at something changes nothing here.
    """
    site, alarm_id = Site.of(request), id_of(request)
    if not _drawing.acquire(blocking=False):
        raise HTTPException(
            503, "Another export is being put together; ask again in a few seconds.", {"Retry-After": "5"}
        )
    try:
        file = _put_together(site, alarm_id)
    finally:
        _drawing.release()
    headers = {
        "Content-Length": str(file.seek(0, os.SEEK_END)),
        "Content-Disposition": f'attachment; filename="alarm-{alarm_id}.zip"',
    }
    return StreamingResponse(_pieces(file), media_type="application/zip", headers=headers)


def _put_together(site: Site, alarm_id: int) -> IO[bytes]:
    """The content in a file that has no name, so that nothing is left behind however the download ends."""
    # They load the libraries of pictures and models, which the page does without until then.
    from monitor.report.alarm_export import evidence_of
    from monitor.report.alarm_facts import gather_alarm
    from monitor.report.alarm_pictures import Drawer

    try:
        facts = gather_alarm(site.database, alarm_id)
    except DataError:
        raise HTTPException(404, "There is no alarm with this number.") from None
    drawer = Drawer(site.registry, site.configuration, facts.models)
    content = evidence_of(facts, drawer, now=datetime.now(UTC), zone=site.zone)
    file: IO[bytes] = TemporaryFile()  # noqa: SIM115 - it is closed at the end of the download
    file.write(content)
    return file


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        file.seek(0)
        while piece := file.read(PIECE):
            yield piece
