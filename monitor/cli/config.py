"""``monitor config``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from monitor.cli.options import format_option
from monitor.cli.program import Program, pass_program
from monitor.cli.tables import Table
from monitor.cli.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.configuration.file import Found, Reading
    from monitor.configuration.listing import Entry

HEADINGS: Final = ("key", "from", "value")
# Where the sample is written to unless a path is given; the program finds it there by itself.
DEFAULT_PATH: Final = Path("config.toml")


@click.group("config")
def command() -> None:
    """Show, check and write the configuration.

    \b
    Example:
      monitor config show --changed
    """


@command.command("show")
@click.argument("keys", nargs=-1, metavar="[KEY]...")
@click.option("--changed", is_flag=True, help="Show only values that differ from the defaults.")
@format_option()
@pass_program
def show(program: Program, keys: tuple[str, ...], changed: bool, output_format: str) -> None:
    """Show every key with its value and where it comes from.

    KEY limits it to a section or key, such as paths or metrics.port. Relative paths are shown whole as well; passwords
    are hidden.

    \b
    Example:
      monitor config show paths metrics.port
    """
    from monitor.configuration.file import read
    from monitor.configuration.listing import entries
    from monitor.upkeep.plugin_sections import settings_of_all

    configuration = program.configuration
    reading = read(program.config_path)
    # Importing detectors takes seconds, which a person who asks for a port should not wait.
    with_plugins = not keys or any(key.partition(".")[0] in {"rules", "detectors"} for key in keys)
    plugged = settings_of_all(program.registry, configuration) if with_plugins else {}
    found = list(entries(reading, plugged))
    for key in keys:
        if not any(_is_below(one.key, key) for one in found):
            raise click.BadParameter(f"there is no key or section {key!r}; all of them: monitor config show")
    found = [
        one
        for one in found
        if (not keys or any(_is_below(one.key, key) for key in keys)) and not (changed and not one.changed)
    ]
    if output_format == "json":
        described = {"configuration": _path(reading.found), "named_by": reading.found.named_by}
        click.echo(json.dumps({**described, "keys": [_as_json(one) for one in found]}, ensure_ascii=False))
        return
    click.echo(f"configuration: {_described(reading.found)}")
    if found:
        click.echo()
        Table(HEADINGS).write([(one.key, _origin(one, reading.found), _value(one)) for one in found])


def _is_below(key: str, wanted: str) -> bool:
    return key == wanted or key.startswith(f"{wanted}.")


def _value(entry: Entry) -> str:
    """The value as TOML has it, and of a relative path the whole one."""
    text = '""' if entry.value is None else json.dumps(entry.value, ensure_ascii=False)
    whole = entry.path is not None and str(entry.path) != entry.value
    return f"{text} ({entry.path})" if whole else text


def _origin(entry: Entry, found: Found) -> str:
    if entry.origin == "environment":
        return f"environment: {entry.variable}"
    if entry.origin == "file" and found.file is not None:
        return f"{found.file.name}:{entry.line}"
    return "default"


def _as_json(entry: Entry) -> dict[str, Any]:
    return {**entry._asdict(), "path": None if entry.path is None else str(entry.path)}


def _path(found: Found) -> str | None:
    return None if found.file is None else str(found.file)


def _described(found: Found) -> str:
    if found.file is None:
        return "no file: built-in defaults"
    named = f"named by {found.named_by}" if found.named_by[:1] in {"-", "M"} else found.named_by
    return f"{found.file} ({named})"


@command.command("check")
@format_option()
@click.pass_context
def check(context: click.Context, output_format: str) -> None:
    """Say everything that is wrong with the configuration, and what may not work on this machine.

    Problems keep every command from running: exit code 78. Warnings are about this machine: folders that are missing,
    empty or may not be read or written, another time zone, a port in use, a database that does not answer, variables
    that do nothing. Run it as the user of the service, because permissions are those of the user.

    \b
    Example:
      monitor --config /etc/monitor/config.toml config check
    """
    from monitor.configuration.file import read
    from monitor.errors import ConfigurationError, ExitCode
    from monitor.upkeep.plugin_sections import problems as plugin_problems

    program = context.ensure_object(Program)
    reading: Reading | None = None
    try:
        reading = read(program.config_path)
        problems = [*reading.problems, *plugin_problems(program.registry, reading)]
    except ConfigurationError as error:
        problems = str(error).splitlines()
    from monitor.upkeep.surroundings import findings

    # A value that could not be read was replaced by its default, which nobody chose; a warning about it would mislead.
    configuration = None if reading is None or reading.document.problems else reading.configuration
    warnings = list(findings(configuration))
    if output_format == "json":
        path = None if reading is None else _path(reading.found)
        click.echo(json.dumps({"configuration": path, "problems": problems, "warnings": warnings}, ensure_ascii=False))
        context.exit(ExitCode.CONFIGURATION if problems else ExitCode.OK)
    _print_check(reading, problems, warnings)


def _print_check(reading: Reading | None, problems: Sequence[str], warnings: Sequence[str]) -> None:
    from monitor.errors import ConfigurationError

    if reading is not None:
        click.echo(f"configuration: {_described(reading.found)}")
    for sentence in warnings:
        click.echo(f"warning: {sentence}")
    if problems:
        raise ConfigurationError("\n".join(problems))
    click.echo(f"no problems, {counted(len(warnings), 'warning')}")


@command.command("init")
@click.argument("path", type=click.Path(path_type=Path), default=DEFAULT_PATH)
def init(path: Path) -> None:
    """Write the commented sample configuration to PATH (default: config.toml).

    It has every key with its default. A file that exists is never overwritten; "-" writes to standard output.

    \b
    Example:
      monitor config init /etc/monitor/config.toml
    """
    from monitor.configuration.sample import sample_text

    if str(path) == "-":
        click.echo(sample_text(), nl=False)
        return
    written = _write_new(path / DEFAULT_PATH if path.is_dir() else path, sample_text())
    click.echo(f"written: {written}")
    named = "" if written == DEFAULT_PATH else f"--config {written} "
    click.echo(f"change what you need, then check it: monitor {named}config check")


def _write_new(path: Path, text: str) -> Path:
    """Write a file that must not exist yet, and the folders above it."""
    from monitor.errors import OutputError
    from monitor.files.folders import make_folder

    make_folder(path.parent)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise OutputError(f"{path}: exists already and is not overwritten; give another path, or remove it") from None
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror}; give another path") from None
    return path
