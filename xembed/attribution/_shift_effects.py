"""What terms add to a difference of means: by being in more texts or in fewer, and in other company."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from xembed.stats import benjamini_hochberg

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class TermEffects:
    """What terms add to a component by being in more texts or in fewer, and what the rest of their change is."""

    contribution: Floats
    low: Floats
    high: Floats
    pvalues: Floats
    qvalues: Floats
    more: npt.NDArray[np.bool_]
    context: float


def term_effects(
    of_terms: Floats, held: npt.NDArray[np.bool_], inside: npt.NDArray[np.bool_], frequent: npt.NDArray[np.int64]
) -> TermEffects:
    """Take the difference of the mean values of terms apart, by Kitagawa: how often a term comes, and what it adds.

    With the share p of texts that hold a term and its mean value e where it is held, p1 e1 - p0 e0 is
    (p1 - p0) (e1 + e0) / 2, the term coming or going, plus (p1 + p0) / 2 (e1 - e0), the same term in other company.
    """
    from scipy import stats

    from xembed.shift._terms import share_pvalues

    sizes = np.array([inside.sum(), (~inside).sum()])
    counts = np.stack([held[mask].sum(axis=0) for mask in (inside, ~inside)])
    sums = np.stack([of_terms[mask].sum(axis=0) for mask in (inside, ~inside)])
    shares = counts / sizes[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        effects = sums / counts
    effects = np.where(counts > 0, effects, effects[::-1])  # where one side has none, the other's
    context = float(((shares[0] + shares[1]) / 2 * (effects[0] - effects[1]))[frequent].sum())
    difference, effect = (shares[0] - shares[1])[frequent], effects.mean(axis=0)[frequent]

    # The error of a product of two estimates that are about independent.
    variances = np.zeros((2, len(frequent)))
    n_held = np.maximum(counts[:, frequent], 1)
    for side, mask in enumerate((inside, ~inside)):
        chosen, values = held[mask][:, frequent], of_terms[mask][:, frequent]
        around = np.where(chosen, values - effects[side, frequent], 0.0)
        variances[side] = (around**2).sum(axis=0) / np.maximum(n_held[side] - 1, 1) / n_held[side]
    both = (counts[:, frequent] > 0).sum(axis=0)
    of_effect = np.sqrt(variances.sum(axis=0)) / np.maximum(both, 1)
    p = shares[:, frequent]
    of_difference = np.sqrt((p * (1 - p) / sizes[:, None]).sum(axis=0))
    error = np.sqrt((difference * of_effect) ** 2 + (effect * of_difference) ** 2)
    freedom = np.maximum(counts[:, frequent].sum(axis=0) - both, 1)
    half = stats.t.ppf(0.975, freedom) * error
    # Both have to differ from nothing: the share of texts, and what the term adds where it is.
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(of_effect > 0, np.abs(effect) / of_effect, 0.0)
    p_effect = 2 * stats.t.sf(t, freedom)
    p_share = share_pvalues(counts[0, frequent], counts[1, frequent], int(sizes[0]), int(sizes[1]))
    pvalues = np.clip(np.maximum(p_effect, p_share), 0.0, 1.0)
    contribution = difference * effect
    return TermEffects(
        contribution,
        contribution - half,
        contribution + half,
        pvalues,
        benjamini_hochberg(pvalues),
        difference > 0,
        context,
    )
