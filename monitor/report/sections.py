"""Writes the page's sections: one for each model, and one for the final decision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from monitor.report import curves, figures, style, wording
from monitor.report.curves import Group, Sample
from monitor.report.inside import crops_and_codes, details, prepared, taught
from monitor.report.page import Note, Picture, Section, Table
from monitor.scoring.vote import NORMAL_SCORES, PROLIV_SCORES
from monitor.times import on_clock
from monitor.words import DECISION

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from monitor.configuration.settings import Decide
    from monitor.report.facts import Facts
    from monitor.report.measuring import Judged
    from monitor.report.page import PagePart


def model_section(facts: Facts, judged: Judged | None) -> Section:
    """Everything about one model; ``judged`` is what it says of the crops of a labelled folder, if one was given."""
    detector = facts.model.detector
    known: list[list[PagePart]] = [
        [_identity(facts), _settings(facts)],
        [_chosen_from(facts), *details(detector), _training(facts)],
    ]
    if judged is None:
        return Section(facts.row.name, [*known, [*_rates_of_percentiles(facts), _remembered(facts)]])
    name = _deciding_name(facts, judged)
    mse = (
        [figures.of_mse(judged, reconstructs=detector.offers("reconstruct"))]
        if judged.crops and name != wording.score_name("mse")
        else []
    )
    return Section(
        facts.row.name,
        [
            *known,
            *figures.of_scores(judged, name),
            [*mse, _remembered(facts)],
            *crops_and_codes(detector, judged),
            taught(detector, judged),
        ],
    )


def decision_section(decide: Decide, members: Sequence[Facts], judged: Judged | None) -> Section:
    """The final decision of several models, or that one model decides alone."""
    names = [facts.row.name for facts in members]
    if len(names) == 1:
        return Section(DECISION, [[Note(f"{names[0]} alone decides, so the decision is its own.")]])
    rows = [["decision.decide", decide], *([f"model {number}", name] for number, name in enumerate(names, 1))]
    groups: list[list[PagePart]] = [[Table("How the models decide together", rows, sentence=_MODES[decide])]]
    if judged is not None:
        primary = _deciding_name(members[0], judged)
        groups += figures.of_scores(judged, wording.decision_score_name(decide, primary))
    return Section(DECISION, groups)


# What each mode of ``[decision]`` does.
_MODES: Final[Mapping[Decide, str]] = {
    "primary": "The first model's decision stands; a crop that it refuses is decided by the next.",
    "any": "A crop is proliv when at least one of the models says so.",
    "all": "A crop is proliv when every one of the models says so.",
    "majority": "A crop is proliv when more than half of the models say so.",
    "rank-mean": "Each model's score of a crop is ranked among the scores of the model's calibration; the crop is "
    "proliv when the mean of these ranks reaches the mean rank of the thresholds.",
}


def _identity(facts: Facts) -> Table:
    row = facts.row
    return Table(
        "Model",
        [
            ["detector", row.detector],
            ["fingerprint", row.fingerprint],
            ["trained", on_clock(row.trained_at, facts.zone)],
            ["state", "active" if row.active else "calibrated, not active"],
            ["threshold", wording.number(row.threshold)],
        ],
        sentence="The fingerprint covers the weights, the settings and the list of held-out crops; a model that "
        "differs in any of them has another fingerprint.",
    )


def _settings(facts: Facts) -> Table:
    rows = [[key, wording.plain(value)] for key, value in sorted(facts.row.settings.items())]
    return Table("Settings that it was trained with", rows)


def _training(facts: Facts) -> Note | Picture:
    epochs = facts.training.epochs
    if not epochs:
        return Note("This detector is not trained by epochs, so there is no loss curve.")
    return Picture(
        "Loss by epoch",
        f"The mean loss of the training crops and of the held-out ones after each of {len(epochs)} epochs; the weights "
        f"of epoch {facts.training.best_epoch} were kept. Where the held-out line turns up while the other goes down, "
        "the detector is learning its training crops by heart.",
        style.as_svg(curves.losses(epochs, facts.training.best_epoch)),
    )


def _chosen_from(facts: Facts) -> Table:
    calibration, evidence = facts.calibration, facts.calibration.evidence
    counts = [evidence.get(key, 0) for key in ("tn", "fp", "tp", "fn")]
    settings = ", ".join(f"{key} = {wording.plain(value)}" for key, value in calibration.settings.items())
    return Table(
        "Where the threshold comes from",
        [
            ["threshold", wording.number(facts.model.threshold)],
            ["rule", f"{calibration.rule} ({settings})" if settings else calibration.rule],
            ["chosen", on_clock(calibration.created_at, facts.zone)],
            ["folder", wording.plain(evidence.get("data") or "none: from what is stored")],
            ["chosen from", f"{counts[0] + counts[1]:,} ne_proliv and {counts[2] + counts[3]:,} proliv crops"],
            ["TPR there", wording.rate(evidence, "tpr")],
            ["TNR there", wording.rate(evidence, "tnr")],
            ["ROC AUC there", wording.share(evidence.get("roc_auc"))],
        ],
        sentence="The threshold was chosen from these same crops, so the rates flatter it; only the test says how well "
        "it does. In brackets the exact 95 % intervals.",
    )


def _rates_of_percentiles(facts: Facts) -> list[PagePart]:
    """TPR and TNR by threshold, from the percentiles of its scores that the calibration has kept."""
    kept = [
        np.array(facts.calibration.evidence.get(key) or (), dtype=np.float64) for key in (NORMAL_SCORES, PROLIV_SCORES)
    ]
    if not all(len(part) for part in kept):
        return []
    sample = Sample("what the threshold was chosen from", normal=kept[0], proliv=kept[1])
    return [
        Picture(
            "TPR and TNR by threshold",
            "What any other threshold would have done to the crops that it was chosen from, estimated from the "
            "percentiles of their scores, which is what the calibration has kept.",
            style.as_svg(curves.rates([sample], facts.model.threshold, "the deciding score")),
        )
    ]


def _deciding_name(facts: Facts, judged: Judged) -> str:
    if not judged.crops:
        return wording.score_name("mse")
    detector = facts.model.detector
    return wording.score_name(detector.score(prepared(detector, judged.crops[:1])).decision)


def _remembered(facts: Facts) -> Note | Picture:
    """The scores of the decisions in the store, by verdict."""
    remembered = facts.remembered
    if not remembered:
        return Note("The store holds no decisions of this model yet.")
    groups = [
        Group(f"decided {verdict}", verdict == "proliv", scores)
        for verdict in ("ne_proliv", "proliv")
        if len(scores := np.array([one.score for one in remembered if one.verdict == verdict], dtype=np.float64))
    ]
    return Picture(
        "Decisions in the store",
        f"The deciding scores of the {len(remembered):,} newest stored decisions of this model, by verdict, whatever "
        "the crops show. The threshold is today's; older decisions may have been made with another.",
        style.as_svg(curves.histogram(groups, facts.model.threshold, "the deciding score")),
    )
