"""What a model, a text collection and an encoder make of the two forms of the same sentences."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
import numpy.typing as npt

from xembed._core.fields import Count, Counts, MaybeInterval, Probabilities, Probability, Provenance, Sides
from xembed._core.provenance import provenance
from xembed._core.results import IntervalIn, Result, UserText
from xembed._core.validation import RNG, check_count, check_number, check_rng, describe_rng
from xembed.datasets._paired import PairedSentences, paired_rows
from xembed.stats import clustered_interval, paired_difference

if TYPE_CHECKING:
    import pandas as pd

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# How far the probabilities of a row may be from a sum of 1.
_SUM_SLACK = 1e-3


@dataclass(frozen=True, repr=False)
class PredictionGap(Result):
    """Result of `prediction_gap`. C: classes.

    Attributes
    ----------
    name : str
        Name of the data.
    classes : tuple of str, (C,)
        Classes of the data, in the order of the probabilities.
    forms : tuple of str, (2,)
        The two forms that were compared.
    n_pairs : int
        Sentences that have both forms.
    n_unpaired : int
        Rows of these two forms whose other form is not there; they count for accuracy only.
    gap, gap_interval : float, tuple of float
        Mean of ``|p_1 - p_2|``, where p is the probability of the true class of a form, in [0, 1], and its confidence
        interval by resampling pairs.
    signed_gap, signed_interval : float, tuple of float
        Mean of ``p_1 - p_2``, positive where the first form is recognized with more certainty, and its interval.
    pvalue : float
        p-value of the signed gap, by sign flips of pairs.
    accuracy, accuracy_intervals : ndarray of shape (C,) and (C, 2)
        Accuracy on the rows of each form, and confidence intervals by resampling these rows.
    confusion : ndarray of shape (C, C), int
        Rows by true class and predicted class (the most probable, the first of equals).
    provenance : dict
        Function, parameters and versions.
    """

    schema: ClassVar[str] = "xembed.geco.PredictionGap/1"

    name: Annotated[str, UserText]
    classes: Annotated[tuple[str, ...], UserText]
    forms: Annotated[tuple[str, ...], UserText]
    n_pairs: Count
    n_unpaired: Count
    gap: float
    gap_interval: MaybeInterval
    signed_gap: Annotated[float, IntervalIn("signed_interval")]
    signed_interval: MaybeInterval
    pvalue: Probability
    accuracy: Annotated[Probabilities, Sides("classes")]
    accuracy_intervals: Annotated[Floats, Sides("classes", "ends")]
    confusion: Annotated[Counts, Sides("classes", "classes")]
    provenance: Provenance


def prediction_gap(
    probabilities: npt.ArrayLike,
    data: PairedSentences,
    *,
    forms: tuple[str, str] | None = None,
    n_resamples: int = 2000,
    confidence_level: float = 0.95,
    rng: RNG = None,
) -> PredictionGap:
    """Compare how surely a classifier recognizes the two forms of the same sentences.

    Parameters
    ----------
    probabilities : array-like of shape (n_rows, n_classes)
        Probability of each class for each row of the data; rows sum to 1.
    data : PairedSentences
        The sentences.
    forms : pair of str, optional
        Which two forms to compare; by default the first two classes.
    n_resamples, confidence_level, rng
        Options of `xembed.stats.clustered_interval`.

    Returns
    -------
    PredictionGap
        Mean gap, its sign, the accuracy of each form and the confusion matrix.

    Raises
    ------
    ValueError
        If the shape is not that of the data, a row is no distribution, a class has no row, a form is unknown, or fewer
        than two sentences have both forms.
    TypeError
        If the probabilities are no numbers.

    References
    ----------
    R. Wilming et al. "GECOBench". Frontiers in Artificial Intelligence, 2025.

    Examples
    --------
    >>> from xembed.datasets import PairedSentences
    >>> from xembed.geco import prediction_gap
    >>> words = [["She", "sings"], ["He", "sings"], ["Her", "car"], ["His", "car"]]
    >>> data = PairedSentences("mine", words, [[1, 0]] * 4, [0, 1, 0, 1], [1, 1, 2, 2], ("female", "male"))
    >>> found = prediction_gap([[0.9, 0.1], [0.3, 0.7], [0.8, 0.2], [0.2, 0.8]], data)
    >>> round(found.gap, 3), found.accuracy
    (0.1, array([1., 1.]))
    """
    caller = "prediction_gap"
    table = _check_probabilities(probabilities, data, caller=caller)
    made = {
        "n_resamples": check_count(n_resamples, name="n_resamples", caller=caller),
        "confidence_level": check_number(
            confidence_level, name="confidence_level", caller=caller, low=0, high=1, closed="neither"
        ),
    }
    pairs = paired_rows(data, forms, caller=caller)
    options: dict[str, Any] = made | {"rng": check_rng(rng, caller=caller)}
    labels = np.array(data.labels)
    true = table[np.arange(len(data)), labels]
    first, second = true[pairs.first], true[pairs.second]
    gap = clustered_interval(np.abs(first - second), pairs.groups, **options)
    signed = paired_difference(first, second, pairs.groups, **options)
    predicted = table.argmax(axis=1)
    confusion = np.zeros((len(data.classes), len(data.classes)), np.int64)
    np.add.at(confusion, (labels, predicted), 1)
    accuracy = np.diag(confusion) / confusion.sum(axis=1)
    intervals = [_mean_interval(predicted[labels == label] == label, options) for label in range(len(data.classes))]
    return PredictionGap(
        name=data.name,
        classes=data.classes,
        forms=pairs.forms,
        n_pairs=len(pairs.groups),
        n_unpaired=pairs.n_unpaired,
        gap=gap.mean,
        gap_interval=(gap.low, gap.high),
        signed_gap=signed.difference,
        signed_interval=(signed.low, signed.high),
        pvalue=signed.pvalue,
        accuracy=accuracy,
        accuracy_intervals=np.array(intervals),
        confusion=confusion,
        provenance=provenance(caller, **made, rng=describe_rng(rng)),
    )


@dataclass(frozen=True, repr=False)
class WordCooccurrence(Result):
    """Result of `word_cooccurrence`. W: words, C: classes.

    Attributes
    ----------
    name : str
        Name of the data.
    classes : tuple of str, (C,)
        Forms.
    words : tuple of str, (W,)
        Words in lower case, those furthest from balance first.
    counts : ndarray of shape (W, C), int
        Numbers of rows of each form that hold the word outside the ground truth.
    unmatched : ndarray of shape (W, C), int
        Numbers of these rows in complete sentences another form of which lacks the word: 0 if the forms mirror each
        other.
    expected, shares, total_shares : ndarray of shape (C,), (W, C) and (C,)
        Share of each form in all rows, in the rows with the word, and over all words together.
    n_rows : int
        Number of rows of the data.
    provenance : dict
        Function, parameters and versions.
    """

    schema: ClassVar[str] = "xembed.geco.WordCooccurrence/1"

    name: Annotated[str, UserText]
    classes: Annotated[tuple[str, ...], UserText]
    words: Annotated[tuple[str, ...], UserText]
    counts: Annotated[Counts, Sides("words", "classes")]
    unmatched: Annotated[Counts, Sides("words", "classes")]
    expected: Annotated[Probabilities, Sides("classes")]
    shares: Annotated[Probabilities, Sides("words", "classes")]
    total_shares: Annotated[Probabilities, Sides("classes")]
    n_rows: Count
    provenance: Provenance

    def to_frame(self) -> pd.DataFrame:
        """Return a table with a row a word: counts, share of the first form, its deviation, unmatched rows."""
        import pandas as pd

        columns: dict[str, Any] = {"word": self.words}
        columns |= {f"n_{form}": self.counts[:, place] for place, form in enumerate(self.classes)}
        columns[f"share_{self.classes[0]}"] = self.shares[:, 0]
        columns["deviation"] = self.shares[:, 0] - self.expected[0]
        columns["unmatched"] = self.unmatched.sum(axis=1)
        return pd.DataFrame(columns)


def word_cooccurrence(data: PairedSentences) -> WordCooccurrence:
    """Count in which form the words outside the ground truth occur: a word that is out of balance gives the form away.

    Parameters
    ----------
    data : PairedSentences
        The sentences. Where the forms mirror each other every share is that of the rows, one half for two forms.

    Returns
    -------
    WordCooccurrence
        Counts and shares, a row a word.

    Raises
    ------
    ValueError
        If no word is outside the ground truth.

    Examples
    --------
    >>> from xembed.datasets import PairedSentences
    >>> from xembed.geco import word_cooccurrence
    >>> words = [["She", "sings"], ["He", "sings"], ["Her", "red", "car"], ["His", "car"]]
    >>> truth = [[1, 0], [1, 0], [1, 0, 0], [1, 0]]
    >>> found = word_cooccurrence(PairedSentences("mine", words, truth, [0, 1, 0, 1], [1, 1, 2, 2], ("female", "male")))
    >>> found.words, found.counts[0], found.unmatched[0]
    (('red', 'car', 'sings'), array([1, 0]), array([1, 0]))
    """
    contexts = [
        {word.lower() for word, mark in zip(words, marks, strict=True) if not mark}
        for words, marks in zip(data.sentences, data.ground_truth, strict=True)
    ]
    n_classes = len(data.classes)
    counts = [Counter[str]() for _ in range(n_classes)]
    unmatched = [Counter[str]() for _ in range(n_classes)]
    for context, label in zip(contexts, data.labels, strict=True):
        counts[label].update(context)
    for rows in data.complete_groups().values():
        shared = set.intersection(*(contexts[row] for row in rows))
        for label, row in enumerate(rows):
            unmatched[label].update(contexts[row] - shared)
    words = sorted(set().union(*counts))
    if not words:
        raise ValueError(f"The data of word_cooccurrence must hold words outside the ground truth. Got {data!r}.")
    table = np.array([[count[word] for count in counts] for word in words], np.int64)
    odd = np.array([[count[word] for count in unmatched] for word in words], np.int64)
    expected = np.bincount(data.labels, minlength=n_classes) / len(data)
    total = table.sum(axis=1, keepdims=True)
    distance = np.abs(table - total * expected).max(axis=1).round(9)
    order = sorted(range(len(words)), key=lambda i: (-distance[i], -total[i, 0], words[i]))
    return WordCooccurrence(
        name=data.name,
        classes=data.classes,
        words=tuple(words[i] for i in order),
        counts=table[order],
        unmatched=odd[order],
        expected=expected,
        shares=(table / total)[order],
        total_shares=table.sum(axis=0) / table.sum(),
        n_rows=len(data),
        provenance=provenance("word_cooccurrence"),
    )


def _mean_interval(hits: npt.NDArray[np.bool_], options: dict[str, Any]) -> tuple[float, float]:
    if len(hits) < 2:
        return float(hits[0]), float(hits[0])  # one row says nothing of its spread
    interval = clustered_interval(hits.astype(float), np.arange(len(hits)), **options)
    return interval.low, interval.high


def _check_probabilities(probabilities: npt.ArrayLike, data: PairedSentences, *, caller: str) -> Floats:
    try:
        table = np.asarray(probabilities, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise TypeError(f"The 'probabilities' parameter of {caller} must be an array of numbers: {error}.") from None
    shape = (len(data), len(data.classes))
    if table.shape != shape:
        raise ValueError(
            f"The 'probabilities' parameter of {caller} must have the shape {shape}: a row a text, a column a class. "
            f"Got {table.shape}."
        )
    good = ((table >= 0) & (table <= 1 + _SUM_SLACK)).all(axis=1) & (np.abs(table.sum(axis=1) - 1) <= _SUM_SLACK)
    if not good.all():
        raise ValueError(
            f"The 'probabilities' parameter of {caller} must be distributions over the classes. Got {(~good).sum()} "
            f"rows that are not (first: row {np.argmin(good)}). Put logits through softmax first."
        )
    if missing := [name for label, name in enumerate(data.classes) if label not in data.labels]:
        raise ValueError(f"The data of {caller} must hold rows of each class. Got none of {missing}.")
    return table
