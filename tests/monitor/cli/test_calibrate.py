from __future__ import annotations

import hashlib
import json
import shutil
from statistics import median
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., subprocess.CompletedProcess[str]]
    Rows = Callable[[str], list[tuple[Any, ...]]]

ACTIVE = "select rule, threshold from calibrations where state = 'active'"


def scores(monitor: Run, folder: Path) -> dict[str, float]:
    """The deciding score of every crop, by the sha256 of its content, as `monitor score` prints it."""
    outcome = monitor("score", folder, "--no-store", "--exit-zero", "--format", "json")
    assert outcome.returncode == 0
    found = [json.loads(line) for line in outcome.stdout.splitlines()]
    return {hashlib.sha256((folder / one["file"]).read_bytes()).hexdigest(): one["score"] for one in found}


@pytest.fixture
def held_out(trained: Path) -> set[str]:
    """The sha256 of the crops that were held out when the model was trained."""
    (model,) = (trained / "state" / "models").iterdir()
    return set((model / "validation.txt").read_text(encoding="ascii").split())


def test_the_threshold_is_chosen_on_exactly_the_held_out_crops_and_proliv(
    trained: Path, monitor: Run, rows: Rows, small_dataset: Path, held_out: set[str]
) -> None:
    train, proliv = scores(monitor, small_dataset / "train"), scores(monitor, small_dataset / "proliv")
    ordered = sorted(train[digest] for digest in held_out)
    threshold = (ordered[len(ordered) // 2 - 1] + ordered[len(ordered) // 2]) / 2
    outcome = monitor(
        "calibrate", "--data", small_dataset, "--rule", "fixed", "--set", f"threshold={threshold!r}", "--accept"
    )
    assert outcome.returncode == 0
    assert f"on the {len(held_out)} ne_proliv and {len(proliv)} proliv crops" in outcome.stdout
    ((evidence,),) = rows("select evidence from calibrations where state = 'active'")
    found = json.loads(evidence)
    assert found["data"] == str(small_dataset)
    assert found["n"] == len(held_out) + len(proliv)
    assert found["tn"] == sum(train[digest] < threshold for digest in held_out) == len(ordered) // 2
    assert found["fp"] == len(held_out) - found["tn"]
    assert found["tp"] == sum(score >= threshold for score in proliv.values())
    assert found["threshold"] == threshold


def test_balanced_has_the_best_mean_of_both_shares(
    trained: Path, monitor: Run, rows: Rows, small_dataset: Path, held_out: set[str]
) -> None:
    train, proliv = scores(monitor, small_dataset / "train"), scores(monitor, small_dataset / "proliv").values()
    normal = [train[digest] for digest in held_out]

    def quality(threshold: float) -> float:
        caught = sum(score >= threshold for score in proliv) / len(proliv)
        return caught + sum(score < threshold for score in normal) / len(normal)

    assert monitor("calibrate", "--data", small_dataset, "--rule", "balanced").returncode == 0
    ((rule, threshold),) = rows(ACTIVE)
    assert rule == "balanced"
    assert quality(threshold) == pytest.approx(max(quality(cut) for cut in [*normal, *proliv, 1e9]))


def test_mean_proliv_is_the_mean_of_proliv(trained: Path, monitor: Run, rows: Rows, small_dataset: Path) -> None:
    proliv = scores(monitor, small_dataset / "proliv")
    assert monitor("calibrate", "--data", small_dataset, "--rule", "mean-proliv", "--accept").returncode == 0
    assert rows(ACTIVE) == [("mean-proliv", pytest.approx(sum(proliv.values()) / len(proliv), rel=1e-5))]


@pytest.mark.parametrize(
    ("configured", "options", "k"), [("", (), 0.56), ("k = 0.7", (), 0.7), ("k = 0.7", ("k=1",), 1)]
)
def test_fraction_of_max(
    trained: Path,
    monitor: Run,
    rows: Rows,
    small_dataset: Path,
    configured: str,
    options: tuple[str, ...],
    k: float,
) -> None:
    (trained / "config.toml").write_text(f"[rules.fraction-of-max]\n{configured}\n", encoding="utf-8")
    highest = max(scores(monitor, small_dataset / "proliv").values())
    words = [word for option in options for word in ("--set", option)]
    assert (
        monitor("calibrate", "--data", small_dataset, "--rule", "fraction-of-max", *words, "--accept").returncode == 0
    )
    assert rows(ACTIVE) == [("fraction-of-max", pytest.approx(k * highest, rel=1e-5))]
    assert rows("select json_extract(settings, '$.k') from calibrations where state = 'active'") == [(k,)]


def test_fixed_needs_a_threshold(
    trained: Path, monitor: Run, dump: Callable[[], list[str]], small_dataset: Path
) -> None:
    before = dump()
    outcome = monitor("calibrate", "--data", small_dataset, "--rule", "fixed")
    assert outcome.returncode == 65
    assert "the rule 'fixed' has no threshold; set one with `--set threshold=VALUE`" in outcome.stderr
    assert dump() == before


def test_the_rule_of_the_configuration_is_used(trained: Path, monitor: Run, rows: Rows, small_dataset: Path) -> None:
    (trained / "config.toml").write_text(
        '[calibration]\nrule = "fixed"\n[rules.fixed]\nthreshold = 0.25\n', encoding="utf-8"
    )
    refused = monitor("calibrate", "--data", small_dataset)
    assert refused.returncode == 65
    assert "refused (large_jump): the new threshold 0.25 differs from the active " in refused.stderr
    assert rows(ACTIVE) != [("fixed", 0.25)]
    assert monitor("calibrate", "--data", small_dataset, "--accept").returncode == 0
    assert rows(ACTIVE) == [("fixed", 0.25)]


def test_the_calibration_before_is_kept_as_superseded(
    trained: Path, monitor: Run, rows: Rows, small_dataset: Path
) -> None:
    before = rows(ACTIVE)
    assert monitor("calibrate", "--data", small_dataset, "--rule", "mean-proliv", "--accept").returncode == 0
    assert rows("select rule, threshold from calibrations where state = 'superseded'") == before
    assert [rule for rule, _ in rows(ACTIVE)] == ["mean-proliv"]


@pytest.fixture
def two(trained: Path, monitor: Run, small_dataset: Path) -> tuple[str, str]:
    """The active model of `ae`, and a newer one without a threshold."""
    old = next((trained / "state" / "models").iterdir()).name
    new = monitor("train", "ae", "--data", small_dataset, "--seed", "7", "--set", "epochs=1").stdout.strip()
    assert new != old
    return old, new


NAMES = "select name from models where active"


def test_another_model_of_a_detector_is_calibrated_and_stays_inactive(
    two: tuple[str, str], monitor: Run, rows: Rows, small_dataset: Path
) -> None:
    old, new = two
    outcome = monitor("calibrate", "--data", small_dataset)
    assert outcome.returncode == 0
    assert outcome.stdout.startswith(f"{new}: threshold ")
    assert (
        f"{new} is not active; {old} stays the active model of ae; to activate it: monitor models activate {new}"
        in (outcome.stderr)
    )
    assert f"the final decision is now that of the primary, {old}" in outcome.stderr
    assert rows(NAMES) == [(old,)]
    assert monitor("models", "activate", new).returncode == 0
    assert rows(NAMES) == [(new,)]


def test_activation_is_asked_for_and_said(two: tuple[str, str], monitor: Run, rows: Rows, small_dataset: Path) -> None:
    old, new = two
    outcome = monitor("calibrate", "--detector", "ae", "--activate", "--data", small_dataset)
    assert outcome.stdout.startswith(f"{new}: threshold ")
    assert f"{new} is now the active model of the detector ae" in outcome.stderr
    assert f"the final decision is now that of the primary, {new}" in outcome.stderr
    assert rows(NAMES) == [(new,)]
    # A model by its name, and only that one; the active one stays.
    again = monitor("calibrate", "--model", old, "--data", small_dataset)
    assert [line.partition(":")[0] for line in again.stdout.splitlines()] == [old]
    assert rows(NAMES) == [(new,)]


def test_several_models_are_calibrated_each_once(two: tuple[str, str], monitor: Run, small_dataset: Path) -> None:
    old, new = two
    outcome = monitor(
        "calibrate", "--model", old, "--model", new, "--model", old, "--detector", "ae", "--data", small_dataset
    )
    assert [line.partition(":")[0] for line in outcome.stdout.splitlines()] == [old, new]


def test_the_first_model_of_a_detector_is_activated_unless_it_is_not_to_be(
    home: Path, monitor: Run, rows: Rows, small_dataset: Path
) -> None:
    name = monitor("train", "ae", "--data", small_dataset, "--limit", "60", "--set", "epochs=1").stdout.strip()
    waiting = monitor("calibrate", "--no-activate", "--data", small_dataset)
    assert f"{name} is not active; to activate it: " in waiting.stderr
    assert rows(NAMES) == []
    assert f"{name} is now the active model of the detector ae" in monitor("calibrate", "--data", small_dataset).stderr
    assert rows(NAMES) == [(name,)]


def test_a_dry_run_says_what_would_happen_and_changes_nothing(
    two: tuple[str, str], monitor: Run, dump: Callable[[], list[str]], small_dataset: Path
) -> None:
    _, new = two
    before = dump()
    outcome = monitor("calibrate", "--model", new, "--activate", "--dry-run", "--data", small_dataset)
    assert outcome.returncode == 0
    assert outcome.stdout.startswith(f"{new} (dry run): threshold ")
    assert f"{new} would become the active model of the detector ae" in outcome.stderr
    assert dump() == before
    another = monitor("calibrate", "--rule", "fixed", "--set", "threshold=9", "--dry-run", "--detector", "ae", "--data",
                      small_dataset)  # fmt: skip
    assert another.returncode == 0
    assert dump() == before


@pytest.mark.parametrize("typed", ["12/4500", "0.0026666666666666666", "1.2e1/4.5e3"])
def test_a_threshold_may_be_typed_as_a_fraction(
    trained: Path, monitor: Run, rows: Rows, small_dataset: Path, typed: str
) -> None:
    outcome = monitor(
        "calibrate", "--data", small_dataset, "--rule", "fixed", "--set", f"threshold={typed}", "--accept"
    )
    assert outcome.returncode == 0, outcome.stderr
    assert rows(ACTIVE) == [("fixed", 12 / 4500)]


def test_a_fraction_in_the_configuration_and_by_threshold_set(
    trained: Path, monitor: Run, rows: Rows, small_dataset: Path
) -> None:
    (trained / "config.toml").write_text('[rules.fixed]\nthreshold = "12/4500"\n', encoding="utf-8")
    assert monitor("calibrate", "--data", small_dataset, "--rule", "fixed", "--accept").returncode == 0
    assert rows(ACTIVE) == [("fixed", 12 / 4500)]
    assert monitor("threshold", "set", "24/4500", "--why", "twice", "--accept").returncode == 0
    assert rows(ACTIVE) == [("fixed", 24 / 4500)]
    wrong = monitor("threshold", "set", "24/0", "--why", "twice")
    assert wrong.returncode == 2
    assert "'24/0' is not a number; a threshold is one such as 0.0027 or 12/4500" in wrong.stderr


def test_the_percentiles_of_both_classes_are_kept(
    trained: Path, monitor: Run, rows: Rows, small_dataset: Path, held_out: set[str]
) -> None:
    train, proliv = scores(monitor, small_dataset / "train"), scores(monitor, small_dataset / "proliv")
    assert monitor("calibrate", "--data", small_dataset).returncode == 0
    ((evidence,),) = rows("select evidence from calibrations where state = 'active'")
    found = json.loads(evidence)
    for key, known in (("normal", [train[digest] for digest in held_out]), ("proliv", list(proliv.values()))):
        kept = found[f"{key}_percentiles"]
        assert len(kept) == 101
        assert kept == sorted(kept)
        assert [kept[0], kept[50], kept[100]] == pytest.approx([min(known), median(known), max(known)], rel=1e-5)


@pytest.mark.process
def test_of_several_new_models_the_one_listed_first_becomes_the_primary(
    home: Path, monitor: Run, small_dataset: Path, second_detector: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(second_detector)
    for words in (("ae", "--set", "epochs=1"), ("brightness",)):
        assert monitor("train", *words, "--data", small_dataset, "--limit", "60").returncode == 0
    outcome = monitor("calibrate", "--data", small_dataset)
    assert [line.partition("-")[0] for line in outcome.stdout.splitlines()] == ["brightness", "ae"]
    assert "the final decision is now that of the primary, ae-" in outcome.stderr
    report = json.loads(monitor("status", "--format", "json").stdout)
    assert [name.partition("-")[0] for name in report["deciding"]] == ["ae", "brightness"]
    listed = json.loads(monitor("plugins", "--format", "json").stdout)["plugins"]
    detectors = [one["name"] for one in listed if one["kind"] == "detector"]
    assert detectors.index("ae") < detectors.index("brightness")


def test_other_data_are_refused(
    trained: Path, monitor: Run, dump: Callable[[], list[str]], small_dataset: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(small_dataset / "proliv", other / "proliv")
    shutil.copytree(small_dataset / "test" / "ne_proliv", other / "train")
    before = dump()
    outcome = monitor("calibrate", "--data", other)
    assert outcome.returncode == 65
    assert f"monitor: {other}: none of the " in outcome.stderr
    assert "give the folder that it was trained on" in outcome.stderr
    assert dump() == before


def test_held_out_crops_that_are_gone_are_warned_of(
    trained: Path, monitor: Run, small_dataset: Path, tmp_path: Path, held_out: set[str]
) -> None:
    data = tmp_path / "data"
    for part in ("train", "proliv"):
        shutil.copytree(small_dataset / part, data / part)
    gone = next(
        path for path in (data / "train").iterdir() if hashlib.sha256(path.read_bytes()).hexdigest() in held_out
    )
    gone.unlink()
    outcome = monitor("calibrate", "--data", data)
    assert outcome.returncode == 0
    assert f"{data}: 1 of the {len(held_out)} crops that were held out" in outcome.stderr
    assert f"on the {len(held_out) - 1} ne_proliv" in outcome.stdout


@pytest.mark.parametrize(
    ("options", "code", "sentence"),
    [
        (("--rule", "nix"), 78, "there is no rule 'nix'; installed are: balanced, conformal, cost, f1, "),
        (
            ("--rule", "balanced", "--set", "k=1"),
            78,
            "--set: rules.balanced.k: unknown key; the keys of rules.balanced: none",
        ),
        (("--rule", "fraction-of-max", "--set", "k=-1"), 78, "--set: rules.fraction-of-max.k: should be greater than"),
        (("--rule", "fixed", "--set", "threshold=nan"), 78, "--set: rules.fixed.threshold: should be a finite number"),
        (("--rule", "fixed", "--set", "threshold=1/0"), 78, "--set: rules.fixed.threshold: should be a number (got"),
        (("--model", "nix"), 4, "there is no model 'nix'; see: monitor models list"),
        (("--detector", "mnad"), 4, "no model of the detector 'mnad' is trained yet; train one: monitor train mnad"),
    ],
)
def test_wrong_words(
    trained: Path,
    monitor: Run,
    dump: Callable[[], list[str]],
    small_dataset: Path,
    options: tuple[str, ...],
    code: int,
    sentence: str,
) -> None:
    before = dump()
    outcome = monitor("calibrate", "--data", small_dataset, *options)
    assert outcome.returncode == code
    assert sentence in outcome.stderr
    assert outcome.stdout == ""
    assert dump() == before


def test_folders_without_what_is_needed(trained: Path, monitor: Run, small_dataset: Path, tmp_path: Path) -> None:
    assert monitor("calibrate", "--data", "nowhere").returncode == 66
    shutil.copytree(small_dataset / "train", tmp_path / "data" / "train")
    refused = monitor("calibrate", "--data", tmp_path / "data")
    assert refused.returncode == 65
    assert "refused (too_few_proliv): 0 labelled proliv crops are fewer than calibration.minimum" in refused.stderr
    shutil.rmtree(tmp_path / "data" / "train")
    (tmp_path / "data" / "proliv").mkdir()
    outcome = monitor("calibrate", "--data", tmp_path / "data")
    assert outcome.returncode == 65
    assert f"{tmp_path}/data: looked for crops without proliv in train/" in outcome.stderr


def test_without_any_proliv_the_first_threshold_is_a_fallback(
    trained: Path, monitor: Run, rows: Rows, small_dataset: Path, tmp_path: Path, change: Callable[[str], None]
) -> None:
    change("update models set active = 0")
    change("delete from calibrations")
    shutil.copytree(small_dataset / "train", tmp_path / "data" / "train")
    outcome = monitor("calibrate", "--data", tmp_path / "data")
    assert outcome.returncode == 0
    assert "by normal-quantile (fallback: too little proliv); on the " in outcome.stdout
    assert "TPR unknown" in outcome.stdout
    assert rows("select fallback from calibrations where state = 'active'") == [(1,)]
    assert "normal-quantile (fallback: too little proliv)" in monitor("threshold", "show").stdout


def test_the_scores_of_the_folder_are_kept(
    trained: Path, monitor: Run, rows: Rows, small_dataset: Path, held_out: set[str]
) -> None:
    train, proliv = scores(monitor, small_dataset / "train"), scores(monitor, small_dataset / "proliv")
    kept = {
        digest: (label, score) for digest, label, score in rows("select sha256, label, score from reference_scores")
    }
    assert kept.keys() == held_out | proliv.keys()
    for digest in held_out:
        assert kept[digest] == ("ne_proliv", pytest.approx(train[digest], rel=1e-6))
    for digest, score in proliv.items():
        assert kept[digest] == ("proliv", pytest.approx(score, rel=1e-6))


@pytest.mark.process
def test_without_a_model(home: Path, monitor: Run, small_dataset: Path) -> None:
    outcome = monitor("calibrate", "--data", small_dataset)
    assert outcome.returncode == 4
    assert "no model is trained yet; train one: monitor train contrast --data DIR" in outcome.stderr


def test_crops_in_both_parts_are_warned_of_and_do_not_count(
    trained: Path, monitor: Run, rows: Rows, small_dataset: Path, tmp_path: Path, held_out: set[str]
) -> None:
    for part in ("train", "proliv"):
        shutil.copytree(small_dataset / part, tmp_path / "data" / part)
    both = next(
        path
        for path in (tmp_path / "data" / "train").iterdir()
        if hashlib.sha256(path.read_bytes()).hexdigest() in held_out
    )
    shutil.copy(both, tmp_path / "data" / "proliv" / "again.jpg")
    outcome = monitor("calibrate", "--data", tmp_path / "data")
    assert outcome.returncode == 0
    assert "1 crops lie in train/ and, with the same content, in proliv/" in outcome.stderr
    assert rows("select label, count(*) from reference_scores group by label order by label") == [
        ("ne_proliv", len(held_out) - 1), ("proliv", 20),
    ]  # fmt: skip
