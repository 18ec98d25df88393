"""``monitor run``."""

from __future__ import annotations

import logging
import os
import sys

import click

from monitor.cli.program import Program


@click.command("run")
@click.pass_context
def command(context: click.Context) -> None:
    """Watch the inbox and decide on every crop: the daemon.

    Crops below paths.inbox are scored once each, those that were there before as well. SIGTERM or SIGINT: stop
    watching, finish what was taken, end with 0; a second one stops at once. SIGHUP: take over newly activated
    models and thresholds, and the sinks of alarms as configured now. Metrics for Prometheus are served
    on metrics.host and metrics.port.

    A database of an earlier version is brought up to date first. A SQLite file is copied before; the copies of the
    last two upgrades are kept beside it.

    \b
    Examples:
      monitor run
      monitor --config /etc/monitor/config.toml run
    """
    from monitor.daemon.service import Service

    program = context.ensure_object(Program)
    # The service makes the database, or brings it up to date, once it has made sure that it is the only daemon.
    service = Service(program.configuration, program.raw_database(), program.registry)
    code = service.run()
    program.close()
    logging.shutdown()
    sys.stderr.flush()
    # A job in the background may be inside a library that aborts when the interpreter ends around it.
    os._exit(int(code))
