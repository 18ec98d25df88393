"""``monitor gen avatar``: what it makes, what it says of it, and usage that it refuses."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from generators.avatars.models import CoherentModel, embedded_sources, generate
from generators.commands.avatar import command
from generators.styles.sampling import StyleModel, default_table
from monitor.api import DataError
from tests.generators.commands.conftest import SMALL, images, run

if TYPE_CHECKING:
    from numpy.typing import NDArray


def pixels_of(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as image:
        return np.asarray(image)


def texts(path: Path) -> dict[str, str]:
    with Image.open(path) as image:
        return {str(name): str(text) for name, text in image.info.items()}


def test_a_bare_machine_gets_five_avatars(tmp_path: Path) -> None:
    out = tmp_path / "new" / "avatars"
    result = run("--seed", 3, "--output", out, "--resize", SMALL)
    assert result.exit_code == 0, result.output
    names = [f"avatar-000{number}.png" for number in range(1, 6)]
    assert sorted(path.name for path in out.iterdir()) == [*names, "contact-sheet.png", "index.html"]
    lines = result.output.splitlines()
    assert [line.split()[0] for line in lines[:5]] == [str(out / name) for name in names]
    assert lines[5].startswith("Wrote 5 avatars by the model coherent of 12 built-in faces; seed 3.")
    expected = generate(CoherentModel(embedded_sources((44, 46)).pixels), 5, 3)
    for name, avatar in zip(names, expected, strict=True):
        np.testing.assert_array_equal(pixels_of(out / name), avatar.pixels)


@pytest.mark.parametrize("model", ["channel", "pixel", "coherent"])
def test_metadata_and_json_say_the_same(tmp_path: Path, model: str) -> None:
    out = tmp_path / "out"
    result = run(
        *("--images", images(tmp_path / "in"), "--model", model, "-n", 2, "--seed", 5),
        *("--output", out, "--format", "json", "--smoothing", 0.25),
    )
    assert result.exit_code == 0, result.output
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [row.pop("file") for row in rows] == [str(out / f"avatar-000{number}.png") for number in (1, 2)]
    for number, row in enumerate(rows, start=1):
        found = texts(out / f"avatar-000{number}.png")
        written = {name: text if name == "model" else json.loads(text) for name, text in found.items()}
        assert written == row
        assert row["number"] == number
        assert (row["model"], row["seed"], row["sources"], row["smoothing"]) == (model, 5, 3, 0.25)
        assert row["bits_per_pixel"] == pytest.approx(-row["log_probability"] / np.log(2) / 120)
        assert ("independent_log_probability" in row) is ("coherence" in row) is (model == "coherent")
    assert "Wrote 2 avatars" in result.stderr


def test_a_seed_that_was_not_given_is_told_and_gives_the_same_again(tmp_path: Path) -> None:
    first, second, again = (tmp_path / name for name in ("first", "second", "again"))
    source = images(tmp_path / "in")
    results = [run("--images", source, "-n", 1, "--output", folder) for folder in (first, second)]
    told = [re.search(r"Wrote 1 avatar .*; seed (\d+)\.", result.output) for result in results]
    assert told[0] is not None
    assert told[1] is not None
    assert told[0][1] != told[1][1]
    run("--images", source, "-n", 1, "--output", again, "--seed", told[0][1])
    assert (first / "avatar-0001.png").read_bytes() == (again / "avatar-0001.png").read_bytes()


def test_the_contact_sheet_and_the_page_show_all(tmp_path: Path) -> None:
    source = images(tmp_path / "in", size=(40, 30))
    out = tmp_path / "out"
    assert run("--images", source, "-n", 7, "--output", out, "--seed", 1).exit_code == 0
    sheet = pixels_of(out / "contact-sheet.png")
    assert sheet.shape == (3 * 38 + 8, 3 * 48 + 8, 3)
    fourth = pixels_of(out / "avatar-0004.png")
    np.testing.assert_array_equal(sheet[46:76, 8:48], fourth)
    page = (out / "index.html").read_text(encoding="utf-8")
    assert re.findall(r'src="([^"]+)"', page) == [f"avatar-000{number}.png" for number in range(1, 8)]
    assert "bits per pixel" in page
    assert "<script" not in page


def test_what_a_folder_is_called_is_no_html(tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run("--images", images(tmp_path / "<b>&"), "-n", 1, "--output", out).exit_code == 0
    assert "&lt;b&gt;&amp;" in (out / "index.html").read_text(encoding="utf-8")


def test_faces_of_styles(tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = run(
        "--from-style", "-n", 4, "--seed", 9, "--output", out, "--given", "цвет волос=рыжий", "--format", "json"
    )
    assert result.exit_code == 0, result.output
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    model = StyleModel.independent(default_table()).given({"цвет волос": "рыжий"})
    for row, style in zip(rows, model.sample(4, 9), strict=True):
        assert row["style"] == dict(style.values)
        assert row["style"]["цвет волос"] == "рыжий"
        assert row["style_probability"] == style.probability
        assert json.loads(texts(Path(row["file"]))["style"]) == row["style"]
        assert "bits_per_pixel" not in row
    with Image.open(out / "avatar-0001.png") as face:
        assert face.size == (264, 280)


def test_faces_of_another_table(tmp_path: Path) -> None:
    table = tmp_path / "table.json"
    table.write_text(json.dumps({"counts": {"цвет волос": {"зеленый": 3, "черный": 1}}}), encoding="utf-8")
    result = run("--from-style", "--styles", table, "--output", tmp_path / "out")
    assert isinstance(result.exception, DataError)
    assert "lacks 'прическа'" in str(result.exception)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-n", "0"], "0 is not in the range"),
        (["--seed", "-1"], "-1 is not in the range"),
        (["--coherence", "1.1"], "1.1 is not in the range"),
        (["--smoothing", "nan"], "not a finite number"),
        (["--coherence", "nan"], "not a finite number"),
        (["--smoothing", "-1"], "-1.0 is not in the range"),
        (["--resize", "0x5"], "neither WxH"),
        (["--resize", "264"], "neither WxH"),
        (["--resize", "9999x10"], "sides of 1 to 4096"),
        (["--model", "potts"], "'potts' is not one of"),
        (["--model", "pixel", "--coherence", "0.5"], "leave it out with --model pixel"),
        (["--from-style", "--model", "pixel"], "--model is for pictures made of images"),
        (["--from-style", "--resize", "first"], "--resize first needs --images"),
        (["--given", "цвет волос=рыжий"], "give it with --from-style"),
        (["--from-style", "--given", "цвет волос=рижий"], "рыжий"),
    ],
)
def test_wrong_usage(tmp_path: Path, arguments: list[str], said: str) -> None:
    result = run("--output", tmp_path / "out", *arguments)
    assert result.exit_code == 2
    assert said in result.output
    assert not (tmp_path / "out").exists()


@pytest.mark.process
@pytest.mark.parametrize("line", ["gen avatar --help", "gen avatar -n 0", "gen avatar --from-style --model pixel"])
def test_help_and_wrong_usage_load_neither_numpy_nor_pillow(line: str) -> None:
    program = (
        "import sys\n"
        "from monitor.cli import main\n"
        "try:\n"
        "    main()\n"
        "finally:\n"
        "    print({'numpy', 'PIL', 'scipy', 'torch'} & {name.partition('.')[0] for name in sys.modules})\n"
    )
    ended = subprocess.run([sys.executable, "-c", program, *line.split()], capture_output=True, text=True)
    assert ended.stdout.splitlines()[-1] == "set()", ended.stderr


def test_every_option_is_documented() -> None:
    page = (Path(__file__).parents[3] / "docs" / "generators.md").read_text(encoding="utf-8")
    section = page.partition("\n## Avatars\n")[2].partition("\n## ")[0]
    options = [option for parameter in command.params for option in parameter.opts]
    assert [option for option in options if option not in section and option != "--number"] == []
