from __future__ import annotations

import csv
import io
import json
import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., subprocess.CompletedProcess[str]]
    Rows = Callable[[str], list[tuple[Any, ...]]]
    Change = Callable[[str], None]

LABELS = """select sha256, path, label, labels.source, author, at, note, settles from labels
            join crops on crops.id = crop_id order by at, labels.id"""


@pytest.fixture
def scored(trained: Path, small_dataset: Path, monitor: Run) -> Path:
    """The home with three scored crops, of which the last two have the same content."""
    folder = trained / "crops"
    folder.mkdir()
    first, second = sorted((small_dataset / "train").glob("*.jpg"))[:2]
    shutil.copyfile(first, folder / "a.jpg")
    for name in (b"b.jpg", b"=odd\xff\n,.jpg"):
        shutil.copyfile(os.fsencode(second), os.fsencode(folder) + b"/" + name)
    assert monitor("score", folder, "--exit-zero").returncode == 0
    return trained


@pytest.fixture
def labelled(scored: Path, monitor: Run, change: Change) -> Path:
    """The home with labels of every kind."""
    crop = scored / "crops" / "a.jpg"
    for arguments in (
        (crop, "--as", "proliv", "--author", "=cmd|'/c calc'!A0", "--note", '-1, "quoted"'),
        ("crops/b.jpg", "--as", "ne_proliv", "--author", "'quoted", "--note", "a\nb\\c; жёлоб"),
        (crop, "--as", "ne_proliv", "--author", "@boris", "--note", "+7", "--settle"),
    ):
        assert monitor("label", *arguments).returncode == 0
    change(
        "insert into labels (crop_id, label, source, at, settles) select id, 'proliv', 'folder', "
        "'2024-01-01 00:00:00.000000', 0 from crops where path like '%/a.jpg'"
    )
    return scored


def write(home: Path, *lines: str) -> Path:
    path = home / "labels.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8-sig")
    return path


def test_export_and_import_give_the_same_labels(labelled: Path, monitor: Run, rows: Rows, change: Change) -> None:
    before = rows(LABELS)
    assert len(before) == 4
    exported = monitor("labels", "export").stdout
    file = labelled / "labels.csv"
    assert monitor("labels", "export", "--output", file).returncode == 0
    assert file.read_text(encoding="utf-8") == exported
    assert monitor("labels", "import", file).stdout == "0 labels imported; 4 were there already\n"
    change("delete from labels")
    assert monitor("labels", "import", file).stdout == "4 labels imported\n"
    assert rows(LABELS) == before
    assert monitor("labels", "export").stdout == exported


def test_the_export_keeps_spreadsheets_from_running_formulas(labelled: Path, monitor: Run) -> None:
    table = list(csv.DictReader(io.StringIO(monitor("labels", "export").stdout)))
    assert list(table[0]) == (
        [
            "path",
            "sha256",
            "hole",
            "camera",
            "captured_at",
            "label",
            "source",
            "author",
            "at",
            "note",
            "settles",
            "audit",
            "taken_back",
        ]
    )
    assert [row["author"] for row in table] == ["", "'=cmd|'/c calc'!A0", "''quoted", "'@boris"]
    assert [row["note"] for row in table] == ["", '\'-1, "quoted"', "a\\nb\\\\c; жёлоб", "'+7"]
    assert not any(value.startswith(("=", "+", "-", "@")) for row in table for value in row.values())


def test_a_table_of_others_is_imported(scored: Path, monitor: Run, rows: Rows) -> None:
    sha256 = rows("select sha256 from crops where path like '%/b.jpg'")[0][0]
    file = write(
        scored,
        "label,path,sha256,comment,at",
        f"proliv,{scored}/crops/a.jpg,,by path,2024-05-01T12:00+03:00",
        f"ne_proliv,/somewhere/else.jpg,{sha256.upper()},by content,",
        "",
        f"proliv,{scored}/crops/a.jpg,,twice,2024-05-01T09:00Z",
    )
    done = monitor("labels", "import", file, "--author", "vera")
    assert done.stdout == "2 labels imported; 1 were there already\n"
    found = rows(LABELS)
    assert [(row[2], row[3], row[4], row[6]) for row in found] == [
        ("proliv", "import", "vera", None),
        ("ne_proliv", "import", "vera", None),
    ]
    assert found[0][5] == "2024-05-01 09:00:00.000000"
    assert monitor("labels", "undo", "--author", "vera", "--yes").stdout.endswith("2 labels taken back\n")


