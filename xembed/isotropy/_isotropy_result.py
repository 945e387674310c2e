"""What `measure` returns."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from xembed._core.results import Result

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False, repr=False)
class Measure(Result):
    """One measure of an embedding space.

    Attributes
    ----------
    name, label : str
        For programs and for people.
    value : float or None
        None if it can't be had; ``warning`` then says why.
    low, high : float or None
        Interval; None where none was asked for or can be had.
    minimum, maximum : float or None
        Range of the measure at this size; None is unbounded.
    perfect : float or None
        Value of a space in which all directions are alike; None where there is none to compare with.
    better : str
        'higher', 'lower' or 'none': which values mean a more isotropic space.
    n_rows_used : int
        Rows that it was computed from.
    warning : str or None
        What to know before trusting the number.
    """

    schema: ClassVar[str] = "xembed.isotropy.Measure/1"

    name: str
    label: str
    value: float | None
    low: float | None
    high: float | None
    minimum: float | None
    maximum: float | None
    perfect: float | None
    better: str
    n_rows_used: int
    warning: str | None


@dataclass(frozen=True, eq=False, repr=False)
class CosineHistogram(Result):
    """Cosines of random pairs of different texts.

    Attributes
    ----------
    edges : ndarray of shape (n_bins + 1,)
        Of the bins, from -1 to 1.
    counts : ndarray of shape (n_bins,), int
        Pairs in each bin.
    expected : ndarray of shape (n_bins,)
        Pairs that would be in each bin if directions were uniformly random in as many dimensions.
    """

    schema: ClassVar[str] = "xembed.isotropy.CosineHistogram/1"

    edges: npt.NDArray[np.float64]
    counts: npt.NDArray[np.int64]
    expected: npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class IsotropyResult(Result):
    """Result of `measure`.

    Attributes
    ----------
    n, n_dims : int
        Texts and dimensions.
    measures : tuple of Measure
        In a fixed order.
    spectrum : ndarray of shape (min(n - 1, n_dims),)
        Eigenvalues of the covariance, largest first.
    cosine_histogram : CosineHistogram or None
        None without cosine measures, and for blocks.
    contributions : ndarray of shape (n_dims,) or None
        What each dimension adds to the average cosine; None without cosine measures.
    rogue_dimensions : tuple of int
        By the rule of `outlier_dimensions`, largest contribution first.
    dead_dimensions : tuple of int
        Constant within rounding.
    n_resamples : int
        Half-samples drawn for the intervals.
    confidence_level : float
        Of the intervals.
    notes : tuple of str
        How numbers were made, and what to know about all of them.
    provenance : dict
        Function, parameters and versions.
    """

    schema: ClassVar[str] = "xembed.isotropy.IsotropyResult/1"
    page: ClassVar[str | None] = "xembed.reports._isotropy:isotropy_context"

    n: int
    n_dims: int
    measures: tuple[Measure, ...]
    spectrum: npt.NDArray[np.float64]
    cosine_histogram: CosineHistogram | None
    contributions: npt.NDArray[np.float64] | None
    rogue_dimensions: tuple[int, ...]
    dead_dimensions: tuple[int, ...]
    n_resamples: int
    confidence_level: float
    notes: tuple[str, ...]
    provenance: dict[str, Any]

    def measure(self, name: str) -> Measure:
        """Return the measure with this name.

        Raises
        ------
        KeyError
            If it is not among those computed; the message lists them.
        """
        for found in self.measures:
            if found.name == name:
                return found
        raise KeyError(f"{name!r} is not among the measures computed: {[found.name for found in self.measures]}")

    def to_frame(self) -> pd.DataFrame:
        """Return a table with one row a measure."""
        import pandas as pd

        fields = [field.name for field in dataclasses.fields(Measure)]
        return pd.DataFrame([{name: getattr(found, name) for name in fields} for found in self.measures])
