from __future__ import annotations

from monitor.inbox.retries import RETRY_SECONDS, Retries


def test_they_are_tried_in_the_first_scan_and_then_rarely() -> None:
    retries = Retries()
    assert retries.due(5.0)
    assert retries.due(60.0)  # the same scan goes on
    retries.scanned(60.0)
    assert not retries.due(61.0)
    retries.scanned(62.0)
    assert not retries.due(59.0 + RETRY_SECONDS)
    assert retries.due(60.0 + RETRY_SECONDS)
