"""Why two texts are similar: a number for each pair of their words."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
import numpy.typing as npt

from xembed._core.fields import Cosine, Count, NonNegative, Provenance, Sides
from xembed._core.provenance import provenance
from xembed._core.results import PerRow, Result, UserText
from xembed._core.validation import RNG, check_option, check_texts, describe_rng
from xembed.attribution._explain import is_encoder
from xembed.attribution._method import MethodOptions
from xembed.attribution._methods import check_options
from xembed.attribution._render import CELL_BYTES, heading, legend, line, printable, with_sign, words_html
from xembed.attribution._word_vectors import LABELS, METHODS, WordVectors, has_last_layer, word_vectors
from xembed.encoders import describe_encoder
from xembed.encoders._corpora import unread_verdict
from xembed.encoders._encoding import find_unread

if TYPE_CHECKING:
    import pandas as pd

Floats = npt.NDArray[np.float64]
# Pairs of texts with more words than this are validated only if that is asked for.
FEW_WORDS = 100
# Distance of a cosine from 1 up to which two embeddings are the same.
_SAME = 1e-6

WHAT = {
    "last_layer": (
        "Which tokens of the last layer agree. Their vectors already hold context: a word may stand for its neighbors."
    ),
    "integrated_jacobian": (
        "Which words bring the embeddings together on the way from a reference without words; exact only with respect "
        "to that reference."
    ),
    "leave_one_out": (
        "By how much the similarity changes without a word, and for a pair, without both beyond each alone. No sum: "
        "words that say the same hide each other."
    ),
    "shapley": (
        "What each word adds on average over all orders in which words may come. A text without words counts as zero."
    ),
}


@dataclass(frozen=True, repr=False)
class DeletionTrust(Result):
    """Validation of an explanation of a similarity by leaving words out.

    Attributes
    ----------
    word : str
        Word with the largest absolute value.
    text : {'a', 'b'}
        Text of the word.
    change : float
        Decrease of the cosine without the word; negative if it rises.
    share : float
        Share of the other words without which the cosine changes less, ties counting half; .5 is chance.
    agreement : float or None
        Rank correlation over all words of the values and the decreases of the cosine. None if either are all equal.
    n_words : int
        Number of words in both texts.
    verdict : str
        Findings, in plain words.
    """

    schema: ClassVar[str] = "xembed.attribution.DeletionTrust/1"

    word: Annotated[str, UserText]
    text: Annotated[str, UserText]
    change: float
    share: float
    agreement: Cosine | None
    n_words: Count
    verdict: str


@dataclass(frozen=True, eq=False, repr=False)
class SimilarityExplanation(Result):
    """Result of `explain_similarity`.

    Attributes
    ----------
    similarity : float
        Cosine of the two embeddings, in [-1, 1].
    text_a, text_b : str
        The texts.
    words_a, words_b : tuple of str
        Their words.
    matrix : ndarray of shape (n_words_a, n_words_b), float64
        Contribution of each pair of words to the cosine.
    values_a, values_b : ndarray of shape (n_words,), float64
        Contribution of each word to the cosine with the whole other text.
    rest : dict of str to float, or None
        Contributions of 'special tokens' and 'reference', the embeddings of texts without words. With them the matrix
        adds up to the cosine. None where a method promises no sum.
    completeness : float or None
        Absolute error of the sum of matrix and rest.
    method, label, what : str
        Method, its name in tables, and what it does and does not explain.
    reference : str or None
        Representation of absent words.
    truncated : tuple of bool
        Whether each text is longer than the encoder reads; words that were cut off are not among its words.
    trust : DeletionTrust or None
        Validation by leaving words out. None where it was not asked for, where there are too few words, and for
        'leave_one_out', which is that itself.
    notes : tuple of str
        Caveats.
    seconds : float
        Time taken.
    encoder, provenance : dict
        Description of the encoder; function, parameters and versions.
    unread : str
        What has to be said before the cosine: that the encoder reads nothing of a text, or gives both the same
        embedding though they differ. Otherwise empty.
    """

    schema: ClassVar[str] = "xembed.attribution.SimilarityExplanation/1"
    page: ClassVar[str | None] = "xembed.attribution._pages.texts:similarity"

    similarity: float
    text_a: Annotated[str, UserText]
    text_b: Annotated[str, UserText]
    words_a: Annotated[tuple[str, ...], UserText]
    words_b: Annotated[tuple[str, ...], UserText]
    matrix: Annotated[Floats, Sides("words_a", "words_b")]
    values_a: Annotated[Floats, Sides("words_a"), PerRow("words of A", "words_a")]
    values_b: Annotated[Floats, Sides("words_b"), PerRow("words of B", "words_b")]
    rest: dict[str, float] | None
    completeness: float | None
    method: str
    label: str
    what: str
    reference: str | None
    truncated: tuple[bool, bool]
    trust: DeletionTrust | None
    notes: tuple[str, ...]
    seconds: NonNegative
    encoder: dict[str, Any]
    provenance: Provenance
    unread: str = ""

    def to_frame(self) -> pd.DataFrame:
        """Return the matrix as a table, words of text_a as rows and of text_b as columns."""
        import pandas as pd

        return pd.DataFrame(self.matrix, index=list(self.words_a), columns=list(self.words_b))

    def top(self, n: int = 5) -> list[tuple[str, str, float]]:
        """Return the ``n`` pairs of words with the largest absolute value, largest first."""
        order = np.argsort(-np.abs(self.matrix), axis=None, kind="stable")[:n]
        places = zip(*np.unravel_index(order, self.matrix.shape), strict=True)
        return [(self.words_a[i], self.words_b[j], float(self.matrix[i, j])) for i, j in places]

    def _scalars(self) -> dict[str, Any]:
        sizes = {"n_words_a": len(self.words_a), "n_words_b": len(self.words_b)}
        measured = {"completeness": self.completeness, "seconds": self.seconds}
        return {"similarity": self.similarity, "method": self.method} | sizes | measured

    def _repr_html_(self) -> str:
        most = float(max(np.abs(self.values_a).max(initial=0.0), np.abs(self.values_b).max(initial=0.0)))
        pairs = "; ".join(
            f"{printable(a, 30)} – {printable(b, 30)} {with_sign(value)}" for a, b, value in self.top(5) if value
        )
        rest = [f"{key} {with_sign(value)}" for key, value in (self.rest or {}).items() if abs(value) > 1e-12]
        parts = [line(self.unread)] if self.unread else []
        parts += [heading(f"Cosine {self.similarity:.3f}, explained by {self.label}")]
        parts += [line(note) for note in self.notes]
        if self.trust is not None:
            parts.append(line(self.trust.verdict))
        parts.append(legend(True, "makes the texts more alike", "less alike"))
        for words, values in ((self.words_a, self.values_a), (self.words_b, self.values_b)):
            parts.append(words_html(words, values, most=most, n_bytes=CELL_BYTES // 3))
        if pairs:
            parts.append(line(f"Largest pairs: {pairs}"))
        if rest:
            parts.append(line(f"In pairs of words {with_sign(float(self.matrix.sum()))}, {', '.join(rest)}"))
        return "".join(parts)


def explain_similarity(
    encoder: Any,
    text_a: str,
    text_b: str,
    *,
    method: str = "auto",
    reference: str = "mask",
    deletion: str = "delete",
    trust: bool | None = None,
    n_samples: int = 100,
    tolerance: float = 0.01,
    max_steps: int = 96,
    rng: RNG = None,
) -> SimilarityExplanation:
    r"""Explain the cosine of two texts by their words.

    Each method decomposes the embedding of a text into vectors of its words, and an entry of the matrix is the product
    of two such vectors: :math:`A_{ij} = m_i \cdot m_j`.

    Parameters
    ----------
    encoder : Encoder or object with ``.encode``
        The encoder. Without tokens, only 'leave_one_out' and 'shapley' are possible.
    text_a, text_b : str
        The texts.
    method : {'auto', 'last_layer', 'shapley', 'leave_one_out', 'integrated_jacobian'}, default='auto'
        'last_layer': the exact decomposition of the pooled output, one pass. 'shapley': the mean over orders of words;
        ``n_samples`` rows for each text, exact for short ones. 'leave_one_out': the change of the cosine without one
        word, and without two. 'integrated_jacobian': [1]_, by forward-mode products, one for each word and step.
        'auto' is 'last_layer' for encoders that pool the mean of their tokens, and 'shapley' for all others.
    reference : {'mask', 'pad', 'unk', 'zero'}, default='mask'
        Start of the path of the integrated Jacobian. ``rest['reference']`` is its part of the cosine.
    deletion : {'delete', 'mask', 'pad', 'unk'}, default='delete'
        Replacement of an absent word where words are left out.
    trust : bool, optional
        Whether to leave out each word in turn and compare the change of the cosine with the explanation. By default for
        texts of together at most 100 words: it costs an encoded text for each.
    n_samples : int, default=100
        Perturbed texts for each text in 'shapley'.
    tolerance, max_steps
        Options of the integrated Jacobian, as in `explain`.
    rng : int, numpy.random.Generator or None, default=None
        Random state of the orders of 'shapley'. None is seed 0.

    Returns
    -------
    SimilarityExplanation
        The ``matrix``, ``values_a``, ``values_b``, ``top()`` and ``report(path)``.

    Raises
    ------
    ValueError
        If a text is blank, or the method needs what the encoder does not have.
    TypeError
        If a text is not a string, ``encoder`` is not an encoder, or ``trust`` is something else.

    Notes
    -----
    Embeddings are of length 1. How well each method agrees with deletion is tabled in docs/measurements/attribution.md.

    References
    ----------
    .. [1] L. Möller, D. Nikolaev, S. Padó. "An Attribution Method for Siamese Encoders". EMNLP 2023.

    Examples
    --------
    >>> import xembed
    >>> from xembed.attribution import explain_similarity
    >>> encoder = xembed.load_encoder(device="cpu")
    >>> found = explain_similarity(
    ...     encoder, "The king greeted his guests.", "The queen welcomed visitors."
    ... )
    >>> [pair[:2] for pair in found.top(2)]
    [('greeted', 'welcomed'), ('king', 'queen')]
    >>> bool(abs(found.matrix.sum() + sum(found.rest.values()) - found.similarity) < 1e-6)
    True
    """
    caller = "explain_similarity"
    if not is_encoder(encoder):
        raise TypeError(
            f"The 'encoder' parameter of {caller} must be an encoder: an object with .encode(list of texts), such as "
            f"xembed.load_encoder() gives. Got {encoder!r:.60} instead."
        )
    texts = [check_texts([text], name=name)[0] for name, text in (("text_a", text_a), ("text_b", text_b))]
    check_option(method, ("auto", *METHODS), name="method", caller=caller)
    if not isinstance(trust, bool | None):
        raise TypeError(
            f"The 'trust' parameter of {caller} must be True, False or None. Got {type(trust).__name__} instead."
        )
    if method == "auto":
        method = "last_layer" if has_last_layer(encoder) else "shapley"
    options = check_options(
        reference, deletion, n_samples, tolerance, max_steps, rng=rng, caller=caller, called="reference"
    )
    began = time.monotonic()
    a, b = word_vectors(encoder, texts, method=method, reference=reference, options=options, caller=caller)
    similarity = float(np.clip(a.embedding @ b.embedding, -1.0, 1.0))  # lengths are 1 up to rounding
    matrix = a.vectors @ b.vectors.T
    rest = None if method == "leave_one_out" else _rest(a, b, matrix)
    notes = [
        f"{name} is longer than the encoder reads: words that were cut off are not shown."
        for name, vectors in (("text_a", a), ("text_b", b))
        if vectors.truncated
    ]
    counted = {name: find_unread(encoder, [text], name) for name, text in zip(("text_a", "text_b"), texts, strict=True)}
    notes += [note for sentences, _ in counted.values() for note in sentences]
    same = texts[0] != texts[1] and similarity > 1 - _SAME
    unread = unread_verdict({name: share for name, (_, share) in counted.items()}, same=same)
    if texts[0] == texts[1]:
        notes.append("The two texts are the same.")
    if rest is not None and abs(sum(rest.values())) > 0.5 * abs(similarity):
        notes.append(
            "A part as large as half of the cosine or more is not in the words but in "
            + " and ".join(name for name, value in rest.items() if abs(value) > 0.1 * abs(similarity))
            + ": look at the rest before the matrix."
        )
    values = (a.vectors @ b.embedding, b.vectors @ a.embedding)
    words = (a.words, b.words)
    validation = None
    if method != "leave_one_out" and (trust or (trust is None and sum(map(len, words)) <= FEW_WORDS)):
        validation = trust_by_deletion(encoder, texts, words, values, options=options, caller=caller)
    elif method != "leave_one_out":
        notes.append("Not validated by leaving words out: trust=True does, at the cost of a text for each word.")
    return SimilarityExplanation(
        similarity=similarity,
        text_a=texts[0],
        text_b=texts[1],
        words_a=a.words,
        words_b=b.words,
        matrix=matrix,
        values_a=values[0],
        values_b=values[1],
        rest=rest,
        completeness=None if rest is None else abs(similarity - float(matrix.sum()) - sum(rest.values())),
        method=method,
        label=LABELS[method],
        what=WHAT[method],
        reference={"last_layer": None, "integrated_jacobian": reference}.get(method, deletion),
        truncated=(a.truncated, b.truncated),
        trust=validation,
        notes=tuple(notes),
        seconds=time.monotonic() - began,
        encoder=describe_encoder(encoder),
        unread=unread,
        provenance=provenance(
            caller,
            method=method,
            reference=reference,
            deletion=deletion,
            trust=trust,
            n_samples=n_samples,
            tolerance=tolerance,
            max_steps=max_steps,
            rng=describe_rng(rng),
        ),
    )


def _rest(a: WordVectors, b: WordVectors, matrix: Floats) -> dict[str, float]:
    """Return what special tokens and the references add to the products of words."""
    tokens = [text.vectors.sum(axis=0) + text.special for text in (a, b)]
    whole = [total + text.reference for total, text in zip(tokens, (a, b), strict=True)]
    with_special, with_reference = float(tokens[0] @ tokens[1]), float(whole[0] @ whole[1])
    return {"special tokens": with_special - float(matrix.sum()), "reference": with_reference - with_special}


def trust_by_deletion(
    encoder: Any,
    texts: Sequence[str],
    words: Sequence[Sequence[str]],
    values: Sequence[Floats],
    *,
    options: MethodOptions,
    caller: str,
) -> DeletionTrust | None:
    """Compare the values of the words of two texts with the change of the cosine without each.

    None for fewer than three words that can be left out: the only word of a text can't be.
    """
    from scipy.stats import spearmanr

    a, b = word_vectors(encoder, texts, method="leave_one_out", options=options, caller=caller)
    decreases = [a.vectors @ b.embedding, b.vectors @ a.embedding]
    kept = [(side, place) for side in (0, 1) if len(words[side]) > 1 for place in range(len(words[side]))]
    if len(kept) < 3:
        return None
    explained, changes = (np.array([of[side][place] for side, place in kept]) for of in (values, decreases))
    first = int(np.abs(explained).argmax())
    sizes = np.abs(changes)
    others = np.delete(sizes, first)
    varied = np.ptp(explained) > 0 and np.ptp(changes) > 0
    side, place = kept[first]
    word, change = words[side][place], float(changes[first])
    share = float(((sizes[first] > others) + 0.5 * (sizes[first] == others)).mean())
    agreement = float(spearmanr(explained, changes).statistic) if varied else None
    ranks = "" if agreement is None else f"; rank correlation over all {len(kept)} words {agreement:.2f}"
    return DeletionTrust(
        word=word,
        text="ab"[side],
        change=change,
        share=share,
        agreement=agreement,
        n_words=len(kept),
        verdict=f"Validated by leaving words out: without “{printable(word)}”, which comes first, the cosine "
        f"{'falls' if change >= 0 else 'rises'} by {abs(change):.3f}, a larger change than without {share:.0%} of the "
        f"other words{ranks}.",
    )
