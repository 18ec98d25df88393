from __future__ import annotations

import re

import pytest

from monitor.configuration.encoding import decoded

TEXT = 'name = "Печь"\n'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_unicode_is_read_in_whatever_form_an_editor_saves_it(encoding: str) -> None:
    assert decoded(TEXT.encode(encoding)) == TEXT


def test_both_byte_orders() -> None:
    for mark, encoding in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        assert decoded(mark + TEXT.encode(encoding)) == TEXT


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("# Печь\n".encode("cp1251"), "is not UTF-8 (line 1); it looks like Windows-1251: save it as UTF-8"),
        ("a\n# ПЕЧЬ 3, цех\n".encode("cp1251"), "is not UTF-8 (line 2); it looks like Windows-1251: save it as UTF-8"),
        ("# Печь\n".encode("cp866"), "is not UTF-8 (line 1); it looks like CP866 (DOS): save it as UTF-8"),
        (
            "# Gießerei\n".encode("cp1252"),
            "is not UTF-8 (line 1); it looks like Windows-1252 (Western European): save it as UTF-8",
        ),
        (b"# \xb0\xb1\xb2\n", "is not UTF-8 (line 1); save it as UTF-8"),
        (TEXT.encode("utf-16-le"), "is not UTF-8; it looks like UTF-16 without a byte-order mark: save it as UTF-8"),
        (b"\xff\xfea", "begins like UTF-16 but is damaged at byte 2: save it as UTF-8"),
    ],
)
def test_what_is_none_is_called_what_it_seems_to_be(content: bytes, sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        decoded(content)
