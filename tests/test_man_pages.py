"""The manual pages are those of the commands, and show their examples as they are to be pasted."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from docs.write_man_pages import FOLDER, write
from tests.support import distributions
from tests.support.command_tree import commands

if TYPE_CHECKING:
    import click

CONTEXTS = commands()


def page_of(path: str) -> Path:
    return FOLDER / f"{path.replace(' ', '-')}.1"


@pytest.mark.process
def test_the_pages_are_those_of_the_code(tmp_path: Path) -> None:
    # In a process of its own: click keeps with a command how another test has asked for its help.
    code = "import sys; from pathlib import Path; from docs.write_man_pages import write; write(Path(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", code, tmp_path], cwd=FOLDER.parent.parent, check=True)
    written, kept = (
        {path.name: path.read_text(encoding="utf-8") for path in one.iterdir()} for one in (tmp_path, FOLDER)
    )
    assert written.keys() == kept.keys(), "write the pages again: make man"
    assert [name for name in written if written[name] != kept[name]] == [], "write the pages again: make man"


def test_every_command_has_a_page_and_nothing_else_has() -> None:
    assert {page_of(path) for path in CONTEXTS} == set(FOLDER.iterdir())


def test_pages_of_commands_that_are_gone_are_removed_and_those_of_other_packages_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site"
    site.mkdir()
    code = """
import click
from monitor.api import Provider, hookimpl

@click.command()
def export():
    "Export something."

@hookimpl
def monitor_register_commands():
    return [Provider("export", "Export something.", "acme_export:export")]
"""
    distributions.install(site, "acme_export", code)
    monkeypatch.syspath_prepend(site)
    assert "monitor export" in commands()
    pages = tmp_path / "man"
    pages.mkdir()
    (pages / "monitor-gone.1").touch()
    write(pages)
    assert {path.name for path in pages.iterdir()} == {path.name for path in FOLDER.iterdir()}
    assert "export(1)" not in (pages / "monitor.1").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", CONTEXTS)
def test_nothing_in_a_page_is_of_this_machine_or_day(path: str) -> None:
    text = page_of(path).read_text(encoding="utf-8")
    assert str(Path.home()) not in text
    assert re.fullmatch(r'\.TH "[A-Z ]+" "1" "" "[0-9a-z.]+" "[a-z ]+ Manual"', text.partition("\n")[0])


@pytest.mark.process
@pytest.mark.skipif(shutil.which("man") is None, reason="there is no man here")
@pytest.mark.parametrize("path", ["monitor", "monitor gen", "monitor completion", "monitor threshold diff"])
def test_man_shows_options_and_examples_as_they_are_typed(path: str) -> None:
    shown = subprocess.run(
        ["man", "--warnings", "--encoding=UTF-8", "--local-file", page_of(path)],
        env={"MANWIDTH": "120", "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
    )
    assert (shown.returncode, shown.stderr) == (0, "")
    context: click.Context = CONTEXTS[path]
    examples = [line.strip() for line in (context.command.help or "").splitlines() if line.startswith("      monitor ")]
    assert examples
    assert [line for line in examples if line not in shown.stdout] == []
    assert "-h, --help" in shown.stdout
