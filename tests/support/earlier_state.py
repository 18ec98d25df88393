"""What an earlier state of the program left behind: a database, models, a configuration, and what it answered.

``python -m tests.support.earlier_state HOME FOLDER`` packs a home that the earlier program made; its README says how.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any, Final

KEPT: Final = ("config.toml", "crops", "inbox", "labelled", "archive", "state/models")
DUMP: Final = "store.sql"
ANSWERS: Final = "answers.jsonl"
# Stands in the texts that are kept for the folder in which the state was made.
HOME: Final = "{home}"

# None of them changes anything.
QUESTIONS: Final = (
    "score crops --no-store --format json",
    "score crops/test --format json",
    "evaluate crops --all --format json",
    "evaluate crops --rules --format json",
    "threshold show --format json",
    "threshold list --format json",
    "models list --format json",
    "recalibrate --dry-run --format json",
    "replay --threshold 2 --format json",
    "quality --since 2026-01-01 --until 2027-01-01 --format json",
    "labels export",
    "db check --format json",
)


def pack(home: Path, folder: Path) -> None:
    """Keep what lies in ``home``, and ask the program that Python finds there what it answers."""
    for name in KEPT:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if (home / name).is_dir() else shutil.copyfile)(home / name, target)
    with closing(sqlite3.connect(home / "state" / "monitor.db")) as database:
        dump = "".join(f"{line}\n" for line in database.iterdump())
    (folder / DUMP).write_text(dump.replace(str(home), HOME), encoding="utf-8")
    with (folder / ANSWERS).open("w", encoding="utf-8") as file:
        for question in QUESTIONS:
            file.write(json.dumps({"question": question, **ask(home, question)}, ensure_ascii=False) + "\n")


def restore(folder: Path, home: Path) -> None:
    """Lay everything out in the new folder ``home`` as the earlier program left it."""
    shutil.copytree(folder, home, ignore=shutil.ignore_patterns(DUMP, ANSWERS, "README.md", "make.sh"))
    dump = (folder / DUMP).read_text(encoding="utf-8").replace(HOME, str(home))
    with closing(sqlite3.connect(home / "state" / "monitor.db")) as database:
        database.executescript(dump)
        files = database.execute("select coalesce(archived_path, path), mtime_ns from crops").fetchall()
    # By these times the program knows again what it has decided on.
    for path, mtime in files:
        if Path(path).exists():
            os.utime(path, ns=(mtime, mtime))


def answers(folder: Path) -> dict[str, Any]:
    """What the earlier program answered, by the question."""
    lines = (folder / ANSWERS).read_text(encoding="utf-8").splitlines()
    return {answer.pop("question"): answer for answer in map(json.loads, lines)}


def ask(home: Path, question: str) -> dict[str, Any]:
    """The exit code of a command and what it printed: values of JSON, or the rows of a table by their columns."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MONITOR")}
    ended = subprocess.run(
        [sys.executable, "-m", "monitor", *question.split()],
        cwd=home,
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert ended.returncode in (0, 3, 65), ended.stderr
    printed = ended.stdout.replace(str(home), HOME)
    if not question.endswith("json"):
        return {"exit": ended.returncode, "printed": list(csv.DictReader(printed.splitlines()))}
    try:
        return {"exit": ended.returncode, "printed": json.loads(printed)}
    except json.JSONDecodeError:
        return {"exit": ended.returncode, "printed": [json.loads(line) for line in printed.splitlines()]}


if __name__ == "__main__":
    pack(Path(sys.argv[1]).resolve(), Path(sys.argv[2]))
