"""``monitor gen crops --stream`` as a person runs it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from generators.commands import gen

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

    from tests.conftest import RunMonitor


def crops(*arguments: str | Path) -> Result:
    return CliRunner().invoke(gen, ["crops", *map(str, arguments)])


def test_a_stream_of_so_many_crops(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    ended = crops(inbox, "--stream", "--rate", "500", "--crops", "12", "--holes", "3", "--cameras", "CA")
    assert ended.exit_code == 0, ended.output
    assert ended.output.startswith(f"Wrote 12 crops into {inbox} in 0 s: 0 of them proliv, 0 labelled.")
    names = sorted("_".join(path.name.split("_")[:3]) for path in inbox.iterdir())
    assert names == sorted([f"{hole}_CAM_{camera}" for hole in (1, 2, 3) for camera in "AC"] * 2)


@pytest.mark.process
def test_a_camera_goes_on_when_nobody_reads_what_it_says(tmp_path: Path, clean_environment: dict[str, str]) -> None:
    # About forty bleed-outs begin in this time, and each is said.
    arguments = ["inbox", "--stream", "--rate", "1000", "--crops", "200", "--proliv-every", "0.0001", "--holes", "20"]
    with subprocess.Popen(
        [sys.executable, "-m", "monitor", "gen", "crops", *arguments],
        cwd=tmp_path, env=clean_environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0
    assert len(list((tmp_path / "inbox").iterdir())) == 200


def test_crops_are_added_to_an_inbox_that_holds_some(tmp_path: Path) -> None:
    for _ in range(2):
        assert crops(tmp_path, "--stream", "--rate", "500", "--seconds", "0.02", "--holes", "99").exit_code == 0
    assert len(list(tmp_path.iterdir())) == 20


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--rate", "3"], "--rate needs --stream"),
        (["--label-share", "1"], "--label-share needs --stream"),
        (["--stream", "--train", "3"], "--train does not go with --stream"),
        (["--stream", "--rate", "0"], "--rate"),
        (["--stream", "--rate", "inf"], "--rate"),
        (["--stream", "--rate", "nan"], "nan is not a finite number"),
        (["--stream", "--seconds", "nan"], "nan is not a finite number"),
        (["--stream", "--proliv-every", "nan"], "nan is not a finite number"),
        (["--stream", "--proliv-every", "1e300"], "--proliv-every"),
        (["--stream", "--label-share", "nan"], "nan is not a finite number"),
        (["--empty", "nan"], "nan is not a finite number"),
        (["--train", "9" * 30], "--train"),
        (["--stream", "--holes", "0"], "--holes"),
        (["--stream", "--cameras", "CC"], "'CC' is not one or several different letters"),
        (["--stream", "--cameras", "Ж"], "such as C or ABC"),
        (["--stream", "--time-zone", "Mars/Olympus"], "'Mars/Olympus' is no time zone"),
        (["--stream", "--time-zone", "../UTC"], "is no time zone"),
    ],
)
def test_a_wrong_line_writes_nothing(tmp_path: Path, arguments: list[str], sentence: str) -> None:
    ended = crops(tmp_path / "inbox", *arguments)
    assert ended.exit_code == 2
    assert sentence in ended.output
    assert not (tmp_path / "inbox").exists()


@pytest.mark.process
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_in_order(tmp_path: Path, clean_environment: dict[str, str], number: signal.Signals) -> None:
    command = [sys.executable, "-m", "monitor", "gen", "crops", "inbox", "--stream", "--rate", "100", "--holes", "2"]
    started = subprocess.Popen(
        [*command, "--labelled", "labelled"], cwd=tmp_path, env=clean_environment, stdout=subprocess.PIPE, text=True
    )
    inbox = tmp_path / "inbox"
    while started.poll() is None and not (inbox.is_dir() and any(inbox.glob("[0-9]*.jpg"))):
        time.sleep(0.01)
    started.send_signal(number)
    output, _ = started.communicate(timeout=60)
    assert started.returncode == 0, output
    written = list(inbox.iterdir())
    assert output.splitlines()[-1].startswith(f"Wrote {len(written)} crops into inbox in ")
    assert [path.name for path in written if path.name.startswith(".")] == []
    assert len(list((tmp_path / "labelled" / "ne_proliv").iterdir())) == len(written)


@pytest.mark.process
def test_a_disk_that_takes_no_more_is_said(tmp_path: Path, clean_environment: dict[str, str]) -> None:
    """A limit on the size of files stands for a full disk: the first write fails."""
    line = 'ulimit -f 0 && exec "$0" -m monitor gen crops inbox --stream --crops 3'
    ended = subprocess.run(
        ["bash", "-c", line, sys.executable],
        cwd=tmp_path,
        env={**clean_environment, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 73, ended.stderr
    assert "monitor: inbox/1_CAM_C_" in ended.stderr
    assert "0 crops were written before" in ended.stderr
    assert list((tmp_path / "inbox").iterdir()) == []


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path, run_monitor: RunMonitor) -> None:
    (tmp_path / "file").write_text("")
    ended = run_monitor("gen", "crops", "file/inbox", "--stream", "--crops", "1")
    assert ended.returncode == 73
    assert ended.stderr.startswith("monitor: file/inbox: the folder cannot be made: ")
