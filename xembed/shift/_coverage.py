"""Which texts of one corpus another does not cover: conformal p-values from nearest neighbors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from xembed._core import neighbors, validation
from xembed._core.directions import UnitRows
from xembed._core.fields import Count, Counts, Level, OneOf, Probabilities, Probability, Provenance, Sides
from xembed._core.neighbors import BLOCK_ELEMENTS, MAX_CANDIDATES
from xembed._core.parallel import row_blocks
from xembed._core.progress import track
from xembed._core.provenance import provenance
from xembed._core.results import DataFrame, Result, UserText, data_frame
from xembed._core.text import short_names
from xembed._core.validation import RNG, FloatArray, describe_rng
from xembed.shift._battery import check_pair, sample_rows
from xembed.stats import benjamini_hochberg

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_SCORES = ("contrast", "similarity")
# What counts as covered in the pair of shares: all but the most remote 5 % of a corpus's own texts.
_LEVEL = 0.05
_NEIGHBORS = 10


@dataclass(frozen=True, repr=False)
class CoverageResult(Result):
    """Result of `coverage`.

    Attributes
    ----------
    verdict : str
        The finding in words.
    covered_G, covered_F : float
        Share of the texts of G that lie where all but the most remote 5 % of F's own texts lie, and the reverse. The
        first is like precision, the second like recall, if G is a model's output and F what it should be like.
    expected_G, expected_F : float
        Values of the two without a shift.
    uncovered_G, uncovered_F : ndarray of int
        Rows of G that F does not cover at the false discovery rate, least covered first, and the reverse.
    scores_G, scores_F : ndarray of shape (n_G,) and (n_F,)
        How well a text is covered by the other corpus: low is remote.
    pvalues_G, pvalues_F : ndarray of shape (n_G,) and (n_F,)
        Conformal p-values: small where hardly a text of the other corpus is as remote.
    qvalues_G, qvalues_F : ndarray of shape (n_G,) and (n_F,)
        P-values adjusted for all texts of the corpus (Benjamini-Hochberg).
    fdr : float
        False discovery rate.
    score : {'similarity', 'contrast'}
        Score that was used.
    n_neighbors : int
        Nearest texts that a score is the mean over.
    names : tuple of str
        What F and G are called.
    n_F, n_G : int
        Numbers of texts.
    warnings : tuple of str
        What a reader should know before trusting the numbers.
    provenance : dict
        Function, parameters and versions.
    """

    schema: ClassVar[str] = "xembed.shift.CoverageResult/1"
    page: ClassVar[str | None] = "xembed.shift._pages.single:coverage"

    verdict: str
    covered_G: Probability
    covered_F: Probability
    expected_G: Probability
    expected_F: Probability
    uncovered_G: Annotated[Counts, Sides("uncovered_G")]
    uncovered_F: Annotated[Counts, Sides("uncovered_F")]
    scores_G: Annotated[Floats, Sides("scores_G")]
    scores_F: Annotated[Floats, Sides("scores_F")]
    pvalues_G: Annotated[Probabilities, Sides("scores_G")]
    pvalues_F: Annotated[Probabilities, Sides("scores_F")]
    qvalues_G: Annotated[Probabilities, Sides("scores_G")]
    qvalues_F: Annotated[Probabilities, Sides("scores_F")]
    fdr: Level
    score: Annotated[str, OneOf("similarity", "contrast")]
    n_neighbors: Count
    names: Annotated[tuple[str, str], UserText]
    n_F: Count
    n_G: Count
    warnings: tuple[str, ...]
    provenance: Provenance

    def to_frame(self) -> DataFrame:
        """Return a table with a row a text: corpus, row, score, p- and q-value, whether it is uncovered."""
        qvalues = np.concatenate([self.qvalues_F, self.qvalues_G])
        columns = {
            "corpus": np.repeat(self.names, [self.n_F, self.n_G]),
            "row": [*range(self.n_F), *range(self.n_G)],
            "score": np.concatenate([self.scores_F, self.scores_G]),
            "pvalue": np.concatenate([self.pvalues_F, self.pvalues_G]),
            "qvalue": qvalues,
            "uncovered": qvalues <= self.fdr,
        }
        return data_frame(columns)


def coverage(
    F: npt.ArrayLike,
    G: npt.ArrayLike,
    *,
    n_neighbors: int | None = None,
    score: str = "similarity",
    fdr: float = 0.05,
    names: tuple[str, str] = ("F", "G"),
    rng: RNG = None,
) -> CoverageResult:
    r"""Find the texts of G that F does not cover, and the reverse.

    Each text gets a p-value: how many texts of the other corpus are as remote from that corpus as this one is.

    Parameters
    ----------
    F, G : array-like of shape (n_F, n_dims) and (n_G, n_dims)
        Embeddings; F is the reference corpus. At least 2 rows each, and more than ``n_neighbors``.
    n_neighbors : int, optional
        Nearest texts that a score is the mean over. By default 10, or where a corpus has fewer other texts, those.
    score : {'similarity', 'contrast'}, default='similarity'
        'similarity': the mean cosine of a text with its nearest texts in the other corpus. It finds texts far from all
        of that corpus, also single ones. 'contrast': the same minus the mean cosine with its nearest texts in its own
        corpus. It finds texts among which those of the other corpus are missing, such as a new topic within the old
        domain, but needs several texts of a kind.
    fdr : float in (0, 1), default=0.05
        False discovery rate over the texts of a corpus.
    names : pair of str, default=('F', 'G')
        Names of the corpora in the verdict.
    rng : int, numpy.random.Generator or None, default=None
        Source of the samples of large corpora; None is seed 0.

    Returns
    -------
    CoverageResult
        With a ``verdict`` in words, the ``uncovered_G`` and ``uncovered_F``, and the shares covered.

    Raises
    ------
    ValueError
        If an array is not 2-D or holds rows without direction; if the dimensions differ; if a corpus has
        no more rows than ``n_neighbors``.
    TypeError
        If an array does not hold real numbers, or a parameter is of the wrong type.

    See Also
    --------
    what_shifted : regions that hold more, or less, of G than of F.
    xembed.depth.tte_depth : a global score; texts between the topics of a corpus look deep to it.

    Notes
    -----
    *P-values* are by full conformal prediction [1]_: a text of G is put among those of F, each member gets the score by
    the other members, and the p-value is the share of members that score no higher. With 'contrast' the second term
    is by the texts of G without the one tested, the same for all members [2]_. Valid without any assumption on the
    distribution of F (docs/explanation/depth_and_shift.md).

    *Many texts.* p-values are adjusted by Benjamini and Hochberg. For conformal p-values of a split sample the false
    discovery rate is then proved to hold [3]_; for those here it is measured (tests/shift).
    Conformal p-values are at least :math:`1/(n + 1)`: for :math:`m` tested texts, fewer than
    :math:`m / ((n + 1)\,\mathrm{fdr})` uncovered ones can't be told; the warnings say so.

    Above 10,000 rows a random sample of that size stands for a corpus as neighbors and to compare with; p-values are
    given to all texts. Above 2²⁴ pairs cosines are in float32.

    References
    ----------
    .. [1] V. Vovk, A. Gammerman, G. Shafer. "Algorithmic Learning in a Random World". Springer, 2005.
    .. [2] A. Marandon, L. Lei, D. Mary, E. Roquain. "Adaptive Novelty Detection with False Discovery Rate Guarantee".
           Annals of Statistics 52 (2024), 157-183.
    .. [3] S. Bates, E. Candès, L. Lei, Y. Romano, M. Sesia. "Testing for Outliers with Conformal p-values". Annals
           of Statistics 51 (2023), 149-178.

    Examples
    --------
    >>> import numpy as np
    >>> from xembed.shift import coverage
    >>> rng = np.random.default_rng(0)
    >>> F, G = rng.normal([4, 0, 0], 1, size=(900, 3)), rng.normal([4, 0, 0], 1, size=(50, 3))
    >>> G[:5] = rng.normal([0, 4, 0], 0.2, size=(5, 3))
    >>> sorted(coverage(F, G, fdr=0.02).uncovered_G.tolist())
    [0, 1, 2, 3, 4]
    """
    caller = "coverage"
    if n_neighbors is not None:
        n_neighbors = validation.check_count(n_neighbors, name="n_neighbors", caller=caller)
    validation.check_option(score, _SCORES, name="score", caller=caller)
    fdr = validation.check_number(fdr, name="fdr", caller=caller, low=0, high=1, closed="neither")
    both = validation.check_names(names, caller=caller)
    generator = validation.check_rng(rng, caller=caller)
    first, second = check_pair(F, G, caller=caller)
    smaller = min(len(first), len(second))
    if n_neighbors is not None and n_neighbors >= smaller:
        raise ValueError(
            f"The 'n_neighbors' parameter of {caller} must be smaller than both corpora. Got {n_neighbors} for "
            f"{len(first)} and {len(second)} texts."
        )
    return find_uncovered(
        first, second, n_neighbors=n_neighbors, score=score, fdr=fdr, names=both, rng=generator, seed=rng
    )


def find_uncovered(
    F: UnitRows,
    G: UnitRows,
    *,
    n_neighbors: int | None = None,
    score: str = "similarity",
    fdr: float = 0.05,
    names: tuple[str, str],
    rng: np.random.Generator,
    seed: RNG,
) -> CoverageResult:
    """Return `coverage` of checked corpora."""
    if n_neighbors is None:
        n_neighbors = min(_NEIGHBORS, min(len(F), len(G)) - 1)
    dtype = neighbors.cosine_dtype(len(F), len(G))
    corpus_F, corpus_G = _Corpus.of(F, dtype, rng), _Corpus.of(G, dtype, rng)

    contrast = score == "contrast"
    scores_G, pvalues_G = _conformal(corpus_G, corpus_F, n_neighbors, contrast=contrast)
    scores_F, pvalues_F = _conformal(corpus_F, corpus_G, n_neighbors, contrast=contrast)
    qvalues_G, qvalues_F = benjamini_hochberg(pvalues_G), benjamini_hochberg(pvalues_F)
    uncovered_G, uncovered_F = _lowest(scores_G, qvalues_G <= fdr), _lowest(scores_F, qvalues_F <= fdr)
    name_F, name_G = short = short_names(names)
    notes = [
        f"A random sample of {MAX_CANDIDATES:,} texts stands for “{name}” as neighbors and to compare with."
        for name, corpus in ((name_F, corpus_F), (name_G, corpus_G))
        if len(corpus) > len(corpus.sample)
    ]
    if not len(uncovered_G):
        notes += _warn_of_resolution(fdr, (name_F, len(corpus_F.sample)), (name_G, len(G)))
    if not len(uncovered_F):
        notes += _warn_of_resolution(fdr, (name_G, len(corpus_G.sample)), (name_F, len(F)))
    covered_G, covered_F = (float((pvalues > _LEVEL).mean()) for pvalues in (pvalues_G, pvalues_F))
    uncovered = (len(uncovered_F), len(uncovered_G))
    return CoverageResult(
        verdict=_verdict(short, uncovered, (len(F), len(G)), (covered_F, covered_G), fdr),
        covered_G=covered_G,
        covered_F=covered_F,
        expected_G=_expected(len(corpus_F.sample)),
        expected_F=_expected(len(corpus_G.sample)),
        uncovered_G=uncovered_G,
        uncovered_F=uncovered_F,
        scores_G=scores_G,
        scores_F=scores_F,
        pvalues_G=pvalues_G,
        pvalues_F=pvalues_F,
        qvalues_G=qvalues_G,
        qvalues_F=qvalues_F,
        fdr=fdr,
        score=score,
        n_neighbors=n_neighbors,
        names=names,
        n_F=len(F),
        n_G=len(G),
        warnings=tuple(notes),
        provenance=provenance(
            "coverage", n_neighbors=n_neighbors, score=score, fdr=fdr, rng=describe_rng(seed), n_dims=F.n_dims
        ),
    )


@dataclass(frozen=True)
class _Corpus:
    """A corpus, and the sorted rows that stand for it as neighbors."""

    directions: UnitRows
    sample: Ints
    unit: FloatArray  # the sampled rows, of length 1

    @classmethod
    def of(cls, X: UnitRows, dtype: np.dtype[Any], rng: np.random.Generator) -> _Corpus:
        sample = sample_rows(np.arange(len(X)), MAX_CANDIDATES, rng)
        return cls(X, sample, X.unit(sample, dtype))

    def __len__(self) -> int:
        return len(self.directions)


class _Near(NamedTuple):
    """The nearest neighbors of some rows: the mean cosine with k of them, and the next cosines."""

    mean: npt.NDArray[np.floating[Any]]
    last: npt.NDArray[np.floating[Any]]  # the k-th cosine
    following: npt.NDArray[np.floating[Any]]  # the one after it, or -inf


def _near(cosines: FloatArray, k: int) -> _Near:
    n, size = cosines.shape
    values = neighbors.largest_values(cosines, min(k + 1, size))
    following = values[:, k] if size > k else np.full(n, -np.inf, cosines.dtype)
    return _Near(values[:, :k].mean(axis=1), values[:, k - 1], following)


def _nearest(points: FloatArray, candidates: FloatArray, k: int, exclude: Ints | None = None) -> _Near:
    """Return the nearest candidates of every point, but for the candidate that is the point itself."""
    parts = [_near(cosines, k) for _, cosines in neighbors.cosine_blocks(points, candidates, exclude)]
    return _Near(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _conformal(tested: _Corpus, reference: _Corpus, k: int, *, contrast: bool) -> tuple[Floats, Floats]:
    """Return the score and the p-value of every tested text as a member of the reference corpus."""
    own = _nearest(reference.unit, reference.unit, k, exclude=np.arange(len(reference.sample)))
    # The members' similarity to the tested corpus, of which the text tested must be taken out again.
    other = _nearest(reference.unit, tested.unit, k) if contrast else None
    tolerance = neighbors.cosine_tolerance(reference.unit.dtype)
    n = len(reference.sample)
    scores, pvalues = np.empty(len(tested)), np.empty(len(tested))
    blocks = row_blocks(0, len(tested), max(1, BLOCK_ELEMENTS // max(n, len(tested.sample))))
    for block in track(blocks, "Coverage"):
        rows = np.arange(block.start, block.stop)
        points = tested.directions.unit(rows, reference.unit.dtype)
        cosines = points @ reference.unit.T
        score = _near(cosines, k).mean
        # A member takes the text tested in as a neighbor if it is nearer than its last.
        members = own.mean + np.maximum(cosines - own.last, 0) / k
        if other is not None:
            place = np.searchsorted(tested.sample, rows).clip(max=len(tested.sample) - 1)
            sampled = tested.sample[place] == rows
            within = points @ tested.unit.T
            within[np.flatnonzero(sampled), place[sampled]] = -np.inf
            score -= _near(within, k).mean
            without = other.mean - (np.maximum(cosines, other.following) - other.following) / k
            members -= np.where(sampled[:, None], without, other.mean)
        scores[block] = score
        pvalues[block] = (1 + (members <= score[:, None] + tolerance).sum(axis=1)) / (n + 1)
    return scores, pvalues


def _lowest(scores: Floats, mask: npt.NDArray[np.bool_]) -> Ints:
    rows = np.flatnonzero(mask)
    return rows[np.argsort(scores[rows].round(6), kind="stable")]


def _expected(n: int) -> float:
    """Return the share of texts with a conformal p-value above the level if nothing shifted."""
    return float(1 - np.floor(_LEVEL * (n + 1)) / (n + 1))


def _warn_of_resolution(fdr: float, reference: tuple[str, int], tested: tuple[str, int]) -> list[str]:
    """Say how many texts must be uncovered before any of them can be told, where that is a large part."""
    (reference_name, n), (name, m) = reference, tested
    fewest = int(np.ceil(m / ((n + 1) * fdr) - 1e-9))
    if fewest <= max(1, 0.05 * m):
        return []
    limit = "none can be told" if fewest > m else f"fewer than {fewest} can't be told"
    return [
        f"With {n} texts of “{reference_name}” to compare with, of {m} texts of “{name}” that it does not cover "
        f"{limit} at a false discovery rate of {fdr:.0%}."
    ]


def _verdict(
    names: Sequence[str], uncovered: tuple[int, int], sizes: tuple[int, int], covered: tuple[float, float], fdr: float
) -> str:
    """Say how many texts of each corpus the other does not cover; pairs are in the order F, G."""
    finding = f"No single text of “{names[1]}” is found to be uncovered by “{names[0]}”, nor the reverse"
    if any(uncovered):
        finding = (
            f"{uncovered[1]} of {sizes[1]} texts of “{names[1]}” are not covered by “{names[0]}”, and {uncovered[0]} "
            f"of {sizes[0]} of “{names[0]}” not by “{names[1]}”"
        )
    return (
        f"{finding} (false discovery rate {fdr:.0%}). {covered[1]:.0%} of the texts of “{names[1]}” lie where "
        f"{1 - _LEVEL:.0%} of those of “{names[0]}” do, and {covered[0]:.0%} conversely ({1 - _LEVEL:.0%} each without "
        "a shift)."
    )
