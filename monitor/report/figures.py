"""Shows what a judge, a model or the final decision, does to the crops of a folder: figures and pictures of scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.report import curves, style, wording
from monitor.report.curves import Group, Sample
from monitor.report.measuring import EVIDENCE, FolderPart
from monitor.report.page import Note, Picture, Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from monitor.formulas.rates import Evaluation
    from monitor.report.measuring import Judged
    from monitor.report.page import PagePart


def overview(judges: Sequence[Judged]) -> list[PagePart]:
    """What every judge does to the test, side by side."""
    measured = [(judged, judged.evaluated(FolderPart.TEST)) for judged in judges]
    rows = [
        [
            judged.name,
            wording.number(judged.threshold),
            wording.rate(figures.as_dict(), "tpr"),
            wording.rate(figures.as_dict(), "tnr"),
            wording.share(figures.roc_auc),
            f"{figures.tp + figures.fn:,} and {figures.tn + figures.fp:,}",
        ]
        for judged, figures in measured
        if figures is not None
    ]
    if not rows:
        return [Note("The folder holds no test/, so nothing is measured on images that took no part in the choice.")]
    table = Table(
        "On the test",
        rows,
        headings=("decided by", "threshold", "TPR", "TNR", "ROC AUC", "proliv and ne_proliv"),
        sentence="TPR is the caught share of proliv, TNR the passed share of ne_proliv; in brackets the exact 95 % "
        "intervals (Clopper-Pearson). ROC AUC is the chance that a proliv image scores higher than a ne_proliv one. "
        "The last column says on how many images this was measured.",
    )
    return [table, *_together(judges)]


def of_scores(judged: Judged, score_name: str) -> list[list[PagePart]]:
    """The evaluation on the test and the pictures of the deciding score, in groups; ``score_name`` has its unit."""
    groups = _groups(judged, judged.scores)
    if not groups:
        return [[Note("None of the folder's crops concerns this model, so nothing is measured.", warning=True)]]
    figures = judged.evaluated(FolderPart.TEST)
    return [
        [_evaluation(figures), _confusion(figures)]
        if figures
        else [Note("The folder holds no test/, so there is no evaluation on images that took no part in the choice.")],
        [_histogram(judged, groups, score_name), _rates(judged, score_name)],
        _roc(judged),
    ]


def of_mse(judged: Judged, *, reconstructs: bool) -> Picture:
    """The distribution of the mean squared error, for a model that decides by another score."""
    whose = "of the reconstruction" if reconstructs else "against the mean crop"
    groups = _groups(judged, judged.mse)
    return Picture(
        "MSE",
        f"The mean squared error {whose}, by which this detector does not decide, of {_counted(groups)}.",
        style.as_svg(curves.histogram(groups, None, wording.score_name("mse"))),
    )


def _histogram(judged: Judged, groups: Sequence[Group], score_name: str) -> Picture:
    return Picture(
        "Deciding score",
        f"The distribution of the deciding score of {_counted(groups)}. Everything to the right of the threshold is "
        "decided to be proliv. Outlines are the crops that the threshold was chosen from, filled bars the test.",
        style.as_svg(curves.histogram(groups, judged.threshold, score_name)),
    )


def _rates(judged: Judged, score_name: str) -> Picture:
    return Picture(
        "TPR and TNR by threshold",
        "What any other threshold would do: as it rises, TPR falls and TNR rises. Dashed lines are the crops that the "
        "threshold was chosen from, solid ones the test; the further apart they run, the less the first say about the "
        "second.",
        style.as_svg(curves.rates(_samples(judged), judged.threshold, score_name)),
    )


def _roc(judged: Judged) -> list[PagePart]:
    lines = [
        curves.roc_curve(f"{sample.name}, AUC {_auc(judged, sample)}", sample.normal, sample.proliv, judged.threshold)
        for sample in _samples(judged)
        if len(sample.normal) and len(sample.proliv)
    ]
    if not lines:
        return []
    return [
        Picture(
            "ROC curve",
            "The caught share of proliv against the share of false alarms, for all thresholds from high (lower left) "
            "to low; the mark is the threshold in use. Nearer to the upper left corner is better.",
            style.as_svg(curves.roc(lines)),
            wide=True,
        )
    ]


def _evaluation(figures: Evaluation) -> Table:
    values = figures.as_dict()
    return Table(
        "Evaluation on the test",
        [
            ["images", f"{figures.n:,}: {figures.tp + figures.fn:,} proliv, {figures.tn + figures.fp:,} ne_proliv"],
            ["TPR, caught share of proliv", wording.rate(values, "tpr")],
            ["TNR, passed share of ne_proliv", wording.rate(values, "tnr")],
            ["balanced accuracy", wording.share(figures.balanced_accuracy)],
            ["ROC AUC", wording.share(figures.roc_auc)],
            ["threshold", wording.number(figures.threshold)],
        ],
        sentence="In brackets the exact 95 % intervals (Clopper-Pearson): if the test were repeated many times on "
        "other images of the same kind, at least 95 % of the intervals would hold the true rate.",
    )


def _confusion(figures: Evaluation) -> Picture:
    return Picture(
        "Confusion matrix on the test",
        f"The {figures.n:,} test images by label, in rows, and by decision, in columns; percentages are shares of the "
        "row.",
        style.as_svg(curves.confusion(figures.tp, figures.fn, figures.fp, figures.tn)),
    )


def _groups(judged: Judged, values: NDArray[np.float64]) -> list[Group]:
    """The values by part and label, without empty groups."""
    wanted = (
        ("train, held out", False, FolderPart.HELD_OUT),
        ("proliv/", True, FolderPart.PROLIV),
        ("test, ne_proliv", False, FolderPart.TEST),
        ("test, proliv", True, FolderPart.TEST),
    )
    groups = [
        Group(name, proliv, values[judged.of(part) & (judged.proliv == proliv)], part is FolderPart.TEST)
        for name, proliv, part in wanted
    ]
    return [group for group in groups if len(group.scores)]


def _samples(judged: Judged) -> list[Sample]:
    """The scores by what they are used for: to choose the threshold, and to measure it."""
    samples = []
    for name, parts in (("held-out and proliv/", EVIDENCE), ("test", (FolderPart.TEST,))):
        rows = judged.of(*parts)
        if rows.any():
            normal, proliv = (judged.scores[rows & (judged.proliv == label)] for label in (False, True))
            samples.append(Sample(name, normal, proliv, name == "test"))
    return samples


def _auc(judged: Judged, sample: Sample) -> str:
    figures = judged.evaluated(*((FolderPart.TEST,) if sample.measured else EVIDENCE))
    return wording.share(None if figures is None else figures.roc_auc)


def _together(judges: Sequence[Judged]) -> list[PagePart]:
    """The ROC curves of all judges on the test in one picture, where there are several."""
    lines = []
    for judged in judges:
        rows, figures = judged.of(FolderPart.TEST), judged.evaluated(FolderPart.TEST)
        normal, proliv = (judged.scores[rows & (judged.proliv == label)] for label in (False, True))
        if figures is not None and len(normal) and len(proliv):
            name = f"{judged.name}, AUC {wording.share(figures.roc_auc)}"
            lines.append(curves.roc_curve(name, normal, proliv, judged.threshold))
    if len(lines) < 2:
        return []
    return [
        Picture(
            "ROC curves on the test",
            "The caught share of proliv against the share of false alarms for all thresholds; the mark is the "
            "threshold in use. Nearer to the upper left corner is better.",
            style.as_svg(curves.roc(lines)),
            wide=True,
        )
    ]


def _counted(groups: Sequence[Group]) -> str:
    return "; ".join(f"{len(group.scores):,} crops of {group.name}" for group in groups)
