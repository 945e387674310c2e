"""Several corpora at once: all pairs by the battery, corrected for their number."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Annotated, Any, ClassVar

import numpy as np
import numpy.typing as npt

from xembed._core import validation
from xembed._core.directions import UnitRows, mean_cosines
from xembed._core.fields import Count, Counts, Floats, Level, OneOf, Probabilities, Provenance, Sides
from xembed._core.progress import step
from xembed._core.provenance import provenance
from xembed._core.results import DataFrame, PerPair, Result, UserText, data_frame
from xembed._core.text import format_p, short_names
from xembed._core.validation import (
    RNG,
    Embeddings,
    check_count,
    check_embeddings,
    check_number,
    check_rng,
    describe_rng,
)
from xembed.encoders._corpora import lead_verdict, read_corpora, unread_verdict
from xembed.shift._battery import Battery, check_tests, make_pool, run_battery
from xembed.shift._kinds import KINDS
from xembed.stats import holm

Matrix = npt.NDArray[np.float64]

_CALLER = "compare_many"
# Tests of the battery for which it does not matter which of two corpora comes first.
_SYMMETRIC = ("depth", "mean", "rbf", "knn")
# Tests whose effect says best how far two corpora are apart, the best first.
_BY_DISTANCE = ("rbf", "energy", "mean", "linear")
_FEWEST_RESAMPLES = 999
# Pairs that the verdict names.
_NAMED = 5


@dataclass(frozen=True, repr=False)
class ManyResult(Result):
    """Result of `compare_many`. K: corpora. Matrices have a row and a column for each.

    Attributes
    ----------
    verdict : str
        The finding in words.
    names : tuple of str, (K,)
        Names of the corpora.
    counts : ndarray of shape (K,), int
        Texts of each.
    alpha : float
        Chance of naming any pair that does not differ.
    n_different : int
        Pairs whose adjusted p-value is at most alpha.
    pvalues : ndarray of shape (K, K)
        p-value of each pair by the whole battery; 1 on the diagonal.
    adjusted_pvalues : ndarray of shape (K, K)
        The same, corrected for the number of pairs by Holm's method.
    tests : tuple of str
        Tests of the battery.
    effects : ndarray of shape (n_tests, K, K)
        Effect size of each test, 0 on the diagonals. 'depth': 2Q - 1 in the two corpora together, positive where the
        texts of the column's corpus are deeper; the other half of the matrix has the other sign. 'mean': share of the
        variance of both that lies between them, unbiased, so it can be negative. 'rbf': the same in the space of the
        kernel. 'knn': excess of nearest neighbors of the same corpus, 1 where all are.
    similarities : ndarray of shape (K, K)
        Mean cosine of two different texts, one of each; on the diagonal of two of the same corpus.
    warnings : tuple of str
        What a reader should know before trusting the numbers.
    provenance : dict
        Function, parameters and versions.
    """

    schema: ClassVar[str] = "xembed.shift.ManyResult/1"
    page: ClassVar[str | None] = "xembed.shift._pages.many:many"

    verdict: str
    names: Annotated[tuple[str, ...], UserText]
    counts: Annotated[Counts, Sides("names")]
    alpha: Level
    n_different: Count
    pvalues: Annotated[Probabilities, Sides("names", "names"), PerPair("names", "p-value")]
    adjusted_pvalues: Annotated[Probabilities, Sides("names", "names"), PerPair("names", "adjusted p-value")]
    tests: tuple[Annotated[str, OneOf(*KINDS)], ...]
    effects: Annotated[Floats, Sides("tests", "names", "names"), PerPair("names", "effect", "tests")]
    similarities: Annotated[Floats, Sides("names", "names"), PerPair("names", "similarity")]
    warnings: tuple[str, ...]
    provenance: Provenance

    def to_frame(self) -> DataFrame:
        """Return a table with a row a pair: names, sizes, p-values, effects and mean cosine."""
        first, second = np.triu_indices(len(self.names), 1)
        names = np.array(self.names, object)
        columns: dict[str, Any] = {
            "F": names[first],
            "G": names[second],
            "n_F": self.counts[first],
            "n_G": self.counts[second],
            "pvalue": self.pvalues[first, second],
            "adjusted_pvalue": self.adjusted_pvalues[first, second],
            "differ": self.adjusted_pvalues[first, second] <= self.alpha,
        }
        columns |= {
            f"effect_{name}": values[first, second] for name, values in zip(self.tests, self.effects, strict=True)
        }
        return data_frame(columns | {"similarity": self.similarities[first, second]})


def compare_many(
    corpora: Mapping[str, Embeddings],
    *,
    tests: Any = "default",
    alpha: float = 0.05,
    n_resamples: int | None = None,
    text_column: str | None = None,
    encoder: Any = None,
    rng: RNG = None,
) -> ManyResult:
    """Compare several corpora, each with each.

    Parameters
    ----------
    corpora : mapping of str to array-like of shape (n_texts, n_dims), or to texts
        Embeddings of two corpora or more by their names, two texts each at least; or the texts themselves, which are
        encoded when everything else has been checked: lists or columns of strings, or tables with a ``text_column``,
        such as ``dict(list(df.groupby("channel")))``.
    tests : 'default' or sequence of str, default='default'
        Tests of the battery of `compare_corpora`. The default are 'depth', 'mean', 'rbf' and 'knn': all but 'tail',
        whose answer depends on which corpus comes first. For large corpora ('depth', 'linear') needs no pairs of texts.
    alpha : float in (0, 1), default=0.05
        Chance of naming any pair that does not differ.
    n_resamples : int, optional
        Random permutations of the labels of each pair. By default 999, or as many as it takes for the smallest
        possible adjusted p-value to be alpha / 2.
    text_column : str, optional
        Column of the texts, where corpora are DataFrames or other tables.
    encoder : encoder, str, path or mapping, optional
        For texts what encodes them, as in `compare_corpora`; for embeddings the description of what made them.
    rng : int, numpy.random.Generator or None, default=None
        Source of the permutations; None is seed 0.

    Returns
    -------
    ManyResult
        With a ``verdict`` in words, matrices of p-values and of effects, and a row a pair in ``to_frame()``.

    Raises
    ------
    ValueError
        If there are fewer than two corpora, a corpus is too small or holds rows that are zero or not finite (they are
        named), the dimensions differ, or an option is unknown.
    TypeError
        If ``corpora`` is not a mapping with names, or a corpus does not hold real numbers.
    MemoryError
        If a pair can't fit into the free memory, with advice.

    See Also
    --------
    compare_corpora : all about one pair.

    Notes
    -----
    Every pair is pooled and tested by itself, so that its effects are those that `compare_corpora` gives, and its time
    is the same; K corpora have K(K - 1)/2 pairs. Shares of variance depend on the sizes of the two corpora as well as
    on their distance: compare them between pairs of similar sizes. The p-values are corrected by `xembed.stats.holm`,
    which holds whatever their dependence: with a chance of at least 1 - alpha every pair that is said to differ does.

    Examples
    --------
    >>> import numpy as np
    >>> from xembed.shift import compare_many
    >>> rng = np.random.default_rng(0)
    >>> corpora = {name: rng.normal(1.0, 1.0, size=(60, 8)) for name in ("2022", "2023", "2024")}
    >>> corpora["2024"][:, 0] += 1.5
    >>> result = compare_many(corpora, n_resamples=199)
    >>> (result.adjusted_pvalues <= 0.05).astype(int)
    array([[0, 0, 1],
           [0, 0, 1],
           [1, 1, 0]])
    """
    check_number(alpha, name="alpha", caller=_CALLER, low=0, high=1, closed="neither")
    wanted = _SYMMETRIC if isinstance(tests, str) and tests == "default" else check_tests(tests, caller=_CALLER)
    if "tail" in wanted:
        raise ValueError(
            f"The 'tests' parameter of {_CALLER} can't hold 'tail', whose answer depends on which corpus comes first. "
            "Use compare_corpora or tail_test for a pair."
        )
    names = _check_names(corpora)
    if n_resamples is not None:
        check_count(n_resamples, name="n_resamples", caller=_CALLER, low=19)
    seed = int(check_rng(rng, caller=_CALLER).integers(2**63))
    by_name = {repr(name): corpora[name] for name in names}
    fewest = dict.fromkeys(by_name, 2)
    read = read_corpora(by_name, encoder=encoder, text_column=text_column, min_texts=fewest, caller=_CALLER)
    embeddings, of_encoding, described, unread = read.embed(**dict(zip(by_name, names, strict=True)))
    units = _check_embeddings(names, embeddings)
    totals, counts = np.stack([rows.total for rows in units]), np.array([len(rows) for rows in units])
    scale = next((name for name in _BY_DISTANCE if name in wanted), wanted[0])
    pairs = list(combinations(range(len(names)), 2))
    needed = max(_FEWEST_RESAMPLES, math.ceil(2 * len(pairs) / alpha) - 1)
    count = needed if n_resamples is None else int(n_resamples)

    shape = (len(names), len(names))
    effects = np.zeros((len(wanted), *shape))
    pvalues, adjusted = np.ones(shape), np.ones(shape)
    with step("Pairs of corpora", len(pairs), "pair") as advance:
        for i, j in pairs:
            # Its own generator for each pair, so that one more corpus does not change the others' numbers.
            generator = np.random.default_rng([seed, i, j])
            pool = make_pool(units[i], units[j], n_resamples=count, rng=generator, caller=_CALLER)
            battery = run_battery(pool, wanted)
            pvalues[i, j] = pvalues[j, i] = battery.combined.pvalue
            effects[:, i, j], effects[:, j, i] = _effects(battery)
            advance(1)
    parameters = {"tests": list(wanted), "alpha": float(alpha), "n_resamples": count}
    parameters |= {} if described is None else {"encoder": described}
    upper = tuple(np.array(pairs).T)
    adjusted[upper] = adjusted[upper[::-1]] = holm(pvalues[upper])
    short = short_names(names)
    not_read = unread_verdict({f"the texts of “{name}”": share for name, share in zip(short, unread, strict=True)})
    verdict = _verdict(short, pvalues, adjusted, np.abs(effects[wanted.index(scale)]), alpha)
    return ManyResult(
        verdict=lead_verdict(not_read, verdict),
        names=names,
        counts=counts,
        alpha=float(alpha),
        n_different=int((adjusted[upper] <= alpha).sum()),
        pvalues=pvalues,
        adjusted_pvalues=adjusted,
        tests=wanted,
        effects=effects,
        similarities=mean_cosines(totals, counts),
        warnings=(*of_encoding, *_warn(len(pairs), count, alpha)),
        provenance=provenance(_CALLER, **parameters, rng=describe_rng(rng), n_dims=units[0].n_dims),
    )


def _check_names(corpora: Any) -> tuple[str, ...]:
    if not isinstance(corpora, Mapping):
        raise TypeError(
            f"The 'corpora' parameter of {_CALLER} must be a mapping of names to embeddings or texts, such as "
            f"{{'2023': F, '2024': G}}. Got {type(corpora).__name__} instead."
        )
    wrong = [name for name in corpora if not validation.is_name(name)]
    if wrong:
        raise TypeError(f"The names of the corpora must be strings that are not blank. Got {wrong[0]!r}.")
    if len(corpora) < 2:
        raise ValueError(f"{_CALLER} needs at least 2 corpora. Got {len(corpora)}.")
    if empty := [name for name, corpus in corpora.items() if corpus is None]:
        raise TypeError(f"{empty[0]!r} must be embeddings or texts ({_CALLER}). Got None.")
    return tuple(corpora)


def _check_embeddings(names: tuple[str, ...], embeddings: list[Any]) -> list[UnitRows]:
    arrays = [
        check_embeddings(array, name=repr(name), caller=_CALLER, min_rows=2)
        for name, array in zip(names, embeddings, strict=True)
    ]
    validation.check_same_dims(*zip(map(repr, names), arrays, strict=True))
    return [UnitRows.of(array, name=repr(name)) for name, array in zip(names, arrays, strict=True)]


def _effects(battery: Battery) -> tuple[list[float], list[float]]:
    """Return the effects of a pair, and those of the same corpora in the other order."""
    effects = [float(battery.measured[name].effects[0]) for name in battery.names]
    signs = [-1 if KINDS[name].two_sided else 1 for name in battery.names]
    return effects, [effect * sign for effect, sign in zip(effects, signs, strict=True)]


def _verdict(names: tuple[str, ...], pvalues: Matrix, adjusted: Matrix, sizes: Matrix, alpha: float) -> str:
    """Name the pairs that differ, largest effect first, and the pair that is hardest to tell apart."""
    pairs = list(combinations(range(len(names)), 2))
    different = sorted((pair for pair in pairs if adjusted[pair] <= alpha), key=lambda pair: -sizes[pair])
    closest = max(pairs, key=lambda pair: (pvalues[pair], -sizes[pair]))
    level = f"level {alpha:.2g} for all pairs together"

    def both(pair: tuple[int, int]) -> str:
        return f"“{names[pair[0]]}” and “{names[pair[1]]}”"

    hardest = f"{both(closest)} (adjusted {format_p(adjusted[closest])})"
    if not different:
        return f"No two corpora were found to differ ({level}). The closest are {hardest}."
    named = ", ".join(map(both, different[:_NAMED]))
    more = f" and {len(different) - _NAMED} more" if len(different) > _NAMED else ""
    return (
        f"{len(different)} of {len(pairs)} pair{'s differ' if len(pairs) > 1 else ' differs'} ({level}), the largest "
        f"effect first: {named}{more}. The closest are {hardest}."
    )


def _warn(n_pairs: int, n_resamples: int, alpha: float) -> tuple[str, ...]:
    smallest = n_pairs / (n_resamples + 1)
    if smallest <= alpha:
        return ()
    return (
        f"With {n_pairs} pairs and {n_resamples} permutations no adjusted p-value can be below {smallest:.2g}: no pair "
        f"can be found to differ. Take n_resamples of at least {math.ceil(n_pairs / alpha) - 1}.",
    )
