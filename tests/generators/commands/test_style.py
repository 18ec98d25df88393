"""`monitor gen style` as a person uses it: what it prints, which exit codes it has, and what it does without."""

from __future__ import annotations

import csv
import doctest
import io
import json
import math
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

import generators.styles.sampling
from generators.commands import COMMANDS, gen
from generators.commands.style import command
from generators.styles.sampling import StyleModel, default_table
from tests.generators.styles.conftest import named
from tests.generators.styles.test_sampling import PUBLISHED

if TYPE_CHECKING:
    from click.testing import Result

    from tests.conftest import RunMonitor

OBSERVED = "\n".join(["colour,shape", *["red,round"] * 9, *["blue,square"] * 9, "red,square", "blue,round"]) + "\n"


def style(*arguments: str | Path, code: int = 0) -> Result:
    result = CliRunner().invoke(gen, ["style", *map(str, arguments)])
    assert result.exit_code == code, result.output
    return result


def json_lines(*arguments: str | Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in style(*arguments, "--format", "json").stdout.splitlines()]


@pytest.fixture
def observed(tmp_path: Path) -> Path:
    path = tmp_path / "observed.csv"
    path.write_text(OBSERVED, encoding="utf-8")
    return path


def test_every_command_of_the_table_explains_itself() -> None:
    text = " ".join(CliRunner().invoke(gen, ["--help"]).output.split())
    for provider in COMMANDS:
        assert f"{provider.name} {provider.summary}" in text
        assert CliRunner().invoke(gen, [provider.name, "--help"]).exit_code == 0
    assert CliRunner().invoke(gen, ["nonsense"]).exit_code == 2


@pytest.mark.parametrize(("values", "published"), PUBLISHED)
def test_published_results_in_every_format(values: str, published: str) -> None:
    line = style("--probability", values, "--format", "json").stdout
    assert f'"probability": {published}, ' in line
    (document,) = [json.loads(line)]
    assert list(document) == ["style", "probabilities", "probability", "log_probability"]
    assert document["style"] == named(values)
    factors = list(document["probabilities"].values())
    assert repr(math.prod(factors)) == published
    assert document["log_probability"] == pytest.approx(math.log(float(published)), rel=1e-14)

    (row,) = csv.DictReader(io.StringIO(style("--probability", values, "--format", "csv").stdout))
    assert row["probability"] == published
    assert row["прическа"] == values.split(", ")[0]
    assert [float(row[f"p({name})"]) for name in named(values)] == factors

    # A person gets six digits.
    text = [line.split()[-1] for line in style("--probability", values).stdout.splitlines()]
    numbers = [*factors, float(published), document["log_probability"]]
    assert text == [f"{number:.6g}" for number in numbers]


def test_a_style_is_asked_for_in_three_ways() -> None:
    values = PUBLISHED[0][0]
    assigned = ", ".join(f"{name}={value}" for name, value in named(values).items())
    line = json_lines("--probability", values)[0]
    for text in (assigned, json.dumps(named(values)), json.dumps(line)):
        assert json_lines("--probability", text) == [line]


def test_a_part_of_a_style_has_the_probability_of_all_styles_with_it() -> None:
    found = json_lines("--probability", "аксесуар=нет очков, одежда=худи", "--probability", '{"одежда": "худи"}')
    assert [document["probability"] for document in found] == [12 / 53 * (8 / 54), 8 / 54]
    assert found[0]["style"] == {"аксесуар": "нет очков", "одежда": "худи"}
    row = style("--probability", "одежда=худи", "--format", "csv").stdout.splitlines()[1]
    assert row == f",,,худи,,,,,{8 / 54!r},,{8 / 54!r},{math.log(8 / 54)!r}"


def test_what_is_impossible_has_no_log_in_json() -> None:
    (line,) = json_lines("--smoothing", "0", "--probability", "прическа=длинные в пучок")
    assert (line["probability"], line["log_probability"]) == (0, None)
    text = style("--smoothing", "0", "--probability", "прическа=длинные в пучок").stdout
    assert text.split()[-1] == "-inf"


def test_the_documentation_shows_what_is_printed() -> None:
    page = (Path(__file__).parents[3] / "docs" / "generators.md").read_text(encoding="utf-8")
    assert f"$ monitor gen style --seed 7\n{style('--seed', '7').stdout}$" in page
    options = {option for parameter in command.params for option in parameter.opts if option.startswith("--")}
    assert options - set(re.findall(r"--[a-z]+", page)) == {"--number"}  # there as -n
    assert doctest.testmod(generators.styles.sampling).failed == 0


