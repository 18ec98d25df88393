from __future__ import annotations

import pytest

from monitor.web.languages import translations
from monitor.web.words import clock, number, span


@pytest.mark.parametrize(
    ("seconds", "english", "russian"),
    [
        (-3, "0 s", "0 с"),
        (59.9, "59 s", "59 с"),
        (60, "1 min", "1 мин"),
        (3599, "59 min", "59 мин"),
        (4800, "1 h 20", "1 ч 20"),
        (86399, "23 h 59", "23 ч 59"),
        (200_000, "2 d", "2 сут"),
    ],
)
def test_spans_of_time(seconds: float, english: str, russian: str) -> None:
    assert span(translations("en").gettext, seconds) == english
    assert span(translations("ru").gettext, seconds) == russian


def test_ages_as_on_a_clock() -> None:
    assert [clock(one) for one in (-1, 42, 134, 3723)] == ["0:00", "0:42", "2:14", "1:02:03"]


def test_numbers_as_each_language_writes_them() -> None:
    assert number("en", 2, 1234.567) == "1,234.57"
    assert number("ru", 2, 1234.567) == "1\N{NO-BREAK SPACE}234,57"
