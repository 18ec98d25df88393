"""Stands before every page: under which name, from which page, and by whom something is asked."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, RedirectResponse

from monitor.errors import ConfigurationError
from monitor.web.access.gate import Gate
from monitor.web.forms import MOST_BYTES
from monitor.web.languages import language_of, translations
from monitor.web.people import LOCAL, NOBODY
from monitor.web.templating import part

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send

    from monitor.web.access.users import User

log = logging.getLogger(__name__)

SAFE: Final = frozenset({"GET", "HEAD"})
METHODS: Final = frozenset({*SAFE, "POST", "PUT", "PATCH", "DELETE"})
# What is shown to those who are not logged in.
ALWAYS: Final = frozenset({"/login", "/logout"})
STATIC: Final = "/static/"
# A name or an address as in a header Host, without the port: nothing that could be taken for a path.
_HOST: Final = re.compile(r"[a-z0-9._-]{1,253}|\[[0-9a-f:.]{2,45}\]")
_BEARER: Final = re.compile(r"bearer +([!-~]{1,200})", re.IGNORECASE)


class RefusedError(Exception):
    """A request is answered by this alone."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


class Guard:
    """Middleware that lets a request pass with the person who asks, or answers it itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return  # there are no web sockets
        request = Request(scope, receive)
        try:
            answer = await _answer_to(request)
        except RefusedError as refused:
            answer = refused.response
        except HTTPException as error:
            answer = _answer(request, error.status_code, error.detail)
        except ClientDisconnect:
            return
        if answer is not None:
            await answer(scope, receive, send)
        else:
            await self._app(scope, receive, send)


async def _answer_to(request: Request) -> Response | None:
    """None for a request that may pass, with the person who asks; else its answer. Raises `RefusedError`."""
    _check_host(request)
    _check_body(request)
    user, by_token = _user_of(request)
    if not by_token:
        _check_origin(request)
    path = request.scope["path"]
    if Gate.of(request).users is None:
        request.state.person = LOCAL
    elif user is not None:
        request.state.person = user.person
    elif path in ALWAYS or path.startswith(STATIC):
        request.state.person = NOBODY
    else:
        return await _to_login(request)
    return None


def _translator(request: Request) -> Callable[[str], str]:
    return translations(language_of(request)).gettext


def _answer(request: Request, status: int, sentence: str, headers: dict[str, str] | None = None) -> Response:
    """A sentence, for people as a page and for programs as JSON."""
    if "authorization" in request.headers or "application/json" in request.headers.get("accept", ""):
        return JSONResponse({"error": sentence}, status, headers)
    response = part(request, "error.html", status=status, sentence=sentence)
    response.headers.update(headers or {})
    return response


def _check_host(request: Request) -> None:
    """Refuse a name that is none of ours: the page of another site may have let its own lead to this machine."""
    hosts, named = Gate.of(request).hosts, request.headers.getlist("host")
    host = _without_port(named[0]) if len(named) == 1 else ""
    if not _HOST.fullmatch(host) or (hosts is not None and host not in hosts):
        _ = _translator(request)
        raise RefusedError(_answer(request, 421, _("This page does not answer to this name; see hosts in [web].")))


def _without_port(host: str) -> str:
    return re.sub(r":[0-9]{1,5}$", "", host).lower().removesuffix(".")


def _check_body(request: Request) -> None:
    """Refuse what is too long before any of it is read; the connection ends with the answer."""
    headers, _ = request.headers, _translator(request)
    length = headers.get("content-length", "0")
    if "transfer-encoding" in headers or not length.isascii() or not length.isdigit():
        raise RefusedError(
            _answer(request, 411, _("The request does not say how long it is."), {"Connection": "close"})
        )
    if len(length) > 15 or int(length) > MOST_BYTES:
        raise RefusedError(_answer(request, 413, _("The request is too long."), {"Connection": "close"}))
    if request.method not in METHODS:
        raise RefusedError(_answer(request, 405, _("There is no such method.")))


def _check_origin(request: Request) -> None:
    """Refuse a change that another site's page asks for, in the name of whoever looks at it."""
    if request.method in SAFE:
        return
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    # Browsers say it since 2023; older ones say which page asks.
    ours = site == "same-origin" if site is not None else _is_own(origin, request.headers.get("host", ""))
    if not ours:
        _ = _translator(request)
        raise RefusedError(
            _answer(
                request, 403, _("This was not asked for from this page; programs use a token: monitor web user token.")
            )
        )


def _is_own(origin: str | None, host: str) -> bool:
    if origin is None:
        return False
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(host) and parts.netloc.lower() == host.lower()


def _user_of(request: Request) -> tuple[User | None, bool]:
    """Who asks, and whether a program does by its token, which no other site's page can know."""
    gate, _ = Gate.of(request), _translator(request)
    if gate.users is None or gate.sessions is None:
        return None, False
    try:
        if (given := request.headers.get("authorization")) is not None:
            match = _BEARER.fullmatch(given.strip())
            user = None if match is None else gate.users.of_token(match[1])
            if user is None:
                raise RefusedError(_answer(request, 401, _("This token is not known."), {"WWW-Authenticate": "Bearer"}))
            return user, True
        cookie = request.cookies.get(gate.sessions.cookie)
        return (None if cookie is None else gate.sessions.user_of(cookie, gate.users)), False
    except ConfigurationError as error:
        log.error("%s", error)  # noqa: TRY400 - the sentence says it all
        sentence = _("The file of users cannot be used, so nobody gets in; the log of monitor web says why.")
        raise RefusedError(_answer(request, 503, sentence)) from None


async def _to_login(request: Request) -> Response:
    """Where somebody goes who is not logged in; what they sent waits in the page until they are."""
    from monitor.web.access.login import login_page, login_page_keeping

    headers, _ = request.headers, _translator(request)
    if request.method not in SAFE:
        return await login_page_keeping(request)
    if "text/event-stream" in headers.get("accept", "") or "application/json" in headers.get("accept", ""):
        return JSONResponse({"error": _("Log in first.")}, 401)
    here = request.scope["path"] + (f"?{request.url.query}" if request.url.query else "")
    if "hx-request" in headers:
        # A part of a page cannot show a login; the whole page goes there.
        return login_page(request, status=401, headers={"HX-Redirect": "/login"})
    return RedirectResponse("/login" if here == "/" else f"/login?next={quote(here, safe='/')}", status_code=303)
