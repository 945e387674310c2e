"""Everything a report says about two corpora: the test, depths in both, a map, warnings, a verdict."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from xembed._results import Result, provenance
from xembed._validation import (
    RNG,
    FloatArray,
    check_embeddings,
    check_number,
    check_option,
    check_rng,
    check_same_dims,
    check_texts,
    describe_rng,
)
from xembed.depth import tte_depth
from xembed.depth._resultant import resultant
from xembed.shift._projection import pca_map, umap_map
from xembed.shift._rank_sum import RankSumResult, pooled_depths, rank_sum_test
from xembed.shift._verdict import concentration, depth_verdict

if TYPE_CHECKING:
    import pandas as pd

_PROJECTIONS = ("pca", "umap", "none")
_FEW = 20


@dataclass(frozen=True, repr=False)
class ShiftResult(Result):
    """Result of `compare_corpora`. Arrays over all texts hold those of F first, then those of G.

    Attributes
    ----------
    verdict : str
        What was found, in plain words with its numbers.
    shifted : bool
        Whether the test rejects at ``alpha``.
    alpha : float
        Level of the test.
    test : RankSumResult
        The rank-sum test.
    similarity_within_F, similarity_within_G, similarity_between : float
        Mean cosine of two different texts of F, of G, and of one of each, in [-1, 1].
    depths : ndarray of shape (n_F + n_G,)
        Depth of every text in F and G together, itself left out: what the tables of a report go by.
    depths_in_F, depths_in_G : ndarray of shape (n_F + n_G,)
        Depth of every text in F and in G, a text never counted in its own depth.
    coordinates : ndarray of shape (n_F + n_G, 2) or None
        Map of the texts, for looking at only.
    projection : str
        How the map was made: 'pca', 'umap' or 'none'.
    explained_variance : tuple of float or None
        Shares of the variance on the two axes of a PCA map.
    names : tuple of str
        What F and G are called.
    texts_F, texts_G : tuple of str or None
        The texts, if they were given.
    encoder : dict or None
        The model that the embeddings come from, if it was given.
    warnings : tuple of str
        What a reader should know before trusting the numbers.
    provenance : dict
        Function, parameters and versions.
    """

    schema: ClassVar[str] = "xembed.shift/1"

    verdict: str
    shifted: bool
    alpha: float
    test: RankSumResult
    similarity_within_F: float
    similarity_within_G: float
    similarity_between: float
    depths: npt.NDArray[np.float64]
    depths_in_F: npt.NDArray[np.float64]
    depths_in_G: npt.NDArray[np.float64]
    coordinates: npt.NDArray[np.float64] | None
    projection: str
    explained_variance: tuple[float, ...] | None
    names: tuple[str, ...]
    texts_F: tuple[str, ...] | None
    texts_G: tuple[str, ...] | None
    encoder: dict[str, Any] | None
    warnings: tuple[str, ...]
    provenance: dict[str, Any]

    def to_frame(self) -> pd.DataFrame:
        """Return a table with a row a text: corpus, row, depths and, where given, text and coordinates."""
        import pandas as pd

        n_F = len(self.depths) - self.test.n_G
        corpora = np.repeat(self.names, [n_F, self.test.n_G])
        columns: dict[str, Any] = {
            "corpus": corpora,
            "row": np.concatenate([np.arange(n_F), np.arange(self.test.n_G)]),
            "depth": self.depths,
            "depth_in_F": self.depths_in_F,
            "depth_in_G": self.depths_in_G,
        }
        if self.coordinates is not None:
            columns["x"], columns["y"] = self.coordinates.T
        if self.texts_F is not None and self.texts_G is not None:
            columns["text"] = [*self.texts_F, *self.texts_G]
        return pd.DataFrame(columns)


def compare_corpora(
    F: npt.ArrayLike,
    G: npt.ArrayLike,
    *,
    texts: tuple[Sequence[str], Sequence[str]] | None = None,
    alpha: float = 0.05,
    reference: str = "pooled",
    distance: str = "cosine",
    projection: str = "pca",
    confidence_level: float = 0.95,
    names: tuple[str, str] = ("F", "G"),
    encoder: Mapping[str, Any] | None = None,
    warnings: Sequence[str] = (),
    rng: RNG = None,
) -> ShiftResult:
    """Compare two corpora in embedding space, ready for a report.

    Parameters
    ----------
    F, G : array-like of shape (n_F, n_dims) and (n_G, n_dims)
        Embeddings; F is the reference corpus.
    texts : pair of sequences of str, optional
        The texts of F and of G, in the order of the rows.
    alpha : float in (0, 1), default=0.05
        Level of the verdict.
    reference, distance, confidence_level
        As in `rank_sum_test`.
    projection : {'pca', 'umap', 'none'}, default='pca'
        How texts are placed on the map. A map is an illustration, never evidence, UMAP less than PCA.
    names : pair of str, default=('F', 'G')
        What the report calls the two corpora.
    encoder : mapping, optional
        What made the embeddings (`Encoder.describe`), for the report.
    warnings : sequence of str, optional
        Warnings of earlier steps to show in the report, such as texts that were cut.
    rng : int, numpy.random.Generator or None, default=None
        For ``reference="split"`` and UMAP. None is seed 0.

    Returns
    -------
    ShiftResult
        With a ``verdict`` in words, the ``test``, and ``report(path)``.

    Raises
    ------
    ValueError, TypeError
        As `rank_sum_test`; also if there are not as many texts as rows.

    Examples
    --------
    >>> import numpy as np
    >>> from xembed.shift import compare_corpora
    >>> rng = np.random.default_rng(0)
    >>> F, G = rng.normal(1.0, 1.0, size=(60, 16)), rng.normal(1.0, 0.6, size=(60, 16))
    >>> result = compare_corpora(F, G, names=("people", "model"))
    >>> result.shifted
    True
    >>> print(result.verdict)
    The corpora differ (p = ...): texts of “model” are deeper, closer to the common centre, ...
    """
    caller = "compare_corpora"
    check_number(alpha, name="alpha", caller=caller, low=0, high=1, closed="neither")
    check_option(projection, _PROJECTIONS, name="projection", caller=caller)
    generator = check_rng(rng, caller=caller)
    first = check_embeddings(F, name="F", caller=caller, min_rows=2)
    second = check_embeddings(G, name="G", caller=caller, min_rows=2)
    check_same_dims(("F", first), ("G", second))
    texts_F, texts_G = _check_pair(texts, first, second)
    name_F, name_G = _check_names(names)

    test = rank_sum_test(
        first,
        second,
        reference=reference,
        distance=distance,
        confidence_level=confidence_level,
        rng=generator,
    )
    notes = [*warnings, *_warn_of_sizes(test, alpha), *_warn_of_duplicates(first, second, texts_F, texts_G)]
    points, shares, projection = _map(first, second, projection, generator, notes)
    within_F, within_G, between = mean_similarities(first, second)
    shifted = test.pvalue <= alpha
    found = depth_verdict(
        test.pvalue,
        test.effect_size,
        test.confidence_interval,
        alpha=alpha,
        confidence_level=test.confidence_level,
        names=(name_F, name_G),
    )
    return ShiftResult(
        verdict=f"{found} {concentration((name_F, name_G), (within_F, within_G))}" if shifted else found,
        shifted=shifted,
        alpha=float(alpha),
        test=test,
        similarity_within_F=within_F,
        similarity_within_G=within_G,
        similarity_between=between,
        depths=np.concatenate(pooled_depths(first, second, distance)),
        depths_in_F=np.concatenate([tte_depth(first, distance=distance), tte_depth(second, first, distance=distance)]),
        depths_in_G=np.concatenate([tte_depth(first, second, distance=distance), tte_depth(second, distance=distance)]),
        coordinates=points,
        projection=projection,
        explained_variance=shares,
        names=(name_F, name_G),
        texts_F=texts_F,
        texts_G=texts_G,
        encoder=dict(encoder) if encoder is not None else None,
        warnings=tuple(notes),
        provenance=provenance(
            caller,
            alpha=float(alpha),
            reference=reference,
            distance=distance,
            projection=projection,
            confidence_level=float(confidence_level),
            rng=describe_rng(rng),
            n_dims=int(first.shape[1]),
        ),
    )


def mean_similarities(F: FloatArray, G: FloatArray) -> tuple[float, float, float]:
    """Return the mean cosine of two different texts within F, within G, and between F and G."""
    (s, _), (t, _) = resultant(F, name="F"), resultant(G, name="G")
    n, m = len(F), len(G)
    return (
        float((s @ s - n) / (n * (n - 1))),
        float((t @ t - m) / (m * (m - 1))),
        float(s @ t / (n * m)),
    )


def _check_pair(
    texts: tuple[Sequence[str], Sequence[str]] | None, F: FloatArray, G: FloatArray
) -> tuple[tuple[str, ...] | None, tuple[str, ...] | None]:
    if texts is None:
        return None, None
    if isinstance(texts, str) or len(texts) != 2:
        raise ValueError(
            f"The 'texts' parameter of compare_corpora must be a pair: the texts of F and those of G. "
            f"Got {type(texts).__name__} of length {len(texts)}."
        )
    checked = []
    for name, group, array in (("F", texts[0], F), ("G", texts[1], G)):
        words = check_texts(group, name=f"the texts of {name}", blank=True)
        if len(words) != len(array):
            raise ValueError(f"{name} must have as many texts as rows. Got {len(words)} texts and {len(array)} rows.")
        checked.append(tuple(words))
    return checked[0], checked[1]


def _check_names(names: tuple[str, str]) -> tuple[str, str]:
    if isinstance(names, str) or len(names) != 2 or not all(isinstance(n, str) and n.strip() for n in names):
        raise ValueError(f"The 'names' parameter of compare_corpora must be a pair of names. Got {names!r} instead.")
    if names[0] == names[1]:
        raise ValueError(f"The two corpora must have different names. Got {names[0]!r} twice.")
    return names[0], names[1]


def _map(
    F: FloatArray, G: FloatArray, projection: str, rng: np.random.Generator, notes: list[str]
) -> tuple[npt.NDArray[np.float64] | None, tuple[float, float] | None, str]:
    if projection == "none":
        return None, None, "none"
    pooled = np.concatenate([F, G])
    if projection == "umap":
        layout = umap_map(pooled, rng)
        if layout is not None:
            return layout, None, "umap"
        notes.append("Too few texts for UMAP: the map is a PCA instead.")
    points, shares = pca_map(pooled)
    return points, shares, "pca"


def _warn_of_sizes(test: RankSumResult, alpha: float) -> list[str]:
    notes = []
    if min(test.n_F, test.n_G) < _FEW:
        notes.append(
            f"Small corpora ({test.n_F} and {test.n_G} texts): only large differences can be found, and the interval "
            "is wide."
        )
    if test.reference == "first":
        notes.append(
            f"With reference='first' the test can reject more often than {alpha:.0%} without any shift, up to 16 % on "
            "data without a mean direction. reference='pooled' holds its level."
        )
    return notes


def _warn_of_duplicates(
    F: FloatArray, G: FloatArray, texts_F: tuple[str, ...] | None, texts_G: tuple[str, ...] | None
) -> list[str]:
    """Say how many texts (or, without texts, rows) repeat an earlier one of their own corpus or the other."""
    if texts_F is not None and texts_G is not None:
        groups: tuple[set[Any], set[Any]] = set(texts_F), set(texts_G)
        what = "text"
    else:
        groups = {_digest(row) for row in F}, {_digest(row) for row in G}
        what = "row"
    within = len(F) - len(groups[0]) + len(G) - len(groups[1])
    shared = len(groups[0] & groups[1])
    notes = []
    if within:
        notes.append(
            f"{count(within, what, 'repeats', 'repeat')} another of the same corpus. Repeated texts are not "
            "independent, and p-values built on them are too small."
        )
    if shared:
        notes.append(
            f"{count(shared, what, 'occurs', 'occur')} in both corpora. If the corpora are two versions of the same "
            "texts, they are paired, not independent samples."
        )
    return notes


def _digest(row: npt.NDArray[Any]) -> bytes:
    return hashlib.blake2b(row.tobytes(), digest_size=16).digest()


def count(number: int, noun: str, singular: str, plural: str) -> str:
    """Write a number with its noun and verb."""
    return f"{number} {noun} {singular}" if number == 1 else f"{number} {noun}s {plural}"
