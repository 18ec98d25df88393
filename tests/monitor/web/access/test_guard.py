"""Who gets in, under which name, and from which page."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from monitor.errors import ConfigurationError
from monitor.web.access.passwords import hashed
from monitor.web.access.sessions import SECONDS
from monitor.web.access.users import User, changing, new_token
from monitor.web.app import application
from tests.monitor.web.conftest import browser_of, made_site
from tests.support.alarm_line import Line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.testclient import TestClient

    from monitor.web.site import Site

PASSWORD = "molten metal"
STORED = hashed(PASSWORD)
TOKEN, DIGEST = new_token()
SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
def users(tmp_path: Path) -> Path:
    path = tmp_path / "state" / "web.users"
    path.parent.mkdir()
    with changing(path) as found:
        for name, role in (("vera", "viewer"), ("oleg", "operator"), ("emil", "engineer"), (SCRIPT, "viewer")):
            found[name] = User.model_validate(
                {"name": name, "role": role, "password": STORED, "token": DIGEST if name == "oleg" else None}
            )
    return path


@pytest.fixture
def guarded(tmp_path: Path, users: Path) -> Iterator[Site]:
    """An installation whose users have to log in."""
    with made_site(tmp_path, 'users = "state/web.users"\nhosts = ["monitor.plant.example"]') as site:
        yield site


@pytest.fixture
def stranger(guarded: Site) -> TestClient:
    return browser_of(guarded)


def log_in(browser: TestClient, name: str, password: str = PASSWORD, **more: str) -> Any:
    return browser.post("/login", data={"name": name, "password": password, **more}, follow_redirects=False)


def alarm_of(site: Site) -> int:
    line = Line(site.database, site.configuration.settings.alarms)
    line.decide(line.crop(0))
    return line.alarms()[-1].id


@pytest.mark.parametrize(
    "path", ["/", "/alarms", "/alarms/1", "/alarms/1/evidence.zip", "/nothing", "//login", "/loginx"]
)
def test_whoever_is_not_logged_in_is_led_to_the_login(stranger: TestClient, path: str) -> None:
    answer = stranger.get(path, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, "/login")


def test_programs_and_parts_of_pages_are_told_that_a_login_is_missing(stranger: TestClient) -> None:
    assert stranger.get("/alarms", headers={"accept": "application/json"}).status_code == 401
    assert stranger.get("/alarms", headers={"accept": "text/event-stream"}).status_code == 401
    assert stranger.get("/alarms", headers={"hx-request": "true"}).headers["hx-redirect"] == "/login"
    assert stranger.get("/static/style.css").status_code == 200


def test_a_person_logs_in_is_led_to_where_they_wanted_and_logs_out(stranger: TestClient, guarded: Site) -> None:
    answer = log_in(stranger, "oleg", next="/alarms?cast=1")
    assert (answer.status_code, answer.headers["location"]) == (303, "/alarms?cast=1")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert f"max-age={SECONDS}" in cookie
    assert "secure" not in cookie  # on loopback without HTTPS
    page = stranger.get("/").text
    assert "<b>oleg</b>" in page
    assert "Log out" in page
    value = dict(stranger.cookies)
    stranger.post("/logout")
    assert stranger.get("/", follow_redirects=False).status_code == 303
    # Nor does the cookie hold that somebody may have taken.
    stranger.cookies.update(value)
    assert stranger.get("/", follow_redirects=False).status_code == 303


def test_whoever_is_not_logged_in_logs_out_all_the_same(stranger: TestClient) -> None:
    assert stranger.post("/logout", follow_redirects=False).headers["location"] == "/login"


def test_through_a_proxy_the_cookie_is_for_https_alone(stranger: TestClient) -> None:
    answer = stranger.post(
        "/login", data={"name": "oleg", "password": PASSWORD}, headers={"host": "monitor.plant.example"},
        follow_redirects=False,
    )  # fmt: skip
    assert "secure" in answer.headers["set-cookie"].lower()


@pytest.mark.parametrize("elsewhere", ["https://evil.example", "//evil.example", "/\\evil.example", "\t//evil.example"])
def test_a_login_leads_nowhere_else(stranger: TestClient, elsewhere: str) -> None:
    assert log_in(stranger, "oleg", next=elsewhere).headers["location"] == "/"
    assert "evil" not in stranger.get("/login", params={"next": elsewhere}).text


@pytest.mark.parametrize(
    ("name", "password"),
    [("oleg", "wrong password"), ("nobody", PASSWORD), ("", ""), ("oleg", PASSWORD + "x" * 2000), ("OLEG", PASSWORD)],
)
def test_a_wrong_name_or_password_is_refused_with_one_sentence(stranger: TestClient, name: str, password: str) -> None:
    answer = log_in(stranger, name, password)
    assert (answer.status_code, "set-cookie" in answer.headers) == (403, False)
    assert "The name or the password is wrong." in answer.text


def test_after_some_wrong_passwords_the_right_one_has_to_wait(stranger: TestClient) -> None:
    for _ in range(5):
        assert log_in(stranger, "oleg", "wrong password").status_code == 403
    late = log_in(stranger, "oleg")
    assert (late.status_code, int(late.headers["retry-after"]) > 0) == (429, True)
    assert log_in(stranger, "vera").status_code == 303


def test_names_are_escaped_wherever_they_stand(stranger: TestClient) -> None:
    assert SCRIPT not in log_in(stranger, SCRIPT, "wrong").text
    assert log_in(stranger, SCRIPT).status_code == 303
    page = stranger.get("/").text
    assert SCRIPT not in page
    assert "&lt;script&gt;" in page


def test_a_role_is_what_it_may_do(stranger: TestClient, guarded: Site) -> None:
    alarm = alarm_of(guarded)
    log_in(stranger, "vera")
    assert "Acknowledge</button>" not in stranger.get(f"/alarms/{alarm}").text
    assert stranger.post(f"/alarms/{alarm}/close", data={}).status_code == 403
    log_in(stranger, "oleg")
    assert "Acknowledge</button>" in stranger.get(f"/alarms/{alarm}").text
    assert stranger.post(f"/alarms/{alarm}/close", data={}, follow_redirects=False).status_code == 303


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"sec-fetch-site": "same-origin"}, 303),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "none"}, 403),
        ({"sec-fetch-site": "cross-site", "origin": "http://127.0.0.1:8464"}, 403),
        ({"origin": "http://127.0.0.1:8464"}, 303),
        ({"origin": "http://127.0.0.1:9999"}, 403),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://[x"}, 403),
        ({"referer": "http://127.0.0.1:8464/"}, 403),
        ({}, 403),
    ],
)
def test_what_another_site_s_page_asks_for_is_not_done(
    stranger: TestClient, guarded: Site, headers: dict[str, str], status: int
) -> None:
    alarm = alarm_of(guarded)
    log_in(stranger, "oleg")
    del stranger.headers["sec-fetch-site"]
    assert stranger.post(f"/alarms/{alarm}/close", headers=headers, follow_redirects=False).status_code == status


def test_nor_does_it_without_logins(browser: TestClient, site: Site) -> None:
    alarm = alarm_of(site)
    answer = browser.post(f"/alarms/{alarm}/close", headers={"sec-fetch-site": "cross-site"})
    assert answer.status_code == 403
    assert browser.get(f"/alarms/{alarm}/close").status_code == 405


def test_a_token_does_what_its_user_may_and_only_as_that(stranger: TestClient, guarded: Site) -> None:
    alarm = alarm_of(guarded)
    del stranger.headers["sec-fetch-site"]
    wrong = stranger.post(f"/alarms/{alarm}/close", headers={"authorization": f"Bearer {TOKEN}x"})
    assert (wrong.status_code, "error" in wrong.json()) == (401, True)
    for other in ("Basic b2xlZzp4", "Bearer", "Bearer ", f"Bearer {'x' * 5000}", ""):
        assert stranger.get("/", headers={"authorization": other}).status_code == 401
    asked: dict[str, Any] = {"headers": {"authorization": f"bearer {TOKEN}"}, "follow_redirects": False}
    assert stranger.get("/alarms", **asked).status_code == 200
    assert stranger.post(f"/alarms/{alarm}/close", data={"note": "by mes"}, **asked).status_code == 303
    assert "oleg closed it" in stranger.get(f"/alarms/{alarm}", **asked).text


def test_a_login_ends_with_its_time_its_password_and_its_user(
    stranger: TestClient, users: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_in(stranger, "oleg")
    assert stranger.get("/").status_code == 200
    with monkeypatch.context() as later:
        later.setattr("monitor.web.access.sessions.SECONDS", -1)
        assert stranger.get("/", follow_redirects=False).status_code == 303
    assert stranger.get("/", follow_redirects=False).status_code == 200
    with changing(users) as found:
        found["oleg"] = found["oleg"].model_copy(update={"password": hashed("another one")})
    assert stranger.get("/", follow_redirects=False).status_code == 303
    log_in(stranger, "oleg", "another one")
    assert stranger.get("/", follow_redirects=False).status_code == 200
    with changing(users) as found:
        del found["oleg"]
    assert stranger.get("/", follow_redirects=False).status_code == 303


@pytest.mark.parametrize("cookie", ["", "x", "x.y.z", "a" * 100_000, "WyJvbGVnIl0.x.y"])
def test_a_cookie_that_we_did_not_sign_is_nobody_s(stranger: TestClient, guarded: Site, cookie: str) -> None:
    log_in(stranger, "oleg")
    name = next(iter(dict(stranger.cookies)))
    stranger.cookies.clear()
    answer = stranger.get("/", headers={"cookie": f"{name}={cookie}"}, follow_redirects=False)
    assert answer.status_code == 303


def test_what_was_sent_when_the_login_had_ended_is_kept_and_sent_again_by_hand(
    stranger: TestClient, guarded: Site
) -> None:
    alarm = alarm_of(guarded)
    ended = stranger.post(f"/alarms/{alarm}/close", data={"note": SCRIPT}, follow_redirects=False)
    assert ended.status_code == 401
    assert SCRIPT not in ended.text
    assert "What you sent is kept" in ended.text
    kept = json.dumps({"to": f"/alarms/{alarm}/close", "form": {"note": SCRIPT}})
    again = log_in(stranger, "oleg", kept=kept)
    assert again.status_code == 200
    assert f'action="/alarms/{alarm}/close"' in again.text
    assert SCRIPT not in again.text
    assert "not acknowledged" in stranger.get(f"/alarms/{alarm}").text


@pytest.mark.parametrize(
    "kept",
    [
        "x", "[]", "{}", "[" * 20_000, '{"to": "https://evil.example/", "form": {}}', '{"to": "//evil", "form": {}}',
        '{"to": 1, "form": {}}', '{"to": "/", "form": {"a": 1}}', '{"to": "/", "form": []}',
    ],
)  # fmt: skip
def test_nothing_else_is_kept(stranger: TestClient, kept: str) -> None:
    assert log_in(stranger, "oleg", kept=kept).status_code == 303


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8464", "127.0.0.1.evil.example", "", "127.0.0.1/static/?"]
)
def test_a_name_that_somebody_let_lead_here_is_not_answered_to(browser: TestClient, host: str) -> None:
    assert browser.get("/", headers={"host": host}).status_code == 421


@pytest.mark.parametrize("host", ["127.0.0.1:8464", "localhost:9", "LOCALHOST", "[::1]:8464", "monitor.plant.example"])
def test_names_of_ours_are_answered_to(stranger: TestClient, host: str) -> None:
    assert stranger.get("/login", headers={"host": host}).status_code == 200


def test_a_host_cannot_be_taken_for_a_path_that_anybody_gets(tmp_path: Path, users: Path) -> None:
    with made_site(
        tmp_path,
        'users = "state/web.users"\nhost = "192.0.2.1"\ncertificate = "c"\nkey = "k"',
    ) as site:
        browser = browser_of(site)
        assert browser.get("/", headers={"host": "any.example"}, follow_redirects=False).status_code == 303
        for host in ("x/static/?", "x/login", "x:y", "a b"):
            assert browser.get("/", headers={"host": host}, follow_redirects=False).status_code == 421


def test_a_broken_file_of_users_lets_nobody_in(stranger: TestClient, users: Path) -> None:
    log_in(stranger, "oleg")
    users.write_text("{")
    answer = stranger.get("/")
    assert (answer.status_code, "nobody gets in" in answer.text) == (503, True)
    assert stranger.get("/", headers={"authorization": f"Bearer {TOKEN}"}).status_code == 503
    stranger.cookies.clear()
    assert log_in(stranger, "oleg").status_code == 503


def test_a_site_without_anybody_in_its_file_of_users_does_not_start(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    with made_site(tmp_path, 'users = "state/web.users"') as site:
        with pytest.raises(ConfigurationError, match="is missing"):
            application(site)
        with changing(tmp_path / "state" / "web.users"):
            pass
        with pytest.raises(ConfigurationError, match="nobody could log in"):
            application(site)


def test_without_users_the_page_says_so(browser: TestClient) -> None:
    page = browser.get("/").text
    assert "<b>local</b>" in page
    assert "no login" in page
    assert browser.get("/login", follow_redirects=False).headers["location"] == "/"
    assert browser.post("/login", data={"name": "x"}, follow_redirects=False).headers["location"] == "/"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content-length": str(100 * 2**20)}, 413),
        ({"content-length": "9" * 5000}, 413),
        ({"content-length": "-1"}, 411),
        ({"transfer-encoding": "chunked"}, 411),
    ],
)
def test_long_bodies_are_refused_before_they_are_read(
    browser: TestClient, headers: dict[str, str], status: int
) -> None:
    answer = browser.post("/alarms/1/close", headers=headers)
    assert (answer.status_code, answer.headers["connection"]) == (status, "close")


@pytest.mark.parametrize("method", ["TRACE", "OPTIONS", "CONNECT", "PROPFIND"])
def test_other_methods_are_refused(browser: TestClient, method: str) -> None:
    assert browser.request(method, "/").status_code == 405
