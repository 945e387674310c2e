"""The parts of `compare_corrections`: correlations and probes of all rows, on the same resamples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from xembed._core.provenance import provenance
from xembed.datasets import STSPairs
from xembed.isotropy._compare_result import Gain
from xembed.isotropy._evaluation import ProbeFolds, check_labels, probe_folds, probe_resamples, summarize_probe
from xembed.isotropy._evaluation_result import ProbeResult
from xembed.isotropy._sts import pair_rows, summarize
from xembed.isotropy._sts_result import STSCorrelation
from xembed.stats._correlations import SPEARMAN, Array, correlate, interval

SPLITS = 5


class Half(NamedTuple):
    """One half of the labeled texts: which, and how they are dealt to folds."""

    rows: npt.NDArray[np.intp]
    folds: ProbeFolds


class STSPart(NamedTuple):
    """The correlations of all rows on some sets, and their gains."""

    of_sets: list[tuple[STSCorrelation, ...]]
    pooled: list[STSCorrelation]
    gains: list[tuple[Gain, ...]]
    pooled_gains: list[Gain | None]


def halve(labels: Any, n_texts: int, seed: int, *, caller: str) -> list[Half]:
    """Halve the labeled texts, within each class, and deal each half to folds."""
    if labels is None:
        return []
    classes, targets = check_labels(labels, n_texts, caller=caller)
    sizes = np.bincount(targets)
    if sizes.min() < 2 * SPLITS:
        raise ValueError(
            f"Each label must be on at least {2 * SPLITS} texts for {caller}. "
            f"Got {classes[int(np.argmin(sizes))]!r} on {sizes.min()}: drop rare labels first."
        )
    generator = np.random.default_rng(seed)
    tuned = np.zeros(n_texts, np.bool_)
    for label, size in enumerate(sizes):
        tuned[generator.permutation(np.flatnonzero(targets == label))[: size // 2]] = True
    names = np.array(classes)[targets]
    return [
        Half(rows, probe_folds(names[rows].tolist(), len(rows), SPLITS, generator, caller=caller))
        for rows in (np.flatnonzero(tuned), np.flatnonzero(~tuned))
    ]


def correlate_rows(
    similarities: list[Array], names: Sequence[str], sets: Sequence[STSPairs], count: int, level: float, seed: int
) -> STSPart | None:
    if not sets:
        return None
    pairs = pair_rows(sets)
    found = correlate(np.stack(similarities), pairs.scores, pairs.sizes, count, np.random.default_rng(seed))
    part = STSPart([], [], [], [])
    for row in range(len(similarities)):
        try:
            of_sets, _, mean = summarize(found, row, sets, level)
        except ValueError as error:
            raise ValueError(f"The embeddings called {names[row]!r} can't be evaluated: {error}") from error
        part.of_sets.append(of_sets)
        part.pooled.append(mean if len(sets) > 1 else of_sets[0])
        gains = []
        for unit, name in [*enumerate(item.name for item in sets), (len(sets) + 1, "mean")]:
            change = found.observed[row, unit, SPEARMAN] - found.observed[0, unit, SPEARMAN]
            resampled = found.resampled[:, row, unit, SPEARMAN] - found.resampled[:, 0, unit, SPEARMAN]
            low, high = interval(resampled, level)
            gains.append(Gain(name=name, statistic="spearman", value=float(change), low=low, high=high))
        part.gains.append(tuple(gains[:-1]) if row else ())
        part.pooled_gains.append((gains[-1] if len(sets) > 1 else gains[0]) if row else None)
    return part


def probe_rows(
    probes: list[list[Array]], halves: list[Half], n_rows: int, count: int, level: float, seed: int
) -> tuple[Sequence[ProbeResult | None], Sequence[ProbeResult | None], Sequence[Gain | None]]:
    """Return the probes of the half that tunes, of the half that tests, and gains on the latter."""
    if not halves:
        nothing = [None] * n_rows
        return nothing, nothing, nothing
    parts: list[list[ProbeResult]] = []
    gains: list[Gain | None] = []
    made = provenance("linear_probe", n_splits=SPLITS, n_resamples=count, confidence_level=level)
    for columns, half in zip(probes, halves, strict=True):
        correct_columns = np.stack(columns, axis=1)
        resampled = probe_resamples(correct_columns, half.folds, count, np.random.default_rng(seed))
        parts.append(
            [
                summarize_probe(column, half.folds, SPLITS, resampled[:, :, i : i + 1], level, made)
                for i, column in enumerate(columns)
            ]
        )
        # Of the last half, the one that tests.
        accuracy = resampled[:, 0]
        gains = [None] + [
            Gain(
                "probe",
                "accuracy",
                float((column - columns[0]).mean()),
                *interval(accuracy[:, i] - accuracy[:, 0], level),
            )
            for i, column in enumerate(columns[1:], start=1)
        ]
    return parts[0], parts[1], gains
