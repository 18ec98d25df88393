from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from monitor.report import codes, style

if TYPE_CHECKING:
    from collections.abc import Callable

    from monitor.report.codes import Components, Floats, Projection

GENERATOR = np.random.default_rng(0)
PROLIV = np.arange(60) >= 45
CLOUDS = GENERATOR.normal(size=(60, 12)) + 9 * PROLIV[:, None]


def test_the_components_of_a_line_in_space() -> None:
    direction = np.array([2.0, 1.0, 2.0]) / 3
    across = np.array([1.0, -2.0, 0.0]) / np.sqrt(5)
    along, aside = GENERATOR.normal(scale=5, size=200), GENERATOR.normal(size=200)
    along, aside = along - along.mean(), aside - aside.mean()
    aside -= along * (aside @ along) / (along @ along)
    points = 7 + np.outer(along, direction) + np.outer(aside, across)
    projection = codes.principal(codes.components(points, 7 + np.array([[2.0, 1.0, 2.0]])))
    assert np.allclose(np.abs(projection.crops[:, 0]), np.abs(along))
    assert np.allclose(np.abs(projection.crops[:, 1]), np.abs(aside))
    # The prototype lies where a crop of the same code would.
    assert np.allclose(np.abs(projection.prototypes), [[3, 0]])
    share = 100 * along.var() / (along.var() + aside.var())
    assert projection.axes[0] == f"principal component 1 ({share:.0f} % of the variance)"


@pytest.mark.parametrize("points", [np.arange(9.0)[:, None], np.zeros((9, 5)), np.ones((9, 1)), np.eye(9)[:, :2]])
def test_codes_with_little_in_them_have_a_plane_too(points: Floats) -> None:
    projection = codes.principal(codes.components(points, np.empty((0, points.shape[1]))))
    assert projection.crops.shape == (9, 2)
    assert np.isfinite(projection.crops).all()
    assert style.as_png(codes.scatter(projection, np.arange(9) > 5, np.arange(9) > 3))


def apart(projection: Projection) -> bool:
    """Whether the crops of one label lie nearer to their own middle than to the other's."""
    middles = [projection.crops[label == PROLIV].mean(axis=0) for label in (False, True)]
    distances = np.stack([np.linalg.norm(projection.crops - middle, axis=1) for middle in middles])
    return bool((distances.argmin(axis=0) == PROLIV).all())


@pytest.mark.parametrize("project", [codes.principal, codes.tsne])
def test_two_clouds_stand_apart_always_alike(project: Callable[[Components], Projection]) -> None:
    if project is codes.tsne:
        pytest.importorskip("sklearn")
    projection = project(codes.components(CLOUDS, CLOUDS[:3]))
    assert apart(projection)
    assert projection.prototypes.shape == (3, 2)
    assert np.array_equal(projection.crops, project(codes.components(CLOUDS, CLOUDS[:3])).crops)


def test_the_fewest_points_are_enough() -> None:
    pytest.importorskip("sklearn")
    few = CLOUDS[: codes.FEWEST_POINTS]
    assert codes.tsne(codes.components(few, np.empty((0, 12)))).crops.shape == (codes.FEWEST_POINTS, 2)


def test_umap_where_it_is_installed() -> None:
    if not codes.has_umap():
        pytest.skip("needs the extra proliv-monitor[umap]")
    projection = codes.umap(codes.components(CLOUDS, CLOUDS[:2]))
    assert apart(projection)
    assert projection.prototypes.shape == (2, 2)


def test_a_sample_keeps_what_is_rare() -> None:
    proliv = np.arange(5000) % 50 == 0
    rows = codes.sample(proliv)
    assert len(rows) == len(set(rows.tolist())) == codes.MOST_POINTS
    assert proliv[rows].sum() == 100
    assert (np.diff(rows) > 0).all()
    assert np.array_equal(rows, codes.sample(proliv))


@pytest.mark.parametrize(("common", "rare"), [(0, 3000), (3000, 0), (100, 2900), (2000, 1000), (1500, 0), (3, 2)])
def test_a_sample_of_every_mixture(common: int, rare: int) -> None:
    proliv = np.arange(common + rare) >= common
    rows = codes.sample(proliv)
    assert len(rows) == min(common + rare, codes.MOST_POINTS)
    assert (~proliv[rows]).sum() >= min(common, codes.MOST_POINTS // 2)


def test_the_legend_counts_every_kind_of_point() -> None:
    projection = codes.principal(codes.components(CLOUDS, CLOUDS[:4]))
    figure = codes.scatter(projection, PROLIV, np.arange(60) % 2 == 0)
    assert {text.get_text() for text in figure.legends[0].get_texts()} == {
        "ne_proliv, held-out: 22",
        "ne_proliv, test: 23",
        "proliv, proliv/: 8",
        "proliv, test: 7",
        "prototypes: 4",
    }
