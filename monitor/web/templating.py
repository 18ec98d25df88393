"""Renders the templates, in the reader's language and with everything escaped."""

from __future__ import annotations

from functools import cache, partial
from shlex import quote
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse

from monitor.files.text import printable
from monitor.times import on_clock
from monitor.web import words
from monitor.web.frame import frame_of
from monitor.web.languages import LANGUAGES, language_of, translations
from monitor.web.navigation import pages_of
from monitor.web.people import Role, person_of
from monitor.web.site import Site
from monitor.web.units import share_of

if TYPE_CHECKING:
    from datetime import datetime

    from starlette.requests import Request


@cache
def environment(language: str) -> Environment:
    """The templates in a language. Whatever is put into them is escaped, and a name that is not given is an error."""
    made = Environment(
        loader=PackageLoader("monitor.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    catalogue = translations(language)
    made.install_gettext_translations(catalogue, newstyle=True)  # type: ignore[attr-defined]
    made.globals.update(language=language, languages=LANGUAGES, share_of=share_of)
    made.filters.update(
        printable=printable,
        shell=quote,
        ratio=partial(words.number, language, 2),
        number=lambda value, digits=0: words.number(language, digits, value),
        span=partial(words.span, catalogue.gettext),
    )
    return made


def prepare() -> None:
    """Compile every template, so that nobody waits for it."""
    for language in LANGUAGES:
        made = environment(language)
        for name in made.list_templates(extensions=["html"]):
            made.get_template(name)


def page(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """A whole page: the template with these values, and the frame that all pages have."""
    around = {"frame": frame_of(request), "pages": pages_of(request.app), "path": request.url.path}
    return part(request, template, status=status, **{**around, **values})


def part(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """A part of a page, to be put into one that is shown already."""
    site, person = Site.of(request), person_of(request)
    known = {
        **clocks(site),
        "person": person,
        "may_operate": person.role >= Role.OPERATOR,
        "may_log_out": site.configuration.web_users is not None,
    }
    rendered = environment(language_of(request)).get_template(template)
    return HTMLResponse(rendered.render(**known, **values), status_code=status)


def clocks(site: Site) -> dict[str, Any]:
    """What templates show times by: `clock` the time of the day, `moment` all of it, both on the plant's clock."""
    zone = site.zone

    def clock(moment: datetime) -> str:
        return f"{moment.astimezone(zone):%H:%M:%S}"

    def moment(at: datetime) -> str:
        return on_clock(at, zone)

    return {"clock": clock, "moment": moment}
