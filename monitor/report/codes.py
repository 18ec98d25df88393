"""Draws the codes that a detector makes of crops: principal components, t-SNE and UMAP."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from monitor.configuration.extras import is_installed
from monitor.report.style import HALF, INK, NE_PROLIV, PROLIV, drawn, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

# Draw at most this many crops: the time of t-SNE grows faster than their number, and points would hide one another.
MOST_POINTS: Final = 1500
# t-SNE and UMAP start from this many principal components, which costs little and removes noise.
COMPONENTS: Final = 50
# With fewer crops than this, a picture of the codes shows nothing.
FEWEST_POINTS: Final = 8
# The same crops give the same picture.
SEED: Final = 0


@dataclass(frozen=True)
class Components:
    """The first C principal components, 2 <= C <= `COMPONENTS`, of the codes of N crops and of K prototypes.

    ``crops``: float64 (N, C); ``prototypes``: float64 (K, C). ``shares``: the share of the codes' variance, 0-1, that
    each component holds.
    """

    crops: Floats
    prototypes: Floats
    shares: tuple[float, ...]

    @property
    def together(self) -> Floats:
        """float64 (N + K, C): the crops, then the prototypes."""
        return np.concatenate([self.crops, self.prototypes])


@dataclass(frozen=True)
class Projection:
    """Points in the plane: of N crops, float64 (N, 2), and of K prototypes, float64 (K, 2), with the axes' names."""

    crops: Floats
    prototypes: Floats
    axes: tuple[str, str]


def sample(proliv: NDArray[np.bool_], most: int = MOST_POINTS) -> NDArray[np.intp]:
    """Draw at most ``most`` of N crops by their labels, bool (N,), True = proliv; returns rows, ascending.

    The same labels give the same rows. Proliv is rare, so all of it is drawn as long as it is no more than a third.
    """
    if len(proliv) <= most:
        return np.arange(len(proliv))
    generator = np.random.default_rng(SEED)
    rare, common = np.flatnonzero(proliv), np.flatnonzero(~proliv)
    few = min(len(rare), max(most // 3, most - len(common)))
    parts = [generator.choice(part, size, replace=False) for part, size in ((rare, few), (common, most - few))]
    return np.sort(np.concatenate(parts))


def components(codes: Floats, prototypes: Floats) -> Components:
    """The principal components of N codes, float64 (N, D), with K prototypes, float64 (K, D), in the same coordinates.

    With the singular value decomposition of the centred codes, X = U S V^T, the components are X V, and the j-th
    holds the share s_j^2 / sum(s^2) of the variance (Pearson, Philosophical Magazine 2, 1901).
    """
    centre = codes.mean(axis=0)
    _, spread, directions = np.linalg.svd(codes - centre, full_matrices=False)
    variances = np.square(spread)
    shares = (variances / max(float(variances.sum()), np.finfo(np.float64).tiny))[:COMPONENTS]
    turned = [(points - centre) @ directions[:COMPONENTS].T for points in (codes, prototypes)]
    # Codes of a single number have one component, and the plane needs two.
    missing = max(0, 2 - len(shares))
    crops, stars = (np.pad(points, ((0, 0), (0, missing))) for points in turned)
    return Components(crops, stars, (*shares.tolist(), *[0.0] * missing))


def principal(points: Components) -> Projection:
    """The first two components themselves."""
    first, second = (
        f"principal component {number} ({100 * share:.0f} % of the variance)"
        for number, share in enumerate(points.shares[:2], 1)
    )
    return Projection(points.crops[:, :2], points.prototypes[:, :2], (first, second))


def has_tsne() -> bool:
    """Whether scikit-learn, which holds t-SNE, is installed."""
    return is_installed("sklearn")


def has_umap() -> bool:
    """Whether umap-learn is installed."""
    return is_installed("umap")


def tsne(points: Components) -> Projection:
    """t-SNE (van der Maaten and Hinton, JMLR 9, 2008) of crops and prototypes together.

    At least `FEWEST_POINTS` crops are needed.
    """
    from sklearn.manifold import TSNE

    perplexity = min(30.0, (len(points.together) - 1) / 3)
    # The usual 1,000 steps give a picture that looks the same, and take almost twice the time.
    method = TSNE(n_components=2, perplexity=perplexity, init="pca", max_iter=600, random_state=SEED)
    return _split(method.fit_transform(points.together), points, "t-SNE")


def umap(points: Components) -> Projection:
    """UMAP (McInnes, Healy and Melville, arXiv 1802.03426) of crops and prototypes together.

    At least `FEWEST_POINTS` crops are needed.
    """
    with warnings.catch_warnings():
        # It warns that TensorFlow is missing, which is not needed here, and that a seed makes it use one thread.
        warnings.simplefilter("ignore")
        from umap import UMAP

        method = UMAP(n_components=2, n_neighbors=min(15, len(points.together) - 1), random_state=SEED)
        return _split(method.fit_transform(points.together), points, "UMAP")


@drawn
def scatter(projection: Projection, proliv: NDArray[np.bool_], measured: NDArray[np.bool_]) -> Figure:
    """Codes in the plane, coloured by label, bool (N,), True = proliv; prototypes are stars.

    ``measured``, bool (N,): True for crops of the test, which are drawn filled; those that the threshold was chosen
    from are hollow.
    """
    figure = new_figure(HALF, 4.7)
    axes = figure.subplots()
    for is_proliv, is_measured in ((False, False), (False, True), (True, False), (True, True)):
        rows = (proliv == is_proliv) & (measured == is_measured)
        if not rows.any():
            continue
        colour = PROLIV if is_proliv else NE_PROLIV
        part = "test" if is_measured else "proliv/" if is_proliv else "held-out"
        name = f"{'proliv' if is_proliv else 'ne_proliv'}, {part}"
        across, upwards = projection.crops[rows].T
        axes.scatter(
            across,
            upwards,
            s=26 if is_proliv else 12,
            marker="^" if is_proliv else "o",
            facecolors=colour if is_measured else "none",
            edgecolors=colour,
            linewidths=0.7,
            alpha=0.75,
            label=f"{name}: {rows.sum():,}",
        )
    if len(projection.prototypes):
        across, upwards = projection.prototypes.T
        axes.scatter(
            across, upwards, s=170, marker="*", facecolors="#F0E442", edgecolors=INK, linewidths=1.0,
            label=f"prototypes: {len(projection.prototypes)}",
        )  # fmt: skip
    axes.set_xlabel(projection.axes[0])
    axes.set_ylabel(projection.axes[1])
    figure.legend(loc="outside lower center", ncols=2, fontsize=8)
    return figure


def _split(plane: NDArray[np.floating[Any]], points: Components, name: str) -> Projection:
    """Split points that were arranged together, (N + K, 2), into crops and prototypes."""
    count = len(points.crops)
    return Projection(
        plane[:count].astype(np.float64),
        plane[count:].astype(np.float64),
        (f"{name} 1 (no unit)", f"{name} 2 (no unit)"),
    )
