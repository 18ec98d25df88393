"""People label crops on their pages, and take their labels back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from monitor.labels.give import give
from monitor.registry import Registry
from monitor.store.database.schema import crops
from monitor.store.labels import LabelRow, find_crops, given_labels, labels_of_contents
from monitor.web.people import Person, Role
from monitor.web.site import Site
from monitor.words import LONGEST_NOTE, Label
from tests.monitor.inbox.conftest import decided_inbox
from tests.monitor.web.conftest import browser_of
from tests.support.pictures import PICTURE, encoded

if TYPE_CHECKING:
    from starlette.testclient import TestClient

    from tests.monitor.inbox.conftest import MakeInbox
    from tests.support.decided_inbox import DecidedInbox

__all__ = ["decided_inbox"]

SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
def home(decided_inbox: MakeInbox) -> DecidedInbox:
    return decided_inbox("keep")


@pytest.fixture
def browser(home: DecidedInbox) -> TestClient:
    return browser_of(Site(home.configuration, Registry.load(), home.database))


@pytest.fixture
def acts(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Says who asks from now on."""

    def asks(name: str, role: Role = Role.OPERATOR) -> None:
        monkeypatch.setattr("monitor.web.people.LOCAL", Person(name, role))
        monkeypatch.setattr("monitor.web.access.guard.LOCAL", Person(name, role))

    return asks


def crop(home: DecidedInbox, name: str = "a.png", **changes: Any) -> int:
    pixels = PICTURE.copy()
    pixels[0, 0] = np.frombuffer(name.encode()[:3], np.uint8)
    return home.decide(home.put(name, encoded(Image.fromarray(pixels), "PNG")), **changes)


def labels(home: DecidedInbox, crop_id: int) -> list[LabelRow]:
    """Those that count."""
    with home.database.read() as connection:
        found = find_crops(connection, ids=[crop_id])
        return labels_of_contents(connection, {found[0].sha256}).get(found[0].sha256, [])


def said(home: DecidedInbox, crop_id: int) -> list[tuple[str, str | None, str | None]]:
    return [(row.label, row.author, row.note) for row in labels(home, crop_id)]


def label(browser: TestClient, crop_id: Any, given: str = "proliv", **more: str) -> Any:
    return browser.post(f"/crops/{crop_id}/label", data={"label": given, **more}, follow_redirects=False)


def take_back(browser: TestClient, crop_id: Any, given: Any) -> Any:
    return browser.post(f"/crops/{crop_id}/label/undo", data={"given": str(given)}, follow_redirects=False)


def test_a_label_is_stored_under_the_name_of_who_gave_it_and_its_crop_is_kept(
    home: DecidedInbox, browser: TestClient, acts: Any
) -> None:
    crop_id = crop(home)
    acts("anna")
    answer = label(browser, crop_id, note="  metal over the rim ")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/crops/{crop_id}")
    assert said(home, crop_id) == [("proliv", "anna", "metal over the rim")]
    assert labels(home, crop_id)[0].source == "command"
    (home.inbox / "a.png").unlink()
    text = browser.get(f"/crops/{crop_id}").text
    assert "<b>anna</b>" in text
    assert "The picture here is the kept evidence" in text


def test_the_same_label_again_changes_nothing_and_another_one_counts(home: DecidedInbox, browser: TestClient) -> None:
    crop_id = crop(home)
    for given in ("proliv", "proliv", "ne_proliv"):
        assert label(browser, crop_id, given).status_code == 303
    assert said(home, crop_id) == [("proliv", "local", None), ("ne_proliv", "local", None)]


def test_a_label_that_was_taken_back_counts_no_more_and_stays_in_the_store(
    home: DecidedInbox, browser: TestClient
) -> None:
    crop_id = crop(home)
    assert "/label/undo" not in browser.get(f"/crops/{crop_id}").text
    label(browser, crop_id, "ne_proliv")
    given = labels(home, crop_id)[0].id
    text = browser.get(f"/crops/{crop_id}").text
    assert f'name="given" value="{given}"' in text
    assert "Take back my “normal”" in text
    answer = take_back(browser, crop_id, given)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/crops/{crop_id}")
    assert said(home, crop_id) == []
    with home.database.read() as connection:
        assert [(row.undoes, row.taken_back) for row in given_labels(connection)] == [(None, True), (given, False)]
    again = take_back(browser, crop_id, given)
    assert (again.status_code, "your labels have changed in the meantime" in again.text) == (409, True)


