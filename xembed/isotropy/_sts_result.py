"""What `evaluate_sts` returns."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from xembed._core.results import Result

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False, repr=False)
class STSCorrelation(Result):
    """How well similarities agree with human scores, on one set of pairs.

    Attributes
    ----------
    name : str
        Of the set.
    n_pairs : int
        Pairs compared.
    spearman, pearson : float
        Correlations of similarity and score, in [-1, 1].
    spearman_low, spearman_high, pearson_low, pearson_high : float or None
        Intervals; None where none was asked for or can be had.
    """

    schema: ClassVar[str] = "xembed.isotropy.STSCorrelation/1"

    name: str
    n_pairs: int
    spearman: float
    spearman_low: float | None
    spearman_high: float | None
    pearson: float
    pearson_low: float | None
    pearson_high: float | None


@dataclass(frozen=True, eq=False, repr=False)
class STSResult(Result):
    """Result of `evaluate_sts`.

    Attributes
    ----------
    sets : tuple of STSCorrelation
        Of each set of pairs.
    all : STSCorrelation
        Of the pairs of all sets together, one correlation: the "all" convention of SentEval.
    mean : STSCorrelation
        The mean of the correlations of the sets, each of the same weight.
    similarity : str
        What the embeddings of a pair were compared by.
    fit_on : str or None
        Name of what a correction was fitted on.
    fit_overlap : float or None
        Share of the different sentences of the sets that are among the texts of the fit. None if these are not known.
    transductive : bool
        The correction was fitted on sentences that it was tested on.
    n_resamples : int
        For the intervals.
    confidence_level : float
        Of the intervals.
    encoder : dict or None
        What made the embeddings.
    notes : tuple of str
        What to know about the numbers.
    provenance : dict
        Function, parameters and versions.
    """

    schema: ClassVar[str] = "xembed.isotropy.STSResult/1"
    page: ClassVar[str | None] = "xembed.reports._corrections:sts_context"

    sets: tuple[STSCorrelation, ...]
    all: STSCorrelation
    mean: STSCorrelation
    similarity: str
    fit_on: str | None
    fit_overlap: float | None
    transductive: bool
    n_resamples: int
    confidence_level: float
    encoder: dict[str, Any] | None
    notes: tuple[str, ...]
    provenance: dict[str, Any]

    def to_frame(self) -> pd.DataFrame:
        """Return a table with one row a set, then 'all' and 'mean' if there are several; correlations x 100."""
        import pandas as pd

        rows = [*self.sets, *([self.all, self.mean] if len(self.sets) > 1 else [])]
        return pd.DataFrame([percent_row(row) for row in rows])

    def _scalars(self) -> dict[str, Any]:
        return {
            "n_sets": len(self.sets),
            "spearman_all": self.all.spearman,
            "spearman_mean": self.mean.spearman,
            "pearson_all": self.all.pearson,
            **super()._scalars(),
        }


def percent_row(correlation: STSCorrelation) -> dict[str, Any]:
    """Return the fields, correlations in percent, as papers print them."""
    fields = {field.name: getattr(correlation, field.name) for field in dataclasses.fields(correlation)}
    return {name: 100 * value if isinstance(value, float) else value for name, value in fields.items()}
