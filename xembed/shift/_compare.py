"""The comparison of two corpora: whether they differ, how, and everything that a report says about it."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar

import numpy as np

from xembed._core import validation
from xembed._core.directions import UnitRows, mean_cosines
from xembed._core.fields import Cosine, Floats, Level, OneOf, Probability, Provenance, Sides
from xembed._core.inputs import column_names
from xembed._core.progress import shows_steps
from xembed._core.provenance import provenance
from xembed._core.results import DataFrame, Result, UserText, data_frame
from xembed._core.text import blankless_note, format_p, in_sentence, short_names
from xembed._core.validation import RNG, Embeddings, FloatArray, check_flag, check_number, check_rng, describe_rng
from xembed.depth._depth import unit_depths
from xembed.depth._pairwise import DISTANCES
from xembed.encoders._corpora import (
    check_unread,
    lead_verdict,
    named_column,
    plain_column,
    read_corpora,
    unread_verdict,
)
from xembed.shift import _battery
from xembed.shift._battery import Groups, make_pool
from xembed.shift._coverage import CoverageResult, find_uncovered
from xembed.shift._facets import Facet, find_facets, measure_dispersion
from xembed.shift._kinds import DEFAULT, KINDS
from xembed.shift._permutation_tests import POWER, TestResult, describe_test, linear_test_of_units, verdict_of_test
from xembed.shift._projection import make_map
from xembed.shift._rank_sum import RankSumResult, compare_depths, pooled_depths
from xembed.shift._regions import RegionsResult, check_pair_of_texts, find_regions
from xembed.shift._self_check import SelfCheck, check_against_itself
from xembed.shift._statistics import classifier_statistic
from xembed.shift._surface import SurfaceResult, compare_features
from xembed.shift._terms import MIN_COUNT, TermsResult, compare_terms, term_presence
from xembed.stats import holm
from xembed.stats._rank_sums import normal_quantile

_CALLER = "compare_corpora"
_MODES = ("auto", "battery", "fast")
_PROJECTIONS = ("pca", "umap", "none")
# Rows in total above which 'auto' takes the tests that need sums only: the battery needs the square of the rows.
FAST_ROWS = 10_000
# Rows in total up to which regions and coverage are looked for.
_EXPLAINED_ROWS = 30_000
# Distance of mean cosines from 1 up to which all embeddings are the same.
_SAME = 1e-6
# Fewer texts and groups than these are called few.
_FEW, _FEW_GROUPS = 20, 10
# Regions that the verdict names, and how it says what became of them.
_REGIONS = 2
_STATUS = {"new": "new in “{}”", "vanished": "gone from “{}”", "more": "more in “{}”", "less": "less in “{}”"}


@dataclass(frozen=True, repr=False)
class ShiftResult(Result):
    """Result of `compare_corpora`. Arrays over all texts hold those of F first, then those of G.

    Attributes
    ----------
    verdict : str
        The finding in words, with its numbers.
    shifted : bool
        Whether the combined p-value is at most ``alpha``.
    pvalue : float
        p-value of the hypothesis that the corpora do not differ, from all tests together.
    alpha : float
        Level of the verdict.
    mode : str
        'battery': tests on shared permutations, combined by Westfall and Young's min-p; 'fast': pooled depth and linear
        MMD, combined by Holm's method.
    tests : tuple of TestResult
        Each test with its adjusted p-value, effect size and interval.
    facets : tuple of Facet
        The facets of the difference: location, dispersion, shape, contamination.
    separability : float or None
        AUC of a linear classifier on held-out texts; 0.5: the corpora can't be told apart. None above 10,000 texts.
    test : RankSumResult
        The rank-sum test of depths alone, whatever the groups or pairs.
    similarity_within_F, similarity_within_G, similarity_between : float
        Mean cosine of two different texts of F, of G, and of one of each, in [-1, 1].
    regions : RegionsResult or None
        Which regions of the space hold more or less of G than of F, with their typical texts and terms.
    coverage : CoverageResult or None
        Which texts of each corpus the other does not cover.
    terms : TermsResult or None
        Terms that are more frequent in one corpus; None without texts.
    surface : SurfaceResult or None
        Surface features, such as length and spacing, that may explain a shift by an artifact; None without texts.
    self_check : SelfCheck or None
        F against itself, if asked for.
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
    metadata_F, metadata_G : dict of str to tuple, or None
        Columns of what belongs to each text of F and of G, if they were given; 'row' is its number in its file.
    unread : tuple of float
        Shares of the texts of F and of G of which the encoder reads nothing, or 1 where it gives all of both the same
        embedding. From a half on the verdict says so first, whatever ``shifted`` is.
    """

    schema: ClassVar[str] = "xembed.shift.ShiftResult/1"
    page: ClassVar[str | None] = "xembed.shift._pages.compare:compare"

    verdict: str
    shifted: bool
    pvalue: Probability
    alpha: Level
    mode: Annotated[str, OneOf("fast", "battery")]
    tests: tuple[TestResult, ...]
    facets: tuple[Facet, ...]
    separability: Probability | None
    test: RankSumResult
    similarity_within_F: Cosine
    similarity_within_G: Cosine
    similarity_between: Cosine
    regions: RegionsResult | None
    coverage: CoverageResult | None
    terms: TermsResult | None
    surface: SurfaceResult | None
    self_check: SelfCheck | None
    depths: Annotated[Floats, Sides("rows")]
    depths_in_F: Annotated[Floats, Sides("rows")]
    depths_in_G: Annotated[Floats, Sides("rows")]
    coordinates: Annotated[Floats, Sides("rows", "map")] | None
    projection: Annotated[str, OneOf("pca", "umap", "none")]
    explained_variance: Annotated[tuple[Probability, ...], Sides("map")] | None
    names: Annotated[tuple[str, str], UserText]
    texts_F: Annotated[tuple[str, ...] | None, UserText, Sides("test.n_F")]
    texts_G: Annotated[tuple[str, ...] | None, UserText, Sides("test.n_G")]
    encoder: dict[str, Any] | None
    warnings: tuple[str, ...]
    provenance: Provenance
    metadata_F: Annotated[dict[str, tuple[str | float | None, ...]] | None, UserText] = None
    metadata_G: Annotated[dict[str, tuple[str | float | None, ...]] | None, UserText] = None
    unread: tuple[Probability, Probability] = (0.0, 0.0)

    def to_frame(self) -> DataFrame:
        """Return a table with a row a text: corpus, row, depths and, where given, coordinates, metadata and text."""
        n_F = len(self.depths) - self.test.n_G
        corpora = np.repeat(self.names, [n_F, self.test.n_G])
        metadata = self.metadata_F or {}, self.metadata_G or {}
        columns: dict[str, Any] = {
            "corpus": corpora,
            "row": [*metadata[0].get("row", range(n_F)), *metadata[1].get("row", range(self.test.n_G))],
            "depth": self.depths,
            "depth_in_F": self.depths_in_F,
            "depth_in_G": self.depths_in_G,
        }
        if self.coordinates is not None:
            columns["x"], columns["y"] = self.coordinates.T
        columns |= {name: [*metadata[0][name], *metadata[1][name]] for name in metadata[0] if name not in columns}
        if self.texts_F is not None and self.texts_G is not None:
            columns["text"] = [*self.texts_F, *self.texts_G]
        return data_frame(columns)


@shows_steps
def compare_corpora(
    F: Embeddings,
    G: Embeddings,
    *,
    text_column: str | None = None,
    texts: tuple[Sequence[str], Sequence[str]] | None = None,
    tests: str | Sequence[str] = "default",
    alpha: float = 0.05,
    n_resamples: int = 999,
    groups: Groups | str | None = None,
    paired: bool = False,
    explain: bool = True,
    self_check: bool = False,
    mode: str = "auto",
    distance: str = "cosine",
    projection: str = "pca",
    confidence_level: float = 0.95,
    names: tuple[str, str] = ("F", "G"),
    encoder: Any = None,
    warnings: Sequence[str] = (),
    metadata: tuple[Any, Any] | None = None,
    unread: tuple[float, float] = (0.0, 0.0),
    progress: bool | None = None,
    rng: RNG = None,
) -> ShiftResult:
    """Compare two corpora in embedding space: whether they differ, how, and where, ready for a report.

    A battery of tests on one set of permutations is combined into one p-value with exact level.

    Parameters
    ----------
    F, G : array-like of shape (n_F, n_dims) and (n_G, n_dims), or texts
        Embeddings, or the texts themselves, which are encoded when everything else has been checked: lists or columns
        of strings, or tables with a ``text_column``. F is the reference corpus. The index of a DataFrame or Series is
        not used: rows are counted from 0.
    text_column : str, optional
        Column of the texts, where F and G are DataFrames or other tables.
    texts : pair of sequences of str, optional
        The texts of F and of G, in the order of the rows; by default F and G if they are texts.
    tests : 'default' or sequence of str
        The battery: names of 'depth' (pooled depth: dispersion), 'mean' (location), 'rbf' (fused RBF MMD: shape),
        'knn' (nearest neighbors: local structure), 'tail' (contamination), which are the default, 'linear' (linear
        MMD alone), 'energy', 'classifier'.
    alpha : float in (0, 1), default=0.05
        Level of the verdict.
    n_resamples : int, default=999
        Random permutations of the labels.
    groups : pair of sequences, or str, optional
        The group (document, author) of each row of F and of each row of G, where rows are chunks of them, or the name
        of a column of both where they are tables. Whole groups are permuted. A group can't be in both corpora.
    paired : bool, default=False
        Row i of F and row i of G are two versions of one text. Each pair keeps or swaps its labels (sign flips).
    explain : bool, default=True
        Also look for what shifted: regions, coverage and, with ``texts``, terms and surface features. Up to 30,000 rows
        in total; above, ``warnings`` says so.
    self_check : bool, default=False
        Also split F against itself 200 times and count rejections, so that one sees whether the level holds on these
        data, and whether the order of the texts carries information.
    mode : {'auto', 'battery', 'fast'}, default='auto'
        'fast': pooled depth and linear MMD only, with Holm's correction; sums over the rows, no pairs. 'auto' takes it
        above 10,000 rows in total, and says so in ``warnings``.
    distance : {'cosine', 'chord', 'angular'}, default='cosine'
        Distance of the depths, as in `rank_sum_test`.
    projection : {'pca', 'umap', 'none'}, default='pca'
        How texts are placed on the map. A map is an illustration, never evidence, UMAP less than PCA.
    confidence_level : float in (0, 1), default=0.95
        Confidence level of the intervals.
    names : pair of str, default=('F', 'G')
        Names of the corpora in sentences and in the report.
    encoder : encoder, str, path or mapping, optional
        For texts what encodes them: an `Encoder` or any object with ``.encode``, or the name or folder of a model; the
        default encoder if None. For embeddings the description of what made them (`Encoder.describe`), for the report.
    warnings : sequence of str, optional
        Warnings of earlier steps to show in the report, such as texts that were cut.
    metadata : pair of mappings of str to sequence, or of DataFrames, optional
        Columns of what belongs to each text of F and of G, such as its date or channel: strings, numbers, dates or
        None, under the same names in both. The report shows them with each text and colors the map by them. A column
        'row' of integers takes the place of the row numbers. By default the first 4 columns beside ``text_column``
        that are not all the same and of at most 40 characters; ``({}, {})`` leaves them out.
    unread : pair of float, default=(0.0, 0.0)
        For embeddings the shares of the texts of F and of G of which the encoder reads nothing (`Encoding.unread`), in
        [0, 1]. For texts they are counted.
    progress : bool, optional
        Whether to show progress bars on stderr. By default only if that is a terminal.
    rng : int, numpy.random.Generator or None, default=None
        Source of the permutations and all other random steps; None is seed 0.

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
    “model” is collapsed (p = ...): the mean pairwise distance within it is ...% smaller than within “people”.
    """
    wanted = check_options(
        tests=tests,
        alpha=alpha,
        n_resamples=n_resamples,
        mode=mode,
        distance=distance,
        projection=projection,
        confidence_level=confidence_level,
    )
    generator = check_rng(rng, caller=_CALLER)
    both = validation.check_names(names, caller=_CALLER)
    explain = check_flag(explain, name="explain", caller=_CALLER)
    self_check = check_flag(self_check, name="self_check", caller=_CALLER)
    earlier = validation.check_warnings(warnings, caller=_CALLER)
    shares_unread = check_unread(unread, caller=_CALLER)
    corpora = read_corpora(
        {"F": F, "G": G}, encoder=encoder, text_column=text_column, min_texts={"F": 2, "G": 2}, caller=_CALLER
    )
    if isinstance(groups, str):
        tables = (("F", F), ("G", G))
        groups = tuple(named_column(groups, table, name="groups", of=of, caller=_CALLER) for of, table in tables)
    beside = corpora.beside(text_column) if metadata is None else metadata
    if corpora.texts:  # all that can be refused is, before they are encoded
        n, m = len(corpora.texts["F"]), len(corpora.texts["G"])
        texts = texts if texts is not None else (corpora.texts["F"], corpora.texts["G"])
        check_pair_of_texts(texts, (n, m), caller=_CALLER)
        check_design(n, m, groups=groups, paired=paired)
        columns = _check_metadata(beside, (n, m))
    embeddings, of_encoding, described, counted = corpora.embed(F=both[0], G=both[1])
    if corpora.texts:
        shares_unread = counted[0], counted[1]
    first, second = _battery.check_pair(*embeddings, caller=_CALLER)
    n, m = len(first), len(second)
    listed = check_pair_of_texts(texts, (n, m), caller=_CALLER)
    if not corpora.texts:
        columns = _check_metadata(beside, (n, m))
    seeds = generator.spawn(6)
    options = _Options(float(alpha), float(confidence_level), n_resamples, distance)

    units = check_design(n, m, groups=groups, paired=paired)
    notes = [*earlier, *of_encoding, *blankless_note(listed or []), *_note_design(n, m, groups)]
    notes += _note_duplicates(first.rows, second.rows, listed, paired=paired)
    permuted = "pairs" if paired else "texts" if groups is None else "groups"
    notes += note_resolution(*units, n_resamples, alpha, permuted)
    fast = mode == "fast" or (mode == "auto" and wanted == DEFAULT and n + m > FAST_ROWS)
    if fast:
        wanted = ("depth", "linear")
        notes.append(
            f"Fast mode: with {n + m:,} texts only pooled depth and linear MMD were run. Changes of shape and "
            "contamination can go unseen; a random sample of the texts with mode='battery' looks for them."
        )
    depths = pooled_depths(first, second, distance)
    depth_test = compare_depths(*depths, np.arange(n), distance=distance, confidence_level=options.confidence_level)
    if fast and groups is None and not paired:
        pvalue, results = _run_fast(first, second, depth_test, options, seeds[0])
    else:
        pvalue, results = _run_battery(first, second, depth_test, wanted, options, seeds[0], groups, paired)
    short, spread = short_names(both), measure_dispersion(first, second)
    facets = find_facets(results, spread, alpha=alpha, confidence_level=confidence_level, names=short)
    regions, coverage, terms, surface = None, None, None, None
    if explain and n + m > _EXPLAINED_ROWS:
        notes.append(
            f"What shifted was not looked for in {n + m:,} texts, because it would take minutes. Compare random "
            f"samples of {_EXPLAINED_ROWS // 2:,} texts of each corpus for that."
        )
    elif explain:
        presence = None if listed is None else term_presence(listed, MIN_COUNT)
        regions = find_regions(first, second, listed, names=both, rng=seeds[4], seed=seeds[4], presence=presence)
        coverage = find_uncovered(first, second, names=both, rng=seeds[5], seed=seeds[5])
        terms = None if presence is None else compare_terms(presence, n, names=both)
        surface = None if listed is None else compare_features(listed[:n], listed[n:], names=both)
    checked = None
    if self_check:
        own = None if groups is None else list(groups[0])
        checked = check_against_itself(first, wanted, alpha=float(alpha), distance=distance, groups=own, rng=seeds[1])
    points, shares, projection = make_map(first, second, projection, seeds[2], notes)
    similarities = mean_cosines(np.stack([first.total, second.total]), np.array([n, m]))
    by = None if groups is None else "given"
    design = {"tests": list(wanted), "n_resamples": n_resamples, "groups": by, "paired": paired}
    asked = {"explain": explain, "self_check": self_check, "mode": mode, "projection": projection}
    measured = {"alpha": float(alpha), "confidence_level": float(confidence_level), "distance": distance}
    same = listed is not None and len(set(listed)) > 1 and bool((similarities > 1 - _SAME).all())
    not_read = unread_verdict(
        {f"the texts of “{one}”": share for one, share in zip(short, shares_unread, strict=True)}, same=same
    )
    verdict = _verdict(pvalue, results, facets, regions, alpha=float(alpha), name=short[1])
    return ShiftResult(
        verdict=lead_verdict(not_read, verdict),
        shifted=pvalue <= alpha,
        pvalue=pvalue,
        alpha=float(alpha),
        mode="fast" if fast else "battery",
        tests=results,
        facets=facets,
        separability=_separability(first, second, seeds[3]),
        test=depth_test,
        similarity_within_F=float(similarities[0, 0]),
        similarity_within_G=float(similarities[1, 1]),
        similarity_between=float(similarities[0, 1]),
        regions=regions,
        coverage=coverage,
        terms=terms,
        surface=surface,
        self_check=checked,
        depths=np.concatenate([depth_test.depths_F, depth_test.depths_G]),
        depths_in_F=np.concatenate([unit_depths(first, None, distance), unit_depths(second, first, distance)]),
        depths_in_G=np.concatenate([unit_depths(first, second, distance), unit_depths(second, None, distance)]),
        coordinates=points,
        projection=projection,
        explained_variance=shares,
        names=both,
        texts_F=None if listed is None else tuple(listed[:n]),
        texts_G=None if listed is None else tuple(listed[n:]),
        encoder=described,
        warnings=tuple(notes),
        provenance=provenance(_CALLER, **design, **asked, rng=describe_rng(rng), n_dims=first.n_dims, **measured),
        metadata_F=columns[0],
        metadata_G=columns[1],
        unread=(1.0, 1.0) if same else shares_unread,
    )


def _check_metadata(metadata: Any, sizes: tuple[int, int]) -> tuple[dict[str, tuple[Any, ...]] | None, ...]:
    """Return the columns of both corpora, if any, as JSON has them: what is no number and not None is a string."""
    if metadata is None:
        return None, None
    expected = f"The 'metadata' parameter of {_CALLER} must be a pair of tables of columns, one for F and one for G"
    names = [_names_of(columns) for columns in metadata] if isinstance(metadata, list | tuple) else []
    if len(names) != 2 or None in names:
        raise TypeError(f"{expected}. Got {type(metadata).__name__}.")
    if set(names[0] or ()) != set(names[1] or ()):
        raise ValueError(f"{expected}, with the same names. Got {names[0]} and {names[1]}.")
    for columns, size, which in zip(metadata, sizes, "FG", strict=True):
        for name in names[0] or ():
            values = columns[name]
            if len(values) != size or (name == "row" and not all(isinstance(v, int | np.integer) for v in values)):
                needed = f"{size} {'integers' if name == 'row' else 'values'} for the rows of {which}"
                raise ValueError(f"{expected}, each column with {needed}. Got {len(values)} in {name!r}.")
    first, second = ({str(k): tuple(plain_column(columns[k])) for k in names[0] or ()} for columns in metadata)
    return first, second


def _names_of(columns: Any) -> list[Any] | None:
    return list(columns) if isinstance(columns, Mapping) else column_names(columns)


def check_options(
    *,
    tests: Any = "default",
    alpha: Any = 0.05,
    n_resamples: Any = 999,
    mode: Any = "auto",
    distance: Any = "cosine",
    projection: Any = "pca",
    confidence_level: Any = 0.95,
) -> tuple[str, ...]:
    """Check the parameters of `compare_corpora` that are no data, and return the names of the tests."""
    check_number(alpha, name="alpha", caller=_CALLER, low=0, high=1, closed="neither")
    check_number(confidence_level, name="confidence_level", caller=_CALLER, low=0, high=1, closed="neither")
    validation.check_count(n_resamples, name="n_resamples", caller=_CALLER, low=19)
    validation.check_option(projection, _PROJECTIONS, name="projection", caller=_CALLER)
    validation.check_option(mode, _MODES, name="mode", caller=_CALLER)
    validation.check_option(distance, DISTANCES, name="distance", caller=_CALLER)
    wanted = _battery.check_tests(tests, caller=_CALLER)
    if mode == "fast" and wanted != DEFAULT:
        raise ValueError(
            f"The 'tests' parameter of {_CALLER} goes with mode 'auto' or 'battery': mode='fast' runs pooled depth and "
            f"linear MMD. Got tests={tests!r}."
        )
    return wanted


def check_design(n_F: int, n_G: int, *, groups: Groups | None, paired: bool) -> tuple[int, int]:
    """Check groups and pairs, and return how many units of F and of G are permuted; embeddings are not needed."""
    for name, n_rows in (("F", n_F), ("G", n_G)):
        if n_rows < 2:
            raise ValueError(f"{name} must hold at least 2 rows (texts) for {_CALLER}. Got {n_rows}.")
    if check_flag(paired, name="paired", caller=_CALLER):
        _battery.check_pairing(n_F, n_G, groups, caller=_CALLER)
    if groups is None:
        return n_F, n_G
    of_F, of_G = _battery.number_groups(groups, n_F, n_G, caller=_CALLER)
    return len(np.unique(of_F)), len(np.unique(of_G))


@dataclass(frozen=True)
class _Options:
    alpha: float
    confidence_level: float
    n_resamples: int
    distance: str


def _run_battery(
    F: UnitRows,
    G: UnitRows,
    depth_test: RankSumResult,
    tests: tuple[str, ...],
    options: _Options,
    rng: np.random.Generator,
    groups: Groups | None,
    paired: bool,
) -> tuple[float, tuple[TestResult, ...]]:
    """Return the combined p-value and the tests on one set of permutations."""
    count = options.n_resamples
    pool = make_pool(F, G, n_resamples=count, rng=rng, groups=groups, paired=paired, caller=_CALLER)
    battery = _battery.run_battery(pool, tests, options.distance)
    weights = np.array([KINDS[name].weight for name in tests])
    made = provenance(_CALLER, n_resamples=count, rng="shared")
    measured = zip(tests, battery.pvalues, battery.combined.adjusted, weights, strict=True)
    results = [
        describe_test(
            name,
            battery.measured[name],
            float(pvalue),
            adjusted=float(adjusted),
            alpha=options.alpha,
            level=float(options.alpha * weight / weights.sum()),
            confidence_level=options.confidence_level,
            sizes=(len(F), len(G)),
            made=made,
        )
        for name, pvalue, adjusted, weight in measured
    ]
    if groups is None and not paired and "depth" in tests:
        place = tests.index("depth")
        results[place] = replace(results[place], confidence_interval=depth_test.confidence_interval)
    return battery.combined.pvalue, tuple(results)


def _run_fast(
    F: UnitRows, G: UnitRows, depth_test: RankSumResult, options: _Options, rng: np.random.Generator
) -> tuple[float, tuple[TestResult, ...]]:
    """Return the combined p-value, and pooled depth and linear MMD corrected by Holm's method."""
    alpha, level = options.alpha, options.confidence_level
    count, design = options.n_resamples, {"groups": None, "paired": False}
    parameters = {"kernel": "linear", "n_resamples": count, **design, "confidence_level": level}
    made = provenance(_CALLER, **parameters, rng=describe_rng(rng))
    linear = linear_test_of_units(F, G, count, rng, level=alpha / 2, confidence_level=level, made=made)
    n, m = len(F), len(G)
    adjusted = holm([depth_test.pvalue, linear.pvalue])
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
        confidence_level=level,
        # Noether's formula for the rank-sum test.
        detectable=float((normal_quantile(POWER) - normal_quantile(alpha / 4)) * np.sqrt((n + m + 1) / (3 * n * m))),
        n_F=n,
        n_G=m,
        null=np.empty(0),
        provenance=depth_test.provenance,
    )
    verdict = verdict_of_test("linear", float(adjusted[1]), linear.effect_size, alpha)
    return float(adjusted.min()), (depth, replace(linear, adjusted_pvalue=float(adjusted[1]), verdict=verdict))


