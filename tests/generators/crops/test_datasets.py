"""Synthetic crops: the same seed gives the same files, laid out and named like real ones, and looking like them."""

import re
from collections.abc import Callable
from datetime import datetime
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray
from PIL import Image

from generators.commands import gen
from generators.crops.camera import Wander
from generators.crops.datasets import CastingTable, DatasetSummary, crop_name, encode, write_dataset
from generators.crops.drawing import smooth_noise
from generators.crops.holes import CROP_HEIGHTS, CROP_WIDTHS, Hole
from monitor.api import OutputError

REAL_NAME = re.compile(r"\d{1,2}_CAM_[A-Z]_\d{2}-\d{2}-\d{4}_\d{2}-\d{2}-\d{2}-\d{3}\.jpg")
MADE = 340


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("crops") / "made", seed=3)


def make(folder: Path, seed: int) -> Path:
    write_dataset(folder, train=240, proliv=20, test=80, seed=seed)
    return folder


def read(folder: Path) -> list[NDArray[np.uint8]]:
    return [np.asarray(Image.open(path).convert("RGB")) for path in sorted(folder.iterdir())]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.jpg")}


def chaos(crop: NDArray[np.uint8]) -> float:
    """Mean step between neighbouring pixels in the middle of a crop, in grey levels."""
    grey = crop.mean(axis=2)
    height, width = grey.shape
    middle = grey[height // 3 : -height // 6, width // 3 : -width // 3]
    return float(np.abs(np.diff(middle, axis=0)).mean() + np.abs(np.diff(middle, axis=1)).mean())


def draw(kind: Callable[..., NDArray[np.uint8]], count: int = 4) -> list[NDArray[np.uint8]]:
    generator = np.random.default_rng(11)
    return [crop for hole in CastingTable(2, holes=12).holes for crop in kind(hole, count, generator)]


@pytest.mark.process
def test_same_seed_gives_the_same_bytes(dataset: Path, tmp_path: Path) -> None:
    assert contents(make(tmp_path / "again", seed=3)) == contents(dataset)


def test_another_seed_gives_other_crops(dataset: Path, tmp_path: Path) -> None:
    other = contents(make(tmp_path / "other", seed=4))
    assert not set(other.values()) & set(contents(dataset).values())


def test_layout_and_counts(tmp_path: Path) -> None:
    advances: list[int] = []
    summary = write_dataset(tmp_path / "made", train=30, proliv=5, test=40, empty_share=0.5, progress=advances.append)
    assert summary == DatasetSummary(train=30, proliv=5, test_proliv=10, test_empty=5, test_normal=30)
    found = {name: len(read(tmp_path / "made" / name)) for name in ("train", "proliv", "test/proliv", "test/ne_proliv")}
    assert found == {"train": 30, "proliv": 5, "test/proliv": 10, "test/ne_proliv": 30}
    assert sum(advances) == summary.total == 75


def test_names_are_unique_and_real(dataset: Path) -> None:
    names = [path.name for path in dataset.rglob("*.jpg")]
    assert len(names) == MADE == len(set(names))
    assert [name for name in names if not REAL_NAME.fullmatch(name)] == []


@pytest.mark.process
def test_a_burst_of_one_hole_keeps_its_names_apart(tmp_path: Path) -> None:
    write_dataset(tmp_path / "made", train=0, proliv=900, test=0)
    assert len(list((tmp_path / "made" / "proliv").iterdir())) == 900


def test_sizes_of_crops_and_files(dataset: Path) -> None:
    crops = read(dataset / "train")
    assert {CROP_HEIGHTS[0] <= crop.shape[0] <= CROP_HEIGHTS[1] for crop in crops} == {True}
    assert {CROP_WIDTHS[0] <= crop.shape[1] <= CROP_WIDTHS[1] for crop in crops} == {True}
    assert len({crop.shape for crop in crops}) > 10
    assert 950 < np.mean([path.stat().st_size for path in (dataset / "train").iterdir()]) < 1200


@pytest.mark.parametrize("seed", [0, 5])
def test_colours_are_close_to_real_ones(seed: int) -> None:
    generator = np.random.default_rng(seed)
    pixels = np.concatenate(
        [crop.reshape(-1, 3) for hole in CastingTable(seed).holes for crop in hole.normal(4, generator)]
    )
    np.testing.assert_allclose(pixels.mean(axis=0) / 255, (0.424, 0.534, 0.462), atol=0.02)
    np.testing.assert_allclose(pixels.std(axis=0) / 255, (0.047, 0.053, 0.049), atol=0.012)


def test_proliv_is_brighter_and_more_chaotic_than_normal() -> None:
    normal, proliv = draw(Hole.normal), draw(Hole.proliv)
    assert np.median([chaos(crop) for crop in proliv]) > 2.5 * np.median([chaos(crop) for crop in normal])
    assert np.median([crop.max() for crop in proliv]) > np.median([crop.max() for crop in normal]) + 25


def test_empty_holes_are_smooth() -> None:
    normal, empty = draw(Hole.normal), draw(Hole.empty)
    assert np.quantile([chaos(crop) for crop in empty], 0.75) < np.median([chaos(crop) for crop in normal])


def test_proliv_folder_holds_no_empty_hole(dataset: Path) -> None:
    limit = max(chaos(crop) for crop in draw(Hole.normal)) / 2
    assert min(chaos(crop) for crop in read(dataset / "proliv")) > limit
    assert sum(chaos(crop) < limit for crop in read(dataset / "test" / "proliv")) >= 3


def test_a_hole_keeps_its_look() -> None:
    """Two crops of one hole differ far less than crops of two holes of the same size."""
    generator = np.random.default_rng(0)
    holes = CastingTable(0, holes=10).holes
    looks = [hole.normal(8, generator)[:, :24, :46].astype(float) for hole in holes]
    within = np.mean([look.std(axis=0).mean() for look in looks])
    between = np.std([look.mean(axis=0) for look in looks], axis=0).mean()
    assert within < between / 1.5


def test_the_light_changes_over_hours_and_not_over_a_second() -> None:
    hole = CastingTable(0, holes=1).holes[0]
    hours = hole.normal(200, np.random.default_rng(0), seconds=np.arange(200, dtype=np.float64) * 1800)
    seconds = hole.normal(200, np.random.default_rng(0), seconds=np.arange(200, dtype=np.float64) / 100)
    assert hours.mean(axis=(1, 2, 3)).std() > 2 * seconds.mean(axis=(1, 2, 3)).std()


def test_the_light_at_a_moment_is_that_of_every_hole_of_the_camera() -> None:
    seconds = np.arange(60, dtype=np.float64) * 3600
    brightness = [
        hole.normal(60, np.random.default_rng(0), seconds=seconds).mean(axis=(1, 2, 3))
        for hole in CastingTable(0, holes=2).holes
    ]
    assert np.corrcoef(brightness)[0, 1] > 0.8


def test_a_wander_has_mean_0_and_variance_1_over_time_and_knows_every_moment() -> None:
    wander = Wander(np.random.default_rng(0), 10, 1000)
    seconds = np.linspace(0, 1e6, 100_000)
    values = wander.at(seconds)
    np.testing.assert_allclose([values.mean(), values.std()], [0, 1], atol=0.02)
    np.testing.assert_array_equal(wander.at(seconds[777:779]), values[777:779])


def test_moments_that_are_not_one_for_each_crop_are_refused() -> None:
    hole = CastingTable(0, holes=1).holes[0]
    with pytest.raises(ValueError, match=re.escape("3 crops need (3,)")):
        hole.normal(3, np.random.default_rng(0), seconds=np.zeros(2))


def test_metal_spreads_as_it_grows() -> None:
    """From the first drops, hardly to be seen, to a stream through the hole."""
    covered = []
    for growth in (0.05, 0.3, 0.6, 1.0):
        differences = []
        for hole in CastingTable(2, holes=12).holes:
            seconds, far = np.zeros(1), np.full(1, growth, dtype=np.float32)
            usual = hole.normal(1, np.random.default_rng(0), seconds=seconds).astype(float)
            poured = hole.proliv(1, np.random.default_rng(0), seconds=seconds, growth=far, event=5).astype(float)
            differences.append((np.abs(poured - usual).max(axis=-1) > 25).mean())
        covered.append(np.mean(differences))
    assert 0 < covered[0] < 0.1
    assert covered == sorted(covered)
    assert covered[-1] > 0.25


def test_the_stream_of_one_event_stays_where_it_is() -> None:
    """Frames of one event are more alike than frames of two, although the glitter differs in every frame."""
    hole, far = CastingTable(0, holes=1).holes[0], np.ones(6, dtype=np.float32)
    one, same, other = (
        hole.proliv(6, np.random.default_rng(number), seconds=np.zeros(6), growth=far, event=event).mean(axis=0)
        for number, event in ((1, 7), (2, 7), (3, 8))
    )
    assert np.abs(one - same).mean() < 0.8 * np.abs(one - other).mean()
    assert np.abs(one - same).mean() > 1


def test_an_obstacle_is_known_by_its_number() -> None:
    hole, seconds = CastingTable(0, holes=1).holes[0], np.zeros(4)
    free = hole.normal(4, np.random.default_rng(1), seconds=seconds, obstacles=np.zeros(4, dtype=np.int64))
    covered = hole.normal(4, np.random.default_rng(1), seconds=seconds, obstacles=np.array([0, 5, 5, 9]))
    changed = np.abs(covered.astype(float) - free).max(axis=-1) > 15
    assert not changed[0].any()
    assert (changed[1] != changed[2]).mean() < 0.05 < (changed[1] != changed[3]).mean()


def test_obstacles_change_only_what_they_cover() -> None:
    hole = CastingTable(0, holes=1).holes[0]
    free = hole.normal(40, np.random.default_rng(1)).astype(float)
    covered = hole.normal(40, np.random.default_rng(1), obstacle_share=1.0).astype(float)
    changed = (np.abs(covered - free).max(axis=-1) > 15).mean(axis=(1, 2))
    assert changed.min() > 0.01
    assert changed.max() < 0.6


def test_smooth_noise_has_unit_variance_everywhere() -> None:
    fields = smooth_noise(np.random.default_rng(0), (4000, 9, 11), (2.5, 3.3))
    np.testing.assert_allclose(fields.std(axis=0), 1, atol=0.06)
    np.testing.assert_allclose(fields.mean(axis=0), 0, atol=0.08)


def test_drawing_none_gives_an_empty_batch() -> None:
    hole = CastingTable(0, holes=1).holes[0]
    for kind in (hole.normal, hole.proliv, hole.empty):
        crops = kind(0, np.random.default_rng(0))
        assert crops.shape == (0, hole.height, hole.width, 3)
        assert crops.dtype == np.uint8


def test_encode_keeps_the_picture() -> None:
    crop = CastingTable(0, holes=1).holes[0].normal(1, np.random.default_rng(0))[0]
    decoded = np.asarray(Image.open(BytesIO(encode(crop))), dtype=float)
    assert np.abs(decoded - crop).mean() < 2


@pytest.mark.parametrize("occupied", ["folder", "file"])
def test_an_occupied_place_is_refused(tmp_path: Path, occupied: str) -> None:
    out = tmp_path / "out"
    if occupied == "folder":
        out.mkdir()
        (out / "kept.txt").write_text("kept")
    else:
        out.write_text("kept")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(OutputError, match=re.escape(str(out))):
        write_dataset(out, train=1, proliv=1, test=4)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_place_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file/out/train: cannot be written: Not a directory; choose another folder"):
        write_dataset(tmp_path / "file" / "out", train=1, proliv=1, test=4)


def test_command_writes_and_says_so(tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = CliRunner().invoke(gen, ["crops", str(out), "--train", "8", "--proliv", "2", "--test", "8", "--seed", "1"])
    assert result.exit_code == 0, result.output
    assert result.output.startswith(f"Wrote 18 crops into {out}: 8 to train on")
    assert result.output.count("\n") == 1
    assert len(list(out.rglob("*.jpg"))) == 18


@pytest.mark.parametrize("option", [("--train", "-1"), ("--empty", "1.5"), ("--seed", "-2"), ("--test", "many")])
def test_command_refuses_wrong_numbers(tmp_path: Path, option: tuple[str, str]) -> None:
    result = CliRunner().invoke(gen, ["crops", str(tmp_path / "out"), *option])
    assert result.exit_code == 2
    assert not (tmp_path / "out").exists()


def test_command_refuses_an_occupied_folder(tmp_path: Path) -> None:
    (tmp_path / "kept.txt").write_text("kept")
    result = CliRunner().invoke(gen, ["crops", str(tmp_path)])
    assert isinstance(result.exception, OutputError)
    assert result.exception.exit_code == 73


def test_crop_name() -> None:
    moment = datetime(2023, 3, 1, 5, 39, 27, 929_000)  # noqa: DTZ001
    assert crop_name(10, "C", moment) == "10_CAM_C_01-03-2023_05-39-27-929.jpg"
