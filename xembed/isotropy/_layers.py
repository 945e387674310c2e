"""Every layer of a model: its isotropy, its agreement with human scores, and the effect of corrections on both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np

from xembed._core.fields import Count, Level, Probability, Provenance
from xembed._core.progress import shows_steps, step
from xembed._core.provenance import provenance
from xembed._core.results import Result, RowKey, UserText
from xembed._core.validation import RNG, FloatArray, check_count, check_number, check_rng, describe_rng
from xembed.datasets import STSPairs
from xembed.encoders import describe_encoder, encode_layers
from xembed.isotropy import _compare, _sts
from xembed.isotropy._measure import Measure, measure_rows
from xembed.isotropy._metrics import check_metrics
from xembed.isotropy._sts import STSCorrelation
from xembed.stats._correlations import Array, correlate

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False, repr=False)
class LayerRow(Result):
    """One layer, pooling and correction.

    Attributes
    ----------
    layer : int
        Number of the layer: 0 is the output of the embedding layer, ``n`` that of the n-th block.
    pooling, correction : str
        Names of the pooling and the correction; 'raw' is no correction.
    measures : tuple of Measure
        Measures of the texts.
    sts : STSCorrelation or None
        Correlation with human scores; of several sets of pairs the mean.
    """

    schema: ClassVar[str] = "xembed.isotropy.LayerRow/1"

    layer: Annotated[Count, RowKey]
    pooling: Annotated[str, RowKey]
    correction: Annotated[str, UserText, RowKey]
    measures: tuple[Measure, ...]
    sts: STSCorrelation | None


@dataclass(frozen=True, eq=False, repr=False)
class LayerProfile(Result):
    """Result of `layer_profile`.

    Attributes
    ----------
    rows : tuple of LayerRow
        Rows by layer, then pooling, then correction.
    layers : tuple of int
        The layers.
    n_blocks : int
        Number of blocks of the model; its output is the layer of this number.
    poolings : tuple of str
        The poolings.
    corrections : dict of str to str
        Names of the corrections, and how they are written.
    n_texts, n_fit : int
        Numbers of texts measured and of texts that corrections were fitted on.
    sts : tuple of str
        Names of the sets of pairs.
    fit_on : str or None
        Name of the texts that corrections were fitted on; None without corrections.
    fit_overlap : float or None
        Share of the pairs' sentences that are among the texts of the fit.
    transductive : bool
        Whether corrections were fitted on sentences of the pairs.
    n_resamples, confidence_level : int, float
        Number of resamples for the intervals, and their confidence level.
    encoder : dict
        Description of the encoder.
    notes : tuple of str
        Caveats.
    provenance : dict
        Function, parameters and versions.
    """

    schema: ClassVar[str] = "xembed.isotropy.LayerProfile/1"
    page: ClassVar[str | None] = "xembed.isotropy._pages.layers:layers"

    rows: tuple[LayerRow, ...]
    layers: tuple[Count, ...]
    n_blocks: Count
    poolings: tuple[str, ...]
    corrections: Annotated[dict[str, str], UserText]
    n_texts: Count
    n_fit: Count
    sts: Annotated[tuple[str, ...], UserText]
    fit_on: Annotated[str | None, UserText]
    fit_overlap: Probability | None
    transductive: bool
    n_resamples: Count
    confidence_level: Level
    encoder: dict[str, Any]
    notes: tuple[str, ...]
    provenance: Provenance

    def row(self, layer: int, pooling: str = "mean", correction: str = "raw") -> LayerRow:
        """Return one row (KeyError if there is none); a negative layer counts from the model's output."""
        number = layer if layer >= 0 else self.n_blocks + 1 + layer
        for row in self.rows:
            if (row.layer, row.pooling, row.correction) == (number, pooling, correction):
                return row
        raise KeyError(
            f"There is no row of layer {layer}, pooling {pooling!r} and correction {correction!r}. The layers are "
            f"{list(self.layers)}, the poolings {list(self.poolings)}, the corrections {['raw', *self.corrections]}."
        )

    def to_frame(self) -> pd.DataFrame:
        """Return a table with one row a layer, pooling and correction; Spearman's correlation x 100."""
        import pandas as pd

        return pd.DataFrame([_flat(row) for row in self.rows])


