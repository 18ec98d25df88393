"""Whether an address leads to a page of ours."""

from __future__ import annotations

import re
from typing import Final

LONGEST: Final = 2000
# A path with its query. What browsers read as another host (//host, /\host), and what they leave out (controls), is not
# one.
_OWN: Final = re.compile(r"/(?![/\\])[!-~]*")


def own_page(address: str | None, otherwise: str = "/") -> str:
    """The address where it is a path of this page with its query, else the other one."""
    if address is None or len(address) > LONGEST or not _OWN.fullmatch(address):
        return otherwise
    return address
