"""The labelled folder: which of its files are new, which are gone, and labelled crops that a model has not scored.

``labelled/proliv`` and ``labelled/ne_proliv``, with any sub-folders, say of the crops in them what they are. The daemon
watches the folder and takes what is new through its pipeline; `rescan` does the same by hand, with the same functions.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from monitor.crops.dataset import Label
from monitor.crops.loader import Identity
from monitor.errors import InputMissingError, StoreDamagedError, StoreError
from monitor.files.walking import crop_files, from_text, printable, to_text
from monitor.inbox.watcher import Candidate, Done, Watcher, look
from monitor.labels import labels
from monitor.scoring import lookup, pipeline
from monitor.scoring.ensemble import Decision
from monitor.store import decisions, labelled_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from sqlalchemy.engine import Connection

    from monitor.configuration.file import Configuration
    from monitor.configuration.settings import Watch
    from monitor.labels.labels import LabelledCrop
    from monitor.scoring.ensemble import Ensemble
    from monitor.scoring.pipeline import Reader, Work
    from monitor.store.database.engine import Database
    from monitor.store.decisions import StoredScore
    from monitor.threads import Stage

log = logging.getLogger(__name__)

LOST_SHOWN: Final = 3

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class Rescanned:
    """What a look at the labelled folder found: files with a label that are new or changed, those of them that cannot
    be read, and files that are no longer there.
    """

    new: int
    unreadable: int
    gone: int


@dataclass(frozen=True, slots=True)
class ScoredMissing:
    """How many labelled crops were scored later, and of how many the file is deleted or changed."""

    scored: int
    lost: int


class LabelledFolder:
    """The labelled folder as it lies there, held against what the store last saw of it."""

    def __init__(self, folder: Path) -> None:
        """``folder`` holds proliv/ and ne_proliv/; it need not exist."""
        self.folder = folder
        self._warned: set[Path] = set()

    @property
    def folders(self) -> list[Path]:
        """The sub-folders that are labels."""
        return [self.folder / label.value for label in Label]

    def warn_of_links(self) -> None:
        """Say what gives no label though it looks as if it did: links are not followed, and a file is no folder."""
        for folder in (self.folder, *self.folders):
            if folder != self.folder and os.path.islink(folder):  # noqa: PTH114 - see _is_folder
                log.warning(
                    "%s: is a link, which is not followed, so what it leads to has no label; put a folder there",
                    printable(folder),
                )
            elif os.path.exists(folder) and not _is_folder(folder):  # noqa: PTH110
                log.warning("%s: is no folder, so nothing is labelled by it; put a folder there", printable(folder))

    def label_of(self, file: str) -> Label | None:
        """What the folder says of a path below it; none, with one warning a folder, where it says nothing."""
        path = Path(file)
        first, *rest = path.relative_to(self.folder).parts
        if rest and first in set(Label):
            return Label(first)
        if path.parent not in self._warned:
            self._warned.add(path.parent)
            log.warning(
                "%s: lies neither in %s/ nor in %s/ of %s, so it has no label, and neither has anything beside it; "
                "move it into one of the two",
                printable(path), *Label, printable(self.folder),
            )  # fmt: skip
        return None

    def unknown(self, database: Database, paths: Sequence[str]) -> list[str]:
        """Those of the paths that have a label and are new, have changed, or may be readable by now."""
        wanted = {path: label for path in paths if (label := self.label_of(path)) is not None}
        with database.read() as connection:
            rows = labelled_files.known_files(connection, [to_text(path) for path in wanted])
        fresh = []
        for path, label in wanted.items():
            row = rows.get(to_text(path))
            if (
                row is None
                or row.label != label
                or row.reason in lookup.WORTH_ANOTHER_TRY
                or (row.size_bytes, row.mtime_ns) != lookup.signature(path)
            ):
                fresh.append(path)
        return fresh

    def forget_gone(self, database: Database, on_file: Callable[[], None] = lambda: None) -> int:
        """Forget the files that are no longer there, and return how many; the labels that they gave stay.

        What cannot be looked at is not gone: nothing is forgotten of a folder that is missing or cannot be read, as
        that of a share that is not mounted. ``on_file`` is called for every file that is there.
        """
        unreadable: list[Path] = []
        present: set[str] = set()
        try:
            for path in crop_files(self.folder, lambda one, _error: unreadable.append(one)):
                present.add(to_text(path))
                on_file()
        except InputMissingError:
            return 0
        unreadable += [folder for folder in self.folders if not _is_folder(folder)]
        spared = tuple(f"{to_text(folder)}/" for folder in unreadable)
        below = f"{to_text(self.folder)}/"
        with database.read() as connection:
            seen = [row.path for row in labelled_files.all_files(connection)]
        gone = [path for path in seen if path.startswith(below) and path not in present and not path.startswith(spared)]
        if gone:
            with database.write() as connection:
                labelled_files.forget_files(connection, gone)
        return len(gone)


class LabelledWatcher(Watcher):
    """Watches the labelled folder, and delivers what lies there with its label."""

    def __init__(
        self,
        folder: Path,
        settings: Watch,
        database: Database,
        deliver: Callable[[Candidate], bool],
        scanned: Callable[[bool], None],
    ) -> None:
        """``deliver`` and ``scanned`` are those of `Watcher`."""
        self._labelled = LabelledFolder(folder)
        self._database = database
        self._pass_on = deliver
        super().__init__(
            folder,
            settings,
            unknown=lambda paths: self._labelled.unknown(database, paths),
            deliver=self._deliver_labelled,
            folders=self._labelled.folders,
            scanned=scanned,
        )

    def run(self, stage: Stage) -> None:
        """Forget what is gone since the last time, then watch."""
        stage.busy()
        self._labelled.warn_of_links()
        try:
            self._labelled.forget_gone(self._database, stage.busy)
        except StoreDamagedError:
            raise
        except StoreError as error:
            log.warning(
                "%s: files that are gone are not forgotten: %s; the next rescan or start tries again",
                printable(self.folder),
                error,
            )
        super().run(stage)

    def _deliver_labelled(self, candidate: Candidate) -> bool:
        label = self._labelled.label_of(candidate.path)
        if label is None:
            self.mailbox.put(Done(candidate.path, look(candidate.path)))
            return True
        return self._pass_on(candidate._replace(label=label))


def rescan(configuration: Configuration, database: Database, ensemble: Ensemble) -> Rescanned:
    """Look over the labelled folder, and take over what is new and what is gone.

    Without a configured folder, or where it is missing, nothing is done.
    """
    if configuration.labelled is None:
        return Rescanned(0, 0, 0)
    labelled = LabelledFolder(configuration.labelled)
    labelled.warn_of_links()
    if not _is_folder(labelled.folder):
        return Rescanned(0, 0, 0)
    reader = pipeline.Reader(configuration)
    gone = labelled.forget_gone(database)
    new = unreadable = 0
    for batch in _batches(crop_files(labelled.folder, _warn_unreadable), configuration.settings.pipeline.batch_size):
        works = [reader.read(path, label=labelled.label_of(path)) for path in labelled.unknown(database, batch)]
        works = [work for work in works if not (work.refusal and work.refusal.reason == "vanished")]
        pipeline.score(works, ensemble)
        recorded = pipeline.store(database, works)
        for work in works:
            if pipeline.key(work) in recorded.failed:
                warn_unreadable(work)
        with database.read() as connection:
            rows = labelled_files.known_files(connection, [to_text(work.path) for work in works])
        refused = sum(row.reason is not None for row in rows.values())
        new += len(rows) - refused
        unreadable += refused
    return Rescanned(new, unreadable, gone)


def warn_unreadable(work: Work) -> None:
    """Say that a labelled file gives no label, and why."""
    assert work.refusal is not None
    log.warning(
        "%s: %s; its label does not count (%s) until the file is replaced",
        printable(work.path), work.refusal, work.refusal.reason,
    )  # fmt: skip


def score_missing(configuration: Configuration, database: Database, ensemble: Ensemble) -> ScoredMissing:
    """Let each model of the ensemble score the labelled crops that it has not scored, from their files.

    The file is the crop's own, an archived or a labelled one of the same content; one whose content is another by now
    is not taken. A decision that was made stands. One warning names what is lost.
    """
    reader = pipeline.Reader(configuration)
    with database.read() as connection:
        crops = labels.read(connection).crops
    scored = 0
    lost: list[str] = []
    for batch in _batches(iter(crops), configuration.settings.pipeline.batch_size):
        works: dict[int, Work] = {}
        with database.read() as connection:
            missing = _missing(connection, batch, ensemble)
            places = _places(connection, [crop for crop, _ in missing])
        for crop, before in missing:
            work = _read_again(reader, crop, places[crop.sha256])
            if work is None:
                lost.append(crop.path)
                continue
            work.decisions = [
                Decision(model, score.mse, score.score, score.threshold, Label(score.verdict))
                for model in ensemble.models
                for score in before
                if score.model_id == model.id
            ]
            works[crop.id] = work
        pipeline.score(list(works.values()), ensemble)
        scored += _store_again(database, works)
    if lost:
        shown = ", ".join(lost[:LOST_SHOWN]) + (", …" if len(lost) > LOST_SHOWN else "")
        log.warning(
            "%d labelled crops have no score of every active model, and their files are deleted or changed: %s; "
            "they do not count for those models until a copy lies in the labelled folder",
            len(lost), shown,
        )  # fmt: skip
    return ScoredMissing(scored, len(lost))


def _missing(
    connection: Connection, crops: Sequence[LabelledCrop], ensemble: Ensemble
) -> list[tuple[LabelledCrop, list[StoredScore]]]:
    """The crops that some model has not scored, each with the decisions that there are."""
    model_ids = [model.id for model in ensemble.models]
    before = decisions.stored_scores(connection, [crop.id for crop in crops], model_ids)
    found = [(crop, before.get(crop.id, [])) for crop in crops]
    return [(crop, scores) for crop, scores in found if len(scores) < len(model_ids)]


def _places(connection: Connection, crops: Sequence[LabelledCrop]) -> dict[str, list[str]]:
    """By content, the paths where it may lie: the crop's own first, then in the archive."""
    places = {crop.sha256: [crop.path] for crop in crops}
    for sha256, archived in decisions.archived_places(connection, places.keys()).items():
        places[sha256] += archived
    for row in labelled_files.files_of_contents(connection, places.keys()):
        places[row.sha256].append(row.path)
    return places


