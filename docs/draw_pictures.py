"""Draws the pictures of the README from synthetic crops: ``python -m docs.draw_pictures``, or ``make pictures``.

It makes crops, trains contrast on them and chooses its threshold, all in a temporary folder and from one seed, so the
same versions of the libraries draw the same pictures.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from PIL import Image

from monitor.configuration.file import load
from monitor.crops.dataset import open_dataset
from monitor.crops.reader import Reader
from monitor.registry import Registry
from monitor.report import curves, style
from monitor.report.build import choose_subjects
from monitor.report.measuring import FolderPart, measure_folder, read_folder
from monitor.store.database.engine import Database

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from monitor.api import Detector
    from monitor.report.measuring import Judged

PICTURES: Final = Path(__file__).with_name("pictures")
CONFIGURATION: Final = '[pipeline]\nworkers = 1\ndevice = "cpu"\n'
DETECTOR: Final = "contrast"
# The README shows them all, and a page should open at once.
MOST_BYTES: Final = 150_000
# Of a crop and its heat map, width and height in pixels.
SHOWN_SIZE: Final = (240, 140)


def main() -> None:
    """Draw all pictures."""
    with tempfile.TemporaryDirectory() as name:
        judged, detector = _judged(Path(name))
    PICTURES.mkdir(exist_ok=True)
    _save("decisions.png", _decisions(judged, detector))
    _save("report.png", _excerpt(judged))


def _judged(folder: Path) -> tuple[Judged, Detector]:
    """What the model says of the crops of a data set that it is trained on in ``folder``."""
    config, data = folder / "config.toml", folder / "crops"
    config.write_text(CONFIGURATION, encoding="utf-8")
    for line in (["gen", "crops", data], ["train", DETECTOR, "--data", data], ["calibrate", "--data", data]):
        command = [sys.executable, "-m", "monitor", "--config", str(config), *map(str, line)]
        subprocess.run(command, check=True)  # noqa: S603 - our own interpreter and words
    configuration = load(config)
    database = Database(configuration.database_url, busy_seconds=30)
    subjects = choose_subjects(database, Registry.load(), configuration, ())
    crops = read_folder(open_dataset(data), Reader(configuration), subjects.held_out)
    measured = measure_folder(crops, subjects.loaded, subjects.ensemble, subjects.held_out, lambda _count: None)
    database.close()
    (model,) = subjects.loaded
    return measured.judged[model.name], model.detector


@style.drawn
def _decisions(judged: Judged, detector: Detector) -> Figure:
    """Crops of the test, above where the detector finds them abnormal: four that pass and four alarms."""
    rows = _chosen(judged)
    crops = [judged.crops[row] for row in rows]
    prepared = detector.prepare_batch([crop.pixels for crop in crops], [crop.hole for crop in crops])
    heatmaps = detector.heatmap(prepared)
    figure = style.new_figure(style.WHOLE, 2.35)
    grid = figure.subplots(2, len(rows))
    top = float(np.quantile(heatmaps, 0.995))
    for column, (row, crop) in enumerate(zip(rows, crops, strict=True)):
        above, below = grid[0][column], grid[1][column]
        # All in one size: crops differ by a few pixels.
        above.imshow(Image.fromarray(crop.pixels).resize(SHOWN_SIZE, Image.Resampling.BICUBIC))
        heatmap = Image.fromarray(heatmaps[column]).resize(SHOWN_SIZE, Image.Resampling.BICUBIC)
        below.imshow(np.asarray(heatmap), cmap="inferno", vmin=0, vmax=top)
        alarm = judged.scores[row] >= judged.threshold
        above.set_title(
            f"hole {crop.hole}\n{'proliv' if alarm else 'ne_proliv'}, {judged.scores[row] / judged.threshold:.2f}",
            color=style.PROLIV if alarm else style.NE_PROLIV,
            fontsize=10,
        )
        _bare(above)
        _bare(below)
    grid[0][0].set_ylabel("crop", fontsize=10)
    grid[1][0].set_ylabel("heat map", fontsize=10)
    figure.supxlabel("the number is the score in units of the threshold; from 1 on, it is an alarm", fontsize=9)
    return figure


def _chosen(judged: Judged) -> list[int]:
    """Four passed ne_proliv from the most normal one up, and four caught proliv from the weakest one up."""
    test, scores = judged.of(FolderPart.TEST), judged.scores
    passed = np.flatnonzero(test & ~judged.proliv & (scores < judged.threshold))
    caught = np.flatnonzero(test & judged.proliv & (scores >= judged.threshold))
    return [*_spread(passed, scores, (0.05, 0.5, 0.9, 0.97)), *_spread(caught, scores, (0.05, 0.35, 0.7, 0.97))]


def _spread(rows: NDArray[np.intp], scores: NDArray[np.float64], shares: tuple[float, ...]) -> list[int]:
    """The rows at these shares of the way from the lowest score to the highest."""
    upwards = rows[np.argsort(scores[rows], kind="stable")]
    return [int(upwards[round(share * (len(upwards) - 1))]) for share in shares]


def _bare(axes: Axes) -> None:
    axes.set(xticks=[], yticks=[])
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _excerpt(judged: Judged) -> NDArray[np.uint8]:
    """Two figures of the report, side by side: the scores by label, and what any other threshold would do."""
    test, proliv, scores = judged.of(FolderPart.TEST), judged.proliv, judged.scores
    groups = [
        curves.Group("test, ne_proliv", False, scores[test & ~proliv], True),
        curves.Group("test, proliv", True, scores[test & proliv], True),
    ]
    evidence = ~test
    samples = [
        curves.Sample("held-out and proliv/", scores[evidence & ~proliv], scores[evidence & proliv], False),
        curves.Sample("test", scores[test & ~proliv], scores[test & proliv], True),
    ]
    drawn = [
        curves.histogram(groups, judged.threshold, "score of patchstats"),
        curves.rates(samples, judged.threshold, "score of patchstats"),
    ]
    pictures = [style.as_pixels(figure) for figure in drawn]
    height = min(picture.shape[0] for picture in pictures)
    return np.concatenate([picture[:height] for picture in pictures], axis=1)


def _save(name: str, picture: Any) -> None:
    """Write a figure or pixels as a PNG file of few colours, which is a third of the size and looks the same."""
    pixels = picture if isinstance(picture, np.ndarray) else style.as_pixels(picture)
    path = PICTURES / name
    Image.fromarray(pixels).quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
    size = path.stat().st_size
    print(f"{path}: {size:,} bytes")
    if size > MOST_BYTES:
        sys.exit(f"{path}: more than {MOST_BYTES:,} bytes; draw less")


if __name__ == "__main__":
    main()
