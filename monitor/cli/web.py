"""``monitor web``."""

from __future__ import annotations

import click

from monitor.cli import web_user
from monitor.cli.program import Program, pass_program
from monitor.configuration.extras import require_package


@click.group("web", invoke_without_command=True)
@click.pass_context
@pass_program
def command(program: Program, context: click.Context) -> None:
    """Serve the page: see the table, look at crops, label them and acknowledge alarms.

    It reads the same database as the daemon and runs beside it, on web.host and web.port, until SIGINT or SIGTERM. By
    default only this machine can reach it, and nobody logs in. Other machines are let in only with users and HTTPS. On
    SIGHUP the certificate is read again.

    \b
    Examples:
      monitor web
      monitor --config /etc/monitor/config.toml web
      monitor web user add anna --role operator
    """
    if context.invoked_subcommand is not None:
        return
    for package in ("starlette", "uvicorn", "jinja2", "multipart", "itsdangerous", "argon2"):
        require_package(package, extra="web", needed_by="monitor web")
    from monitor.web.server import serve
    from monitor.web.site import Site

    serve(Site(program.configuration, program.registry, program.database(create=False)))


command.add_command(web_user.command)
