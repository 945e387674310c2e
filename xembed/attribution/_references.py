"""Baselines that don't look at the model: what an explanation has to beat to be worth its cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from xembed._core.validation import quote_options
from xembed.attribution._method import Floats, Method, MethodOptions, MethodOutput, Targets, row_seed, words_with_tokens
from xembed.attribution._scored_model import Rows, ScoredModel
from xembed.datasets import PairedSentences
from xembed.datasets._word_lists import read_word_lists

if TYPE_CHECKING:
    from scipy import sparse

# English words that say a person's gender, in lower case; the file says more.
GENDERED_WORDS = frozenset().union(*read_word_lists("gendered_words").values())

_FEMALE_PRONOUNS = frozenset(("she", "her", "hers", "herself"))
_MALE_PRONOUNS = frozenset(("he", "him", "his", "himself"))


def uniform_random(_model: ScoredModel | None, rows: Rows, _targets: Targets, options: MethodOptions) -> MethodOutput:
    """Draw a number in [0, 1) for each word, from a generator that depends on the row and the seed."""
    return _output(rows, [np.random.default_rng(row_seed(row, options.seed)).random(len(row.words)) for row in rows])


def constant(_model: ScoredModel | None, rows: Rows, _targets: Targets, _options: MethodOptions) -> MethodOutput:
    """Give each word the same."""
    return _output(rows, [np.ones(len(row.words)) for row in rows])


def gendered_lexicon(_model: ScoredModel | None, rows: Rows, _targets: Targets, options: MethodOptions) -> MethodOutput:
    """Give 1 to the words of a lexicon, whole and without regard to case; of `GENDERED_WORDS` if none was fitted."""
    lexicon = GENDERED_WORDS if options.fitted is None else _lexicon(options.fitted)
    return _output(rows, [np.array([float(word.lower() in lexicon) for word in row.words]) for row in rows])


def _lexicon(words: Any) -> frozenset[str]:
    if not isinstance(words, Set | list | tuple) or any(not isinstance(word, str) for word in words):
        raise TypeError(
            "The lexicon of gendered_lexicon (fitted) must be a set or list of words. "
            f"Got {type(words).__name__} {words!r:.40}."
        )
    return frozenset(word.lower() for word in words)


def _output(rows: Rows, words: Sequence[Floats]) -> MethodOutput:
    # As for every method, words without a token have 0.
    seen = [np.isin(np.arange(len(row.words)), words_with_tokens(row)) for row in rows]
    return MethodOutput.of([np.where(mask, values, 0.0) for mask, values in zip(seen, words, strict=True)])


@dataclass(frozen=True, eq=False)
class WordWeights:
    """A fitted bag-of-words method.

    Columns of words in lower case, their inverse document frequencies, (n_words,), and for each class and word a
    coefficient or a covariance, (n_classes, n_words). ``times_value``: attributions are weights times tf-idf values.
    """

    vocabulary: Mapping[str, int]
    idf: Floats
    weights: Floats
    times_value: bool

    def of(self, words: Sequence[str], target: int) -> Floats:
        """Return the attribution of each word; a word that occurs twice has half of its value each time."""
        places = [self.vocabulary.get(word.lower(), -1) for word in words]
        if not self.times_value:
            return np.array([self.weights[target, place] if place >= 0 else 0.0 for place in places])
        known = np.array([place for place in places if place >= 0], dtype=np.int64)
        columns, counts = np.unique(known, return_counts=True)
        values = counts * self.idf[columns]
        length = float(np.linalg.norm(values)) or 1.0
        single = dict(zip(columns.tolist(), (values / counts / length).tolist(), strict=True))
        return np.array([self.weights[target, place] * single[place] if place >= 0 else 0.0 for place in places])


def fit_linear_tfidf(data: PairedSentences) -> WordWeights:
    """Fit a logistic regression on the tf-idf of words; its coefficients times the values are its exact explanation."""
    from sklearn.linear_model import LogisticRegression

    vectorizer, X, labels = _tfidf(data, caller="linear_tfidf")
    # Rows have length 1, so that coefficients must be large: a light penalty.
    model = LogisticRegression(C=10.0, max_iter=2000).fit(X, labels)
    weights = np.zeros((len(data.classes), X.shape[1]))
    weights[model.classes_] = np.vstack([-model.coef_, model.coef_]) if len(model.classes_) == 2 else model.coef_
    return WordWeights(vectorizer.vocabulary_, vectorizer.idf_, weights, times_value=True)


def fit_pattern(data: PairedSentences) -> WordWeights:
    """Take the covariance of each word's tf-idf with each class against the others, over the training rows [1]_.

    References
    ----------
    .. [1] S. Haufe et al. "On the interpretation of weight vectors of linear models in multivariate neuroimaging".
           NeuroImage 87 (2014), equation 6.
    """
    vectorizer, X, labels = _tfidf(data, caller="pattern")
    of_classes = (labels[:, None] == np.arange(len(data.classes))).astype(np.float64)
    patterns = (X.T @ (of_classes - of_classes.mean(axis=0))).T / (len(labels) - 1)
    return WordWeights(vectorizer.vocabulary_, vectorizer.idf_, patterns, times_value=False)


def _tfidf(data: PairedSentences, *, caller: str) -> tuple[Any, sparse.csr_matrix, Targets]:
    """Return a fitted vectorizer, the tf-idf of the words of the training data, and its labels.

    TypeError if ``data`` are not PairedSentences, ValueError if their rows are all of one class.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    if not isinstance(data, PairedSentences):
        raise TypeError(f"{caller} must be fitted on PairedSentences. Got {type(data).__name__} instead.")
    labels = np.array(data.labels, dtype=np.int64)
    if len(set(data.labels)) < 2:
        raise ValueError(
            f"The training data of {caller} must have rows of two or more classes. "
            f"Got only {data.classes[data.labels[0]]!r}."
        )
    # The words are given: punctuation and words of one letter count as any other.
    vectorizer = TfidfVectorizer(analyzer=lambda words: [word.lower() for word in words])
    return vectorizer, vectorizer.fit_transform(data.sentences), labels


