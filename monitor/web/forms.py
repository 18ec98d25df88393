"""Reads what a browser sends, within limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.exceptions import HTTPException

if TYPE_CHECKING:
    from starlette.requests import Request

MOST_BYTES: Final = 65_536
MOST_FIELDS: Final = 200


async def form_of(request: Request) -> dict[str, str]:
    """The fields of a form, each with its last value; raises 413 for a long body and 400 for a file in it."""
    length = request.headers.get("content-length", "")
    if not length.isascii() or not length.isdigit():
        raise HTTPException(411, "The request does not say how long it is.")
    if int(length) > MOST_BYTES:
        raise HTTPException(413, f"The request has more than {MOST_BYTES} bytes.")
    fields: dict[str, str] = {}
    async with request.form(max_files=0, max_fields=MOST_FIELDS) as form:
        for name, value in form.multi_items():
            if not isinstance(value, str):
                raise HTTPException(400, f"{name} is a file.")
            fields[name] = value
    return fields
