"""Pairs of sentences with human scores (STS): their texts, and the agreement of similarities with the scores."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from xembed._core.directions import unit_rows
from xembed._core.fields import Cosine, Count, Level, OneOf, Probability, Provenance
from xembed._core.moments import raise_for_infinite_rows
from xembed._core.provenance import provenance
from xembed._core.results import Result, RowKey, UserText
from xembed._core.text import PARTED, words_of
from xembed._core.validation import (
    RNG,
    FloatArray,
    check_count,
    check_embeddings,
    check_number,
    check_option,
    check_rng,
    check_same_dims,
    check_texts,
    describe_rng,
    raise_for_bad_rows,
)
from xembed.datasets import STSPairs, TextTable
from xembed.encoders import describe_encoder, encode_texts
from xembed.stats._correlations import PEARSON, SPEARMAN, Array, Correlations, correlate, interval

if TYPE_CHECKING:
    import pandas as pd

SIMILARITIES = ("cosine", "dot", "euclidean")
# Cosines that differ by less than rounding are tied, as those of pairs that are repeated should be.
_DECIMALS = 12
_FEW = 30
# Share of a test's sentences in a fit from which on the fit counts as one on the test. 72 % of the sentences of MSRvid
# in STS 2012 are in STS-B's train part, but 8.7 % of those in its dev part, 12.6 % of SICK's trial.
TRANSDUCTIVE_SHARE = 0.5
TRANSDUCTIVE = "Transductive: fitted on sentences of the test pairs ({!r}). The numbers are not those of new sentences."


@dataclass(frozen=True, eq=False, repr=False)
class STSCorrelation(Result):
    """Agreement of similarities with human scores on one set of pairs.

    Attributes
    ----------
    name : str
        Name of the set.
    n_pairs : int
        Number of pairs.
    spearman, pearson : float
        Correlations of similarity and score, in [-1, 1].
    spearman_low, spearman_high, pearson_low, pearson_high : float or None
        Limits of their confidence intervals; None where none was asked for or there are too few pairs.
    """

    schema: ClassVar[str] = "xembed.isotropy.STSCorrelation/1"

    name: Annotated[str, UserText, RowKey]
    n_pairs: Count
    spearman: Cosine
    spearman_low: Cosine | None
    spearman_high: Cosine | None
    pearson: Cosine
    pearson_low: Cosine | None
    pearson_high: Cosine | None


@dataclass(frozen=True, eq=False, repr=False)
class STSResult(Result):
    """Result of `evaluate_sts`.

    Attributes
    ----------
    sets : tuple of STSCorrelation
        Correlation on each set of pairs.
    all : STSCorrelation
        Correlation on the pairs of all sets together: the "all" convention of SentEval.
    mean : STSCorrelation
        Mean of the correlations of the sets, with equal weights.
    similarity : str
        Similarity of the embeddings of a pair: 'cosine', 'dot' or 'euclidean'.
    fit_on : str or None
        Name of the texts that a correction was fitted on.
    fit_overlap : float or None
        Share of the different sentences of the sets that are among the texts of the fit; None if these are unknown.
    transductive : bool
        Whether the correction was fitted on sentences that it was tested on.
    n_resamples, confidence_level : int, float
        Number of resamples for the intervals, and their confidence level.
    encoder : dict or None
        Description of the encoder.
    notes : tuple of str
        Caveats.
    provenance : dict
        Function, parameters and versions.
    """

    schema: ClassVar[str] = "xembed.isotropy.STSResult/1"
    page: ClassVar[str | None] = "xembed.isotropy._pages.corrections:sts"

    sets: tuple[STSCorrelation, ...]
    all: STSCorrelation
    mean: STSCorrelation
    similarity: Annotated[str, OneOf("cosine", "euclidean", "dot")]
    fit_on: Annotated[str | None, UserText]
    fit_overlap: Probability | None
    transductive: bool
    n_resamples: Count
    confidence_level: Level
    encoder: dict[str, Any] | None
    notes: tuple[str, ...]
    provenance: Provenance

    def to_frame(self) -> pd.DataFrame:
        """Return a table with one row a set, then 'all' and 'mean' if there are several; correlations x 100."""
        import pandas as pd

        rows = [*self.sets, *([self.all, self.mean] if len(self.sets) > 1 else [])]
        return pd.DataFrame(
            [{name: 100 * v if isinstance(v, float) else v for name, v in vars(row).items()} for row in rows]
        )

    def _scalars(self) -> dict[str, Any]:
        return {
            "n_sets": len(self.sets),
            "spearman_all": self.all.spearman,
            "spearman_mean": self.mean.spearman,
            "pearson_all": self.all.pearson,
            **super()._scalars(),
        }


class NamedTexts(NamedTuple):
    """Texts and their name."""

    name: str
    texts: tuple[str, ...]


def named_texts(value: Any, *, name: str, caller: str) -> NamedTexts:
    """Return the texts of a list of strings, a table, or pairs of sentences; ``name`` is that of the parameter."""
    if isinstance(value, STSPairs):
        return NamedTexts(value.name, value.sentences)
    if isinstance(value, TextTable):
        return NamedTexts(value.name, tuple(check_texts(value, name=name)))
    if isinstance(value, list | tuple) and value and all(isinstance(item, STSPairs) for item in value):
        return NamedTexts(" + ".join(item.name for item in value), sentences_of(value))
    if isinstance(value, str | bytes) or not isinstance(value, Iterable):
        raise TypeError(
            f"The {name!r} parameter of {caller} must be a list of texts, a TextTable or STSPairs. "
            f"Got {value!r:.60} instead."
        )
    return NamedTexts(name, tuple(check_texts(value, name=name)))


def sentences_of(sets: Sequence[STSPairs]) -> tuple[str, ...]:
    """Return the sentences of all sets, each once."""
    return tuple(dict.fromkeys(sentence for item in sets for sentence in item.sentences))


def check_pairs(pairs: Any, *, name: str, caller: str) -> tuple[STSPairs, ...]:
    """Return one or several `STSPairs` as a tuple; their names must differ and scores must, too."""
    sets = (pairs,) if isinstance(pairs, STSPairs) else pairs
    if not isinstance(sets, list | tuple) or not sets or not all(isinstance(item, STSPairs) for item in sets):
        raise TypeError(
            f"The {name!r} parameter of {caller} must be STSPairs or a list of them, such as "
            f"xembed.datasets.load_sts gives. Got {pairs!r:.60} instead."
        )
    names = [item.name for item in sets]
    if len(set(names)) < len(names):
        twice = next(item for item in names if names.count(item) > 1)
        raise ValueError(f"The {name!r} parameter of {caller} must hold sets of different names. Got {twice!r} twice.")
    for item in sets:
        if len(item) < 3:
            raise ValueError(f"{item.name!r} must hold at least 3 pairs for {caller}. Got {len(item)}.")
        if (item.scores == item.scores[0]).all():
            raise ValueError(
                f"The scores of {item.name!r} must differ for a correlation. Got {item.scores[0]:g} for all "
                f"{len(item)} pairs."
            )
    return tuple(sets)


def overlap(texts: Sequence[str], others: Iterable[str]) -> float:
    """Return the share of the different ``texts`` that are among ``others``; case and punctuation do not count."""
    known = {_key(text) for text in others}
    wanted = {_key(text) for text in texts}
    return len(wanted & known) / len(wanted)


def is_transductive(name: str, texts: Sequence[str], item: STSPairs) -> tuple[bool, float]:
    """Say whether a fit on ``texts`` is one on the sentences of the test, and which share of them it holds."""
    share = overlap(item.sentences, texts)
    return name == item.name or share >= TRANSDUCTIVE_SHARE, share


def fit_overlap(fit: NamedTexts, sets: Sequence[STSPairs]) -> tuple[float, bool]:
    """Return the share of the sets' sentences that are in the fit, and whether it is one on a set's sentences."""
    transductive = any(is_transductive(*fit, item)[0] for item in sets)
    return overlap(sentences_of(sets), fit.texts), transductive


def _key(text: str) -> str:
    # STS 2012 comes in lower case with spaces around punctuation, the STS Benchmark as it was written.
    words = words_of(text.casefold().translate(PARTED))
    return " ".join(words) if words else text


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

    Spearman's correlation of the cosine of each pair with its score, and Pearson's beside it [1]_.

    Parameters
    ----------
    encoder_or_embeddings : encoder, or a pair of array-like of shape (n_pairs, n_dims)
        An `Encoder` or any object with ``.encode(list of str)``, such as `xembed.transforms.wrap` returns. Or the
        embeddings of the first and of the second sentences, the pairs of all sets one after the other.
    pairs : STSPairs or list of STSPairs
        Pairs with scores (`xembed.datasets.load_sts`): at least 3 a set, with scores that differ.
    similarity : {'cosine', 'dot', 'euclidean'}, default='cosine'
        Similarity of two embeddings; 'euclidean' is the negative distance.
    n_resamples : int, default=1000
        Number of bootstrap resamples of pairs, within each set, for the intervals; 0 computes none.
    confidence_level : float in (0, 1), default=0.95
        Confidence level of the intervals.
    fit_on : str, STSPairs, TextTable, list of str or list of STSPairs, optional
        Texts that a correction was fitted on, or their name. It changes no number; the result says whether the fit was
        ``transductive``.
    rng : int, numpy.random.Generator or None, default=None
        Random number generator of the resamples. None is seed 0.

    Returns
    -------
    STSResult
        Correlations in [-1, 1]: ``sets`` (one a set), ``all`` (of all pairs together, the "all" convention of
        SentEval [2]_) and ``mean`` (of the sets). ``to_frame()`` gives them x 100, as papers do.

    Raises
    ------
    ValueError
        If embeddings are zero (for 'cosine') or not finite (their rows are named), numbers of rows or dimensions
        differ, a set is too small, its scores are all the same, or all similarities are.
    TypeError
        If an argument is of the wrong type.

    Notes
    -----
    Intervals are percentiles of the bootstrap over pairs, with ranks computed anew in each resample. ``transductive``
    is true if the name of ``fit_on`` is that of a set, or at least half of the sentences of a set are among its texts,
    without regard to case and punctuation. See docs/explanation/isotropy.md.

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
    rows, unit = pair_rows(sets), similarity == "cosine"
    described = None
    if callable(getattr(encoder_or_embeddings, "encode", None)):
        described = describe_encoder(encoder_or_embeddings)
        encoding = encode_texts(encoder_or_embeddings, rows.sentences)
        notes += encoding.warnings(sets[0].name if len(sets) == 1 else "all pairs")
        X = encoding.embeddings
        X = check_vectors(X, name="The matrix of sentence embeddings", texts=rows.sentences, unit=unit)
        first, second = X[rows.first], X[rows.second]
    else:
        first, second = _check_two(encoder_or_embeddings, len(rows.scores), unit=unit, caller=caller)
    similarities = compute_similarities(first, second, similarity)
    correlations = correlate(similarities[None], rows.scores, rows.sizes, count, generator)
    if any(size < _FEW for size in rows.sizes):
        notes.append(f"Sets of fewer than {_FEW} pairs are too small for intervals to be trusted.")
    if unscored := sum(item.n_unscored for item in sets):
        notes.append(f"{unscored} pairs without a score were dropped when the sets were read.")
    return STSResult(
        *summarize(correlations, 0, sets, level),
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
    positions = {sentence: i for i, sentence in enumerate(sentences_of(sets))}
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
            products: Array = np.einsum("ij,ij->i", left, right)
        if not np.isfinite(products).all():
            raise ValueError(
                f"The embeddings of pair {np.flatnonzero(~np.isfinite(products))[0]} must be small enough for their "
                f"{similarity} similarity. Got numbers whose squares overflow: scale them, or take similarity='cosine'."
            )
        return products if similarity == "dot" else -np.sqrt(products)
    # Squares of very large or small numbers would leave the range.
    first, second = (unit_rows(rows / np.abs(rows).max(axis=1, keepdims=True)) for rows in (first, second))
    cosines: Array = np.clip(np.einsum("ij,ij->i", first, second), -1.0, 1.0)
    return cosines.round(_DECIMALS)


def summarize(
    correlations: Correlations, row: int, sets: Sequence[STSPairs], level: float
) -> tuple[tuple[STSCorrelation, ...], STSCorrelation, STSCorrelation]:
    """Return the correlations of one representation: of each set, of all pairs together, and their mean."""
    units = [(item.name, len(item)) for item in sets] + [(name, sum(map(len, sets))) for name in ("all", "mean")]
    results = []
    for unit, (name, size) in enumerate(units):
        spearman, pearson = correlations.observed[row, unit]
        if not np.isfinite([spearman, pearson]).all():
            raise ValueError(
                f"The similarities of the pairs of {name!r} must differ for a correlation. Got the same for all, "
                "within rounding: are all embeddings alike?"
            )
        resampled = correlations.resampled[:, row, unit]
        of_spearman, of_pearson = (interval(resampled[:, i], level) for i in (SPEARMAN, PEARSON))
        results.append(STSCorrelation(name, size, float(spearman), *of_spearman, float(pearson), *of_pearson))
    *of_sets, together, mean = results
    return tuple(of_sets), together, mean


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
    """Return the name of the texts of the fit, their overlap, whether it is transductive, and notes."""
    if fit_on is None:
        return None, None, False, []
    if isinstance(fit_on, str):
        same = any(fit_on == item.name for item in sets)
        return fit_on, None, same, [TRANSDUCTIVE.format(fit_on)] if same else []
    fit = named_texts(fit_on, name="fit_on", caller=caller)
    share, transductive = fit_overlap(fit, sets)
    if transductive:
        return fit.name, share, True, [TRANSDUCTIVE.format(fit.name)]
    note = f"{share:.1%} of the test's sentences are among the texts of the fit, {fit.name!r}."
    return fit.name, share, False, [note] if share else []
