"""``monitor retrain``."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from monitor.cli.options import author_of, data_option, detectors_option, format_option, seed_option
from monitor.cli.program import Program, pass_program

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from monitor.learning.outcome import Outcome


@click.command("retrain")
@detectors_option("by default the first one that decides and learns from proliv")
@data_option("the one that the model was trained on; overrides learning.data")
@seed_option("overrides training.seed")
@format_option()
@click.option("--scheduled", metavar="RUN", type=int, hidden=True)
@pass_program
def command(
    program: Program,
    detectors: tuple[str, ...],
    data: Path | None,
    seed: int | None,
    output_format: str,
    scheduled: int | None,
) -> None:
    """Train a model again with what people labelled.

    The detector (contrast) learns from train/ and proliv/ as before, and also from crops labelled ne_proliv that were
    called proliv, and from crops labelled proliv. What is set aside, such as contradictory labels, is named.

    The new model is refused, with exit code 65, if it misses a known proliv that the active one finds, decides more
    made-up pictures of any kind wrongly, or is worse on everything labelled. Otherwise it is in the shadow for
    learning.shadow_days: it scores beside the active model and decides nothing. After that, the next monitor retrain
    or the night lets it take the active model's place, or refuses it.

    monitor models retrained lists what became of each, monitor models accept lets a person decide, and monitor models
    rollback brings the former model back.

    \b
    Example:
      monitor retrain --data crops/
    """
    if scheduled is not None:
        _scheduled(program, scheduled)
        return
    from monitor.errors import ModelRefusedError

    configuration = program.configuration
    folder = data or configuration.learning_data
    if folder is None:
        raise click.UsageError("name the folder that the model was trained on: --data DIR, or learning.data")
    seed = configuration.settings.training.seed if seed is None else seed
    refused = []
    for detector in detectors or (None,):
        outcome = _retrained(program, detector, folder, seed)
        if output_format == "json":
            click.echo(json.dumps(outcome.as_dict()))
        else:
            print_outcome(outcome)
        if outcome.result == "refused":
            refused.append(f"{outcome.model or outcome.detector}: refused ({outcome.refusal}): {outcome.reason}")
    if refused:
        raise ModelRefusedError("\n".join(refused))


def _retrained(program: Program, detector: str | None, folder: Path, seed: int) -> Outcome:
    """Train the model of a detector again, or of the first one that learns."""
    from datetime import UTC, datetime

    from monitor.cli.progress import epochs
    from monitor.learning.outcome import Request
    from monitor.learning.retraining import Retraining

    configuration = program.configuration
    request = Request(datetime.now(UTC), folder, seed, detector, author=author_of(None), zone=configuration.time_zone)
    with epochs(detector or "retrain") as progress:
        database = program.database(create=False)
        return Retraining(database, program.registry, configuration, request, progress).run()


def _scheduled(program: Program, run_id: int) -> None:
    """Do a night's training, for the daemon that started this process, and print what came of it as JSON."""
    from monitor.learning.night import be_the_process

    found = be_the_process(program.database(create=False), program.registry, program.configuration, run_id)
    json.dump(found, sys.stdout)


def print_outcome(outcome: Outcome) -> None:
    """Print what came of a training; notes go to standard error."""
    for note in outcome.notes:
        click.echo(f"note: {note}", err=True)
    name = outcome.model or outcome.detector
    if outcome.result == "unchanged":
        click.echo(f"{outcome.replaces} stays: {outcome.reason}")
        return
    click.echo(f"{name}: {_result(outcome)}")
    for line in evidence_lines(outcome.evidence or {}):
        click.echo(f"  {line}")


def _result(outcome: Outcome) -> str:
    if outcome.result == "refused":
        return f"refused ({outcome.refusal}); {outcome.replaces} stays"
    if outcome.result == "accepted":
        return f"is active now in place of {outcome.replaces}"
    return f"in the shadow: {outcome.reason}"


def evidence_lines(evidence: Mapping[str, Any]) -> Iterator[str]:
    """What a model learned from, and how it and the former one decide."""
    if "train_crops" in evidence:
        yield (
            f"learned from {evidence['train_crops']} crops and {evidence['proliv_crops']} proliv of the folder, and "
            f"from {evidence['false_alarms']} labelled false alarms and {evidence['confirmed_proliv']} labelled proliv"
        )
    if "known_proliv" in evidence:
        known = evidence["known_proliv"]
        yield f"known proliv, cross-fitted: {known['found']} of {known['proliv']} found"
    if evidence.get("made_up"):
        shares = (f"{one['kind']} {one['after']} (before {one['before']})" for one in evidence["made_up"])
        yield f"made-up pictures decided rightly, of {evidence['made_up'][0]['pictures']} each: {', '.join(shares)}"
    labelled = evidence.get("labelled", {})
    for name in ("tpr", "tnr"):
        if labelled.get(f"{name}_after"):
            yield (
                f"{name.upper()} on {labelled[f'{name}_after']['crops']} labelled crops: "
                f"{_rate(labelled[f'{name}_after'])}, before {_rate(labelled[f'{name}_before'])}"
            )


def _rate(rate: Mapping[str, float]) -> str:
    return f"{rate['rate']:.4f} ({rate['low']:.4f} to {rate['high']:.4f})"
