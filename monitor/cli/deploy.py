"""``monitor deploy``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from monitor.cli.options import output_option
from monitor.cli.program import Program, pass_program

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path


@click.group("deploy")
def command() -> None:
    """Write configurations for Prometheus, Grafana and systemd.

    They fit the configuration of monitor that is in use.

    \b
    Example:
      monitor deploy systemd --output systemd/
    """


def output_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """``--output`` and ``--force``, for each command of the group."""
    output = output_option("DIR", "the folder is made if it is missing", required=True)
    force = click.option("--force", is_flag=True, help="Overwrite files that already exist.")
    return output(force(function))


def _write(output: Path, files: Mapping[str, str], *, force: bool, next_steps: Sequence[str]) -> None:
    """Write files below ``output``, and print what was done and the next steps for a person."""
    from monitor.deploy.writing import write_files
    from monitor.files.text import printable

    for written in write_files(output, files, force=force):
        click.echo(f"{written.outcome:<9} {printable(written.path)}")
    for line in next_steps:
        click.echo(line)


@command.command("prometheus")
@output_options
@pass_program
def write_prometheus(program: Program, output: Path, force: bool) -> None:
    """Write a scrape configuration, recording rules and alerting rules.

    The limits of the alerts come from [alerts] of the configuration.

    \b
    Example:
      monitor deploy prometheus --output prometheus/
    """
    from monitor.deploy.prometheus import files, next_steps

    configuration = program.configuration
    _write(output, files(configuration), force=force, next_steps=next_steps(configuration))


@command.command("grafana")
@output_options
@pass_program
def write_grafana(program: Program, output: Path, force: bool) -> None:
    """Write provisioning files and dashboards.

    \b
    Example:
      monitor deploy grafana --output grafana/
    """
    from monitor.deploy.grafana import files, next_steps

    _write(output, files(program.configuration), force=force, next_steps=next_steps())


@command.command("systemd")
@output_options
@click.option(
    "--name",
    metavar="NAME",
    default="monitor",
    show_default=True,
    help="The name of the service; choose another one for each casting table.",
)
@click.option(
    "--group",
    "groups",
    metavar="NAME",
    multiple=True,
    help="A group that the service needs to read the camera's folders or to move files; may be repeated.",
)
@click.option(
    "--allow",
    "networks",
    metavar="ADDRESS",
    multiple=True,
    help="An address or network, such as 10.1.2.0/24, of Prometheus or the database server; may be repeated.",
)
@click.option("--web", is_flag=True, help="Write a second unit, NAME-web, for the page: monitor web.")
@click.option(
    "--selftest-at",
    "times",
    metavar="HH:MM",
    multiple=True,
    help="Also write a timer for `monitor selftest` at this time of day, on the plant's clock; may be repeated.",
)
@pass_program
def write_systemd(
    program: Program,
    *,
    output: Path,
    force: bool,
    name: str,
    groups: tuple[str, ...],
    networks: tuple[str, ...],
    times: tuple[str, ...],
    web: bool,
) -> None:
    """Write a systemd unit for `monitor run` that has access only to what the configuration needs.

    It starts this installation of the program with the configuration file that is in use. The page runs as a service of
    its own, as the same user.

    \b
    Examples:
      monitor --config /etc/monitor/config.toml deploy systemd --output systemd/
      monitor deploy systemd --output systemd/ --group camera --allow 10.1.2.0/24
      monitor deploy systemd --output systemd/ --web
      monitor deploy systemd --output systemd/ --group camera --selftest-at 05:30 --selftest-at 17:30
    """
    from monitor.deploy import selftest_timer, systemd_web
    from monitor.deploy.systemd import Access, files, next_steps, warnings

    configuration, access = program.configuration, Access(name, groups, networks)
    units, sentences = files(configuration, access), warnings(configuration, access)
    if web:
        units |= systemd_web.files(configuration, access)
        sentences += systemd_web.warnings(configuration)
    written, steps = dict(units), next_steps(output, list(units))
    if times:
        written |= selftest_timer.files(configuration, access, times)
        steps += selftest_timer.next_steps(output, access)
        sentences += selftest_timer.warnings(configuration, access)
    _write(output, written, force=force, next_steps=steps)
    for sentence in sentences:
        click.echo(f"warning: {sentence}", err=True)
