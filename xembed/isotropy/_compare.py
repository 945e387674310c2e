"""Which correction, if any, is worth having: all of them on the same pairs, texts and resamples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from xembed._core.provenance import provenance
from xembed._core.validation import RNG, FloatArray, check_count, check_number, check_rng, describe_rng
from xembed.datasets import STSPairs, TextTable
from xembed.encoders import describe_encoder, encode_texts
from xembed.isotropy._compare_parts import correlate_rows, halve, probe_rows
from xembed.isotropy._compare_result import CorrectionRow, CorrectionsResult
from xembed.isotropy._default_corrections import RAW, check_corrections, correct, describe_corrections
from xembed.isotropy._evaluation import neighbor_overlap, probe_correct
from xembed.isotropy._evaluation_result import NeighborOverlap
from xembed.isotropy._overlap import NamedTexts, check_pairs, is_transductive, named_texts, overlap
from xembed.isotropy._recommend import Scores, recommend
from xembed.isotropy._sts import compute_similarities, pair_rows
from xembed.stats._correlations import Array

METRICS = ("debiased_isoscore", "average_cosine", "partition_isotropy", "uniformity", "hubness")
_MIN_RESAMPLES = 20
_NEIGHBORS = 10


def compare_corrections(
    encoder_or_embeddings: Any,
    *,
    fit_texts: Any,
    tune: Any = None,
    test: Any = None,
    texts: Any = None,
    labels: Any = None,
    corrections: Any = "default",
    n_resamples: int = 1000,
    confidence_level: float = 0.95,
    transductive: bool = False,
    rng: RNG = None,
) -> CorrectionsResult:
    """Compare corrections of an embedding space by their isotropy and by what they do to a task.

    Corrections are fitted on ``fit_texts`` alone, the choice among them is made by ``tune``, and whether the chosen one
    is worth having is decided by ``test``, which had no part in either.

    Parameters
    ----------
    encoder_or_embeddings : encoder, or mapping of str to array-like of shape (n_dims,)
        An `Encoder` or any object with ``.encode(list of str)``; or the embedding of every text that comes up.
    fit_texts : list of str, TextTable, STSPairs or list of STSPairs
        What corrections are fitted on. Scores are not looked at.
    tune, test : STSPairs or list of STSPairs, optional
        Pairs with scores. Of several sets the mean of the correlations counts, each set with the same weight.
    texts : list of str or TextTable, optional
        What isotropy, neighbors and the probe are measured on. By default the sentences of ``test``, else of ``tune``,
        else ``fit_texts``.
    labels : sequence of str or int, optional
        A label for each of ``texts``, for a linear probe (`linear_probe`); those of a TextTable are taken if there are
        any. Each on 10 texts at least.
    corrections : 'default' or mapping of str to correction, default='default'
        Unfitted objects with ``fit`` and ``transform``, by name. They are copied. The default: `default_corrections`;
        whole whitening is not among them if there are no more texts in the fit than dimensions.
    n_resamples : int, default=1000
        For the intervals, at least 20.
    confidence_level : float in (0, 1), default=0.95
        Of the intervals.
    transductive : bool, default=False
        Allow ``fit_texts`` to be those of ``test``. It is then marked in the result.
    rng : int, numpy.random.Generator or None, default=None
        For resamples, folds, and the subsets that measures draw. None is seed 0.

    Returns
    -------
    CorrectionsResult
        ``recommendation`` and ``reason``, and in ``rows`` for raw embeddings and each correction: ``measures``, the
        correlations on ``tune`` and each set of ``test`` with intervals, gains over raw with paired intervals, the
        overlap of nearest neighbors with raw, and the probe.

    Raises
    ------
    ValueError
        If ``fit_texts`` are those of ``test`` and ``transductive`` is false; ``tune`` and ``test`` share a set; a
        correction can't be fitted or gives rows that are zero or not finite; or texts, labels or pairs are too few.
    TypeError
        If an argument is of the wrong type.

    Notes
    -----
    The rule: of raw embeddings and all corrections take the one with the best mean correlation on ``tune``. If it is a
    correction, it is recommended if the interval of its gain over raw on ``test`` lies above 0, and otherwise 'none'.
    Without pairs, the probe decides in the same way: labeled texts are halved, one half chooses and the other tests.
    Without either there is no recommendation: isotropy alone is no reason for a correction.

    Measures, neighbors and probe are of ``texts``, which may be those of the fit. ``fit_texts`` count as those of
    ``test`` if they have its name, or half of its sentences are among them, without regard to case and punctuation.

    That ``tune`` chooses among several corrections does not touch the interval on ``test``. Looking at the same test
    again and again does.

    Examples
    --------
    >>> import xembed
    >>> from xembed.datasets import load_corpora
    >>> from xembed.isotropy import Standardize, compare_corrections
    >>> reviews = load_corpora("product_reviews")
    >>> result = compare_corrections(
    ...     xembed.load_encoder(device="cpu"),
    ...     fit_texts=reviews.texts[:100],
    ...     corrections={"standardize": Standardize()},
    ... )
    >>> print(result.recommendation)
    None
    """
    caller = "compare_corrections"
    fit = named_texts(fit_texts, name="fit_texts", caller=caller)
    tune_sets = () if tune is None else check_pairs(tune, name="tune", caller=caller)
    test_sets = () if test is None else check_pairs(test, name="test", caller=caller)
    measured = _measured_texts(texts, tune_sets, test_sets, fit, caller=caller)
    chosen = check_corrections(corrections, caller=caller)
    count = check_count(n_resamples, name="n_resamples", caller=caller, low=_MIN_RESAMPLES)
    level = check_number(confidence_level, name="confidence_level", caller=caller, low=0, high=1, closed="neither")
    if not isinstance(transductive, bool):
        raise TypeError(
            f"The 'transductive' parameter of {caller} must be True or False. Got {transductive!r} instead."
        )
    seeds = check_rng(rng, caller=caller).integers(2**32, size=5).tolist()
    fit_overlap, is_fit_on_test = _check_fit(fit, tune_sets, test_sets, allowed=transductive, caller=caller)
    tune_overlap = _check_tune(tune_sets, test_sets, caller=caller)
    halves = halve(_find_labels(labels, texts, caller=caller), len(measured.texts), seeds[0], caller=caller)

    everything, X, described = _embed(
        encoder_or_embeddings,
        [*measured.texts, *fit.texts, *_sentences(tune_sets), *_sentences(test_sets)],
        caller=caller,
    )
    left_out = corrections == "default" and len(fit.texts) <= X.shape[1]
    if left_out:  # its rows would be equally far from each other, so that there is no correlation
        del chosen["whitening"]
    rows_of = _Rows(everything)
    of_texts, of_fit = rows_of(measured.texts), rows_of(fit.texts)
    of_pairs = [_pair_positions(sets, rows_of) for sets in (tune_sets, test_sets)]

    names = [RAW, *chosen]
    measures, overlaps = [], []
    similarities: list[list[Array]] = [[], []]
    probes: list[list[Array]] = [[], []]
    for name, correction in zip(names, [None, *chosen.values()], strict=True):
        corrected = correct(name, correction, X[of_fit], X)
        measures.append(_measure(corrected[of_texts], name, seeds[1]))
        overlaps.append(_overlap(X[of_texts], corrected[of_texts], count, level, seeds[2]) if correction else None)
        for part, positions in enumerate(of_pairs):
            if positions is not None:
                first, second = positions
                similarities[part].append(compute_similarities(corrected[first], corrected[second], "cosine"))
        for part, half in enumerate(halves):
            probes[part].append(probe_correct(corrected[of_texts[half.rows]], half.folds))

    tuned, tested = (
        correlate_rows(found, names, sets, count, level, seeds[3])
        for found, sets in zip(similarities, (tune_sets, test_sets), strict=True)
    )
    probe_tune, probe, probe_gains = probe_rows(probes, halves, len(names), count, level, seeds[4])
    table = tuple(
        CorrectionRow(
            name=name,
            description="" if name == RAW else describe_corrections(chosen)[name],
            measures=measures[i],
            tune=tuned.pooled[i] if tuned else None,
            tests=tested.of_sets[i] if tested else (),
            test=tested.pooled[i] if tested else None,
            tune_gain=tuned.pooled_gains[i] if tuned else None,
            test_gains=tested.gains[i] if tested else (),
            test_gain=tested.pooled_gains[i] if tested else None,
            neighbor_overlap=overlaps[i],
            probe_tune=probe_tune[i],
            probe=probe[i],
            probe_gain=probe_gains[i],
        )
        for i, name in enumerate(names)
    )
    recommendation, reason = recommend(_scores(table), level, has_tune=bool(tune_sets), has_test=bool(test_sets))
    return CorrectionsResult(
        recommendation=recommendation,
        reason=reason,
        rows=table,
        fit_on=fit.name,
        n_fit=len(fit.texts),
        measured_on=measured.name,
        tune=tuple(item.name for item in tune_sets),
        test=tuple(item.name for item in test_sets),
        fit_overlap=fit_overlap,
        tune_overlap=tune_overlap,
        transductive=is_fit_on_test,
        n_resamples=count,
        confidence_level=level,
        encoder=described,
        notes=(
            *_notes(fit, X.shape[1], [item.name for item in test_sets], fit_overlap, tune_overlap, is_fit_on_test),
            *(["Whole whitening was left out for that reason."] if left_out else []),
        ),
        provenance=provenance(
            caller,
            fit_texts=fit.name,
            tune=[item.name for item in tune_sets],
            test=[item.name for item in test_sets],
            texts=measured.name,
            corrections=describe_corrections(chosen),
            n_resamples=count,
            confidence_level=level,
            transductive=transductive,
            rng=describe_rng(rng),
        ),
    )


class _Rows:
    """Positions of texts among all."""

    def __init__(self, everything: Sequence[str]) -> None:
        self._positions = {text: i for i, text in enumerate(everything)}

    def __call__(self, texts: Sequence[str]) -> npt.NDArray[np.intp]:
        return np.array([self._positions[text] for text in texts], dtype=np.intp)


def _measured_texts(
    texts: Any, tune: Sequence[STSPairs], test: Sequence[STSPairs], fit: NamedTexts, *, caller: str
) -> NamedTexts:
    if texts is not None:
        return named_texts(texts, name="texts", caller=caller)
    sets = test or tune
    return named_texts(list(sets), name="texts", caller=caller) if sets else fit


def _find_labels(labels: Any, texts: Any, *, caller: str) -> Any:
    if labels is not None and texts is None:
        raise ValueError(f"The 'labels' parameter of {caller} must come with 'texts', one label a text. Got no texts.")
    return texts.labels if labels is None and isinstance(texts, TextTable) else labels


def _check_fit(
    fit: NamedTexts, tune: Sequence[STSPairs], test: Sequence[STSPairs], *, allowed: bool, caller: str
) -> tuple[dict[str, float], bool]:
    """Return the overlaps of the fit with each set; refuse a fit on test sentences unless it is allowed."""
    shares = {item.name: is_transductive(fit.name, fit.texts, item)[1] for item in (*tune, *test)}
    same = [item.name for item in test if is_transductive(fit.name, fit.texts, item)[0]]
    if same and not allowed:
        raise ValueError(
            f"The 'fit_texts' of {caller} must not be those of the test: {shares[same[0]]:.0%} of the sentences of "
            f"{same[0]!r} are among {fit.name!r}. Fit on other texts, or say transductive=True, which marks the result."
        )
    return shares, bool(same)


def _check_tune(tune: Sequence[STSPairs], test: Sequence[STSPairs], *, caller: str) -> dict[str, float]:
    if common := sorted({item.name for item in tune} & {item.name for item in test}):
        raise ValueError(
            f"The 'tune' and 'test' of {caller} must be different sets: what chooses a correction can't judge it. "
            f"Got {common[0]!r} in both."
        )
    known = _sentences(tune)
    return {item.name: overlap(item.sentences, known) for item in test} if tune else {}


def _sentences(sets: Sequence[STSPairs]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(sentence for item in sets for sentence in item.sentences))


def _embed(source: Any, texts: Sequence[str], *, caller: str) -> tuple[list[str], FloatArray, dict[str, Any] | None]:
    """Return all different texts, and their embeddings in float64."""
    everything = list(dict.fromkeys(texts))
    if isinstance(source, Mapping):
        missing = [text for text in everything if text not in source]
        if missing:
            raise ValueError(
                f"The 'encoder_or_embeddings' parameter of {caller} must hold an embedding for every text. It lacks "
                f"{len(missing)} of {len(everything)} (first: {missing[0]!r:.60})."
            )
        found, described = encode_texts(_Lookup(source), everything).embeddings, None
    elif callable(getattr(source, "encode", None)) and not isinstance(source, str):
        found, described = encode_texts(source, everything).embeddings, describe_encoder(source)
    else:
        raise TypeError(
            f"The 'encoder_or_embeddings' parameter of {caller} must be an encoder (an object with .encode(list of "
            f"texts)) or a mapping of texts to embeddings. Got {type(source).__name__} instead."
        )
    return everything, found.astype(np.float64), described


class _Lookup:
    """Embeddings by text, as an encoder."""

    def __init__(self, vectors: Mapping[str, Any]) -> None:
        self._vectors = vectors

    def encode(self, texts: Sequence[str]) -> Any:
        rows = [np.asarray(self._vectors[text]) for text in texts]
        for text, row in zip(texts, rows, strict=True):
            if row.ndim != 1 or row.shape != rows[0].shape:
                raise ValueError(
                    "The embeddings of all texts must be 1-D and of one length. Got the shapes "
                    f"{rows[0].shape} and {row.shape} (of {text!r:.60})."
                )
        return rows


def _pair_positions(sets: Sequence[STSPairs], rows_of: _Rows) -> tuple[Any, Any] | None:
    if not sets:
        return None
    pairs = pair_rows(sets)
    positions = rows_of(pairs.sentences)
    return positions[pairs.first], positions[pairs.second]


def _measure(X: FloatArray, name: str, seed: int) -> Any:
    from xembed.isotropy._measure import measure

    try:
        return measure(X, metrics=list(METRICS), rng=seed).measures
    except ValueError as error:
        raise ValueError(f"The embeddings called {name!r} can't be measured: {error}") from error


def _overlap(X: FloatArray, Y: FloatArray, count: int, level: float, seed: int) -> NeighborOverlap | None:
    if len(X) <= _NEIGHBORS:
        return None
    return neighbor_overlap(X, Y, n_neighbors=_NEIGHBORS, n_resamples=count, confidence_level=level, rng=seed)


def _scores(table: Sequence[CorrectionRow]) -> list[Scores]:
    """Return what the choice is made by: pairs if there are any for it and for its test, else the probe."""
    if table[0].tune is not None and table[0].test is not None:
        return [
            Scores(row.name, row.tune.spearman, row.test.spearman, row.test_gain, "correlation")
            for row in table
            if row.tune is not None and row.test is not None
        ]
    return [
        Scores(row.name, row.probe_tune.accuracy, row.probe.accuracy, row.probe_gain, "accuracy")
        for row in table
        if row.probe_tune is not None and row.probe is not None
    ]


def _notes(
    fit: NamedTexts,
    n_dims: int,
    tests: Sequence[str],
    fit_overlap: dict[str, float],
    tune_overlap: dict[str, float],
    transductive: bool,
) -> tuple[str, ...]:
    notes = []
    if transductive:
        notes.append(
            f"Transductive: corrections were fitted on sentences of the test ({fit.name!r}). The numbers are not those "
            "of new sentences."
        )
    notes += [
        f"{share:.1%} of the sentences of {name!r} are among the texts of the fit, {fit.name!r}."
        for name, share in fit_overlap.items()
        if share and name in tests and not transductive
    ]
    notes += [
        f"{share:.1%} of the sentences of {name!r} are also in the tune sets: the test is not wholly held out."
        for name, share in tune_overlap.items()
        if share
    ]
    if len(fit.texts) <= n_dims:
        notes.append(
            f"Corrections were fitted on {len(fit.texts)} texts for {n_dims} dimensions: whitening needs more texts "
            "than dimensions, or shrinkage."
        )
    return tuple(notes)
