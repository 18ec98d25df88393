"""Which label of a crop counts, which labels contradict each other, and how many crops a labelled crop stands for.

Labels belong to contents: a label given to one crop holds for every crop with the same bytes. They are never changed,
only added, and the newest counts. When two labellers (an author, or the labelled folder) disagree about a content, the
newest label still counts, but the content is contradictory, and no threshold is chosen from it until they agree or a
person settles it (``monitor label --settle``), after which older labels are void.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from shlex import quote
from typing import TYPE_CHECKING, Final

from monitor.store.audits import eligible_crops
from monitor.store.labelled_files import contents_in_both_folders
from monitor.store.labels import all_labels, labelled_crops
from monitor.words import Label

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy.engine import Connection

    from monitor.store.labels import LabelledCropRow, LabelRow


# Of the crops of one content, the first one of the lowest rank stands for it: see `monitor.store.conditions`.
RANKS: Final = {"inbox": 0, "folder": 1, "labelled": 2}


@dataclass(frozen=True, slots=True)
class LabelledCrop:
    """A scored crop with the label that counts, one for each content.

    ``label_id``, ``recorded_at`` (when it was stored), ``source`` and ``author`` are those of the label that counts.
    ``alarmed``: whether the final decision was proliv; ``unusual``: whether it was not, although a model said proliv.
    ``in_operation``: whether it was decided before it was labelled,
    which a crop that came with its label was not. ``audit``: the random draw that it belongs to. ``weight``: how many
    crops without an alarm it stands for, at least 1: eligible / labelled crops of its draw without contradictory ones.
    """

    id: int
    path: str
    sha256: str
    label: Label
    label_id: int
    recorded_at: datetime
    source: str
    author: str | None
    hole: int | None
    camera: str | None
    captured_at: datetime | None
    seen_at: datetime
    alarmed: bool
    unusual: bool
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

    ``given``: every label that was ever given, also those that no longer count. ``in_both``: the contents that lie in
    labelled/proliv and in labelled/ne_proliv.
    """

    crops: list[LabelledCrop]
    contradictions: list[Contradiction]
    given: list[LabelRow]
    in_both: Collection[str] = ()

    def agreed(self) -> list[LabelledCrop]:
        """The crops whose labels do not contradict each other."""
        doubtful = {one.sha256 for one in self.contradictions}
        return [crop for crop in self.crops if crop.sha256 not in doubtful]


def read(connection: Connection) -> LabelledCrops:
    """Read every label and find out which ones count."""
    by_content: dict[str, list[LabelRow]] = defaultdict(list)
    given = all_labels(connection)
    for label in given:
        by_content[label.sha256].append(label)
    counted = {sha256: valid(rows) for sha256, rows in by_content.items()}
    rows: dict[str, LabelledCropRow] = {}
    for row in labelled_crops(connection):
        # The first crop that was decided in operation stands for its content, as quality in operation is about it; or
        # else the first one that was scored by hand.
        if row.sha256 not in rows or RANKS[row.source] < RANKS[rows[row.sha256].source]:
            rows[row.sha256] = row
    in_both = contents_in_both_folders(connection)
    paths = {sha256: row.path for sha256, row in rows.items()}
    found = list(contradictions(counted, in_both, paths))
    weights = _weights(rows.values(), {one.sha256 for one in found}, eligible_crops(connection))
    crops = [
        _labelled_crop(row, counted[row.sha256][-1], weights.get(row.audit_id, 1.0))
        for row in sorted(rows.values(), key=lambda row: row.id)
    ]
    return LabelledCrops(crops, found, given, in_both)


def _weights(
    rows: Iterable[LabelledCropRow], doubtful: Collection[str], eligible: Mapping[int, int]
) -> dict[int | None, float]:
    """How many crops a labelled crop of each draw stands for; the ``doubtful`` contents stand for none."""
    labelled = Counter(row.audit_id for row in rows if row.sha256 not in doubtful)
    return {audit: max(crops / labelled[audit], 1.0) for audit, crops in eligible.items() if labelled[audit]}


def _labelled_crop(row: LabelledCropRow, label: LabelRow, weight: float) -> LabelledCrop:
    return LabelledCrop(
        id=row.id,
        path=row.path,
        sha256=row.sha256,
        label=Label(label.label),
        label_id=label.id,
        recorded_at=label.recorded_at,
        source=label.source,
        author=label.author,
        hole=row.hole,
        camera=row.camera,
        captured_at=row.captured_at,
        seen_at=row.seen_at,
        alarmed=row.verdict == Label.PROLIV.value,
        unusual=row.unusual,
        in_operation=row.source == "inbox",
        audit=row.audit_id,
        weight=weight,
    )


def valid(rows: Sequence[LabelRow]) -> list[LabelRow]:
    """The labels of one content that are not void, the oldest first; the last one counts.

    ``rows``: all its labels, the oldest first. A label that settles a disagreement makes those before it void.
    """
    settling = [index for index, row in enumerate(rows) if row.settles]
    return list(rows[settling[-1] if settling else 0 :])


def contradictions(
    counted: dict[str, list[LabelRow]], in_both_folders: Collection[str], paths: dict[str, str]
) -> Iterable[Contradiction]:
    """The contents among ``paths`` (sha256 -> path) whose labellers' newest labels disagree, with a sentence."""
    for sha256, path in sorted(paths.items(), key=lambda item: item[1]):
        rows = counted[sha256]
        settled = rows[0].settles
        newest: dict[tuple[str, str | None], set[str]] = {}
        instants: dict[tuple[str, str | None], datetime] = {}
        for row in rows:
            labeller = (row.source, None) if row.source == "folder" else ("person", row.author)
            # Of two labels given at the same instant, neither is the newer one.
            same = instants.get(labeller) == row.at and not row.settles
            newest[labeller] = {*(newest[labeller] if same else ()), row.label}
            instants[labeller] = row.at
        said = {label for labels in newest.values() for label in labels}
        if len(said) > 1:
            words = ", ".join(
                f"{_name(labeller)} says {' and '.join(sorted(labels))}" for labeller, labels in newest.items()
            )
            yield Contradiction(
                sha256, path, f"{path}: {words}; settle it: monitor label {quote(path)} --as … --settle"
            )
        elif sha256 in in_both_folders and not settled:
            yield Contradiction(
                sha256, path, f"{path}: lies in labelled/proliv and in labelled/ne_proliv; remove one of the two"
            )


def _name(labeller: tuple[str, str | None]) -> str:
    source, author = labeller
    return "the labelled folder" if source == "folder" else author or "an unnamed author"
