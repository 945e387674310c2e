"""Outliers with a bound on the false discovery rate: p-values of depth, and Benjamini-Hochberg."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np

from xembed._core import validation
from xembed._core.directions import UnitRows
from xembed._core.fields import Count, Counts, Floats, Level, OneOf, Probabilities, Probability, Provenance, Sides
from xembed._core.progress import shows_steps
from xembed._core.provenance import provenance
from xembed._core.results import DataFrame, Result, data_frame
from xembed._core.validation import RNG, Embeddings, check_embeddings, check_same_dims, describe_rng
from xembed.depth._depth import DECIMALS, unit_depths
from xembed.depth._local import nearest_similarity, raise_if_too_few
from xembed.encoders._corpora import lead_verdict, read_corpora, unread_verdict
from xembed.stats import benjamini_hochberg

if TYPE_CHECKING:
    from xembed.depth._empirical_null import EmpiricalNull

_SCORES = {"depth": "depth", "local": "local depth"}
# Fewer texts say nothing about the tail of their own scores.
_FEWEST = 20
# Distance of a mean cosine from 1 up to which all embeddings are the same.
_SAME = 1e-6
# The share of a corpus up to which the empirical null takes outliers into account.
_BULK_SHARE = 0.1


@dataclass(frozen=True, repr=False)
class OutlierResult(Result):
    """Result of `find_outliers`.

    Attributes
    ----------
    verdict : str
        The finding in words.
    rows : ndarray of int
        Rows of ``X`` that are reported, in ascending order.
    pvalues, qvalues, scores : ndarray of shape (n_tested,)
        The p-value of each text, its p-value adjusted by Benjamini and Hochberg, and its depth or local depth.
    threshold : float or None
        The largest score that is reported; None if none is.
    fdr : float
        The false discovery rate asked for.
    score : str
        'depth' or 'local'.
    method : str
        Where the p-values come from: 'conformal' (a reference) or 'empirical_null' (the bulk of the scores).
    n_calibration : int
        Texts that the scores were compared with: of the reference, or in the bulk.
    n_tested : int
        Texts in ``X``.
    warnings : tuple of str
        What a reader should know before trusting the numbers.
    provenance : dict
        Function, parameters and versions.
    unread : float
        Share of the texts, or of the reference if that is larger, of which the encoder reads nothing, or 1 where it
        gives all of them the same embedding. From a half on the verdict says so first.
    """

    schema: ClassVar[str] = "xembed.depth.OutlierResult/1"
    page: ClassVar[str | None] = "xembed.depth._pages:outliers"

    verdict: str
    rows: Annotated[Counts, Sides("rows")]
    pvalues: Annotated[Probabilities, Sides("n_tested")]
    qvalues: Annotated[Probabilities, Sides("n_tested")]
    scores: Annotated[Floats, Sides("n_tested")]
    threshold: float | None
    fdr: Level
    score: Annotated[str, OneOf("depth", "local")]
    method: str
    n_calibration: Count
    n_tested: Count
    warnings: tuple[str, ...]
    provenance: Provenance
    unread: Probability = 0.0

    def __post_init__(self) -> None:
        # An empty list of JSON does not say that it held integers.
        object.__setattr__(self, "rows", np.asarray(self.rows, dtype=np.int64))

    def to_frame(self) -> DataFrame:
        """Return a table with a row a text: row, score, p-value, q-value, and whether it is reported."""
        every = np.arange(self.n_tested)
        columns = {"row": every, "score": self.scores, "pvalue": self.pvalues, "qvalue": self.qvalues}
        return data_frame(columns | {"outlier": np.isin(every, self.rows)})


@shows_steps
def find_outliers(
    X: Embeddings,
    *,
    reference: Embeddings | None = None,
    fdr: float = 0.05,
    score: str = "depth",
    n_neighbors: int = 10,
    text_column: str | None = None,
    encoder: Any = None,
    progress: bool | None = None,
    rng: RNG = None,
) -> OutlierResult:
    r"""Find texts that do not belong to a corpus, with a bound on the share of false ones among them.

    Parameters
    ----------
    X : array-like of shape (n_texts, n_dims), or texts
        Embeddings of the texts to test, or the texts themselves, which are encoded when everything else has been
        checked: a list or column of strings, or a table with a ``text_column``. The index of a DataFrame or Series is
        not used: rows are counted from 0.
    reference : array-like of shape (n_reference, n_dims), or texts, optional
        Embeddings of texts, or texts, as X, that are known to be good. With them the bound holds whatever the data look
        like. ``None`` looks for the outliers of ``X`` in ``X`` itself, 20 texts at least, and rests on a model of the
        scores.
    fdr : float in (0, 1), default=0.05
        False discovery rate: the expected share of good texts among the reported ones.
    score : {'depth', 'local'}, default='depth'
        What makes an outlier: being far from the common center (`tte_depth`), or far from the nearest texts
        (`local_depth`), as texts between clusters are.
    n_neighbors : int, default=10
        Neighbors of the local depth.
    text_column : str, optional
        Column of the texts, where X and the reference are DataFrames or other tables.
    encoder : encoder, str, path or mapping, optional
        For texts what encodes them: an `Encoder` or any object with ``.encode``, or the name or folder of a model; the
        default encoder if None. For embeddings the description of what made them (`Encoder.describe`). ``provenance``
        tells which.
    progress : bool, optional
        Whether to show progress bars on stderr. By default only if that is a terminal.
    rng : int, numpy.random.Generator or None, default=None
        Source of the random halves of the reference; nothing else is random. None is seed 0.

    Returns
    -------
    OutlierResult
        With ``verdict``, ``rows``, ``pvalues``, ``qvalues``, ``scores`` and ``to_frame()``, a table of all texts.

    Raises
    ------
    ValueError
        If an array is not 2-D, is too short, or holds rows that are zero or not finite (they are named); if the
        dimensions differ; if ``score`` is unknown, ``fdr`` is not in (0, 1), or ``n_neighbors`` is too large.
    TypeError
        If an array does not hold real numbers, or a parameter is of a wrong type.

    See Also
    --------
    tte_depth, local_depth : the scores.

    Notes
    -----
    With a reference the p-values are conformal: scores are measured in a random half of it, and the :math:`n` texts of
    the other half calibrate: :math:`p_j = (1 + \#\{i : s_i \le s_j\}) / (n + 1)`. `xembed.stats.benjamini_hochberg`
    keeps the false discovery rate at most at ``fdr`` times the share of good texts in ``X`` [1]_ [2]_, if the
    good texts and the reference are independent draws from one population. No p-value is below :math:`1/(n + 1)`;
    ``warnings`` says when that matters.

    Without a reference there is no such bound, for any method. What remains is an assumption: a normal distribution
    after a Yeo-Johnson transformation, fitted to the bulk of the leave-one-out scores (an empirical null [3]_, [4]_),
    with p-values averaged over the uncertainty of the fit. Up to a tenth of ``X`` may be outliers. Measured rates and
    power, and what texts of real corpora do: docs/explanation/depth_and_shift.md.

    References
    ----------
    .. [1] S. Bates, E. Candès, L. Lei, Y. Romano, M. Sesia. "Testing for Outliers with Conformal p-values". Annals of
           Statistics 51 (2023), 149-178.
    .. [2] A. Marandon, L. Lei, D. Mary, E. Roquain. "Adaptive Novelty Detection with False Discovery Rate Guarantee".
           Annals of Statistics 52 (2024), 157-183.
    .. [3] B. Efron. "Large-Scale Simultaneous Hypothesis Testing: The Choice of a Null Hypothesis". Journal of the
           American Statistical Association 99 (2004), 96-104.
    .. [4] J. Raymaekers, P. J. Rousseeuw. "Transforming Variables to Central Normality". Machine Learning 113 (2024),
           4953-4975.

    Examples
    --------
    >>> import numpy as np
    >>> from xembed.depth import find_outliers
    >>> rng = np.random.default_rng(0)
    >>> good = rng.normal(1.0, 1.0, size=(1020, 32))
    >>> strange = rng.normal(-1.0, 1.0, size=(3, 32))
    >>> result = find_outliers(np.concatenate([strange, good[:20]]), reference=good[20:])
    >>> result.rows
    array([0, 1, 2])
    >>> print(result.verdict)
    3 of 23 texts are outliers: ...
    """
    caller = "find_outliers"
    level = validation.check_number(fdr, name="fdr", caller=caller, low=0, high=1, closed="neither")
    validation.check_option(score, _SCORES, name="score", caller=caller)
    neighbors = validation.check_count(n_neighbors, name="n_neighbors", caller=caller)
    generator = validation.check_rng(rng, caller=caller)
    corpora = read_corpora(
        {"X": X, "reference": reference},
        encoder=encoder,
        text_column=text_column,
        min_texts={"X": _FEWEST if reference is None else 1, "reference": 4},
        caller=caller,
    )
    if corpora.texts and score == "local":
        n_within = len(corpora.texts["X"]) - 1 if reference is None else len(corpora.texts["reference"]) // 2
        raise_if_too_few(n_within, neighbors, where="what texts are compared with", caller=caller)
    (X, *others), of_encoding, described, counted = corpora.embed()
    if reference is None:
        points = check_embeddings(X, name="X", caller="find_outliers with reference=None", min_rows=_FEWEST)
        unit = UnitRows.of(points, name="X")
        scores, pvalues, n_calibration, warnings = _against_the_bulk(unit, score, neighbors)
        method = "empirical_null"
    else:
        points = check_embeddings(X, name="X", caller=caller)
        corpus = check_embeddings(others[0], name="reference", caller=caller, min_rows=4)
        check_same_dims(("X", points), ("reference", corpus))
        unit, known = UnitRows.of(points, name="X"), UnitRows.of(corpus, name="reference")
        scores, pvalues, n_calibration = _against_a_reference(unit, known, score, neighbors, generator)
        warnings = _warn_of_resolution(n_calibration, len(points), level)
        method = "conformal"
    qvalues = benjamini_hochberg(pvalues)
    rows = np.flatnonzero(qvalues <= level * (1 + 1e-9))  # conformal q-values hit the level; rounding must not decide
    threshold = float(scores[rows].max()) if len(rows) else None
    if method == "empirical_null" and len(rows) > _BULK_SHARE * len(points):
        warnings.append(
            f"{len(rows) / len(points):.0%} of the texts are reported. So many are a group of their own rather than "
            "outliers, and the fit to the rest is doubtful: compare them with the rest by compare_corpora."
        )
    same = len(set(corpora.texts.get("X", ()))) > 1 and bool(1 - np.linalg.norm(unit.total) / len(unit) < _SAME)
    not_read = unread_verdict(dict(zip(("these texts", "the reference"), counted, strict=False)), same=same)
    verdict = _verdict(len(rows), len(points), threshold, score, method, n_calibration, level)
    n_reference = None if reference is None else len(corpus)
    compared = {"n_neighbors": neighbors if score == "local" else None, "n_reference": n_reference}
    encoded_by = {} if described is None else {"encoder": described}
    return OutlierResult(
        verdict=lead_verdict(not_read, verdict),
        rows=rows,
        pvalues=pvalues,
        qvalues=qvalues,
        scores=scores,
        threshold=threshold,
        fdr=level,
        score=score,
        method=method,
        n_calibration=n_calibration,
        n_tested=len(points),
        warnings=(*of_encoding, *warnings),
        unread=1.0 if same else max(counted),
        provenance=provenance(caller, fdr=level, score=score, **compared, rng=describe_rng(rng), **encoded_by),
    )


def conformal_pvalues(calibration: Floats, scores: Floats) -> Floats:
    """Return (1 + the number of calibration scores that are not above a score) / (n + 1): low scores are outlying."""
    below = np.searchsorted(np.sort(calibration), scores, side="right")
    pvalues: Floats = (1 + below) / (len(calibration) + 1)
    return pvalues


def _against_a_reference(
    points: UnitRows, corpus: UnitRows, score: str, n_neighbors: int, generator: np.random.Generator
) -> tuple[Floats, Floats, int]:
    half, rest = np.split(generator.permutation(len(corpus)), [len(corpus) // 2])
    if score == "local":
        where = "the half of reference that scores are measured in"
        raise_if_too_few(len(half), n_neighbors, where=where, caller="find_outliers")
    measured_in = corpus.take(np.sort(half))
    scores = _score(points, measured_in, score, n_neighbors)
    calibration = _score(corpus.take(np.sort(rest)), measured_in, score, n_neighbors)
    pvalues = conformal_pvalues(calibration.round(DECIMALS), scores.round(DECIMALS))
    return scores, pvalues, len(calibration)


def _against_the_bulk(points: UnitRows, score: str, n_neighbors: int) -> tuple[Floats, Floats, int, list[str]]:
    from xembed.depth._empirical_null import empirical_null

    if score == "local":
        where = "X besides each text itself"
        raise_if_too_few(len(points) - 1, n_neighbors, where=where, caller="find_outliers")
    scores = _score(points, None, score, n_neighbors)
    null = empirical_null(scores.round(DECIMALS))
    if null is None:
        note = (
            "More than half of the texts have the same score (repeated texts?), so that the others can't be judged by "
            "it: all p-values are 1. Drop the repetitions, or give a reference."
        )
        return scores, np.ones(len(points)), len(points), [note]
    return scores, null.pvalues, null.n_bulk, _warn_of_the_null(null)


def _score(points: UnitRows, corpus: UnitRows | None, score: str, n_neighbors: int) -> Floats:
    if score == "depth":
        return unit_depths(points, corpus)
    return nearest_similarity(points, points if corpus is None else corpus, n_neighbors, skip_self=corpus is None)


def _warn_of_resolution(n_calibration: int, n_tested: int, fdr: float) -> list[str]:
    together = int(np.ceil(n_tested / (fdr * (n_calibration + 1)) - 1e-9))
    if together <= 1:
        return []
    enough = 2 * int(np.ceil(n_tested / fdr - 1e-9)) - 3  # the larger half calibrates
    reportable = f"none is reported unless at least {together} are as extreme as that"
    if together > n_tested:
        reportable = "none can be reported, whatever they are"
    return [
        f"With {n_calibration} calibration texts no p-value is below 1/{n_calibration + 1}, so that of {n_tested} "
        f"texts {reportable}. A single one can be found with a reference of {enough} texts or more, or by testing "
        "fewer at a time."
    ]


def _warn_of_the_null(null: EmpiricalNull) -> list[str]:
    notes = [
        "Without a reference the p-values rest on a model fitted to the bulk of the scores, and are not exact. A "
        "reference of texts known to be good makes them so."
    ]
    if null.misfit > max(0.03, null.expected_misfit):
        notes.append(
            f"The model fits the bulk of the scores badly (its distribution function is off by {null.misfit:.2f}), as "
            "with several groups of texts of different depth. Its p-values are doubtful."
        )
    return notes


def _verdict(
    n_found: int, n_tested: int, threshold: float | None, score: str, method: str, n_calibration: int, fdr: float
) -> str:
    source = {
        "conformal": f"conformal p-values from {n_calibration} texts of the reference",
        "empirical_null": "p-values extrapolated from the bulk of the scores",
    }[method]
    if threshold is None:
        return f"No outliers found among {n_tested} texts at a false discovery rate of {fdr:.3g} ({source})."
    verb = "text is an outlier" if n_found == 1 else "texts are outliers"
    start = f"{n_found} of {n_tested} {verb}" if n_tested > 1 else "The text is an outlier"
    return f"{start}: {_SCORES[score]} of at most {threshold:.3g}, false discovery rate {fdr:.3g} ({source})."