def test_the_same_seed_prints_the_same_styles() -> None:
    assert style("-n", "30", "--seed", "8").stdout == style("-n", "30", "--seed", "8").stdout
    assert style("-n", "30", "--seed", "8").stdout != style("-n", "30", "--seed", "9").stdout
    assert style("-n", "30").stdout != style("-n", "30").stdout
    assert json_lines("-n", "30", "--seed", "8")[:3] == json_lines("-n", "3", "--seed", "8")


def test_text_is_a_block_for_one_style_and_a_line_for_each_of_more() -> None:
    assert len(style("--seed", "1").stdout.splitlines()) == 7
    lines = style("-n", "3", "--seed", "1").stdout.splitlines()
    assert len(lines) == 3
    first = json_lines("-n", "3", "--seed", "1")[0]
    assert lines[0].split()[:3] == [f"{first['probability']:.6g}", "log", f"{first['log_probability']:.6g}"]
    factors = first["probabilities"]
    assert all(f"{name}={value} {factors[name]:.6g}" in lines[0] for name, value in first["style"].items())


def test_conditions_are_kept_and_have_the_probability_1() -> None:
    given = ["--given", "цвет волос = черный", "--given", "одежда=худи"]
    lines = json_lines("-n", "50", "--seed", "1", *given)
    assert {(line["style"]["цвет волос"], line["style"]["одежда"]) for line in lines} == {("черный", "худи")}
    assert {(line["probabilities"]["цвет волос"], line["probabilities"]["одежда"]) for line in lines} == {(1, 1)}
    assert math.fsum(line["probability"] for line in json_lines("--enumerate", *given)) == pytest.approx(1, abs=1e-12)
    asked = json_lines("--probability", "цвет волос=рыжий", *given)[0]
    assert asked["probability"] == 0


def test_enumerate_prints_all_the_likeliest_first() -> None:
    lines = json_lines("--enumerate")
    probabilities = [line["probability"] for line in lines]
    assert len({json.dumps(line["style"]) for line in lines}) == len(lines) == 4032
    assert probabilities == sorted(probabilities, reverse=True)
    assert abs(math.fsum(probabilities) - 1) < 1e-12
    assert json_lines("--enumerate", "-n", "4") == lines[:4]
    # More than fit into a number of the machine is as many as there are.
    assert style("--enumerate", "-n", str(10**30), "--format", "csv").stdout.count("\n") == 4033


def test_smoothing_changes_the_probabilities() -> None:
    plain = json_lines("--smoothing", "0", "--probability", "аксесуар=нет очков")[0]
    assert plain["probability"] == 11 / 50
    assert json_lines("--smoothing", "2.5", "--probability", "аксесуар=нет очков")[0]["probability"] == 13.5 / 57.5


def test_observations_are_held_out_and_give_a_tree(observed: Path) -> None:
    free = style("--styles", observed, "--probability", "red, square", "--format", "json")
    assert json.loads(free.stdout)["probability"] == 0.25
    assert "held-out log-likelihood of an observation, 10 folds" in free.stderr
    words = free.stderr.replace(",", "").split()
    independent, tree = (float(words[words.index(name) + 1]) for name in ("independent", "tree"))
    assert tree > independent

    bound = style("--styles", observed, "--model", "tree", "--probability", "red, square", "--format", "json")
    assert json.loads(bound.stdout)["probabilities"] == {"colour": 0.5, "shape": 2 / 12}
    assert "shape depends on colour: 0.3681 nats" in bound.stderr
    given = json_lines(
        "--styles", observed, "--model", "tree", "--given", "shape=square", "--probability", "colour=red"
    )
    assert given[0]["probability"] == pytest.approx(2 / 12)


