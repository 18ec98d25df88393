from __future__ import annotations

import io
import zipfile
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from monitor.alarms.acknowledgement import acknowledge, close
from monitor.store import casts
from monitor.web.alarms import evidence
from tests.support.alarm_line import Line
from tests.support.stored_crops import NOW

if TYPE_CHECKING:
    from starlette.testclient import TestClient

    from monitor.web.site import Site

OWN = {"sec-fetch-site": "same-origin"}
SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
def line(site: Site) -> Line:
    return Line(site.database, site.configuration.settings.alarms)


def opened(line: Line, hole: int = 10, seconds: float = 0.0) -> int:
    line.decide(line.crop(seconds - 20, hole, proliv=False), line.crop(seconds - 10, hole, proliv=False))
    line.decide(line.crop(seconds, hole))
    return line.alarms()[-1].id


def order_of(text: str, *parts: str) -> list[int]:
    return [text.index(part) for part in parts]


def test_nothing_is_open_where_nothing_was(browser: TestClient) -> None:
    text = browser.get("/alarms").text
    assert "No alarm is open." in text
    assert "None." in text


def test_what_nobody_acknowledged_comes_first_and_the_oldest_of_it(browser: TestClient, site: Site, line: Line) -> None:
    first, second, third, fourth = (opened(line, hole, 1000.0 * hole) for hole in (1, 2, 3, 4))
    with_settings = (site.database, site.configuration.settings.alarms)
    acknowledge(*with_settings, first, by="anna", note=SCRIPT, at=NOW, zone=site.zone)
    close(*with_settings, fourth, by="boris", note=None, at=NOW, zone=site.zone)
    text = browser.get("/alarms").text
    shown = order_of(text, *(f'href="/alarms/{number}"' for number in (second, third, first, fourth)))
    assert shown == sorted(shown)
    assert SCRIPT not in text
    assert "&lt;script&gt;" in text
    assert "</svg> 2</span>" in text


