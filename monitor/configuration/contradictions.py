"""Describes in sentences where keys of a configuration contradict each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.configuration.problems import describe_problem

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.configuration.resolved import Configuration


def contradictions(configuration: Configuration) -> list[str]:
    """A sentence for each, naming the key that has to change."""
    return [
        *_missing_archive(configuration),
        *_missing_data(configuration),
        *_nested_folders(configuration),
        *_cast_file_among_crops(configuration),
        *_kept_too_short(configuration),
    ]


def _missing_archive(configuration: Configuration) -> list[str]:
    if configuration.archive is not None or configuration.settings.inbox.after != "archive":
        return []
    place = configuration.origins.place(("inbox", "after"))
    return [f'{place}: "archive" needs a folder: set paths.archive']


def _missing_data(configuration: Configuration) -> list[str]:
    learning = configuration.settings.learning
    if learning.data is not None or not learning.enabled:
        return []
    place = configuration.origins.place(("learning", "enabled"))
    return [f"{place}: learning at night needs the folder that the model was trained on: set learning.data"]


def _nested_folders(configuration: Configuration) -> list[str]:
    """Folders inside the inbox, which would score its own quarantine or models, or inside the labelled folder."""
    folders = {
        "state": configuration.state,
        "labelled": configuration.labelled,
        "quarantine": configuration.quarantine,
        "archive": configuration.archive,
    }
    outer: list[tuple[str, str, Path | None]] = [(key, "inbox", configuration.inbox) for key in folders]
    # What is moved into the labelled folder would count as labelled by a person.
    outer += [(key, "labelled folder", configuration.labelled) for key in ("quarantine", "archive")]
    return [
        describe_problem(
            {
                "type": "value_error",
                "loc": ("paths", key),
                "msg": f"must not lie inside the {name} {around}",
                "input": str(getattr(configuration.settings.paths, key)),
            },
            configuration.origins,
        )
        for key, name, around in outer
        if around is not None and (folder := folders[key]) is not None and folder.is_relative_to(around)
    ]


def _cast_file_among_crops(configuration: Configuration) -> list[str]:
    file = configuration.cast_file
    watched = {"inbox": configuration.inbox, "labelled folder": configuration.labelled}
    place = configuration.origins.place(("alarms", "cast", "file"))
    return [
        f"{place}: must not lie inside the {name} {folder}, where it would be taken for a crop"
        for name, folder in watched.items()
        if file is not None and folder is not None and file.is_relative_to(folder)
    ]


def _kept_too_short(configuration: Configuration) -> list[str]:
    problem = configuration.settings.keeps_too_short(configuration.settings.store.keep_days)
    return [] if problem is None else [f"{configuration.origins.place(('store', 'keep_days'))}: {problem}"]
