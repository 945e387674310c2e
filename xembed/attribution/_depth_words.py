"""Why a text is typical of a corpus or an outlier in it: the words that pull it there."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
import numpy.typing as npt

from xembed._core.directions import UnitRows, unit_rows
from xembed._core.neighbors import top_k
from xembed._core.provenance import provenance
from xembed._core.results import PerRow, UserText
from xembed._core.validation import RNG, check_count, check_option, check_texts, describe_rng
from xembed.attribution._embedding_targets import (
    Depth,
    EmbeddingTarget,
    NearestSimilarity,
    check_exclude,
    embeddings_of,
)
from xembed.attribution._explain import explain
from xembed.attribution._result import Attributions
from xembed.attribution._trust import TARGETS, trust_check, trust_note
from xembed.attribution._trust_result import TrustResult
from xembed.depth import tte_depth
from xembed.encoders import describe_encoder, encode_texts

Floats = npt.NDArray[np.float64]
# Depths that differ by less are the same but for rounding.
_TIED = 1e-9
UNCHECKED = (
    "The explanation was not validated on this corpus: trust_check plants words and measures whether they are found "
    "(trust=True)."
)


@dataclass(frozen=True, eq=False, repr=False)
class DepthExplanation(Attributions):
    """Result of `explain_depth`: attributions, and where the texts lie in the corpus.

    Positive words pull a text toward the corpus, negative ones away from it.

    Attributes
    ----------
    texts : tuple of str
        The texts.
    depths : ndarray of shape (n_texts,), float64
        Their TTE depth (cosine) in the reference.
    deeper_than : ndarray of shape (n_texts,), float64
        Share of the reference that is less deep, in [0, 1]: 0 is the outermost.
    nearest_similarity : ndarray of shape (n_texts,), float64
        Mean cosine with the nearest texts of the reference.
    typical_texts : tuple of str
        For each text the nearest one of the reference among its deeper half: what a typical text near it looks like.
    typical_similarity : ndarray of shape (n_texts,), float64
        The cosine with it.
    n_reference : int
        Texts of the reference.
    trust : TrustResult or None
        What `trust_check` found on this corpus, if it was asked for.
    encoder : dict
        The encoder.
    """

    schema: ClassVar[str] = "xembed.attribution.DepthExplanation/1"
    page: ClassVar[str | None] = "xembed.attribution._pages.texts:depth"

    texts: Annotated[tuple[str, ...], UserText]
    depths: Annotated[npt.NDArray[np.float64], PerRow("texts", "texts")]
    deeper_than: Annotated[npt.NDArray[np.float64], PerRow("texts", "texts")]
    nearest_similarity: Annotated[npt.NDArray[np.float64], PerRow("texts", "texts")]
    typical_texts: Annotated[tuple[str, ...], UserText]
    typical_similarity: npt.NDArray[np.float64]
    n_reference: int
    trust: TrustResult | None
    encoder: dict[str, Any]


def explain_depth(
    encoder: Any,
    texts: Sequence[str],
    reference: Sequence[str] | None = None,
    *,
    target: str = "nearest_similarity",
    method: str = "lime",
    n_neighbors: int = 10,
    exclude: Sequence[int] | None = None,
    trust: bool | TrustResult = False,
    n_samples: int = 200,
    deletion: str | None = None,
    baseline: str = "pad",
    progress: bool | None = None,
    rng: RNG = None,
) -> DepthExplanation:
    """Say which words make each text typical of a corpus, or an outlier in it.

    Parameters
    ----------
    encoder : Encoder or object with ``.encode``
        For an object of your own only methods that leave words out are possible.
    texts : sequence of str
        What is explained.
    reference : sequence of str, optional
        The corpus. By default ``texts`` itself, each text left out of its own corpus.
    target : {'nearest_similarity', 'depth'}, default='nearest_similarity'
        What is attributed to words: the mean similarity to the nearest texts of the corpus, or depth in all of it.
    method : str, default='lime'
        A name in `METHODS`.
    n_neighbors : int, default=10
        Of 'nearest_similarity'.
    exclude : sequence of int, optional
        For each text the row of ``reference`` that it is itself, which is not counted: to explain some texts of a
        corpus within it.
    trust : bool or TrustResult, default=False
        True runs `trust_check` on the corpus with this method and target first; or hand over what it gave. Where it was
        not asked, ``notes`` says so.
    n_samples, deletion, baseline, progress
        As in `explain`.
    rng : int, numpy.random.Generator or None, default=None
        As in `explain`.

    Returns
    -------
    DepthExplanation
        With a number for each word of each text, depths, and the nearest typical text of each.

    Raises
    ------
    ValueError
        If the reference holds fewer than 2 texts, a text is blank, ``exclude`` is not a row of it for each text, or an
        option is unknown.
    TypeError
        If texts are not strings, or ``trust`` is something else.

    See Also
    --------
    trust_check : whether words can be trusted as reasons in a corpus, and by which method.

    Notes
    -----
    The defaults are those that found planted words best: docs/measurements/attribution.md, with the corpora where
    nothing finds them.

    Examples
    --------
    >>> import xembed
    >>> from xembed.attribution import explain_depth
    >>> from xembed.datasets import load_corpora
    >>> tickets = [text for text in load_corpora("support_tickets").texts[:80]]
    >>> encoder = xembed.load_encoder(device="cpu")
    >>> odd = "My router drops the wifi every violin evening."
    >>> found = explain_depth(encoder, [odd], tickets)
    >>> found.words[0][int(found.values[0].argmin())]
    'violin'
    """
    caller = "explain_depth"
    checked = check_texts(texts)
    check_option(target, TARGETS, name="target", caller=caller)
    count = check_count(n_neighbors, name="n_neighbors", caller=caller)
    corpus = checked if reference is None else check_texts(reference, name="reference")
    if len(corpus) < 2:
        raise ValueError(
            f"The reference of {caller} must hold at least 2 texts"
            f"{' (it is the texts themselves where none is given)' if reference is None else ''}. Got {len(corpus)}."
        )
    if not isinstance(trust, bool | TrustResult):
        raise TypeError(
            f"The 'trust' parameter of {caller} must be True, False or a TrustResult. Got {type(trust).__name__}."
        )
    if reference is None and exclude is not None:
        raise ValueError(
            f"The 'exclude' parameter of {caller} is for texts of a given reference: without one each text is left out "
            f"of its own corpus. Got {exclude!r:.60}."
        )
    vectors = unit_rows(embeddings_of(encoder, corpus, name="reference", caller=caller), name="reference")
    rows = vectors if reference is None else unit_rows(encode_texts(encoder, checked).embeddings)
    own = np.arange(len(rows)) if reference is None else check_exclude(exclude, len(rows), len(vectors), caller=caller)
    chosen: EmbeddingTarget = (
        Depth(vectors, exclude=own) if target == "depth" else NearestSimilarity(vectors, n_neighbors=count, exclude=own)
    )
    report = trust if isinstance(trust, TrustResult) else None
    if trust is True:
        report = trust_check(
            encoder,
            corpus,
            methods=[method],
            targets=[target],
            n_neighbors=count,
            n_samples=n_samples,
            deletion=deletion,
            baseline=baseline,
        )
    found = explain(
        encoder,
        checked,
        method=method,
        target=chosen,
        n_samples=n_samples,
        deletion=deletion,
        baseline=baseline,
        progress=progress,
        rng=rng,
    )
    depths, deeper, nearest, typical, similarity = _places(rows, vectors, count, own)
    kept = {field.name: getattr(found, field.name) for field in dataclasses.fields(found)}
    return DepthExplanation(
        **kept
        | {
            "notes": (*found.notes, UNCHECKED if report is None else trust_note(report, found.method, target)),
            "provenance": provenance(
                caller,
                **{
                    key: value
                    for key, value in found.provenance["parameters"].items()
                    if key in ("method", "baseline", "deletion", "n_samples", "tolerance", "max_steps")
                },
                target=target,
                n_neighbors=count,
                exclude=own is not None,
                trust=report is not None,
                rng=describe_rng(rng),
            ),
        },
        texts=tuple(checked),
        depths=depths,
        deeper_than=deeper,
        nearest_similarity=nearest,
        typical_texts=tuple(corpus[place] for place in typical),
        typical_similarity=similarity,
        n_reference=len(corpus),
        trust=report,
        encoder=describe_encoder(encoder),
    )


def _places(
    rows: Floats, corpus: Floats, count: int, own: npt.NDArray[np.int64] | None
) -> tuple[Floats, Floats, Floats, npt.NDArray[np.int64], Floats]:
    """Return depths, shares of the corpus that are less deep, similarities to the nearest, and the nearest typical."""
    n = len(corpus)
    inside = tte_depth(corpus)
    depths = tte_depth(rows, corpus) if own is None else inside[own]
    deeper = np.searchsorted(np.sort(inside), depths - _TIED, side="left") / n
    typical = np.flatnonzero(inside >= np.median(inside) - _TIED)
    points, texts = UnitRows.of_unit(rows), UnitRows.of_unit(corpus)
    nearest = top_k(points, texts, min(count, n - (own is not None)), exclude=own).cosines.mean(axis=1)
    # A text that is not a typical one itself excludes none of them.
    place = None if own is None else np.where(np.isin(own, typical), np.searchsorted(typical, own), -1)
    closest, similarity = (column[:, 0] for column in top_k(points, texts.take(typical), 1, exclude=place))
    return depths, deeper, nearest, typical[closest], np.asarray(similarity, dtype=np.float64)