def _flat(row: LayerRow) -> dict[str, Any]:
    flat: dict[str, Any] = {"layer": row.layer, "pooling": row.pooling, "correction": row.correction}
    flat |= {measure.name: measure.value for measure in row.measures}
    if row.sts is not None:
        values = {name: getattr(row.sts, name) for name in ("spearman", "spearman_low", "spearman_high")}
        flat |= {name: 100 * value for name, value in values.items() if value is not None}
    return flat


@shows_steps
def layer_profile(
    encoder: Any,
    texts: Any,
    *,
    poolings: str | Sequence[str] = ("mean", "cls"),
    layers: Sequence[int] | None = None,
    corrections: Any = None,
    fit_texts: Any = None,
    sts: Any = None,
    metrics: Any = ("debiased_isoscore", "average_cosine"),
    n_resamples: int = 0,
    confidence_level: float = 0.95,
    batch_size: int = 32,
    progress: bool | None = None,
    rng: RNG = None,
) -> LayerProfile:
    """Measure every layer and pooling of a model, raw and corrected, with one pass of the texts through the model.

    Parameters
    ----------
    encoder : Encoder
        Encoder made of a transformer; see `xembed.encoders.encode_layers`.
    texts : list of str, TextTable or STSPairs
        Texts that isotropy is measured on.
    poolings, layers, batch_size, progress
        Options of `xembed.encoders.encode_layers`.
    corrections : None, 'default' or mapping of str to correction, default=None
        Unfitted corrections by name, as in `compare_corrections`. None: raw embeddings only.
    fit_texts : list of str, TextTable, STSPairs or list of STSPairs, optional
        Texts that corrections are fitted on, by default ``texts``.
    sts : STSPairs or list of STSPairs, optional
        Pairs with scores for Spearman's correlation of their cosines; of several sets the mean.
    metrics : str or list of str, default=('debiased_isoscore', 'average_cosine')
        Names of the measures, as in `measure`.
    n_resamples : int, default=0
        Number of resamples for intervals of measures and correlations; 0 computes none.
    confidence_level : float in (0, 1), default=0.95
        Confidence level of the intervals.
    rng : int, numpy.random.Generator or None, default=None
        Random number generator of resamples and subsets, which all rows share. None is seed 0.

    Returns
    -------
    LayerProfile
        ``rows``, one for each layer, pooling and correction; ``to_frame()`` makes them a table.

    Raises
    ------
    ValueError
        If an option is unknown, texts are too few for a measure or a correction, or embeddings are zero or not finite.
    TypeError
        If an argument is of the wrong type.

    Warns
    -----
    UserWarning
        If the encoder does not read everything (see `Encoding.warnings`).

    Notes
    -----
    Choose a layer by a task, on data that are not those of the final test (docs/explanation/isotropy.md). Where all
    embeddings are the same, as with pooling 'cls' of layer 0 in BERT, the row has no measures and no correlation, and
    corrections have no row.

    Examples
    --------
    >>> import xembed
    >>> from xembed.datasets import load_corpora
    >>> from xembed.isotropy import layer_profile
    >>> texts = load_corpora("news_briefs").texts[:40]
    >>> profile = layer_profile(xembed.load_encoder(device="cpu"), texts, poolings="mean")
    >>> cosines = [row.measures[1].value for row in profile.rows]
    >>> cosines[-1] < cosines[0]
    True
    """
    caller = "layer_profile"
    measured = _sts.named_texts(texts, name="texts", caller=caller)
    candidates = {} if corrections is None else _compare.check_corrections(corrections, caller=caller)
    fit = measured if fit_texts is None else _sts.named_texts(fit_texts, name="fit_texts", caller=caller)
    sets = () if sts is None else _sts.check_pairs(sts, name="sts", caller=caller)
    selected = check_metrics(metrics, caller=caller)
    count = check_count(n_resamples, name="n_resamples", caller=caller, low=0)
    level = check_number(confidence_level, name="confidence_level", caller=caller, low=0, high=1, closed="neither")
    seed = int(check_rng(rng, caller=caller).integers(2**32))

    protocol = _compare.Protocol.of(fit if candidates else measured, sets, (), measured)
    of_texts, of_fit = protocol.rows_of(measured.texts), protocol.rows_of(protocol.fit.texts)
    embeddings = encode_layers(
        encoder, list(protocol.everything), poolings=poolings, layers=layers, batch_size=batch_size, progress=progress
    )
    rows: list[LayerRow] = []
    similarities: list[Array] = []
    with step("Layers", len(embeddings), "layer") as advance:
        for (layer, pooling), X in embeddings.items():
            raw = X.astype(np.float64)
            for name, correction in {_compare.RAW: None, **candidates}.items():
                if correction is not None and _is_constant(raw):
                    continue  # the first token of layer 0: there is nothing to correct
                corrected = _compare.correct(name, correction, raw[of_fit], raw)
                measured_rows, measures = corrected[of_texts], tuple[Measure, ...]()
                if not _is_constant(measured_rows):
                    measures = measure_rows(measured_rows, selected, count, level, np.random.default_rng(seed)).measures
                rows.append(LayerRow(layer, pooling, name, measures, sts=None))
                similarities.append(_compare.similarities_of(corrected, sets, protocol))
            advance(1)
    correlations = _correlations(similarities, sets, count, level, seed)
    share, transductive = _sts.fit_overlap(fit, sets) if candidates and sets else (None, False)
    notes = [_sts.TRANSDUCTIVE.format(fit.name)] if transductive else []
    if candidates and len(fit.texts) <= raw.shape[1]:
        notes.insert(0, _compare.FEW_TEXTS.format(len(fit.texts), raw.shape[1]))
    if None in correlations:
        notes.append("Where all pairs have the same similarity there is no correlation.")
    return LayerProfile(
        rows=tuple(replace(row, sts=sts) for row, sts in zip(rows, correlations, strict=True)) if sets else tuple(rows),
        layers=embeddings.layers,
        n_blocks=embeddings.n_blocks,
        poolings=embeddings.poolings,
        corrections=_compare.describe_corrections(candidates),
        n_texts=len(measured.texts),
        n_fit=len(fit.texts) if candidates else 0,
        sts=tuple(item.name for item in sets),
        fit_on=fit.name if candidates else None,
        fit_overlap=share,
        transductive=transductive,
        n_resamples=count,
        confidence_level=level,
        encoder=describe_encoder(encoder),
        notes=(*embeddings.warnings, *notes),
        provenance=provenance(
            caller,
            texts=measured.name,
            poolings=list(embeddings.poolings),
            layers=list(embeddings.layers),
            corrections=_compare.describe_corrections(candidates),
            fit_texts=fit.name if candidates else None,
            sts=[item.name for item in sets],
            metrics=[metric.name for metric in selected],
            n_resamples=count,
            confidence_level=level,
            rng=describe_rng(rng),
        ),
    )


def _is_constant(X: FloatArray) -> bool:
    return bool(np.ptp(X, axis=0).max() <= 1e-6 * np.abs(X).max())


def _correlations(
    similarities: Sequence[Array], sets: Sequence[STSPairs], count: int, level: float, seed: int
) -> list[STSCorrelation | None]:
    """Return a correlation for each row, of several sets the mean; None where all similarities are the same."""
    if not sets:
        return []
    pairs = _sts.pair_rows(sets)
    resamples = correlate(np.stack(similarities), pairs.scores, pairs.sizes, count, np.random.default_rng(seed))
    correlations: list[STSCorrelation | None] = []
    for row in range(len(similarities)):
        correlations.append(None)
        if np.isfinite(resamples.observed[row]).all():
            of_sets, _, mean = _sts.summarize(resamples, row, sets, level)
            correlations[row] = mean if len(sets) > 1 else of_sets[0]
    return correlations
