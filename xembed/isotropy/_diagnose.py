"""An embedding space before and after correction, in one call: measures, hubs, tasks and layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from xembed._core.provenance import provenance
from xembed._core.validation import (
    RNG,
    FloatArray,
    check_count,
    check_embeddings,
    check_number,
    check_rng,
    check_same_dims,
    describe_rng,
)
from xembed.datasets import TextTable
from xembed.encoders import Encoding, describe_encoder, encode_texts
from xembed.encoders._cache import CacheOption
from xembed.isotropy._compare import compare_corrections
from xembed.isotropy._compare_result import CorrectionRow, CorrectionsResult
from xembed.isotropy._default_corrections import RAW, check_corrections, correct
from xembed.isotropy._diagnosis import Diagnosis, Hub
from xembed.isotropy._layers import layer_profile
from xembed.isotropy._measure import measure
from xembed.isotropy._neighborhood import hubness
from xembed.isotropy._overlap import NamedTexts, named_texts
from xembed.isotropy._recommend import NONE

_HUBS = 10
_NEIGHBORS = 10
# Rows up to which hubs are looked for among all texts: the distances of all pairs are computed.
_HUB_ROWS = 20_000
_FEWEST_RESAMPLES = 20


def diagnose(
    source: Any,
    texts: Any = None,
    *,
    fit_texts: Any = None,
    tune: Any = None,
    test: Any = None,
    labels: Any = None,
    corrections: Any = "default",
    layers: bool = False,
    poolings: str | Sequence[str] = ("mean", "cls"),
    n_resamples: int = 200,
    confidence_level: float = 0.95,
    transductive: bool = False,
    name: str | None = None,
    batch_size: int = 32,
    progress: bool | None = None,
    cache: CacheOption = True,
    rng: RNG = None,
) -> Diagnosis:
    """Measure an embedding space, compare corrections of it, and recommend one or none.

    Parameters
    ----------
    source : encoder, or array-like of shape (n_texts, n_dims)
        What embeds ``texts``; or their embeddings, if they are there already. Then there are measures only, and, with
        ``fit_texts`` and ``labels``, corrections judged by the labels.
    texts : list of str, TextTable or STSPairs, optional
        What is measured. Needed with an encoder; with embeddings it names hubs.
    fit_texts : list of str, TextTable, STSPairs or list of STSPairs, or array-like with embeddings, optional
        What corrections are fitted on: other texts of the same kind; embeddings where ``source`` is embeddings. By
        default the sentences of ``tune``. Without either there are no corrections.
    tune, test, labels, corrections, transductive
        As in `compare_corrections`.
    layers : bool, default=False
        Measure every layer of the encoder, too (`layer_profile`), with the pairs of ``tune`` where there are any.
    poolings : str or sequence of str, default=('mean', 'cls')
        Of the layers.
    n_resamples : int, default=200
        For all intervals, at least 20.
    confidence_level : float in (0, 1), default=0.95
        Of the intervals.
    name : str, optional
        What the texts are called. By default the name of the table or of the pairs, else 'texts'.
    batch_size, progress, cache
        As in `Encoder.encode`.
    rng : int, numpy.random.Generator or None, default=None
        For everything random. None is seed 0.

    Returns
    -------
    Diagnosis
        Measures before and after, hubs, corrections, layers, and the recommendation with its reason.

    Raises
    ------
    ValueError
        If texts and embeddings differ in number or dimensions, options don't go together, or what
        `compare_corrections`, `measure` and `layer_profile` refuse.
    TypeError
        If an argument is of the wrong type.

    Examples
    --------
    >>> import numpy as np
    >>> from xembed.isotropy import diagnose
    >>> X = np.random.default_rng(0).normal(1, 1, (300, 8))
    >>> found = diagnose(X, n_resamples=20)
    >>> round(found.before.measure("average_cosine").value, 1)
    0.5
    >>> print(found.recommendation, found.reason[:18])
    None No recommendation:
    """
    caller = "diagnose"
    count = check_count(n_resamples, name="n_resamples", caller=caller, low=_FEWEST_RESAMPLES)
    level = check_number(confidence_level, name="confidence_level", caller=caller, low=0, high=1, closed="neither")
    seeds = check_rng(rng, caller=caller).integers(2**32, size=5).tolist()
    chosen = check_corrections(corrections, caller=caller)
    is_encoder = callable(getattr(source, "encode", None)) and not isinstance(source, str)
    if is_encoder:
        if texts is None:
            raise ValueError(f"The 'texts' parameter of {caller} must be given with an encoder. Got none.")
        measured = named_texts(texts, name="texts", caller=caller)
        to_fit = tune if fit_texts is None else fit_texts
        fit = None if to_fit is None else named_texts(to_fit, name="fit_texts", caller=caller)
        options: dict[str, Any] = {"batch_size": batch_size, "progress": progress, "cache": cache}
        encoding = encode_texts(source, measured.texts, **options)
        X, warnings = encoding.embeddings, _warn(encoding)
        embeddings: Any = _EncodedOnce(source, options, dict(zip(measured.texts, X, strict=True)))
    else:
        if tune is not None or test is not None or layers:
            raise ValueError(
                f"The 'tune', 'test' and 'layers' parameters of {caller} need an encoder as 'source', for sentences "
                "that are not among the embeddings. Got embeddings: pass the encoder and the texts."
            )
        measured, X, fit, embeddings = _from_embeddings(source, texts, fit_texts, caller=caller)
        warnings = []
    title = name or measured.name
    before = measure(X, n_resamples=count, confidence_level=level, rng=seeds[0])

    compared = after = shown = None
    if fit is not None:
        pairs = {key: value for key, value in (("tune", tune), ("test", test)) if value is not None}
        compared = compare_corrections(
            embeddings,
            fit_texts=_as_table(fit),
            texts=_as_table(measured),
            labels=labels,
            corrections=corrections,
            n_resamples=count,
            confidence_level=level,
            transductive=transductive,
            rng=seeds[1],
            **pairs,
        )
        shown = _shown(compared)
        corrected = correct(shown, chosen[shown], _rows(embeddings, fit.texts), X)
        after = measure(corrected, n_resamples=count, confidence_level=level, rng=seeds[0])
    elif test is not None or labels is not None:
        raise ValueError(
            f"The 'fit_texts' parameter of {caller} must be what corrections are fitted on if they are to be judged by "
            "pairs or labels. Got none: give other texts of the same kind as those that you embed."
        )
    profile = None
    if layers:
        profile = layer_profile(
            source,
            list(measured.texts),
            poolings=poolings,
            corrections=None if fit is None else chosen,
            fit_texts=None if fit is None else _as_table(fit),
            sts=tune,
            n_resamples=count if tune is not None else 0,
            confidence_level=level,
            batch_size=batch_size,
            progress=progress,
            rng=seeds[2],
        )
    if compared is None:
        reason = (
            "No recommendation: no texts were given to fit corrections on, nor pairs or labels to judge them by. "
            "Isotropy alone is no reason for a correction."
        )
    else:
        reason = compared.reason
    return Diagnosis(
        name=title,
        recommendation=compared.recommendation if compared else None,
        reason=reason,
        before=before,
        correction=shown,
        after=after,
        hubs=_find_hubs(X, None if texts is None else named_texts(texts, name="texts", caller=caller).texts),
        n_neighbors=_NEIGHBORS,
        corrections=compared,
        layers=profile,
        encoder=describe_encoder(source) if is_encoder else None,
        warnings=tuple(warnings),
        provenance=provenance(
            caller,
            texts=title,
            fit_texts=fit.name if fit else None,
            layers=layers,
            n_resamples=count,
            confidence_level=level,
            transductive=transductive,
            rng=describe_rng(rng),
        ),
    )


class _EncodedOnce:
    """An encoder that keeps what it has encoded in memory: texts come up several times."""

    def __init__(self, encoder: Any, options: dict[str, Any], rows: dict[str, FloatArray]) -> None:
        self._encoder = encoder
        self._options = options
        self._rows = rows

    def encode(self, texts: Sequence[str]) -> FloatArray:
        new = [text for text in dict.fromkeys(texts) if text not in self._rows]
        if new:
            found = encode_texts(self._encoder, new, **self._options).embeddings
            self._rows |= dict(zip(new, found, strict=True))
        return np.array([self._rows[text] for text in texts])

    def describe(self) -> dict[str, Any]:
        return describe_encoder(self._encoder)


def _warn(encoding: Encoding) -> list[str]:
    warnings = []
    if encoding.n_truncated:
        warnings.append(
            f"{encoding.n_truncated} of the {encoding.n_texts} texts are longer than the model reads, and were cut."
        )
    if repeated := encoding.n_texts - encoding.n_unique:
        warnings.append(f"{repeated} of the {encoding.n_texts} texts repeat another one.")
    return warnings


def _from_embeddings(
    source: Any, texts: Any, fit: Any, *, caller: str
) -> tuple[NamedTexts, FloatArray, NamedTexts | None, Mapping[str, FloatArray]]:
    """Return texts (numbers stand for those that are not known), rows, and both as a mapping."""
    X = check_embeddings(source, name="source", caller=caller, min_rows=2)
    known = None if texts is None else named_texts(texts, name="texts", caller=caller)
    if known is not None and len(known.texts) != len(X):
        raise ValueError(
            f"The 'texts' of {caller} must be those of the embeddings, one a row. Got {len(known.texts)} texts and "
            f"{len(X)} rows."
        )
    # Texts only serve as keys here, and equal texts may have different rows.
    rows = NamedTexts("texts" if known is None else known.name, tuple(f"row {i}" for i in range(len(X))))
    vectors = dict(zip(rows.texts, X, strict=True))
    if fit is None:
        return rows, X, None, vectors
    F = check_embeddings(fit, name="fit_texts", caller=caller, min_rows=2)
    check_same_dims(("source", X), ("fit_texts", F))
    keys = NamedTexts("fit_texts", tuple(f"fit row {i}" for i in range(len(F))))
    return rows, X, keys, vectors | dict(zip(keys.texts, F, strict=True))


def _as_table(named: NamedTexts) -> TextTable:
    return TextTable(texts=named.texts, name=named.name)


def _rows(embeddings: Any, texts: Sequence[str]) -> FloatArray:
    if isinstance(embeddings, Mapping):
        return np.array([embeddings[text] for text in texts])
    return encode_texts(embeddings, texts).embeddings


def _shown(compared: CorrectionsResult) -> str:
    """Return the correction whose measures stand beside the raw ones."""
    if compared.recommendation is not None and compared.recommendation != NONE:
        return compared.recommendation
    return max((row for row in compared.rows if row.name != RAW), key=_choice).name  # the first of equals


def _choice(row: CorrectionRow) -> float:
    """Return what the choice is made by; 0 without pairs and labels."""
    if row.tune is not None:
        return row.tune.spearman
    return 0.0 if row.probe_tune is None else row.probe_tune.accuracy


def _find_hubs(X: FloatArray, texts: Sequence[str] | None) -> tuple[Hub, ...]:
    """Return the texts that are most often neighbors of others; none where there are too few or too many texts."""
    if not _NEIGHBORS < len(X) <= _HUB_ROWS:
        return ()
    occurrences = hubness(X, n_neighbors=_NEIGHBORS).k_occurrences
    order = np.argsort(-occurrences, kind="stable")[:_HUBS]
    return tuple(
        Hub(row=int(row), occurrences=float(occurrences[row]), text=None if texts is None else texts[row])
        for row in order
    )
