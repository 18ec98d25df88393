"""Logging in and out."""

from __future__ import annotations

import json
import logging
import math
from typing import TYPE_CHECKING, Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse

from monitor.configuration.web_settings import is_loopback
from monitor.errors import ConfigurationError
from monitor.files.text import printable
from monitor.web.access.gate import Gate
from monitor.web.access.passwords import LONGEST, is_right
from monitor.web.access.sessions import SECONDS
from monitor.web.addresses import own_page
from monitor.web.forms import form_of
from monitor.web.templating import part
from monitor.words import LONGEST_AUTHOR

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from monitor.web.access.users import User

log = logging.getLogger(__name__)

LONGEST_KEPT: Final = 20_000


def show(request: Request) -> Response:
    """The page to log in on."""
    if Gate.of(request).users is None:
        return RedirectResponse("/", status_code=303)
    return login_page(request, next_page=own_page(request.query_params.get("next")))


def login_page(
    request: Request,
    *,
    status: int = 200,
    headers: dict[str, str] | None = None,
    next_page: str = "/",
    problem: str | None = None,
    wait_minutes: int = 0,
    name: str = "",
    kept: str = "",
) -> Response:
    """The form. ``problem``: "wrong" or "often". ``kept``: what was sent when the login had ended, see `_kept`."""
    values = {"next_page": next_page, "problem": problem, "wait_minutes": wait_minutes, "name": name, "kept": kept}
    response = part(request, "login.html", status=status, **values)
    response.headers.update(headers or {})
    return response


async def login_page_keeping(request: Request) -> Response:
    """The same for somebody who sent a form when the login had ended; the form is kept in the page."""
    kept = ""
    if request.headers.get("content-type", "").partition(";")[0] in _FORMS:
        form = await form_of(request)
        kept = json.dumps({"to": request.scope["path"], "form": form})
    # Where a part of a page was to be put: it takes the place of the whole one.
    headers = {"HX-Retarget": "body", "HX-Reswap": "innerHTML"} if "hx-request" in request.headers else {}
    return login_page(request, status=401, headers=headers, kept=kept if len(kept) <= LONGEST_KEPT else "")


_FORMS: Final = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})


async def log_in(request: Request) -> Response:
    """Check a name and a password, and set the cookie."""
    gate = Gate.of(request)
    if gate.users is None or gate.sessions is None:
        return RedirectResponse("/", status_code=303)
    form = await form_of(request)
    name, password = form.get("name", "").strip()[:LONGEST_AUTHOR], form.get("password", "")
    address = request.client.host if request.client is not None else ""
    next_page, kept = own_page(form.get("next")), form.get("kept", "")[:LONGEST_KEPT]
    shown: dict[str, Any] = {"next_page": next_page, "name": name, "kept": kept}
    wait = gate.attempts.begin(name, address)
    if wait:
        headers = {"Retry-After": str(math.ceil(wait))}
        often: dict[str, Any] = {"problem": "often", "wait_minutes": math.ceil(wait / 60)}
        return login_page(request, status=429, headers=headers, **often, **shown)
    user = await run_in_threadpool(_checked, gate, name, password)
    if user is None:
        log.warning("a login from %s failed", printable(address))
        return login_page(request, status=403, problem="wrong", **shown)
    log.info("%s logged in from %s", user.name, printable(address))
    gate.attempts.succeeded(name, address)
    again = _kept(kept)
    response: Response
    if again is None:
        response = RedirectResponse(next_page, status_code=303)
    else:
        response = part(request, "again.html", to=again[0], form=again[1])
    response.set_cookie(
        gate.sessions.cookie,
        gate.sessions.issue(user),
        max_age=SECONDS,
        httponly=True,
        samesite="strict",
        secure=_is_encrypted(request),
    )
    return response


def _checked(gate: Gate, name: str, password: str) -> User | None:
    assert gate.users is not None
    try:
        user = gate.users.find(name)
    except ConfigurationError:
        raise HTTPException(503, "The file of users cannot be used; the log says why.") from None
    with gate.checking:
        right = is_right(None if user is None else user.password, password[:LONGEST])
    return user if right and len(password) <= LONGEST else None


def _is_encrypted(request: Request) -> bool:
    """Whether the browser speaks HTTPS: to us, or to the proxy that other machines must come through."""
    return request.url.scheme == "https" or not is_loopback((request.url.hostname or "").strip("[]"))


def _kept(text: str) -> tuple[str, dict[str, str]] | None:
    """Where a kept form goes, and its fields; None where the text is none."""
    try:
        found = json.loads(text)
        to, form = found["to"], found["form"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    if not isinstance(to, str) or own_page(to, "") != to or not isinstance(form, dict):
        return None
    if not all(isinstance(value, str) for value in form.values()):
        return None
    return to, form


async def log_out(request: Request) -> Response:
    """End the login."""
    gate = Gate.of(request)
    response = RedirectResponse("/login", status_code=303)
    if gate.sessions is not None:
        gate.sessions.end(request.cookies.get(gate.sessions.cookie, ""))
        response.delete_cookie(gate.sessions.cookie, httponly=True, samesite="strict", secure=_is_encrypted(request))
    return response
