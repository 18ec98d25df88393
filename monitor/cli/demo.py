"""``monitor demo``: runs the commands that a person would type, one after the other, in a folder of its own."""

from __future__ import annotations

import random
import shlex
import shutil
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import click

from monitor.errors import DataError, OutputError
from monitor.files.text import from_text, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rich.table import Table

    from monitor.crops.dataset import LabelledPath
    from monitor.harness.daemon import Daemon

TRAIN_LIMIT: Final = 3000
LIVE_LIMIT: Final = 400
FEED_AT_ONCE: Final = 4
FEED_PAUSE_SECONDS: Final = 0.1
ROWS_SHOWN: Final = 14

CONFIGURATION: Final = """\
# Written by: monitor demo. Every other key has its default; see the sample config.toml.
[paths]
inbox = "inbox"
state = "state"

[watch]
scan_seconds = 1.0

[metrics]
port = {port}

[logging]
level = "error"
"""


class Seen(NamedTuple):
    """One final decision of the daemon beside the label that the crop has."""

    name: str
    hole: int | None
    score: float
    threshold: float
    verdict: str
    label: str


@click.command("demo")
@click.option(
    "--data", type=click.Path(path_type=Path), help="A labelled folder; without it, synthetic crops are made."
)
@click.option(
    "--output", default=Path("demo"), show_default=True, type=click.Path(path_type=Path), help="The demo's folder."
)
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0, 2**32 - 1))
def command(data: Path | None, output: Path, seed: int) -> None:
    """Show the whole program on synthetic crops or your own.

    Makes crops, trains two detectors, chooses their thresholds, evaluates them, then starts the daemon and feeds it the
    test crops live. Everything is kept in a new folder; if demo exists it is demo-2, and so on.
    """
    from monitor.crops.dataset import open_dataset, require
    from monitor.harness.daemon import free_port

    started = time.monotonic()
    folder = _fresh(output)
    config = folder / "config.toml"
    config.write_text(CONFIGURATION.format(port=free_port()), encoding="utf-8")
    program = [sys.executable, "-m", "monitor", "--config", str(config)]
    if data is None:
        data = folder / "crops"
        _step(program, "gen", "crops", str(data), "--seed", str(seed))
    dataset = open_dataset(data)
    require(dataset, "train", "proliv", "test")
    limited = len(dataset.train) > TRAIN_LIMIT
    if limited:
        click.echo(f"(trained on {TRAIN_LIMIT} of the {len(dataset.train)} crops of train/, drawn at random)")
    limit = ["--limit", str(TRAIN_LIMIT)] if limited else []
    _step(program, "train", "patchstats", "ae", "--data", str(data), "--seed", str(seed), *limit)
    _step(program, "calibrate", "--data", str(data))
    _step(program, "evaluate", str(data), "--all")
    chosen = _sample(dataset.test, seed)
    if len(chosen) < len(dataset.test):
        click.echo(f"(the daemon is fed {len(chosen)} of the {len(dataset.test)} test crops, drawn at random)")
    decisions = _live(folder, config, chosen)
    _conclude(decisions, chosen, folder, time.monotonic() - started)


def _fresh(output: Path) -> Path:
    folder, number = output, 1
    while True:
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            number += 1
            folder = output.with_name(f"{output.name}-{number}")
        except OSError as error:
            raise OutputError(f"{folder}: the demo's folder cannot be created: {error.strerror}") from None
        else:
            return folder.absolute()


def _step(program: Sequence[str], *arguments: str) -> None:
    """Show a command and run it; a failing one ends the demo with its exit code."""
    from monitor.harness.daemon import environment

    click.secho(f"\n$ monitor {shlex.join(arguments)}", bold=True)
    sys.stdout.flush()
    command = [*program, *arguments]
    code = subprocess.run(command, env=environment(), check=False).returncode  # noqa: S603 - our own interpreter and words
    if code != 0:
        raise click.exceptions.Exit(code)


def _sample(test: Sequence[LabelledPath], seed: int) -> list[LabelledPath]:
    return random.Random(seed).sample(list(test), min(LIVE_LIMIT, len(test)))