def test_what_somebody_else_said_is_not_taken_back(home: DecidedInbox, browser: TestClient, acts: Any) -> None:
    crop_id = crop(home)
    acts("anna")
    label(browser, crop_id)
    acts("boris")
    assert "/label/undo" not in browser.get(f"/crops/{crop_id}").text
    assert take_back(browser, crop_id, labels(home, crop_id)[0].id).status_code == 409
    assert said(home, crop_id) == [("proliv", "anna", None)]


def test_labels_are_taken_back_in_the_order_of_giving_them(home: DecidedInbox, browser: TestClient) -> None:
    first, second = crop(home, "a.png"), crop(home, "b.png")
    label(browser, first)
    label(browser, second)
    refused = take_back(browser, first, labels(home, first)[0].id)
    assert refused.status_code == 409
    assert "you have labelled another crop since" in refused.text
    assert f'<a href="/crops/{second}">' in refused.text
    assert take_back(browser, second, labels(home, second)[0].id).status_code == 303
    assert take_back(browser, first, labels(home, first)[0].id).status_code == 303


def test_what_was_given_to_many_is_not_taken_back_by_way_of_one(
    home: DecidedInbox, browser: TestClient, acts: Any
) -> None:
    ids = [crop(home, "a.png"), crop(home, "b.png")]
    with home.database.write() as connection:
        give(connection, find_crops(connection, ids=ids), Label.PROLIV, author="anna o'neil")
    acts("anna o'neil")
    refused = take_back(browser, ids[0], labels(home, ids[0])[0].id)
    assert refused.status_code == 409
    assert "2 in all" in refused.text
    assert "monitor labels undo --author &#39;anna o&#39;&#34;&#39;&#34;&#39;neil&#39;" in refused.text
    assert [said(home, one) for one in ids] == [[("proliv", "anna o'neil", None)]] * 2


def test_when_two_people_contradict_each_other_the_page_says_so(
    home: DecidedInbox, browser: TestClient, acts: Any
) -> None:
    crop_id = crop(home)
    for name, given in (("anna", "proliv"), ("boris", "ne_proliv")):
        assert "contradict each other" not in browser.get(f"/crops/{crop_id}").text
        acts(name)
        label(browser, crop_id, given)
    text = browser.get(f"/crops/{crop_id}").text
    assert "2, they contradict each other" in text
    assert f"monitor label {crop_id} --as … --settle" in text
    take_back(browser, crop_id, labels(home, crop_id)[-1].id)
    assert "contradict each other" not in browser.get(f"/crops/{crop_id}").text


def test_a_viewer_neither_labels_nor_takes_back(home: DecidedInbox, browser: TestClient, acts: Any) -> None:
    crop_id = crop(home)
    label(browser, crop_id)
    acts("local", Role.VIEWER)
    assert label(browser, crop_id, "ne_proliv").status_code == 403
    assert take_back(browser, crop_id, labels(home, crop_id)[0].id).status_code == 403
    assert f'action="/crops/{crop_id}/label' not in browser.get(f"/crops/{crop_id}").text
    assert said(home, crop_id) == [("proliv", "local", None)]


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none"])
def test_a_form_of_another_site_changes_nothing(home: DecidedInbox, browser: TestClient, site: str) -> None:
    crop_id = crop(home)
    browser.headers["sec-fetch-site"] = site
    assert label(browser, crop_id).status_code == 403
    assert take_back(browser, crop_id, 1).status_code == 403
    assert said(home, crop_id) == []


def test_no_label_is_given_by_following_a_link(home: DecidedInbox, browser: TestClient) -> None:
    crop_id = crop(home)
    assert browser.get(f"/crops/{crop_id}/label?label=proliv").status_code == 405
    assert browser.get(f"/crops/{crop_id}/label/undo").status_code in (404, 405)
    assert said(home, crop_id) == []


