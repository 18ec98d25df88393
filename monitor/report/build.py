"""Puts the page together: which models it is about, what is known of them, and what a labelled folder adds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitor import __version__
from monitor.files.text import printable
from monitor.models import folders
from monitor.report import figures, sections
from monitor.report.facts import gather_facts
from monitor.report.measuring import FolderPart
from monitor.report.page import Note, Page
from monitor.scoring import ensemble
from monitor.store.models import active_models, find_model
from monitor.words import DECISION

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from monitor.configuration.resolved import Configuration
    from monitor.registry import Registry
    from monitor.report.facts import Facts
    from monitor.report.measuring import MeasuredFolder, ReadFolder
    from monitor.report.page import PagePart
    from monitor.scoring.ensemble import ActiveModel, Ensemble
    from monitor.store.database.engine import Database


@dataclass(frozen=True)
class Subjects:
    """What the page is about: the models with what is known of them, and the ensemble, if there is an active one.

    ``members``: what is known of the ensemble's models, which need not have sections of their own. ``held_out``: the
    sha256 of the crops that each model was kept from, by its name.
    """

    models: tuple[Facts, ...]
    ensemble: Ensemble | None
    members: tuple[Facts, ...]
    held_out: Mapping[str, frozenset[str]]

    @property
    def loaded(self) -> list[ActiveModel]:
        """Every model that takes part, once."""
        return list({one.model.name: one.model for one in (*self.models, *self.members)}.values())


def choose_subjects(
    database: Database, registry: Registry, configuration: Configuration, names: Sequence[str]
) -> Subjects:
    """The named models, or the active ones, each loaded once; raises `NoModelError` when there is none."""
    with database.read() as connection:
        active = active_models(connection)
    together = ensemble.load_active(database, registry, configuration) if active or not names else None
    loaded = {model.name: model for model in (together.models if together else ())}
    if names:
        chosen = [_named(database, registry, configuration, name, loaded) for name in names]
    else:
        others = [row for row in active if row.name not in loaded]
        chosen = [*loaded.values(), *(ensemble.load(registry, configuration, row) for row in others)]
    known = {model.name: gather_facts(database, configuration, model) for model in (*loaded.values(), *chosen)}
    held_out = {name: folders.validation_digests(configuration.models, one.row) for name, one in known.items()}
    return Subjects(
        models=tuple(known[name] for name in dict.fromkeys(model.name for model in chosen)),
        ensemble=together,
        members=tuple(known[name] for name in loaded),
        held_out=held_out,
    )


def build_page(
    subjects: Subjects, measured: MeasuredFolder | None, *, source: str, now: datetime, on_drawn: Callable[[], None]
) -> Page:
    """The page; ``source`` names the configuration that is in use, ``on_drawn`` is called after each model.

    ``now`` is on the plant's clock.
    """
    written = []
    for one in subjects.models:
        written.append(sections.model_section(one, measured.judged[one.row.name] if measured else None))
        on_drawn()
    if subjects.ensemble is not None:
        final = measured.judged[DECISION] if measured else None
        written.append(sections.decision_section(subjects.ensemble.decide, subjects.members, final))
    introduction: list[PagePart] = [
        Note(f"Written by monitor {__version__} on {now.isoformat(' ', 'seconds')} with the configuration {source}."),
        *_measured_on(subjects, measured),
    ]
    return Page("How well proliv is found", introduction, written)


def _measured_on(subjects: Subjects, measured: MeasuredFolder | None) -> list[PagePart]:
    if measured is None:
        return [
            Note(
                "No labelled folder was given. monitor report --data DIR adds what the models do to its crops: rates "
                "with exact intervals, histograms, ROC curves, the confusion matrix, crops with their "
                "reconstructions, and pictures of the codes."
            )
        ]
    shown = [one.row.name for one in subjects.models]
    with_final = [*shown, DECISION] if subjects.ensemble and len(subjects.ensemble.models) > 1 else shown
    return [*_read_from(measured.folder), *figures.overview([measured.judged[name] for name in with_final])]


def _read_from(folder: ReadFolder) -> list[PagePart]:
    """Which crops the figures are of, and which files could not be read."""
    counts = {part: sum(crop.part is part for crop in folder.crops) for part in FolderPart}
    parts: list[PagePart] = [
        Note(
            f"Measured on the crops of {printable(folder.root)}: {counts[FolderPart.HELD_OUT]:,} of train/ that were "
            f"held out from training, {counts[FolderPart.PROLIV]:,} of proliv/, and {counts[FolderPart.TEST]:,} of the "
            "test."
        )
    ]
    if folder.refused:
        first, reason = folder.refused[0]
        parts.append(
            Note(
                f"Files that could not be read and are not counted: {len(folder.refused):,}; the first is "
                f"{printable(first)}: {reason}.",
                warning=True,
            )
        )
    return parts


def _named(
    database: Database, registry: Registry, configuration: Configuration, name: str, loaded: Mapping[str, ActiveModel]
) -> ActiveModel:
    """The model called ``name``, or whose name begins with it; not loaded twice."""
    with database.read() as connection:
        row = find_model(connection, name)
    return loaded.get(row.name) or ensemble.load_model(database, registry, configuration, row.name)
