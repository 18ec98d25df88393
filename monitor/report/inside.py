"""Shows what needs the detector itself: what it makes of crops, its codes in the plane, and what it was taught."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

import numpy as np

from monitor.configuration.extras import how_to_install
from monitor.errors import NotOfferedError
from monitor.files.chunks import chunks
from monitor.files.text import printable
from monitor.models.calls import SCORED_AT_ONCE
from monitor.registry import whose
from monitor.report import codes, lessons, style, wording
from monitor.report.crops import Caption, Seen, choose_labelled, sheet
from monitor.report.measuring import FolderPart
from monitor.report.page import Note, Picture, Table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from monitor.api import Detector
    from monitor.report.crops import ShownCrop
    from monitor.report.measuring import FolderCrop, Judged
    from monitor.report.page import PagePart

log = logging.getLogger(__name__)

# Sentences below the pictures of the codes.
TSNE: Final = (
    "The same codes, arranged so that neighbours stay neighbours: groups that stand apart here are different to the "
    "detector, but the sizes of groups and the distances between them mean nothing."
)
UMAP: Final = (
    "The same codes arranged by another method, which also keeps neighbours together and preserves more of how the "
    "groups lie to one another; the distances between groups still mean little."
)
STARS: Final = "Stars are the detector's prototypes; a normal crop should lie among them."
TSNE_REMEDY: Final = f"t-SNE is not drawn: it needs scikit-learn; {how_to_install('report')}"


def crops_and_codes(detector: Detector, judged: Judged) -> list[list[PagePart]]:
    """The pictures for one model in groups, of the test where there is one, else of the threshold's evidence.

    Where a detector fails or has no codes, a sentence takes the place of the pictures.
    """
    return [
        _contained(detector, "the crops' reconstructions", lambda: _chosen_crops(detector, judged)),
        _contained(detector, "the crops' codes", lambda: _codes(detector, judged)),
    ]


def taught(detector: Detector, judged: Judged) -> list[PagePart]:
    """Contact sheets of the made-up pictures that the detector learned from; empty where it learned from none."""

    def sheets() -> list[PagePart]:
        normal, proliv = (lessons.some_of(judged, part) for part in (FolderPart.HELD_OUT, FolderPart.PROLIV))
        if not normal:
            return [Note(lessons.NO_CROPS)]
        crops = prepared(detector, normal)
        return lessons.sheets(detector, crops, prepared(detector, proliv) if proliv else crops[:0])

    return _contained(detector, "the made-up pictures", sheets) if detector.offers("lessons") else []


def details(detector: Detector) -> list[PagePart]:
    """What the trained detector says about itself, such as the health of its memory; empty where it says nothing."""

    def table() -> list[PagePart]:
        rows = [[key.replace("_", " "), wording.plain(value)] for key, value in detector.details().items()]
        return [Table("What the detector says about itself", rows)] if rows else []

    return _contained(detector, "the detector's details", table)


def prepared(detector: Detector, crops: Sequence[FolderCrop]) -> NDArray[np.uint8]:
    """Crops as the detector sees them, uint8 (N, H, W, C)."""
    return detector.prepare_batch([crop.pixels for crop in crops], [crop.hole for crop in crops])


def _contained(detector: Detector, what: str, make: Callable[[], list[PagePart]]) -> list[PagePart]:
    try:
        return make()
    except NotOfferedError as error:
        return [Note(f"{what[0].upper()}{what[1:]} are not shown: {error}.")]
    except Exception as error:  # noqa: BLE001 - a detector is a third party's code and may raise anything
        reason = f"{type(error).__name__}: {printable(str(error))}"
        log.warning(
            "detector %s%s: %s cannot be shown (%s); the report goes on without them",
            *(detector.name, whose(detector), what, reason),
        )
        return [Note(f"{what[0].upper()}{what[1:]} cannot be shown: {reason}", warning=True)]


def _chosen_crops(detector: Detector, judged: Judged) -> list[PagePart]:
    shown, origin = judged.of(FolderPart.TEST), "the test"
    if not shown.any():
        shown, origin = np.ones(len(shown), dtype=np.bool_), "the held-out crops and proliv/"
    rows = np.flatnonzero(shown)
    chosen = choose_labelled(judged.scores[rows], judged.proliv[rows], judged.threshold)
    if not chosen:
        return []
    picked = [rows[one.row] for one in chosen]
    batch = prepared(detector, [judged.crops[row] for row in picked])
    captions = [
        _caption(judged, row, number, one) for number, (row, one) in enumerate(zip(picked, chosen, strict=True), 1)
    ]
    seen = Seen.by(detector, batch)
    picture = Picture(
        _title(seen),
        f"Chosen from {origin} by the deciding score: the worst decisions (furthest on the wrong side of the "
        "threshold, or nearest to it where none is wrong), the best, and those nearest the threshold. The detector "
        f"sees the crop of the first row{_bright(seen)}. "
        "Orange captions are proliv, blue ones ne_proliv.",
        style.as_png(sheet(seen, captions)),
        kind="png",
        wide=True,
    )
    table = Table(
        "The files of these crops",
        [_listed(judged, row, number, one) for number, (row, one) in enumerate(zip(picked, chosen, strict=True), 1)],
        headings=("number", "why it was chosen", "file", "score", "label", "decided"),
    )
    missing = [] if detector.offers("reconstruct") else [Note(_without(detector, seen))]
    return [picture, table, *missing]


def _title(seen: Seen) -> str:
    shown = [
        *(["reconstruction"] if seen.reconstructed is not None else []),
        *([seen.map_name] if seen.heatmap is not None else []),
    ]
    return f"Ten crops with {' and '.join(shown)}" if shown else "Ten crops"


def _bright(seen: Seen) -> str:
    """What it means that a heat map is bright."""
    if seen.heatmap is None:
        return ""
    meaning = "the crop is abnormal to the detector" if seen.own_heatmap else "its reconstruction differs"
    return f"; where the {seen.map_name} is bright, {meaning}"


def _without(detector: Detector, seen: Seen) -> str:
    no_map = "" if seen.heatmap is not None else " and has no heat map"
    return f"The detector {detector.name!r} reconstructs no crops{no_map}, so they are shown without."


def _caption(judged: Judged, row: int, number: int, chosen: ShownCrop) -> Caption:
    label, verdict = _label(judged, row), _verdict(judged, row)
    verb = "found" if verdict == label else "taken for"
    return Caption(
        (f"{number}. {chosen.why}", f"score {judged.scores[row]:.4g}", label, f"{verb} {verdict}"),
        proliv=bool(judged.crops[row].proliv),
    )


def _listed(judged: Judged, row: int, number: int, chosen: ShownCrop) -> list[str]:
    score = f"{judged.scores[row]:.6g}"
    return [str(number), chosen.why, judged.crops[row].name, score, _label(judged, row), _verdict(judged, row)]


def _label(judged: Judged, row: int) -> str:
    return "proliv" if judged.crops[row].proliv else "ne_proliv"


def _verdict(judged: Judged, row: int) -> str:
    return "proliv" if judged.scores[row] >= judged.threshold else "ne_proliv"


def _codes(detector: Detector, judged: Judged) -> list[PagePart]:
    rows = codes.sample(judged.proliv)
    if len(rows) < codes.FEWEST_POINTS:
        return [Note(f"The codes of fewer than {codes.FEWEST_POINTS} crops are not drawn, as they would show nothing.")]
    crops = [judged.crops[row] for row in rows]
    points = _latent(detector, crops)
    stars, complaint = _prototypes(detector, points.shape[1])
    components = codes.components(points, stars)
    proliv = np.array([crop.proliv for crop in crops])
    measured = np.array([crop.part is FolderPart.TEST for crop in crops])
    first = (
        f"The codes (each of {points.shape[1]} numbers) of {len(crops):,} crops, turned so that the two directions in "
        "which they differ most lie in the plane. Distances are those of the codes; differences in other directions do "
        f"not show. {STARS if len(stars) else ''}"
    )
    methods = [
        ("Codes: principal components", first, codes.principal),
        *([("Codes: t-SNE", TSNE, codes.tsne)] if codes.has_tsne() else []),
        *([("Codes: UMAP", UMAP, codes.umap)] if codes.has_umap() else []),
    ]
    return [
        *(
            Picture(title, sentence, style.as_png(codes.scatter(project(components), proliv, measured)), kind="png")
            for title, sentence, project in methods
        ),
        *([] if codes.has_tsne() else [Note(TSNE_REMEDY)]),
        *([Note(complaint, warning=True)] if complaint else []),
    ]


def _latent(detector: Detector, crops: Sequence[FolderCrop]) -> codes.Floats:
    """The codes, float64 (N, D), made in batches, because prepared crops may be large."""
    batches = [detector.latent(prepared(detector, batch)) for batch in chunks(crops, SCORED_AT_ONCE)]
    together = np.concatenate(batches).astype(np.float64)
    if together.ndim != 2 or not together.shape[1] or not np.isfinite(together).all():
        raise ValueError(f"the codes have the shape {together.shape} or hold numbers that are not finite")
    return together


def _prototypes(detector: Detector, size: int) -> tuple[codes.Floats, str]:
    """The prototypes, float64 (K, ``size``), K may be 0; where they do not fit, none, and a sentence that says why."""
    stars = np.asarray(detector.prototypes(), dtype=np.float64)
    if not len(stars):
        return np.empty((0, size)), ""
    if stars.shape[1:] != (size,) or not np.isfinite(stars).all():
        return np.empty((0, size)), (
            f"The detector's prototypes have the shape {stars.shape} and its codes {size} numbers, or they are not "
            "finite, so they are not drawn."
        )
    return stars, ""
