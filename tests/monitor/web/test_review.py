"""The queue of what is worth a label: its order, what a label goes to, skipping, and taking back."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from monitor.alarms.acknowledgement import acknowledge
from monitor.labels.give import give
from monitor.store import audits, review
from monitor.store.labels import all_labels, find_crops
from monitor.web.people import Person, Role
from monitor.words import Label
from tests.support.alarm_line import Line
from tests.support.stored_crops import NOW

if TYPE_CHECKING:
    from starlette.testclient import TestClient

    from monitor.web.site import Site

FAR: dict[str, Any] = {"decision_score": 0.0001, "decision_threshold": 0.01}


@pytest.fixture
def line(site: Site) -> Line:
    """Its crops come as if it were now, an hour ago."""
    return Line(site.database, site.configuration.settings.alarms)


@pytest.fixture(autouse=True)
def _today(monkeypatch: pytest.MonkeyPatch) -> None:
    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Clock:
            return cls.fromtimestamp((NOW + timedelta(hours=1)).timestamp(), tz or UTC)

    monkeypatch.setattr("monitor.web.review.datetime", Clock)


def page(browser: TestClient, query: str = "", language: str = "en") -> str:
    answer = browser.get(f"/review{query}", headers={"Accept-Language": language})
    assert answer.status_code == 200, answer.text
    return " ".join(answer.text.split())


def event(text: str) -> dict[str, str]:
    """The fields of the form that the page shows."""
    return dict(re.findall(r'<input type="hidden" name="(event|until|skip)" value="([^"]*)">', text))


def shown(text: str) -> int:
    return int(re.findall(r'src="/crops/(\d+)/picture', text)[0])


def label(browser: TestClient, text: str, given: str = "proliv", **more: str) -> Any:
    return browser.post("/review/label", data={**event(text), "label": given, **more}, follow_redirects=False)


def labels(site: Site) -> list[tuple[int, str, str | None]]:
    with site.database.read() as connection:
        return [(row.crop_id, row.label, row.author) for row in all_labels(connection)]


def test_an_empty_queue_says_so(browser: TestClient) -> None:
    text = page(browser)
    assert "Nothing is left to label." in text
    assert '<form method="post" action="/review/' not in text


def test_alarms_come_first_then_unusual_crops_then_drawn_ones_then_those_near_the_threshold(
    browser: TestClient, site: Site, line: Line
) -> None:
    line.decide(line.crop(0, proliv=False))
    line.decide(line.crop(1, proliv=False, **FAR))
    line.decide(line.crop(2, proliv=False, unusual=True))
    line.decide(line.crop(3))
    with site.database.write() as connection:
        audits.add_audit(connection, author=None, first=1, last=1, eligible=1, drawn=[1], unusual=False)
    seen = []
    text = page(browser)
    for _ in range(4):
        seen.append((shown(text), event(text)["event"][0]))
        assert label(browser, text, "ne_proliv").status_code == 303
        text = page(browser)
    assert seen == [(4, "a"), (3, "c"), (1, "c"), (2, "c")]
    assert "Nothing is left to label." in text


def test_a_label_goes_to_the_crops_of_the_event_that_are_decided_proliv_and_have_none(
    browser: TestClient, site: Site, line: Line
) -> None:
    for seconds in range(4):
        line.decide(line.crop(seconds, proliv=seconds != 1))
    with site.database.write() as connection:
        give(connection, find_crops(connection, ids=[1]), Label.NE_PROLIV, author="anna")
    text = page(browser)
    assert "all 2 crops" in text
    answer = label(browser, text)
    assert answer.status_code == 303
    assert sorted(labels(site)) == [(1, "ne_proliv", "anna"), (3, "proliv", "local"), (4, "proliv", "local")]


def test_crops_that_came_after_the_page_was_made_are_not_labelled_unseen(
    browser: TestClient, site: Site, line: Line
) -> None:
    line.decide(line.crop(0))
    text = page(browser)
    line.decide(line.crop(1))
    label(browser, text)
    assert labels(site) == [(1, "proliv", "local")]
    assert shown(page(browser)) == 2


def test_an_acknowledged_alarm_is_left_out(browser: TestClient, site: Site, line: Line) -> None:
    line.decide(line.crop(0))
    settings = site.configuration.settings.alarms
    acknowledge(site.database, settings, line.alarms()[0].id, by="anna", note=None, at=NOW, zone=site.zone)
    text = page(browser)
    assert event(text)["event"] == "c1"
    assert "nearest to the threshold" in text


def test_the_last_label_is_taken_back_whole(browser: TestClient, site: Site, line: Line) -> None:
    line.decide(line.crop(0), line.crop(1))
    done = label(browser, page(browser)).headers["location"]
    assert len(labels(site)) == 2
    text = page(browser, done.removeprefix("/review"))
    given = re.findall(r'name="given" value="(\d+)"', text)[0]
    answer = browser.post("/review/undo", data={"given": given}, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/review")
    assert labels(site) == []
    again = browser.post("/review/undo", data={"given": given}, follow_redirects=False)
    assert again.headers["location"] == "/review?late=1"
    assert "Nothing was changed" in page(browser, "?late=1")


@pytest.mark.parametrize("given", ["", "0", "-1", "x", "99", "1" * 30])
def test_only_the_persons_own_last_label_is_taken_back(browser: TestClient, site: Site, line: Line, given: str) -> None:
    line.decide(line.crop(0))
    label(browser, page(browser))
    answer = browser.post("/review/undo", data={"given": given}, follow_redirects=False)
    assert answer.headers["location"] == "/review?late=1"
    assert len(labels(site)) == 1


def test_what_is_skipped_comes_later_and_is_in_the_address_alone(browser: TestClient, line: Line) -> None:
    line.decide(line.crop(0, 1))
    line.decide(line.crop(1, 30))
    first = page(browser)
    name = event(first)["event"]
    second = page(browser, f"?skip={name}")
    assert event(second)["event"] != name
    assert event(second)["skip"] == name
    assert "1 skipped: look again" in second
    assert label(browser, second).headers["location"].startswith(f"/review?skip={name}&given=")
    assert event(page(browser))["event"] == name
    assert "<script>" not in page(browser, "?skip=<script>,a0,c1x&crop=<script>&given=%22")


def test_the_crops_of_an_event_are_gone_through(browser: TestClient, line: Line) -> None:
    for seconds in range(3):
        line.decide(line.crop(seconds))
    text = page(browser, "?crop=2")
    assert shown(text) == 2
    assert "Crop 2 of 3 of the event" in text
    goes = [int(one) for one in re.findall(r'data-key="Arrow\w+" href="/review\?crop=(\d+)', text)]
    assert goes == [1, 3]


def test_what_somebody_labelled_meanwhile_is_not_labelled_again(browser: TestClient, site: Site, line: Line) -> None:
    line.decide(line.crop(0, proliv=False))
    text = page(browser)
    with site.database.write() as connection:
        give(connection, find_crops(connection, ids=[1]), Label.NE_PROLIV, author="anna")
    assert label(browser, text).headers["location"] == "/review?late=1"
    assert labels(site) == [(1, "ne_proliv", "anna")]


def test_a_viewer_looks_and_labels_nothing(
    browser: TestClient, site: Site, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    line.decide(line.crop(0))
    monkeypatch.setattr("monitor.web.access.guard.LOCAL", Person("vera", Role.VIEWER))
    text = page(browser)
    assert 'action="/review/' not in text
    form = {"event": "a1", "until": "1", "label": "proliv", "given": "1"}
    assert [browser.post(f"/review/{what}", data=form).status_code for what in ("label", "undo")] == [403, 403]
    assert labels(site) == []


def test_a_form_of_another_site_changes_nothing(browser: TestClient, site: Site, line: Line) -> None:
    line.decide(line.crop(0))
    text = page(browser)
    browser.headers["sec-fetch-site"] = "cross-site"
    assert label(browser, text).status_code == 403
    assert labels(site) == []


@pytest.mark.parametrize("wrong", [{"event": ""}, {"event": "a0"}, {"event": "x1"}, {"label": "bad"}])
def test_events_and_labels_that_do_not_exist_are_refused(
    browser: TestClient, site: Site, line: Line, wrong: dict[str, str]
) -> None:
    line.decide(line.crop(0))
    form = {"event": "a1", "until": "1", "label": "proliv", **wrong}
    assert browser.post("/review/label", data=form).status_code == 400
    far = {"event": f"c{2**63 + 1}", "until": "1", "label": "proliv"}
    assert browser.post("/review/label", data=far, follow_redirects=False).headers["location"] == "/review?late=1"
    assert labels(site) == []


def test_a_full_kind_says_that_there_may_be_more(
    browser: TestClient, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(review, "MOST", 2)
    line.decide(*(line.crop(seconds, proliv=False, unusual=True) for seconds in range(3)))
    assert "2 or more left" in page(browser)


def test_what_is_older_than_a_day_is_no_longer_asked_for(browser: TestClient, line: Line) -> None:
    line.decide(line.crop(-86_400, proliv=False, unusual=True))
    assert "Nothing is left to label." in page(browser)


def test_the_page_is_there_in_russian(browser: TestClient, line: Line) -> None:
    line.decide(line.crop(0))
    text = page(browser, language="ru")
    for words in ("Разметка", "Пролив", "Норма", "Пропустить", "Почему это здесь"):
        assert words in text
