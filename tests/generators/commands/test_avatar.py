"""``monitor gen avatar``: files, metadata, what it says, and what it refuses."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from generators.avatars.models import CoherentModel, embedded_sources, generate
from generators.avatars.sources import read_sources
from generators.commands import gen
from generators.commands.avatar import command
from generators.styles.sampling import StyleModel, default_table
from monitor.api import DataError, InputMissingError, OutputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

SMALL = "44x46"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(gen, ["avatar", *map(str, arguments)])


def images(folder: Path, *, count: int = 3, size: tuple[int, int] = (12, 10), mode: str = "RGB") -> Path:
    """A folder of images ``0.png``, ``1.png``, ... of noise."""
    folder.mkdir()
    generator = np.random.default_rng(1)
    for number in range(count):
        pixels = generator.integers(0, 256, (size[1], size[0], 4), dtype=np.uint8)
        Image.fromarray(pixels).convert(mode).save(folder / f"{number}.png")
    return folder


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


def refusal(error: type[Exception], *arguments: object) -> str:
    result = run(*arguments)
    assert isinstance(result.exception, error), result.output
    return str(result.exception)


def save(path: Path, mode: str, size: tuple[int, int] = (12, 10), **options: Any) -> None:
    Image.new(mode, size).save(path, **options)


def truncated(path: Path) -> None:
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (10, 12, 3), dtype=np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:-200])


def animated(path: Path) -> None:
    frames = [Image.new("RGB", (12, 10), colour) for colour in ("red", "blue")]
    frames[0].save(path, save_all=True, append_images=frames[1:])


def sixteen_bits_of_colour(path: Path) -> None:
    import struct
    import zlib

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 12, 10, 16, 2, 0, 0, 0)
    rows = zlib.compress((b"\0" + b"\x12\x34" * 36) * 10)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b""))


@pytest.mark.parametrize(
    ("name", "make", "said"),
    [
        ("9.png", lambda path: save(path, "RGB", (10, 12)), r"is 10x12 pixels, but 0.png is 12x10; .*--resize 12x10"),
        ("9.png", lambda path: path.write_bytes(b"not an image"), "is damaged or not an image of a known kind"),
        ("9.png", lambda path: path.write_bytes(b""), "is damaged or not an image of a known kind"),
        ("9.png", truncated, "is damaged or not an image of a known kind"),
        ("9.gif", animated, "is animated"),
        ("9.png", animated, "is animated"),
        ("9.tif", animated, "has several pages"),
        ("9.png", lambda path: save(path, "I;16"), "has 16 bits a channel"),
        ("9.png", sixteen_bits_of_colour, "has 16 bits a channel"),
        ("9.tif", lambda path: save(path, "F"), "has the mode F"),
        ("9.jpg", lambda path: save(path, "CMYK"), "has the mode CMYK"),
        ("9.png", lambda path: save(path, "1", (5000, 5000)), "has 5000x5000 pixels"),
        ("9.png", lambda path: save(path, "1", (15000, 15000)), "is the most"),
        ("9.png", lambda path: path.symlink_to("nowhere"), "cannot be read"),
    ],
)
def test_images_that_do_not_fit(tmp_path: Path, name: str, make: Callable[[Path], None], said: str) -> None:
    folder = images(tmp_path / "in")
    make(folder / name)
    message = refusal(
        InputMissingError if said == "cannot be read" else DataError,
        *("--images", folder, "--output", tmp_path / "out"),
    )
    assert message.startswith(f"{folder / name}: ")
    assert re.search(said, message)
    assert "\n" not in message
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("count", "said"), [(0, "holds no image"), (1, "holds a single image, 0.png")])
def test_too_few_images(tmp_path: Path, count: int, said: str) -> None:
    folder = images(tmp_path / "in", count=count)
    (folder / "notes.txt").write_text("none")
    (folder / "._0.png").write_bytes(b"what another system keeps beside images")
    (folder / "folder.png").mkdir()
    assert said in refusal(DataError, "--images", folder)


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "there is no such folder" in refusal(InputMissingError, "--images", tmp_path / "nowhere")
    assert "is a file" in refusal(InputMissingError, "--images", tmp_path / "file")


def test_too_many_pixels_in_all(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(8):
        save(folder / f"{number}.png", "L", (16, 16))
    message = refusal(DataError, "--images", folder, "--resize", "4096x4096")
    assert message.startswith(f"{folder}: 8 images of 4096x4096 pixels are too many")
    message = refusal(DataError, "--resize", "4096x4096")
    assert message.startswith("built-in faces: 12 images of 4096x4096 pixels are too many")


def test_images_of_different_sizes_are_brought_to_one(tmp_path: Path) -> None:
    folder = images(tmp_path / "in")
    save(folder / "9.png", "RGB", (30, 20))
    assert read_sources(folder, "first").pixels.shape == (4, 10, 12, 3)
    assert read_sources(folder, (7, 5)).pixels.shape == (4, 5, 7, 3)


def test_what_images_are_read_as(tmp_path: Path) -> None:
    """Grey, palettes and black-and-white become RGB; one with transparency makes all RGBA."""
    folder = images(tmp_path / "in", count=1)
    values = (np.arange(120, dtype=np.uint8) * 2).reshape(10, 12)
    grey = Image.fromarray(values)
    grey.save(folder / "grey.png")
    grey.convert("1").save(folder / "white.bmp")
    grey.convert("P").save(folder / "palette.gif")
    read = read_sources(folder)
    assert read.names == ("0.png", "grey.png", "palette.gif", "white.bmp")
    assert read.pixels.shape == (4, 10, 12, 3)
    np.testing.assert_array_equal(read.pixels[1], np.repeat(values[..., None], 3, axis=2))
    np.testing.assert_array_equal(read.pixels[2], read.pixels[1])
    Image.merge("LA", (grey, grey)).save(folder / "pale.png")
    grey.convert("P").save(folder / "stencil.png", transparency=0)
    read = read_sources(folder)
    assert read.pixels.shape == (6, 10, 12, 4)
    np.testing.assert_array_equal(read.pixels[2, ..., 3], values)
    assert set(np.unique(read.pixels[4, ..., 3])) == {0, 255}
    assert (read.pixels[[0, 1, 3, 5], ..., 3] == 255).all()


def test_images_are_turned_as_they_were_taken(tmp_path: Path) -> None:
    folder = images(tmp_path / "in", size=(10, 12))
    turned = Image.new("RGB", (12, 10))
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(folder / "9.jpg", exif=exif)
    assert read_sources(folder).pixels.shape == (4, 12, 10, 3)


def test_images_that_differ_in_too_little_may_be_copied_and_it_is_said(tmp_path: Path) -> None:
    folder = images(tmp_path / "in", count=1)
    with Image.open(folder / "0.png") as image:
        image.putpixel((3, 3), (1, 2, 3))
        image.save(folder / "1.png")
    result = run("--images", folder, "--output", tmp_path / "out")
    assert result.exit_code == 0
    assert "may be a copy" in result.stderr


@pytest.mark.process
def test_a_reader_that_has_enough_gets_all_files_all_the_same(
    tmp_path: Path, clean_environment: dict[str, str]
) -> None:
    # The pipe is closed before the first line is written.
    for form in ("text", "json"):
        out = tmp_path / form
        program = [sys.executable, "-m", "monitor", "gen", "avatar", "-n", "20", "--resize", SMALL, "--format", form]
        with subprocess.Popen(
            [*program, "--output", str(out)], env=clean_environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.close()
            messages = process.stderr.read()
        assert process.returncode == 0
        assert b"rror" not in messages
        assert len(list(out.glob("avatar-*.png"))) == 20
        assert (out / "index.html").is_file()
        assert (out / "contact-sheet.png").is_file()


def test_avatars_that_are_there_are_kept_unless_forced(tmp_path: Path) -> None:
    source, out = images(tmp_path / "in"), tmp_path / "out"
    assert run("--images", source, "-n", 3, "--seed", 1, "--output", out).exit_code == 0
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    message = refusal(OutputError, "--images", source, "-n", 2, "--seed", 2, "--output", out)
    assert message.startswith(f"{out / 'contact-sheet.png'} and 3 more of these names are there already")
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert run("--images", source, "-n", 2, "--seed", 2, "--output", out, "--force").exit_code == 0
    after = {path.name: path.read_bytes() for path in out.iterdir()}
    assert after["avatar-0003.png"] == before["avatar-0003.png"]
    assert all(after[name] != before[name] for name in ("avatar-0001.png", "avatar-0002.png", "index.html"))


def test_other_files_in_the_folder_are_no_hindrance(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("kept")
    assert run("--output", tmp_path, "--resize", SMALL, "-n", 1).exit_code == 0
    assert (tmp_path / "notes.txt").read_text() == "kept"


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    for out in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/avatars")):
        message = refusal(OutputError, "--from-style", "--output", out)
        assert message.startswith(f"{out}: ")
        assert "--output" in message
    (tmp_path / "out" / "avatar-0001.png").mkdir(parents=True)
    assert "avatar-0001.png" in refusal(OutputError, "--from-style", "--output", tmp_path / "out", "--force")


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
