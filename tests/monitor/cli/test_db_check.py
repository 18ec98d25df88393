"""What is wrong with a store is found, each with what to do, and what is not is not."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from monitor.files.looks import look as really_look
from monitor.store import consistency

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from monitor.files.looks import Looks
    from tests.monitor.cli.conftest import Run

    Check = Callable[..., tuple[int, dict[str, dict[str, Any]]]]


@pytest.fixture
def check(trained: Path, monitor: Run) -> Check:
    """`monitor db check` over a trained state: (exit code, findings by kind)."""
    (trained / "inbox").mkdir()

    def run(*options: str) -> tuple[int, dict[str, dict[str, Any]]]:
        done = monitor("db", "check", "--format", "json", *options)
        assert done.stderr == ""
        report = json.loads(done.stdout)
        assert report["whole"] is (done.returncode == 0)
        return done.returncode, {finding["kind"]: finding for finding in report["findings"]}

    return run


def after(home: Path, what: str) -> Path:
    """Configure what becomes of decided files; the archive."""
    (home / "config.toml").write_text(f"[paths]\narchive = 'archive'\n[inbox]\nafter = '{what}'\n")
    return home / "archive"


def change(trained: Path, *statements: str) -> None:
    with closing(sqlite3.connect(trained / "state" / "monitor.db")) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def decide(trained: Path, name: str, *, verdict: str = "ne_proliv", **columns: str | None) -> Path:
    """A decision on a file of the inbox, which is there."""
    path = trained / "inbox" / name
    path.write_bytes(b"1")
    values = {
        "path": str(path), "sha256": name, "size_bytes": 1, "mtime_ns": path.stat().st_mtime_ns,
        "seen_at": "2026-01-01 00:00:00.000000", "state": "scored", "verdict": verdict, "source": "inbox", **columns,
    }  # fmt: skip
    with closing(sqlite3.connect(trained / "state" / "monitor.db")) as connection, connection:
        marks = ", ".join("?" * len(values))
        connection.execute(f"insert into crops ({', '.join(values)}) values ({marks})", tuple(values.values()))
        connection.execute(
            "insert into scores select max(id), 1, 1, 0.1, 0.1, 0.5, 'ne_proliv', '2026-01-01 00:00:00', 0 from crops"
        )
    return path


def test_nothing_is_wrong_with_a_new_store(check: Check) -> None:
    assert check() == (0, {})
    assert check("--full") == (0, {})


def test_rows_that_point_nowhere(check: Check, trained: Path) -> None:
    decide(trained, "1.jpg")
    change(trained, "delete from crops")
    code, found = check()
    assert code == 65
    assert (found["orphans"]["count"], found["orphans"]["examples"]) == (1, ["scores.crop_id: 1"])


def test_crops_without_scores_but_for_alarms(check: Check, trained: Path) -> None:
    path = decide(trained, "1.jpg")
    decide(trained, "2.jpg", verdict="proliv").unlink()
    change(trained, "delete from scores")
    code, found = check()
    assert (code, set(found), found["without_scores"]["examples"]) == (65, {"without_scores"}, [str(path)])


def test_decided_crops_without_a_verdict(check: Check, trained: Path) -> None:
    path = decide(trained, "1.jpg")
    decide(trained, "2.jpg")
    change(trained, f"update crops set verdict = null where path = '{path}'")
    code, found = check()
    assert (code, set(found), found["without_verdict"]["examples"]) == (65, {"without_verdict"}, [str(path)])


def test_crops_that_are_marked_unusual_and_are_not(check: Check, trained: Path) -> None:
    path = decide(trained, "1.jpg")
    decide(trained, "2.jpg")
    change(trained, f"update crops set unusual = 1 where path = '{path}'")
    code, found = check()
    assert (code, set(found), found["unusual"]["examples"]) == (65, {"unusual"}, [str(path)])


def test_failed_crops_without_a_reason(check: Check, trained: Path) -> None:
    path = decide(trained, "1.jpg")
    decide(trained, "2.jpg")
    change(
        trained,
        "delete from scores where crop_id = 1",
        f"update crops set state = 'failed', verdict = null, reason = 'truncated' where path = '{path}'",
    )
    assert check() == (0, {})
    # The constraint against it is taken away, else SQLite itself finds fault with the row.
    constraint = "CONSTRAINT ck_crops_reason CHECK (state <> 'failed' or reason is not null)"
    with closing(sqlite3.connect(trained / "state" / "monitor.db")) as connection, connection:
        connection.execute("pragma writable_schema = on")
        changed = connection.execute(
            "update sqlite_master set sql = replace(sql, ?, '') where instr(sql, ?)",
            (f", \n\t{constraint}", constraint),
        )
        assert changed.rowcount == 1
    change(trained, f"update crops set reason = null where path = '{path}'")
    code, found = check()
    assert (code, set(found), found["without_reason"]["examples"]) == (65, {"without_reason"}, [str(path)])
    assert "monitor score" in found["without_reason"]["remedy"]


def test_an_active_model_without_a_threshold(check: Check, trained: Path) -> None:
    change(trained, "update calibrations set state = 'superseded'")
    code, found = check()
    assert (code, list(found)) == (65, ["without_threshold"])
    assert found["without_threshold"]["examples"][0].startswith("ae-")


@pytest.mark.parametrize("missing", [True, False])
def test_models_that_are_missing_or_changed(check: Check, trained: Path, missing: bool) -> None:
    (folder,) = (trained / "state" / "models").iterdir()
    if missing:
        shutil.rmtree(folder)
    else:
        (folder / "training.json").write_text("{}")
    code, found = check()
    assert (code, list(found)) == (65, ["models"])
    assert found["models"]["examples"][0].startswith(f"{folder.name} (active): ")


def test_a_damaged_database_is_looked_at_no_further(check: Check, trained: Path) -> None:
    with closing(sqlite3.connect(trained / "state" / "monitor.db")) as connection:
        connection.execute("pragma wal_checkpoint(truncate)")
        (page,) = connection.execute("select rootpage from sqlite_master where name = 'labels'").fetchone()
        (size,) = connection.execute("pragma page_size").fetchone()
    with (trained / "state" / "monitor.db").open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)
    code, found = check()
    assert (code, list(found)) == (65, ["damaged"])
    assert "restore the last backup" in found["damaged"]["remedy"]


@pytest.mark.parametrize(("what", "code"), [("keep", 65), ("archive", 65), ("delete", 0)])
def test_files_that_vanished(check: Check, trained: Path, what: str, code: int) -> None:
    after(trained, what)
    decide(trained, "1.jpg")
    assert check() == (0, {})
    gone = decide(trained, "2.jpg")
    gone.unlink()
    found_code, found = check()
    assert found_code == code
    (finding,) = found.values()
    assert (finding["kind"], finding["note"]) == (("gone", True) if what == "delete" else ("vanished", False))
    assert finding["examples"] == [str(gone)]


def test_overwritten_files_and_files_scored_by_hand_are_notes(check: Check, trained: Path) -> None:
    overwritten = decide(trained, "1.jpg")
    overwritten.write_bytes(b"22")
    decide(trained, "2.jpg", source="folder").unlink()
    decide(trained, "3.jpg", source="labelled").unlink()
    code, found = check()
    assert (code, found["gone"]["count"], found["gone"]["note"]) == (0, 2, True)


def test_the_archive_is_held_against_the_store(check: Check, trained: Path) -> None:
    day = after(trained, "archive") / "2026-01-01" / "ne_proliv"
    day.mkdir(parents=True)
    for name in ("1.jpg", "2.jpg", "stranger.jpg"):
        (day / name).write_bytes(b"1")
    for name in ("1.jpg", "2.jpg", "3.jpg"):
        decide(trained, name, archived_path=str(day / name)).unlink()
    code, found = check()
    assert (code, set(found)) == (65, {"vanished", "unknown_archived"})
    assert found["vanished"]["examples"] == [str(day / "3.jpg")]
    assert found["unknown_archived"]["examples"] == [str(day / "stranger.jpg")]
    (day / "stranger.jpg").unlink()
    # What is planned but not moved yet lies in the inbox.
    decide(trained, "4.jpg", archived_path=str(day / "4.jpg"))
    shutil.copyfile(day / "1.jpg", day / "3.jpg")
    assert check() == (0, {})


def test_files_that_a_daemon_moves_meanwhile_are_no_findings(
    check: Check, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One is claimed while the rows are read, and another is decided and moved right after."""
    day = after(trained, "archive") / "2026-01-01" / "ne_proliv"
    day.mkdir(parents=True)
    first = decide(trained, "1.jpg", archived_path=str(day / "1.jpg"))
    claim = first.rename(first.with_name(".1.monitor-claim"))
    before = consistency.file_rows

    def file_rows(*arguments: Any, **options: Any) -> list[consistency.FileRow]:
        rows = before(*arguments, **options)
        if not rows:
            claim.rename(day / "1.jpg")
            decide(trained, "2.jpg", archived_path=str(day / "2.jpg")).rename(day / "2.jpg")
        return rows

    monkeypatch.setattr(consistency, "file_rows", file_rows)
    assert check() == (0, {})


