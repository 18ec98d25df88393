from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from monitor.api import LazyGroup, Provider
from monitor.errors import PluginError

NO_COMMAND = "a text"


@click.command("greet")
def greet() -> None:
    """Say hello."""
    click.echo("hello")


def lazy_group() -> click.Group:
    # This module is imported by pytest under a name of its own, by which a provider finds it again.
    targets = {"greet": f"{__name__}:greet", "broken": f"{__name__}:NO_COMMAND", "absent": "nowhere:command"}
    return LazyGroup("lazy", providers=[Provider(name, f"To {name}.", target) for name, target in targets.items()])


def test_a_lazy_group_lists_its_commands_without_importing_them() -> None:
    lines = [line.split(maxsplit=1) for line in CliRunner().invoke(lazy_group(), ["--help"]).output.splitlines()]
    assert lines[-3:] == [["greet", "To greet."], ["broken", "To broken."], ["absent", "To absent."]]


def test_a_lazy_group_imports_the_command_that_is_called() -> None:
    assert CliRunner().invoke(lazy_group(), ["greet"]).output == "hello\n"
    assert "No such command 'unknown'" in CliRunner().invoke(lazy_group(), ["unknown"]).output
    assert isinstance(CliRunner().invoke(lazy_group(), ["absent"]).exception, ModuleNotFoundError)
    with pytest.raises(PluginError, match=r"^the command 'broken': \S+:NO_COMMAND is not a click command$"):
        CliRunner().invoke(lazy_group(), ["broken"], catch_exceptions=False)
