"""The pictures of crops, found by id alone, wherever their content is now."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import anyio
from starlette.exceptions import HTTPException
from starlette.responses import Response

from monitor.errors import CropRefusedError
from monitor.keeping.contents import CropContents, NoContent, Why
from monitor.store.details import stored_crop
from monitor.web.ids import id_of
from monitor.web.languages import language_of, translations
from monitor.web.site import Site

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from starlette.requests import Request

    from monitor.store.details import StoredCropRow

# How many times larger than it is a picture may be asked for, and how many pixels it has then at most.
MOST_TIMES: Final = 16
MOST_PIXELS: Final = 4_000_000
# A picture never changes: another content is another crop. Ids are not given twice within this time.
CACHED: Final = "private, max-age=86400, immutable"
# Files may lie on a share that hangs. No more threads than these wait for it, so that other pages are answered.
READING: Final = anyio.CapacityLimiter(12)


async def show(request: Request) -> Response:
    """``GET /crops/{id}/picture?scale=N``: the crop as PNG, each pixel as a square of N x N."""
    return await anyio.to_thread.run_sync(partial(_show, request), limiter=READING)


def _show(request: Request) -> Response:
    times = scale_of(request)
    crop = crop_of(request)
    tag = f'"{crop.sha256}-{times}"'
    if crop.sha256 and is_known(request, tag):
        return Response(status_code=304, headers=caching(tag))
    from monitor.models.pictures import as_png, magnified

    pixels = pixels_of(request, crop)
    largest = int((MOST_PIXELS / (pixels.shape[0] * pixels.shape[1])) ** 0.5)
    return png(as_png(magnified(pixels, max(1, min(times, largest)))), tag)


def scale_of(request: Request) -> int:
    """How many times larger a picture is asked for; raises 400 for anything but a number from 1 to `MOST_TIMES`."""
    text = request.query_params.get("scale", "1")
    if text not in map(str, range(1, MOST_TIMES + 1)):
        _ = translations(language_of(request)).gettext
        raise HTTPException(400, _("scale has to be a whole number from 1 to %(most)s.") % {"most": MOST_TIMES})
    return int(text)


def crop_of(request: Request) -> StoredCropRow:
    """The crop whose id is in the path; raises 404 where there is none."""
    crop_id = id_of(request)
    with Site.of(request).database.read() as connection:
        crop = stored_crop(connection, crop_id)
    if crop is None:
        _ = translations(language_of(request)).gettext
        raise HTTPException(404, _("There is no crop %(id)s.") % {"id": crop_id})
    return crop


def pixels_of(request: Request, crop: StoredCropRow) -> NDArray[np.uint8]:
    """The crop's pixels, uint8 (h, w, 3); raises 404 with a sentence where no place has its content."""
    site = Site.of(request)
    contents = CropContents(site.database, site.configuration)
    found = contents.find(crop)
    if isinstance(found, NoContent):
        raise HTTPException(404, why_missing(request, found))
    try:
        return contents.reader.decode(found.file).pixels
    except CropRefusedError as refusal:
        raise HTTPException(404, unshowable(request, refusal)) from None


def unshowable(request: Request, refusal: CropRefusedError) -> str:
    """Why the content of a crop cannot be shown, as a sentence in the reader's language."""
    _ = translations(language_of(request)).gettext
    return _("The file is there and cannot be shown: %(problem)s.") % {"problem": refusal}


def why_missing(request: Request, found: NoContent) -> str:
    """Why a crop has no picture, as a sentence in the reader's language."""
    _ = translations(language_of(request)).gettext
    match found.why:
        case Why.NEVER_READ:
            return _("The file could never be read, so there is no picture.")
        case Why.GONE:
            return _("The file was deleted or moved away, and it was not kept as evidence.")
        case Why.REPLACED:
            return _("The file was replaced by another, and the first one was not kept as evidence.")
        case Why.LINK:
            return _("A symbolic link is in the place of the file; links are not followed.")
        case Why.NO_INBOX:
            return _("The folder of the inbox is not there; mount its share.")
        case Why.UNREADABLE:
            return _("The file is there and cannot be read: %(problem)s.") % {"problem": found.detail}


def is_known(request: Request, tag: str) -> bool:
    """Whether the browser has the picture with this tag already."""
    offered = request.headers.get("if-none-match", "")
    return tag in {one.strip().removeprefix("W/") for one in offered.split(",")}


def caching(tag: str) -> dict[str, str]:
    """The headers that let a browser keep a picture."""
    return {"ETag": tag, "Cache-Control": CACHED}


def png(content: bytes, tag: str) -> Response:
    """A picture as an answer."""
    return Response(content, media_type="image/png", headers=caching(tag))
