"""One embedding space before and after correction, in one call: measures, hubs, tasks and layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NamedTuple, NoReturn

import numpy as np

from xembed._core.fields import Count, NonNegative, Provenance
from xembed._core.progress import shows_steps
from xembed._core.provenance import provenance
from xembed._core.results import Result, RowKey, UserText
from xembed._core.validation import (
    RNG,
    FloatArray,
    check_count,
    check_embeddings,
    check_flag,
    check_number,
    check_rng,
    check_same_dims,
    describe_rng,
    is_name,
)
from xembed.datasets import TextTable
from xembed.encoders import describe_encoder, encode_texts
from xembed.encoders._cache import CacheOption
from xembed.encoders._corpora import Corpora, read_corpora
from xembed.encoders._encoding import check_encoding_options
from xembed.isotropy import _compare
from xembed.isotropy._compare import NONE, RAW, CorrectionRow, CorrectionsResult, compare_corrections
from xembed.isotropy._layers import LayerProfile, layer_profile
from xembed.isotropy._measure import IsotropyResult, measure
from xembed.isotropy._neighborhood import hubness
from xembed.isotropy._sts import NamedTexts, named_texts

if TYPE_CHECKING:
    import pandas as pd

_HUBS = 10
_NEIGHBORS = 10
# Rows up to which hubs are looked for among all texts: the distances of all pairs are computed.
_HUB_ROWS = 20_000
_FEWEST_RESAMPLES = 20
_NOT_COMPARED = (
    "No recommendation: no texts were given to fit corrections on, nor pairs or labels to judge them by. Isotropy "
    "alone is no reason for a correction."
)


@dataclass(frozen=True, eq=False, repr=False)
class Hub(Result):
    """A text that is among the nearest neighbors of many others.

    Attributes
    ----------
    row : int
        Number of its row, from 0.
    occurrences : float
        Number of texts that have it among their nearest neighbors; the mean of all texts is the number of neighbors.
    text : str or None
        The text, if texts were given.
    """

    schema: ClassVar[str] = "xembed.isotropy.Hub/1"

    row: Annotated[Count, RowKey]
    occurrences: NonNegative
    text: Annotated[str | None, UserText]


@dataclass(frozen=True, eq=False, repr=False)
class Diagnosis(Result):
    """Result of `diagnose`.

    Attributes
    ----------
    name : str
        Name of the texts that were measured.
    recommendation : str or None
        Name of a correction, 'none' where raw embeddings should be kept, or None where there is no evidence.
    reason : str
        The reason in one sentence with figures.
    before : IsotropyResult
        Measures of raw embeddings.
    correction, after : str or None, and IsotropyResult or None
        The recommended correction, else the best on the tune data, and measures of embeddings corrected by it.
    hubs : tuple of Hub
        The texts that occur most often among the nearest neighbors of others, in raw embeddings.
    n_neighbors : int
        Number of nearest neighbors of a text that are counted for hubs.
    corrections, layers : CorrectionsResult or None, and LayerProfile or None
        All corrections that were compared, and all layers of the model.
    encoder : dict or None
        Description of the encoder.
    warnings : tuple of str
        Caveats.
    provenance : dict
        Function, parameters and versions.
    """

    schema: ClassVar[str] = "xembed.isotropy.Diagnosis/1"
    page: ClassVar[str | None] = "xembed.isotropy._pages.spaces:diagnosis"

    name: Annotated[str, UserText]
    recommendation: Annotated[str | None, UserText]
    reason: str
    before: IsotropyResult
    correction: Annotated[str | None, UserText]
    after: IsotropyResult | None
    hubs: tuple[Hub, ...]
    n_neighbors: Count
    corrections: CorrectionsResult | None
    layers: LayerProfile | None
    encoder: dict[str, Any] | None
    warnings: tuple[str, ...]
    provenance: Provenance

    def to_frame(self) -> pd.DataFrame:
        """Return a table with one row a measure, before and after."""
        table = self.before.to_frame()
        if self.after is None:
            return table
        columns = ["value", "low", "high"]
        after = self.after.to_frame().set_index("name")[columns].add_suffix(f" after {self.correction}")
        return table.join(after, on="name")


@shows_steps
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
    text_column: str | None = None,
    encoder: Any = None,
    rng: RNG = None,
) -> Diagnosis:
    """Measure an embedding space, compare corrections of it, and recommend one or none.

    Parameters
    ----------
    source : encoder, texts, or array-like of shape (n_texts, n_dims)
        Encoder of ``texts``, the texts themselves, or their embeddings. With embeddings there are measures only, and,
        with ``fit_texts`` and ``labels``, corrections judged by the labels. Texts are a list or column of strings, or a
        table with a ``text_column``. The index of a DataFrame or Series is not used: rows are counted from 0.
    texts : list of str, TextTable or STSPairs, optional
        Texts that are measured. Needed with an encoder; with embeddings they name hubs.
    fit_texts : list of str, TextTable, STSPairs or list of STSPairs, or array-like with embeddings, optional
        Texts that corrections are fitted on, other texts of the same kind: embeddings where ``source`` is embeddings.
        By default the sentences of ``tune``. Without either there are no corrections.
    tune, test, labels, corrections, transductive
        Options of `compare_corrections`.
    layers : bool, default=False
        Whether every layer of the encoder is measured, too (`layer_profile`), with the pairs of ``tune`` if any.
    poolings : str or sequence of str, default=('mean', 'cls')
        Poolings of the layers.
    n_resamples : int, default=200
        Number of resamples for all intervals, at least 20.
    confidence_level : float in (0, 1), default=0.95
        Confidence level of the intervals.
    name : str, optional
        Name of the texts. By default that of the table or of the pairs, else 'texts'.
    batch_size, progress, cache
        Options of `Encoder.encode`.
    text_column : str, optional
        Column of the texts, where ``source`` or ``texts`` is a DataFrame or another table.
    encoder : encoder, str, path or mapping, optional
        For texts as ``source`` what encodes them: an `Encoder` or any object with ``.encode``, or the name or folder of
        a model; the default encoder if None. For embeddings the description of what made them (`Encoder.describe`).
    rng : int, numpy.random.Generator or None, default=None
        Random number generator of all random steps. None is seed 0.

    Returns
    -------
    Diagnosis
        Measures before and after, hubs, corrections, layers, and the recommendation with its reason.

    Raises
    ------
    ValueError
        If texts and embeddings do not fit, options exclude each other, or for the reasons of the functions named here.
    TypeError
        If an argument is of the wrong type.

    Examples
    --------
    >>> import numpy as np
    >>> from xembed.isotropy import diagnose
    >>> X = np.random.default_rng(0).normal(1, 1, (300, 8))
    >>> diagnosis = diagnose(X, n_resamples=20)
    >>> round(diagnosis.before.measure("average_cosine").value, 1)
    0.5
    >>> print(diagnosis.recommendation, diagnosis.reason[:18])
    None No recommendation:
    """
    caller = "diagnose"
    count = check_count(n_resamples, name="n_resamples", caller=caller, low=_FEWEST_RESAMPLES)
    level = check_number(confidence_level, name="confidence_level", caller=caller, low=0, high=1, closed="neither")
    seeds = check_rng(rng, caller=caller).integers(2**32, size=5).tolist()
    layers = check_flag(layers, name="layers", caller=caller)
    transductive = check_flag(transductive, name="transductive", caller=caller)
    check_encoding_options(batch_size, progress, caller=caller)
    if name is not None and not is_name(name):
        raise TypeError(f"The 'name' parameter of {caller} must be a string that is not blank. Got {name!r} instead.")
    candidates = _compare.check_corrections(corrections, caller=caller)
    given, measured = _read_source(source, texts, text_column, encoder, caller=caller)
    if measured is not None:
        to_fit = tune if fit_texts is None else fit_texts
        if to_fit is not None:  # all that can be refused is, before texts are encoded
            table = TextTable(*measured)
            _compare.check_data(to_fit, tune, test, table, labels, transductive, seeds[1], caller=caller)
        elif test is not None or labels is not None:
            _raise_for_no_fit(caller)
        options: dict[str, Any] = {"batch_size": batch_size, "progress": progress, "cache": cache}
        source = given.load()
        space = _encode(source, measured, to_fit, options, caller=caller)
    elif tune is not None or test is not None or layers:
        raise ValueError(
            f"The 'tune', 'test' and 'layers' parameters of {caller} need an encoder as 'source', for sentences "
            "that are not among the embeddings. Got embeddings: pass the encoder and the texts."
        )
    else:
        if fit_texts is None and labels is not None:
            _raise_for_no_fit(caller)
        (rows,), _, described, _ = given.embed()
        space = _from_embeddings(rows, texts, fit_texts, caller=caller)._replace(encoder=described)
    intervals: dict[str, Any] = {"confidence_level": level, "n_resamples": count}
    before = measure(space.X, **intervals, rng=seeds[0])
    compared = correction = after = profile = None
    if space.fit is not None:
        compared = compare_corrections(
            space.embeddings,
            fit_texts=TextTable(*space.fit),
            tune=tune,
            test=test,
            texts=TextTable(*space.measured),
            labels=labels,
            corrections=corrections,
            transductive=transductive,
            **intervals,
            rng=seeds[1],
        )
        correction = _best_correction(compared)
        if isinstance(space.embeddings, Mapping):
            fit_rows = np.array([space.embeddings[text] for text in space.fit.texts])
        else:
            fit_rows = encode_texts(space.embeddings, space.fit.texts).embeddings
        corrected = _compare.correct(correction, candidates[correction], fit_rows, space.X)
        after = measure(corrected, **intervals, rng=seeds[0])
    if layers:
        profile = layer_profile(
            source,
            list(space.measured.texts),
            poolings=poolings,
            corrections=None if space.fit is None else candidates,
            fit_texts=None if space.fit is None else TextTable(*space.fit),
            sts=tune,
            n_resamples=count if tune is not None else 0,
            confidence_level=level,
            batch_size=batch_size,
            progress=progress,
            rng=seeds[2],
        )
    title = name or space.measured.name
    return Diagnosis(
        name=title,
        recommendation=compared.recommendation if compared else None,
        reason=compared.reason if compared else _NOT_COMPARED,
        before=before,
        correction=correction,
        after=after,
        hubs=_find_hubs(space.X, space.texts),
        n_neighbors=_NEIGHBORS,
        corrections=compared,
        layers=profile,
        encoder=space.encoder,
        warnings=tuple(space.warnings),
        provenance=provenance(
            caller,
            texts=title,
            fit_texts=space.fit.name if space.fit else None,
            layers=layers,
            n_resamples=count,
            confidence_level=level,
            transductive=transductive,
            rng=describe_rng(rng),
        ),
    )


class _Space(NamedTuple):
    """Texts with their embeddings, and the texts of the fit; ``embeddings`` gives rows for all of them."""

    measured: NamedTexts
    X: FloatArray
    fit: NamedTexts | None
    embeddings: Any
    texts: Sequence[str] | None  # None where only embeddings are known
    encoder: dict[str, Any] | None = None
    warnings: Sequence[str] = ()


def _read_source(
    source: Any, texts: Any, text_column: Any, encoder: Any, *, caller: str
) -> tuple[Corpora, NamedTexts | None]:
    """Return embeddings, or the texts that are measured with their encoder, and those texts by name."""
    if callable(getattr(source, "encode", None)) and not isinstance(source, str):
        if texts is None:
            raise ValueError(f"The 'texts' parameter of {caller} must be given with an encoder. Got none.")
        if encoder is not None:
            raise ValueError(f"The 'encoder' parameter of {caller} must be None with an encoder as 'source'.")
        if text_column is not None:
            given = read_corpora({"texts": texts}, text_column=text_column, caller=caller)
            return given._replace(encoder=source), NamedTexts("texts", tuple(given.texts["texts"]))
        return Corpora({}, {}, source), named_texts(texts, name="texts", caller=caller)
    given = read_corpora(
        {"source": source}, encoder=encoder, text_column=text_column, min_texts={"source": 2}, caller=caller
    )
    if not given.texts:
        return given, None
    if texts is not None:
        raise ValueError(f"The 'texts' parameter of {caller} must be None where 'source' is the texts. Got both.")
    name = source.name if isinstance(source, TextTable) else "texts"
    return given, NamedTexts(name, tuple(given.texts["source"]))


def _raise_for_no_fit(caller: str) -> NoReturn:
    raise ValueError(
        f"The 'fit_texts' parameter of {caller} must be what corrections are fitted on if they are to be judged by "
        "pairs or labels. Got none: give other texts of the same kind as those that you embed."
    )


def _encode(source: Any, measured: NamedTexts, to_fit: Any, options: dict[str, Any], *, caller: str) -> _Space:
    fit = None if to_fit is None else named_texts(to_fit, name="fit_texts", caller=caller)
    encoding = encode_texts(source, measured.texts, **options)
    warnings = list(encoding.warnings(measured.name))
    if repeated := encoding.n_texts - encoding.n_unique:
        warnings.append(f"{repeated} of the {encoding.n_texts} texts repeat another one.")
    X = encoding.embeddings
    embeddings = _EncodedOnce(source, options, dict(zip(measured.texts, X, strict=True)))
    return _Space(measured, X, fit, embeddings, measured.texts, describe_encoder(source), warnings)


def _from_embeddings(source: Any, texts: Any, fit: Any, *, caller: str) -> _Space:
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
    keys = None
    if fit is not None:
        F = check_embeddings(fit, name="fit_texts", caller=caller, min_rows=2)
        check_same_dims(("source", X), ("fit_texts", F))
        keys = NamedTexts("fit_texts", tuple(f"fit row {i}" for i in range(len(F))))
        vectors |= dict(zip(keys.texts, F, strict=True))
    return _Space(rows, X, keys, vectors, None if known is None else known.texts)


class _EncodedOnce:
    """An encoder that keeps embeddings in memory: the same texts are needed several times."""

    def __init__(self, encoder: Any, options: dict[str, Any], rows: dict[str, FloatArray]) -> None:
        self._encoder = encoder
        self._options = options
        self._rows = rows

    def encode(self, texts: Sequence[str]) -> FloatArray:
        new = [text for text in dict.fromkeys(texts) if text not in self._rows]
        if new:
            embeddings = encode_texts(self._encoder, new, **self._options).embeddings
            self._rows |= dict(zip(new, embeddings, strict=True))
        return np.array([self._rows[text] for text in texts])

    def describe(self) -> dict[str, Any]:
        return describe_encoder(self._encoder)


def _best_correction(compared: CorrectionsResult) -> str:
    """Return the correction that is measured beside raw embeddings."""
    if compared.recommendation is not None and compared.recommendation != NONE:
        return compared.recommendation

    def score(row: CorrectionRow) -> float:
        if row.tune is not None:
            return row.tune.spearman
        return 0.0 if row.probe_tune is None else row.probe_tune.accuracy

    return max((row for row in compared.rows if row.name != RAW), key=score).name  # the first of equals


def _find_hubs(X: FloatArray, texts: Sequence[str] | None) -> tuple[Hub, ...]:
    """Return the texts that are most often neighbors of others; none if there are too few or too many texts."""
    if not _NEIGHBORS < len(X) <= _HUB_ROWS:
        return ()
    occurrences = hubness(X, n_neighbors=_NEIGHBORS).k_occurrences
    order = np.argsort(-occurrences, kind="stable")[:_HUBS].tolist()
    return tuple(Hub(row, float(occurrences[row]), None if texts is None else texts[row]) for row in order)
