"""Pictures of the codes that a detector makes of crops: principal components, t-SNE and UMAP."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from monitor.report.style import HALF, INK, NE_PROLIV, PROLIV, drawn, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

MOST_POINTS: Final = 1500
"""More crops than these are not drawn: t-SNE's time grows faster than their number, and points would cover points."""
COMPONENTS: Final = 50
"""t-SNE and UMAP start from so many principal components, which costs little and takes the noise away."""
FEWEST_POINTS: Final = 8
SEED: Final = 0


@dataclass(frozen=True)
class Components:
    """The first C principal components, 2 <= C <= `COMPONENTS`: of N crops' codes, float64 (N, C), and of K prototypes,
    float64 (K, C). ``shares``: the part of the codes' variance, 0-1, that each of them holds.
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
    """Draw the rows of at most ``most`` of N crops, labels bool (N,), True = proliv, ascending and always the same.

    Proliv are rare, so all of them are drawn as long as they take no more than a third.
    """
    if len(proliv) <= most:
        return np.arange(len(proliv))
    generator = np.random.default_rng(SEED)
    rare, common = np.flatnonzero(proliv), np.flatnonzero(~proliv)
    few = min(len(rare), max(most // 3, most - len(common)))
    parts = [generator.choice(part, size, replace=False) for part, size in ((rare, few), (common, most - few))]
    return np.sort(np.concatenate(parts))


def components(codes: Floats, prototypes: Floats) -> Components:
    """The principal components of N codes, float64 (N, D); prototypes, (K, D), are put among them.

    With the singular value decomposition of the centred codes, X = U S V^T, the components are X V, and the j-th
    holds the share s_j^2 / sum(s^2) of the variance (Pearson, Philosophical Magazine 2, 1901).
    """
    centre = codes.mean(axis=0)
    _, spread, directions = np.linalg.svd(codes - centre, full_matrices=False)
    variances = np.square(spread)
    shares = (variances / max(float(variances.sum()), np.finfo(np.float64).tiny))[:COMPONENTS]
    turned = [(points - centre) @ directions[:COMPONENTS].T for points in (codes, prototypes)]
    # A code of a single number has one component; the plane needs two.
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
    return find_spec("sklearn") is not None


def has_umap() -> bool:
    """Whether umap-learn is installed."""
    return find_spec("umap") is not None


def tsne(points: Components) -> Projection:
    """t-SNE (van der Maaten and Hinton, JMLR 9, 2008) of crops and prototypes together.

    At least `FEWEST_POINTS` crops are needed.
    """
    from sklearn.manifold import TSNE

    perplexity = min(30.0, (len(points.together) - 1) / 3)
    # After the usual 1,000 steps the picture is the same to the eye, and takes almost twice the time.
    method = TSNE(n_components=2, perplexity=perplexity, init="pca", max_iter=600, random_state=SEED)
    return _split(method.fit_transform(points.together), points, "t-SNE")


def umap(points: Components) -> Projection:
    """UMAP (McInnes, Healy and Melville, arXiv 1802.03426) of crops and prototypes together.

    At least `FEWEST_POINTS` crops are needed.
    """
    with warnings.catch_warnings():
        # It warns that TensorFlow is missing, which it does not need here, and that a seed makes it use one thread.
        warnings.simplefilter("ignore")
        from umap import UMAP

        method = UMAP(n_components=2, n_neighbors=min(15, len(points.together) - 1), random_state=SEED)
        return _split(method.fit_transform(points.together), points, "UMAP")


@drawn
def scatter(projection: Projection, proliv: NDArray[np.bool_], measured: NDArray[np.bool_]) -> Figure:
    """Codes in the plane by label, bool (N,), True = proliv; prototypes are stars.

    ``measured``, bool (N,): crops of the test, drawn filled; those that the threshold was chosen from are hollow.
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
    """Tell the crops from the prototypes that were arranged with them."""
    count = len(points.crops)
    return Projection(
        plane[:count].astype(np.float64),
        plane[count:].astype(np.float64),
        (f"{name} 1 (no unit)", f"{name} 2 (no unit)"),
    )
