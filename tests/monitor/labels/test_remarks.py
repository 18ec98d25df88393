from __future__ import annotations

import pytest

from monitor.labels.remarks import remark


@pytest.mark.parametrize(
    ("text", "shown"), [("", None), ("tin rim", "tin rim"), ("a\nb", "a\\nb"), ("жёлоб", "жёлоб"), ("a\\b", "a\\\\b")]
)
def test_a_remark_is_printable(text: str, shown: str | None) -> None:
    assert remark(text, 10) == shown


def test_what_we_wrote_stays_as_it_is() -> None:
    assert remark("a\\nb\\\\c", 10, escaped=True) == "a\\nb\\\\c"
    assert remark("a\nb", 10, escaped=True) == "a\\nb"


def test_the_printable_form_must_not_be_too_long() -> None:
    assert remark("a\n", 3) == "a\\n"
    with pytest.raises(ValueError, match="has 4 characters, and at most 3 are kept"):
        remark("ab\n", 3)
