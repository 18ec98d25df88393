from __future__ import annotations

import getpass
import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., subprocess.CompletedProcess[str]]
    Rows = Callable[[str], list[tuple[Any, ...]]]
    Change = Callable[[str], None]

NAMES = (
    "1_CAM_A_01-05-2024_10-00-00-0.jpg",
    "1_CAM_B_01-05-2024_11-00-00-0.jpg",
    "2_CAM_A_01-05-2024_12-00-00-0.jpg",
    "plain.jpg",
)
LABELS = "select crop_id, label, author, note, settles, source from labels order by id"


@pytest.fixture
def scored(trained: Path, small_dataset: Path, monitor: Run, rows: Rows) -> Path:
    """The home with four scored crops, whose ids are those of their names, and one that failed, the fifth."""
    folder = trained / "crops"
    folder.mkdir()
    sources = sorted((small_dataset / "train").glob("*.jpg"))
    for name, source in zip(NAMES, sources, strict=False):
        shutil.copyfile(source, folder / name)
        assert monitor("score", folder, "--exit-zero", "--as-inbox").returncode == 0
    (folder / "zz.jpg").write_text("no picture")
    assert monitor("score", folder, "--exit-zero", "--as-inbox").returncode == 0
    assert [path.rpartition("/")[2] for (path,) in rows("select path from crops order by id")] == [*NAMES, "zz.jpg"]
    assert rows("select distinct source from crops") == [("inbox",)]
    return trained


def test_crops_are_labelled_by_id_and_file_and_not_twice(scored: Path, monitor: Run, rows: Rows) -> None:
    outcome = monitor("label", "2", scored / "crops" / NAMES[0], "--as", "proliv", "--note", "tin\nrim")
    assert (outcome.returncode, outcome.stdout) == (0, "2 crops labelled proliv\n")
    author = getpass.getuser()
    assert rows(LABELS) == [
        (2, "proliv", author, "tin\\nrim", 0, "command"),
        (1, "proliv", author, "tin\\nrim", 0, "command"),
    ]
    outcome = monitor("label", "2", "3", "--as", "proliv")
    assert outcome.stdout == f"1 crop labelled proliv; 1 already had this label from {author}\n"
    outcome = monitor("label", "2", "--as", "ne_proliv", "--author", "Анна", "--settle")
    assert outcome.returncode == 0
    assert rows(LABELS)[-1] == (2, "ne_proliv", "Анна", None, 1, "command")


def test_a_file_is_found_by_its_content_or_where_it_is_gone_by_its_path(
    scored: Path, monitor: Run, rows: Rows, small_dataset: Path
) -> None:
    first, second, third, _ = (scored / "crops" / name for name in NAMES)
    copy = scored / "copy.jpg"
    shutil.copyfile(first, copy)
    second.rename(scored / "moved.jpg")
    # Another content lies by the third's path now, which is not known, and by the first's there is the second's.
    shutil.copyfile(max((small_dataset / "train").glob("*.jpg")), third)
    shutil.copyfile(scored / "moved.jpg", first)
    for target, crop_id in (("copy.jpg", 1), (f"crops/{NAMES[1]}", 2), ("moved.jpg", 2), (first, 2)):
        outcome = monitor("label", target, "--as", "proliv", "--author", str(target)[-20:])
        assert outcome.returncode == 0, outcome.stderr
        assert rows(LABELS)[-1][0] == crop_id
    outcome = monitor("label", third, "--as", "proliv")
    assert outcome.returncode == 66
    assert (
        "has changed since it was scored, and its present content is not known; score it first with monitor score DIR"
        in outcome.stderr
    )


