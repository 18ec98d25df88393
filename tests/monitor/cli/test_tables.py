"""Tables on a terminal of any width, and as plain lines in a pipe."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from monitor.cli.tables import Table, print_pairs
from tests.monitor.cli.conftest import on_a_terminal

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.monitor.cli.conftest import Run

PATH = "/srv/inbox/[bold]10_CAM_C_01-03-2023_05-39-27-929.jpg"
ROWS = [("7", "proliv", PATH), ("12345", "ne_proliv", "/srv/b.jpg")]


def table(**options: object) -> Table:
    return Table(("id", "label", "path"), right=("id",), **options)  # type: ignore[arg-type]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[[int], None]:
    """Let standard output look like a terminal of so many columns."""

    def begin(columns: int) -> None:
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.delenv("NO_COLOR", raising=False)

    return begin


def test_plain_lines_have_the_width_of_their_cells(capsys: pytest.CaptureFixture[str]) -> None:
    table().write([*ROWS, ("1", "", "")])
    assert capsys.readouterr().out == (
        f"   id  label      path\n    7  proliv     {PATH}\n12345  ne_proliv  /srv/b.jpg\n    1\n"
    )


def test_plain_lines_follow_a_template(capsys: pytest.CaptureFixture[str]) -> None:
    table(plain="{:>3}: {:<9}  {}", plain_headings=False).write([("7", "proliv", "a b"), ("8", "proliv", "")])
    assert capsys.readouterr().out == "  7: proliv     a b\n  8: proliv\n"


def test_a_table_goes_on_with_its_next_piece(
    capsys: pytest.CaptureFixture[str], terminal: Callable[[int], None]
) -> None:
    plain = table()
    plain.write(ROWS[1:])
    plain.write(ROWS[:1])
    assert capsys.readouterr().out.splitlines()[1:] == ["12345  ne_proliv  /srv/b.jpg", f"    7  proliv     {PATH}"]
    terminal(80)
    laid_out = table()
    laid_out.write(ROWS[1:])
    laid_out.write(ROWS[:1])
    lines = capsys.readouterr().out.splitlines()
    assert [line.rstrip() for line in lines] == [
        "\x1b[1m   id\x1b[0m\x1b[1m  \x1b[0m\x1b[1mlabel    \x1b[0m\x1b[1m  \x1b[0m\x1b[1mpath      \x1b[0m",
        "12345  ne_proliv  /srv/b.jpg",
        "    7  proliv     /srv/inbox",
        "                  /[bold]10_",
        "                  CAM_C_01-0",
        "                  3-2023_05-",
        "                  39-27-929.",
        "                  jpg",
    ]


@pytest.mark.parametrize("columns", [40, 60, 200])
def test_a_terminal_gets_columns_within_its_width_and_every_character(
    capsys: pytest.CaptureFixture[str], terminal: Callable[[int], None], columns: int
) -> None:
    terminal(columns)
    table(plain="{}{}{}", plain_headings=False).write(ROWS)
    head, *lines = capsys.readouterr().out.splitlines()
    assert [head.count(word) for word in ("id", "label", "path")] == [1, 1, 1]
    assert max(map(len, lines)) <= columns
    assert [line[:16].split() for line in lines if line[:16].strip()] == [["7", "proliv"], ["12345", "ne_proliv"]]
    assert "".join(line[18:].rstrip() for line in lines) == f"{PATH}/srv/b.jpg"


def test_a_very_narrow_terminal_cuts_nothing(
    capsys: pytest.CaptureFixture[str], terminal: Callable[[int], None]
) -> None:
    terminal(5)
    table().write(ROWS)
    lines = capsys.readouterr().out.splitlines()[1:]
    assert "".join(line[18:].rstrip() for line in lines) == f"{PATH}/srv/b.jpg"


def test_without_colours_there_are_no_escapes(
    capsys: pytest.CaptureFixture[str], terminal: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal(80)
    monkeypatch.setenv("NO_COLOR", "1")
    table().write(ROWS)
    assert "\x1b" not in capsys.readouterr().out


def test_names_and_values_have_no_headings(capsys: pytest.CaptureFixture[str], terminal: Callable[[int], None]) -> None:
    pairs = [("inbox", "/srv/inbox"), ("nightly run", "none yet")]
    print_pairs(pairs, width=14)
    assert capsys.readouterr().out == "inbox          /srv/inbox\nnightly run    none yet\n"
    terminal(80)
    print_pairs(pairs, width=14)
    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == [
        "inbox        /srv/inbox",
        "nightly run  none yet",
    ]


@pytest.mark.process
def test_a_command_prints_a_table_on_a_terminal_and_plain_lines_in_a_pipe(
    monitor: Run, clean_environment: dict[str, str]
) -> None:
    plain = monitor("plugins").stdout
    rows = [line.split()[:2] for line in plain.splitlines()]
    assert ["fixed", "rule"] in rows
    environment = {**clean_environment, "COLUMNS": "70", "TERM": "xterm", "NO_COLOR": "1"}
    shown = on_a_terminal([sys.executable, "-m", "monitor", "plugins"], environment)
    lines = shown.splitlines()
    assert lines[0].split() == ["name", "kind", "from", "summary"]
    assert max(map(len, lines)) <= 70
    assert len(lines) > len(rows) + 1  # long summaries are folded
    assert [line.split()[:2] for line in lines[1:] if line[0] != " "] == rows
    words = set(shown.split())
    assert [word for word in plain.split() if len(word) < 12 and word not in words] == []


@pytest.mark.process
def test_plain_lines_do_without_rich(clean_environment: dict[str, str]) -> None:
    program = (
        "import sys\nfrom monitor.cli.tables import Table\nTable(('a', 'b')).write([('1', '2')])\nprint(*sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", program], env=clean_environment, capture_output=True, text=True)
    head, row, modules = ended.stdout.splitlines()
    assert (head.split(), row.split()) == (["a", "b"], ["1", "2"])
    assert "rich" not in {name.partition(".")[0] for name in modules.split()}
