"""Streams of events: one task looks for what has changed, and tells everybody who looks at the start page."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING, Final

from starlette.concurrency import run_in_threadpool

from monitor.errors import MonitorError
from monitor.web.fragments import changed, whole
from monitor.web.scene import look

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from monitor.web.fragments import Audience
    from monitor.web.scene import Scene
    from monitor.web.site import Site

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
    """What one browser is told."""

    def __init__(self, audience: Audience) -> None:
        self.audience = audience
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
        self._scene: Scene | None = None
        self._ended = False

    def __len__(self) -> int:
        """How many there are."""
        return len(self._open)

    @property
    def full(self) -> bool:
        """Whether there is no room for another one, or the server is about to stop."""
        return self._ended or len(self._open) >= MOST_STREAMS

    async def events(self, audience: Audience) -> AsyncIterator[str]:
        """What a new browser is told: first everything, then what changes."""
        stream = Stream(audience)
        self._open.add(stream)
        try:
            if self._task is None or self._task.done():
                self._scene = None
                self._task = asyncio.create_task(self._run())
            elif self._scene is not None:
                stream.tell(await self._whole(self._scene, audience))
            end = asyncio.get_running_loop().time() + LONGEST_SECONDS
            while asyncio.get_running_loop().time() < end:
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
        try:
            while self._open:
                scene = await run_in_threadpool(look, self._site)
                await self._tell(self._scene, scene)
                self._scene = scene
                await asyncio.sleep(LOOK_SECONDS)
        except MonitorError as error:
            log.warning("the table cannot be followed: %s", error)
        finally:
            # After a failure browsers come again, and then it is tried anew.
            for stream in self._open:
                stream.tell(None)

    async def _tell(self, before: Scene | None, scene: Scene) -> None:
        for audience in {stream.audience for stream in self._open}:
            if before is None:
                message = await self._whole(scene, audience)
            else:
                html = await run_in_threadpool(changed, self._site, before, scene, audience)
                message = _message(scene, html)
            for stream in self._open:
                if message and stream.audience == audience:
                    stream.tell(message)

    async def _whole(self, scene: Scene, audience: Audience) -> str:
        return _message(scene, await run_in_threadpool(whole, self._site, scene, audience))


def _message(scene: Scene, html: str) -> str:
    if not html:
        return ""
    data = json.dumps({"now": int(scene.now.timestamp() * 1000), "html": html})
    return f"retry: {AGAIN_MILLISECONDS}\ndata: {data}\n\n"
