"""Surface features of two corpora: length, spacing, case, punctuation, repeats."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
import numpy.typing as npt

from xembed._core.fields import Count, Interval, Level, Probability, Provenance
from xembed._core.provenance import provenance
from xembed._core.results import DataFrame, IntervalIn, Result, RowKey, UserText, frame_of
from xembed._core.text import words_of
from xembed._core.validation import check_names, check_number, check_texts
from xembed.stats import benjamini_hochberg
from xembed.stats._rank_sums import rank_sum

Floats = npt.NDArray[np.float64]

_CONFIDENCE = 0.95
# Effects below this are not listed in the verdict, however small their p-values.
_NOTABLE = 0.1
_LISTED = 6
# The classifier needs some texts to learn from, and no more than these.
_FEWEST, _MOST = 20, 20_000
_FOLDS = 5

# The lookbehind keeps a long row of dots from being tried from each of them.
_SENTENCE_END = re.compile(r"(?<![.!?…。！？])[.!?…。！？]+(?=[\s\"'”’»)\]]|$)")
_SPACED_PUNCTUATION = re.compile(r"\s[.,;:!?](?=\s|$)")
_DOUBLE_SPACE = re.compile(r"[^\S\r\n]{2,}")
_CURLY, _STRAIGHT = "“”‘’", "\"'"
_TERMINAL, _CLOSING = tuple(".!?…。！？"), "\"'”’»)]"
_VARIETY_WORDS = 50


class _Kinds(dict[int, str]):
    """For `str.translate`: letters (a), digits (d), other numbers (n), spaces (s) and punctuation (p).

    What counts as upper case has a capital: in all of Unicode that can be a letter (A), a number (N) or a sign (P).
    """

    def __missing__(self, code: int) -> str:
        char = chr(code)
        if char.isalnum():
            kind = "a" if char.isalpha() else "d" if char.isdigit() else "n"
        else:
            kind = "s" if char.isspace() else "p"
        self[code] = kind.upper() if char.isupper() else kind
        return self[code]


_KINDS = _Kinds()

# What a text is measured by: the name, what it is called in sentences, and whether it counts something without bound.
_FEATURES = (
    ("characters", "length in characters", True),
    ("words", "length in words", True),
    ("word_length", "characters per word", False),
    ("sentences", "number of sentences", True),
    ("upper_case", "share of upper case among letters", False),
    ("digits", "share of digits", False),
    ("punctuation", "share of punctuation", False),
    ("non_ascii", "share of characters outside ASCII", False),
    ("newlines", "line breaks", True),
    ("tabs", "tabs", True),
    ("double_spaces", "runs of several spaces", True),
    ("spaced_punctuation", "spaces before punctuation", True),
    ("leading_space", "starts with white space", False),
    ("trailing_space", "ends with white space", False),
    ("curly_quotes", "curly quotes and apostrophes", True),
    ("straight_quotes", "straight quotes and apostrophes", True),
    ("terminal_punctuation", "ends with terminal punctuation", False),
    ("upper_start", "starts with upper case", False),
    ("word_variety", f"different words among the first {_VARIETY_WORDS}, as a share", False),
    ("repeated", "repeats another text of its corpus", False),
)


@dataclass(frozen=True, repr=False)
class SurfaceFeature(Result):
    """A surface feature of texts, and how it differs between two corpora.

    Attributes
    ----------
    name : str
        Its name.
    label : str
        The same in words.
    mean_F, mean_G, median_F, median_G : float
        Mean and median over the texts of each corpus.
    effect : float
        2 P(F < G) + P(F = G) - 1 for a text of each corpus, in [-1, 1]: positive if larger in G.
    interval : tuple of float
        95 % confidence interval of the effect.
    pvalue, qvalue : float
        Two-sided p-value of the rank-sum test, and that adjusted for all features (Benjamini-Hochberg).
    """

    schema: ClassVar[str] = "xembed.shift.SurfaceFeature/1"

    name: Annotated[str, RowKey]
    label: str
    mean_F: float
    mean_G: float
    median_F: float
    median_G: float
    effect: Annotated[float, IntervalIn("interval")]
    interval: Interval
    pvalue: Probability
    qvalue: Probability


@dataclass(frozen=True, repr=False)
class SurfaceResult(Result):
    """Result of `compare_surface`.

    Attributes
    ----------
    verdict : str
        The finding in words.
    features : tuple of SurfaceFeature
        Largest effect first.
    auc : float or None
        Separability of the corpora by all features together, in [0, 1]: the probability that a classifier gives a text
        of G the higher score than one of F, cross-validated. 0.5: surface features tell nothing. None for fewer than
        20 different texts in a corpus.
    n_different : int
        Features with ``qvalue <= fdr``.
    fdr : float
        False discovery rate.
    names : tuple of str
        What F and G are called.
    n_F, n_G : int
        Numbers of texts.
    warnings : tuple of str
        What a reader should know before trusting the numbers.
    provenance : dict
        Function, parameters and versions.
    """

    schema: ClassVar[str] = "xembed.shift.SurfaceResult/1"
    page: ClassVar[str | None] = "xembed.shift._pages.single:surface"

    verdict: str
    features: tuple[SurfaceFeature, ...]
    auc: Probability | None
    n_different: Count
    fdr: Level
    names: Annotated[tuple[str, str], UserText]
    n_F: Count
    n_G: Count
    warnings: tuple[str, ...]
    provenance: Provenance

    def to_frame(self) -> DataFrame:
        """Return a table with a row a feature."""
        return frame_of(self.features, SurfaceFeature)


def compare_surface(
    texts_F: Sequence[str], texts_G: Sequence[str], *, fdr: float = 0.05, names: tuple[str, str] = ("F", "G")
) -> SurfaceResult:
    """Compare the surface features of two corpora: what is no part of the meaning and may still explain a shift.

    Embeddings of texts that differ in length, spacing or line breaks differ, too. A shift between corpora that were
    collected or cleaned in different ways can be such an artifact.

    Parameters
    ----------
    texts_F, texts_G : sequence of str
        The texts. Blank ones are allowed.
    fdr : float in (0, 1), default=0.05
        False discovery rate over the features.
    names : pair of str, default=('F', 'G')
        Names of the corpora.

    Returns
    -------
    SurfaceResult
        With a ``verdict`` in words, the ``features``, largest effect first, and the ``auc`` of all together.

    Raises
    ------
    ValueError
        If a corpus is empty, a text is not valid Unicode, or a parameter is out of its range.
    TypeError
        If a text is not a string.

    See Also
    --------
    distinguishing_terms : the terms that tell the corpora apart.

    Notes
    -----
    Each feature is compared by the rank-sum test with mid-ranks; the effect is 2 AUC - 1 (Cliff's delta). The
    classifier is a logistic regression on all features, standardized, those without bound as log(1 + x), with five-fold
    cross-validation; of texts that repeat in a corpus it sees one, so that it can't learn them by heart. Above
    20,000 texts in a corpus it takes that many at even distances.

    Shares are of characters, but for upper case, which is of letters. The variety of words is measured in the first 50,
    because it falls with length. Features without a value (such as characters per word without words) are 0.
    Words are runs of letters and digits: in languages without spaces, whole runs count as one.

    Examples
    --------
    >>> from xembed.shift import compare_surface
    >>> before = [f"The parcel {i} came late ." for i in range(30)]
    >>> after = [f"The parcel {i} came late." for i in range(30)]
    >>> result = compare_surface(before, after)
    >>> result.features[0].name, result.features[0].effect
    ('spaced_punctuation', -1.0)
    """
    caller = "compare_surface"
    fdr = check_number(fdr, name="fdr", caller=caller, low=0, high=1, closed="neither")
    both = check_names(names, caller=caller)
    first = check_texts(texts_F, name="texts_F", blank=True)
    second = check_texts(texts_G, name="texts_G", blank=True)
    return compare_features(first, second, fdr=fdr, names=both)


def compare_features(
    first: Sequence[str], second: Sequence[str], *, fdr: float = 0.05, names: tuple[str, str]
) -> SurfaceResult:
    """Return `compare_surface` of checked texts."""
    table_F, table_G = surface_features(first), surface_features(second)
    features = _compare(table_F, table_G)
    auc, notes = _separability(first, second, table_F, table_G)
    different = [feature for feature in features if feature.qvalue <= fdr]
    return SurfaceResult(
        verdict=_verdict(different, auc, fdr),
        features=tuple(features),
        auc=auc,
        n_different=len(different),
        fdr=fdr,
        names=names,
        n_F=len(first),
        n_G=len(second),
        warnings=tuple(notes),
        provenance=provenance("compare_surface", fdr=fdr),
    )


def surface_features(texts: Sequence[str]) -> Floats:
    """Return the features of the texts of a corpus, shape (n_texts, n_features), in the order of ``_FEATURES``."""
    copies = Counter(texts)
    return np.array([[*_measure(text), copies[text] > 1] for text in texts], dtype=np.float64)


def _measure(text: str) -> list[float]:
    size = max(1, len(text))
    words = words_of(text)
    kinds = text.translate(_KINDS)
    letters = kinds.count("a") + kinds.count("A")
    terminated = text.rstrip().rstrip(_CLOSING).endswith(_TERMINAL)
    sentences = len(_SENTENCE_END.findall(text)) + (bool(words) and not terminated)
    start = text.lstrip()[:1]
    early = [word.lower() for word in words[:_VARIETY_WORDS]]
    return [
        len(text),
        len(words),
        sum(map(len, words)) / len(words) if words else 0.0,
        sentences,
        (kinds.count("A") + kinds.count("N") + kinds.count("P")) / letters if letters else 0.0,
        kinds.count("d") / size,
        (kinds.count("p") + kinds.count("P")) / size,
        (len(text) - len(text.encode("ascii", "ignore"))) / size,
        text.count("\n") + text.count("\r") - text.count("\r\n"),
        text.count("\t"),
        len(_DOUBLE_SPACE.findall(text)),
        len(_SPACED_PUNCTUATION.findall(text)),
        text[:1].isspace(),
        text[-1:].isspace(),
        sum(map(text.count, _CURLY)),
        sum(map(text.count, _STRAIGHT)),
        terminated,
        start.isupper(),
        len(set(early)) / len(early) if early else 0.0,
    ]


def _compare(table_F: Floats, table_G: Floats) -> list[SurfaceFeature]:
    """Return the features, largest effect first."""
    tests = [
        rank_sum(x, y, alternative="two-sided", method="asymptotic", confidence_level=_CONFIDENCE)
        for x, y in zip(table_F.T, table_G.T, strict=True)
    ]
    qvalues = benjamini_hochberg(np.array([test.pvalue for test in tests]))
    features = [
        SurfaceFeature(
            name=name,
            label=label,
            mean_F=float(x.mean()),
            mean_G=float(y.mean()),
            median_F=float(np.median(x)),
            median_G=float(np.median(y)),
            effect=2 * test.first_below_second - 1,
            interval=(2 * test.interval[0] - 1, 2 * test.interval[1] - 1),
            pvalue=test.pvalue,
            qvalue=float(qvalue),
        )
        for (name, label, _), x, y, test, qvalue in zip(_FEATURES, table_F.T, table_G.T, tests, qvalues, strict=True)
    ]
    return sorted(features, key=lambda feature: -abs(feature.effect))


def _separability(
    first: Sequence[str], second: Sequence[str], table_F: Floats, table_G: Floats
) -> tuple[float | None, list[str]]:
    """Return the cross-validated AUC of all features together, or None for few texts, and notes."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    parts, notes = [], []
    for texts, table in ((first, table_F), (second, table_G)):
        firsts: dict[str, int] = {}
        for row, text in enumerate(texts):
            firsts.setdefault(text, row)
        rows = np.array(list(firsts.values()))
        if len(rows) < _FEWEST:
            return None, [f"Too few different texts (under {_FEWEST} in a corpus) to measure all features together."]
        if len(rows) > _MOST:
            rows = rows[np.linspace(0, len(rows) - 1, _MOST).round().astype(np.int64)]
            notes = [f"All features together were measured on {_MOST:,} texts of a corpus at most."]
        parts.append(table[rows])
    unbounded = [unbounded for _, _, unbounded in _FEATURES]
    features = np.concatenate(parts)
    features[:, unbounded] = np.log1p(features[:, unbounded])
    model = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=1000))
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=0)
    of_G = np.repeat([0, 1], [len(part) for part in parts])
    return float(cross_val_score(model, features, of_G, cv=folds, scoring="roc_auc").mean()), notes


def _verdict(different: list[SurfaceFeature], auc: float | None, fdr: float) -> str:
    notable = [feature for feature in different if abs(feature.effect) >= _NOTABLE]
    together = ""
    if auc is not None:
        together = f" All features together separate the corpora with an AUC of {auc:.2f} (0.5: not at all)."
    if not notable:
        return f"No notable difference in surface features (false discovery rate {fdr:.0%}).{together}"
    listed = "; ".join(
        f"{feature.label} (mean {feature.mean_F:.3g} → {feature.mean_G:.3g}, effect {feature.effect:+.2f})"
        for feature in notable[:_LISTED]
    )
    more = f"; and {len(notable) - _LISTED} more" if len(notable) > _LISTED else ""
    return f"Surface features that differ and may explain the shift: {listed}{more}.{together}"
