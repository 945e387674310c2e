"""Every layer of a model: its isotropy, its agreement with human scores, and what corrections do to both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from xembed._core.provenance import provenance
from xembed._core.validation import RNG, check_count, check_number, check_rng, describe_rng
from xembed.encoders import describe_encoder, encode_layers
from xembed.isotropy._default_corrections import RAW, check_corrections, correct, describe_corrections
from xembed.isotropy._layers_result import LayerProfile, LayerRow
from xembed.isotropy._metrics import check_metrics
from xembed.isotropy._overlap import NamedTexts, check_pairs, is_transductive, named_texts, overlap
from xembed.isotropy._sts import compute_similarities, pair_rows, summarize
from xembed.stats._correlations import correlate


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
        Made of a transformer; see `xembed.encoders.encode_layers`.
    texts : list of str, TextTable or STSPairs
        What isotropy is measured on.
    poolings, layers, batch_size, progress
        As in `xembed.encoders.encode_layers`.
    corrections : None, 'default' or mapping of str to correction, default=None
        Unfitted corrections by name, as in `compare_corrections`. None: raw embeddings only.
    fit_texts : list of str, TextTable, STSPairs or list of STSPairs, optional
        What corrections are fitted on. By default ``texts``.
    sts : STSPairs or list of STSPairs, optional
        Pairs with scores, for Spearman's correlation of their cosines; of several sets the mean.
    metrics : str or list of str, default=('debiased_isoscore', 'average_cosine')
        As in `measure`.
    n_resamples : int, default=0
        For intervals of measures and correlations; 0 computes none.
    confidence_level : float in (0, 1), default=0.95
        Of the intervals.
    rng : int, numpy.random.Generator or None, default=None
        For resamples and for the subsets that measures draw. None is seed 0. All rows share the draws.

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
        If texts are longer than the encoder reads.

    Notes
    -----
    Isotropy and the agreement with human scores need not go together: the output of a model that was tuned for
    similarity is often less isotropic than a corrected lower layer, and better. Choose a layer by a task, on data that
    are not those of the final test.

    Pooling 'cls' of layer 0 is the same for all texts in models such as BERT, whose first token is always the same one.
    Where all rows are the same the row has no measures and no correlation, and corrections have no row.

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
    measured = named_texts(texts, name="texts", caller=caller)
    chosen = {} if corrections is None else check_corrections(corrections, caller=caller)
    fit = measured if fit_texts is None else named_texts(fit_texts, name="fit_texts", caller=caller)
    sets = () if sts is None else check_pairs(sts, name="sts", caller=caller)
    names = [metric.name for metric in check_metrics(metrics, caller=caller)]
    count = check_count(n_resamples, name="n_resamples", caller=caller, low=0)
    level = check_number(confidence_level, name="confidence_level", caller=caller, low=0, high=1, closed="neither")
    seed = int(check_rng(rng, caller=caller).integers(2**32))

    pairs = pair_rows(sets) if sets else None
    fitted_texts = fit.texts if chosen else ()
    everything = list(dict.fromkeys([*measured.texts, *fitted_texts, *(pairs.sentences if pairs else ())]))
    position = {text: i for i, text in enumerate(everything)}
    found = encode_layers(
        encoder, everything, poolings=poolings, layers=layers, batch_size=batch_size, progress=progress
    )
    of_texts = np.array([position[text] for text in measured.texts])
    of_fit = np.array([position[text] for text in fitted_texts], dtype=np.intp)
    of_pairs = np.array([position[text] for text in pairs.sentences]) if pairs else None

    keys, measures, similarities = [], [], []
    for (layer, pooling), X in found.items():
        rows = X.astype(np.float64)
        for name, correction in {RAW: None, **chosen}.items():
            if correction is not None and _is_constant(rows):
                continue  # the first token of layer 0: there is nothing to correct
            corrected = correct(name, correction, rows[of_fit], rows)
            keys.append((layer, pooling, name))
            measures.append(_measure(corrected[of_texts], names, count, level, seed))
            if pairs is not None and of_pairs is not None:
                first, second = corrected[of_pairs[pairs.first]], corrected[of_pairs[pairs.second]]
                similarities.append(compute_similarities(first, second, "cosine"))

    correlations: list[Any] = [None] * len(keys)
    if pairs is not None:
        resamples = correlate(np.stack(similarities), pairs.scores, pairs.sizes, count, np.random.default_rng(seed))
        for row in range(len(keys)):
            if np.isfinite(resamples.observed[row]).all():
                of_sets, _, mean = summarize(resamples, row, sets, level)
                correlations[row] = mean if len(sets) > 1 else of_sets[0]
    share, transductive, notes = _describe_fit(fit, sets, found[next(iter(found))].shape[1], bool(chosen))
    if any(row is None for row in correlations) and sets:
        notes.append("Where all pairs have the same similarity there is no correlation.")
    return LayerProfile(
        rows=tuple(
            LayerRow(layer=layer, pooling=pooling, correction=name, measures=row_measures, sts=correlation)
            for (layer, pooling, name), row_measures, correlation in zip(keys, measures, correlations, strict=True)
        ),
        layers=found.layers,
        n_blocks=found.n_blocks,
        poolings=found.poolings,
        corrections=describe_corrections(chosen),
        n_texts=len(measured.texts),
        n_fit=len(fitted_texts),
        sts=tuple(item.name for item in sets),
        fit_on=fit.name if chosen else None,
        fit_overlap=share,
        transductive=transductive,
        n_resamples=count,
        confidence_level=level,
        encoder=describe_encoder(encoder),
        notes=tuple(notes),
        provenance=provenance(
            caller,
            texts=measured.name,
            poolings=list(found.poolings),
            layers=list(found.layers),
            corrections=describe_corrections(chosen),
            fit_texts=fit.name if chosen else None,
            sts=[item.name for item in sets],
            metrics=names,
            n_resamples=count,
            confidence_level=level,
            rng=describe_rng(rng),
        ),
    )


def _measure(X: Any, names: list[str], n_resamples: int, level: float, seed: int) -> Any:
    from xembed.isotropy._measure import measure

    if _is_constant(X):
        return ()
    return measure(X, metrics=names, n_resamples=n_resamples, confidence_level=level, rng=seed).measures


def _is_constant(X: Any) -> bool:
    return bool(np.ptp(X, axis=0).max() <= 1e-6 * np.abs(X).max())


def _describe_fit(
    fit: NamedTexts, sets: Sequence[Any], n_dims: int, corrected: bool
) -> tuple[float | None, bool, list[str]]:
    notes: list[str] = []
    if not corrected:
        return None, False, notes
    if len(fit.texts) <= n_dims:
        notes.append(
            f"Corrections were fitted on {len(fit.texts)} texts for {n_dims} dimensions: whitening needs more texts "
            "than dimensions, or shrinkage."
        )
    if not sets:
        return None, False, notes
    transductive = any(is_transductive(fit.name, fit.texts, item)[0] for item in sets)
    if transductive:
        notes.append(f"Transductive: corrections were fitted on sentences of the pairs ({fit.name!r}).")
    return overlap(pair_rows(sets).sentences, fit.texts), transductive, notes
