"""Which label of a crop counts, which labels contradict each other, what a labelled crop stands for; giving labels.

Labels belong to contents: a label given to one crop holds for every crop of the same bytes. They are never changed,
only added, and the newest counts. Where two labellers (an author, or the labelled folder) say different things of one
content, the newest still counts, but the content is contradictory until they agree or somebody settles it
(``monitor label --settle``), after which older labels are void; a threshold is not chosen from it meanwhile.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitor.store import audits, labelled_files
from monitor.store import labels as stored
from monitor.words import Label

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from datetime import datetime

    from sqlalchemy.engine import Connection

    from monitor.store.labels import LabelledCropRow, LabelRow


@dataclass(frozen=True, slots=True)
class LabelledCrop:
    """A scored crop with the label that counts, one for each content.

    ``label_id``, ``labelled_at``, ``recorded_at`` (when it was stored), ``source``, ``author``: of the label that
    counts. ``alarmed``: whether the final decision on it was proliv. ``in_operation``: whether a decision was made on
    it before it was labelled, which is not so for a crop that came with its label. ``audit``: the random draw that it
    belongs to. ``weight``: how many crops without an alarm it stands for, at least 1: eligible / labelled crops of its
    draw.
    """

    id: int
    path: str
    sha256: str
    label: Label
    label_id: int
    labelled_at: datetime
    recorded_at: datetime
    source: str
    author: str | None
    hole: int | None
    camera: str | None
    captured_at: datetime | None
    seen_at: datetime
    alarmed: bool
    in_operation: bool
    audit: int | None
    weight: float


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A content with labels that contradict each other; ``path`` is one of its crops."""

    sha256: str
    path: str
    sentence: str


@dataclass(frozen=True)
class LabelledCrops:
    """All labelled crops, one for each content, in the order of their ids, and the contradictory contents.

    ``given``: every label that was ever given, those too that do not count any more.
    """

    crops: list[LabelledCrop]
    contradictions: list[Contradiction]
    given: list[LabelRow]

    def agreed(self) -> list[LabelledCrop]:
        """Those whose labels do not contradict each other."""
        doubtful = {one.sha256 for one in self.contradictions}
        return [crop for crop in self.crops if crop.sha256 not in doubtful]


def read(connection: Connection) -> LabelledCrops:
    """Read every label and find out what counts."""
    by_content: dict[str, list[LabelRow]] = defaultdict(list)
    given = stored.all_labels(connection)
    for label in given:
        by_content[label.sha256].append(label)
    counted = {sha256: valid(rows) for sha256, rows in by_content.items()}
    rows: dict[str, LabelledCropRow] = {}
    for row in stored.labelled_crops(connection):
        # One stands for its content: the first that was decided in operation, for what is shown is about that.
        if row.sha256 not in rows or (rows[row.sha256].source == "labelled" and row.source != "labelled"):
            rows[row.sha256] = row
    labelled_of_draw = Counter(row.audit_id for row in rows.values() if row.audit_id is not None)
    eligible = audits.eligible_crops(connection)
    crops = []
    for row in sorted(rows.values(), key=lambda row: row.id):
        label = counted[row.sha256][-1]
        weight = 1.0 if row.audit_id is None else eligible[row.audit_id] / labelled_of_draw[row.audit_id]
        crops.append(
            LabelledCrop(
                id=row.id,
                path=row.path,
                sha256=row.sha256,
                label=Label(label.label),
                label_id=label.id,
                labelled_at=label.at,
                recorded_at=label.recorded_at,
                source=label.source,
                author=label.author,
                hole=row.hole,
                camera=row.camera,
                captured_at=row.captured_at,
                seen_at=row.seen_at,
                alarmed=row.verdict == Label.PROLIV.value,
                in_operation=row.source != "labelled",
                audit=row.audit_id,
                weight=max(weight, 1.0),
            )
        )
    in_both = labelled_files.contents_in_both_folders(connection)
    paths = {sha256: row.path for sha256, row in rows.items()}
    return LabelledCrops(crops, list(contradictions(counted, in_both, paths)), given)


def valid(rows: Sequence[LabelRow]) -> list[LabelRow]:
    """The labels of one content, the oldest first, from the newest on that settles a disagreement; the last counts."""
    settling = [index for index, row in enumerate(rows) if row.settles]
    return list(rows[settling[-1] if settling else 0 :])


def contradictions(
    counted: dict[str, list[LabelRow]], in_both_folders: Collection[str], paths: dict[str, str]
) -> Iterable[Contradiction]:
    """The contents among ``paths`` (sha256 -> path) whose labellers' newest labels differ, with the sentence."""
    for sha256, path in sorted(paths.items(), key=lambda item: item[1]):
        rows = counted[sha256]
        settled = rows[0].settles
        newest: dict[tuple[str, str | None], set[str]] = {}
        instants: dict[tuple[str, str | None], datetime] = {}
        for row in rows:
            labeller = (row.source, None) if row.source == "folder" else ("person", row.author)
            # Nobody can say which of two labels of one instant is the newer.
            same = instants.get(labeller) == row.at and not row.settles
            newest[labeller] = {*(newest[labeller] if same else ()), row.label}
            instants[labeller] = row.at
        said = {label for labels in newest.values() for label in labels}
        if len(said) > 1:
            words = ", ".join(
                f"{_name(labeller)} says {' and '.join(sorted(labels))}" for labeller, labels in newest.items()
            )
            yield Contradiction(sha256, path, f"{path}: {words}; settle it: monitor label {path} --as … --settle")
        elif sha256 in in_both_folders and not settled:
            yield Contradiction(
                sha256, path, f"{path}: lies in labelled/proliv and in labelled/ne_proliv; remove one of the two"
            )


def _name(labeller: tuple[str, str | None]) -> str:
    source, author = labeller
    return "the labelled folder" if source == "folder" else author or "somebody unnamed"
