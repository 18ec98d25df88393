"""Writes a manual page for each command into docs/man: ``python -m docs.write_man_pages``, or ``make man``.

click-man lays the pages out. It finds only the commands that a group holds in memory, does not know the ``\\b`` before
lines that stay as they are, and escapes nothing of what roff would replace, so commands are found and texts prepared
here. Nothing in a page depends on the day or the machine: a test writes them again and compares.
"""

from __future__ import annotations

import re
from inspect import cleandoc
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
from click_man.man import ManPage

from monitor import __version__
from monitor.cli import cli
from monitor.cli.program import Program
from monitor.registry import DISTRIBUTION

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER: Final = Path(__file__).with_name("man")
# What roff would print as a typographic sign, which a shell does not understand, or take for its own.
SIGNS: Final = str.maketrans({"\\": r"\e", "-": r"\-", "'": r"\(aq", "`": r"\(ga", "^": r"\(ha", "~": r"\(ti"})


def main() -> None:
    """Write all pages, and remove those of commands that are gone."""
    write(FOLDER)


def write(folder: Path) -> None:
    """Write all pages into a folder, and remove those of commands that are gone."""
    folder.mkdir(exist_ok=True)
    written = {folder / f"{_name(context.command_path)}.1": _page(context) for context in _contexts()}
    for path, text in written.items():
        path.write_text(text, encoding="utf-8")
    for path in set(folder.iterdir()) - written.keys():
        path.unlink()


def _contexts() -> Iterator[click.Context]:
    """A context of each command of this distribution that is not hidden."""
    yield from _below(click.Context(cli, info_name="monitor", obj=Program(), **cli.context_settings))


def _below(context: click.Context) -> Iterator[click.Context]:
    yield context
    for name, command in _commands(context):
        yield from _below(click.Context(command, info_name=name, parent=context))


def _commands(context: click.Context) -> Iterator[tuple[str, click.Command]]:
    """What a group has, without the commands of other packages that are installed here."""
    group = context.command
    if isinstance(group, click.Group):
        plugged = context.ensure_object(Program).registry.commands if context.parent is None else {}
        for name in group.list_commands(context):
            if name not in plugged or plugged[name].distribution == DISTRIBUTION:
                command = group.get_command(context, name)
                if command is not None and not command.hidden:
                    yield name, command


def _page(context: click.Context) -> str:
    text, _, examples = cleandoc(context.command.help or "").partition("\n\n\b\n")
    page = ManPage(context.command_path)
    page.date = ""
    page.version = __version__
    page.short_help = _escaped(_summary(context.command))
    page.synopsis = " ".join(context.command.collect_usage_pieces(context))
    page.description = _escaped(text)
    options = (one for one in context.command.get_params(context) if isinstance(one, click.Option))
    records = (option.get_help_record(context) for option in options)
    page.options = [(names, _escaped(words)) for names, words in filter(None, records)]
    page.commands = [(name, _escaped(_summary(command))) for name, command in _commands(context)]
    # A page is named with hyphens throughout, which click-man forgets below a group of a group.
    laid_out = str(page).replace(rf"\fB{context.command_path}-", rf"\fB{_name(context.command_path)}-")
    return laid_out + _examples(examples) + _epilog(context.command)


def _examples(text: str) -> str:
    """The section of examples, whose lines stay as they are; "" where there are none."""
    _, _, lines = text.partition("\n")
    return f".SH EXAMPLES\n.nf\n{_escaped(cleandoc(lines))}\n.fi\n" if lines else ""


def _epilog(command: click.Command) -> str:
    """What the program's own help ends with: "Exit codes: 0 ok, ..."."""
    title, separator, text = (command.epilog or "").partition(": ")
    return f".SH {title.upper()}\n{_escaped(text)}\n" if separator else ""


def _summary(command: click.Command) -> str:
    """The first sentence of the help."""
    return " ".join(cleandoc(command.help or "").partition("\n\n")[0].split()).removesuffix(".")


def _name(command_path: str) -> str:
    return command_path.replace(" ", "-")


def _escaped(text: str) -> str:
    """Text for roff: what it would replace, and lines that it would take for its own, are made plain."""
    return re.sub(r"^(?=\.)", r"\\&", text.translate(SIGNS), flags=re.MULTILINE)


if __name__ == "__main__":
    main()