def test_names_may_hold_commas_and_equals_signs(tmp_path: Path) -> None:
    path = tmp_path / "odd.json"
    path.write_text(json.dumps({"counts": {"a=b": {"c=d, e": 1, "f": 2}, "g": {"h": 1}}}))
    assert json_lines("--styles", path, "--given", "a=b=c=d, e")[0]["style"]["a=b"] == "c=d, e"
    asked = json_lines("--styles", path, "--probability", json.dumps({"a=b": "c=d, e"}))
    assert asked[0]["probability"] == 2 / 5
    assert json_lines("--styles", path, "--probability", "g=h, a=b=f")[0]["probability"] == 3 / 5
    assert json_lines("--styles", path, "--probability", "f, h")[0]["probability"] == 3 / 5


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["-n", "0"], "0 is not in the range"),
        (["-n", "-3"], "-3 is not in the range"),
        (["--seed", "-1"], "-1 is not in the range"),
        (["--smoothing", "-1"], "-1.0 is not in the range"),
        (["--smoothing", "nan"], "nan is not a finite number"),
        (["--smoothing", "inf"], "inf is not a finite number"),
        (["--given", "чушь"], "'чушь' is not ATTRIBUTE=VALUE"),
        (["--given", ""], "'' is not ATTRIBUTE=VALUE"),
        (["--given", "цвет=черный"], "no attribute 'цвет'; the nearest: цвет волос, цвет одежды"),
        (["--given", "цвет волос=чорный"], "цвет волос has no value 'чорный'; the nearest: черный"),
        (["--given", "цвет волос=блонд", "--given", "цвет волос=рыжий"], "is given twice, as 'блонд' and as 'рыжий'"),
        (["--probability", "a, b"], "'a, b' has 2 values, a style has 5"),
        (["--probability", "аксесуар=нет"], "аксесуар has no value 'нет'"),
        (["--probability", "a=b"], "no attribute 'a'"),
        (["--probability", "{"], "is not valid JSON"),
        (["--probability", '{"одежда": "худи", "одежда": "комбинезон"}'], "'одежда' is there twice"),
        (["--probability", '{"одежда": 3}'], "3 is no name"),
        (["--probability", "одежда=худи", "-n", "3"], "leave out -n and --enumerate"),
        (["--probability", "одежда=худи", "--enumerate"], "leave out -n and --enumerate"),
        (["--probability", "одежда=худи", "--seed", "3"], "--seed is for drawing styles"),
        (["--enumerate", "--seed", "3"], "--seed is for drawing styles"),
    ],
)
def test_wrong_usage_has_a_sentence(arguments: list[str], sentence: str) -> None:
    result = style(*arguments, code=2)
    assert sentence in " ".join(result.stderr.split())
    assert result.stdout == ""


def test_either_spelling_of_a_name_is_understood() -> None:
    asked = json_lines("--probability", "причёска=нет волос, цвет волос=чёрный")
    assert asked == json_lines("--probability", "прическа=нет волос, цвет волос=черный")
    (given,) = json_lines("--given", "цвет волос=чёрный", "--given", "цвет волос=черный", "--seed", "1")
    assert given["style"]["цвет волос"] == "черный"


def test_the_same_condition_twice_is_one() -> None:
    assert json_lines("--given", "одежда=худи", "--given", "одежда=худи", "--seed", "1")[0]["style"]["одежда"] == "худи"


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["--styles", "missing.toml"], 66, "missing.toml: cannot be read: No such file or directory; name a file"),
        (["--styles", "bad.toml"], 65, "bad.toml: a: x: the count -1 is below zero; write how often"),
        (["--model", "tree"], 65, "holds only counts, which say nothing about dependence"),
        (["--smoothing", "0", "--given", "прическа=длинные в пучок"], 65, "has probability 0, so nothing can be said"),
    ],
)
def test_errors_are_one_sentence_with_their_exit_code(
    tmp_path: Path, run_monitor: RunMonitor, arguments: list[str], code: int, sentence: str
) -> None:
    (tmp_path / "bad.toml").write_text("[counts.a]\nx = -1\n")
    ended = run_monitor("gen", "style", *arguments)
    assert ended.returncode == code
    assert sentence in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert ended.stdout == ""


@pytest.mark.process
def test_a_reader_that_has_enough_ends_it_without_a_word(clean_environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "monitor", "gen", "style", "-n", "1000000", "--seed", "1"]
    with subprocess.Popen(
        command, env=clean_environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        first = process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 0
    expected = next(StyleModel.independent(default_table()).sample(1, seed=1))
    assert first.startswith(f"{expected.probability:.6g}")


@pytest.mark.process
@pytest.mark.parametrize(
    "arguments", [[], ["-n", "100", "--format", "json"], ["--enumerate"], ["--given", "одежда=худи"]], ids=" ".join
)
def test_it_starts_without_anything_heavy(clean_environment: dict[str, str], arguments: list[str]) -> None:
    program = (
        "import sys\n"
        "from monitor.cli import cli\n"
        "cli.main(['gen', 'style', *sys.argv[1:]], standalone_mode=False)\n"
        "print(*sys.modules, file=sys.stderr)\n"
    )
    command = [sys.executable, "-c", program, *arguments]
    ended = subprocess.run(command, env=clean_environment, capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in ended.stderr.split()}
    assert "generators" in loaded
    assert loaded & {"numpy", "torch", "scipy", "PIL", "pydantic", "sqlalchemy", "matplotlib"} == set()
