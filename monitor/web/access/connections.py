"""The server's side of one connection, which waits only so long for what a browser sends or takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    import asyncio

# How often a connection is looked at, and at how many looks in a row the same request may be waited for.
LOOK_SECONDS: Final = 15.0
MOST_LOOKS: Final = 2
# A request line with its headers; a cookie has at most 4096.
MOST_HEADER_BYTES: Final = 16_384


class ImpatientProtocol(H11Protocol):
    """Hangs up on a client that does not finish its request, or takes nothing of its answer.

    A byte now and then is not enough for a request; an answer may take as long as it gets on. uvicorn itself ends
    connections only where nothing at all comes between two requests.
    """

    _next_look: asyncio.TimerHandle | None = None
    _waited_for: object = None
    _looks = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to look at the connection."""
        super().connection_made(transport)
        self._next_look = self.loop.call_later(LOOK_SECONDS, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop looking at it."""
        if self._next_look is not None:
            self._next_look.cancel()
        super().connection_lost(exc)

    def resume_writing(self) -> None:
        """Note that the client took something."""
        self._looks = 0
        super().resume_writing()

    def _look(self) -> None:
        cycle = self.cycle
        waits = cycle is None or cycle.response_complete or cycle.more_body or self.flow.write_paused
        self._looks = self._looks + 1 if waits and cycle is self._waited_for else int(waits)
        self._waited_for = cycle
        if self._looks >= MOST_LOOKS:
            self.transport.abort()
        else:
            self._next_look = self.loop.call_later(LOOK_SECONDS, self._look)
