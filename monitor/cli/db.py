"""``monitor db``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitor.cli.options import dry_run_option, format_option, output_option
from monitor.cli.program import Program, pass_program
from monitor.cli.wording import counted
from monitor.errors import ExitCode
from monitor.files.text import printable

if TYPE_CHECKING:
    from monitor.upkeep.check import Finding


@click.group("db")
def command() -> None:
    """Upgrade, check, back up and prune the database.

    \b
    Example:
      monitor db check
    """


@command.command("upgrade")
@click.option("--no-copy", is_flag=True, help="Keep no copy of the database as it was.")
@pass_program
def upgrade_schema(program: Program, no_copy: bool) -> None:
    """Upgrade the schema of the database to that of this program, completely or not at all.

    The daemon must be stopped; when it starts, it does the same by itself. A SQLite file is copied before; the copies
    of the last two upgrades are kept beside it.

    \b
    Example:
      monitor db upgrade
    """
    from monitor.store.database.lock import only_daemon
    from monitor.store.database.schema import SCHEMA_REVISION
    from monitor.store.database.upgrade import older_revision
    from monitor.upkeep.upgrade import bring_up_to_date

    database = program.raw_database()
    done = None
    if older_revision(database) != SCHEMA_REVISION:
        remedy = "stop it first, or restart it with this version: it brings the database up to date when it starts"
        with only_daemon(database, remedy=remedy):
            done = bring_up_to_date(database, keep_copy=not no_copy)
    click.echo(f"{database.description}: schema {SCHEMA_REVISION}")
    if done is not None and done.copy is not None:
        click.echo(f"{printable(done.copy)}: the database as it was, schema {done.before}")


@command.command()
@pass_program
def current(program: Program) -> None:
    """Print the schema of the database.

    \b
    Example:
      monitor db current
    """
    from monitor.store.database.upgrade import current_revision

    database = program.raw_database()
    click.echo(f"{database.description}: schema {current_revision(database) or 'none: it is empty'}")


@command.command("check")
@click.option("--full", is_flag=True, help="Check every index of the database too, which takes twice as long.")
@format_option()
@pass_program
def check_all(program: Program, full: bool, output_format: str) -> int:
    """Check tables, rows, models and files for damage and gaps.

    The exit code is 65 if something is wrong; notes alone are no fault.

    \b
    Example:
      monitor db check --full
    """
    from monitor.store.database.schema import SCHEMA_REVISION
    from monitor.upkeep.check import check

    database = program.database(create=False)
    findings = check(database, program.configuration, full=full)
    wrong = [finding for finding in findings if not finding.note]
    if output_format == "json":
        report = {"database": database.description, "schema": SCHEMA_REVISION, "whole": not wrong}
        click.echo(json.dumps({**report, "findings": [finding.as_dict() for finding in findings]}))
    else:
        outcome = "something is wrong" if wrong else "nothing is wrong"
        click.echo(f"{database.description}: schema {SCHEMA_REVISION}, {outcome}")
        for finding in findings:
            _print(finding)
    return ExitCode.DATA_ERROR if wrong else ExitCode.OK


def _print(finding: Finding) -> None:
    click.echo(f"{'note: ' if finding.note else ''}{finding.what}: {finding.count}")
    for example in finding.examples:
        click.echo(f"  {example}")
    if finding.count > len(finding.examples) and finding.examples:
        click.echo("  …")
    click.echo(f"  {finding.remedy}")


@command.command("backup")
@output_option(
    "PATH", "a folder, in which the backup is named by the time, or a new name; by default the working folder"
)
@click.option("--models", is_flag=True, help="Save the models and the configuration as well, in a folder.")
@pass_program
def save_backup(program: Program, output: Path | None, models: bool) -> None:
    """Back up the database, even while the daemon runs.

    The copy shows one moment, and is opened and checked before it gets its name. With --models, the backup is a folder
    with all that another machine needs to go on: the database, its models and the configuration file.

    \b
    Examples:
      monitor db backup --output /var/backups/
      monitor db backup --models --output /var/backups/
    """
    from datetime import UTC, datetime

    from monitor.errors import DataError
    from monitor.upkeep.backup import backup

    database = program.database(create=False)
    saved = backup(database, program.configuration, output or Path(), datetime.now(UTC), with_models=models)
    size = f"{saved.size_bytes / 1e6:.1f} MB"
    holds = f"{counted(saved.crops, 'crop')}, {counted(saved.models, 'model')}"
    click.echo(
        f"{printable(saved.path)}: {size}, {holds}{'' if models else ' (their folders are not in it: --models)'}"
    )
    if saved.problems:
        raise DataError("\n".join(saved.problems))


@command.command()
@click.option(
    "--keep-days",
    metavar="DAYS",
    type=click.FloatRange(0, 36500, min_open=True),
    help="Overrides store.keep_days of the configuration.",
)
@dry_run_option()
@click.option(
    "--vacuum", is_flag=True, help="Then make the database file as small as possible; the daemon must be stopped."
)
@click.option(
    "--accept-inbox",
    is_flag=True,
    help="Confirm that the inbox is the folder that is there now, and that what is not in it is gone.",
)
@pass_program
def prune(program: Program, keep_days: float | None, dry_run: bool, vacuum: bool, accept_inbox: bool) -> int:
    """Delete old decisions on crops without a label, with their archived files, even while the daemon runs.

    The rows of proliv stay, so that TPR and TNR of past times do not change. If interrupted, the next run continues.

    \b
    Examples:
      monitor db prune --dry-run --keep-days 90
      monitor db prune --vacuum
    """
    from datetime import UTC, datetime

    from monitor.upkeep import retention

    configuration = program.configuration
    days = keep_days or configuration.settings.store.keep_days
    if not days and not vacuum:
        raise click.UsageError("store.keep_days is 0, so everything is kept; give --keep-days DAYS")
    if vacuum and dry_run:
        raise click.UsageError("--vacuum and --dry-run exclude each other")
    database = program.database(create=False)
    if vacuum:
        retention.refuse_vacuum(database)
    if days:
        done = retention.prune(
            *(database, configuration, days, datetime.now(UTC)), dry_run=dry_run, accept_inbox=accept_inbox
        )
        click.echo(f"{'nothing is deleted yet; it would be: ' if dry_run else ''}{done.sentence}")
        if done.undeleted:
            return ExitCode.CANNOT_CREATE
    if vacuum:
        before, after = retention.vacuum(database)
        click.echo(f"{database.description}: {before / 1e6:.1f} MB before, {after / 1e6:.1f} MB now")
    return ExitCode.OK
