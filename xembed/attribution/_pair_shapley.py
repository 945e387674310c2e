"""Exact Shapley values of the words in which two forms of a sentence differ, with the other form as what is absent.

K changed words span 2**K mixed sentences. Their scores say how far each word moves the model from one form to the
other, without an artificial baseline.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, ClassVar

import numpy as np
import numpy.typing as npt

from xembed._core.fields import Count, Sides
from xembed._core.results import Result
from xembed._core.validation import check_count, check_number
from xembed.attribution._scored_model import ScoredModel

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, repr=False)
class PairShapley(Result):
    """Effects of the words that differ between two forms on the score of a model.

    Attributes
    ----------
    positions : tuple of tuple of int
        For each pair the places of the words that differ.
    values : tuple of (ndarray of shape (K,), float64, or None)
        Shapley values of these words; they sum to ``differences``. Empty where the forms are equal, None where they
        were not computed.
    differences : ndarray of shape (n_pairs,), float64
        Score of the first form minus that of the second.
    first_scores, second_scores : ndarray of shape (n_pairs,), float64
        Scores of the two forms.
    targets : tuple of int
        Output of the scores.
    reasons : tuple of str
        Reason why a pair was not computed; empty where it was.
    output : {'logit', 'probability'}
        Kind of the scores.
    n_mixed : int
        Number of scored mixed sentences, the forms among them.
    """

    schema: ClassVar[str] = "xembed.attribution.PairShapley/1"

    positions: tuple[tuple[int, ...], ...]
    values: tuple[np.ndarray | None, ...]
    differences: Annotated[Floats, Sides("positions")]
    first_scores: Annotated[Floats, Sides("positions")]
    second_scores: Annotated[Floats, Sides("positions")]
    targets: Annotated[tuple[int, ...], Sides("positions")]
    reasons: Annotated[tuple[str, ...], Sides("positions")]
    output: str
    n_mixed: Count

    @property
    def n_skipped(self) -> int:
        """Number of pairs that were not computed."""
        return sum(value is None for value in self.values)

    def _scalars(self) -> dict[str, Any]:
        return {"n_pairs": len(self.values), "n_skipped": self.n_skipped} | super()._scalars()


def pair_shapley(
    model: ScoredModel,
    first_words: Sequence[Sequence[str]],
    second_words: Sequence[Sequence[str]],
    targets: Sequence[int] | npt.NDArray[np.integer[Any]] | int,
    *,
    max_words: int = 10,
    progress: Any = None,
) -> PairShapley:
    """Compute the exact Shapley value of each word in which the forms of sentences differ [1]_.

    Parameters
    ----------
    model : ScoredModel
        The model, whose output is divided among the words.
    first_words, second_words : sequence of sequence of str
        Words of the two forms of each sentence, as many in both.
    targets : sequence of int, or int
        Output of the model, one for each pair or one for all.
    max_words : int, default=10
        Largest number of changed words of a pair that is computed: each more doubles the sentences to score.
    progress : callable, optional
        Function that is called with the number of rows computed.

    Returns
    -------
    PairShapley
        Positions, values, and the scores of both forms.

    Raises
    ------
    ValueError
        If there is no pair, the forms of one differ in length, or a target is no output of the model.
    TypeError
        If the forms are not lists of words.
    RuntimeError
        If a score is not finite.

    References
    ----------
    .. [1] L. S. Shapley. "A value for n-person games". Contributions to the Theory of Games II (1953).

    Examples
    --------
    >>> import xembed
    >>> from xembed.attribution._scored_model import ScoredModel
    >>> from xembed.geco import make_one_layer
    >>> tokenizer = xembed.load_encoder(device="cpu").model.tokenizer
    >>> model = ScoredModel(make_one_layer(tokenizer, 2), tokenizer, caller="this example")
    >>> found = pair_shapley(model, [["She", "met", "her", "."]], [["He", "met", "him", "."]], 1)
    >>> found.positions, bool(abs(found.values[0].sum() - found.differences[0]) < 1e-9)
    (((0, 2),), True)
    """
    caller = "pair_shapley"
    most = check_count(max_words, name="max_words", caller=caller)
    pairs = _check_pairs(first_words, second_words, caller=caller)
    outputs = check_outputs(targets, len(pairs), of="pairs", caller=caller)

    positions = [tuple(j for j, words in enumerate(zip(*pair, strict=True)) if len({*words}) > 1) for pair in pairs]
    computed = [len(places) <= most for places in positions]
    # The first and the last mixed sentence of a pair are its second and its first form. Equal ones are scored once.
    texts = [
        _mix(*pair, places) if full else [pair[1], pair[0]]
        for pair, places, full in zip(pairs, positions, computed, strict=True)
    ]
    different = {text: place for place, text in enumerate(dict.fromkeys(text for mixed in texts for text in mixed))}
    scores = model.score_ids([row.ids for row in model.words.encode(list(different))], progress=progress)
    check_outputs_exist(outputs, scores.shape[1], caller=caller)
    of_pairs = [
        scores[[different[text] for text in mixed], output] for mixed, output in zip(texts, outputs, strict=True)
    ]
    first, second = np.array([of[-1] for of in of_pairs]), np.array([of[0] for of in of_pairs])
    return PairShapley(
        positions=tuple(positions),
        values=tuple(shapley_values(of) if full else None for of, full in zip(of_pairs, computed, strict=True)),
        differences=first - second,
        first_scores=first,
        second_scores=second,
        targets=tuple(outputs.tolist()),
        reasons=tuple(
            "" if full else f"{len(places)} words differ, more than max_words={most}"
            for places, full in zip(positions, computed, strict=True)
        ),
        output=model.output,
        n_mixed=len(different),
    )


def _check_pairs(first: Any, second: Any, *, caller: str) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    if isinstance(first, str) or isinstance(second, str) or len(first) != len(second) or not len(first):
        raise ValueError(
            f"{caller} must have a second form for each first one, and a pair. Got {len(first)} and {len(second)}."
        )
    for number, forms in enumerate(zip(first, second, strict=True)):
        if any(isinstance(form, str) or not all(isinstance(word, str) for word in form) for form in forms):
            raise TypeError(f"The forms of pair {number} of {caller} must be lists of words. Got {forms!r:.80}.")
        if len({len(form) for form in forms}) > 1:
            raise ValueError(
                f"The forms of pair {number} of {caller} must have the same number of words, so that words can be "
                f"exchanged. Got {len(forms[0])} and {len(forms[1])}."
            )
    return [(tuple(a), tuple(b)) for a, b in zip(first, second, strict=True)]


def check_outputs(targets: Any, n: int, *, of: str, caller: str) -> npt.NDArray[np.int64]:
    """Return the number of an output for each of ``n`` things; one number is that of all."""
    outputs = np.asarray(targets)
    if outputs.dtype.kind not in "iu" or outputs.shape not in {(), (n,)} or not n or (outputs < 0).any():
        raise ValueError(
            f"The 'targets' parameter of {caller} must be a number of an output, or one for each of the {n} {of}. "
            f"Got {targets!r:.60} instead."
        )
    return np.broadcast_to(outputs, n).astype(np.int64)


def check_outputs_exist(outputs: npt.NDArray[np.int64], n_outputs: int, *, caller: str) -> None:
    """Check that the model has these outputs."""
    if (outputs >= n_outputs).any():
        raise ValueError(
            f"The targets of {caller} must be from 0 to {n_outputs - 1}, the outputs of the model. Got {outputs.max()}."
        )


def _mix(first: tuple[str, ...], second: tuple[str, ...], places: Sequence[int]) -> list[tuple[str, ...]]:
    """Return the 2**K mixed sentences; bit k of a sentence's number says that the k-th word is of the first form."""
    mixed = []
    for number in range(1 << len(places)):
        words = list(second)
        for bit, place in enumerate(places):
            if number >> bit & 1:
                words[place] = first[place]
        mixed.append(tuple(words))
    return mixed


