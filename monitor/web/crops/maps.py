"""The pictures of what a model sees in a crop: its own view, its reconstruction, its heat map."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import anyio
from starlette.exceptions import HTTPException
from starlette.responses import Response

from monitor.store.models import all_models
from monitor.web.crops.pictures import READING, caching, crop_of, is_known, pixels_of, png, scale_of
from monitor.web.crops.sights import NotSeen, Sights, Wanted
from monitor.web.ids import id_of
from monitor.web.languages import language_of, translations
from monitor.web.site import Site

if TYPE_CHECKING:
    from starlette.requests import Request

    from monitor.store.models import ModelRow

# By the word in the address, the picture's name in `monitor.models.pictures.pictures_of`.
KINDS: Final = {"map": "heatmap", "reconstruction": "reconstruction", "view": "view"}


async def show(request: Request) -> Response:
    """``GET /crops/{id}/{kind}/{model}?scale=N`` as PNG, of the detector's own size; ``model``: its id."""
    sights = request.app.state.sights
    assert isinstance(sights, Sights)
    kind = request.path_params["kind"]
    if kind not in KINDS:
        raise HTTPException(404, "Not Found")
    times = scale_of(request)
    known, model, wanted, tag = await anyio.to_thread.run_sync(partial(_wanted, request, kind, times), limiter=READING)
    if known is not None:
        return known
    assert wanted is not None
    seen = await sights.of(model, wanted)
    _ = translations(language_of(request)).gettext
    if seen is None:
        raise HTTPException(503, _("Too many heat maps are being drawn; try again in a moment."))
    if isinstance(seen, NotSeen):
        text = _("%(model)s could not be loaded: %(problem)s") if seen.loading else _("%(model)s refuses: %(problem)s")
        raise HTTPException(404, text % {"model": model.name, "problem": seen.sentence})
    if KINDS[kind] not in seen:
        sentences = {"map": _("%(model)s draws no heat map."), "reconstruction": _("%(model)s reconstructs nothing.")}
        raise HTTPException(404, sentences[kind] % {"model": model.name})
    from monitor.models.pictures import as_png, magnified

    return png(as_png(magnified(seen[KINDS[kind]], times)), tag)


def _wanted(request: Request, kind: str, times: int) -> tuple[Response | None, ModelRow, Wanted | None, str]:
    crop = crop_of(request)
    model = _model_of(request)
    tag = f'"{crop.sha256}-{model.fingerprint[:16]}-{crop.hole}-{kind}-{times}"'
    if crop.sha256 and is_known(request, tag):
        return Response(status_code=304, headers=caching(tag)), model, None, tag
    return None, model, Wanted(crop.sha256, crop.hole, pixels_of(request, crop)), tag


def _model_of(request: Request) -> ModelRow:
    model_id = id_of(request, "model")
    with Site.of(request).database.read() as connection:
        found = next((row for row in all_models(connection) if row.id == model_id), None)
    if found is None:
        _ = translations(language_of(request)).gettext
        raise HTTPException(404, _("There is no model %(id)s.") % {"id": model_id})
    return found
