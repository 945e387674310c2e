"""The terms that tell one set of texts from another: weighted log-odds with an informative prior."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, ClassVar, TypeAlias

import numpy as np
import numpy.typing as npt

from xembed._core.fields import Count, Level, Probability, Provenance
from xembed._core.progress import track
from xembed._core.provenance import provenance
from xembed._core.results import DataFrame, Result, RowKey, UserText, frame_of
from xembed._core.text import blankless_note, in_sentence, is_bigram, short_names, terms_of
from xembed._core.validation import check_count, check_names, check_number, check_texts
from xembed.stats import benjamini_hochberg

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

# Terms, and which text holds which, (n_texts, n_terms).
Presence: TypeAlias = "tuple[list[str], csr_matrix]"
Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

# The prior weighs as much as this share of both sets together. Less, and words that are frequent everywhere come up;
# more, and all differences are shrunk to nothing. From 0.1 to 0.3 the order hardly changes.
_PRIOR_SHARE = 0.2
# Texts that must hold a term, by default.
MIN_COUNT = 3
_TOP = 10


@dataclass(frozen=True, repr=False)
class Term(Result):
    """A word or a pair of words, and how it differs between two sets of texts.

    Attributes
    ----------
    term : str
        In lower case.
    z : float
        The log odds ratio in its standard errors: what terms are ranked by. Positive: more in G.
    log_odds : float
        Log odds ratio of G against F, shrunk by the prior.
    pvalue, qvalue : float
        Exact two-sided p-value of the shares of texts that hold the term, and that adjusted for all terms
        (Benjamini-Hochberg).
    count_F, count_G : int
        Texts that hold the term.
    share_F, share_G : float
        The same as shares of all texts, in [0, 1].
    """

    schema: ClassVar[str] = "xembed.shift.Term/1"

    term: Annotated[str, RowKey, UserText]
    z: float
    log_odds: float
    pvalue: Probability
    qvalue: Probability
    count_F: Count
    count_G: Count
    share_F: Probability
    share_G: Probability


@dataclass(frozen=True, repr=False)
class TermsResult(Result):
    """Result of `distinguishing_terms`.

    Attributes
    ----------
    verdict : str
        The finding in words.
    more_in_F, more_in_G : tuple of Term
        The terms that are more frequent in one of them, strongest first; not all need be significant.
    n_terms : int
        Terms that were compared.
    n_significant : int
        Those of all terms with ``qvalue <= fdr``.
    fdr : float
        False discovery rate.
    n_F, n_G : int
        Texts compared.
    names : tuple of str
        What F and G are called.
    provenance : dict
        Function, parameters and versions.
    warnings : tuple of str
        Caveats.
    """

    schema: ClassVar[str] = "xembed.shift.TermsResult/1"
    page: ClassVar[str | None] = "xembed.shift._pages.single:terms"

    verdict: str
    more_in_F: tuple[Term, ...]
    more_in_G: tuple[Term, ...]
    n_terms: Count
    n_significant: Count
    fdr: Level
    n_F: Count
    n_G: Count
    names: Annotated[tuple[str, str], UserText]
    provenance: Provenance
    warnings: tuple[str, ...] = ()

    def to_frame(self) -> DataFrame:
        """Return a table with a row a term, those of G first."""
        return frame_of((*self.more_in_G, *self.more_in_F), Term)


def distinguishing_terms(
    texts_F: Sequence[str],
    texts_G: Sequence[str],
    *,
    top: int = _TOP,
    min_count: int = MIN_COUNT,
    fdr: float = 0.05,
    names: tuple[str, str] = ("F", "G"),
) -> TermsResult:
    r"""Return the terms that tell two sets of texts apart.

    Words and pairs of words are ranked by their weighted log odds ratio with an informative Dirichlet prior [1]_.

    Parameters
    ----------
    texts_F, texts_G : sequence of str
        The texts. Blank ones are allowed; they count as texts without terms.
    top : int, default=10
        How many terms to return on each side.
    min_count : int, default=3
        Terms in fewer texts of both sets together are left out.
    fdr : float in (0, 1), default=0.05
        False discovery rate at which a term counts as significant.
    names : pair of str, default=('F', 'G')
        Names of the two sets in the verdict.

    Returns
    -------
    TermsResult
        With ``more_in_F`` and ``more_in_G``.

    Raises
    ------
    ValueError
        If a set is empty, a text is not valid Unicode, or a parameter is out of its range.
    TypeError
        If a text is not a string.

    Notes
    -----
    A term counts once a text. Otherwise one text that repeats a word fifty times would outweigh forty that use it, and
    the standard errors, which take counts for independent, would be too small.

    With :math:`y_w` the texts of a set that hold the term, :math:`n` the sum of :math:`y_w` over all terms,
    :math:`\alpha_w` the prior and :math:`\alpha_0` its sum, the log odds are
    :math:`\log\frac{y_w + \alpha_w}{n + \alpha_0 - y_w - \alpha_w}`; ``log_odds`` is their difference, its variance
    about :math:`1/(y_w^F + \alpha_w) + 1/(y_w^G + \alpha_w)`, and ``z`` the ratio (eqs. 15 to 23 of [1]_). The prior is
    the distribution of terms in both sets together, worth a fifth of their counts, so stop words need no list.

    P-values are those of the exact (hypergeometric) test of the shares of texts with the term, doubled for two sides.
    A term is a run of letters, digits and underscores of at least two characters, in lower case; contractions
    ("isn't") stay whole. In languages written without spaces, runs are not words.

    References
    ----------
    .. [1] B. L. Monroe, M. P. Colaresi, K. M. Quinn. "Fightin' Words: Lexical Feature Selection and Evaluation for
           Identifying the Content of Political Conflict". Political Analysis 16 (2008), 372-403.

    Examples
    --------
    >>> from xembed.shift import distinguishing_terms
    >>> before = ["the router is slow", "slow wifi upstairs", "the line is slow today", "my bill is wrong"] * 5
    >>> after = ["a scam text", "is this text a scam", "the scam again", "my bill is wrong"] * 5
    >>> result = distinguishing_terms(before, after, top=2)
    >>> [term.term for term in result.more_in_G], [term.term for term in result.more_in_F]
    (['scam', 'text'], ['slow', 'is slow'])
    """
    caller = "distinguishing_terms"
    top = check_count(top, name="top", caller=caller)
    min_count = check_count(min_count, name="min_count", caller=caller)
    fdr = check_number(fdr, name="fdr", caller=caller, low=0, high=1, closed="neither")
    both = check_names(names, caller=caller)
    first = check_texts(texts_F, name="texts_F", blank=True)
    second = check_texts(texts_G, name="texts_G", blank=True)
    presence = term_presence([*first, *second], min_count)
    result = compare_terms(presence, len(first), names=both, top=top, min_count=min_count, fdr=fdr)
    return replace(result, warnings=tuple(blankless_note([*first, *second])))


def compare_terms(
    known: Presence, n: int, *, names: tuple[str, str], top: int = _TOP, min_count: int = MIN_COUNT, fdr: float = 0.05
) -> TermsResult:
    """Return `distinguishing_terms` of which texts hold which terms, those of F being the first ``n``."""
    terms, presence = known
    m = presence.shape[0] - n
    counts_F, counts_G = count_texts(presence[:n]), count_texts(presence[n:])
    log_odds, z = weighted_log_odds(counts_F, counts_G)
    pvalues = share_pvalues(counts_F, counts_G, n, m)
    qvalues = benjamini_hochberg(pvalues)

    def record(i: int) -> Term:
        return Term(
            term=terms[i],
            z=float(z[i]),
            log_odds=float(log_odds[i]),
            pvalue=float(pvalues[i]),
            qvalue=float(qvalues[i]),
            count_F=int(counts_F[i]),
            count_G=int(counts_G[i]),
            share_F=float(counts_F[i] / n),
            share_G=float(counts_G[i] / m),
        )

    more_F = tuple(record(i) for i in strongest(-z, top))
    more_G = tuple(record(i) for i in strongest(z, top))
    n_significant = int((qvalues <= fdr).sum())
    return TermsResult(
        verdict=_verdict(more_F, more_G, n_significant, len(terms), fdr, short_names(names)),
        more_in_F=more_F,
        more_in_G=more_G,
        n_terms=len(terms),
        n_significant=n_significant,
        fdr=fdr,
        n_F=n,
        n_G=m,
        names=names,
        provenance=provenance("distinguishing_terms", top=top, min_count=min_count, fdr=fdr),
    )


def term_presence(texts: Sequence[str], min_count: int) -> Presence:
    """Return the terms of at least ``min_count`` texts, sorted, and which text holds which, (n_texts, n_terms)."""
    from scipy.sparse import csr_matrix
    from sklearn.feature_extraction.text import CountVectorizer

    vectorizer = CountVectorizer(analyzer=_words_and_pairs, binary=True, min_df=min(min_count, len(texts)))
    try:
        presence = vectorizer.fit_transform(track(texts, "Terms", "text"))
    except ValueError:  # how it says that no term is left
        return [], csr_matrix((len(texts), 0), dtype=np.int64)
    counts = count_texts(presence)
    frequent = np.flatnonzero(counts >= min_count)
    return vectorizer.get_feature_names_out()[frequent].tolist(), presence[:, frequent]


def _words_and_pairs(text: str) -> list[str]:
    words = terms_of(text)
    # Runs of scripts without blanks are pairs already, which pairs of pairs only repeat.
    pairs = [f"{a} {b}" for a, b in itertools.pairwise(words) if not (is_bigram(a) or is_bigram(b))]
    return words + pairs


def count_texts(presence: csr_matrix) -> Counts:
    """Return how many texts hold each term."""
    counts: Counts = np.asarray(presence.sum(axis=0), dtype=np.int64).ravel()
    return counts


def weighted_log_odds(counts_F: Counts, counts_G: Counts) -> tuple[Floats, Floats]:
    """Return log odds ratios of G against F, shrunk to those of both together, and the same in standard errors."""
    if len(counts_F) < 2:  # a single term has all the odds in both
        return np.zeros(len(counts_F)), np.zeros(len(counts_F))
    prior = _PRIOR_SHARE * (counts_F + counts_G)

    def log_odds(counts: Counts) -> Floats:
        weighted = counts + prior
        odds: Floats = np.log(weighted) - np.log(weighted.sum() - weighted)
        return odds

    difference = log_odds(counts_G) - log_odds(counts_F)
    return difference, difference / np.sqrt(1 / (counts_F + prior) + 1 / (counts_G + prior))


def share_pvalues(counts_F: npt.ArrayLike, counts_G: npt.ArrayLike, n: int, m: int) -> Floats:
    """Return exact two-sided p-values for equal shares of ``n`` and ``m`` texts: twice the smaller hypergeometric tail.

    For ``n == m`` this is Fisher's exact test, else it is valid as that is, and quick for many pairs of counts.
    """
    from scipy.stats import hypergeom

    count_F, count_G = np.asarray(counts_F), np.asarray(counts_G)
    law = hypergeom(n + m, count_F + count_G, m)
    tail: Floats = np.minimum(law.cdf(count_G), law.sf(count_G - 1))
    # Where a tail holds all there is, rounding can leave it a little off 1.
    return np.clip(2 * tail, 0.0, 1.0)


def strongest(values: Floats, top: int) -> list[int]:
    """Return the positions of the largest positive values, equal ones in their order."""
    order = np.argsort(-values, kind="stable")[:top]
    return [int(i) for i in order if values[i] > 0]


def _verdict(
    more_F: Sequence[Term], more_G: Sequence[Term], n_significant: int, n_terms: int, fdr: float, names: Sequence[str]
) -> str:
    if not n_terms:
        return "No term occurs in enough texts to be compared."
    listed = [
        f"In “{name}”: "
        + ", ".join(f"“{in_sentence(t.term)}” ({t.share_F:.0%} → {t.share_G:.0%})" for t in terms[:5])
        + "."
        for name, terms in zip(names[::-1], (more_G, more_F), strict=True)
        if terms
    ]
    rate = f"(false discovery rate {fdr:.0%})."
    start = f"{n_significant} of {n_terms} terms differ in how many texts hold them {rate}"
    if not n_significant:
        follows = "What follows is a ranking, not a finding."
        start = f"None of {n_terms} terms differs by more than chance explains {rate} {follows}"
    return " ".join([start, *listed])
