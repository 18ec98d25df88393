from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from monitor.store import alarms, casts, pauses
from monitor.web.people import Person, Role
from monitor.web.table import page as table
from tests.support.alarm_line import Line

if TYPE_CHECKING:
    from starlette.testclient import TestClient

    from monitor.store.decisions import CropRow
    from monitor.web.site import Site


@pytest.fixture
def line(site: Site) -> Line:
    line = Line(site.database)
    line.now = datetime.now(UTC)
    return line


def now(line: Line, hole: int | None, *, proliv: bool = False, camera: str | None = "C") -> CropRow:
    row = line.crop(0, hole, proliv=proliv, camera=camera)
    return row._replace(seen_at=line.now, captured_at=line.now)


def without_tags(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def test_without_a_crop_it_says_so_and_where_holes_will_be(browser: TestClient) -> None:
    answer = browser.get("/")
    assert answer.status_code == 200
    assert "No crops in the last 24 hours" in answer.text
    assert "No open alarm" in answer.text
    assert "Nobody is watching: the daemon does not run." in answer.text


def test_tiles_with_state_score_and_picture(browser: TestClient, line: Line) -> None:
    line.decide(now(line, 3), now(line, 4, proliv=True))
    html = browser.get("/").text
    assert '<a class="hole is-quiet" id="hole-C-3" href="/holes/C/3" aria-label="Hole 3: quiet 0.50">' in html
    assert '<img src="/crops/1/picture" alt="" width="50" height="28">' in html
    assert 'id="hole-C-4" href="/holes/C/4" aria-label="Hole 4: ALARM 5.00"' in html
    assert "<b>1</b> alarm" in html
    assert "style=" not in html


def test_alarms_wait_at_the_side_the_oldest_unacknowledged_first(browser: TestClient, line: Line, site: Site) -> None:
    for camera in ("A", "B", "C"):
        line.decide(now(line, 1, proliv=True, camera=camera))
    with site.database.write() as connection:
        alarms.acknowledge(connection, 1, by="anna", note="<script>x</script>", at=line.now)
    html = browser.get("/").text
    cards = re.findall(r'<article class="(acard[^"]*)" id="alarm-(\d)"', html)
    assert cards == [("acard open", "2"), ("acard open", "3"), ("acard", "1")]
    assert html.count('action="/alarms/') == 2
    assert "&lt;script&gt;x" in html
    assert "<script>x" not in html
    assert "Acknowledged by <b>anna</b>" in html


def test_a_viewer_gets_no_button(browser: TestClient, line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    line.decide(now(line, 1, proliv=True))
    monkeypatch.setattr(table, "person_of", lambda _: Person("vera", Role.VIEWER))
    html = browser.get("/").text
    assert 'id="alarm-1"' in html
    assert "acknowledge" not in re.sub(r"acknowledged", "", html)


def test_names_of_cameras_are_escaped(browser: TestClient, line: Line) -> None:
    line.decide(now(line, 1, camera='"><script>alert(1)</script>'))
    html = browser.get("/").text
    assert "<script>alert" not in html
    assert 'href="/holes/%22%3E%3Cscript%3Ealert%281%29%3C%2Fscript%3E/1"' in html


def test_the_cast_a_pause_and_their_holes(browser: TestClient, line: Line, site: Site) -> None:
    line.decide(now(line, 1), now(line, 2)._replace(seen_at=line.now - timedelta(minutes=5)))
    with site.database.write() as connection:
        begun = line.now - timedelta(minutes=4)
        casts.say(
            connection, casts.begin(connection, "47<11", "6063", begun), "steady", begun, source="person", author="a"
        )
        until = line.now + timedelta(minutes=90, seconds=30)
        pauses.add(connection, camera=None, hole=1, begins_at=begun, ends_at=until, reason="probe", author="anna")
    html = browser.get("/").text
    words = without_tags(html)
    assert "Cast 47&lt;11 6063" in words
    assert "Phase steady 4 min" in words
    assert "1 h 30 left paused" in words
    assert "no crop this cast missing" in words
    assert "Paused: hole 1 until" in words


def test_it_speaks_russian(browser: TestClient, line: Line) -> None:
    line.decide(now(line, 3), now(line, 4, proliv=True))
    words = without_tags(browser.get("/", headers={"accept-language": "ru"}).text)
    for part in ("Стол", "0,50 норма", "5,00 ТРЕВОГА", "Принять тревогу", "Открытые тревоги", "Время цеха"):
        assert part in words


def test_figures_come_once_they_are_known(browser: TestClient, line: Line, site: Site) -> None:
    line.decide(now(line, 3))
    assert 'class="skel"' in browser.get("/").text
    site.live.figures.wait()
    words = without_tags(browser.get("/").text)
    assert "Proliv found (TPR), 30 days – Not known yet: no labelled proliv in this time." in words
    assert "Nothing is expected: completeness.interval_seconds is 0." in words


def test_more_troubles_than_two_are_folded_up(browser: TestClient, line: Line, site: Site) -> None:
    with site.database.write() as connection:
        for hole in range(4):
            pauses.add(
                connection,
                camera="C",
                hole=hole,
                begins_at=line.now - timedelta(minutes=1),
                ends_at=line.now + timedelta(hours=1),
                reason="why",
                author="anna",
            )
    html = browser.get("/").text
    shown, folded = html.split('<details class="more">')
    assert (shown.count('<div class="banner '), "3 more" in folded) == (2, True)


def test_a_language_is_chosen_and_remembered(browser: TestClient) -> None:
    answer = browser.post("/language", data={"language": "ru", "next": "/"}, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("language=ru;")
    assert "SameSite=strict" in cookie
    assert "HttpOnly" in cookie
    assert 'lang="ru"' in browser.get("/").text
    assert browser.get("/language").status_code == 405


@pytest.mark.parametrize("back", ["//evil.example/", "/\\evil.example", "https://evil.example", "javascript:1", ""])
def test_a_choice_of_a_language_leads_nowhere_else(browser: TestClient, back: str) -> None:
    answer = browser.post("/language", data={"language": "xx", "next": back}, follow_redirects=False)
    assert (answer.headers["location"], "set-cookie" in answer.headers) == ("/", False)
