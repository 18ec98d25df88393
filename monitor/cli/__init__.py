"""The command line: imports a command only when it is used, and turns errors into exit codes."""

from __future__ import annotations

import errno
import io
import logging
import os
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from monitor import __version__, logs
from monitor.api import LazyGroup, Provider
from monitor.cli.program import Program
from monitor.errors import ExitCode, InputMissingError, MonitorError, PluginError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from monitor.logs import Format

log = logging.getLogger(__name__)

# The built-in commands, each in the module of its name as ``command``, with the line that ``--help`` shows.
COMMANDS: Final = {
    "train": "Train detectors on crops without proliv.",
    "calibrate": "Choose a threshold for trained models.",
    "evaluate": "Measure a model on a labelled folder.",
    "compare": "Draw the ROC curves of several models together.",
    "report": "Write an HTML page about the models: figures, and pictures with a sentence each.",
    "score": "Score every crop below a folder.",
    "show": "Show what is known of a crop: its decisions, thresholds, labels and places.",
    "run": "Watch the inbox and decide on every crop: the daemon.",
    "web": "Serve the page: see the table, look at crops, label them and acknowledge alarms.",
    "alarms": "List, show, acknowledge and close alarms.",
    "cast": "Say which cast is running and in which phase, and list casts.",
    "selftest": "Send a known proliv and a known normal crop all the way from the inbox to the sinks.",
    "pause": "Record alarms without notifying anyone while people work on the line.",
    "label": "Label crops as proliv or ne_proliv.",
    "labels": "List, export, import and take back labels.",
    "recalibrate": "Choose new thresholds from everything labelled, as the daemon does every night.",
    "retrain": "Train a model again with what people labelled.",
    "threshold": "Show, set, roll back and compare thresholds.",
    "replay": "Decide again on stored scores with another threshold.",
    "quality": "Show TPR and TNR in operation, from the labelled crops.",
    "drift": "Show whether scores have moved since the calibration.",
    "status": "Show the active models and what has been decided.",
    "models": "List, show, import, try, activate and roll back models.",
    "plugins": "List detectors, rules, commands and benchmarks, and which package each comes from.",
    "config": "Show, check and write the configuration.",
    "deploy": "Write configurations for Prometheus, Grafana and systemd.",
    "db": "Upgrade, check, back up and prune the database.",
    "bench": "Measure how fast this machine decides on crops, and how close that is to its limit.",
    "completion": "Print the script that completes commands and options in a shell.",
    "demo": "Show the whole program on synthetic crops or your own.",
}
BUILT_IN: Final = {name: Provider(name, summary, f"monitor.cli.{name}:command") for name, summary in COMMANDS.items()}


class ReaderGoneError(Exception):
    """The reader of our output has stopped reading, as ``head`` does."""