def weigh_words(_model: ScoredModel | None, rows: Rows, targets: Targets, options: MethodOptions) -> MethodOutput:
    """Attribute by the fitted weights of words; words that the training data did not have get 0."""
    weights = options.fitted
    if not isinstance(weights, WordWeights):
        raise ValueError(
            f"This method has to be fitted on training data: pass fitted=METHODS[name].fit(pairs). Got {weights!r:.40}."
        )
    n_classes = len(weights.weights)
    if wrong := [int(target) for target in targets if not 0 <= target < n_classes]:
        raise ValueError(
            f"The targets must be classes of the training data of this method, 0 to {n_classes - 1}. Got {wrong[0]}."
        )
    return _output(rows, [weights.of(row.words, int(target)) for row, target in zip(rows, targets, strict=True)])


def predict_by_first_word(data: PairedSentences) -> Targets:
    """Return the class of each row by its first pronoun of 'she' or 'he' in any form: the simplest classifier.

    Parameters
    ----------
    data : PairedSentences
        Data with the classes 'female' and 'male', in any order, and possibly others.

    Returns
    -------
    ndarray of shape (n_rows,), int64
        Classes. A row without such a pronoun is of the other class, if there is just one ('neutral'), else -1.

    Raises
    ------
    ValueError
        If there is no class 'female' or 'male'.

    Examples
    --------
    >>> from xembed.attribution import predict_by_first_word
    >>> from xembed.datasets import load_gendered_pairs
    >>> data = load_gendered_pairs(split="test")
    >>> float((predict_by_first_word(data) == data.labels).mean()) > 0.6
    True
    """
    if missing := {"female", "male"}.difference(data.classes):
        raise ValueError(
            "The classes of predict_by_first_word must be 'female' and 'male', and others if need be. "
            f"Got {data.classes!r}, without {quote_options(missing)}."
        )
    forms = {"female": _FEMALE_PRONOUNS, "male": _MALE_PRONOUNS}
    of_word = {word: data.classes.index(name) for name, words in forms.items() for word in words}
    others = [place for place, name in enumerate(data.classes) if name not in forms]
    otherwise = others[0] if len(others) == 1 else -1
    classes = [
        next((of_word[word] for word in map(str.lower, words) if word in of_word), otherwise)
        for words in data.sentences
    ]
    return np.array(classes, dtype=np.int64)


def _no_rows(_n_words: int, _options: MethodOptions) -> tuple[float, float]:
    return 0.0, 0.0


METHODS = (
    Method(
        "uniform_random", "Uniform random", "reference", False, uniform_random, _no_rows, meaning="random numbers"
    ),
    Method(
        "constant", "Constant", "reference", False, constant, _no_rows, meaning="the same number for every word"
    ),
    Method(
        "gendered_lexicon", "Gendered lexicon", "reference", False, gendered_lexicon, _no_rows,
        meaning="1 for words of a list, 0 for others; does not look at the model",
    ),
    Method(
        "linear_tfidf", "Linear TF-IDF model", "reference", True, weigh_words, _no_rows, fit=fit_linear_tfidf,
        meaning="weights of a linear model of tf-idf values, fitted on the training data; does not look at the model",
    ),
    Method(
        "pattern", "Pattern variant", "reference", True, weigh_words, _no_rows, ("haufe2014",), fit_pattern,
        meaning="covariance of each word with the form, fitted on the training data; does not look at the model",
    ),
)  # fmt: skip
