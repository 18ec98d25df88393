from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from starlette.responses import PlainTextResponse
from starlette.routing import Route

from monitor.web.navigation import PAGES
from tests.support.alarm_line import Line

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.testclient import TestClient

    from monitor.web.site import Site


def test_the_header_leads_to_the_pages_that_there_are(browser: TestClient, site: Site) -> None:
    def answer(_request: Request) -> PlainTextResponse:
        return PlainTextResponse("")

    line = Line(site.database)
    line.now = datetime.now(UTC)
    line.decide(line.crop(0, 1)._replace(seen_at=line.now))
    routes = browser.app._app.routes  # type: ignore[attr-defined]
    routes[:] = [route for route in routes if getattr(route, "path", "") in {"/", "/events/table", "/language"}]
    html = browser.get("/").text
    assert 'href="/" data-letter="t" aria-current="page"' in html
    assert 'data-letter="a"' not in html
    routes.extend(Route(one.path, answer) for one in PAGES[1:])
    html = browser.get("/").text
    for one in PAGES:
        assert f'href="{one.path}" data-letter="{one.letter}"' in html
    # Of alarms that nobody has acknowledged the header tells everywhere.
    assert '<span id="alarm-count"><span class="count hot">' in html
