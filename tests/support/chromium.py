"""A Chromium that looks at the page, and hears what a person would not see: faults, violations, requests."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from tests.support.requirements import go_without

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, ConsoleMessage, Page

NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
# In the page itself, because a violation of the policy is only an event there.
LISTEN: Final = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => window.violations.push(event.violatedDirective));
"""


@dataclass
class Heard:
    """What a page's console said of faults, what its scripts threw, and the addresses that it asked for."""

    faults: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def listen(self, page: Page) -> None:
        """Listen from now on."""
        page.add_init_script(LISTEN)
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("request", lambda request: self.asked.append(request.url))

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.faults.append(f"{message.text} ({message.location.get('url')})")


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser of this machine; the test skips without one."""
    program = next((found for name in NAMES if (found := shutil.which(name))), None)
    if program is None:
        go_without("chromium", "there is no Chromium: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # The sandbox wants what a container does not give; what is shown comes from this test alone.
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()
