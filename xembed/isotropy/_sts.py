"""Agreement of the similarities of embeddings with human scores (STS)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from xembed._core.directions import unit_rows
from xembed._core.moments import raise_for_infinite_rows
from xembed._core.provenance import provenance
from xembed._core.validation import (
    RNG,
    FloatArray,
    check_count,
    check_embeddings,
    check_number,
    check_option,
    check_rng,
    check_same_dims,
    describe_rng,
    raise_for_bad_rows,
)
from xembed.datasets import STSPairs
from xembed.encoders import describe_encoder, encode_texts
from xembed.isotropy._overlap import check_pairs, is_transductive, named_texts, overlap
from xembed.isotropy._sts_result import STSCorrelation, STSResult
from xembed.stats._correlations import PEARSON, SPEARMAN, Array, Correlations, correlate, interval

SIMILARITIES = ("cosine", "dot", "euclidean")
# Cosines that differ by less than rounding are tied, as those of pairs that are repeated should be.
_DECIMALS = 12
_FEW = 30


class PairRows(NamedTuple):
    """The different sentences of sets of pairs, and where the sentences of each pair are among them."""

    sentences: tuple[str, ...]
    first: npt.NDArray[np.intp]
    second: npt.NDArray[np.intp]
    scores: Array
    sizes: tuple[int, ...]


def evaluate_sts(
    encoder_or_embeddings: Any,
    pairs: Any,
    *,
    similarity: str = "cosine",
    n_resamples: int = 1000,
    confidence_level: float = 0.95,
    fit_on: Any = None,
    rng: RNG = None,
) -> STSResult:
    r"""Correlate the similarity of embeddings with human scores of similarity.

    The usual test of sentence embeddings: Spearman's correlation of the cosine of each pair with its score. Pearson's
    is given besides.

    Parameters
    ----------
    encoder_or_embeddings : encoder, or a pair of array-like of shape (n_pairs, n_dims)
        An `Encoder` or any object with ``.encode(list of str)``, such as `wrap` gives. Or the embeddings of the first
        and of the second sentences, the pairs of all sets one after the other.
    pairs : STSPairs or list of STSPairs
        What to test on; `xembed.datasets.load_sts` reads them. At least 3 pairs a set, with scores that differ.
    similarity : {'cosine', 'dot', 'euclidean'}, default='cosine'
        'euclidean' is the negative distance.
    n_resamples : int, default=1000
        For the intervals: pairs are drawn with replacement, within each set. 0 computes none.
    confidence_level : float in (0, 1), default=0.95
        Of the intervals.
    fit_on : str, STSPairs, TextTable, list of str or list of STSPairs, optional
        What a correction, if there is one, was fitted on: its name, or its texts. It changes no number, and is
        written down, with ``transductive`` if it was this test.
    rng : int, numpy.random.Generator or None, default=None
        For the resamples. None is seed 0.

    Returns
    -------
    STSResult
        With ``sets`` (one correlation a set), ``all`` (of all pairs together, one correlation: the "all" convention of
        SentEval [2]_) and ``mean`` (of the sets' correlations). Correlations are in [-1, 1]; ``to_frame()`` gives them
        x 100, as papers do.

    Raises
    ------
    ValueError
        If embeddings are zero (for 'cosine') or not finite (their rows are named), numbers of rows or dimensions
        differ, a set is too small, its scores are all the same, or all similarities are.
    TypeError
        If an argument is of the wrong type.

    Notes
    -----
    "all" and "mean" can differ by several points, and published numbers use either: compare like with like.

    Intervals are percentiles of the bootstrap over pairs, ranks computed anew in each resample. They say how much
    another sample of pairs of the same kind would change the number, and nothing about other corpora.

    ``transductive`` is true if the name of ``fit_on`` is that of a set, or at least half of the sentences of a set are
    among its texts, without regard to case and punctuation. Many published numbers of whitening are of that kind. The
    sets themselves overlap: 72 % of the sentences of STS 2012's MSRvid are in the train part of the STS Benchmark.

    References
    ----------
    .. [1] E. Agirre et al. "SemEval-2012 Task 6: A Pilot on Semantic Textual Similarity". \*SEM 2012.
    .. [2] A. Conneau, D. Kiela. "SentEval: An Evaluation Toolkit for Universal Sentence Representations". LREC 2018.

    Examples
    --------
    >>> import xembed
    >>> from xembed.datasets import STSPairs
    >>> from xembed.isotropy import evaluate_sts
    >>> pairs = STSPairs(
    ...     "mine",
    ...     ["A cat sleeps.", "Rates rose.", "A man cooks.", "A plane lands."],
    ...     ["The cat is asleep.", "The sun shines.", "Somebody is cooking.", "A dog swims."],
    ...     [4.8, 0.2, 4.0, 0.6],
    ... )
    >>> result = evaluate_sts(xembed.load_encoder(device="cpu"), pairs, n_resamples=0)
    >>> round(result.all.spearman, 2)
    0.8
    """
    caller = "evaluate_sts"
    sets = check_pairs(pairs, name="pairs", caller=caller)
    check_option(similarity, SIMILARITIES, name="similarity", caller=caller)
    count = check_count(n_resamples, name="n_resamples", caller=caller, low=0)
    level = check_number(confidence_level, name="confidence_level", caller=caller, low=0, high=1, closed="neither")
    generator = check_rng(rng, caller=caller)
    fit_name, fit_overlap, transductive, notes = _describe_fit(fit_on, sets, caller=caller)

    rows = pair_rows(sets)
    described = None
    if callable(getattr(encoder_or_embeddings, "encode", None)):
        described = describe_encoder(encoder_or_embeddings)
        X = encode_texts(encoder_or_embeddings, rows.sentences).embeddings
        X = check_vectors(
            X, name="The matrix of sentence embeddings", texts=rows.sentences, unit=similarity == "cosine"
        )
        first, second = X[rows.first], X[rows.second]
    else:
        first, second = _check_two(encoder_or_embeddings, len(rows.scores), unit=similarity == "cosine", caller=caller)
    similarities = compute_similarities(first, second, similarity)
    correlations = correlate(similarities[None], rows.scores, rows.sizes, count, generator)
    of_sets, together, mean = summarize(correlations, 0, sets, level)
    if any(size < _FEW for size in rows.sizes):
        notes.append(f"Sets of fewer than {_FEW} pairs are too small for intervals to be trusted.")
    if unscored := sum(item.n_unscored for item in sets):
        notes.append(f"{unscored} pairs without a score were dropped when the sets were read.")
    return STSResult(
        sets=of_sets,
        all=together,
        mean=mean,
        similarity=similarity,
        fit_on=fit_name,
        fit_overlap=fit_overlap,
        transductive=transductive,
        n_resamples=count,
        confidence_level=level,
        encoder=described,
        notes=tuple(notes),
        provenance=provenance(
            caller,
            pairs=[item.name for item in sets],
            similarity=similarity,
            n_resamples=count,
            confidence_level=level,
            fit_on=fit_name,
            rng=describe_rng(rng),
        ),
    )


def pair_rows(sets: Sequence[STSPairs]) -> PairRows:
    """Return the sentences of all sets, each once."""
    positions: dict[str, int] = {}
    for item in sets:
        for sentence in (*item.first, *item.second):
            positions.setdefault(sentence, len(positions))
    return PairRows(
        tuple(positions),
        np.array([positions[sentence] for item in sets for sentence in item.first]),
        np.array([positions[sentence] for item in sets for sentence in item.second]),
        np.concatenate([item.scores for item in sets]),
        tuple(len(item) for item in sets),
    )


def check_vectors(X: Any, *, name: str, texts: Sequence[str] | None = None, unit: bool = True) -> FloatArray:
    """Return ``X`` in float64; rows that are not finite, or zero where cosines are asked for, are named."""
    rows = check_embeddings(X, name=name, caller="evaluate_sts").astype(np.float64)
    raise_for_infinite_rows(rows, name=name)
    zero = np.asarray(~np.any(rows, axis=1))
    if unit and zero.any():
        about = "" if texts is None else f"It is that of {texts[int(np.flatnonzero(zero)[0])]!r:.60}. "
        raise_for_bad_rows(
            zero, name=name, problem="zero", remedy=f"{about}A zero row has no direction, so no cosine with others."
        )
    return rows


def compute_similarities(first: FloatArray, second: FloatArray, similarity: str) -> Array:
    """Return the similarity of each row of ``first`` with the same row of ``second``, in float64."""
    if similarity != "cosine":
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is named below
            left, right = (first, second) if similarity == "dot" else (first - second, first - second)
            found: Array = np.einsum("ij,ij->i", left, right)
        if not np.isfinite(found).all():
            raise ValueError(
                f"The embeddings of pair {np.flatnonzero(~np.isfinite(found))[0]} must be small enough for their "
                f"{similarity} similarity. Got numbers whose squares overflow: scale them, or take similarity='cosine'."
            )
        return found if similarity == "dot" else -np.sqrt(found)
    first, second = _unit(first), _unit(second)
    cosines: Array = np.clip(np.einsum("ij,ij->i", first, second), -1.0, 1.0)
    return cosines.round(_DECIMALS)


def summarize(
    found: Correlations, row: int, sets: Sequence[STSPairs], level: float
) -> tuple[tuple[STSCorrelation, ...], STSCorrelation, STSCorrelation]:
    """Return the correlations of one representation: of each set, of all pairs together, and their mean."""
    n_pairs = [len(item) for item in sets]
    names = [*(item.name for item in sets), "all", "mean"]
    results = []
    for unit, (name, size) in enumerate(zip(names, [*n_pairs, sum(n_pairs), sum(n_pairs)], strict=True)):
        spearman, pearson = found.observed[row, unit]
        if not np.isfinite([spearman, pearson]).all():
            raise ValueError(
                f"The similarities of the pairs of {name!r} must differ for a correlation. Got the same for all, "
                "within rounding: are all embeddings alike?"
            )
        resampled = found.resampled[:, row, unit]
        spearman_low, spearman_high = interval(resampled[:, SPEARMAN], level)
        pearson_low, pearson_high = interval(resampled[:, PEARSON], level)
        results.append(
            STSCorrelation(
                name=name,
                n_pairs=size,
                spearman=float(spearman),
                spearman_low=spearman_low,
                spearman_high=spearman_high,
                pearson=float(pearson),
                pearson_low=pearson_low,
                pearson_high=pearson_high,
            )
        )
    *of_sets, together, mean = results
    return tuple(of_sets), together, mean


def _unit(rows: FloatArray) -> FloatArray:
    # Squares of very large or small numbers would leave the range.
    return unit_rows(rows / np.abs(rows).max(axis=1, keepdims=True))


def _check_two(embeddings: Any, n_pairs: int, *, unit: bool, caller: str) -> tuple[FloatArray, FloatArray]:
    if not isinstance(embeddings, list | tuple) or len(embeddings) != 2:
        raise TypeError(
            f"The 'encoder_or_embeddings' parameter of {caller} must be an encoder (an object with .encode(list of "
            f"texts)) or a pair of arrays with the embeddings of the first and second sentences. "
            f"Got {type(embeddings).__name__} instead."
        )
    names = ("U (embeddings of the first sentences)", "V (embeddings of the second sentences)")
    first, second = (check_vectors(X, name=name, unit=unit) for X, name in zip(embeddings, names, strict=True))
    check_same_dims((names[0], first), (names[1], second))
    for name, X in zip(names, (first, second), strict=True):
        if len(X) != n_pairs:
            raise ValueError(f"{name} must have one row a pair. Got {len(X)} rows for {n_pairs} pairs.")
    return first, second


def _describe_fit(
    fit_on: Any, sets: Sequence[STSPairs], *, caller: str
) -> tuple[str | None, float | None, bool, list[str]]:
    """Return the name of what was fitted on, the overlap, whether it is transductive, and notes."""
    if fit_on is None:
        return None, None, False, []
    if isinstance(fit_on, str):
        same = any(fit_on == item.name for item in sets)
        return fit_on, None, same, [_transductive_note(fit_on)] if same else []
    name, texts = named_texts(fit_on, name="fit_on", caller=caller)
    verdicts = [is_transductive(name, texts, item) for item in sets]
    share = overlap(pair_rows(sets).sentences, texts)
    transductive = any(found for found, _ in verdicts)
    notes = []
    if transductive:
        notes.append(_transductive_note(name))
    elif share:
        notes.append(f"{share:.1%} of the test's sentences are among the texts of the fit, {name!r}.")
    return name, share, transductive, notes


def _transductive_note(name: str) -> str:
    return (
        f"Transductive: the correction was fitted on sentences of the test ({name!r}). The number is not that of new "
        "sentences."
    )
