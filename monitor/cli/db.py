"""``monitor db``."""

from __future__ import annotations

import click

from monitor.cli.program import Program, pass_program


@click.group("db")
def command() -> None:
    """Upgrade and check the database."""


@command.command()
@pass_program
def upgrade(program: Program) -> None:
    """Bring the database's schema to this program's, whole or not at all."""
    from monitor.store import upgrade as schema

    database = program.raw_database()
    click.echo(f"{database.description}: schema {schema.upgrade(database)}")


@command.command()
@pass_program
def current(program: Program) -> None:
    """Print the schema that the database has."""
    from monitor.store import upgrade as schema

    database = program.raw_database()
    click.echo(f"{database.description}: schema {schema.current_revision(database) or 'none: it is empty'}")


@command.command()
@pass_program
def check(program: Program) -> None:
    """Check that the database has exactly the tables that this program expects."""
    from monitor.errors import StoreSchemaError
    from monitor.store import upgrade as schema
    from monitor.store.schema import SCHEMA_REVISION

    database = program.database(create=False)
    differences = [*schema.differences(database), *schema.damage(database)]
    if differences:
        raise StoreSchemaError("\n".join(f"{database.description}: {difference}" for difference in differences))
    click.echo(f"{database.description}: schema {SCHEMA_REVISION}, as it should be")