def test_a_note_is_text_and_one_that_is_too_long_is_not_lost(home: DecidedInbox, browser: TestClient) -> None:
    crop_id = crop(home)
    label(browser, crop_id, note=SCRIPT)
    text = browser.get(f"/crops/{crop_id}").text
    assert "“&lt;script&gt;alert(1)&lt;/script&gt;”" in text
    assert SCRIPT not in text
    long = SCRIPT + LONGEST_NOTE * "x"
    answer = label(browser, crop_id, "ne_proliv", note=long)
    assert answer.status_code == 413
    assert f"longer than {LONGEST_NOTE} characters" in answer.text
    assert f'value="&lt;script&gt;alert(1)&lt;/script&gt;{LONGEST_NOTE * "x"}"' in answer.text
    assert len(labels(home, crop_id)) == 1


def test_a_crop_without_a_digest_cannot_be_labelled(home: DecidedInbox, browser: TestClient) -> None:
    crop_id = crop(home)
    with home.database.write() as connection:
        connection.execute(crops.update().values(sha256=""))
    page = browser.get(f"/crops/{crop_id}").text
    answer = label(browser, crop_id, note="mine")
    assert answer.status_code == 409
    for text in (page, answer.text):
        assert "This crop cannot be labelled: its content could not be read" in text
        assert f'action="/crops/{crop_id}/label"' not in text
    assert said(home, crop_id) == []


def test_a_crop_that_was_not_scored_cannot_be_labelled(home: DecidedInbox, browser: TestClient) -> None:
    final: Any = dict.fromkeys(("verdict", "decision_score", "decision_threshold", "decided_by"))
    crop_id = crop(home, reason="truncated", error="it ends early", scores=(), **final)
    answer = label(browser, crop_id)
    assert (answer.status_code, "cannot be labelled: it could not be scored" in answer.text) == (409, True)
    assert said(home, crop_id) == []


@pytest.mark.parametrize("number", ["0", "-1", "99", "1" + 30 * "0", "x", str(2**63)])
def test_crops_that_are_not_there_are_not_found(browser: TestClient, number: str) -> None:
    for answer in (label(browser, number), take_back(browser, number, 1)):
        assert (answer.status_code, "defect" in answer.text) == (404, False)


@pytest.mark.parametrize("given", ["", "-1", "x", "1" + 30 * "0", str(2**63), "²"])
def test_only_a_label_that_the_page_showed_is_taken_back(home: DecidedInbox, browser: TestClient, given: str) -> None:
    crop_id = crop(home)
    label(browser, crop_id)
    assert take_back(browser, crop_id, given).status_code == 409
    assert said(home, crop_id) == [("proliv", "local", None)]


@pytest.mark.parametrize("given", ["", "Proliv", "unusual", SCRIPT])
def test_only_the_two_labels_exist(home: DecidedInbox, browser: TestClient, given: str) -> None:
    crop_id = crop(home)
    answer = label(browser, crop_id, given)
    assert (answer.status_code, "label has to be proliv or ne_proliv." in answer.text) == (400, True)
    assert said(home, crop_id) == []


@pytest.mark.parametrize(("wanted", "led"), [("/alarms/3", "/alarms/3"), ("https://a.example/", "own"), ("//x", "own")])
def test_afterwards_people_are_where_they_were_and_never_elsewhere(
    home: DecidedInbox, browser: TestClient, wanted: str, led: str
) -> None:
    crop_id = crop(home)
    goal = f"/crops/{crop_id}" if led == "own" else led
    assert label(browser, crop_id, next=wanted).headers["location"] == goal


def test_the_buttons_are_there_in_russian_and_have_their_keys(home: DecidedInbox, browser: TestClient) -> None:
    crop_id = crop(home)
    label(browser, crop_id)
    text = browser.get(f"/crops/{crop_id}", headers={"Accept-Language": "ru"}).text
    for words in ("Пролив", "Норма", "Отозвать мою метку «пролив»"):
        assert words in text
    for key in "PNU":
        assert f'data-key="Key{key}"' in text
    script = browser.get("/static/labels.js")
    assert (script.status_code, "monitor.keys.set" in script.text) == (200, True)
