"""How well an attribution finds the words that are known to decide: scores against ground truth.

Every score looks at the sizes ``|a|`` of one row. Words of the same size are in random order: a score is its expected
value over all orders of such words, in closed form. So the constant explanation, and one that is zero everywhere, gets
exactly what a random order of the words is expected to get: `chance`. Whatever lies on true words only, on each of
them, scores 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from xembed._core.validation import check_count, check_option

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def mass_accuracy(attributions: npt.ArrayLike, ground_truth: npt.ArrayLike) -> float:
    """Return the share of the attribution that lies on true words: sum of ``|a|`` over them by the sum over all.

    Parameters
    ----------
    attributions : array-like of shape (n_words,)
        Attributions of the words of one text, with or without signs.
    ground_truth : array-like of shape (n_words,), bool or 0 and 1
        Whether each word is one of those that decide.

    Returns
    -------
    float
        Share from 0 to 1. A constant attribution, or one that is zero everywhere, gets the share of true words.

    Raises
    ------
    ValueError, TypeError
        If the lengths differ, an attribution is not finite, or no word is true; if the values are no numbers.

    References
    ----------
    L. Arras, A. Osman, W. Samek. "CLEVR-XAI: A Benchmark Dataset for the Ground Truth Evaluation of Neural Network
    Explanations". Information Fusion 81, 2022 ("relevance mass accuracy").

    Examples
    --------
    >>> from xembed.geco import mass_accuracy
    >>> mass_accuracy([3, -1, 0, 1], [1, 0, 0, 1])
    0.8
    """
    return _score("mass_accuracy", attributions, ground_truth)


def positive_mass_accuracy(attributions: npt.ArrayLike, ground_truth: npt.ArrayLike) -> float:
    """Return `mass_accuracy` of the positive part, ``max(a, 0)``: what speaks against the target is left out.

    Parameters, range and errors are those of `mass_accuracy`. Where nothing is positive it is the share of true words.

    Examples
    --------
    >>> from xembed.geco import positive_mass_accuracy
    >>> positive_mass_accuracy([3, -1, 0, 1], [1, 0, 0, 1])
    1.0
    """
    return _score("positive_mass_accuracy", attributions, ground_truth)


def rank_accuracy(attributions: npt.ArrayLike, ground_truth: npt.ArrayLike) -> float:
    """Return the share of true words among the K words of largest ``|a|``, where K is the number of true words.

    Of t true words among s of the same size, m of which are among the K, ``m * t / s`` are counted: what a random order
    of them is expected to give. Parameters, range and errors are those of `mass_accuracy`.

    References
    ----------
    L. Arras, A. Osman, W. Samek. "CLEVR-XAI". Information Fusion 81, 2022 ("relevance rank accuracy").

    Examples
    --------
    >>> from xembed.geco import rank_accuracy
    >>> rank_accuracy([3, -2, 0, 1], [1, 0, 0, 1])
    0.5
    """
    return _score("rank_accuracy", attributions, ground_truth)


def top_k_precision(attributions: npt.ArrayLike, ground_truth: npt.ArrayLike, *, k: int | None = None) -> float:
    """Return the share of true words among the ``k`` words of largest ``|a|``.

    Parameters
    ----------
    attributions, ground_truth : array-like of shape (n_words,)
        Attributions and marks of the words, as in `mass_accuracy`.
    k : int of at least 1, optional
        Number of words; at most all of them are looked at. By default as many as are true, which makes this the same
        number as `rank_accuracy`. With a larger one no explanation scores 1: there are not so many true words.

    Returns
    -------
    float
        Precision from 0 to 1; ties as in `rank_accuracy`.

    Raises
    ------
    ValueError, TypeError
        As `mass_accuracy`; if ``k`` is below 1, or not an integer.

    Examples
    --------
    >>> from xembed.geco import top_k_precision
    >>> top_k_precision([3, -2, 0, 1], [1, 0, 0, 1], k=1), top_k_precision([1, 1, 1, 1], [1, 0, 0, 1], k=3)
    (1.0, 0.5)
    """
    caller = "top_k_precision"
    if k is None:
        return _score(caller, attributions, ground_truth)
    count = check_count(k, name="k", caller=caller)
    rows = _one_row(caller, attributions, ground_truth)
    count = min(count, int(rows.n_words[0]))
    return float(expected_hits(rows, np.array([count]))[0] / count)


def pointing_game(attributions: npt.ArrayLike, ground_truth: npt.ArrayLike) -> float:
    """Return whether the word of largest ``|a|`` is true: 1 or 0, and with ties the share of true words among them.

    Parameters and errors are those of `mass_accuracy`.

    References
    ----------
    J. Zhang et al. "Top-Down Neural Attention by Excitation Backprop". IJCV 126, 2018.

    Examples
    --------
    >>> from xembed.geco import pointing_game
    >>> pointing_game([3, -3, 0, 1], [1, 0, 0, 1])
    0.5
    """
    return _score("pointing_game", attributions, ground_truth)


def auroc(attributions: npt.ArrayLike, ground_truth: npt.ArrayLike) -> float:
    """Return the probability that a true word has a larger ``|a|`` than one that is not; ties count one half.

    Parameters and errors are those of `mass_accuracy`; besides, a ValueError if all words are true.

    Examples
    --------
    >>> from xembed.geco import auroc
    >>> auroc([3, -2, 0, 1], [1, 0, 0, 1])
    0.75
    """
    return _score("auroc", attributions, ground_truth)


def auprc(attributions: npt.ArrayLike, ground_truth: npt.ArrayLike) -> float:
    """Return the average precision: the mean, over the true words, of the precision down to each.

    With ties it is the mean over all orders of tied words, in closed form. scikit-learn takes all tied words at once,
    which is less for few words; without ties both are equal. Parameters, range and errors are those of `mass_accuracy`.

    Examples
    --------
    >>> from xembed.geco import auprc
    >>> auprc([3, -2, 0, 1], [1, 0, 0, 1])  # (1/1 + 2/3) / 2
    0.8333333333333333
    """
    return _score("auprc", attributions, ground_truth)


def gini(attributions: npt.ArrayLike) -> float:
    """Return how few words carry the attribution: the Gini index of ``|a|``, which asks for no ground truth.

    Parameters
    ----------
    attributions : array-like of shape (n_words,)
        Attributions of the words of one text.

    Returns
    -------
    float
        0 where all words are equal, ``1 - 1 / n_words`` where one word carries everything.

    Raises
    ------
    ValueError, TypeError
        If there is no word, or an attribution is not finite; if the values are no numbers.

    References
    ----------
    N. Hurley, S. Rickard. "Comparing Measures of Sparsity". IEEE Transactions on Information Theory 55, 2009.

    Examples
    --------
    >>> from xembed.geco import gini
    >>> gini([0, 0, 0, -2]), gini([1, -1])
    (0.75, 0.0)
    """
    values = check_attributions(attributions, where="The 'attributions' parameter of gini")
    return float(KERNELS["gini"](Rows([values], [np.ones(len(values), bool)]))[0])


def above_chance(score: npt.ArrayLike, expected: npt.ArrayLike) -> Any:
    """Return ``(score - expected) / (1 - expected)``: 0 at chance, 1 for a perfect explanation, negative below chance.

    Parameters
    ----------
    score, expected : float or array-like
        Scores, at most 1, and scores of `chance` for them, below 1.

    Raises
    ------
    ValueError
        If an expected score is 1 or more: all words are true, and nothing can be found.

    Examples
    --------
    >>> from xembed.geco import above_chance
    >>> above_chance(0.75, 0.5)
    0.5
    """
    scores, chances = np.asarray(score, float), np.asarray(expected, float)
    if not (chances < 1).all():
        raise ValueError(
            f"The 'expected' parameter of above_chance must be below 1. Got {float(np.max(chances)):g}: where all "
            "words are true there is nothing to find."
        )
    result = (scores - chances) / (1 - chances)
    return result if result.ndim else float(result)


def _score(name: str, attributions: npt.ArrayLike, ground_truth: npt.ArrayLike) -> float:
    return float(KERNELS[name](_one_row(name, attributions, ground_truth))[0])


def _one_row(name: str, attributions: npt.ArrayLike, ground_truth: npt.ArrayLike) -> Rows:
    values = check_attributions(attributions, where=f"The 'attributions' parameter of {name}")
    where = f"The 'ground_truth' parameter of {name}"
    return Rows([values], [check_truth(ground_truth, where=where, n_words=len(values), names=(name,))])


@dataclass(frozen=True)
class Metric:
    """A score of an attribution.

    Attributes
    ----------
    name : str
        Key in tables and calls.
    function : callable
        ``function(attributions, ground_truth) -> float`` of one row.
    label, meaning : str
        Heading, and what the number is.
    higher_is_better : bool or None
        Direction; None where it describes and does not judge.
    low, high : float
        Ends of the range.
    source : str
        Publication, in short.
    cites : tuple of str
        Keys of the bibliography.
    """

    name: str
    function: Callable[[npt.ArrayLike, npt.ArrayLike], float]
    label: str
    meaning: str
    source: str
    cites: tuple[str, ...] = ()
    higher_is_better: bool | None = True
    low: float = 0.0
    high: float = 1.0


_TABLE = (
    Metric(
        "mass_accuracy", mass_accuracy, "Mass accuracy",
        "share of the attribution that lies on the changed words", "Arras et al. 2022", ("arras2022",),
    ),
    Metric(
        "mass_accuracy_above_chance", partial(_score, "mass_accuracy_above_chance"), "Mass accuracy above chance",
        "0: as a constant explanation, 1: perfect", "Arras et al. 2022, rescaled", ("arras2022",), low=-np.inf,
    ),
    Metric(
        "positive_mass_accuracy", positive_mass_accuracy, "Mass accuracy, positive part",
        "the same without what speaks against the class", "Arras et al. 2022", ("arras2022",),
    ),
    Metric(
        "rank_accuracy", rank_accuracy, "Rank accuracy",
        "share of changed words among the K largest, K being their number", "Arras et al. 2022", ("arras2022",),
    ),
    Metric("top_k_precision", top_k_precision, "Precision of the top K", "the same with K as asked for", "R-precision"),
    Metric(
        "auroc", auroc, "AUROC",
        "share of pairs of a changed and another word that are in the right order", "Mann-Whitney, mid-ranks",
    ),
    Metric("auprc", auprc, "AUPRC", "average precision", "DeYoung et al. 2020 (ERASER)", ("deyoung2020",)),
    Metric(
        "pointing_game", pointing_game, "Pointing game",
        "whether the largest attribution is on a changed word", "Zhang et al. 2018", ("zhang2018",),
    ),
    Metric(
        "gini", partial(_score, "gini"), "Sparsity (Gini)",
        "0: all words alike, near 1: one word has all; neither end is better", "Hurley and Rickard 2009",
        ("hurley2009",), higher_is_better=None,
    ),
)  # fmt: skip
METRICS: MappingProxyType[str, Metric] = MappingProxyType({metric.name: metric for metric in _TABLE})


def chance(metric: str, ground_truth: npt.ArrayLike) -> float:
    """Return the score of the constant explanation, which is that of a random order of the words.

    With K true words of n: K/n for the mass accuracies, rank accuracy, precision of the top K and the pointing game;
    1/2 for AUROC; ``c + (1 - c) H_n / n`` for AUPRC, with ``c = (K - 1) / (n - 1)`` and ``H_n = 1 + 1/2 + ... + 1/n``;
    0 above chance and for the Gini index. Attributions drawn at random, each word by the same rule, have it as their
    expected score too, but not for the Gini index.

    Parameters
    ----------
    metric : str
        A name from `METRICS`.
    ground_truth : array-like of shape (n_words,), bool or 0 and 1
        Marks of the words of one text.

    Raises
    ------
    ValueError, TypeError
        If there is no such metric, no word is true, or all are and the metric is not defined; if the ground truth is no
        numbers.

    Examples
    --------
    >>> from xembed.geco import chance
    >>> chance("mass_accuracy", [1, 0, 0, 1]), chance("auroc", [1, 0, 0, 1])
    (0.5, 0.5)
    """
    check_option(metric, METRICS, name="metric", caller="chance")
    truth = check_truth(ground_truth, where="The 'ground_truth' parameter of chance", names=(metric,))
    n, n_true = len(truth), int(truth.sum())
    if metric in {"mass_accuracy_above_chance", "gini"}:
        return 0.0
    if metric == "auroc":
        return 0.5
    if metric == "auprc":
        others = (n_true - 1) / max(n - 1, 1)
        return float(others + (1 - others) * np.sum(1 / np.arange(1, n + 1)) / n)
    return n_true / n


def score_rows(
    attributions: Sequence[npt.ArrayLike],
    ground_truth: Sequence[npt.ArrayLike],
    *,
    metrics: Sequence[str] | None = None,
) -> dict[str, Floats]:
    """Score many texts at once.

    Parameters
    ----------
    attributions : sequence of array-like of shape (n_words,)
        Attributions of each text; their lengths may differ.
    ground_truth : sequence of array-like of shape (n_words,), bool or 0 and 1
        Marks of each text.
    metrics : sequence of str, optional
        Names from `METRICS`; by default all.

    Returns
    -------
    dict of str to ndarray of shape (n_texts,)
        The same numbers as those of the functions for one text.

    Raises
    ------
    ValueError
        If there is no text, numbers of texts or words differ, an attribution is not finite, a text has no true word, or
        all words of one are true and a metric is not defined for it (AUROC and mass accuracy above chance). The row is
        named.
    TypeError
        If the values are no numbers.

    Examples
    --------
    >>> from xembed.geco import score_rows
    >>> score_rows([[3, -1, 0, 1], [1, 1]], [[1, 0, 0, 1], [0, 1]], metrics=["mass_accuracy"])
    {'mass_accuracy': array([0.8, 0.5])}
    """
    caller = "score_rows"
    names = list(METRICS) if metrics is None else list(metrics)
    for name in names:
        check_option(name, METRICS, name="metrics", caller=caller)
    if len(attributions) != len(ground_truth) or not len(attributions):
        raise ValueError(
            f"The attributions and the ground truth of {caller} must have one item a text, and a text. "
            f"Got {len(attributions)} and {len(ground_truth)} items."
        )
    values, truths = [], []
    for number, (row, marks) in enumerate(zip(attributions, ground_truth, strict=True)):
        values.append(check_attributions(row, where=f"Row {number} of the attributions of {caller}"))
        where = f"Row {number} of the ground truth of {caller}"
        truths.append(check_truth(marks, where=where, n_words=len(values[-1]), names=names))
    rows = Rows(values, truths)
    return {name: KERNELS[name](rows) for name in names}


# ---- the arithmetic, for many rows at once


class _Groups(NamedTuple):
    """Words of the same size in each row, the largest first: one item a group."""

    row: Ints
    start: Ints  # words of the row before the group
    size: Ints
    true: Ints  # true words in the group
    true_before: Ints


class Rows:
    """Rows of attributions and ground truth, filled up to one length."""

    def __init__(self, attributions: Sequence[Floats], ground_truth: Sequence[npt.NDArray[np.bool_]]) -> None:
        self.n_words = np.array([len(row) for row in attributions], np.int64)
        shape = (len(attributions), int(self.n_words.max()))
        self.valid = np.arange(shape[1]) < self.n_words[:, None]
        self.signed = np.zeros(shape)
        self.signed[self.valid] = np.concatenate(list(attributions))
        self.truth = np.zeros(shape, bool)
        self.truth[self.valid] = np.concatenate(list(ground_truth))
        self.n_true: Ints = self.truth.sum(axis=1)

    def __len__(self) -> int:
        return len(self.n_words)

    @cached_property
    def order(self) -> npt.NDArray[np.intp]:
        """Places of the words, the largest first; what was filled up comes last."""
        return np.argsort(-np.where(self.valid, np.abs(self.signed), -1.0), axis=1, kind="stable")

    @cached_property
    def groups(self) -> _Groups:
        size = np.take_along_axis(np.where(self.valid, np.abs(self.signed), -1.0), self.order, axis=1)
        truth = np.take_along_axis(self.truth, self.order, axis=1)
        new = np.ones(size.shape, bool)
        new[:, 1:] = size[:, 1:] != size[:, :-1]
        first = np.flatnonzero(new)
        true = np.add.reduceat(truth.ravel().astype(np.int64), first)
        row, start = np.divmod(first, size.shape[1])
        true_before = np.cumsum(true) - true - (np.cumsum(self.n_true) - self.n_true)[row]
        sizes = np.diff(np.append(first, size.size))
        kept = size.ravel()[first] >= 0
        return _Groups(row[kept], start[kept], sizes[kept], true[kept], true_before[kept])

    def sums(self, row: Ints, values: npt.NDArray[Any]) -> Floats:
        """Return the sum of ``values`` of each row."""
        return np.bincount(row, weights=values, minlength=len(self)).astype(np.float64)


def _scaled(values: Floats) -> Floats:
    """Return rows with 1 as the largest value, so that sums neither overflow nor vanish."""
    largest = values.max(axis=1, keepdims=True)
    return values / np.where(largest > 0, largest, 1.0)


def _mass(rows: Rows, values: Floats) -> Floats:
    values = _scaled(values)
    total = values.sum(axis=1)
    on_truth = np.where(rows.truth, values, 0.0).sum(axis=1)
    # Nothing anywhere is the constant explanation.
    return np.where(total > 0, on_truth / np.where(total > 0, total, 1.0), rows.n_true / rows.n_words)


def _mass_above_chance(rows: Rows) -> Floats:
    expected = rows.n_true / rows.n_words
    return (_mass(rows, np.abs(rows.signed)) - expected) / (1 - expected)


def expected_hits(rows: Rows, k: Ints) -> Floats:
    """Return how many of the first ``k`` words are expected to be true."""
    groups = rows.groups
    taken = np.clip(k[groups.row] - groups.start, 0, groups.size)
    return rows.sums(groups.row, groups.true * taken / groups.size)


def _rank_accuracy(rows: Rows) -> Floats:
    return expected_hits(rows, rows.n_true) / rows.n_true


def _auroc(rows: Rows) -> Floats:
    groups = rows.groups
    n_false = rows.n_words - rows.n_true
    false = groups.size - groups.true
    false_after = n_false[groups.row] - (groups.start - groups.true_before) - false
    # Twice the pairs in the right order: whole numbers, so that one half is exactly that.
    won = rows.sums(groups.row, groups.true * (2 * false_after + false))
    return won / (2 * rows.n_true * n_false)


def _auprc(rows: Rows) -> Floats:
    groups = rows.groups
    place = np.repeat(np.arange(len(groups.row)), groups.size)
    within = np.arange(len(place)) - np.repeat(np.cumsum(groups.size) - groups.size, groups.size)
    row, start, size, true, true_before = (values[place] for values in groups)
    # A place of a group holds a true word with probability true / size. If it does, the places before it in the group
    # hold each of the other true words with equal probability.
    before = true_before + within * (true - 1) / np.maximum(size - 1, 1)
    precision = (before + 1) / (start + within + 1)
    return rows.sums(row, true / size * precision) / rows.n_true


def _gini(rows: Rows) -> Floats:
    values = np.take_along_axis(_scaled(np.abs(rows.signed)), rows.order, axis=1)
    weights = rows.n_words[:, None] - 2 * np.arange(values.shape[1]) - 1
    total = values.sum(axis=1)
    unequal: Floats = np.maximum((weights * values).sum(axis=1), 0.0)
    return unequal / (rows.n_words * np.where(total > 0, total, 1.0))


KERNELS: dict[str, Callable[[Rows], Floats]] = {
    "mass_accuracy": lambda rows: _mass(rows, np.abs(rows.signed)),
    "mass_accuracy_above_chance": _mass_above_chance,
    "positive_mass_accuracy": lambda rows: _mass(rows, np.maximum(rows.signed, 0.0)),
    "rank_accuracy": _rank_accuracy,
    "top_k_precision": _rank_accuracy,
    "auroc": _auroc,
    "auprc": _auprc,
    "pointing_game": lambda rows: expected_hits(rows, np.ones(len(rows), np.int64)),
    "gini": _gini,
}
# Scores that ask for a word that is not true.
NEEDS_FALSE = {"auroc", "mass_accuracy_above_chance"}


# ---- checks


def _as_numbers(values: Any, *, where: str) -> npt.NDArray[Any]:
    try:
        array = np.asarray(values)
        array = array.astype(np.float64) if array.dtype.kind == "O" else array
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(f"{where} must be a 1-D array of numbers, one a word: {error}.") from None
    if array.dtype.kind not in "biuf":
        raise (ValueError if array.size == 0 else TypeError)(
            f"{where} must be a 1-D array of numbers, one a word. Got dtype {array.dtype}."
        )
    if array.ndim != 1 or not len(array):
        raise ValueError(f"{where} must be a 1-D array with one number a word. Got an array of shape {array.shape}.")
    return array


def check_attributions(values: Any, *, where: str) -> Floats:
    array = _as_numbers(values, where=where).astype(np.float64)
    finite = np.isfinite(array)
    if not finite.all():
        raise ValueError(
            f"{where} must be finite. Got {array[~finite][0]} for word {int(np.argmin(finite))}: such a text has no "
            "score, so drop and count it, or correct the method."
        )
    return array


def check_truth(values: Any, *, where: str, names: Sequence[str], n_words: int | None = None) -> npt.NDArray[np.bool_]:
    array = _as_numbers(values, where=where)
    if array.dtype != bool and not ((array == 0) | (array == 1)).all():
        raise ValueError(f"{where} must be marks, 0 or 1 (or false or true). Got other values among them.")
    if n_words is not None and len(array) != n_words:
        raise ValueError(f"{where} must have one mark for each of the {n_words} words. Got {len(array)} marks.")
    truth = array.astype(bool)
    if not truth.any():
        raise ValueError(f"{where} must mark at least one word as true. Got none of {len(truth)}: drop such texts.")
    if truth.all() and (undefined := [name for name in names if name in NEEDS_FALSE]):
        raise ValueError(
            f"{where} must leave a word that is not true for {' and '.join(undefined)} to be defined. "
            f"Got all {len(truth)} as true: drop such texts."
        )
    return truth