def _separability(F: UnitRows, G: UnitRows, rng: np.random.Generator) -> float | None:
    if len(F) + len(G) > FAST_ROWS:
        return None
    pool = make_pool(F, G, n_resamples=0, rng=rng, caller=_CALLER)
    return float(0.5 + classifier_statistic(pool.unit, pool.labels).effects[0] / 2)


# ---- words


def _verdict(
    pvalue: float,
    tests: Sequence[TestResult],
    facets: Sequence[Facet],
    regions: RegionsResult | None,
    *,
    alpha: float,
    name: str,
) -> str:
    """Say what a battery found or, if nothing, how large a difference it would have detected."""
    start = f"({format_p(pvalue)}, {len(tests)} tests, level {alpha:.0%})."
    if pvalue <= alpha:
        reasons = " ".join(facet.sentence for facet in facets if facet.pvalue is not None and facet.pvalue <= alpha)
        return f"The corpora differ {start} {reasons}{'' if regions is None else _most_changed(regions, name)}"
    sizes = " or ".join(
        f"a {'depth effect |2Q − 1|' if test.name == 'depth' else 'share of the variance between the corpora'} of "
        f"{test.detectable:.2g}"
        for test in tests
        if test.name in {"depth", "mean", "linear"}
    )
    power = f" With these sizes {sizes} is detected with a power of {POWER:.0%}." if sizes else ""
    return f"No difference found {start}{power}"


