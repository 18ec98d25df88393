"""What is documented is what there is: metrics, exit codes, hooks, commands."""

from __future__ import annotations

import re
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from monitor.api import Detector, ThresholdRule
from monitor.cli import COMMANDS
from monitor.errors import ExitCode
from monitor.metrics import Metrics
from monitor.metrics.histograms import ModelHistogram
from monitor.registry import KINDS
from monitor.words import Reason, Refusal

if TYPE_CHECKING:
    from abc import ABCMeta

ROOT = Path(__file__).parent.parent


def documented(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_the_table_of_metrics_is_the_code() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \|\s*([^|]*?)\s*\| (.+) \|$", documented("docs/metrics.md"), re.MULTILINE)
    written = {name: (kind, tuple(re.findall(r"`(\w+)`", labels)), text) for name, kind, labels, text in rows}
    metrics = Metrics()
    declared = {}
    for metric in vars(metrics).values():
        if hasattr(metric, "describe"):
            (description,) = metric.describe()
            suffix = "_total" if description.type == "counter" else ""
            labels = metric.labelnames if isinstance(metric, ModelHistogram) else metric._labelnames
            declared[description.name + suffix] = (description.type, tuple(labels), description.documentation)
    assert written == declared
    # What is not declared there is the library's own, and nothing else.
    others = {family.name for family in metrics.registry.collect()} - {name.removesuffix("_total") for name in declared}
    assert {name.partition("_")[0] for name in others} == {"process", "python"}


def test_every_reason_of_a_refusal_is_documented() -> None:
    text = documented("docs/metrics.md")
    assert [reason for reason in Reason if f"`{reason.value}`" not in text] == []


def test_every_reason_of_a_refused_threshold_is_documented() -> None:
    written = re.findall(r"^\| `(\w+)` \|", documented("docs/calibration.md"), re.MULTILINE)
    assert sorted(written) == sorted(refusal.value for refusal in Refusal)


def test_the_table_of_exit_codes_is_the_code() -> None:
    written = {int(code) for code in re.findall(r"^\| (\d+) \|", documented("README.md"), re.MULTILINE)}
    assert written == {code.value for code in ExitCode}


def test_every_hook_is_documented() -> None:
    written = set(re.findall(r"^\| `(monitor_register_\w+)\(?\)?`", documented("docs/plugins.md"), re.MULTILINE))
    assert written == {kind.hook for kind in KINDS}


def members(contract: ABCMeta) -> dict[str, str]:
    """The public members of a contract by name: required, optional, or given by the base class."""
    annotated = contract.__annotations__
    # What is abstract, or declared without a value, has to be defined.
    required = {*contract.__abstractmethods__, *(name for name in annotated if not hasattr(contract, name))}
    given = {"settings", "device", "offers"} & {*signature(contract).parameters, *vars(contract)}
    public = {name for name in (*vars(contract), *annotated, *given) if not name.startswith("_")}
    return {
        name: "required" if name in required else "given" if name in given else "optional" for name in sorted(public)
    }


def test_the_table_of_a_detectors_members_is_the_code() -> None:
    rows = re.findall(r"^\| (`.+`) \| (required|optional|given) \|", documented("docs/plugins.md"), re.MULTILINE)
    written = {name: kind for names, kind in rows for name in re.findall(r"`(\w+)`", names)}
    assert written == members(Detector)


def test_the_page_about_ones_own_detector_has_every_member_of_the_contracts() -> None:
    text = documented("docs/detectors/your-own.md")
    table = re.findall(r"^\|([^|]*)\|([^|]*)\|[^|]*\|$", text.partition("## 2.")[2], re.MULTILINE)[2:]
    assert table
    written = {
        name: kind
        for column, kind in enumerate(("required", "optional"))
        for cells in table
        for name in re.findall(r"`(\w+)`", cells[column].partition(":")[0])
    }
    wanted = members(Detector)
    assert written == {name: kind for name, kind in wanted.items() if kind != "given"}
    (given,) = re.findall(r"^The base class gives (.*)\. A detector", text, re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", given)) == {name for name, kind in wanted.items() if kind == "given"}
    (rule,) = re.findall(r"A rule has to define ([^.]*)\.", text)
    required = {name for name, kind in members(ThresholdRule).items() if kind == "required"}
    assert set(re.findall(r"`(\w+)`", rule)) == required


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_in_the_readme_or_the_changelog(command: str) -> None:
    assert re.search(rf"`?(monitor )?{command}\b", documented("README.md") + documented("CHANGELOG.md"))


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "docs/architecture.md"])
def test_links_lead_to_files(page: str) -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)\)", documented(page))
    assert [link for link in links if not (ROOT / page).parent.joinpath(link).exists()] == []


def test_every_page_is_in_the_readme() -> None:
    pages = {str(page.relative_to(ROOT)) for page in (ROOT / "docs").rglob("*.md")}
    assert pages - set(re.findall(r"\]\(([^)#]+)\)", documented("README.md"))) == set()


def test_pictures_are_there_and_small() -> None:
    # A page with them should open at once, and a checkout not grow with every change of a colour.
    files = list((ROOT / "docs" / "pictures").iterdir())
    assert {file.name for file in files} == set(re.findall(r"\(docs/pictures/([^)]+)\)", documented("README.md")))
    assert sum(file.stat().st_size for file in files) < 300_000


def test_folders_in_the_architecture_are_the_modules() -> None:
    listed = re.search(r"```\nmonitor/\n(.*?)\nplugins/", documented("docs/architecture.md"), re.DOTALL)
    assert listed is not None
    written = set(re.findall(r"^  (\w+(?:\.py|/))", listed[1], re.MULTILINE))
    modules = {path.name for path in (ROOT / "monitor").glob("*.py")} - {"__init__.py", "__main__.py"}
    assert written == modules | {f"{path.parent.name}/" for path in (ROOT / "monitor").glob("*/__init__.py")}
