from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from monitor.configuration.document import MOST_MISTAKES, read_document
from monitor.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

WINDOWS = (
    "is a Windows path, and monitor runs on Linux: mount the share there and write the folder's path, such as "
    "/mnt/crops"
)


def mistakes(folder: Path, text: str) -> list[str]:
    file = folder / "c.toml"
    file.write_text(text, encoding="utf-8")
    return [line.removeprefix(f"{file}:") for line in read_document(file).problems]


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_file_is_read_as_any_editor_saves_it(tmp_path: Path, line_end: str, encoding: str) -> None:
    file = tmp_path / "c.toml"
    file.write_bytes(line_end.join(["[plant]", 'name = "Печь"', ""]).encode(encoding))
    assert read_document(file) == ({"plant": {"name": "Печь"}}, {("plant",): 1, ("plant", "name"): 2}, [])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[p]\na = 1\na = 2", "3: p.a: is set twice, first in line 2; keep one of them"),
        ("[p]\n[q]\n[p]", "3: [p]: the section is there twice, first in line 1; put all its keys below one heading"),
        ("a.b = 1\n[a]", "2: [a]: says the same thing twice, as a key and as a section; keep one of them"),
        ("a = {b = 1, b = 2}", "1: a: holds the key 'b' twice; keep one of them"),
        (
            "a = “x”",
            '1: a: “ is not a quotation mark of TOML (left double quotation mark); write straight ones: "…"',
        ),
        (
            "a\u00a0= 1",
            "1: a: holds an invisible character (no-break space) where only plain Latin characters may be; type the "
            'line anew, with text between "…"',
        ),
        (
            "\u0440ort = 1",
            "1: holds \u0440 (cyrillic small letter er) where only plain Latin characters may be; type the line anew, "
            'with text between "…"',
        ),
        ("a = 1\x1a", "1: a: holds a control character (U+001A); delete it, or type the line anew"),
        ('a = "C:\\crops"', f"1: a: {WINDOWS}"),
        ('a = "C:\\users"', f"1: a: {WINDOWS}"),
        ('a = "\\\\server\\share"', f"1: a: {WINDOWS}"),
        (
            'a = "[0-9]\\d"',
            "1: a: a backslash has a meaning of its own between \"…\"; write the text between '…', or each backslash "
            "twice",
        ),
        ("a = /srv/x", '1: a: text has to be between quotation marks: "/srv/x"'),
        ("a = True", "1: a: True is not a value of TOML; write true or false"),
        ("a = null", '1: a: null is not a value of TOML; for nothing leave the line out, or write "" where the sample '
                     "does"),
        ("a =", "1: a: has no value; give one, or put a # before the line"),
        ("a = .5", "1: a: .5 is not a number of TOML; write a digit before the point"),
        ("a = 1,5", "1: a: 1,5 is not a number of TOML; write a point instead of the comma: 1.5"),
        ("a = 09", "1: a: 09 begins with a zero, which TOML allows in no number; write 9"),
        ("a = 10 000", "1: a: 10 000 is not a number of TOML; write 10_000"),
        ("a = 5s", '1: a: 5s is not a number of TOML; text has to be between quotation marks: "5s"'),
        (
            "a = 'it's'",
            "1: a: something follows the value; write each key on a line of its own, and text between quotation marks",
        ),
        ("[p] a = 1", "1: [p]: nothing may follow the heading of a section; write keys on the lines below it"),
        ("a: 1", "1: a key and its value are separated by an equals sign: KEY = VALUE"),
        ("export A=1", "1: is a line of a shell script; write KEY = VALUE without export"),
        ("; no", "1: a comment begins with #"),
        ("[]", "1: is not the heading of a section; write it like [paths]"),
        ("{}", "1: is not TOML but looks like another format; the sample shows how to write it: monitor config init"),
        ("=", "1: is neither a [section] nor KEY = VALUE nor a # comment"),
        ("[p\na = 1", "1: [p]: the heading of a section ends with a bracket: [paths]"),
        ("b = 1\na = 'x\n[p]\nc = 2", "2: a: the text has no closing quotation mark '"),
        ('b = 1\na = "x\n[p]\nc = 2', '2: a: the text has no closing quotation mark "'),
        ('b = 1\na = """x\nc = 2', '2: a: the text has no closing quotation mark "'),
        ("b = 1\na = [1,\n2\nc = 2", "2: a: the list is not closed, or a comma is missing: [1, 2]"),
        (
            "a = {b = 1\n}",
            "1: a: the table is not closed, or a comma is missing; it stands on one line: { a = 1, b = 2 }",
        ),
        (f"b = 1\na = {'[' * 3000}", "2: a: lists or tables are nested 3000 deep; no key needs more than two"),
        (f"a = {'[' * 3000}{']' * 3000}", "1: a: lists or tables are nested 3000 deep; no key needs more than two"),
        (f"a = {'{a=' * 101}1{'}' * 101}", "1: a: lists or tables are nested 101 deep; no key needs more than two"),
    ],
)  # fmt: skip
def test_a_mistake_is_explained_with_its_line_its_key_and_what_to_write(
    tmp_path: Path, text: str, sentence: str
) -> None:
    assert mistakes(tmp_path, text)[0] == sentence


def test_all_mistakes_are_found_and_the_rest_is_read(tmp_path: Path) -> None:
    text = "[p]\na = b\nc = 1\n[q]\nd: 3\n[p]\ne = 1\n[r]\nf = 2\n"
    assert [line.split(":")[0] for line in mistakes(tmp_path, text)] == ["2", "5", "6"]
    assert read_document(tmp_path / "c.toml").values == {"p": {"c": 1}, "q": {}, "r": {"f": 2}}


def test_after_many_mistakes_no_more_are_looked_for(tmp_path: Path) -> None:
    assert len(mistakes(tmp_path, "a = b\n" * 50)) == MOST_MISTAKES


def test_a_file_in_another_encoding_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_bytes("# Печь\n".encode("cp1251"))
    with pytest.raises(ConfigurationError) as caught:
        read_document(file)
    assert str(caught.value) == f"{file}: is not UTF-8 (line 1); it looks like Windows-1251: save it as UTF-8"
