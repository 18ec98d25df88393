"""Streams of events: one task looks for what has changed, and tells everybody who looks at the start page."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING, Final

from starlette.concurrency import run_in_threadpool

from monitor.errors import MonitorError
from monitor.web.table.fragments import changed, whole
from monitor.web.table.scene import look

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from monitor.web.site import Site
    from monitor.web.table.fragments import Audience
    from monitor.web.table.scene import Scene

log = logging.getLogger(__name__)

# How often is looked for changes, in seconds, and after how long without one a comment shows that the stream lives.
LOOK_SECONDS: Final = 0.4
COMMENT_SECONDS: Final = 15.0
# More would cost the server what the others need.
MOST_STREAMS: Final = 100
# A browser that takes nothing for so many messages loses its stream, and asks for a new one when it can.
MOST_WAITING: Final = 32
# A stream ends after so many seconds, and the browser asks for a new one: whoever may no longer look is refused then.
LONGEST_SECONDS: Final = 600.0
# How soon a browser comes again that has lost its stream.
AGAIN_MILLISECONDS: Final = 2000
COMMENT: Final = ": nothing new\n\n"


class Stream:
    """What one browser is told, until ``end`` on the clock of the loop."""

    def __init__(self, audience: Audience, end: float) -> None:
        self.audience = audience
        self.end = end
        # Whether it has been told everything, so that only changes are left.
        self.knows = False
        # None ends the stream.
        self.waiting: asyncio.Queue[str | None] = asyncio.Queue(MOST_WAITING)

    def tell(self, message: str | None) -> None:
        """Tell it something; one that took nothing for too long is ended."""
        if self.waiting.full():
            while not self.waiting.empty():
                self.waiting.get_nowait()
            message = None
        self.waiting.put_nowait(message)


class Streams:
    """All streams of one server; everything but the looking happens in the server's event loop."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._open: set[Stream] = set()
        self._task: asyncio.Task[None] | None = None
        self._ended = False

    def __len__(self) -> int:
        """How many there are."""
        return len(self._open)

    def join(self, audience: Audience) -> Stream | None:
        """A stream for a new browser; None where there is no room for another one, or the server is about to stop."""
        if self._ended or len(self._open) >= MOST_STREAMS:
            return None
        stream = Stream(audience, asyncio.get_running_loop().time() + LONGEST_SECONDS)
        self._open.add(stream)
        return stream

    async def events(self, stream: Stream) -> AsyncIterator[str]:
        """What it is told: first everything, then what changes."""
        try:
            if self._task is None or self._task.done():
                self._task = asyncio.create_task(self._run())
            while asyncio.get_running_loop().time() < stream.end:
                try:
                    message = await asyncio.wait_for(stream.waiting.get(), COMMENT_SECONDS)
                except TimeoutError:
                    message = COMMENT
                if message is None:
                    return
                yield message
        finally:
            self._open.discard(stream)

    def end(self) -> None:
        """End all streams, for the server stops."""
        self._ended = True
        for stream in self._open:
            stream.tell(None)
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        """Look and tell, as long as anybody listens."""
        before = None
        try:
            while self._open:
                scene = await run_in_threadpool(look, self._site)
                await self._tell(before, scene)
                before = scene
                # Of a browser that was gone before it was told anything.
                late = asyncio.get_running_loop().time() - 2 * COMMENT_SECONDS
                self._open = {stream for stream in self._open if stream.end > late}
                await asyncio.sleep(LOOK_SECONDS)
        except MonitorError as error:
            log.warning("the table cannot be followed: %s", error)
        finally:
            # After a failure browsers come again, and then it is tried anew.
            for stream in self._open:
                stream.tell(None)

    async def _tell(self, before: Scene | None, scene: Scene) -> None:
        messages: dict[tuple[Audience, bool], list[Stream]] = {}
        for stream in self._open:
            messages.setdefault((stream.audience, stream.knows), []).append(stream)
        for (audience, knows), streams in messages.items():
            if knows and before is not None:
                html = await run_in_threadpool(changed, self._site, before, scene, audience)
            else:
                html = await run_in_threadpool(whole, self._site, scene, audience)
            for stream in streams:
                stream.knows = True
                if html:
                    stream.tell(_message(scene, html))


def _message(scene: Scene, html: str) -> str:
    data = json.dumps({"now": int(scene.now.timestamp() * 1000), "html": html})
    return f"retry: {AGAIN_MILLISECONDS}\ndata: {data}\n\n"
