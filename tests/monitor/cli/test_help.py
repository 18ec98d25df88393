"""The help of every command, those of plug-ins included, has examples to paste, and a line for each option."""

from __future__ import annotations

import re
import shlex
from inspect import cleandoc

import click
import pytest

from monitor.cli import cli
from monitor.cli.program import Program
from tests.support.command_tree import commands

CONTEXTS = commands()
HELP = {path: cleandoc(context.command.help or "") for path, context in CONTEXTS.items()}
EXAMPLES = {
    path: re.findall(r"^  (monitor .+)$", text.partition("\b\nExample")[2], re.MULTILINE) for path, text in HELP.items()
}


@pytest.mark.parametrize("path", CONTEXTS)
def test_every_command_has_an_example_of_its_own(path: str) -> None:
    assert EXAMPLES[path], f"the help of {path} has no example: end its docstring as those beside it"
    heading = "Example:" if len(EXAMPLES[path]) == 1 else "Examples:"
    assert f"\n\n\b\n{heading}\n  monitor " in HELP[path]


@pytest.mark.parametrize(("path", "example"), [(path, line) for path, lines in EXAMPLES.items() for line in lines])
def test_every_example_is_a_command_line_that_is_understood(
    path: str, example: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[click.Context] = []

    def note(_command: click.Command, context: click.Context) -> None:
        called.append(context)

    monkeypatch.setattr(click.Command, "invoke", note)
    line, _, _ = example.partition(" | ")
    words = shlex.split(re.sub(r" [<>] \S+| [<>] \"[^\"]*\"", "", line))
    cli.main(words[1:], words[0], standalone_mode=False, obj=Program())
    # A group's own options are taken before the command that follows.
    assert called[-1].command_path.startswith(path)
    assert path == called[-1].command_path or isinstance(CONTEXTS[path].command, click.Group)


@pytest.mark.parametrize("path", CONTEXTS)
def test_every_option_says_what_it_does(path: str) -> None:
    context = CONTEXTS[path]
    options = [one for one in context.command.get_params(context) if isinstance(one, click.Option) and not one.hidden]
    assert [one.opts for one in options if not (one.help or "").endswith((".", "]"))] == []
