"""``monitor demo``: runs the commands that a person would type, one after the other, in a folder of its own."""

from __future__ import annotations

import os
import random
import shlex
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from monitor.cli.demo_table import Seen, screen
from monitor.cli.options import data_option, output_option, seed_option
from monitor.errors import DataError, OutputError
from monitor.files.text import from_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.crops.dataset import Dataset, LabelledPath
    from monitor.harness.daemon import Daemon

TRAIN_LIMIT: Final = 3000
LIVE_LIMIT: Final = 400
FEED_AT_ONCE: Final = 4
FEED_PAUSE_SECONDS: Final = 0.1

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


@click.command("demo")
@data_option("without it, synthetic crops are made")
@output_option("DIR", "a new folder, with a number at its end if it is there already", default=Path("demo"))
@click.option(
    "--state-link",
    metavar="PATH",
    type=click.Path(path_type=Path),
    help="Also make this a link to the demo's state folder, unless something else is there.",
)
@seed_option("of the crops and the training", default=0)
def command(data: Path | None, output: Path, state_link: Path | None, seed: int) -> None:
    """Show the whole program on synthetic crops or your own.

    Makes crops, trains two detectors, chooses their thresholds, evaluates them, starts the daemon, feeds it the test
    crops live, and writes a report. Everything is kept in a new folder; if demo exists it is demo-2, and so on. If the
    crops cannot be used, nothing is left behind.

    \b
    Examples:
      monitor demo
      monitor demo --data crops/
    """
    from monitor.harness.daemon import free_port

    started = time.monotonic()
    dataset = None if data is None else _dataset(data)
    folder = _fresh(output)
    config = folder / "config.toml"
    program = [sys.executable, "-m", "monitor", "--config", str(config)]
    try:
        config.write_text(CONFIGURATION.format(port=free_port()), encoding="utf-8")
        if data is None:
            data = folder / "crops"
            _step(program, "gen", "crops", str(data), "--seed", str(seed))
        dataset = dataset or _dataset(data)
        _prepare(program, data, dataset, seed)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    chosen = _sample(dataset.test, seed)
    if len(chosen) < len(dataset.test):
        click.echo(f"(the daemon is fed {len(chosen)} of the {len(dataset.test)} test crops, drawn at random)")
    decisions = _live(folder, config, chosen)
    _require_all(decisions, chosen, folder)
    report = _write_report(program, data, folder)
    linked = state_link is not None and _link(state_link, folder / "state")
    _print_matrix(decisions)
    _print_ways(decisions, folder, report, linked=linked)
    click.echo(f"took {time.monotonic() - started:.0f} s")


def _dataset(data: Path) -> Dataset:
    """The labelled crops; raises the error that says what is missing."""
    from monitor.configuration.names import DEFAULT_IGNORED
    from monitor.crops.dataset import open_dataset, require
    from monitor.files.ignoring import IgnoredNames

    dataset = open_dataset(data, IgnoredNames(DEFAULT_IGNORED))
    require(dataset, "train", "proliv", "test")
    return dataset


def _prepare(program: Sequence[str], data: Path, dataset: Dataset, seed: int) -> None:
    """Train, calibrate and evaluate."""
    limited = len(dataset.train) > TRAIN_LIMIT
    if limited:
        click.echo(f"(trained on {TRAIN_LIMIT} of the {len(dataset.train)} crops of train/, drawn at random)")
    limit = ["--limit", str(TRAIN_LIMIT)] if limited else []
    _step(program, "train", "contrast", "patchstats", "--data", str(data), "--seed", str(seed), *limit)
    _step(program, "calibrate", "--data", str(data))
    _step(program, "evaluate", "--data", str(data), "--all")


def _write_report(program: Sequence[str], data: Path, folder: Path) -> Path | None:
    """Write the report into the demo's folder; None where the package that draws its pictures is missing."""
    from monitor.configuration.extras import how_to_install, is_installed

    if not is_installed("matplotlib"):
        click.echo(f"(no report: its pictures need matplotlib; {how_to_install('report')})")
        return None
    report = folder / "report.html"
    _step(program, "report", "--data", str(data), "--output", str(report))
    return report


def _link(link: Path, state: Path) -> bool:
    """Make a link to the demo's state; one of an earlier demo is replaced, and anything else stays."""
    if link.is_symlink():
        link.unlink()
    elif link.exists():
        return False
    link.symlink_to(os.path.relpath(state, link.parent))
    return True


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
    with screen() as show:
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
                decision = (row.score, row.threshold, row.verdict)
                seen.append(Seen(row.crop_id, path.name, row.hole, *decision, labels[path]))
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


def _require_all(seen: Sequence[Seen], chosen: Sequence[LabelledPath], folder: Path) -> None:
    if len(seen) < len(chosen):
        raise DataError(f"{folder}: the daemon decided on {len(seen)} of {len(chosen)} crops; its messages are above")


def _print_matrix(seen: Sequence[Seen]) -> None:
    """Print the confusion matrix of the live decisions."""
    counts = Counter((one.label, one.verdict) for one in seen)
    click.secho("\nThe daemon's decisions against the labels", bold=True)
    click.echo(f"{'':<18}{'decided proliv':>16}{'decided ne_proliv':>20}")
    for label in ("proliv", "ne_proliv"):
        click.echo(f"labelled {label:<9}{counts[label, 'proliv']:>16}{counts[label, 'ne_proliv']:>20}")


def _print_ways(seen: Sequence[Seen], folder: Path, report: Path | None, *, linked: bool) -> None:
    """Print what a person may want to look at next, as lines to paste."""
    shown = _from_here(folder)
    monitor = shlex.quote(_from_here(Path(sys.executable).with_name("monitor")))
    if not linked:
        monitor += f" --config {shlex.quote(f'{shown}/config.toml')}"
    alarm = next((one.crop for one in seen if one.verdict == "proliv"), seen[0].crop)
    ways = [
        (f"{monitor} status", "the models and what they decided"),
        (f"{monitor} show {alarm}", "all that is known of one crop"),
        (f"{monitor} quality --help", "how good it is in operation, once crops are labelled"),
    ]
    if report is not None:
        ways.insert(0, (f"{shown}/report.html", "figures and pictures: open it in a browser"))
    width = max(len(way) for way, _ in ways)
    click.secho("\nLook around", bold=True)
    click.echo(f"Everything is in {folder}: configuration, crops, database, models.")
    for way, meaning in ways:
        click.echo(f"  {way:<{width}}  {meaning}")


def _from_here(path: Path) -> str:
    """A path as a person in the working folder would write it."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative
