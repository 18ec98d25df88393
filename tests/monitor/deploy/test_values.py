"""Whatever a configuration holds, generated files say exactly that, or are refused: no value begins a new line."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from monitor.configuration.resolved import Configuration
from monitor.configuration.settings import Inbox, Metrics, Paths, Settings
from monitor.deploy import prometheus, systemd
from monitor.deploy.emitting import to_yaml
from monitor.deploy.systemd import Access
from monitor.deploy.values import checked, unit_command, unit_file_pattern, unit_word
from monitor.errors import ConfigurationError

# Of all characters, and more often of those that mean something to systemd, a shell, a pattern or YAML.
CHARACTERS = st.one_of(st.sampled_from(" \t\r\n\0\"'\\%$;#:!-+|>&*?[]{},~`@=.\x85\u2028\x7f\udcffЖ😀"), st.characters())
TEXTS = st.text(CHARACTERS, max_size=20)
NAMES = TEXTS.map(lambda text: text.replace("/", "")).filter(lambda name: name not in ("", ".", ".."))
# A busy machine may take its time.
few = settings(max_examples=50, deadline=None)
ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}


def names(text: str) -> list[str]:
    """The names of a unit's directives, in lines as systemd divides them."""
    lines = re.split(r"[\n\r\0]", text)
    return [line.partition("=")[0] for line in lines if line and not line.startswith(("#", ";", "["))]


def words(value: str, *, in_command: bool = False) -> list[str]:
    """A directive's value as systemd 252 reads it (src/basic/extract-word.c, then specifiers and variables)."""
    found: list[str] = []
    word, quote, characters = None, "", iter(value)
    for character in characters:
        if character == "\\":
            following = next(characters)
            word = (word or "") + (ESCAPES.get(following, following) if in_command else following)
        elif quote:
            quote, word = ("", word) if character == quote else (quote, (word or "") + character)
        elif character in "\"'":
            quote, word = character, word or ""
        elif character in " \t":
            found += [] if word is None else [word]
            word = None
        else:
            word = (word or "") + character
    assert not quote
    found += [] if word is None else [word]
    for one in found:
        assert not re.search(r"(?<!%)(%%)*%(?!%)", one)
    found = [one.replace("%%", "%") for one in found]
    if in_command:
        assert not any(re.search(r"(?<!\$)(\$\$)*\$(?!\$)", one) for one in found)
        found = [one.replace("$$", "$") for one in found]
    return found


def value_of(text: str, name: str) -> str:
    (found,) = re.findall(rf"^{name}=(.*)$", text, re.MULTILINE)
    return str(found)


def unit(folder: str, name: str) -> str:
    """The unit of a service that moves files from one folder to another."""
    paths = Paths(inbox=Path(f"/srv/{folder}/inbox"), archive=Path("/a"), labelled=None, state=Path("/var/lib/monitor"))
    values = Settings(paths=paths, inbox=Inbox.model_validate({"after": "archive"}))
    configuration = Configuration(settings=values, file=Path(f"/etc/{name}/config.toml"))
    (text,) = systemd.files(configuration, Access()).values()
    return text


ORDINARY = names(unit("camera", "monitor"))


@few
@given(folder=NAMES, name=NAMES)
def test_a_unit_says_what_the_configuration_does_or_is_refused(folder: str, name: str) -> None:
    try:
        text = unit(folder, name)
    except (ConfigurationError, ValueError) as error:
        told = str(error)
        assert any(one in told for one in ("a control character", "that can be followed", "not replaced by")), told
        return
    assert names(text) == ORDINARY
    assert words(value_of(text, "ReadWritePaths")) == ["/a", f"/srv/{folder}/inbox"]
    assert words(value_of(text, "RequiresMountsFor")) == ["/var/lib/monitor", "/a", f"/srv/{folder}/inbox"]
    command = [sys.executable, "-P", "-m", "monitor", "--config", f"/etc/{name}/config.toml", "run"]
    assert words(value_of(text, "ExecStart"), in_command=True) == command
    text.encode()


@few
@given(text=TEXTS)
def test_a_word_is_read_as_it_is(text: str) -> None:
    assume(text)
    try:
        checked(text, "a test")
    except ConfigurationError:
        return
    assert words(unit_word(text)) == [text]
    assert words(unit_command(["a", text]), in_command=True) == ["a", text]