class Commands(LazyGroup):
    """The built-in commands in the order of their use, then those of plug-ins."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; raises `InputMissingError` where there is no working folder to run it in."""
        try:
            # Without one not even torch can be imported: its libraries end the process.
            os.getcwd()  # noqa: PTH109 - only whether it can be
        except OSError as error:
            raise InputMissingError(
                f"the working folder cannot be used: {error.strerror}; it may have been removed: change to another "
                "one, such as with cd /"
            ) from None
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            # click itself would end the process with 1, which here means a defect.
            raise ReaderGoneError from error

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command; raises `PluginError` for one of a plug-in that cannot be imported."""
        offer = None if cmd_name in BUILT_IN else ctx.ensure_object(Program).registry.commands.get(cmd_name)
        try:
            return super().get_command(ctx, cmd_name)
        except PluginError as error:
            if offer is None:
                raise
            raise PluginError(f"{error}; update the package {offer.distribution}, or uninstall it") from error
        except MonitorError:
            raise
        except (Exception, SystemExit) as error:
            if offer is None:
                raise
            raise PluginError(
                f"the command {cmd_name!r} of {offer.origin} cannot be imported from {offer.provider.target}: {error}; "
                f"update the package {offer.distribution}, or uninstall it"
            ) from error

    def providers(self, context: click.Context) -> Mapping[str, Provider]:
        """The commands by name; no plug-in replaces a built-in one."""
        plugged = context.ensure_object(Program).registry.commands
        return {**BUILT_IN, **{name: plugged[name].provider for name in sorted(plugged.keys() - BUILT_IN.keys())}}


EPILOG = "Exit codes: " + ", ".join(f"{code.value} {code.name.lower().replace('_', ' ')}" for code in ExitCode)


@click.group(cls=Commands, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config",
    # click would report an unreadable file as a wrong command line; our own sentence says what to do.
    type=click.Path(path_type=Path, readable=False),
    help="The configuration file; by default MONITOR_CONFIG, ./config.toml, /etc/monitor/config.toml, or none.",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    help="Overrides logging.level of the configuration.",
)
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    help="Overrides logging.format of the configuration.",
)
@click.version_option(__version__, "-V", "--version", prog_name="monitor")
@click.pass_context
def cli(context: click.Context, config: Path | None, log_level: str | None, log_format: Format | None) -> None:
    """Find bleed-outs (proliv) in crops of casting-table holes.

    Advisory only: never use it as a safety interlock.

    \b
    Examples:
      monitor demo
      monitor --config /etc/monitor/config.toml status
    """
    program = context.ensure_object(Program)
    program.config_path = config
    program.log_level = log_level
    program.log_format = log_format
    logs.setup(log_level or "warning", log_format or "text")
    context.call_on_close(program.close)


def main() -> None:
    """Run the command line and end the process with its exit code."""
    _open_closed_streams()
    logs.setup("warning")
    # JSON and CSV are UTF-8 whatever the encoding of the terminal; only a broken path could hold anything else.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    program = Program()
    try:
        result = cli.main(prog_name="monitor", standalone_mode=False, obj=program)
        sys.stdout.flush()
        code = result if isinstance(result, int) else ExitCode.OK
    except MonitorError as error:
        _complain(str(error))
        code = error.exit_code
    except (click.exceptions.Abort, KeyboardInterrupt):
        _complain("interrupted")
        code = ExitCode.INTERRUPTED
    except click.ClickException as error:
        if logs.for_machines():
            _complain(error.format_message())
        else:
            error.show()
        code = error.exit_code
    except (ReaderGoneError, BrokenPipeError):
        _discard_output()
        code = ExitCode.OK
    except OSError as error:
        # An error of a file has its name, one of standard output has none.
        if error.filename is not None or error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
            code = _defect(error, program)
        else:
            _discard_output()
            _complain(f"standard output: cannot be written: {error.strerror}; free some space or write elsewhere")
            code = ExitCode.CANNOT_CREATE
    except Exception as error:  # noqa: BLE001 - the last resort: a defect still ends with a named exit code
        code = _defect(error, program)
    logging.shutdown()
    sys.exit(int(code))


def _open_closed_streams() -> None:
    """Open streams that were closed before the start as the null device, or the next file would take their numbers."""
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "r" if name == "stdin" else "w", encoding="utf-8"))  # noqa: SIM115, PTH123


def _defect(error: Exception, program: Program) -> ExitCode:
    """Report an exception that nothing has foreseen, as the plug-in's where one raised it."""
    from monitor.cli.blame import culprit, sentence

    try:
        found = culprit(error, program.registry)
    except MonitorError:  # plug-ins that clash: none of them has run
        found = None
    ours = "this is a defect of monitor; please report it with the lines above"
    message = ours if found is None else sentence(found, error)
    if logs.for_machines():
        log.critical("%s", message.replace("the lines above", "this message"), exc_info=error)
    else:
        traceback.print_exception(error)
        _complain(message)
    return ExitCode.UNEXPECTED


def _discard_output() -> None:
    """Keep Python from complaining again when it closes standard output with unwritten data in its buffer."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _complain(message: str) -> None:
    for line in message.splitlines():
        if logs.for_machines():
            log.error("%s", line)
        else:
            click.echo(f"monitor: {line}", err=True)
