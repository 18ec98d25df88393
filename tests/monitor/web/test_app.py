from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from monitor.web.headers import HEADERS
from monitor.web.languages import preferred

if TYPE_CHECKING:
    from starlette.testclient import TestClient

    from monitor.web.site import Site


@pytest.mark.parametrize("path", ["/", "/nothing", "/static/style.css", "/static/../app.py"])
def test_every_answer_forbids_what_is_inline_or_from_elsewhere(browser: TestClient, path: str) -> None:
    answer = browser.get(path)
    assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
    assert "unsafe" not in answer.headers["content-security-policy"]


def test_a_page_that_is_not_there_leads_to_the_table(browser: TestClient) -> None:
    answer = browser.get("/nothing")
    assert (answer.status_code, 'href="/"' in answer.text) == (404, True)


def test_a_store_of_another_version_shows_a_sentence_and_nothing_of_it(browser: TestClient, site: Site) -> None:
    with site.database.write() as connection:
        connection.execute(text("drop table casts"))
    answer = browser.get("/")
    assert answer.status_code == 503
    assert "casts" in answer.text


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "en"),
        ("ru", "ru"),
        ("ru-RU,ru;q=0.9,en-US;q=0.8", "ru"),
        ("de,en;q=0.5,ru;q=0.4", "en"),
        ("fr;q=0.9, ru;q=0.2", "ru"),
        ("ru;q=nan,en;q=x,;q=,*", "en"),
    ],
)
def test_the_browser_chooses_the_language(accepted: str, language: str) -> None:
    assert preferred(accepted) == language


def test_a_chosen_language_counts_more_than_the_browser_s(browser: TestClient) -> None:
    browser.cookies.set("language", "ru")
    assert 'lang="ru"' in browser.get("/", headers={"accept-language": "en"}).text
    browser.cookies.set("language", "xx")
    assert 'lang="en"' in browser.get("/", headers={"accept-language": "en"}).text


def test_browsers_keep_scripts_and_styles_and_no_page(browser: TestClient) -> None:
    first = browser.get("/static/style.css")
    again = browser.get("/static/style.css", headers={"if-none-match": first.headers["etag"]})
    assert (first.headers["cache-control"], again.status_code) == ("no-cache", 304)
    assert browser.get("/").headers["cache-control"] == "no-store"
