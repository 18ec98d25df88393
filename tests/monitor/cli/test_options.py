"""An option that several commands have means the same in all of them, so that a person learns it once."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Final, NamedTuple

import click
import pytest

from tests.support.command_tree import commands


class Look(NamedTuple):
    """What a person sees of an option; ``help``: what stands before the first semicolon, the rest is the command's."""

    names: tuple[str, ...]
    type: str
    metavar: str | None
    repeatable: bool
    help: str


def look_of(option: click.Option) -> Look:
    described: dict[str, Any] = {**option.type.to_info_dict()}
    kind = {key: described[key] for key in ("min", "max", "choices") if key in described}
    if "--format" in option.opts:
        kind = {}  # the forms are tested by themselves
    name = {"OutputForm": "Choice"}.get(described["param_type"], described["param_type"])
    words = (option.help or "").partition(";")[0].rstrip(".")
    names = (*sorted(option.opts), *option.secondary_opts)
    return Look(names, f"{name} {kind}", option.metavar, option.multiple, words)


def options_of(context: click.Context) -> list[click.Option]:
    return [one for one in context.command.params if isinstance(one, click.Option) and not one.hidden]


OPTIONS: Final[dict[str, dict[str, click.Option]]] = defaultdict(dict)
for path, context in commands().items():
    for option in options_of(context):
        OPTIONS[max(option.opts, key=len)][path] = option

# What may differ, by option, in the commands that are named, and why.
EXCEPTIONS: Final[dict[str, dict[str, tuple[tuple[str, ...], str]]]] = {
    "--model": {
        "monitor gen style": (("type", "metavar", "repeatable", "help"), "a model of styles, not of a detector"),
        "monitor gen avatar": (("type", "metavar", "repeatable", "help"), "a model of pictures, not of a detector"),
        "monitor replay": (("repeatable",), "a threshold is one model's"),
        "monitor threshold set": (("repeatable",), "a threshold is one model's"),
        "monitor threshold rollback": (("repeatable",), "a threshold is one model's"),
        "monitor threshold diff": (("repeatable",), "a threshold is one model's"),
    },
    "--within": {
        "monitor selftest": (
            ("type", "repeatable", "help"),
            "the time that a test may take, not an event's",
        ),
    },
    "--output": {
        "monitor alarms export": (("metavar",), "a file"),
        "monitor compare": (("metavar",), "a file"),
        "monitor report": (("metavar",), "a file"),
        "monitor labels export": (("metavar",), "a file"),
        "monitor db backup": (("metavar",), "a file or a folder"),
    },
    "--all": {"monitor pause": (("help",), "pauses everything; elsewhere it shows all models")},
    "--why": {"monitor models accept": (("help",), "is kept with a model, not with a threshold")},
    "--name": {"monitor models import": (("help",), "names a model, not a service")},
    "--limit": {"monitor train": (("type", "help"), "limits what is learned from, and one crop is too few to learn")},
    "--crops": {"monitor gen crops": (("type", "help"), "ends a stream, which otherwise goes on")},
    "--number": {"monitor gen avatar": (("type",), "each is a file")},
    "--format": {"monitor labels export": (("help",), "the form of a file, for programs or for a spreadsheet")},
    "--seed": {
        "monitor bench": (("type",), "counts on from it"),
        "monitor label": (("type",), "takes any number, as earlier versions did"),
        "monitor gen style": (("type",), "has generators of its own, which take larger ones"),
        "monitor gen avatar": (("type",), "has generators of its own, which take larger ones"),
        "monitor gen crops": (("type",), "has generators of its own, which take larger ones"),
    },
}
SHARED: Final = sorted(name for name, found in OPTIONS.items() if len(found) > 1)


def usual(name: str) -> Look:
    """How the option looks in the commands that are no exception."""
    excepted = EXCEPTIONS.get(name, {})
    return next(look_of(option) for path, option in OPTIONS[name].items() if path not in excepted)


@pytest.mark.parametrize("name", SHARED)
def test_an_option_of_several_commands_is_the_same_in_all(name: str) -> None:
    wanted = usual(name)._asdict()
    for path, option in OPTIONS[name].items():
        differs, _ = EXCEPTIONS.get(name, {}).get(path, ((), ""))
        for what, value in look_of(option)._asdict().items():
            if what not in differs:
                assert value == wanted[what], f"{path} {name}: another {what}; see monitor.cli.options"


def test_every_exception_is_one() -> None:
    for name, excepted in EXCEPTIONS.items():
        wanted = usual(name)._asdict()
        for path, (differs, reason) in excepted.items():
            seen = look_of(OPTIONS[name][path])._asdict()
            assert reason
            assert all(seen[what] != wanted[what] for what in differs), (name, path)


@pytest.mark.parametrize("path", OPTIONS["--format"])
def test_forms_are_text_json_and_csv_in_this_order(path: str) -> None:
    kind = OPTIONS["--format"][path].type
    assert isinstance(kind, click.Choice)
    wanted = [["text", "json"], ["text", "json", "csv"]]
    assert list(kind.choices) in ([["csv", "excel"]] if path in EXCEPTIONS["--format"] else wanted)


# A labelled folder, a result or a span of time is named by these alone.
@pytest.mark.parametrize("other", ["--directory", "--dir", "--out", "--from", "--to", "--rows", "--most", "--count"])
def test_there_is_no_other_name_for_a_shared_option(other: str) -> None:
    assert other not in OPTIONS
