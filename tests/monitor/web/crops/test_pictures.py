"""A crop's picture is shown from wherever its content lies, and from nowhere else."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from monitor.keeping.places import claim_name
from monitor.registry import Registry
from monitor.store import kept
from monitor.store.database.schema import kept_contents
from monitor.web.app import application
from monitor.web.crops.pictures import MOST_PIXELS
from monitor.web.site import Site
from tests.monitor.inbox.conftest import decided_inbox
from tests.support.pictures import PICTURE, encoded

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.monitor.inbox.conftest import MakeInbox
    from tests.support.decided_inbox import DecidedInbox

__all__ = ["decided_inbox"]

CONTENT = encoded(Image.fromarray(PICTURE), "PNG")
OTHER = encoded(Image.fromarray(PICTURE[::-1]), "PNG")
HEIGHT, WIDTH = PICTURE.shape[:2]


@pytest.fixture
def home(decided_inbox: MakeInbox) -> DecidedInbox:
    return decided_inbox("archive")


@pytest.fixture
def browser(home: DecidedInbox) -> TestClient:
    site = Site(home.configuration, Registry.load(), home.database)
    return TestClient(application(site), base_url="http://127.0.0.1:8464", raise_server_exceptions=False)


@pytest.fixture
def file(home: DecidedInbox) -> Path:
    return home.put("7_CAM_C_01-03-2023_05-39-27-929.png", CONTENT)


def shown(browser: TestClient, crop_id: int, query: str = "") -> np.ndarray:
    answer = browser.get(f"/crops/{crop_id}/picture{query}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png"), answer.text
    return np.asarray(Image.open(io.BytesIO(answer.content)))


def refused(browser: TestClient, crop_id: int) -> str:
    answer = browser.get(f"/crops/{crop_id}/picture")
    assert (answer.status_code, answer.headers["cache-control"]) == (404, "no-store")
    assert "etag" not in answer.headers
    return answer.text


def test_a_picture_has_its_own_size_or_a_whole_number_of_it(
    home: DecidedInbox, browser: TestClient, file: Path
) -> None:
    crop_id = home.decide(file)
    np.testing.assert_array_equal(shown(browser, crop_id), PICTURE)
    np.testing.assert_array_equal(shown(browser, crop_id, "?scale=3"), PICTURE.repeat(3, axis=0).repeat(3, axis=1))


@pytest.mark.parametrize("scale", ["0", "17", "-1", "1.5", "x", "", "٣", "9" * 5000])
def test_other_scales_are_refused(home: DecidedInbox, browser: TestClient, file: Path, scale: str) -> None:
    answer = browser.get(f"/crops/{home.decide(file)}/picture", params={"scale": scale})
    assert (answer.status_code, "1 to 16" in answer.text) == (400, True)


def test_a_large_picture_is_enlarged_no_further_than_it_may_be(home: DecidedInbox, browser: TestClient) -> None:
    large = np.zeros((700, 900, 3), np.uint8)
    crop_id = home.decide(home.put("large.png", encoded(Image.fromarray(large), "PNG")))
    height, width = shown(browser, crop_id, "?scale=16").shape[:2]
    assert (height, width) == (1400, 1800)
    assert height * width <= MOST_PIXELS


@pytest.mark.parametrize(
    "number", ["0", "-1", "99", "1" + 30 * "0", "9" * 6000, "1e3", "%D9%A3", "..%2F..%2Fconfig.toml"]
)
def test_ids_without_a_crop_are_not_found(browser: TestClient, number: str) -> None:
    answer = browser.get(f"/crops/{number}/picture")
    assert (answer.status_code, "defect" in answer.text) == (404, False)


@pytest.mark.parametrize("place", ["claim", "recent", "archive", "evidence"])
def test_a_picture_is_found_when_its_file_has_left(
    home: DecidedInbox, browser: TestClient, file: Path, place: str
) -> None:
    crop_id = home.decide(file)
    if place == "evidence":
        with home.database.write() as connection:
            kept.owe(connection, [crop_id])
            kept.keep(connection, {crop_id: (_digest(home, crop_id), CONTENT)})
        file.unlink()
    else:
        goal = {
            "claim": file.with_name(claim_name(crop_id)),
            "recent": home.configuration.state / "recent" / str(crop_id),
            "archive": home.archive / "2026-03-03" / "ne_proliv" / file.name,
        }[place]
        goal.parent.mkdir(parents=True, exist_ok=True)
        file.rename(goal)
    np.testing.assert_array_equal(shown(browser, crop_id), PICTURE)


def _digest(home: DecidedInbox, crop_id: int) -> str:
    from monitor.store.details import stored_crop

    with home.database.read() as connection:
        crop = stored_crop(connection, crop_id)
    assert crop is not None
    return crop.sha256


def _delete(home: DecidedInbox, file: Path) -> None:
    file.unlink()


def _replace(home: DecidedInbox, file: Path) -> None:
    file.write_bytes(OTHER)


def _link(home: DecidedInbox, file: Path) -> None:
    secret = home.home / "secret.png"
    secret.write_bytes(CONTENT)
    file.unlink()
    file.symlink_to(secret)


def _link_the_folder(home: DecidedInbox, file: Path) -> None:
    outside = home.home / "outside"
    file.parent.rename(outside)
    home.inbox.mkdir(exist_ok=True)
    file.parent.symlink_to(outside)


def _unmount(home: DecidedInbox, file: Path) -> None:
    file.unlink()
    home.inbox.rmdir()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (_delete, "was deleted"),
        (_replace, "was replaced by another"),
        (_link, "links are not followed"),
        (_unmount, "mount its share"),
    ],
)
def test_a_picture_that_is_gone_leaves_a_sentence(
    home: DecidedInbox,
    browser: TestClient,
    file: Path,
    change: Callable[[DecidedInbox, Path], None],
    sentence: str,
) -> None:
    crop_id = home.decide(file)
    change(home, file)
    assert sentence in refused(browser, crop_id)


def test_no_link_on_the_way_to_a_file_is_followed(home: DecidedInbox, browser: TestClient) -> None:
    file = home.put("line/7_CAM_C_01-03-2023_05-39-27-929.png", CONTENT)
    crop_id = home.decide(file)
    _link_the_folder(home, file)
    assert file.read_bytes() == CONTENT
    assert "links are not followed" in refused(browser, crop_id)


def test_kept_bytes_that_were_damaged_are_not_shown(home: DecidedInbox, browser: TestClient, file: Path) -> None:
    crop_id = home.decide(file)
    with home.database.write() as connection:
        connection.execute(kept_contents.insert().values(sha256=_digest(home, crop_id), content=OTHER))
    np.testing.assert_array_equal(shown(browser, crop_id), PICTURE)
    file.unlink()
    assert "was deleted" in refused(browser, crop_id)


def test_a_file_that_could_not_be_decoded_says_why(home: DecidedInbox, browser: TestClient) -> None:
    file = home.put("broken.png", CONTENT[:60])
    final: Any = dict.fromkeys(("verdict", "decision_score", "decision_threshold", "decided_by"))
    crop_id = home.decide(file, reason="truncated", error="it ends early", scores=(), **final)
    assert "cannot be shown" in refused(browser, crop_id)
    another = home.put("unread.png", CONTENT)
    unread = home.decide(another, sha256="", reason="unreadable", error="it cannot be read", scores=(), **final)
    assert "never be read" in refused(browser, unread)


def test_a_browser_that_has_the_picture_gets_none(home: DecidedInbox, browser: TestClient, file: Path) -> None:
    crop_id = home.decide(file)
    address = f"/crops/{crop_id}/picture?scale=2"
    first = browser.get(address)
    tag = first.headers["etag"]
    assert tag == f'"{_digest(home, crop_id)}-2"'
    assert first.headers["cache-control"].startswith("private, max-age=")
    for offered in (tag, f"W/{tag}", f'"x", {tag}'):
        again = browser.get(address, headers={"If-None-Match": offered})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert browser.get(f"/crops/{crop_id}/picture", headers={"If-None-Match": tag}).status_code == 200


def test_sentences_are_in_the_reader_s_language(home: DecidedInbox, browser: TestClient, file: Path) -> None:
    crop_id = home.decide(file)
    file.unlink()
    answer = browser.get(f"/crops/{crop_id}/picture", headers={"Accept-Language": "ru"})
    assert "удалён" in answer.text
