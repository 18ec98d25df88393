"""The pages that the header leads to, in one place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from starlette.applications import Starlette


class Page(NamedTuple):
    """A page: its path, its name in English, and the letter that leads there after g."""

    path: str
    name: str
    letter: str


def N_(text: str) -> str:  # noqa: N802 - the name that gettext knows
    """Mark a text for the catalogues; it is translated where it is shown."""
    return text


PAGES: Final = (
    Page("/", N_("Table"), "t"),
    Page("/review", N_("Review"), "r"),
    Page("/alarms", N_("Alarms"), "a"),
    Page("/holes", N_("Holes"), "h"),
    Page("/quality", N_("Quality"), "q"),
)


def pages_of(app: Starlette) -> list[Page]:
    """Those that the application has a route for."""
    there = {getattr(route, "path", None) for route in app.routes}
    return [one for one in PAGES if one.path in there]
