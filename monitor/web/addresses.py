"""What addresses say: numbers in them, and whether one leads to a page of ours."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from starlette.exceptions import HTTPException

if TYPE_CHECKING:
    from starlette.requests import Request

LARGEST: Final = 2**63 - 1
LONGEST: Final = 2000
# A path with its query. What browsers read as another host (//host, /\host), and what they leave out (controls), is not
# one.
_OWN: Final = re.compile(r"/(?![/\\])[!-~]*")


def number_in(request: Request, name: str) -> int:
    """The number of something stored, by its name in the route; 404 for one that nothing can have."""
    text = str(request.path_params[name])
    if not text.isascii() or not text.isdigit() or len(text) > len(str(LARGEST)) or not 0 < int(text) <= LARGEST:
        raise HTTPException(404, "There is nothing with this number.")
    return int(text)


def own_page(address: str | None, otherwise: str = "/") -> str:
    """The address where it is a path of this page with its query, else the other one."""
    if address is None or len(address) > LONGEST or not _OWN.fullmatch(address):
        return otherwise
    return address