def test_no_transaction_is_open_while_files_are_looked_at(
    check: Check, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A share may take hours to answer, and SQLite's log cannot be emptied as long as anything reads."""
    for name in ("1.jpg", "2.jpg"):
        decide(trained, name)
    (trained / "inbox" / "2.jpg").unlink()
    hindered: list[int] = []

    def look(path: str) -> Looks | None:
        with closing(sqlite3.connect(trained / "state" / "monitor.db", isolation_level=None, timeout=0)) as connection:
            connection.execute("update crops set camera = ?", (f"C{len(hindered)}",))
            hindered.append(connection.execute("pragma wal_checkpoint(truncate)").fetchone()[0])
        return really_look(path)

    monkeypatch.setattr("monitor.upkeep.check.look", look)
    assert set(check()[1]) == {"vanished"}
    assert (len(hindered), any(hindered)) == (3, False)


def test_the_table_names_a_few_and_says_what_to_do(monitor: Run, check: Check, trained: Path) -> None:
    for number in range(9):
        decide(trained, f"{number}.jpg").unlink()
    done = monitor("db", "check")
    lines = done.stdout.splitlines()
    assert lines[0].endswith(", something is wrong")
    assert lines[1] == "decided files that lie neither in the inbox nor in the archive: 9"
    assert lines[2:7] == [f"  {trained}/inbox/{number}.jpg" for number in range(5)]
    assert lines[7] == "  …"
    assert 'set inbox.after = "delete"' in lines[8]
    assert done.returncode == 65


def test_what_is_wrong_with_the_evidence_is_found(check: Check, trained: Path) -> None:
    contents = {content: hashlib.sha256(content).hexdigest() for content in (b"one", b"two", b"three")}
    for name, content in (("1.jpg", b"one"), ("2.jpg", b"two")):
        decide(trained, name)
        change(
            trained,
            f"insert into kept_contents values ('{contents[content]}', x'{content.hex()}')",
            "insert into kept_crops (crop_id, state, sha256, since) values ((select max(id) from crops), 'kept', "
            f"'{contents[content]}', '2026-01-01 00:00:00.000000')",
        )
    decide(trained, "3.jpg")
    assert check() == (0, {})
    change(
        trained,
        f"update kept_contents set content = x'00' where sha256 = '{contents[b'two']}'",
        f"insert into kept_contents values ('{contents[b'three']}', x'{b'three'.hex()}')",
        "insert into kept_crops (crop_id, state, since, problem) values ((select max(id) from crops), 'due', "
        "'2026-01-01 00:00:00.000000', 'it may not be read')",
    )
    code, found = check()
    assert (code, set(found)) == (65, {"evidence_damaged", "evidence_unused", "evidence_due"})
    assert found["evidence_damaged"]["examples"] == [contents[b"two"]]
    assert found["evidence_unused"]["examples"] == [contents[b"three"]]
    assert found["evidence_due"]["examples"] == [f"{trained}/inbox/3.jpg: it may not be read"]
    assert [finding["note"] for finding in found.values()] == [False, True, True]


def test_an_inbox_that_is_not_there_is_not_taken_for_files_that_were_removed(check: Check, trained: Path) -> None:
    decide(trained, "1.jpg")
    assert check() == (0, {})
    (trained / "inbox").rename(trained / "unmounted")
    code, found = check()
    assert (code, set(found)) == (65, {"inbox"})
    assert found["inbox"]["examples"] == [str(trained / "inbox")]
    assert "mount its share" in found["inbox"]["remedy"]
