"""Differences between the embeddings of two forms of the same sentences, and their common direction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
import numpy.typing as npt

from xembed._core import validation
from xembed._core.fields import Cosine, Cosines, Count, MaybeInterval, NonNegative, Probability, Provenance, Sides
from xembed._core.provenance import provenance
from xembed._core.results import IntervalIn, Result, UserText
from xembed._core.validation import RNG, check_count, check_number, check_rng, describe_rng
from xembed.datasets._paired import PairedSentences, paired_rows
from xembed.stats import clustered_interval
from xembed.stats._resampling import TIE, block_sizes, bootstrap_counts, sign_flips

Floats = npt.NDArray[np.float64]

_CALLER = "paired_shift"
# Simulations of differences in random directions; their shares vary little.
_CHANCE_DRAWS = 20
# A cross-validation whose training part is one sentence says little.
_FEWEST_PAIRS = 4


@dataclass(frozen=True, repr=False)
class PairedShift(Result):
    """Result of `paired_shift`. n: sentences with both forms; d: dimensions.

    Every ``..._interval`` is a bootstrap interval over pairs, (2,).

    Attributes
    ----------
    name : str
        Name of the data.
    forms : tuple of str, (2,)
        The two forms; differences are second minus first.
    n_pairs, n_unpaired : int
        Sentences with both forms, and rows without their other form.
    length, length_interval : float, tuple of float
        Length of the mean difference. Random differences have a mean with a length, too: see ``pvalue``.
    spread : float
        Root mean square distance of the differences from their mean.
    pvalue : float
        p-value of no common direction (random signs of pairs).
    mean_share, mean_share_interval : float, tuple of float
        Share of the differences' energy (sum of squared lengths) along their mean direction.
    mean_share_chance : float
        Its mean for differences of the same lengths in random directions, in d dimensions.
    axis_share, axis_share_chance : float
        Largest share of the energy along any axis, the first principal axis of the differences, not centered; and its
        mean for random directions.
    axis_cosine : float
        ``|cosine|`` of this axis and the mean direction.
    cosine, cosine_interval : float, tuple of float
        Mean cosine of the two forms of a sentence.
    pair_cosines : ndarray of shape (n,)
        Cosine of the two forms of each sentence, in the order of ``groups``.
    alignment, alignment_interval : float, tuple of float
        Mean cosine of each difference with the mean of all others; 0 without a common direction.
    heldout_accuracy, heldout_interval : float, tuple of float
        Share of held-out sentences whose difference points along the mean of the training ones; chance is 0.5.
    heldout_row_accuracy, heldout_row_interval : float, tuple of float
        Share of held-out rows on the right side of the midpoint of the training means, without their other form; chance
        is 0.5.
    direction : ndarray of shape (d,)
        Mean difference, of length 1 (0 if there is none).
    groups : ndarray of shape (n,), int
        Numbers of the sentences.
    provenance : dict
        Function, parameters and versions.
    """

    schema: ClassVar[str] = "xembed.concepts.PairedShift/1"

    name: Annotated[str, UserText]
    forms: Annotated[tuple[str, ...], UserText]
    n_pairs: Count
    n_unpaired: Count
    length: NonNegative
    length_interval: MaybeInterval
    spread: float
    pvalue: Probability
    mean_share: float
    mean_share_interval: MaybeInterval
    mean_share_chance: float
    axis_share: float
    axis_share_chance: float
    axis_cosine: Cosine
    cosine: Cosine
    cosine_interval: MaybeInterval
    pair_cosines: Annotated[Cosines, Sides("n_pairs")]
    alignment: float
    alignment_interval: MaybeInterval
    heldout_accuracy: Annotated[float, IntervalIn("heldout_interval")]
    heldout_interval: MaybeInterval
    heldout_row_accuracy: Annotated[float, IntervalIn("heldout_row_interval")]
    heldout_row_interval: MaybeInterval
    direction: Annotated[Floats, Sides("dimensions")]
    groups: npt.NDArray[np.int64]
    provenance: Provenance


def paired_shift(
    embeddings: npt.ArrayLike,
    data: PairedSentences,
    *,
    forms: tuple[str, str] | None = None,
    n_folds: int = 5,
    n_resamples: int = 2000,
    confidence_level: float = 0.95,
    rng: RNG = None,
) -> PairedShift:
    """Describe the differences between the embeddings of two forms of the same sentences.

    Parameters
    ----------
    embeddings : array-like of shape (n_rows, d)
        Embedding of each row of the data, by any encoder.
    data : PairedSentences
        The sentences.
    forms : pair of str, optional
        The two forms; the difference is second minus first. By default the first two classes (male minus female).
    n_folds : int of at least 2, default=5
        Number of folds for the held-out accuracies, at most that of the sentences.
    n_resamples, confidence_level, rng
        Options of the intervals, as in `xembed.stats.clustered_interval`.

    Returns
    -------
    PairedShift
        Length and spread of the mean difference, its share along one direction, the cosines of the pairs, and whether
        the direction separates unseen sentences.

    Raises
    ------
    ValueError
        If the rows are not those of the data, a row is zero or not finite, a form is unknown, fewer than four sentences
        have both forms, or all have the same embeddings in both.
    TypeError
        If the embeddings are no numbers.

    References
    ----------
    T. Bolukbasi et al. "Man is to Computer Programmer as Woman is to Homemaker? Debiasing Word Embeddings".
    NeurIPS 2016 (the share of pair differences along one axis, there of words).

    Examples
    --------
    >>> import numpy as np
    >>> from xembed.datasets import PairedSentences
    >>> from xembed.concepts import paired_shift
    >>> n = 20
    >>> words = [["She", "sings"], ["He", "sings"]] * n
    >>> groups = np.repeat(np.arange(n), 2)
    >>> data = PairedSentences("mine", words, [[1, 0]] * (2 * n), [0, 1] * n, groups, ("female", "male"))
    >>> X = np.random.default_rng(0).normal(size=(n, 3)).repeat(2, axis=0)
    >>> X[1::2, 0] += 1.0  # one direction, the same for all
    >>> found = paired_shift(X, data)
    >>> round(found.length, 6), round(found.mean_share, 6), found.heldout_accuracy
    (1.0, 1.0, 1.0)
    """
    X = _check_embeddings(embeddings, data, caller=_CALLER)
    folds = check_count(n_folds, name="n_folds", caller=_CALLER, low=2)
    n_draws = check_count(n_resamples, name="n_resamples", caller=_CALLER)
    check_number(confidence_level, name="confidence_level", caller=_CALLER, low=0, high=1, closed="neither")
    generator = check_rng(rng, caller=_CALLER)
    pairs = paired_rows(data, forms, caller=_CALLER, least=_FEWEST_PAIRS)
    first, second = X[pairs.first], X[pairs.second]
    D = second - first
    if not D.any():
        raise ValueError(
            f"The 'embeddings' of {_CALLER} must differ between the forms {pairs.forms} of some sentence. Got the same "
            "for both of all: does the encoder see the words?"
        )
    n = len(D)
    cosines = _cosines(first, second)
    alignment = _cosines(D, D.sum(axis=0) - D)
    heldout = _held_out(first, second, min(folds, n), generator)
    made: dict[str, Any] = {"n_resamples": n_draws, "confidence_level": confidence_level}
    means = clustered_interval(np.column_stack([cosines, alignment, heldout]), np.arange(n), **made, rng=generator)
    intervals = [(float(low), float(high)) for low, high in zip(means.low, means.high, strict=True)]
    tail = (1 - confidence_level) / 2
    lengths, shares = _resampled(D, n_draws, generator)
    flipped_lengths, _ = _resampled(D, n_draws, generator, flip=True)
    chances = np.mean([_shares(_random_directions(D, generator)) for _ in range(_CHANCE_DRAWS)], axis=0)
    mean = D.mean(axis=0)
    length = float(np.linalg.norm(mean))
    direction = mean / length if length > 0 else np.zeros_like(mean)
    axes = np.linalg.svd(D, full_matrices=False)[2]
    mean_share, axis_share = _shares(D)
    return PairedShift(
        name=data.name,
        forms=pairs.forms,
        n_pairs=n,
        n_unpaired=pairs.n_unpaired,
        length=length,
        length_interval=_interval(lengths, tail),
        spread=float(np.sqrt(((D - mean) ** 2).sum(axis=1).mean())),
        pvalue=float((1 + (flipped_lengths >= length * (1 - TIE)).sum()) / (1 + n_draws)),
        mean_share=mean_share,
        mean_share_interval=_interval(shares, tail),
        mean_share_chance=float(chances[0]),
        axis_share=axis_share,
        axis_share_chance=float(chances[1]),
        axis_cosine=float(min(1.0, abs(axes[0] @ direction))),
        cosine=float(means.mean[0]),
        cosine_interval=intervals[0],
        pair_cosines=cosines,
        alignment=float(means.mean[1]),
        alignment_interval=intervals[1],
        heldout_accuracy=float(means.mean[2]),
        heldout_interval=intervals[2],
        heldout_row_accuracy=float(means.mean[3]),
        heldout_row_interval=intervals[3],
        direction=direction,
        groups=pairs.groups,
        provenance=provenance(_CALLER, n_folds=folds, **made, rng=describe_rng(rng)),
    )


def _check_embeddings(embeddings: npt.ArrayLike, data: PairedSentences, *, caller: str) -> Floats:
    """Return finite rows that are not zero, one for each row of the data."""
    array = validation.check_embeddings(embeddings, name="embeddings", caller=caller)
    if len(array) != len(data):
        raise ValueError(
            f"The 'embeddings' of {caller} must have one row for each of the {len(data)} rows of the data. "
            f"Got {len(array)}."
        )
    rows: Floats = array.astype(np.float64)
    remedy = "Drop these texts with data.take()."
    unknown = np.isfinite(rows).sum(axis=1) < rows.shape[1]
    validation.raise_for_bad_rows(unknown, name="embeddings", problem="not finite", remedy=remedy)
    validation.raise_for_bad_rows((rows == 0).all(axis=1), name="embeddings", problem="zero", remedy=remedy)
    return rows


def _shares(D: Floats) -> tuple[float, float]:
    """Return the share of energy along the mean direction and along the first principal axis."""
    D = D / np.abs(D).max()  # tiny differences have squares too
    energy = float((D**2).sum())
    mean = D.mean(axis=0)
    squared = float(mean @ mean)
    along = float(((D @ mean) ** 2).sum()) / squared if squared > 0 else 0.0
    gram = D @ D.T if len(D) <= D.shape[1] else D.T @ D
    return along / energy, float(np.linalg.eigvalsh(gram)[-1]) / energy


def _random_directions(D: Floats, rng: np.random.Generator) -> Floats:
    """Return rows of the same lengths in directions drawn uniformly."""
    drawn = rng.normal(size=D.shape)
    drawn *= (np.linalg.norm(D, axis=1) / np.linalg.norm(drawn, axis=1))[:, None]
    return drawn


def _cosines(A: Floats, B: Floats) -> Floats:
    """Return the cosine of each row of both; 0 where one is zero."""
    sizes = np.linalg.norm(A, axis=1) * np.linalg.norm(B, axis=1)
    return np.where(sizes > 0, (A * B).sum(axis=1) / np.where(sizes > 0, sizes, 1.0), 0.0).clip(-1.0, 1.0)


def _held_out(first: Floats, second: Floats, n_folds: int, rng: np.random.Generator) -> Floats:
    """Return for each pair whether its difference points along the direction of the other folds, and its rows' share.

    What lies exactly between counts one half.
    """
    result = np.empty((len(first), 2))
    order = rng.permutation(len(first))
    for fold in range(n_folds):
        test = order[fold::n_folds]
        train = np.setdiff1d(order, test)
        low, high = first[train].mean(axis=0), second[train].mean(axis=0)
        direction, middle = high - low, (high + low) / 2
        below, above = (first[test] - middle) @ direction, (second[test] - middle) @ direction
        result[test, 0] = (1 + np.sign(above - below)) / 2
        result[test, 1] = (2 + np.sign(above) - np.sign(below)) / 4
    return result


def _resampled(D: Floats, n_draws: int, rng: np.random.Generator, *, flip: bool = False) -> tuple[Floats, Floats]:
    """Return length of the mean and share of energy along it for pairs drawn again, or with their signs at random."""
    n = len(D)
    energies = (D**2).sum(axis=1)
    lengths, shares = np.empty(n_draws), np.zeros(n_draws)
    draw, start = sign_flips if flip else bootstrap_counts, 0
    for size in block_sizes(n_draws, max(D.shape)):
        weights = draw(n, size, rng)
        means = weights @ D / n
        squared = (means**2).sum(axis=1)
        along = (np.abs(weights) * (means @ D.T) ** 2).sum(axis=1)
        total = squared * (np.abs(weights) @ energies)
        block = slice(start, start + size)
        lengths[block] = np.sqrt(squared)
        shares[block] = np.where(total > 0, along / np.where(total > 0, total, 1.0), 0.0)
        start += size
    return lengths, shares


def _interval(draws: Floats, tail: float) -> tuple[float, float]:
    low, high = np.quantile(draws, [tail, 1 - tail])
    return float(low), float(high)