def test_patterns_match_the_path_or_the_name(scored: Path, monitor: Run, rows: Rows) -> None:
    for pattern, ids in (
        ("*_CAM_A_*", [1, 3]),
        ("1_CAM_[AB]_*", [1, 2]),
        (f"{scored}/crops/pl?in.jpg", [4]),
        ("crops/2*", [3]),
        ("*", [1, 2, 3, 4]),
    ):
        assert monitor("label", pattern, "--as", "proliv", "--author", pattern[-90:]).returncode == 0
        assert [row[0] for row in rows(LABELS)][-len(ids) :] == ids
    outcome = monitor("label", "1", "nothing*", "--as", "ne_proliv")
    assert outcome.returncode == 66
    assert "nothing*: no scored crop has a path or file name that matches; quote the pattern" in outcome.stderr
    assert rows("select count(*) from labels where label = 'ne_proliv'") == [(0,)]


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        ("--hole 1", [1, 2]),
        ("--hole 1 --camera A", [1]),
        ("--since 2024-05-01T11:00 --until 2024-05-01T12:00", [2]),
        ("--since 2024-05-01T14:00+03:00 --until 2024-05-02", [2, 3]),
        ("--since 2024-06-01", [4]),  # its name has no time, so it counts from when it was seen
    ],
)
def test_crops_are_chosen_by_hole_and_time(
    scored: Path, monitor: Run, rows: Rows, options: str, ids: list[int]
) -> None:
    assert monitor("label", *options.split(), "--as", "ne_proliv").returncode == 0
    assert [row[0] for row in rows(LABELS)] == ids