def shapley_values(scores: npt.ArrayLike) -> Floats:
    """Return the K Shapley values of a game from its ``2**K`` scores; bit k of a place says whether player k is in."""
    array = np.asarray(scores, dtype=np.float64)
    return array @ _shapley_weights(array.shape[-1].bit_length() - 1).T


@lru_cache(maxsize=16)
def _shapley_weights(n_players: int) -> Floats:
    """Return the weight of each of 2**K coalitions for each player, (K, 2**K): its sign times (s! (K-s-1)!) / K!."""
    coalitions = np.arange(1 << n_players)
    inside = (coalitions >> np.arange(n_players)[:, None] & 1).astype(bool)
    others = inside.sum(axis=0) - inside  # members besides the player
    by_size = np.array([1 / (n_players * math.comb(n_players - 1, size)) for size in range(n_players)])
    weights = np.where(inside, 1.0, -1.0) * by_size[np.clip(others, 0, None)] if n_players else np.zeros((0, 1))
    weights.flags.writeable = False
    return weights


def agreement(attributions: Sequence[npt.ArrayLike], pair: PairShapley) -> dict[str, Floats]:
    """Compare attributions of one of the forms with the Shapley values of the changed words.

    Sizes are compared, for methods without signs. Ties for the largest count as a share.

    Parameters
    ----------
    attributions : sequence of ndarray of shape (n_words,)
        Attributions of all words of the first or of the second form of each pair.
    pair : PairShapley
        Shapley values of the same pairs.

    Returns
    -------
    dict of str to ndarray of shape (n_pairs,), float64
        ``spearman`` : rank correlation of the sizes at the changed words, in [-1, 1].
        ``top1`` : whether both have the same changed word as the largest.
        ``overlap`` : overlap of the two distributions of mass over the changed words, in [0, 1].
        ``cosine`` : cosine of the attributions and the values with their signs, in [-1, 1].
        All are NaN where fewer than two words differ, where nothing was computed, and where either side is constant
        (``spearman``) or zero at the changed words (the others).

    Raises
    ------
    ValueError
        If there is not one attribution for each pair, one is too short, or not finite.

    Examples
    --------
    >>> import numpy as np
    >>> pair = PairShapley(
    ...     positions=((0, 2),), values=(np.array([3.0, 1.0]),), differences=np.array([4.0]),
    ...     first_scores=np.array([5.0]), second_scores=np.array([1.0]), targets=(0,), reasons=("",), output="logit",
    ...     n_mixed=4,
    ... )
    >>> {name: float(values[0]) for name, values in agreement([[0.5, 9.0, 0.5]], pair).items() if name != "cosine"}
    {'spearman': nan, 'top1': 0.5, 'overlap': 0.75}
    """
    if len(attributions) != len(pair.values):
        raise ValueError(
            f"agreement must have an attribution for each of the {len(pair.values)} pairs. Got {len(attributions)}."
        )
    measures = {name: np.full(len(pair.values), np.nan) for name in ("spearman", "top1", "overlap", "cosine")}
    for row, (given, places, truth) in enumerate(zip(attributions, pair.positions, pair.values, strict=True)):
        values = np.asarray(given, dtype=np.float64)
        if values.ndim != 1 or len(values) <= max(places, default=-1) or not np.isfinite(values).all():
            raise ValueError(
                f"Attribution {row} of agreement must be finite numbers, one for each word of the pair. "
                f"Got an array of shape {values.shape}{'' if np.isfinite(values).all() else ' with NaN or infinity'}."
            )
        if truth is not None and len(places) > 1:
            for name, value in _agree(values[list(places)], np.asarray(truth)).items():
                measures[name][row] = value
    return measures


