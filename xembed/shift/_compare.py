"""The comparison of two corpora: whether they differ, how, and everything that a report says about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from xembed._core.directions import UnitRows, mean_cosines, resultant
from xembed._core.provenance import provenance
from xembed._core.validation import (
    RNG,
    FloatArray,
    check_count,
    check_names,
    check_number,
    check_option,
    check_rng,
    describe_rng,
)
from xembed.depth import tte_depth
from xembed.shift._battery import check_tests, run_battery
from xembed.shift._coverage import coverage
from xembed.shift._facets import find_facets, measure_dispersion
from xembed.shift._kinds import DEFAULT, KINDS
from xembed.shift._notes import note_duplicates, note_groups, note_resolution, note_sizes
from xembed.shift._permutation_tests import streamed_linear_mmd
from xembed.shift._pool import Groups, check_pair, make_pool, number_groups
from xembed.shift._projection import make_map
from xembed.shift._rank_sum import RankSumResult, rank_sum_test
from xembed.shift._regions import check_pair_of_texts, what_shifted
from xembed.shift._self_check import check_against_itself
from xembed.shift._shift_result import ShiftResult
from xembed.shift._statistics import classifier_statistic
from xembed.shift._surface import compare_surface
from xembed.shift._terms import distinguishing_terms
from xembed.shift._test_result import POWER, TestResult, describe_test, verdict_of_test
from xembed.shift._verdict import shift_verdict
from xembed.stats import holm

_MODES = ("auto", "battery", "fast")
_PROJECTIONS = ("pca", "umap", "none")
# Rows in total above which 'auto' takes the tests that need sums only: the battery needs the square of the rows.
FAST_ROWS = 10_000
# Rows in total up to which regions and coverage are looked for.
_EXPLAINED_ROWS = 30_000


def compare_corpora(
    F: npt.ArrayLike,
    G: npt.ArrayLike,
    *,
    texts: tuple[Sequence[str], Sequence[str]] | None = None,
    tests: str | Sequence[str] = "default",
    alpha: float = 0.05,
    n_resamples: int = 999,
    groups: Groups | None = None,
    paired: bool = False,
    explain: bool = True,
    self_check: bool = False,
    mode: str = "auto",
    distance: str = "cosine",
    projection: str = "pca",
    confidence_level: float = 0.95,
    names: tuple[str, str] = ("F", "G"),
    encoder: Mapping[str, Any] | None = None,
    warnings: Sequence[str] = (),
    rng: RNG = None,
) -> ShiftResult:
    """Compare two corpora in embedding space: whether they differ, how, and where, ready for a report.

    One test sees one kind of change, so a battery runs on one set of relabelings and is combined into one p-value with
    exact level.

    Parameters
    ----------
    F, G : array-like of shape (n_F, n_dims) and (n_G, n_dims)
        Embeddings; F is the reference corpus.
    texts : pair of sequences of str, optional
        The texts of F and of G, in the order of the rows.
    tests : 'default' or sequence of str
        The battery: names of 'depth' (pooled depth: dispersion), 'mean' (location), 'rbf' (fused RBF MMD: shape),
        'knn' (nearest neighbors: local structure), 'tail' (contamination), which are the default, 'linear' (linear
        MMD alone), 'energy', 'classifier'.
    alpha : float in (0, 1), default=0.05
        Level of the verdict.
    n_resamples : int, default=999
        Random relabelings.
    groups : pair of sequences, optional
        The group (document, author) of each row of F and of each row of G, where rows are chunks of them. Whole groups
        are relabeled. A group can't be in both corpora.
    paired : bool, default=False
        Row i of F and row i of G are two versions of one text. Each pair keeps or swaps its labels (sign flips).
    explain : bool, default=True
        Also look for what shifted: regions, coverage and, with ``texts``, terms and differences of form. Up to 30,000
        rows in total; above, ``warnings`` says so.
    self_check : bool, default=False
        Also split F against itself 200 times and count rejections, so that one sees whether the level holds on these
        data, and whether the order of the texts carries information.
    mode : {'auto', 'battery', 'fast'}, default='auto'
        'fast': pooled depth and linear MMD only, with Holm's correction; sums over the rows, no pairs. 'auto' takes it
        above 10,000 rows in total, and says so in ``warnings``.
    distance
        Of depth, as in `rank_sum_test`.
    projection : {'pca', 'umap', 'none'}, default='pca'
        How texts are placed on the map. A map is an illustration, never evidence, UMAP less than PCA.
    confidence_level : float in (0, 1), default=0.95
        Of the intervals.
    names : pair of str, default=('F', 'G')
        What the report calls the two corpora.
    encoder : mapping, optional
        What made the embeddings (`Encoder.describe`), for the report.
    warnings : sequence of str, optional
        Warnings of earlier steps to show in the report, such as texts that were cut.
    rng : int, numpy.random.Generator or None, default=None
        For the relabelings and all other random steps. None is seed 0.

    Returns
    -------
    ShiftResult
        With a ``verdict`` in words, the ``tests``, the ``facets``, and ``report(path)``.

    Raises
    ------
    ValueError, TypeError
        If the corpora, texts, groups or pairs are not as described, or an option is unknown; rows that are zero or not
        finite are named.
    MemoryError
        If rows and labels can't fit into the free memory, with advice.

    Notes
    -----
    The combined p-value is Westfall and Young's step-down min-p [1]_ with the weights depth 1, mean 2, rbf 1, knn 1/2,
    tail 1/2; columns with the same smallest p-value are ordered by Fisher's sum. It is exact in finite samples where
    rows (groups, pairs) are exchangeable without a shift, whatever the data look like; adjusted p-values control the
    chance of any false finding. Power and level are tabled in docs/measurements/shift.md.

    Intervals are approximate: DeLong's for depth, otherwise normal with the spread of the statistic's linear part.
    With groups or pairs those of depth, mean, rbf and tail still take each row for itself, and are too narrow.

    References
    ----------
    .. [1] P. H. Westfall, S. S. Young. "Resampling-Based Multiple Testing". Wiley 1993.

    Examples
    --------
    >>> import numpy as np
    >>> from xembed.shift import compare_corpora
    >>> rng = np.random.default_rng(0)
    >>> F, G = rng.normal(1.0, 1.0, size=(60, 16)), rng.normal(1.0, 0.6, size=(60, 16))
    >>> result = compare_corpora(F, G, names=("people", "model"))
    >>> result.shifted
    True
    >>> print(result.facets[1].sentence)
    “model” is collapsed (p = ...): two of its texts are ...% closer to each other than two of “people”.
    """
    caller = "compare_corpora"
    check_number(alpha, name="alpha", caller=caller, low=0, high=1, closed="neither")
    check_number(confidence_level, name="confidence_level", caller=caller, low=0, high=1, closed="neither")
    check_count(n_resamples, name="n_resamples", caller=caller, low=19)
    check_option(projection, _PROJECTIONS, name="projection", caller=caller)
    check_option(mode, _MODES, name="mode", caller=caller)
    chosen = check_tests(tests, caller=caller)
    generator = check_rng(rng, caller=caller)
    first, second = check_pair(F, G, caller=caller)
    listed = check_pair_of_texts(texts, (len(first), len(second)), caller=caller)
    texts_F = None if listed is None else tuple(listed[: len(first)])
    texts_G = None if listed is None else tuple(listed[len(first) :])
    both = check_names(names, caller=caller)
    seeds = generator.spawn(6)

    depth_test = rank_sum_test(first, second, distance=distance, confidence_level=confidence_level)
    units = _units(first, second, groups)
    notes = [*warnings, *note_sizes(len(first), len(second)), *note_groups(groups)]
    notes += note_duplicates(first, second, texts_F, texts_G, paired=paired)
    notes += note_resolution(*units, n_resamples, alpha, _unit_name(groups, paired))
    if mode == "fast" and chosen != DEFAULT:
        raise ValueError(
            f"The 'tests' parameter of {caller} goes with mode 'auto' or 'battery': mode='fast' runs pooled depth and "
            f"linear MMD. Got tests={tests!r}."
        )
    fast = mode == "fast" or (mode == "auto" and chosen == DEFAULT and len(first) + len(second) > FAST_ROWS)
    if fast:
        chosen = ("depth", "linear")
        notes.append(
            f"Fast mode: with {len(first) + len(second):,} texts only pooled depth and linear MMD were run. Changes of "
            "shape and contamination can go unseen; a random sample of the texts with mode='battery' looks for them."
        )
    options: dict[str, Any] = {
        "alpha": float(alpha),
        "confidence_level": float(confidence_level),
        "distance": distance,
    }
    if fast and groups is None and not paired:
        pvalue, found = _run_fast(first, second, depth_test, n_resamples, seeds[0], **options)
    else:
        pvalue, found = _run_battery(
            first, second, depth_test, chosen, n_resamples, seeds[0], groups=groups, paired=paired, **options
        )
    facets = find_facets(
        found, measure_dispersion(first, second), alpha=alpha, confidence_level=confidence_level, names=both
    )
    regions = coverage_found = terms = surface = None
    if explain and len(first) + len(second) > _EXPLAINED_ROWS:
        notes.append(
            f"What shifted was not looked for in {len(first) + len(second):,} texts, because it would take minutes. "
            f"Compare random samples of {_EXPLAINED_ROWS // 2:,} texts of each corpus for that."
        )
    elif explain:
        pair = None if texts_F is None or texts_G is None else (texts_F, texts_G)
        regions = what_shifted(first, second, texts=pair, names=both, rng=seeds[4])
        coverage_found = coverage(first, second, names=both, rng=seeds[5])
        if pair is not None:
            terms = distinguishing_terms(*pair, names=both)
            surface = compare_surface(*pair, names=both)
    checked = None
    if self_check:
        own = None if groups is None else list(groups[0])
        checked = check_against_itself(first, chosen, alpha=float(alpha), distance=distance, groups=own, rng=seeds[1])
    units_F, units_G = UnitRows.of(first, name="F"), UnitRows.of(second, name="G")
    points, shares, projection = make_map(units_F, units_G, projection, seeds[2], notes)
    totals = np.stack([resultant(rows, name=name)[0] for name, rows in (("F", first), ("G", second))])
    similarities = mean_cosines(totals, np.array([len(first), len(second)]))
    return ShiftResult(
        verdict=shift_verdict(pvalue, found, facets, regions, alpha=float(alpha)),
        shifted=pvalue <= alpha,
        pvalue=pvalue,
        alpha=float(alpha),
        mode="fast" if fast else "battery",
        tests=found,
        facets=facets,
        separability=_separability(first, second, seeds[3]),
        test=depth_test,
        similarity_within_F=float(similarities[0, 0]),
        similarity_within_G=float(similarities[1, 1]),
        similarity_between=float(similarities[0, 1]),
        regions=regions,
        coverage=coverage_found,
        terms=terms,
        surface=surface,
        self_check=checked,
        depths=np.concatenate([depth_test.depths_F, depth_test.depths_G]),
        depths_in_F=np.concatenate([tte_depth(first, distance=distance), tte_depth(second, first, distance=distance)]),
        depths_in_G=np.concatenate([tte_depth(first, second, distance=distance), tte_depth(second, distance=distance)]),
        coordinates=points,
        projection=projection,
        explained_variance=shares,
        names=both,
        texts_F=texts_F,
        texts_G=texts_G,
        encoder=dict(encoder) if encoder is not None else None,
        warnings=tuple(notes),
        provenance=provenance(
            caller,
            tests=list(chosen),
            n_resamples=n_resamples,
            groups=None if groups is None else "given",
            paired=paired,
            explain=explain,
            self_check=self_check,
            mode=mode,
            projection=projection,
            rng=describe_rng(rng),
            n_dims=int(first.shape[1]),
            **options,
        ),
    )


def _run_battery(
    F: FloatArray,
    G: FloatArray,
    depth_test: RankSumResult,
    tests: tuple[str, ...],
    n_resamples: int,
    rng: np.random.Generator,
    *,
    alpha: float,
    confidence_level: float,
    distance: str,
    groups: Groups | None,
    paired: bool,
) -> tuple[float, tuple[TestResult, ...]]:
    """Return the combined p-value and the tests on one set of relabelings."""
    pool = make_pool(F, G, n_resamples=n_resamples, rng=rng, groups=groups, paired=paired, caller="compare_corpora")
    battery = run_battery(pool, tests, distance)
    weights = np.array([KINDS[name].weight for name in tests])
    made = provenance("compare_corpora", n_resamples=n_resamples, rng="shared")
    found = [
        describe_test(
            name,
            battery.measured[name],
            float(pvalue),
            adjusted=float(adjusted),
            alpha=alpha,
            level=float(alpha * weight / weights.sum()),
            confidence_level=confidence_level,
            n_F=len(F),
            n_G=len(G),
            made=made,
        )
        for name, pvalue, adjusted, weight in zip(
            tests, battery.pvalues, battery.combined.adjusted, weights, strict=True
        )
    ]
    if groups is None and not paired:
        found = [
            replace(test, confidence_interval=depth_test.confidence_interval) if test.name == "depth" else test
            for test in found
        ]
    return battery.combined.pvalue, tuple(found)


def _run_fast(
    F: FloatArray,
    G: FloatArray,
    depth_test: RankSumResult,
    n_resamples: int,
    rng: np.random.Generator,
    *,
    alpha: float,
    confidence_level: float,
    distance: str,
) -> tuple[float, tuple[TestResult, ...]]:
    """Return the combined p-value, and pooled depth and linear MMD corrected by Holm's method."""
    linear = streamed_linear_mmd(
        F,
        G,
        n_resamples=n_resamples,
        confidence_level=confidence_level,
        level=alpha / 2,
        rng=rng,
        caller="compare_corpora",
    )
    n, m = len(F), len(G)
    adjusted = holm(np.array([depth_test.pvalue, linear.pvalue]))
    kind = KINDS["depth"]
    depth = TestResult(
        name="depth",
        title=kind.title,
        verdict=verdict_of_test("depth", float(adjusted[0]), depth_test.effect_size, alpha),
        statistic=abs(depth_test.statistic),
        pvalue=depth_test.pvalue,
        adjusted_pvalue=float(adjusted[0]),
        effect_size=depth_test.effect_size,
        effect=kind.effect,
        confidence_interval=depth_test.confidence_interval,
        confidence_level=confidence_level,
        # Noether's formula for the rank-sum test.
        detectable=float((stats.norm.isf(alpha / 4) + stats.norm.ppf(POWER)) * np.sqrt((n + m + 1) / (3 * n * m))),
        n_F=n,
        n_G=m,
        null=np.empty(0),
        provenance=depth_test.provenance,
    )
    linear = replace(
        linear,
        adjusted_pvalue=float(adjusted[1]),
        verdict=verdict_of_test("linear", float(adjusted[1]), linear.effect_size, alpha),
    )
    return float(adjusted.min()), (depth, linear)


def _separability(F: FloatArray, G: FloatArray, rng: np.random.Generator) -> float | None:
    if len(F) + len(G) > FAST_ROWS:
        return None
    pool = make_pool(F, G, n_resamples=0, rng=rng, caller="compare_corpora")
    return float(0.5 + classifier_statistic(pool.unit, pool.labels).effects[0] / 2)


def _units(F: FloatArray, G: FloatArray, groups: Groups | None) -> tuple[int, int]:
    if groups is None:
        return len(F), len(G)
    numbers = number_groups(groups, len(F), len(G), caller="compare_corpora")
    return len(np.unique(numbers[0])), len(np.unique(numbers[1]))


def _unit_name(groups: Groups | None, paired: bool) -> str:
    return "pairs" if paired else "texts" if groups is None else "groups"