@pytest.mark.parametrize("bad", ["a\rExecStart=/bin/sh", "a\nb", "a\0b", "a\tb", "a\x7fb", "a\x85b", "a\udcffb"])
def test_what_no_file_can_hold_is_refused_with_the_place(bad: str) -> None:
    with pytest.raises(ConfigurationError, match=r"config\.toml: .*a.*b?.*: has a control character, or bytes"):
        checked(bad, "config.toml")


def test_a_file_of_passwords_is_no_pattern() -> None:
    assert unit_file_pattern("/etc/a [b]*?/\\x/50%.environment") == "/etc/a \\[b]\\*\\?/\\\\x/50%%.environment"


@pytest.mark.parametrize("name", ["a:b", "a\\b", 'a"b', "a'b", "a  b", "a ", "a#b"])
def test_a_state_folder_that_systemd_would_misread_is_refused(name: str) -> None:
    values = Settings(paths=Paths(state=Path(f"/var/lib/{name}"), inbox=Path("/srv/inbox"), labelled=None))
    configuration = Configuration(settings=values, file=Path("/etc/monitor/config.toml"))
    with pytest.raises(ConfigurationError, match="systemd would misread this name of a state folder"):
        systemd.files(configuration, Access())


@pytest.mark.parametrize(
    "network", ["fe80::1%eth0", "fe80::1%\nExecStart=/bin/sh", "10.0.0.0/33", "10.1.2.3\n", " ::1"]
)
def test_an_address_that_systemd_does_not_take_is_refused(network: str) -> None:
    values = Settings(paths=Paths(state=Path("/var/lib/monitor"), inbox=Path("/srv/inbox"), labelled=None))
    configuration = Configuration(settings=values, file=Path("/etc/monitor/config.toml"))
    with pytest.raises(ConfigurationError, match="is neither an address nor a network"):
        systemd.files(configuration, Access(networks=(network,)))


def scalars(text: str) -> list[str]:
    """The texts of a list in YAML, each on a line or in a block, as YAML 1.2 reads those forms that are written."""
    found, lines = [], iter(text.split("\n"))
    line = next(lines, None)
    while line is not None:
        following = next(lines, None)
        if line.startswith("  - |-"):
            block = []
            while following is not None and (following.startswith("    ") or not following):
                block.append(following[4:])
                following = next(lines, None)
            found.append("\n".join(block).rstrip("\n"))
        elif line.startswith('  - "'):
            inner = line[5:-1]
            assert line[-1] == '"'
            assert not re.search(r'(?<!\\)(\\\\)*"', inner)
            assert inner.isprintable()
            found.append(re.sub(r"\\(U[0-9a-f]{8}|.)", _unescaped, inner))
        elif line.startswith("  - '"):
            assert line.isprintable()
            found.append(line[5:-1].replace("''", "'"))
        elif line.startswith("  - "):
            assert re.fullmatch(r"[A-Za-z_/][A-Za-z0-9_./ :-]*[A-Za-z0-9_./-]|[A-Za-z_/]", line[4:])
            found.append(line[4:])
        line = following
    return found


def _unescaped(match: re.Match[str]) -> str:
    return chr(int(match[1][1:], 16)) if match[1].startswith("U") else match[1]


@few
@given(texts=st.lists(TEXTS, min_size=1, max_size=4))
def test_yaml_keeps_every_text_that_it_can_hold(texts: list[str]) -> None:
    written = to_yaml({"a": texts, "z": 1}, comment="")
    assert scalars(written) == texts
    assert written.endswith("\nz: 1\n")


@few
@given(host=TEXTS)
def test_no_host_becomes_more_than_a_target(host: str) -> None:
    try:
        metrics = Metrics(host=host)
        written = prometheus.files(Configuration(settings=Settings(metrics=metrics), file=None))["prometheus.yml"]
    except (ConfigurationError, ValueError):
        return
    ordinary = prometheus.files(Configuration(settings=Settings(), file=None))["prometheus.yml"]
    assert len(written.split("\n")) == len(ordinary.split("\n"))
    written.encode()
