"""The page of a crop says what was decided and why, and shows what models see, as far as there is anything to show."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from monitor.harness.waiting import wait_until
from monitor.registry import Registry
from monitor.store import calibrations, casts
from monitor.store.decisions import ScoreRow
from monitor.store.labels import NewLabel, add_labels
from monitor.web.app import application
from monitor.web.crops.sights import MOST_MODELS, MOST_WAITING, TRY_AGAIN_SECONDS, Sights
from monitor.web.site import Site
from tests.monitor.inbox.conftest import decided_inbox
from tests.support.brightness_detector import Brightness, BrightnessSettings
from tests.support.decided_inbox import NOW
from tests.support.disks import sha256
from tests.support.pictures import PICTURE, encoded

if TYPE_CHECKING:
    from tests.monitor.inbox.conftest import MakeInbox
    from tests.support.decided_inbox import DecidedInbox

__all__ = ["decided_inbox"]

FINAL = ("verdict", "decision_score", "decision_threshold", "decided_by")


class Decide(Protocol):
    def __call__(self, name: str = ..., score: float = ..., **changes: Any) -> int: ...


@pytest.fixture
def home(decided_inbox: MakeInbox) -> DecidedInbox:
    return decided_inbox("keep")


@pytest.fixture
def site(home: DecidedInbox) -> Site:
    return Site(home.configuration, Registry.load(), home.database)


@pytest.fixture
def sights(site: Site) -> Sights:
    return Sights(site)


@pytest.fixture
def browser(site: Site, sights: Sights) -> TestClient:
    app = application(site)
    app._app.state.sights = sights  # type: ignore[attr-defined]
    return TestClient(app, raise_server_exceptions=False, base_url="http://127.0.0.1:8464")


@pytest.fixture
def decide(home: DecidedInbox) -> Decide:
    """Decide on a crop whose first pixel is its own, so that each has its own content."""

    def decided(name: str = "7_CAM_C.png", score: float = 0.1, **changes: Any) -> int:
        pixels = PICTURE.copy()
        pixels[0, 0] = np.frombuffer(name.encode()[-7:-4].rjust(3), np.uint8)
        verdict = "proliv" if score >= 0.5 else "ne_proliv"
        made = ScoreRow(1, 1, score, score, 0.5, verdict, NOW, 0.25)
        values = {"verdict": verdict, "decision_score": score, "scores": (made,), **changes}
        return home.decide(home.put(name, encoded(Image.fromarray(pixels), "PNG")), **values)

    return decided


def page(browser: TestClient, crop_id: int, language: str = "en") -> str:
    answer = browser.get(f"/crops/{crop_id}", headers={"Accept-Language": language})
    assert answer.status_code == 200, answer.text
    return " ".join(answer.text.split())


def test_the_decision_is_a_sentence_and_a_table(browser: TestClient, decide: Decide) -> None:
    votes = [ScoreRow(1, 1, 0.1, 1.2, 0.5, "proliv", NOW, 0.25), ScoreRow(2, 2, 0.1, 0.2, 0.5, "ne_proliv", NOW, 0.25)]
    text = page(browser, decide(score=1.2, scores=tuple(votes)))
    assert "1 of 2 detectors are at or over their thresholds." in text
    assert "The score is 2.40 times the threshold, so the decision was <b>proliv</b>" in text
    for figure in ("+0.7", "-0.3", "2.40", "0.40", "Calibration 1", "Scored 0.25 s after"):
        assert figure in text
    assert 'width="26.7"' in text
    assert 'width="100.0"' in text


def test_where_models_vote_the_margin_is_shown_in_the_same_unit(browser: TestClient, decide: Decide) -> None:
    text = page(browser, decide(score=0.9, decision_score=0.25, decision_threshold=0.0, decided_by="any"))
    assert "The score is 1.25 times the threshold" in text


def test_the_threshold_has_its_evidence_and_what_was_refused_since(
    home: DecidedInbox, browser: TestClient, decide: Decide
) -> None:
    rates = {"tp": 9, "fn": 1, "tn": 98, "fp": 2, "tpr": 0.9, "tpr_low": 0.6, "tpr_high": 0.99}
    evidence = {**rates, "tnr": 0.98, "tnr_low": 0.93, "tnr_high": 0.995}
    with home.database.write() as connection:
        made = calibrations.add(
            connection, model_id=1, rule="balanced", settings={}, threshold=0.5, evidence=evidence, now=NOW
        )
        later = NOW + timedelta(days=1)
        calibrations.add(
            connection, model_id=1, rule="balanced", settings={}, threshold=None, evidence={}, now=later,
            state="refused", reason="TNR <b>fell</b>",
        )  # fmt: skip
    scores = (ScoreRow(1, made, 0.1, 0.1, 0.5, "ne_proliv", NOW, 0.25),)
    text = page(browser, decide(scores=scores))
    assert "100 normals and 10 proliv; TPR 0.900 (0.600–0.990), TNR 0.980 (0.930–0.995)" in text
    assert "was refused on" in text
    assert "TNR &lt;b&gt;fell&lt;/b&gt;" in text


def test_the_cast_is_the_one_of_that_time(home: DecidedInbox, browser: TestClient, decide: Decide) -> None:
    with home.database.write() as connection:
        for number, hours in (("4126", -3), ("41<b>27", -1), ("4128", 1)):
            at = NOW + timedelta(hours=hours)
            cast = casts.begin(connection, number, None, at)
            casts.say(connection, cast, "steady", at=at, source="person", author="Kim", problem=None)
    crop_id = decide()
    assert "cast 41&lt;b&gt;27, phase steady, camera C" in page(browser, crop_id)
    early = decide("early.png", seen_at=NOW - timedelta(hours=9))
    assert ", cast" not in page(browser, early)


def test_labels_name_their_authors_and_contradictions_are_said(
    home: DecidedInbox, browser: TestClient, decide: Decide
) -> None:
    crop_id = decide()
    assert "Nobody has labelled this content." in page(browser, crop_id)
    for number, (author, label) in enumerate([("Petrova", "proliv"), ("Orlov", "proliv"), ("Kim", "ne_proliv")], 1):
        at = NOW + timedelta(minutes=number)
        with home.database.write() as connection:
            add_labels(connection, [NewLabel(crop_id, label, "command", author, at, "<script>x</script>", False)])
        text = page(browser, crop_id)
        assert f"<b>{author}</b>" in text
        assert ("they agree" in text, "they contradict each other" in text) == (number == 2, number == 3)
    assert "&lt;script&gt;x&lt;/script&gt;" in text
    assert "<script>x" not in text


def test_neighbours_are_those_of_the_same_hole_in_the_order_of_time(browser: TestClient, decide: Decide) -> None:
    ids = [decide(f"{number:03}.png", hole=number % 2) for number in range(9)]
    text = page(browser, ids[4])
    assert [f'href="/crops/{one}"' in text for one in ids] == [True, False, True, False, True, False, True, False, True]
    assert f'id="previous" rel="prev" href="/crops/{ids[2]}"' in text
    assert f'id="following" rel="next" href="/crops/{ids[6]}"' in text
    assert 'id="previous"' not in page(browser, ids[0])
    assert 'id="following"' not in page(browser, ids[8])


def test_a_failed_crop_says_why(home: DecidedInbox, browser: TestClient) -> None:
    file = home.put("broken.png", b"\x89PNG\r\n\x1a\nnothing")
    final: Any = dict.fromkeys(FINAL)
    crop_id = home.decide(file, reason="truncated", error="it ends <early>", scores=(), width=None, **final)
    text = page(browser, crop_id)
    assert "could not be scored" in text
    assert "it ends &lt;early&gt;" in text
    assert "No picture." in text
    assert "<img" not in text.split("Neighbours in time")[0]


def test_a_failed_crop_is_found_in_the_quarantine(home: DecidedInbox) -> None:
    home.configure("keep", quarantine=home.home / "quarantine")
    file = home.put("broken.png", b"\x89PNG\r\n\x1a\nnothing")
    final: Any = dict.fromkeys(FINAL)
    crop_id = home.decide(file, reason="truncated", error="it ends early", scores=(), **final)
    goal = home.home / "quarantine" / sha256(file)[:16] / file.name
    goal.parent.mkdir(parents=True)
    file.rename(goal)
    app = application(Site(home.configuration, Registry.load(), home.database))
    browser = TestClient(app, base_url="http://127.0.0.1:8464")
    text = page(browser, crop_id)
    assert f"The file lies at {goal} now, checksum equal." in text
    assert "The file is there and cannot be shown" in text


def test_a_picture_that_is_gone_leaves_a_frame_and_a_sentence(
    home: DecidedInbox, browser: TestClient, decide: Decide
) -> None:
    crop_id = decide()
    assert "The file lies where it came." in page(browser, crop_id)
    (home.inbox / "7_CAM_C.png").unlink()
    text = page(browser, crop_id)
    assert "The file was deleted or moved away, and it was not kept as evidence." in text
    assert "Score, decision and labels remain." in text
    assert 'class="gone frame"' in text
    assert f"/crops/{crop_id}/picture?scale" not in text


def test_a_name_that_is_a_script_is_text(browser: TestClient, decide: Decide) -> None:
    crop_id = decide("<script>alert(1)<!script>.png", camera="<img src=x>")
    text = page(browser, crop_id)
    assert "&lt;script&gt;alert(1)&lt;!script&gt;.png" in text
    assert "<script>alert" not in text
    assert "<img src=x" not in text
    assert "/holes/%3Cimg%20src%3Dx%3E/1" in text


@pytest.mark.parametrize("number", ["0", "-1", "99", "1" + 30 * "0", "x"])
@pytest.mark.parametrize("rest", ["", "/map/1", "/reconstruction/1"])
def test_crops_that_are_not_there_are_not_found(browser: TestClient, number: str, rest: str) -> None:
    answer = browser.get(f"/crops/{number}{rest}")
    assert (answer.status_code, "defect" in answer.text) == (404, False)


@pytest.mark.parametrize("model", ["0", "-1", "99", "1" + 30 * "0", "m1"])
def test_models_that_are_not_there_are_not_found(browser: TestClient, decide: Decide, model: str) -> None:
    answer = browser.get(f"/crops/{decide()}/map/{model}")
    assert (answer.status_code, "defect" in answer.text) == (404, False)


def test_the_page_is_there_in_russian(browser: TestClient, decide: Decide) -> None:
    text = page(browser, decide(score=1.0), "ru")
    for word in ("Почему", "Откуда порог", "Метки", "Соседние по времени", "пролив"):
        assert word in text


def brightness(mean: float = 0.5) -> Brightness:
    detector = Brightness(BrightnessSettings(), "cpu")
    detector.mean = np.float32(mean)
    return detector


def test_what_a_model_sees_is_drawn_in_its_own_size(browser: TestClient, sights: Sights, decide: Decide) -> None:
    crop_id = decide()
    sights._models[1] = brightness()
    for kind in ("map", "reconstruction", "view"):
        answer = browser.get(f"/crops/{crop_id}/{kind}/1?scale=2")
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png"), answer.text
        assert Image.open(io.BytesIO(answer.content)).size == (16, 16)
        tag = answer.headers["etag"]
        assert browser.get(f"/crops/{crop_id}/{kind}/1?scale=2", headers={"If-None-Match": tag}).status_code == 304
    assert browser.get(f"/crops/{crop_id}/score/1").status_code == 404


def test_a_model_that_fails_to_load_costs_its_maps_alone(browser: TestClient, decide: Decide) -> None:
    crop_id = decide()
    answer = browser.get(f"/crops/{crop_id}/map/1")
    assert answer.status_code == 404
    assert "m1 could not be loaded" in answer.text
    assert "Calibration 1" in page(browser, crop_id)
    assert browser.get(f"/crops/{crop_id}/picture").status_code == 200


def test_a_model_that_refuses_a_crop_says_why(browser: TestClient, sights: Sights, home: DecidedInbox) -> None:
    sights._models[1] = brightness()
    blank = home.put("blank.png", encoded(Image.fromarray(np.full((9, 9, 3), 7, np.uint8)), "PNG"))
    answer = browser.get(f"/crops/{home.decide(blank)}/map/1")
    assert (answer.status_code, "it shows nothing" in answer.text) == (404, True)


def test_no_more_models_are_kept_than_may_be(
    browser: TestClient, sights: Sights, decide: Decide, monkeypatch: pytest.MonkeyPatch
) -> None:
    crop_id = decide()
    monkeypatch.setattr("monitor.models.loader.ModelLoader.load", lambda _self, _row: brightness())
    for number in range(10, 10 + MOST_MODELS):
        sights._models[number] = brightness()
    assert browser.get(f"/crops/{crop_id}/map/1").status_code == 200
    assert len(sights._models) == MOST_MODELS
    assert 1 in sights._models


def test_a_model_that_takes_its_time_keeps_no_other_page_waiting(
    browser: TestClient, sights: Sights, decide: Decide, monkeypatch: pytest.MonkeyPatch
) -> None:
    crop_id = decide()
    loading, go_on = Event(), Event()

    def load(_self: object, _row: object) -> Brightness:
        loading.set()
        assert go_on.wait(60)
        return brightness()

    monkeypatch.setattr("monitor.models.loader.ModelLoader.load", load)
    address = f"/crops/{crop_id}/map/1"
    # One event loop for all requests, as in the server.
    with browser, ThreadPoolExecutor(MOST_WAITING) as threads:
        waiting = [threads.submit(browser.get, address) for _ in range(MOST_WAITING)]
        assert loading.wait(60)
        assert browser.get(f"/crops/{crop_id}").status_code == 200
        assert browser.get(f"/crops/{crop_id}/picture").status_code == 200
        wait_until(lambda: sights._waiting == MOST_WAITING)
        assert browser.get(address).status_code == 503
        go_on.set()
        assert {one.result().status_code for one in waiting} == {200}
        assert browser.get(address).status_code == 200


def test_a_model_that_failed_is_tried_again_after_a_while(
    browser: TestClient, sights: Sights, decide: Decide, monkeypatch: pytest.MonkeyPatch
) -> None:
    crop_id = decide()
    address = f"/crops/{crop_id}/map/1"
    assert browser.get(address).status_code == 404
    monkeypatch.setattr("monitor.models.loader.ModelLoader.load", lambda _self, _row: brightness())
    assert browser.get(address).status_code == 404
    tried, problem = sights._problems[1]
    sights._problems[1] = (tried - TRY_AGAIN_SECONDS, problem)
    assert browser.get(address).status_code == 200


def test_a_crop_whose_file_is_gone_has_no_maps(
    home: DecidedInbox, browser: TestClient, sights: Sights, decide: Decide
) -> None:
    sights._models[1] = brightness()
    crop_id = decide()
    (home.inbox / "7_CAM_C.png").unlink()
    answer = browser.get(f"/crops/{crop_id}/map/1")
    assert (answer.status_code, "was deleted" in answer.text) == (404, True)
