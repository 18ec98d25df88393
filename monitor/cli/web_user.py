"""``monitor web user``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitor.cli.options import format_option
from monitor.cli.program import Program, pass_program
from monitor.cli.tables import Table
from monitor.configuration.extras import require_package
from monitor.errors import ConfigurationError, DataError, InputMissingError
from monitor.files.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from monitor.web.access.users import User

ROLES = ("viewer", "operator", "engineer")


@click.group("user")
def command() -> None:
    """Say who may use the page: the users in the file that [web] users names.

    A viewer looks; an operator also labels, acknowledges and closes alarms and pauses holes; an engineer also sets
    thresholds. Changes count at once; whoever is removed or gets another password is logged out.

    \b
    Examples:
      monitor web user add anna --role operator
      monitor web user list
    """


def _name_argument() -> Callable[[Any], Any]:
    return click.argument("name")


def _password_option() -> Callable[[Any], Any]:
    return click.option(
        "--password-file",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Take the password from the first line of a file, instead of asking for it; - is standard input.",
    )


@command.command("add")
@_name_argument()
@click.option("--role", type=click.Choice(ROLES), required=True, help="What the user may do.")
@_password_option()
@pass_program
def add(program: Program, name: str, role: str, password_file: Path | None) -> None:
    """Add a user, whose password is asked for twice.

    The file is made if it is missing; nobody else may read it, and only hashes of passwords are in it. As root, make it
    in the state folder of the service, whose user it then belongs to.

    \b
    Examples:
      monitor web user add anna --role operator
      monitor web user add mes --role viewer --password-file mes.password
    """
    path = _users_file(program)
    from monitor.web.access.passwords import hashed
    from monitor.web.access.users import MOST_USERS, User, changing, checked_name

    name = checked_name(name)
    # Not while others wait for the file.
    stored = hashed(_password(password_file))
    with changing(path) as users:
        if any(one.casefold() == name.casefold() for one in users):
            raise DataError(f"there is a user {printable(name)} already; see: monitor web user list")
        if len(users) >= MOST_USERS:
            raise DataError(f"{printable(path)}: has {len(users)} users, which is the most; remove some")
        users[name] = User.model_validate({"name": name, "role": role, "password": stored})
    click.echo(f"{name} may use the page as {role}: {printable(path)}")


@command.command("password")
@_name_argument()
@_password_option()
@pass_program
def change_password(program: Program, name: str, password_file: Path | None) -> None:
    """Give a user another password, which ends the user's logins.

    \b
    Example:
      monitor web user password anna
    """
    path = _users_file(program)
    from monitor.web.access.passwords import hashed
    from monitor.web.access.users import changing, read

    _found({user.name: user for user in read(path)}, name)
    stored = hashed(_password(password_file))
    with changing(path) as users:
        user = _found(users, name)
        users[user.name] = user.model_copy(update={"password": stored})
    click.echo(f"{user.name} has another password, and has to log in again")


@command.command("token")
@_name_argument()
@click.option("--revoke", is_flag=True, help="Take the token away instead.")
@pass_program
def give_token(program: Program, name: str, *, revoke: bool) -> None:
    """Print a token for programs that use the page in the name of a user; it is shown this once.

    They send it as the header `Authorization: Bearer TOKEN`. A user has one token: another one takes its place.

    \b
    Examples:
      monitor web user token mes > mes.token
      monitor web user token mes --revoke
    """
    path = _users_file(program)
    from monitor.web.access.users import changing, new_token

    token, digest = new_token()
    with changing(path) as users:
        user = _found(users, name)
        users[user.name] = user.model_copy(update={"token": None if revoke else digest})
    click.echo(f"{user.name} has no token any more" if revoke else token, err=revoke)


@command.command("list")
@format_option()
@pass_program
def list_users(program: Program, output_format: str) -> None:
    """List the users with their roles.

    \b
    Example:
      monitor web user list
    """
    path = _users_file(program)
    from monitor.web.access.users import read

    users = sorted(read(path), key=lambda user: user.name)
    if output_format == "json":
        for user in users:
            values = {"name": user.name, "role": user.role, "token": user.token is not None}
            click.echo(json.dumps(values, ensure_ascii=False))
        return
    if not users:
        click.echo("there are no users; add one: monitor web user add NAME --role operator", err=True)
        return
    Table(("name", "role", "token")).write((user.name, user.role, "yes" if user.token else "no") for user in users)


@command.command("remove")
@_name_argument()
@pass_program
def remove(program: Program, name: str) -> None:
    """Remove a user, which ends the user's logins and the token.

    \b
    Example:
      monitor web user remove anna
    """
    path = _users_file(program)
    from monitor.web.access.users import changing

    with changing(path) as users:
        user = _found(users, name)
        del users[user.name]
    click.echo(f"{user.name} may not use the page any more")


def _users_file(program: Program) -> Path:
    require_package("argon2", extra="web", needed_by="monitor web user")
    path = program.configuration.web_users
    if path is None:
        raise ConfigurationError(
            f"{program.configuration.source}: web.users names no file; name one that monitor web can read, best in the "
            'state folder: users = "state/web.users"'
        )
    return path


def _found(users: dict[str, User], name: str) -> User:
    from monitor.web.access.users import checked_name

    user = users.get(checked_name(name))
    if user is None:
        raise DataError(f"there is no user {printable(name)}; see: monitor web user list")
    return user


def _password(file: Path | None) -> str:
    """The password from a file or a person; raises `DataError` and `InputMissingError`."""
    from monitor.web.access.passwords import LONGEST, SHORTEST

    if file is None:
        password = str(click.prompt("password", hide_input=True, confirmation_prompt=True, err=True))
    else:
        try:
            with click.open_file(str(file), encoding="utf-8") as stream:
                # One more, to notice a longer one.
                password = stream.readline(LONGEST + 2).rstrip("\r\n")
        except OSError as error:
            raise InputMissingError(f"{printable(file)}: cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise DataError(f"{printable(file)}: is not a text in UTF-8, so it is no password") from None
    if not SHORTEST <= len(password) <= LONGEST:
        raise DataError(f"the password has {len(password)} characters; give {SHORTEST} to {LONGEST}")
    return password
