"""``monitor deploy``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from monitor.cli.program import Program, pass_program

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


@click.group("deploy")
def command() -> None:
    """Write what the programs around the daemon need, as the configuration says."""


def output_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """``--output`` and ``--force``, for each command of the group."""
    output = click.option(
        "--output",
        required=True,
        type=click.Path(path_type=Path),
        help="The folder to write into; it is made where it is missing.",
    )
    force = click.option("--force", is_flag=True, help="Overwrite files whose content differs.")
    return output(force(function))


def write(output: Path, files: Mapping[str, str], *, force: bool, next_steps: Sequence[str]) -> None:
    """Write files below ``output`` and say what was done and what a person does next."""
    from monitor.deploy.writing import write_files
    from monitor.files.text import printable

    for written in write_files(output, files, force=force):
        click.echo(f"{written.outcome:<9} {printable(written.path)}")
    for line in next_steps:
        click.echo(line)


@command.command()
@output_options
@pass_program
def prometheus(program: Program, output: Path, force: bool) -> None:
    """Write a scrape configuration, recording rules and alerting rules.

    The bounds of the alerts are those of [alerts].
    """
    from monitor.deploy import prometheus as generated

    write(output, generated.files(program.configuration), force=force, next_steps=generated.NEXT_STEPS)


@command.command()
@output_options
@pass_program
def grafana(program: Program, output: Path, force: bool) -> None:
    """Write provisioning files and dashboards."""
    from monitor.deploy import grafana as generated

    write(output, generated.files(program.configuration), force=force, next_steps=generated.NEXT_STEPS)


@command.command()
@output_options
@click.option("--name", default="monitor", show_default=True, help="The service's name; several tables, several names.")
@click.option(
    "--group",
    "groups",
    multiple=True,
    help="A group that may read the camera's folders, or write where files are moved; may be repeated.",
)
@click.option(
    "--allow",
    "networks",
    multiple=True,
    help="An address or network, as 10.1.2.0/24, that asks for metrics or has the database; may be repeated.",
)
@pass_program
def systemd(
    program: Program, output: Path, force: bool, name: str, groups: tuple[str, ...], networks: tuple[str, ...]
) -> None:
    """Write a unit for `monitor run`, with access to what the configuration needs and nothing else.

    It starts the program from where it is installed now, with the configuration file that is in use now.
    """
    from monitor.deploy import systemd as generated

    access = generated.Access(name, groups, networks)
    files = generated.files(program.configuration, access)
    write(output, files, force=force, next_steps=generated.next_steps(output, access))
    for sentence in generated.warnings(program.configuration, access):
        click.echo(f"warning: {sentence}", err=True)