def test_every_wrong_row_is_told_and_nothing_imported(scored: Path, monitor: Run, rows: Rows) -> None:
    path = f"{scored}/crops/a.jpg"
    file = write(
        scored,
        "path,sha256,label,author,at,note,settles,source",
        f"{path},,proliv,anna,,,,",
        f"{path},,maybe,anna,,,,",
        ",,proliv,anna,,,,",
        f"{path},12,proliv,anna,,,,",
        f"{path},{'0' * 64},proliv,anna,,,,",
        "/no/such.jpg,,proliv,anna,,,,",
        f"{path},,proliv,{'a' * 101},,,,",
        f"{path},,proliv,anna,soon,,,",
        f"{path},,proliv,anna,9000-01-01,,,",
        f"{path},,proliv,anna,,,perhaps,",
        f"{path},,proliv,anna,,,,folklore",
        f"{path},,proliv,anna,,,,,too much",
        f'{path},,proliv,boris,,"two\nlines",1,',
    )
    outcome = monitor("labels", "import", file)
    assert outcome.returncode == 65
    told = [line for line in outcome.stderr.splitlines() if line.startswith("monitor: line ")]
    assert [line.split(":")[1] for line in told] == [f" line {number}" for number in range(3, 14)]
    assert "11 rows are wrong, so nothing is imported; correct them, or add --skip-bad" in outcome.stderr
    assert rows(LABELS) == []
    outcome = monitor("labels", "import", file, "--skip-bad")
    assert outcome.returncode == 0
    assert outcome.stdout == "2 labels imported; 11 rows are wrong and left out\n"
    assert "labels.csv: line 3: the label 'maybe' is neither proliv nor ne_proliv" in outcome.stderr
    assert [(row[6], row[7]) for row in rows(LABELS)] == [(None, 0), ("two\\nlines", 1)]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "the first line must name the columns"),
        (b"path;author\n", "it names path, author"),
        (b"path,label\n\xff,proliv\n", "labels.csv:2: is not UTF-8"),
        (b'path,label\n"a"b,proliv\n', "labels.csv:2: is not CSV"),
    ],
)
def test_what_is_no_table_is_told(scored: Path, monitor: Run, content: bytes, sentence: str) -> None:
    file = scored / "labels.csv"
    file.write_bytes(content)
    outcome = monitor("labels", "import", file)
    assert (outcome.returncode, sentence in outcome.stderr) == (65, True), outcome.stderr
    assert monitor("labels", "import", "missing.csv").returncode == 66


def test_standard_input_is_read(scored: Path, start: Callable[..., subprocess.Popen[bytes]], rows: Rows) -> None:
    process = start("labels", "import", "-", stdin=-1)
    out, err = process.communicate(f"\ufeffpath,label\n{scored}/crops/a.jpg,proliv\n".encode())
    assert (process.returncode, out) == (0, b"1 label imported\n"), err
    assert len(rows(LABELS)) == 1


def test_labels_are_listed(labelled: Path, monitor: Run) -> None:
    lines = monitor("labels", "list").stdout.splitlines()
    assert len(lines) == 4
    assert lines[0].startswith("2024-01-01 00:00:00+00:00  proliv     folder   -")
    assert lines[3].endswith("/crops/a.jpg  (settles, +7)")
    records = [json.loads(line) for line in monitor("labels", "list", "--format", "json").stdout.splitlines()]
    assert [record["settles"] for record in records] == [False, False, False, True]
    assert records[2]["note"] == "a\\nb\\\\c; жёлоб"


def test_contradictions_are_listed(labelled: Path, monitor: Run) -> None:
    assert monitor("labels", "list", "--contradictions").stdout == ""
    monitor("label", "crops/a.jpg", "--as", "proliv", "--author", "vera")
    outcome = monitor("labels", "list", "--contradictions")
    assert "@boris says ne_proliv, vera says proliv; settle it: monitor label" in outcome.stdout


def test_an_output_that_cannot_be_written_is_told(labelled: Path, monitor: Run) -> None:
    outcome = monitor("labels", "export", "--output", labelled / "missing" / "labels.csv")
    assert outcome.returncode == 73
    assert "cannot be written: No such file or directory" in outcome.stderr


def test_an_export_replaces_nothing_but_an_export(labelled: Path, monitor: Run) -> None:
    file = labelled / "labels.csv"
    for output_format in ("csv", "excel", "csv"):
        assert monitor("labels", "export", "-o", file, "--format", output_format).returncode == 0
    database = labelled / "state" / "monitor.db"
    before = database.read_bytes()
    outcome = monitor("labels", "export", "--output", database)
    assert outcome.returncode == 73
    assert "monitor.db: exists and is not an export of labels, so it is not overwritten" in outcome.stderr
    assert database.read_bytes() == before


def test_an_excel_table_in_windows_1251_is_imported(scored: Path, monitor: Run, rows: Rows) -> None:
    file = scored / "labels.csv"
    file.write_bytes("Path;Label;At;Note;\r\ncrops/a.jpg;proliv;01.05.2024 12:00;тень;\r\n;;;;\r\n".encode("cp1251"))
    outcome = monitor("labels", "import", file)
    assert outcome.stdout == "1 label imported\n", outcome.stderr
    assert "labels.csv: read as Windows-1251" in outcome.stderr
    assert [(row[2], row[5], row[6]) for row in rows(LABELS)] == [("proliv", "2024-05-01 12:00:00.000000", "тень")]


def test_times_are_listed_on_the_plants_clock(labelled: Path, monitor: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONITOR__PLANT__TIME_ZONE", "Europe/Moscow")
    assert monitor("labels", "list").stdout.startswith("2024-01-01 03:00:00+03:00  proliv")
