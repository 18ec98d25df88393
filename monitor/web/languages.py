"""The languages of the page, and which one a person gets."""

from __future__ import annotations

from functools import cache
from gettext import GNUTranslations, NullTranslations
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from starlette.responses import RedirectResponse

from monitor.web.addresses import own_page
from monitor.web.forms import form_of

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection, Request
    from starlette.responses import Response

# By its code, what each language calls itself. The texts in the templates and the code are the English ones.
LANGUAGES: Final = {"en": "English", "ru": "Русский"}
DEFAULT: Final = "en"
COOKIE: Final = "language"
COOKIE_SECONDS: Final = 365 * 86400


def language_of(request: HTTPConnection) -> str:
    """The code of the language that a person chose, or else the one that the browser prefers."""
    chosen = request.cookies.get(COOKIE)
    return chosen if chosen in LANGUAGES else preferred(request.headers.get("accept-language", ""))


def preferred(accepted: str) -> str:
    """The language with the highest weight of an Accept-Language header, such as ``ru-RU,ru;q=0.9,en;q=0.8``."""
    best, highest = DEFAULT, 0.0
    for part in accepted.split(",")[:20]:
        name, _, weight = part.partition(";q=")
        code = name.strip().lower().partition("-")[0]
        try:
            value = float(weight) if weight else 1.0
        except ValueError:
            continue
        if code in LANGUAGES and highest < value <= 1:
            best, highest = code, value
    return best


@cache
def translations(language: str) -> NullTranslations:
    """The catalogue of a language."""
    if language == DEFAULT:
        return NullTranslations()
    with (files("monitor.web") / "catalogues" / f"{language}.mo").open("rb") as file:
        return GNUTranslations(file)


async def choose(request: Request) -> Response:
    """A person chooses a language; the browser remembers it."""
    form = await form_of(request)
    answer = RedirectResponse(own_page(form.get("next")), status_code=303)
    chosen = form.get("language")
    if chosen in LANGUAGES:
        secure = request.url.scheme == "https"
        answer.set_cookie(COOKIE, chosen, COOKIE_SECONDS, httponly=True, samesite="strict", secure=secure)
    return answer
