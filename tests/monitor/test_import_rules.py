"""What import-linter cannot see: names as text, and what a process really loads. Its contracts: pyproject.toml."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = frozenset({"torch", "sqlalchemy", "alembic", "apscheduler", "matplotlib", "numpy"})


def test_monitor_names_no_plugin_even_as_text() -> None:
    texts = {
        node.value
        for file in sorted((ROOT / "monitor").rglob("*.py"))
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"), file))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert len(texts) > 1000
    assert [text for text in texts if text.startswith(("plugins.", "generators.", "plugins:", "generators:"))] == []


@pytest.mark.process
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
