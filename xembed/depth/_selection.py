"""Selection of texts that represent a corpus: by depth, with diversity, by herding, per class."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from xembed._core import validation
from xembed._core.directions import UnitRows
from xembed._core.inputs import is_missing
from xembed._core.validation import RNG, check_embeddings
from xembed.depth._depth import DECIMALS, leave_one_out

_STRATEGIES = ("depth", "herding", "mmr", "random")
_BY_RELEVANCE = ("depth", "mmr")

Rows = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float64]


def select(
    X: npt.ArrayLike,
    k: int,
    *,
    strategy: str = "mmr",
    diversity: float = 0.5,
    labels: npt.ArrayLike | Sequence[Any] | None = None,
    rng: RNG = None,
) -> Rows:
    r"""Select texts that represent a corpus.

    Parameters
    ----------
    X : array-like of shape (n_texts, n_dims)
        Embeddings. Only their directions matter.
    k : int
        Texts to choose, at most ``n_texts``.
    strategy : {'mmr', 'depth', 'herding', 'random'}, default='mmr'
        'depth': the deepest texts (`tte_depth`). **Wrong** where the choice should cover the corpus: the deepest texts
        all lie near the common center and say much the same, and in a corpus of several topics they can all
        be texts between the topics.

        'mmr': maximal marginal relevance [1]_: the deepest text, then again and again the text with the largest
        :math:`(1 - \lambda)\,\text{depth} - \lambda\,\text{similarity to the most similar chosen text}`, where
        :math:`\lambda` is ``diversity`` and both terms run from 0 to 1. **Wrong** at a high diversity: the texts least
        like the others are chosen, and those are outliers and rubbish.

        'herding': kernel herding with the cosine kernel [2]_, [3]_: each text is the one that moves the mean direction
        of the chosen most closely to that of the corpus. **Wrong** where rare topics matter: with a small k the mean
        is met without them, and nothing but the mean is.

        'random': each text with the same chance. The baseline that the others should beat in whatever the choice is
        for; often they do not.
    diversity : float in [0, 1], default=0.5
        For 'mmr'. 0 is the strategy 'depth'; 1 takes the text farthest from all chosen ones each time.
    labels : sequence of length n_texts, optional
        Classes of the texts. As many are chosen of each as possible, by the strategy within the class; what can't
        be divided goes to the larger classes first. The classes take turns, the larger ones first, so that the
        beginning of the result is balanced, too.
    rng : int, numpy.random.Generator or None, default=None
        Source of randomness for 'random'; None is seed 0.

    Returns
    -------
    ndarray of shape (k,), int64
        Rows of ``X`` in the order of their choice. Of equal texts the lowest row is chosen first.

    Raises
    ------
    ValueError
        If ``X`` is not 2-D or holds rows that are zero or not finite (they are named), ``k`` is below 1 or above
        ``n_texts``, ``strategy`` is unknown, ``diversity`` is not in [0, 1], or there are not as many labels as rows.
    TypeError
        If ``X`` does not hold real numbers, or a parameter is of a wrong type.

    See Also
    --------
    select_examples : the same for the examples of a prompt.

    Notes
    -----
    For 'mmr' depth is scaled so that the least deep text has 0 and the deepest 1, similarity so that the text least
    similar to the deepest one has 0 and a copy 1. So ``diversity`` means the same in corpora of any mean similarity.

    All strategies take O(n d k) time or less and O(n) memory beyond the data; there is no n × n matrix.

    References
    ----------
    .. [1] J. Carbonell, J. Goldstein. "The Use of MMR, Diversity-Based Reranking for Reordering Documents and
           Producing Summaries". SIGIR 1998, 335-336.
    .. [2] M. Welling. "Herding Dynamical Weights to Learn". ICML 2009, 1121-1128.
    .. [3] Y. Chen, M. Welling, A. Smola. "Super-Samples from Kernel Herding". UAI 2010, 109-116.

    Examples
    --------
    >>> from xembed.depth import select
    >>> X = [[5, 1], [5, 1], [4, 1], [1, 3], [1, 2]]
    >>> select(X, 2, strategy="depth")
    array([2, 0])
    >>> select(X, 2)
    array([2, 4])
    >>> select(X, 3, labels=["a", "a", "a", "b", "b"])
    array([0, 3, 1])
    """
    caller = "select"
    weight, generator, points = _check(X, strategy, diversity, rng, caller)
    size = _check_size(k, len(points), caller=caller)
    codes = np.zeros(len(points), np.int64) if labels is None else _check_labels(labels, len(points), caller=caller)

    return _by_class(points, codes, size, strategy, weight, generator, None)


def select_examples(
    X: npt.ArrayLike,
    labels: npt.ArrayLike | Sequence[Any],
    k: int,
    *,
    query: npt.ArrayLike | None = None,
    strategy: str = "mmr",
    diversity: float = 0.5,
    rng: RNG = None,
) -> Rows:
    """Choose examples for a prompt: the same number of each class, typical of it, not alike.

    Parameters
    ----------
    X : array-like of shape (n_texts, n_dims)
        Embeddings of the labeled texts to choose from.
    labels : sequence of length n_texts
        Their classes.
    k : int
        Examples to choose: one of each class at least, ``n_texts`` at most.
    query : array-like of shape (n_dims,), optional
        Embedding of the text that the prompt is about. The relevance of an example is then the mean of its depth in its
        class and its similarity to the query, each scaled from 0 to 1 within the class. For 'mmr' and 'depth' only.
    strategy, diversity, rng
        Options of `select`, within each class.

    Returns
    -------
    ndarray of shape (k,), int64
        Rows of ``X``. The classes take turns, the larger ones first, so that no class has the last places to itself.

    Raises
    ------
    ValueError, TypeError
        As `select`; also if ``k`` is smaller than the number of classes, or ``query`` is not one embedding of the same
        dimensions, or goes with a strategy that has no relevance.

    Notes
    -----
    Models lean to the answers of the last examples and to frequent ones [1]_, and another order of the same examples
    can change accuracy from near the best to near chance [2]_: try several orders. ``rows[::-1]`` puts the most
    relevant examples last, next to the query. Gains depend on the task: compare with ``strategy="random"``.

    References
    ----------
    .. [1] Z. Zhao, E. Wallace, S. Feng, D. Klein, S. Singh. "Calibrate Before Use: Improving Few-Shot Performance of
           Language Models". ICML 2021.
    .. [2] Y. Lu, M. Bartolo, A. Moore, S. Riedel, P. Stenetorp. "Fantastically Ordered Prompts and Where to Find Them:
           Overcoming Few-Shot Prompt Order Sensitivity". ACL 2022.

    Examples
    --------
    >>> from xembed.depth import select_examples
    >>> X = [[5, 0], [5, 2], [5, 3], [5, 6], [1, 2], [1, 4], [0, 1]]
    >>> labels = ["complaint"] * 4 + ["praise"] * 3
    >>> select_examples(X, labels, 4)
    array([1, 5, 3, 6])
    >>> select_examples(X, labels, 2, query=[1, 1])
    array([2, 5])
    """
    caller = "select_examples"
    weight, generator, points = _check(X, strategy, diversity, rng, caller)
    codes = _check_labels(labels, len(points), caller=caller)
    size = _check_size(k, len(points), caller=caller)
    n_classes = int(codes.max()) + 1
    if size < n_classes:
        raise ValueError(
            f"The 'k' parameter of select_examples must be at least {n_classes}, the number of classes. Got {size!r} "
            "instead: drop classes, or use select."
        )
    target = None if query is None else _check_query(query, points, strategy)

    return _by_class(points, codes, size, strategy, weight, generator, target)


def _by_class(
    X: UnitRows, codes: Rows, k: int, strategy: str, diversity: float, rng: np.random.Generator, query: Scores | None
) -> Rows:
    """Let the classes take turns, the larger ones first, each with its own selection."""
    sizes = np.bincount(codes)
    order = np.argsort(-sizes, kind="stable")
    rounds = (label for taken in itertools.count() for label in order if sizes[label] > taken)
    turns = np.fromiter(itertools.islice(rounds, k), np.int64, k)
    selected = np.empty(k, np.int64)
    for label, count in enumerate(np.bincount(turns, minlength=len(sizes))):
        if count:
            rows = np.flatnonzero(codes == label)
            part = X if len(rows) == len(X) else X.take(rows)
            selected[turns == label] = rows[_choose(part, int(count), strategy, diversity, rng, query)]
    return selected


def _choose(
    points: UnitRows, k: int, strategy: str, diversity: float, generator: np.random.Generator, query: Scores | None
) -> Rows:
    """Select among the texts of one class."""
    if strategy == "random":
        return generator.choice(len(points), size=k, replace=False)
    if strategy == "herding":
        return _herd(points, k)
    relevance = _relevance(points, query)
    if strategy == "depth":
        return np.argsort(-relevance.round(DECIMALS), kind="stable")[:k]
    return _mmr(points, k, relevance, diversity)


def _relevance(points: UnitRows, query: Scores | None) -> Scores:
    """Return the depth within the class, or its mean with the similarity to the query, from 0 to 1."""
    depth = _rescale(leave_one_out(points)) if len(points) > 1 else np.ones(1)
    return depth if query is None else (depth + _rescale(points.project(query))) / 2


def _rescale(values: Scores) -> Scores:
    """Map the values to [0, 1]; equal ones to 1."""
    low, high = float(values.min()), float(values.max())
    spread = high - low
    return (values - low) / spread if round(spread, DECIMALS) > 0 else np.ones(len(values))


def _mmr(points: UnitRows, k: int, relevance: Scores, diversity: float) -> Rows:
    selected = np.empty(k, np.int64)
    selected[0] = _best(relevance)
    free = np.ones(len(points), bool)
    similarity = np.full(len(points), -np.inf)
    low = 0.0
    for i in range(1, k):
        last = selected[i - 1]
        free[last] = False
        cosines = points.project(_direction(points, last))
        if i == 1:
            low = float(cosines.min())
        np.maximum(similarity, cosines, out=similarity)
        scale = 1 - low if round(1 - low, DECIMALS) > 0 else 1.0
        redundancy = (similarity - low) / scale
        selected[i] = _best((1 - diversity) * relevance - diversity * redundancy, free)
    return selected


def _herd(points: UnitRows, k: int) -> Rows:
    mean = points.total / len(points)
    selected = np.empty(k, np.int64)
    free = np.ones(len(points), bool)
    target = mean.copy()  # Chen, Welling & Smola (2010), equation 3
    for i in range(k):
        selected[i] = _best(points.project(target), free)
        free[selected[i]] = False
        target += mean - _direction(points, selected[i])
    return selected


def _direction(points: UnitRows, row: np.int64) -> Scores:
    unit: Scores = points.rows[row].astype(np.float64) * float(points.weights[row])
    return unit


def _best(scores: Scores, free: npt.NDArray[np.bool_] | None = None) -> np.int64:
    """Return the row with the largest score among the free ones, the lowest such row."""
    rounded = scores.round(DECIMALS)
    return np.argmax(rounded if free is None else np.where(free, rounded, -np.inf))


def _check(
    X: Any, strategy: str, diversity: float, rng: RNG, caller: str
) -> tuple[float, np.random.Generator, UnitRows]:
    validation.check_option(strategy, _STRATEGIES, name="strategy", caller=caller)
    weight = validation.check_number(diversity, name="diversity", caller=caller, low=0, high=1)
    generator = validation.check_rng(rng, caller=caller)
    return weight, generator, UnitRows.of(check_embeddings(X, name="X", caller=caller), name="X")


def _check_size(k: int, n_texts: int, *, caller: str) -> int:
    size = validation.check_count(k, name="k", caller=caller)
    if size > n_texts:
        raise ValueError(
            f"The 'k' parameter of {caller} must be at most {n_texts}, the number of texts. Got {size!r} instead."
        )
    return size


def _check_labels(labels: Any, n_texts: int, *, caller: str) -> Rows:
    """Return a number for each class, counted in order of appearance, shape (n_texts,)."""
    if isinstance(labels, str | bytes) or not hasattr(labels, "__iter__"):
        raise TypeError(
            f"The 'labels' parameter of {caller} must be a sequence of labels, one a row. Got {labels!r:.60} instead."
        )
    values = labels.tolist() if hasattr(labels, "tolist") else list(labels)
    if len(values) != n_texts:
        raise ValueError(f"X must have as many labels as rows. Got {len(values)} labels and {n_texts} rows.")
    missing = [i for i, label in enumerate(values) if is_missing(label)]
    if missing:
        raise ValueError(
            f"labels holds {len(missing)} missing value{'s' * (len(missing) > 1)} (first: row {missing[0]}). Drop such "
            "rows, or give them a class of their own."
        )
    numbers: dict[Any, int] = {}
    try:
        return np.array([numbers.setdefault(label, len(numbers)) for label in values], dtype=np.int64)
    except TypeError:
        raise TypeError(
            f"The 'labels' parameter of {caller} must hold one label a row, such as a string or a number. Got "
            f"{type(values[0]).__name__} objects instead."
        ) from None


def _check_query(query: Any, points: UnitRows, strategy: str) -> Scores:
    if strategy not in _BY_RELEVANCE:
        raise ValueError(
            f"The 'query' parameter of select_examples goes with strategy 'mmr' or 'depth'. Got {strategy!r}, which "
            "has no relevance that a query could change."
        )
    vector = np.asarray(query)
    if vector.ndim != 1:
        raise ValueError(
            f"The 'query' parameter of select_examples must be one embedding of shape (n_dims,). Got an array of shape "
            f"{vector.shape} instead."
        )
    row = check_embeddings(vector[None], name="query", caller="select_examples")
    validation.check_same_dims(("X", points.rows), ("query", row))
    return _direction(UnitRows.of(row, name="query"), np.int64(0))