def _most_changed(result: RegionsResult, name: str) -> str:
    changed = [region for region in result.regions if region.status in _STATUS]
    if not changed:
        return ""
    first = "; ".join(
        f"{_STATUS[region.status].format(name)}: “{in_sentence(region.label, 90)}” "
        f"({region.share_F:.0%} → {region.share_G:.0%} of the texts)"
        for region in changed[:_REGIONS]
    )
    return f" {len(changed)} of {len(result.regions)} regions of the space changed. First: {first}."


def note_resolution(units_F: int, units_G: int, n_resamples: int, alpha: float, what: str) -> list[str]:
    """Say if the p-value can't fall to ``alpha``, because there are too few permutations."""
    total = units_F + units_G
    # Logarithms of the factorials: of millions of rows they have millions of digits.
    log_subsets = math.lgamma(total + 1) - math.lgamma(units_F + 1) - math.lgamma(units_G + 1)
    log_permutations = units_F * math.log(2) if what == "pairs" else log_subsets
    smallest = max(math.exp(-log_permutations), 1 / (n_resamples + 1))
    if smallest > alpha:
        return [
            f"No difference can be found: {units_F} and {units_G} {what} with {n_resamples} permutations give p-values "
            f"of {smallest:.2g} or more, above the level {alpha:g}."
        ]
    if what == "groups" and min(units_F, units_G) < _FEW_GROUPS:
        return [f"Few groups ({units_F} and {units_G}): whole groups are permuted, so this is the size of the samples."]
    return []