def _live(folder: Path, config: Path, chosen: Sequence[LabelledPath]) -> list[Seen]:
    """Start the daemon, feed it the crops at an even pace, and show its decisions as they are committed."""
    from monitor.harness.daemon import Daemon, environment

    click.secho("\n$ monitor run", bold=True)
    sys.stdout.flush()
    messages = folder / "daemon.log"
    with Daemon(messages, configuration=config, environment=environment()) as daemon:
        try:
            return _feed(daemon, folder / "inbox", config, chosen)
        finally:
            daemon.stop()
            click.echo(daemon.text(), err=True, nl=False)


def _feed(daemon: Daemon, inbox: Path, config: Path, chosen: Sequence[LabelledPath]) -> list[Seen]:
    from monitor.configuration.file import load
    from monitor.store import crops
    from monitor.store.database.engine import Database

    configuration = load(config)
    database = Database(configuration.database_url, busy_seconds=configuration.settings.database.busy_seconds)
    inbox.mkdir(exist_ok=True)
    labels: dict[Path, str] = {}
    seen: list[Seen] = []
    last_crop = 0
    with _screen() as show:
        while len(seen) < len(chosen) and not daemon.has_ended() and not daemon.patience.is_over():
            for item in chosen[len(labels) : len(labels) + FEED_AT_ONCE]:
                target = _target(inbox, item.path.name, labels)
                shutil.copyfile(item.path, target)
                labels[target] = item.label.value
            time.sleep(FEED_PAUSE_SECONDS)
            with database.read() as connection:
                rows = crops.decisions_after(connection, last_crop)
            for row in rows:
                path = from_text(row.path)
                seen.append(Seen(path.name, row.hole, row.score, row.threshold, row.verdict, labels[path]))
                last_crop = row.crop_id
            if rows:
                daemon.patience.renew()
                show(seen)
    database.close()
    return seen


def _target(inbox: Path, name: str, taken: dict[Path, str]) -> Path:
    """Where a crop goes: a name that is taken goes into a subfolder, which the daemon watches too."""
    target = inbox / name
    if target in taken:
        target = inbox / str(len(taken)) / name
        target.parent.mkdir()
    return target


@contextmanager
def _screen() -> Iterator[Callable[[Sequence[Seen]], None]]:
    """A live table on a terminal; elsewhere a line for each proliv decision or mistake."""
    if not sys.stdout.isatty():
        printed = 0

        def lines(seen: Sequence[Seen]) -> None:
            nonlocal printed
            for one in seen[printed:]:
                if one.verdict != one.label or one.verdict == "proliv":
                    click.echo("  ".join(_cells(one)))
            printed = len(seen)

        yield lines
        return
    from rich.live import Live

    with Live(_table([]), refresh_per_second=10) as live:
        yield lambda seen: live.update(_table(seen))


def _table(seen: Sequence[Seen]) -> Table:
    from rich.table import Table

    table = Table("crop", "hole", "score", "threshold", "verdict", "label", title=f"{len(seen)} decisions")
    for one in seen[-ROWS_SHOWN:]:
        colour = "red" if one.verdict != one.label else "yellow" if one.verdict == "proliv" else None
        table.add_row(*_cells(one), style=colour)
    return table


def _cells(one: Seen) -> tuple[str, ...]:
    hole = "-" if one.hole is None else str(one.hole)
    return printable(one.name), hole, f"{one.score:.6g}", f"{one.threshold:.6g}", one.verdict, f"label {one.label}"


def _conclude(seen: Sequence[Seen], chosen: Sequence[LabelledPath], folder: Path, seconds: float) -> None:
    """Print the confusion matrix of the live decisions, and where everything is."""
    counts = Counter((one.label, one.verdict) for one in seen)
    click.secho("\nThe daemon's decisions against the labels", bold=True)
    click.echo(f"{'':<18}{'decided proliv':>16}{'decided ne_proliv':>20}")
    for label in ("proliv", "ne_proliv"):
        click.echo(f"labelled {label:<9}{counts[label, 'proliv']:>16}{counts[label, 'ne_proliv']:>20}")
    click.echo(f"\nconfiguration, database and model: {folder}")
    command = Path(sys.executable).with_name("monitor")
    click.echo(f"look again:  cd {shlex.quote(str(folder))} && {shlex.quote(str(command))} status")
    click.echo(f"took {seconds:.0f} s")
    if len(seen) < len(chosen):
        raise DataError(f"{folder}: the daemon decided on {len(seen)} of {len(chosen)} crops; its messages are above")
