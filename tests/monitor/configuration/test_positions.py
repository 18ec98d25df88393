from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

from monitor.configuration.positions import lines_of, statements
from tests.support.configurations import SAMPLE

if TYPE_CHECKING:
    from collections.abc import Iterator

TRICKY = '''\
top = 1 # [not.this]
a."b c".d = 1

[x."y.z"]
text = """
[no]
key = 1
"""
list = [
    1, # ]
    "]",
]
[[tables]]
inside = { one = 1,
two = 2 }
other = 'C:\\'
[broken
after = 1
'''


def test_every_key_has_its_line_whatever_values_look_like() -> None:
    assert lines_of(TRICKY) == {
        ("top",): 1,
        ("a", "b c", "d"): 2,
        ("x", "y.z"): 4,
        ("x", "y.z", "text"): 5,
        ("x", "y.z", "list"): 9,
        ("tables",): 13,
        ("tables", "inside"): 14,
        ("tables", "other"): 16,
        ("broken",): 17,
        ("broken", "after"): 18,
    }


def test_statements_know_where_they_end_and_how_deep_they_are() -> None:
    found = {one.location: (one.first, one.last, one.depth) for one in statements(TRICKY)}
    assert found["x", "y.z", "text"] == (5, 8, 0)
    assert found["x", "y.z", "list"] == (9, 12, 1)
    assert found["tables", "inside"] == (14, 15, 1)


def keys(section: dict[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for key, value in section.items():
        yield (*above, key)
        if isinstance(value, dict):
            yield from keys(value, (*above, key))


def test_every_key_of_the_sample_is_found_in_its_line() -> None:
    text = SAMPLE.read_text(encoding="utf-8")
    lines, found = text.splitlines(), lines_of(text)
    for location in keys(tomllib.loads(text)):
        if location not in {("rules",), ("detectors",)}:
            assert lines[found[location] - 1].lstrip("[").startswith((location[-1], ".".join(location)))


def test_a_name_that_toml_does_not_allow_has_no_location() -> None:
    assert [one.location for one in statements("рort = 1\na b = 2\n= 3\n")] == [(), (), ()]
    assert lines_of("рort = 1\n") == {}
