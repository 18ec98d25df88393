"""The page in a real browser, beside a real daemon: what people see when a crop lands and an alarm opens."""

from __future__ import annotations

import re
import shutil
import urllib.request
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final

import pytest

from monitor.harness.children import Running
from monitor.harness.waiting import wait_until
from tests.support.chromium import Heard, chromium

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Page

    from tests.support.daemon import Daemon

# For what is seen within a second where nothing else runs.
PATIENCE: Final = 30_000


@pytest.fixture
def web(daemon: Daemon) -> Iterator[Running]:
    """`monitor web` beside the daemon, which runs."""
    daemon.environment |= {"MONITOR__WEB__PORT": "0", "MONITOR__PLANT__ROWS": '["7-8", "9"]'}
    daemon.start()
    messages = daemon.home / "web.log"
    arguments = ["-m", "monitor", "web"]
    with Running(arguments, messages, folder=daemon.home, environment=daemon.environment, watch_memory=False) as server:
        wait_until(lambda: server.has_ended() or _answers(server))
        server.require_running()
        yield server


def _answers(server: Running) -> bool:
    if "http://" not in server.text():
        return False
    try:
        with urllib.request.urlopen(address(server)) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def address(web: Running) -> str:
    addresses: list[str] = re.findall(r"http://127\.0\.0\.1:\d+/", web.text())
    return addresses[-1]


def put(daemon: Daemon, source: Path, hole: int) -> None:
    """Let a crop of a hole land, as a camera does: renamed once it is whole."""
    name = f"{hole}_CAM_C_{datetime.now(UTC):%d-%m-%Y_%H-%M-%S-%f}"[:-3] + ".jpg"
    hidden = daemon.inbox / f".{name}"
    shutil.copyfile(source, hidden)
    hidden.rename(daemon.inbox / name)


def picture(page: Page, hole: int) -> str:
    return page.locator(f"#hole-C-{hole} img").get_attribute("src", timeout=PATIENCE) or ""


def test_the_table_is_live(daemon: Daemon, web: Running, small_dataset: Path) -> None:
    normal = sorted((small_dataset / "train").glob("*.jpg"))
    proliv = sorted((small_dataset / "proliv").glob("*.jpg"))
    heard = Heard()
    with chromium() as browser:
        page = browser.new_page(locale="en-GB")
        heard.listen(page)
        page.goto(address(web))
        assert page.get_by_text("no crop for a day").count() == 3
        # The crop lands, and its tile changes without anybody doing anything.
        put(daemon, normal[0], 7)
        first = picture(page, 7)
        page.locator("#legend .st-missing b", has_text="2").wait_for(timeout=PATIENCE)
        put(daemon, normal[1], 7)
        page.wait_for_function(
            "old => document.querySelector('#hole-C-7 img').getAttribute('src') !== old", arg=first, timeout=PATIENCE
        )
        _open_an_alarm(daemon, page, proliv)
        _use_keys(page)
        page.locator(".languages button").click()
        page.get_by_role("heading", name="Стол", exact=True).wait_for(timeout=PATIENCE)
        assert "ТРЕВОГА" in page.locator("#hole-C-8").inner_text()
        assert daemon.stop() == 0
        page.get_by_text("Никто не следит").wait_for(timeout=PATIENCE)
        assert page.evaluate("window.violations") == []
        assert {url.split("/", 3)[2] for url in heard.asked} == {address(web).split("/")[2]}
        assert heard.faults == []
        # A server that stops does not wait for the stream, and the page says how old it is.
        assert web.stop() == 0
        assert "ERROR" not in web.text()
        page.get_by_text("Связь прервана").wait_for(timeout=PATIENCE)
        page.get_by_text("Данным на экране").wait_for(timeout=PATIENCE)


def _open_an_alarm(daemon: Daemon, page: Page, proliv: list[Path]) -> None:
    """Let proliv land until one is found; the alarm shows in its tile, in a card, and to a screen reader."""
    for number, source in enumerate(proliv, 1):
        put(daemon, source, 8)
        daemon.until(partial(_has_come, daemon, number))
        if daemon.count("hole = 8 and verdict = 'proliv'"):
            break
    page.locator("#hole-C-8.is-alarm").wait_for(timeout=PATIENCE)
    card = page.locator(".acard.open")
    assert "Hole 8" in card.inner_text()
    assert page.locator("#news").inner_text() == "Alarm: Hole 8, camera C"


def _has_come(daemon: Daemon, number: int) -> bool:
    return daemon.count("hole = 8") == number


def _use_keys(page: Page) -> None:
    focused = "document.activeElement.id"
    page.keyboard.press("a")
    assert page.evaluate(focused) == "acknowledge-1"
    page.locator("#hole-C-7").focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate(focused) == "hole-C-8"
    page.keyboard.press("ArrowDown")
    assert page.evaluate(focused) == "hole-C-9"
    page.keyboard.press("?")
    assert page.locator("#help").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("#help").is_visible()
