from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PACKAGES = ("monitor", "plugins", "generators", "migrations")
HEAVY = frozenset({"torch", "sqlalchemy", "alembic", "apscheduler", "matplotlib", "numpy"})


def module_name(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {
    module_name(file): ast.parse(file.read_text(encoding="utf-8"), file)
    for package in PACKAGES
    for file in sorted((ROOT / package).rglob("*.py"))
}


def imports(module: str) -> Iterator[str]:
    """Everything that a module imports, at its head or in a function, for running or for types alone."""
    for node in ast.walk(MODULES[module]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively; name the whole module"
            assert node.module is not None
            # "from monitor.configuration import file as config" imports monitor.configuration.file, "from monitor.api
            # import Scores" does not.
            names = (f"{node.module}.{alias.name}" for alias in node.names)
            yield from (name if name in MODULES else node.module for name in names)


def within(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def test_the_walk_sees_imports_of_every_kind() -> None:
    assert "torch" in set(imports("plugins.detectors.ae"))
    assert "monitor.errors" in set(imports("monitor.configuration.file"))
    assert "monitor.models.folders" in set(
        imports("monitor.scoring.ensemble")
    )  # from monitor.models import folders as models
    assert "alembic" in set(imports("monitor.store.database.upgrade"))  # in a function
    assert "monitor.store.database.engine" in set(imports("monitor.scoring.pipeline"))  # for types alone
    assert len(MODULES) > 40


@pytest.mark.parametrize(
    ("leaf", "allowed"),
    [
        ("monitor.errors", set()),
        ("monitor.configuration.settings", set()),
        ("monitor.configuration.file", {"monitor.errors", "monitor.configuration.settings"}),
    ],
)
def test_leaves_import_nothing_else_of_the_program(leaf: str, allowed: set[str]) -> None:
    assert {name for name in imports(leaf) if within(name, *PACKAGES)} <= allowed


@pytest.mark.parametrize("module", [name for name in MODULES if within(name, "monitor.api")])
def test_the_plug_ins_interface_imports_of_the_program_the_errors_alone(module: str) -> None:
    own = {name for name in imports(module) if within(name, *PACKAGES)}
    assert {name for name in own if not within(name, "monitor.api")} <= {"monitor.errors"}


@pytest.mark.parametrize("module", [name for name in MODULES if within(name, "plugins", "generators")])
def test_plugins_import_of_monitor_the_api_alone(module: str) -> None:
    own = module.partition(".")[0]
    assert {name for name in imports(module) if within(name, *PACKAGES) and not within(name, own)} <= {"monitor.api"}


@pytest.mark.parametrize("module", [name for name in MODULES if within(name, "monitor")])
def test_monitor_never_imports_its_plugins(module: str) -> None:
    assert [name for name in imports(module) if within(name, "plugins", "generators", "migrations")] == []


@pytest.mark.parametrize("module", [name for name in MODULES if within(name, "monitor.store")])
def test_the_store_knows_neither_networks_nor_commands_nor_folders_to_watch(module: str) -> None:
    foreign = ("torch", "click", "watchdog", "rich", "prometheus_client", "numpy", "PIL")
    assert [name for name in imports(module) if within(name, *foreign)] == []
    own = {name for name in imports(module) if within(name, *PACKAGES)}
    assert {name for name in own if not within(name, "monitor.store", "monitor.errors")} == set()


def test_nothing_imports_the_command_line() -> None:
    found = {
        module
        for module in MODULES
        if not within(module, "monitor.cli") and any(within(name, "monitor.cli") for name in imports(module))
    }
    assert found == {"monitor.__main__"}


def test_the_registry_imports_no_plugin_by_name_even_as_text() -> None:
    texts = {
        node.value
        for module in MODULES
        if within(module, "monitor")
        for node in ast.walk(MODULES[module])
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert [text for text in texts if text.startswith(("plugins.", "generators.", "plugins:", "generators:"))] == []


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("--help", 0),
        ("--version", 0),
        ("plugins", 0),
        ("train --help", 0),
        ("gen --help", 0),
        ("gen crops --help", 0),
        ("gen style -n 3", 0),
        ("gen style --enumerate", 0),
        ("nonsense", 2),
        ("score --nonsense", 2),
        ("train", 2),
        ("bench --detector nonsense", 2),
        ("db nonsense", 2),
    ],
)
def test_help_and_wrong_usage_load_nothing_heavy(
    tmp_path: Path, clean_environment: dict[str, str], line: str, code: int
) -> None:
    report = tmp_path / "modules"
    program = (
        "import atexit, os, sys\n"
        "from pathlib import Path\n"
        "atexit.register(lambda: Path(os.environ['REPORT']).write_text('\\n'.join(sys.modules)))\n"
        "from monitor.cli import main\n"
        "main()\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, *line.split()],
        cwd=tmp_path,
        env={**clean_environment, "REPORT": str(report)},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == code, ended.stderr
    loaded = {name.partition(".")[0] for name in report.read_text().split()}
    assert "monitor" in loaded
    assert loaded & HEAVY == set()
