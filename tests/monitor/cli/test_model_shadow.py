"""`monitor models shadow`: an imported network beside the model that decides, in a running daemon."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.support.onnx_files import model, needs_runtime, written

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.monitor.cli.conftest import Rows, Run
    from tests.support.daemon import Daemon

pytestmark = [pytest.mark.process, needs_runtime]


def imported(run: Run, folder: Path, data: Path) -> str:
    """The name of a network that was imported and has a threshold, and is not active."""
    done = run("models", "import", written(folder, model()), "--name", "grey", "--data", data)
    assert done.returncode == 0, done.stderr
    name = done.stdout.strip()
    assert f"monitor calibrate --model {name} --data {data} --no-activate" in done.stderr
    assert run("calibrate", "--model", name, "--data", data, "--no-activate").returncode == 0
    return name


def test_it_scores_what_comes_beside_contrast_and_decides_nothing(
    daemon: Daemon, monitor: Run, small_dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(daemon.home)
    for command in (
        ("train", "contrast", "--set", "pool=1024", "--set", "epochs=8"),
        ("calibrate", "--detector", "contrast"),
    ):
        done = monitor(*command, "--data", small_dataset)
        assert done.returncode == 0, done.stderr
    contrast = daemon.query("select name from models where detector = 'contrast'")[0][0]
    (daemon.home / "config.toml").write_text('[decision]\ndetectors = ["contrast"]\n', encoding="utf-8")
    name = imported(monitor, daemon.home, small_dataset)
    daemon.start()
    begun = monitor("models", "shadow", name)
    assert begun.stdout == f"{name} is in the shadow of {contrast}: it scores every crop and decides nothing\n"
    assert f"monitor replay --model {name}" in begun.stderr
    # It is found without being told, within the time of a look at the store.
    daemon.until(lambda: f"model {name} is in the shadow" in daemon.text())
    pictures = sorted(path for part in ("proliv", "ne_proliv") for path in (small_dataset / "test" / part).iterdir())
    for path in pictures:
        shutil.copy(path, daemon.inbox / path.name)
    daemon.until(lambda: daemon.count() == len(pictures))
    assert daemon.stop() == 0
    counted = "select m.name, count(*) from scores s join models m on m.id = s.model_id group by 1"
    assert dict(daemon.query(counted)) == {contrast: len(pictures), name: len(pictures)}
    # Every final decision is that of contrast, whatever the other says.
    assert daemon.query(
        "select count(*) from crops c join scores s on s.crop_id = c.id join models m on m.id = s.model_id "
        "where m.detector = 'contrast' and s.verdict = c.verdict and s.score = c.decision_score"
    ) == [(len(pictures),)]
    (trial,) = map(json.loads, monitor("models", "shadow", "--format", "json").stdout.splitlines())
    (alone,) = daemon.query(
        "select sum(s.verdict = 'proliv'), sum(s.verdict <> c.verdict) from scores s join crops c on c.id = s.crop_id "
        "join models m on m.id = s.model_id where m.detector = 'onnx'"
    )
    assert trial["seen"] == {"crops": len(pictures), "proliv": alone[0], "otherwise": alone[1]}
    assert f"in the shadow  {name}, which scores and decides nothing" in monitor("status").stdout
    shown = monitor("show", "1").stdout
    assert f"{name} (in the shadow)" in shown
    # Its scores are replayed like those of any other model: nothing is proliv above all of them, all is at the least.
    least, most = daemon.query(
        "select min(score), max(score) from scores s join models m on m.id = s.model_id where m.detector = 'onnx'"
    )[0]
    for threshold, expected in ((most * 2, 0), (least, len(pictures))):
        replayed = monitor("replay", "--model", name, "--threshold", repr(threshold), "--format", "json")
        assert replayed.returncode == 0, replayed.stderr
        assert (json.loads(replayed.stdout)["crops"], json.loads(replayed.stdout)["proliv"]) == (
            len(pictures), expected,
        )  # fmt: skip
    assert monitor("replay", "--model", name, "--rule", "tpr-at-least").returncode == 0
    ended = monitor("models", "shadow", name, "--end")
    assert ended.stdout.startswith(f"{name} is no longer in the shadow; of {len(pictures)} crops it would call ")
    assert (name,) not in daemon.query("select name from models where active")
    assert daemon.query("select state, refusal from retrainings") == [("refused", "withdrawn")]


def test_listed_activated_and_accepted(trained: Path, monitor: Run, rows: Rows, small_dataset: Path) -> None:
    nothing = monitor("models", "shadow")
    assert (nothing.stdout, nothing.stderr) == (
        "", "no model is in the shadow; try one: monitor models shadow MODEL\n",
    )  # fmt: skip
    name = imported(monitor, trained, small_dataset)
    (former,) = (row[0] for row in rows("select name from models where active"))
    assert monitor("models", "shadow", name[:8]).returncode == 0
    (line,) = monitor("models", "shadow").stdout.splitlines()
    assert line.split()[:2] == [name, former]
    assert line.endswith("of 0 crops it would call 0 proliv; 0 would be decided differently")
    assert "in the shadow" in monitor("models", "list").stdout
    assert "tried by hand" in monitor("models", "retrained").stdout
    assert monitor("models", "activate", name).returncode == 0
    assert monitor("models", "shadow").stdout == ""
    assert "accepted" in monitor("models", "retrained").stdout


def test_accepted_it_is_active_beside_the_others(trained: Path, monitor: Run, rows: Rows, small_dataset: Path) -> None:
    name = imported(monitor, trained, small_dataset)
    monitor("models", "shadow", name)
    accepted = monitor("models", "accept", name, "--why", "it finds more")
    assert accepted.stdout == f"{name} is active now beside the others\n"
    assert rows("select state, reason from retrainings") == [("accepted", "it finds more")]
    assert len(rows("select id from models where active")) == 2


def test_wrong_requests_say_what_to_do(
    trained: Path, monitor: Run, small_dataset: Path, dump: Callable[[], list[str]]
) -> None:
    done = monitor("models", "import", written(trained, model()), "--data", small_dataset)
    before = dump()
    active = monitor("models", "list", "--format", "json").stdout.splitlines()[-1]
    for arguments, code, words in (
        (("--end",), 2, "name the model to take out of the shadow"),
        (("nobody",), 4, "there is no model 'nobody'"),
        ((done.stdout.strip(),), 4, "has no threshold yet, so it would decide nothing"),
        ((json.loads(active)["name"],), 65, "so it decides; only another can be tried beside it"),
        ((done.stdout.strip(), "--end"), 65, "is not in the shadow; those that are: monitor models shadow"),
    ):
        outcome = monitor("models", "shadow", *arguments)
        assert (outcome.returncode, words in outcome.stderr) == (code, True), outcome.stderr
    assert dump() == before
