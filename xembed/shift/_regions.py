"""What shifted: the regions of embedding space that one corpus fills more, or less, than another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from heapq import heappush, heappushpop
from typing import Annotated, ClassVar

import numpy as np
import numpy.typing as npt

from xembed._core.directions import PooledRows, UnitRows
from xembed._core.fields import Count, Interval, Level, OneOf, Probability, Provenance, Sides
from xembed._core.neighbors import BLOCK_ELEMENTS, MAX_CANDIDATES, cosine_dtype, cosine_tolerance, neighbor_sums
from xembed._core.parallel import row_blocks
from xembed._core.progress import step, track
from xembed._core.provenance import provenance
from xembed._core.results import DataFrame, IntervalIn, NotCompared, Result, RowKey, UserText, frame_of
from xembed._core.text import blankless_note, in_sentence, short_names
from xembed._core.validation import RNG, check_count, check_names, check_number, check_rng, check_texts, describe_rng
from xembed.shift import _terms as terms_of
from xembed.shift._battery import check_pair, sample_rows
from xembed.shift._terms import MIN_COUNT, Presence, count_texts, share_pvalues
from xembed.stats import benjamini_hochberg
from xembed.stats._rank_sums import normal_quantile

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_CONFIDENCE = 0.95
# From so many texts of each corpus on, half of them are enough to count, and split=None splits.
_ENOUGH_TO_SPLIT = 1_000
# A region is new (or gone) if the other corpus could hold at most this share of its texts in it ...
_NEAR_NOTHING = 0.01
# ... and its share there is at most this part of that in the first.
_RATIO = 0.2
# k-means goes over at most so many rows, and starts from Ward's clusters, which need all pairs, of at most so many.
_MAX_FIT, _MAX_START = 20_000, 2_000
_MAX_REGIONS = 50
_TYPICAL = 5
_TERMS = 10
_LISTED, _LABEL = 4, 90  # regions in a sentence, and characters of a label there


@dataclass(frozen=True, repr=False)
class Region(Result):
    """A region of embedding space, and how much of each corpus lies in it.

    Attributes
    ----------
    id : int
        Its place in the order of evidence, from 0.
    status : {'new', 'more', 'vanished', 'less', 'unchanged'}
        What became of it from F to G (see `what_shifted`).
    label : str
        Its foremost terms, or its number where there are no texts.
    terms : tuple of str
        Terms of its texts against all others, strongest first; none without texts.
    term_scores : tuple of float
        Their weighted log odds in standard errors.
    count_F, count_G : int
        Texts counted for the test.
    share_F, share_G : float
        The same as shares of all texts counted, in [0, 1].
    total_F, total_G : int
        All texts in the region, with those that made the clusters.
    log_odds : float
        Log odds ratio of the shares, G against F, with half a text added to each count.
    interval : tuple of float
        95 % confidence interval of the log odds ratio, of this region alone.
    pvalue, qvalue : float
        Exact two-sided p-value, and that adjusted for all regions (Benjamini-Hochberg).
    typical_F, typical_G : tuple of int
        Rows of F and of G nearest to the center, nearest first.
    """

    schema: ClassVar[str] = "xembed.shift.Region/1"

    id: Annotated[int, NotCompared]
    status: Annotated[str, OneOf("new", "more", "vanished", "less", "unchanged")]
    label: Annotated[str, RowKey, UserText]
    terms: Annotated[tuple[str, ...], UserText]
    term_scores: Annotated[tuple[float, ...], Sides("terms")]
    count_F: Count
    count_G: Count
    share_F: Probability
    share_G: Probability
    total_F: Count
    total_G: Count
    log_odds: Annotated[float, IntervalIn("interval")]
    interval: Interval
    pvalue: Probability
    qvalue: Probability
    typical_F: tuple[Count, ...]
    typical_G: tuple[Count, ...]


@dataclass(frozen=True, repr=False)
class RegionsResult(Result):
    """Result of `what_shifted`. Arrays over all texts hold those of F first, then those of G.

    Attributes
    ----------
    verdict : str
        The finding in words.
    regions : tuple of Region
        Strongest evidence of a change first.
    n_changed : int
        Regions with ``qvalue <= fdr``.
    fdr : float
        False discovery rate.
    membership : ndarray of shape (n_F + n_G,), int
        Region of every text.
    scores : ndarray of shape (n_F + n_G,)
        Share of G among a text's nearest other texts, minus what chance gives: in [-1, 1], positive among what G has
        more of, negative among what F has more of.
    n_neighbors : int
        Neighbors of the scores.
    tested : ndarray of shape (n_F + n_G,), bool
        Whether the text was counted for the tests.
    split : bool
        Whether the clusters were made by other texts than those counted.
    names : tuple of str
        What F and G are called.
    n_F, n_G : int
        Numbers of texts.
    warnings : tuple of str
        What a reader should know before trusting the numbers.
    provenance : dict
        Function, parameters and versions.
    """

    schema: ClassVar[str] = "xembed.shift.RegionsResult/1"
    page: ClassVar[str | None] = "xembed.shift._pages.single:regions"

    verdict: str
    regions: tuple[Region, ...]
    n_changed: Count
    fdr: Level
    membership: Annotated[Ints, Sides("rows")]
    scores: Annotated[Floats, Sides("rows")]
    n_neighbors: Count
    tested: Annotated[npt.NDArray[np.bool_], Sides("rows")]
    split: bool
    names: Annotated[tuple[str, str], UserText]
    n_F: Count
    n_G: Count
    warnings: tuple[str, ...]
    provenance: Provenance

    def to_frame(self) -> DataFrame:
        """Return a table with a row a region."""
        return frame_of(self.regions, Region)


def what_shifted(
    F: npt.ArrayLike,
    G: npt.ArrayLike,
    *,
    texts: tuple[Sequence[str], Sequence[str]] | None = None,
    n_clusters: int | None = None,
    fdr: float = 0.05,
    split: bool | None = None,
    names: tuple[str, str] = ("F", "G"),
    rng: RNG = None,
) -> RegionsResult:
    r"""Find the regions of embedding space that hold more, or less, of G than of F.

    The space is cut into regions by k-means, and in each the shares of F and G are compared.

    Parameters
    ----------
    F, G : array-like of shape (n_F, n_dims) and (n_G, n_dims)
        Embeddings; F is the reference corpus. At least 2 rows each, 4 to split. Only directions matter.
    texts : pair of sequences of str, optional
        The texts of F and of G, in the order of the rows, for terms and labels. Blank ones are allowed.
    n_clusters : int, optional
        Number of regions. By default the square root of the number of texts that make them, from 2 to 50. Where one
        corpus is smaller, twice the harmonic mean of both numbers stands for their sum.
    fdr : float in (0, 1), default=0.05
        False discovery rate over the regions.
    split : bool, optional
        True: a random half of each corpus makes the clusters, and the other half is counted. False: all texts
        make them, without regard to the corpus they are from, and all are counted. By default True where each corpus
        has at least 1,000 texts.
    names : pair of str, default=('F', 'G')
        Names of the corpora in the verdict.
    rng : int, numpy.random.Generator or None, default=None
        Source of the random halves and samples; None is seed 0.

    Returns
    -------
    RegionsResult
        With a ``verdict`` in words and the ``regions``, strongest evidence first.

    Raises
    ------
    ValueError
        If an array is not 2-D, is too short or holds rows without direction; if the dimensions differ; if there are
        not as many texts as rows; if ``n_clusters`` is more than the texts that can start a cluster.
    TypeError
        If an array does not hold real numbers, or a parameter is of the wrong type.

    See Also
    --------
    coverage : single texts of G that F does not cover, and the reverse.
    distinguishing_terms : the terms that tell the corpora apart.

    Notes
    -----
    *Clusters.* Unit rows, k-means started from Ward's clusters of at most 2,000 of them. With ``split=True`` the texts
    counted had no part in the clusters, and each p-value is valid whatever else shifted; with ``split=False`` the
    clusters do not know which text is whose, and the p-values are exact where nothing shifted
    (docs/explanation/depth_and_shift.md). Above 20,000 rows a random sample makes the clusters; above 10,000 texts the
    terms are those of a random sample.

    *Tests.* Twice the smaller tail of the hypergeometric distribution (for equal sizes Fisher's exact test), adjusted
    by `xembed.stats.benjamini_hochberg`. Odds ratios have half a text added to each count (Haldane and Anscombe),
    intervals are Woolf's.

    *Status.* 'unchanged': ``qvalue > fdr``. 'more': G's share is larger. 'new': besides, F's count is compatible with a
    true share of 1 % or less (binomial test, 5 %), and F's share is at most a fifth of G's. 'less' and 'vanished'
    are the same with F and G exchanged. All by the texts counted.

    *Scores* show where single texts stand, without regard to the regions: the share of G among the nearest
    neighbors by cosine (the square root of the number of texts, 5 to 50), the text itself left out, minus
    the share of G among all other texts. Equally near neighbors share the last places. Above 10,000 texts the
    neighbors are looked for in a random sample of that size. `coverage` finds scattered texts of another kind.

    Rows are taken as independent: where several are of one document or author, p-values are too small.

    Examples
    --------
    >>> import numpy as np
    >>> from xembed.shift import what_shifted
    >>> rng = np.random.default_rng(0)
    >>> topics = rng.normal(size=(4, 16))
    >>> F = topics[rng.integers(0, 3, 120)] + 0.3 * rng.normal(size=(120, 16))
    >>> G = topics[rng.integers(1, 4, 120)] + 0.3 * rng.normal(size=(120, 16))
    >>> result = what_shifted(F, G, n_clusters=4)
    >>> [region.status for region in result.regions]
    ['vanished', 'new', 'unchanged', 'unchanged']
    """
    caller = "what_shifted"
    fdr = check_number(fdr, name="fdr", caller=caller, low=0, high=1, closed="neither")
    if not (split is None or isinstance(split, bool)):
        raise TypeError(f"The 'split' parameter of {caller} must be True, False or None. Got {split!r} instead.")
    if n_clusters is not None:
        n_clusters = check_count(n_clusters, name="n_clusters", caller=caller, low=2)
    both = check_names(names, caller=caller)
    generator = check_rng(rng, caller=caller)
    first, second = check_pair(F, G, caller=caller, min_rows=4 if split else 2)
    pooled_texts = check_pair_of_texts(texts, (len(first), len(second)), caller=caller)
    return find_regions(
        first, second, pooled_texts, n_clusters=n_clusters, fdr=fdr, split=split, names=both, rng=generator, seed=rng
    )


def find_regions(
    F: UnitRows,
    G: UnitRows,
    texts: list[str] | None,
    *,
    n_clusters: int | None = None,
    fdr: float = 0.05,
    split: bool | None = None,
    names: tuple[str, str],
    rng: np.random.Generator,
    seed: RNG,
    presence: Presence | None = None,
) -> RegionsResult:
    """Return `what_shifted` of checked corpora; ``texts`` are those of both, and ``presence`` their terms if known."""
    caller, (n, m) = "what_shifted", (len(F), len(G))
    pool = PooledRows(F, G, cosine_dtype(n + m, n + m))
    if split is None:
        split = min(n, m) >= _ENOUGH_TO_SPLIT
    # Without halves all positions are one group, so that nothing about the clusters depends on whose a text is.
    fitting, tested = split_halves(n, m, rng) if split else ([np.arange(n + m)], np.ones(n + m, dtype=bool))
    halves = (n // 2, m // 2) if split else (n, m)
    centers, notes = cluster_centers(pool, fitting, n_clusters or default_clusters(*halves), rng, caller=caller)
    clusters, closeness = assign(pool, centers)
    candidates = sample_rows(np.arange(n + m), MAX_CANDIDATES, rng)
    scores, n_neighbors = neighbor_shares(pool, candidates)
    if len(candidates) < n + m:
        notes.append(f"The neighbors of the scores were looked for in a random sample of {MAX_CANDIDATES:,} texts.")

    regions, order = _compare_shares(clusters, closeness, tested, n, len(centers), fdr)
    if texts is not None:
        regions = _add_terms(regions, clusters, order, texts, rng, presence)
        notes += blankless_note(texts) if presence is None else []
    sizes = (int(tested[:n].sum()), int(tested[n:].sum()))
    options = {"n_clusters": n_clusters, "fdr": fdr, "split": split}
    return RegionsResult(
        verdict=_verdict(regions, fdr, short_names(names), sizes),
        regions=tuple(regions),
        n_changed=sum(region.status != "unchanged" for region in regions),
        fdr=fdr,
        membership=np.argsort(order)[clusters],
        scores=scores,
        n_neighbors=n_neighbors,
        tested=tested,
        split=split,
        names=names,
        n_F=n,
        n_G=m,
        warnings=tuple(notes),
        provenance=provenance(caller, **options, rng=describe_rng(seed), n_dims=F.n_dims),
    )


def neighbor_shares(pool: PooledRows, candidates: Ints) -> tuple[Floats, int]:
    """Return for every text the share of G among its nearest candidates, minus that among all, itself left out."""
    n_candidates = len(candidates)
    k = min(int(np.clip(round(np.sqrt(n_candidates)), 5, 50)), n_candidates - 1)
    rows = pool.unit(candidates)
    of_G = (candidates >= pool.n)[:, None].astype(np.float64)
    tolerance = cosine_tolerance(pool.dtype)
    scores = np.empty(len(pool))
    for block in track(row_blocks(0, len(pool), max(1, BLOCK_ELEMENTS // n_candidates)), "Regions: neighbors"):
        positions = np.arange(block.start, block.stop)
        cosines = pool.unit(positions) @ rows.T
        own = np.searchsorted(candidates, positions).clip(max=n_candidates - 1)
        is_candidate = candidates[own] == positions
        cosines[np.flatnonzero(is_candidate), own[is_candidate]] = -np.inf
        observed = neighbor_sums(cosines, k, of_G, tolerance=tolerance)[:, 0] / k
        expected = (of_G.sum() - is_candidate * (positions >= pool.n)) / (n_candidates - is_candidate)
        scores[block] = observed - expected
    return scores, k


def check_pair_of_texts(
    texts: tuple[Sequence[str], Sequence[str]] | None, sizes: tuple[int, int], *, caller: str
) -> list[str] | None:
    """Return the texts of F and of G in one list, as many as there are rows, or None if there are none."""
    if texts is None:
        return None
    if isinstance(texts, str) or not isinstance(texts, Sequence) or len(texts) != 2:
        raise ValueError(
            f"The 'texts' parameter of {caller} must be a pair: the texts of F and those of G. "
            f"Got {type(texts).__name__}{f' of length {len(texts)}' if isinstance(texts, Sequence) else ''}."
        )
    result: list[str] = []
    for name, group, n_rows in zip(("F", "G"), texts, sizes, strict=True):
        checked = check_texts(group, name=f"the texts of {name}", blank=True)
        if len(checked) != n_rows:
            raise ValueError(f"{name} must have as many texts as rows. Got {len(checked)} texts and {n_rows} rows.")
        result += checked
    return result


def _compare_shares(
    clusters: Ints, closeness: Floats, tested: npt.NDArray[np.bool_], n: int, k: int, fdr: float
) -> tuple[list[Region], Ints]:
    """Return the regions, strongest evidence first, and which cluster each of them is."""
    sizes = int(tested[:n].sum()), int(tested[n:].sum())
    counts = (np.bincount(clusters[:n][tested[:n]], minlength=k), np.bincount(clusters[n:][tested[n:]], minlength=k))
    totals = np.bincount(clusters[:n], minlength=k), np.bincount(clusters[n:], minlength=k)
    pvalues = share_pvalues(*counts, *sizes)
    qvalues = benjamini_hochberg(pvalues)
    log_odds, error = _log_odds(*counts, *sizes)
    half = normal_quantile(0.5 + _CONFIDENCE / 2) * error
    order = np.lexsort((np.arange(k), -np.abs(log_odds), pvalues))
    regions = [
        Region(
            id=place,
            status=_status((int(counts[0][c]), int(counts[1][c])), sizes, changed=bool(qvalues[c] <= fdr)),
            label=f"region {place}",
            terms=(),
            term_scores=(),
            count_F=int(counts[0][c]),
            count_G=int(counts[1][c]),
            share_F=float(counts[0][c] / sizes[0]),
            share_G=float(counts[1][c] / sizes[1]),
            total_F=int(totals[0][c]),
            total_G=int(totals[1][c]),
            log_odds=float(log_odds[c]),
            interval=(float(log_odds[c] - half[c]), float(log_odds[c] + half[c])),
            pvalue=float(pvalues[c]),
            qvalue=float(qvalues[c]),
            typical_F=_nearest(closeness[:n], clusters[:n] == c),
            typical_G=_nearest(closeness[n:], clusters[n:] == c),
        )
        for place, c in enumerate(order)
    ]
    return regions, order


def _log_odds(counts_F: Ints, counts_G: Ints, n: int, m: int) -> tuple[Floats, Floats]:
    """Return log odds ratios of G against F and their standard errors, half a text added to each count."""
    cells = [cell + 0.5 for cell in (counts_G, m - counts_G, counts_F, n - counts_F)]
    log_odds: Floats = np.log(cells[0] / cells[1]) - np.log(cells[2] / cells[3])
    return log_odds, np.sqrt((1 / np.stack(cells)).sum(axis=0))


def _status(counts: tuple[int, int], sizes: tuple[int, int], *, changed: bool) -> str:
    """Return what became of a region from F to G; the rules are in `what_shifted`."""
    if not changed:
        return "unchanged"
    from scipy.stats import binom

    shares = counts[0] / sizes[0], counts[1] / sizes[1]
    grown = shares[1] > shares[0]
    few = 0 if grown else 1
    near_nothing = binom.sf(counts[few] - 1, sizes[few], _NEAR_NOTHING) > 0.05
    if near_nothing and shares[few] <= _RATIO * shares[1 - few]:
        return "new" if grown else "vanished"
    return "more" if grown else "less"


def _nearest(closeness: Floats, inside: npt.NDArray[np.bool_]) -> tuple[int, ...]:
    rows = np.flatnonzero(inside)
    return tuple(int(row) for row in rows[np.argsort(-closeness[rows].round(6), kind="stable")[:_TYPICAL]])


def _add_terms(
    regions: list[Region],
    clusters: Ints,
    order: Ints,
    texts: list[str],
    rng: np.random.Generator,
    known: Presence | None,
) -> list[Region]:
    """Return the regions with the terms of their texts against all others, and labels made of them."""
    rows = sample_rows(np.arange(len(texts)), MAX_CANDIDATES, rng)
    if known is None or len(rows) < len(texts):
        known = terms_of.term_presence([texts[row] for row in rows], MIN_COUNT)
    terms, presence = known
    everywhere = count_texts(presence)
    result = []
    for region, cluster in zip(regions, order, strict=True):
        inside = count_texts(presence[np.flatnonzero(clusters[rows] == cluster)])
        z = terms_of.weighted_log_odds(everywhere - inside, inside)[1]
        best = terms_of.strongest(z, _TERMS)
        best_terms = tuple(terms[i] for i in best)
        label = ", ".join(_distinct(best_terms)) or region.label
        result.append(replace(region, label=label, terms=best_terms, term_scores=tuple(float(z[i]) for i in best)))
    return result


def _distinct(terms: tuple[str, ...], size: int = 3) -> list[str]:
    """Return the first terms that share no word with an earlier one."""
    distinct: list[str] = []
    for term in terms:
        words = set(term.split())
        if len(distinct) < size and not any(words & set(other.split()) for other in distinct):
            distinct.append(term)
    return distinct


def _verdict(regions: list[Region], fdr: float, names: Sequence[str], sizes: tuple[int, int]) -> str:
    changed = [region for region in regions if region.status != "unchanged"]
    level = f"false discovery rate {fdr:.0%}; {sizes[0]} and {sizes[1]} texts counted"
    if not changed:
        return (
            f"None of {len(regions)} regions changed by more than chance explains ({level}). "
            f"{_smallest_new(len(regions), fdr, names, sizes)} A change that runs through all regions alike, such as "
            "one of format or style, can go unseen here."
        )
    sentences = [f"{len(changed)} of {len(regions)} regions changed ({level})."]
    for status, heading in (("new", "New in"), ("more", "More in"), ("vanished", "Gone from"), ("less", "Less in")):
        listed = [
            f"“{in_sentence(region.label, _LABEL)}” ({region.share_F:.0%} → {region.share_G:.0%})"
            for region in changed
            if region.status == status
        ]
        if listed:
            more = f" and {len(listed) - _LISTED} more" if len(listed) > _LISTED else ""
            sentences.append(f"{heading} “{names[1]}”: {', '.join(listed[:_LISTED])}{more}.")
    return " ".join(sentences)


def _smallest_new(n_regions: int, fdr: float, names: Sequence[str], sizes: tuple[int, int]) -> str:
    """Say how large a region without texts of F must be in G to be detected whatever the others are like."""
    counts = np.arange(1, sizes[1] + 1)
    enough = counts[share_pvalues(np.zeros_like(counts), counts, *sizes) <= fdr / n_regions]
    if n_regions < 2 or not len(enough):
        return "So few texts in so many regions can't show a change." if n_regions > 1 else "One region can't change."
    topic = f"A topic new in “{names[1]}” that has a region to itself"
    return f"{topic} is detected from {enough[0]} of its {sizes[1]} texts (power 1)."


# ---- clusters


def split_halves(n: int, m: int, rng: np.random.Generator) -> tuple[list[Ints], npt.NDArray[np.bool_]]:
    """Return the positions that make the clusters, those of F and of G, and a mask of those counted."""
    halves = [np.sort(rng.permutation(size)[: size // 2]) + start for size, start in ((n, 0), (m, n))]
    tested = np.ones(n + m, dtype=bool)
    tested[np.concatenate(halves)] = False
    return halves, tested


def default_clusters(n: int, m: int) -> int:
    """Return the number of regions for ``n`` and ``m`` texts that make them: the smaller corpus sets the pace."""
    return int(np.clip(round(np.sqrt(4 / (1 / n + 1 / m))), 2, _MAX_REGIONS))


def cluster_centers(
    pool: PooledRows, groups: list[Ints], n_clusters: int, rng: np.random.Generator, *, caller: str
) -> tuple[Floats, list[str]]:
    """Return the centers of k-means on the rows of the groups, all groups of the same weight, (k, d), and notes."""
    from sklearn.cluster import KMeans

    notes = []
    fitted = [sample_rows(group, _MAX_FIT // len(groups), rng) for group in groups]
    if sum(map(len, fitted)) < sum(map(len, groups)):
        notes.append(f"The regions were made by a random sample of {sum(map(len, fitted)):,} texts.")
    started = np.concatenate([sample_rows(group, _MAX_START // len(groups), rng) for group in fitted])
    start: Floats = pool.unit(started).astype(np.float64)
    if n_clusters > len(start):
        raise ValueError(
            f"The 'n_clusters' parameter of {caller} must be at most {len(start)} here, the number of texts that "
            f"regions can start from. Got {n_clusters} instead."
        )
    # Rows that are equal but for rounding can't make two regions.
    k = min(n_clusters, len({row.tobytes() for row in start.round(9) + 0.0}))  # there is a -0.0, too
    if k < n_clusters:
        notes.append(f"Only {k} region{'s' * (k > 1)} could be made: so many different rows there are to make them.")
    if k == 1:
        return start[:1], notes
    with step("Regions: clusters", 2, "stage") as advance:
        labels = _ward_labels(start, k)
        advance(1)
        centers = np.stack([start[labels == label].mean(axis=0) for label in range(k)])
        rows = pool.unit(np.concatenate(fitted))
        weights = np.concatenate([np.full(len(group), len(rows) / len(fitted) / len(group)) for group in fitted])
        means = KMeans(k, init=centers.astype(rows.dtype), n_init=1).fit(rows, sample_weight=weights).cluster_centers_
        advance(1)
    return means.astype(np.float64), notes


def _ward_labels(unit: Floats, k: int) -> Ints:
    """Return the labels of ``k`` clusters by Ward's method, (n,): scikit-learn's, in a fraction of the time."""
    from scipy.cluster.hierarchy import ward

    n = len(unit)
    squared = 2.0 - 2.0 * (unit @ unit.T)[np.triu_indices(n, 1)]
    merged = ward(np.sqrt(np.maximum(squared, 0.0)))[:, :2].astype(np.int64)
    nodes = [-(2 * n - 2)]
    for _ in range(k - 1):  # the last merge is undone
        left, right = merged[-nodes[0] - n]
        heappush(nodes, -int(left))
        heappushpop(nodes, -int(right))
    labels = np.empty(n, np.int64)
    for label, node in enumerate(nodes):
        waiting = [-node]
        while waiting:
            item = waiting.pop()
            if item < n:
                labels[item] = label
            else:
                waiting += merged[item - n].tolist()
    return labels


def assign(pool: PooledRows, centers: Floats) -> tuple[Ints, Floats]:
    """Return the cluster of every text and its cosine with the center."""
    clusters = np.empty(len(pool), dtype=np.int64)
    closeness = np.empty(len(pool))
    directions = centers.T.astype(pool.dtype)
    half_squares = ((centers**2).sum(axis=1) / 2).astype(pool.dtype)
    lengths = np.maximum(np.sqrt(2 * half_squares), np.finfo(np.float32).tiny)
    for block in row_blocks(0, len(pool), max(1, BLOCK_ELEMENTS // max(centers.shape))):
        products = pool.unit(np.arange(block.start, block.stop)) @ directions
        nearest = (products - half_squares).argmax(axis=1)
        clusters[block] = nearest
        closeness[block] = products[np.arange(len(nearest)), nearest] / lengths[nearest]
    return clusters, closeness
