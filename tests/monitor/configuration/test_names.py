from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from monitor.configuration.file import load
from monitor.configuration.names import DEFAULT_NAME_PATTERN, DEFAULT_TIME_FORMAT, GROUPS
from monitor.crops.identity import IdentityPattern
from monitor.words import Identity
from tests.support.configurations import problems, written

if TYPE_CHECKING:
    from pathlib import Path


GOOD_PATTERNS = [DEFAULT_NAME_PATTERN, "(?P<hole>.)", "(?P<camera>.)(?P<other>.)", "(?P<captured_at>.*)"]
BAD_PATTERNS = ["", "(", "(?P<other>.)", "(?P<hole>a{99999999999999999999})", "(?P<hole>.)" + "(" * 5000 + ")" * 5000]
GOOD_FORMATS = [DEFAULT_TIME_FORMAT, "%Y%m%dT%H%M%S%z", "%d.%m.%y", "%Y-%j", "%%%d-%m-%Y", "%c"]
BAD_FORMATS = ["", "%", "%Q", "%H:%M", "%d-%m", "%m %Y", "%d %d-%m-%Y", "\u0000"]


@pytest.mark.parametrize("pattern", GOOD_PATTERNS + BAD_PATTERNS, ids=lambda pattern: pattern[:30])
@pytest.mark.parametrize("time_format", [DEFAULT_TIME_FORMAT])
def test_a_name_pattern_is_refused_by_the_configuration_where_reading_would_refuse_it(
    tmp_path: Path, pattern: str, time_format: str
) -> None:
    check_identity(tmp_path, pattern, time_format, good=pattern in GOOD_PATTERNS, key="name_pattern")


@pytest.mark.parametrize("time_format", GOOD_FORMATS + BAD_FORMATS)
def test_a_time_format_is_refused_by_the_configuration_where_reading_would_refuse_it(
    tmp_path: Path, time_format: str
) -> None:
    check_identity(tmp_path, DEFAULT_NAME_PATTERN, time_format, good=time_format in GOOD_FORMATS, key="time_format")


@pytest.mark.parametrize("pattern", ["", "a/b", "/", "*", "**"])
def test_an_ignored_name_that_is_none_or_is_every_name_is_refused(tmp_path: Path, pattern: str) -> None:
    (line,) = problems(f"crops.ignore = ['@eaDir', '{pattern}']", tmp_path)
    assert line.startswith(f"crops.ignore: holds '{pattern}', ")


def test_ignored_names_replace_those_of_the_sample(tmp_path: Path) -> None:
    assert load(written(tmp_path, "crops.ignore = []")).settings.crops.ignore == ()
    assert load(written(tmp_path, "crops.ignore = ['Vorschau-*']")).settings.crops.ignore == ("Vorschau-*",)


def check_identity(folder: Path, pattern: str, time_format: str, *, good: bool, key: str) -> None:
    quoted = time_format.replace("\0", "\\u0000")
    text = f"[crops]\nname_pattern = '{pattern}'\ntime_format = \"{quoted}\""
    if good:
        section = load(written(folder, text)).settings.crops
        IdentityPattern(section.name_pattern, section.time_format, ZoneInfo("UTC"))
        return
    (line,) = problems(text, folder)
    assert line.startswith(f"crops.{key}: ")
    with pytest.raises(ValueError, match=r"name pattern|time format"):
        IdentityPattern(pattern, time_format, ZoneInfo("UTC"))


def test_the_groups_are_what_a_name_can_tell() -> None:
    assert Identity._fields == GROUPS