def test_closed_alarms_are_paged_by_their_ids_and_found_by_cast(
    browser: TestClient, site: Site, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.web.alarms.pages.A_PAGE", 2)
    with site.database.write() as connection:
        cast = casts.begin(connection, "4711 <b>", None, NOW)
        casts.say(connection, cast, "steady", NOW, source="person")
    ids = [opened(line, hole, 1000.0 * hole) for hole in range(1, 6)]
    for number in ids:
        close(
            *(site.database, site.configuration.settings.alarms, number),
            by="anna", note=None, at=NOW + timedelta(1), zone=site.zone,
        )  # fmt: skip
    first = browser.get("/alarms").text
    assert [f'href="/alarms/{number}"' in first for number in ids] == [False, False, False, True, True]
    assert f"before={ids[3]}" in first
    second = browser.get(f"/alarms?before={ids[3]}").text
    assert [f'href="/alarms/{number}"' in second for number in ids] == [False, True, True, False, False]
    other = browser.get("/alarms", params={"cast": "none such"}).text
    assert f'href="/alarms/{ids[4]}"' not in other
    found = browser.get("/alarms", params={"cast": "4711 <b>"}).text
    assert f'href="/alarms/{ids[4]}"' in found
    assert "4711 <b>" not in found


@pytest.mark.parametrize("number", ["0", "-1", "1e3", "10" + "0" * 30, "9223372036854775808", "٣", "x", "9" * 5000])
def test_numbers_that_no_alarm_can_have(browser: TestClient, number: str) -> None:
    assert browser.get(f"/alarms/{number}").status_code == 404
    assert browser.get(f"/alarms/{number}/evidence.zip").status_code == 404
    assert browser.post(f"/alarms/{number}/close", data={"note": "n"}, headers=OWN).status_code == 404


def test_an_alarm_shows_its_scores_its_crops_and_who_did_what(browser: TestClient, site: Site, line: Line) -> None:
    alarm = opened(line)
    acknowledge(
        *(site.database, site.configuration.settings.alarms, alarm),
        by="I. Petrova", note=SCRIPT, at=NOW + timedelta(seconds=51), zone=site.zone,
    )  # fmt: skip
    text = browser.get(f"/alarms/{alarm}").text
    assert text.count('class="fr') == 3
    assert text.count('class="fr hit"') == 1
    assert 'class="dot bad"' in text
    assert "I. Petrova acknowledged, after" in text
    assert SCRIPT not in text
    assert f'action="/alarms/{alarm}/close"' in text or "closed" in text
    assert "12:39:27" in text  # on the plant's clock


@pytest.mark.parametrize("language", ["en", "ru"])
def test_alarms_of_files_and_tables_and_with_crops_that_are_gone_are_shown(
    browser: TestClient, site: Site, line: Line, language: str
) -> None:
    browser.cookies.set("language", language)
    line.decide(line.crop(0, None))
    line.decide(*(line.crop(1, hole) for hole in range(1, 20)))
    with site.database.write() as connection:
        connection.exec_driver_sql("delete from alarm_evidence")
        connection.exec_driver_sql("delete from alarm_crops")
    for alarm in line.alarms():
        answer = browser.get(f"/alarms/{alarm.id}")
        assert answer.status_code == 200, answer.text
    assert browser.get("/alarms").status_code == 200


def test_a_person_acknowledges_and_closes_and_returns_to_where_they_were(
    browser: TestClient, site: Site, line: Line
) -> None:
    alarm = opened(line)
    line_of = {"note": "metal stopped", "next": "/alarms?cast=4711"}
    answer = browser.post(f"/alarms/{alarm}/acknowledge", data=line_of, headers=OWN, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/alarms?cast=4711")
    found = line.alarms()[0]
    assert (found.acknowledged_by, found.acknowledged_note) == ("local", "metal stopped")
    other = opened(line, 11)
    answer = browser.post(f"/alarms/{other}/close", data={"note": " "}, headers=OWN, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/alarms/{other}")
    assert (line.alarms()[1].closed_by, line.alarms()[1].closed_note) == ("local", None)


@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example", "/\\evil", "/a\r\nb", "x", ""])
def test_afterwards_nobody_is_led_to_another_site(browser: TestClient, line: Line, elsewhere: str) -> None:
    alarm = opened(line)
    answer = browser.post(f"/alarms/{alarm}/close", data={"next": elsewhere}, headers=OWN, follow_redirects=False)
    assert answer.headers["location"] == f"/alarms/{alarm}"


def test_what_somebody_else_did_already_is_said_and_the_note_is_kept(browser: TestClient, line: Line) -> None:
    alarm, other = opened(line), opened(line, 11)
    # A minute later its event would be over, and acknowledging would close it.
    browser.post(f"/alarms/{alarm}/close", data={}, headers=OWN)
    late = browser.post(f"/alarms/{alarm}/acknowledge", data={"note": "mine"}, headers=OWN)
    assert late.status_code == 409
    assert "was closed at" in late.text
    again = browser.post(f"/alarms/{alarm}/close", data={"note": "mine"}, headers=OWN)
    assert again.status_code == 409
    long = browser.post(f"/alarms/{other}/close", data={"note": "x" * 1001}, headers=OWN)
    assert long.status_code == 413
    assert "x" * 1001 in long.text
    assert line.alarms()[1].state == "open"


def test_of_two_people_who_acknowledge_at_once_one_does(browser: TestClient, site: Site, line: Line) -> None:
    alarm = opened(line)
    acknowledge(
        *(site.database, site.configuration.settings.alarms, alarm),
        by="anna", note=None, at=line.alarms()[0].last_decided_at, zone=site.zone,
    )  # fmt: skip
    answer = browser.post(f"/alarms/{alarm}/acknowledge", data={"note": "<b>mine"}, headers=OWN)
    assert answer.status_code == 409
    assert "was acknowledged by anna" in answer.text
    assert "&lt;b&gt;mine" in answer.text


def test_an_unknown_alarm_cannot_be_acknowledged(browser: TestClient) -> None:
    assert browser.post("/alarms/7/acknowledge", data={"note": ""}, headers=OWN).status_code == 404


def test_the_evidence_is_the_one_that_the_command_exports(browser: TestClient, line: Line) -> None:
    alarm = opened(line)
    answer = browser.get(f"/alarms/{alarm}/evidence.zip")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-disposition"] == f'attachment; filename="alarm-{alarm}.zip"'
    assert int(answer.headers["content-length"]) == len(answer.content)
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert {"manifest.json", "index.html", "alarm.json"} <= set(archive.namelist())
    assert browser.get("/alarms/999/evidence.zip").status_code == 404


def test_a_second_export_waits_for_the_first(browser: TestClient, line: Line) -> None:
    alarm = opened(line)
    with evidence._drawing:
        assert browser.get(f"/alarms/{alarm}/evidence.zip").status_code == 503
    assert browser.get(f"/alarms/{alarm}/evidence.zip").status_code == 200
