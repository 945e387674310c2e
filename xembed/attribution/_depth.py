"""Why a text is typical of a corpus or an outlier in it: the words that pull it there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
import numpy.typing as npt

from xembed._core import validation
from xembed._core.directions import UnitRows, unit_rows
from xembed._core.fields import Cosines, Count, Probabilities, Sides
from xembed._core.neighbors import top_k
from xembed._core.provenance import provenance
from xembed._core.results import PerRow, UserText
from xembed._core.validation import RNG, check_count, check_option, check_texts, describe_rng
from xembed.attribution._embedding_targets import check_exclude, embeddings_of
from xembed.attribution._explain import Attributions, explain
from xembed.attribution._method import REPORTED
from xembed.attribution._methods import check_options, find_methods
from xembed.attribution._trust import TARGETS, TrustResult, make_target, trust_check, trust_note
from xembed.depth import tte_depth
from xembed.encoders import describe_encoder, encode_texts
from xembed.encoders._encoding import find_unread

Floats = npt.NDArray[np.float64]
# Depths that differ by less are the same but for rounding.
_TIED = 1e-9
NOT_VALIDATED = (
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
        TTE depth (cosine) in the reference.
    deeper_than : ndarray of shape (n_texts,), float64
        Share of the reference that is less deep, in [0, 1]: 0 is the outermost.
    nearest_similarity : ndarray of shape (n_texts,), float64
        Mean cosine with the nearest texts of the reference.
    typical_texts, typical_similarity : tuple of str, ndarray of shape (n_texts,), float64
        For each text the nearest one of the reference among its deeper half, a typical text near it, and their cosine.
    n_reference : int
        Number of texts of the reference.
    trust : TrustResult or None
        Validation by `trust_check` on this corpus, if it was asked for.
    encoder : dict
        Description of the encoder.
    """

    schema: ClassVar[str] = "xembed.attribution.DepthExplanation/1"
    page: ClassVar[str | None] = "xembed.attribution._pages.texts:depth"

    texts: Annotated[tuple[str, ...], UserText, Sides("words")]
    depths: Annotated[Floats, Sides("texts"), PerRow("texts", "texts")]
    deeper_than: Annotated[Probabilities, Sides("texts"), PerRow("texts", "texts")]
    nearest_similarity: Annotated[Cosines, Sides("texts"), PerRow("texts", "texts")]
    typical_texts: Annotated[tuple[str, ...], UserText]
    typical_similarity: Annotated[Cosines, Sides("typical_texts")]
    n_reference: Count
    trust: TrustResult | None
    encoder: dict[str, Any]

    def _repr_html_(self) -> str:
        order = np.argsort(self.depths, kind="stable").tolist()
        return self._html(order, "pulls a text toward the corpus", "away from it")

    def _place(self, row: int) -> str:
        share = 1 - self.deeper_than[row]
        outside = f"{share:.1%}" if 0.99 < share < 1 else f"{share:.0%}"
        return (
            f"Text {row}: depth {self.depths[row]:.3f}, less deep than {outside} of the {self.n_reference:,} texts of "
            "the corpus"
        )


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
    """Explain why texts are typical of a corpus, or outliers in it, by their words.

    Parameters
    ----------
    encoder : Encoder or object with ``.encode``
        The encoder. Without tokens, only methods that leave words out are possible.
    texts : sequence of str
        Texts to explain.
    reference : sequence of str, optional
        The corpus. By default ``texts`` itself, each text left out of its own corpus.
    target : {'nearest_similarity', 'depth'}, default='nearest_similarity'
        Number to attribute to words: the mean similarity to the nearest texts of the corpus, or depth in all of it.
    method : str, default='lime'
        A name in `METHODS`.
    n_neighbors : int, default=10
        Number of nearest texts of 'nearest_similarity'.
    exclude : sequence of int, optional
        For each text the row of ``reference`` that it is itself, which is not counted: to explain some texts of a
        corpus within it.
    trust : bool or TrustResult, default=False
        Whether to run `trust_check` on the corpus with this method and target first; or its result. ``notes`` says
        where neither was given.
    n_samples, deletion, baseline, progress, rng
        Options of the method, as in `explain`.

    Returns
    -------
    DepthExplanation
        A number for each word of each text, depths, and the nearest typical text of each.

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
    The defaults are those that find planted words best (docs/measurements/attribution.md).

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
    find_methods([method], caller=caller)
    check_options(baseline, "mask" if deletion is None else deletion, n_samples, caller=caller)
    validation.check_rng(rng, caller=caller)
    validation.shows_progress(progress, caller=caller)
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
    options: dict[str, Any] = {"n_samples": n_samples, "deletion": deletion, "baseline": baseline}
    report = trust if isinstance(trust, TrustResult) else None
    if trust is True:
        report = trust_check(encoder, corpus, methods=[method], targets=[target], n_neighbors=count, **options)
    goal = make_target(target, vectors, count, exclude=own)
    attributions = explain(encoder, checked, method=method, target=goal, progress=progress, rng=rng, **options)
    note = NOT_VALIDATED if report is None else trust_note(report, method, target)
    parameters = attributions.provenance["parameters"]
    unread = find_unread(encoder, checked, "texts")[0]
    unread += [] if reference is None else find_unread(encoder, corpus, "reference")[0]
    return DepthExplanation(
        **vars(attributions)
        | {
            "notes": (*attributions.notes, *unread, note),
            "provenance": provenance(
                caller,
                **{name: parameters[name] for name in ("method", *REPORTED)},
                target=target,
                n_neighbors=count,
                exclude=own is not None,
                trust=report is not None,
                rng=describe_rng(rng),
            ),
        },
        **_places(rows, vectors, corpus, count, own),
        texts=tuple(checked),
        n_reference=len(corpus),
        trust=report,
        encoder=describe_encoder(encoder),
    )


def _places(
    rows: Floats, reference: Floats, corpus: Sequence[str], count: int, own: npt.NDArray[np.int64] | None
) -> dict[str, Any]:
    """Return depths, shares of the corpus that are less deep, similarities to the nearest, and the nearest typical."""
    n = len(reference)
    inside = tte_depth(reference)
    depths = tte_depth(rows, reference) if own is None else inside[own]
    typical = np.flatnonzero(inside >= np.median(inside) - _TIED)
    points, texts = UnitRows.of_unit(rows), UnitRows.of_unit(reference)
    # A text that is not a typical one itself excludes none of them.
    place = None if own is None else np.where(np.isin(own, typical), np.searchsorted(typical, own), -1)
    closest, similarity = (column[:, 0] for column in top_k(points, texts.take(typical), 1, exclude=place))
    return {
        "depths": depths,
        "deeper_than": np.searchsorted(np.sort(inside), depths - _TIED, side="left") / n,
        "nearest_similarity": top_k(points, texts, min(count, n - (own is not None)), exclude=own).cosines.mean(axis=1),
        "typical_texts": tuple(corpus[place] for place in typical[closest]),
        "typical_similarity": np.asarray(similarity, dtype=np.float64),
    }
