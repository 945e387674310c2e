"""Rows of a leaderboard that don't look at the model: what an explanation has to beat to be worth its cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from xembed.attribution._method import Floats, Method, MethodOptions, MethodOutput, Targets, row_seed
from xembed.attribution._scored_model import ScoredModel
from xembed.attribution._words import EncodedWords
from xembed.datasets import PairedSentences

# Words that say a person's gender, in lower case and without those that say it only sometimes.
GENDERED_WORDS = frozenset(
    """
    she her hers herself he him his himself woman women man men girl girls boy boys lady ladies gentleman
    gentlemen mother mothers father fathers mum mums dad dads mummy daddy mom moms mama papa daughter daughters
    son sons sister sisters brother brothers wife wives husband husbands bride brides groom grooms bridegroom
    bridesmaid groomsman widow widows widower widowers aunt aunts uncle uncles niece nieces nephew nephews
    grandmother grandmothers grandfather grandfathers grandma grandpa granny granddaughter granddaughters
    grandson grandsons stepmother stepfather stepsister stepbrother stepdaughter stepson godmother godfather
    goddaughter godson girlfriend girlfriends boyfriend boyfriends queen queens king kings princess princesses
    prince princes duchess duke countess count baroness baron empress emperor goddess goddesses god gods heroine
    heroines hero heroes actress actresses actor actors waitress waitresses waiter waiters hostess host
    stewardess steward mistress master governess governor sorceress sorcerer witch witches wizard wizards nun
    nuns monk monks priestess priest abbess abbot heiress heir landlady landlord mrs mrs. mr mr. ms ms. miss
    madam sir lord businesswoman businessman policewoman policeman chairwoman chairman spokeswoman spokesman
    salesman saleswoman fisherman fisherwoman fireman milkman postman postwoman craftsman craftswoman nobleman
    noblewoman congressman congresswoman shepherd shepherdess seamstress tailor poetess poet maid maids butler
    female females male males womanly manly womanhood manhood motherhood fatherhood sisterhood brotherhood
    maternal paternal feminine masculine
    """.split()  # noqa: SIM905
)


def uniform_random(
    _model: ScoredModel | None, rows: Sequence[EncodedWords], _targets: Targets, options: MethodOptions
) -> MethodOutput:
    """Draw a number for each word, from a generator that depends on the row and the seed."""
    return MethodOutput.of([np.random.default_rng(row_seed(row, options.seed)).random(len(row.words)) for row in rows])


def constant(
    _model: ScoredModel | None, rows: Sequence[EncodedWords], _targets: Targets, _options: MethodOptions
) -> MethodOutput:
    """Give each word the same."""
    return MethodOutput.of([np.ones(len(row.words)) for row in rows])


def gendered_lexicon(
    _model: ScoredModel | None, rows: Sequence[EncodedWords], _targets: Targets, options: MethodOptions
) -> MethodOutput:
    """Give 1 to the words of a lexicon, whole and without regard to case; of `GENDERED_WORDS` if none was fitted."""
    lexicon = GENDERED_WORDS if options.fitted is None else frozenset(options.fitted)
    return MethodOutput.of([np.array([float(word.lower() in lexicon) for word in row.words]) for row in rows])


@dataclass(frozen=True)
class WordWeights:
    """What a bag-of-words method was fitted as.

    Attributes
    ----------
    vocabulary : mapping of str to int
        Words in lower case to columns.
    idf : ndarray of shape (n_words,)
        Inverse document frequencies.
    weights : ndarray of shape (n_classes, n_words)
        For each class and word: a coefficient, or a covariance.
    times_value : bool
        Whether the attribution is the weight times the word's tf-idf in the row, or the weight.
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

    vectorizer, X = _tfidf(data)
    model = LogisticRegression(C=10.0, max_iter=2000).fit(X, np.array(data.labels))
    found = np.zeros((len(data.classes), X.shape[1]))
    coefficients = np.vstack([-model.coef_, model.coef_]) if len(model.classes_) == 2 else model.coef_
    found[model.classes_] = coefficients
    return WordWeights(vectorizer.vocabulary_, vectorizer.idf_, found, times_value=True)


def fit_pattern(data: PairedSentences) -> WordWeights:
    """Take the covariance of each word's tf-idf with each class against the others, over the training rows.

    References
    ----------
    .. [1] S. Haufe et al. "On the interpretation of weight vectors of linear models in multivariate neuroimaging".
           NeuroImage 87 (2014), equation 6.
    """
    vectorizer, X = _tfidf(data)
    labels = np.array(data.labels)
    patterns = []
    for label in range(len(data.classes)):
        of_class = (labels == label).astype(np.float64)
        patterns.append(np.asarray(X.T @ (of_class - of_class.mean())).ravel() / (len(labels) - 1))
    return WordWeights(vectorizer.vocabulary_, vectorizer.idf_, np.array(patterns), times_value=False)


def _tfidf(data: PairedSentences) -> tuple[Any, sparse.csr_matrix]:
    from sklearn.feature_extraction.text import TfidfVectorizer

    # The words are given: punctuation and words of one letter count as any other.
    vectorizer = TfidfVectorizer(analyzer=_lower)
    return vectorizer, vectorizer.fit_transform(data.sentences)


def _lower(words: Sequence[str]) -> list[str]:
    return [word.lower() for word in words]


def weigh_words(
    _model: ScoredModel | None, rows: Sequence[EncodedWords], targets: Targets, options: MethodOptions
) -> MethodOutput:
    """Attribute by the fitted weights of words.

    Raises
    ------
    ValueError
        If nothing was fitted.
    """
    if not isinstance(options.fitted, WordWeights):
        raise ValueError(
            "This method has to be fitted on training data: pass fitted=METHODS[name].fit(pairs). "
            f"Got {options.fitted!r:.40}."
        )
    weights = options.fitted
    return MethodOutput.of([weights.of(row.words, int(target)) for row, target in zip(rows, targets, strict=True)])


def predict_by_first_word(data: PairedSentences) -> np.ndarray:
    """Return the class of each row by its first pronoun of one class, -1 without one: the simplest classifier.

    The classes are those of the words in the training data of nobody: 'she' and 'he' are known.

    Examples
    --------
    >>> from xembed.datasets import load_gendered_pairs
    >>> data = load_gendered_pairs(split="test")
    >>> float((predict_by_first_word(data) == data.labels).mean()) > 0.6
    True
    """
    pronouns = {"she": 0, "her": 0, "hers": 0, "herself": 0, "he": 1, "him": 1, "his": 1, "himself": 1}
    return np.array(
        [next((pronouns[word.lower()] for word in words if word.lower() in pronouns), -1) for words in data.sentences]
    )


def _free(_n_words: int, _options: MethodOptions) -> tuple[float, float]:
    return 0.0, 0.0


def _reference(name: str, label: str, signed: bool, run: Any, source: str, fit: Callable[[Any], Any] | None) -> Method:
    return Method(name, label, "reference", signed, run, _free, source, fit)


METHODS = (
    _reference("uniform_random", "Uniform random", False, uniform_random, "", None),
    _reference("constant", "Constant", False, constant, "", None),
    _reference("gendered_lexicon", "Gendered lexicon", False, gendered_lexicon, "", None),
    _reference("linear_tfidf", "Linear TF-IDF model", True, weigh_words, "", fit_linear_tfidf),
    _reference("pattern", "Pattern variant", True, weigh_words, "Haufe et al. 2014", fit_pattern),
)