def test_a_time_is_of_the_plants_clock(scored: Path, monitor: Run, rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONITOR__PLANT__TIME_ZONE", "Europe/Moscow")
    options = ("--since", "2024-05-01T14:00", "--until", "2024-05-01T14:00:01")
    assert monitor("label", *options, "--as", "proliv").returncode == 0
    assert [row[0] for row in rows(LABELS)] == [2]


def test_when_one_target_is_wrong_nothing_is_labelled(scored: Path, monitor: Run, rows: Rows) -> None:
    (scored / "unknown.jpg").write_bytes(b"something else")
    for target, code, sentence in (
        ("99", 66, "there is no crop with the id 99"),
        (str(2**70), 66, "there is no crop with the id"),
        ("5", 65, "could not be scored (unknown_format), so it cannot be labelled"),
        ("crops/zz.jpg", 65, "could not be scored (unknown_format), so it cannot be labelled"),
        ("missing.jpg", 66, "there is no such file, and no crop has this path; check it"),
        (
            "unknown.jpg",
            66,
            "its content is not known; score it first with monitor score DIR, or copy it into proliv/ or ne_proliv/",
        ),
        ("crops", 66, "crops: cannot be read: it is not a regular file"),
    ):
        outcome = monitor("label", "1", target, "--as", "proliv")
        assert (outcome.returncode, sentence in outcome.stderr) == (code, True), outcome.stderr
    assert rows(LABELS) == []


def test_a_path_of_several_contents_needs_an_id(scored: Path, monitor: Run, small_dataset: Path) -> None:
    path = scored / "crops" / NAMES[0]
    shutil.copyfile(max((small_dataset / "train").glob("*.jpg")), path)
    monitor("score", path.parent, "--exit-zero")
    path.unlink()
    outcome = monitor("label", path, "--as", "proliv")
    assert outcome.returncode == 65
    assert "2 crops have had this path one after another; name one by its id: 1, 6" in outcome.stderr


@pytest.mark.parametrize(
    "line",
    [
        "1",
        "--as proliv",
        "1 --as proliv --hole 1",
        "1 --as maybe",
        "1 --as proliv --author ''",
        "--as proliv --since yesterday",
        "--as proliv --since 2024-05-02 --until 2024-05-01",
        "--audit 0",
        "--audit 3 --as proliv",
        "--audit 3 --audit-open",
        "1 --audit 3",
        f"1 --as proliv --author {'a' * 101}",
        f"1 --as proliv --note {'a' * 1001}",
    ],
)
def test_wrong_usage_is_told(trained: Path, monitor: Run, line: str) -> None:
    import shlex

    outcome = monitor("label", *shlex.split(line))
    assert outcome.returncode == 2, outcome.stderr
    assert "Error: " in outcome.stderr


def test_many_crops_by_a_pattern_need_a_confirmation(
    scored: Path, monitor: Run, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.cli.label.MANY", 3)
    outcome = monitor("label", "*", "--as", "ne_proliv")
    assert outcome.returncode == 2
    assert "4 crops would be labelled ne_proliv; add --yes to confirm" in outcome.stderr
    assert "4 crops from 2024-05-01 10:00:00+00:00 to " in outcome.stderr
    assert "; holes 1, 2, 1 without a hole\n" in outcome.stderr
    assert f"  first: 1  {scored}/crops/{NAMES[0]}\n  last:  4  {scored}/crops/{NAMES[3]}\n" in outcome.stderr
    assert rows(LABELS) == []
    assert monitor("label", "1", "2", "3", "4", "--as", "proliv").returncode == 0
    assert monitor("label", "*", "--as", "ne_proliv", "--yes").stdout == "4 crops labelled ne_proliv\n"


@pytest.mark.parametrize(("answer", "code", "count"), [(b"y\n", 0, 11), (b"n\n", 130, 0)])
def test_at_a_terminal_a_person_is_asked(
    scored: Path,
    rows: Rows,
    change: Change,
    start: Callable[..., subprocess.Popen[bytes]],
    answer: bytes,
    code: int,
    count: int,
) -> None:
    copies = ", ".join(f"('/x/{number}.jpg', 'content{number}', 1, 1, '2024-01-01', 'scored')" for number in range(11))
    change(f"insert into crops (path, sha256, size_bytes, mtime_ns, seen_at, state) values {copies}")
    terminal, inside = os.openpty()
    process = start("label", "/x/*", "--as", "ne_proliv", stdin=inside)
    os.write(terminal, answer)
    _, err = process.communicate()
    os.close(inside)
    os.close(terminal)
    assert b"11 crops will be labelled ne_proliv. Go on?" in err
    assert process.returncode == code
    assert rows("select count(*) from labels") == [(count,)]


def test_a_dry_run_shows_and_labels_nothing(
    scored: Path, monitor: Run, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MONITOR__PLANT__TIME_ZONE", "Europe/Moscow")
    outcome = monitor("label", "--hole", "1", "--as", "proliv", "--dry-run")
    assert (outcome.returncode, outcome.stdout) == (0, "")
    assert "2 crops from 2024-05-01 13:00:00+03:00 to 2024-05-01 14:00:00+03:00; hole 1\n" in outcome.stderr
    assert "nothing is labelled; without --dry-run, 2 crops would be labelled proliv" in outcome.stderr
    assert rows(LABELS) == []


def test_the_id_of_an_old_crop_is_questioned(scored: Path, monitor: Run, rows: Rows, change: Change) -> None:
    change("update crops set seen_at = '2024-05-01 10:00:00.000000' where id = 2")
    outcome = monitor("label", "2", "--as", "proliv")
    assert outcome.returncode == 2
    assert "2 is the id of an old crop" in outcome.stderr
    assert "if the hole is meant, use --hole 2; add --yes to confirm" in outcome.stderr
    assert "if the hole is meant, use --hole 17" in monitor("label", "17", "--as", "proliv").stderr
    assert rows(LABELS) == []
    # Named by its file, there is no doubt which crop is meant.
    assert monitor("label", scored / "crops" / NAMES[1], "--as", "proliv").returncode == 0
    assert monitor("label", "2", "--as", "ne_proliv", "--yes").returncode == 0
    assert monitor("label", "1", "--as", "ne_proliv").returncode == 0


def test_the_last_command_of_an_author_is_undone(scored: Path, monitor: Run, rows: Rows) -> None:
    assert monitor("label", "1", "--as", "proliv", "--author", "anna").returncode == 0
    assert monitor("label", "*", "--as", "ne_proliv", "--author", "anna").returncode == 0
    outcome = monitor("labels", "undo", "--author", "anna")
    assert outcome.returncode == 2
    assert "4 labels (ne_proliv) of anna, given " in outcome.stderr
    assert ", would be taken back; add --yes to confirm" in outcome.stderr
    outcome = monitor("labels", "undo", "--author", "anna", "--dry-run")
    assert (outcome.returncode, outcome.stdout) == (0, "")
    assert f"  first: 1  {scored}/crops/{NAMES[0]}\n" in outcome.stderr
    assert rows("select count(*) from labels where undoes is not null") == [(0,)]
    outcome = monitor("labels", "undo", "--author", "anna", "--note", "wrong hole", "--yes")
    assert outcome.stdout == "4 labels taken back\n"
    listed = monitor("labels", "list").stdout.splitlines()
    assert [line.endswith("(taken back)") for line in listed] == [False, True, True, True, True, *[False] * 4]
    assert listed[-4].endswith("(takes back label 2, wrong hole)")
    assert monitor("labels", "undo", "--author", "anna", "--yes").stdout == "1 label taken back\n"
    outcome = monitor("labels", "undo", "--author", "anna", "--yes")
    assert (outcome.returncode, "anna has given no label that could be taken back" in outcome.stderr) == (0, True)


def test_without_a_login_name_there_is_an_author(
    scored: Path, monitor: Run, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found: 4711")

    monkeypatch.setattr(getpass, "getuser", nobody)
    assert monitor("label", "1", "--as", "proliv").returncode == 0
    assert str(rows(LABELS)[0][2]).startswith("user ")


def test_an_audit_draws_crops_without_alarm_and_label(scored: Path, monitor: Run, rows: Rows, change: Change) -> None:
    change("update crops set verdict = 'ne_proliv' where id <= 3")
    change("update crops set verdict = 'proliv' where id = 4")
    monitor("label", "1", "--as", "proliv")
    outcome = monitor("label", "--audit", "10", "--format", "json", "--author", "anna")
    assert outcome.returncode == 0
    drawn = [json.loads(line) for line in outcome.stdout.splitlines()]
    assert [(one["id"], one["path"].rpartition("/")[2]) for one in drawn] == [(2, NAMES[1]), (3, NAMES[2])]
    assert "2 of 2 crops without an alarm, which is all there are (10 were asked for)" in outcome.stderr
    assert rows("select author, first_crop_id, last_crop_id, eligible from audits") == [("anna", 1, 5, 2)]
    monitor("label", "2", "--as", "ne_proliv")
    assert monitor("label", "--audit-open").stdout == f"{3:>8}  {scored}/crops/{NAMES[2]}\n"
    outcome = monitor("label", "--audit", "1")
    assert (outcome.returncode, outcome.stdout) == (0, "")
    assert "nothing is drawn" in outcome.stderr
    assert rows("select count(*) from audits") == [(1,)]


def test_unusual_crops_come_first(scored: Path, monitor: Run, rows: Rows, change: Change) -> None:
    change("update crops set verdict = 'ne_proliv', unusual = (id in (3, 4)) where state = 'scored'")
    outcome = monitor("label", "--audit", "3", "--seed", "1")
    assert outcome.returncode == 0
    drawn = [int(line.split()[0]) for line in outcome.stdout.splitlines()]
    assert drawn[0] in (3, 4)
    assert not {3, 4} & set(drawn[1:])
    (eligible,) = rows("select eligible from audits where not unusual")[0]
    assert outcome.stderr.startswith(
        f"draw 1: 1 of 2 unusual crops, draw 2: 2 of {eligible} other crops without an alarm; look at each"
    )
    opened = monitor("label", "--audit-open")
    assert opened.stdout == outcome.stdout
    assert opened.stderr == "3 drawn crops not labelled yet, the first 1 of them unusual\n"
    told = [json.loads(line) for line in monitor("label", "--audit-open", "--format", "json").stdout.splitlines()]
    assert [one["unusual"] for one in told] == [True, False, False]
    assert [one["audit"] for one in told] == [1, 2, 2]


def test_the_help_says_why_to_draw(monitor: Run) -> None:
    assert "looks better than it is" in " ".join(monitor("label", "--help").stdout.split())


@pytest.mark.process
def test_help_loads_nothing_heavy(clean_environment: dict[str, str]) -> None:
    program = "import sys; from monitor.cli import label, labels; print(*sys.modules)"
    ended = subprocess.run([sys.executable, "-c", program], env=clean_environment, capture_output=True, text=True)
    loaded = {name.partition(".")[0] for name in ended.stdout.split()}
    assert "monitor" in loaded
    assert loaded & {"torch", "sqlalchemy", "numpy", "PIL"} == set()
