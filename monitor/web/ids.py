"""Reads the numbers of addresses."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from starlette.exceptions import HTTPException

from monitor.web.languages import language_of, translations

if TYPE_CHECKING:
    from starlette.requests import Request

# The largest number that a database's 64-bit integer column holds.
LARGEST_ID: Final = 2**63 - 1


def id_of(request: Request, name: str = "id") -> int:
    """The id in a request's path, 1 to `LARGEST_ID`; raises 404 for anything else."""
    number = number_of(request, name)
    if number == 0:
        raise _nothing(request, "0")
    return number


def number_of(request: Request, name: str) -> int:
    """A number in a request's path, 0 to `LARGEST_ID`; raises 404 for anything else."""
    text = request.path_params[name]
    # Longer ones are not even converted: Python refuses numbers of thousands of digits.
    number = int(text) if re.fullmatch("[0-9]{1,19}", text, re.ASCII) else -1
    if not 0 <= number <= LARGEST_ID:
        raise _nothing(request, text)
    return number


def _nothing(request: Request, text: str) -> HTTPException:
    _ = translations(language_of(request)).gettext
    return HTTPException(404, _("%(text)s is not the number of anything.") % {"text": ascii(text[:40])})