def _read_again(reader: Reader, crop: LabelledCrop, places: Iterable[str]) -> Work | None:
    """The crop's picture, from the first place that still has its content; none where it cannot be had."""
    for place in places:
        work = reader.read(from_text(place))
        if work.decoded is not None and work.content is not None and work.content.sha256 == crop.sha256:
            # What is known of the crop was read from its own name.
            work.path = os.fspath(from_text(crop.path))
            work.identity = Identity(crop.hole, crop.camera, crop.captured_at)
            return work
    return None


def _store_again(database: Database, works: Mapping[int, Work]) -> int:
    """Add the new models' scores of known crops; what was decided on them in operation stays as it is."""
    rows = {crop_id: pipeline.row(work).scores for crop_id, work in works.items()}
    with database.write() as connection:
        return decisions.add_scores(connection, rows)


def _batches(items: Iterator[_Item], size: int) -> Iterator[list[_Item]]:
    while batch := list(islice(items, size)):
        yield batch


def _is_folder(path: Path) -> bool:
    # Path.is_dir raises where a folder above may not be entered.
    return os.path.isdir(path)  # noqa: PTH112


def _warn_unreadable(folder: Path, error: OSError) -> None:
    log.warning(
        "%s: the folder cannot be read: %s; its labels are not taken over until its permissions are mended",
        printable(folder), error.strerror,
    )  # fmt: skip