def _note_design(n_F: int, n_G: int, groups: Groups | None) -> list[str]:
    """Say if the corpora are small, and what groups do not change, or that they change nothing."""
    notes = []
    if min(n_F, n_G) < _FEW:
        only = "only large differences can be found, and the intervals are wide."
        notes.append(f"Small corpora ({n_F} and {n_G} texts): {only}")
    if groups is not None and all(len(set(part)) == len(part) for part in groups):
        notes.append("Every group holds one row, so permuting groups is permuting rows.")
    elif groups is not None:
        notes.append(
            "The tests permute whole groups. All else (regions, coverage, terms, surface features, separability) takes "
            "each row for itself: with groups it looks surer than it is."
        )
    return notes


def _note_duplicates(F: FloatArray, G: FloatArray, texts: list[str] | None, *, paired: bool) -> list[str]:
    """Say how many texts (or, without texts, rows) repeat an earlier one of their own corpus or the other."""
    what = "row" if texts is None else "text"
    items: list[list[Any]]
    if texts is None:
        items = [[hashlib.blake2b(row.tobytes(), digest_size=16).digest() for row in rows] for rows in (F, G)]
    else:
        items = [texts[: len(F)], texts[len(F) :]]
    different = set(items[0]), set(items[1])
    within = len(F) - len(different[0]) + len(G) - len(different[1])
    shared = len(different[0] & different[1])
    notes = []
    if within:
        notes.append(
            f"{_count(within, what, 'repeats', 'repeat')} another of the same corpus. Repeated texts are not "
            "independent, and p-values built on them are too small."
        )
    if shared and not paired:
        notes.append(
            f"{_count(shared, what, 'occurs', 'occur')} in both corpora. If the corpora are two versions of the same "
            "texts, they are paired, not independent samples: compare them with paired=True."
        )
    return notes


def _count(number: int, noun: str, singular: str, plural: str) -> str:
    """Write a number with its noun and verb."""
    return f"{number} {noun} {singular}" if number == 1 else f"{number} {noun}s {plural}"