def _agree(values: Floats, truth: Floats) -> dict[str, float]:
    sizes, true_sizes = np.abs(values), np.abs(truth)
    result = {}
    if np.ptp(sizes) > 0 and np.ptp(true_sizes) > 0:
        result["spearman"] = spearman(sizes, true_sizes)
    if sizes.sum() > 0 and true_sizes.sum() > 0:
        largest, truly = sizes == sizes.max(), true_sizes == true_sizes.max()
        result["top1"] = float((largest & truly).sum() / largest.sum())
        result["overlap"] = float(np.minimum(sizes / sizes.sum(), true_sizes / true_sizes.sum()).sum())
        # Divided by the largest first: squares of tiny numbers would vanish.
        a, b = values / sizes.max(), truth / true_sizes.max()
        result["cosine"] = float(a @ b / np.sqrt((a @ a) * (b @ b)))
    return result


def spearman(first: npt.ArrayLike, second: npt.ArrayLike) -> float:
    """Return the rank correlation, ties at their mean rank; NaN where either side is constant."""
    from scipy.stats import rankdata

    a, b = (ranks - ranks.mean() for ranks in (rankdata(first), rankdata(second)))
    length = math.sqrt(float(a @ a) * float(b @ b))
    return float(np.clip(a @ b / length, -1, 1)) if length > 0 else math.nan


def used_words(
    pair: PairShapley, *, share: float = 0.05, smallest: float = 1e-3
) -> tuple[npt.NDArray[np.bool_] | None, ...]:
    """Return which of the changed words the model uses.

    An explanation that leaves out a word which the model does not use is right, though an annotation says otherwise.

    Parameters
    ----------
    pair : PairShapley
        Shapley values of the words.
    share : float, default=0.05
        Smallest share of a used word in the absolute Shapley values of its pair, in [0, 1].
    smallest : float, default=1e-3
        Sum of these values, in units of the score, up to which none of the words is used.

    Returns
    -------
    tuple of (ndarray of shape (K,), bool, or None)
        For each pair whether each changed word is used; None where nothing was computed.

    Raises
    ------
    TypeError, ValueError
        If a threshold is no number or out of its range.

    Examples
    --------
    >>> import numpy as np
    >>> pair = PairShapley(
    ...     positions=((0, 2),), values=(np.array([3.0, 0.01]),), differences=np.array([3.01]),
    ...     first_scores=np.array([5.0]), second_scores=np.array([1.99]), targets=(0,), reasons=("",), output="logit",
    ...     n_mixed=4,
    ... )
    >>> used_words(pair)[0].tolist()
    [True, False]
    """
    least = check_number(share, name="share", caller="used_words", low=0, high=1)
    floor = check_number(smallest, name="smallest", caller="used_words", low=0)
    used: list[npt.NDArray[np.bool_] | None] = []
    for values in pair.values:
        sizes = None if values is None else np.abs(values)
        used.append(None if sizes is None else (sizes >= least * sizes.sum()) & (sizes.sum() > floor))
    return tuple(used)
