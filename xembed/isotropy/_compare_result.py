"""What `compare_corrections` returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from xembed._core.results import Result
from xembed.isotropy._evaluation_result import NeighborOverlap, ProbeResult
from xembed.isotropy._isotropy_result import Measure
from xembed.isotropy._sts_result import STSCorrelation

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False, repr=False)
class Gain(Result):
    """The difference of a correction to raw embeddings, on the same resamples.

    Attributes
    ----------
    name : str
        Of the set of pairs, 'mean' for the mean of several, or 'probe'.
    statistic : str
        'spearman' or 'accuracy'.
    value : float
        Corrected minus raw.
    low, high : float or None
        Interval.
    """

    schema: ClassVar[str] = "xembed.isotropy.Gain/1"

    name: str
    statistic: str
    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, eq=False, repr=False)
class CorrectionRow(Result):
    """One correction, or raw embeddings.

    Attributes
    ----------
    name, description : str
        'raw' is none; how the correction is written.
    measures : tuple of Measure
        Of the texts that are measured.
    tune : STSCorrelation or None
        On the pairs that the choice is made by; of several sets the mean.
    tests : tuple of STSCorrelation
        On each test set.
    test : STSCorrelation or None
        On the test sets; of several the mean.
    tune_gain, test_gain : Gain or None
        Of ``tune`` and ``test``; None for raw.
    test_gains : tuple of Gain
        Of each test set.
    neighbor_overlap : NeighborOverlap or None
        Nearest neighbors shared with raw embeddings.
    probe_tune, probe : ProbeResult or None
        Of one half of the labeled texts, which a choice is made by, and of the other.
    probe_gain : Gain or None
        Of ``probe``.
    """

    schema: ClassVar[str] = "xembed.isotropy.CorrectionRow/1"

    name: str
    description: str
    measures: tuple[Measure, ...]
    tune: STSCorrelation | None
    tests: tuple[STSCorrelation, ...]
    test: STSCorrelation | None
    tune_gain: Gain | None
    test_gains: tuple[Gain, ...]
    test_gain: Gain | None
    neighbor_overlap: NeighborOverlap | None
    probe_tune: ProbeResult | None
    probe: ProbeResult | None
    probe_gain: Gain | None


@dataclass(frozen=True, eq=False, repr=False)
class CorrectionsResult(Result):
    """Result of `compare_corrections`.

    Attributes
    ----------
    recommendation : str or None
        A correction, 'none' where raw embeddings should be kept, or None where there is no evidence either way.
    reason : str
        Why, in plain words with figures.
    rows : tuple of CorrectionRow
        Raw first.
    fit_on : str
        Name of the texts that corrections were fitted on.
    n_fit : int
        How many these are.
    measured_on : str
        Name of the texts that measures, neighbors and probe are of.
    tune, test : tuple of str
        Names of the sets of pairs.
    fit_overlap : dict of str to float
        For each set the share of its sentences that are among the texts of the fit.
    tune_overlap : dict of str to float
        For each test set the share of its sentences that are in the tune sets.
    transductive : bool
        Corrections were fitted on sentences of a test set.
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

    schema: ClassVar[str] = "xembed.isotropy.CorrectionsResult/1"
    page: ClassVar[str | None] = "xembed.reports._corrections:corrections_context"

    recommendation: str | None
    reason: str
    rows: tuple[CorrectionRow, ...]
    fit_on: str
    n_fit: int
    measured_on: str
    tune: tuple[str, ...]
    test: tuple[str, ...]
    fit_overlap: dict[str, float]
    tune_overlap: dict[str, float]
    transductive: bool
    n_resamples: int
    confidence_level: float
    encoder: dict[str, Any] | None
    notes: tuple[str, ...]
    provenance: dict[str, Any]

    def row(self, name: str) -> CorrectionRow:
        """Return the row of a correction, or that of 'raw'.

        Raises
        ------
        KeyError
            If there is none; the message lists those that there are.
        """
        for found in self.rows:
            if found.name == name:
                return found
        raise KeyError(f"{name!r} is not among the corrections compared: {[found.name for found in self.rows]}")

    def to_frame(self) -> pd.DataFrame:
        """Return a table with one row a correction; correlations and accuracies x 100, gains with their interval."""
        import pandas as pd

        return pd.DataFrame([_flat(row) for row in self.rows])


def _flat(row: CorrectionRow) -> dict[str, Any]:
    flat: dict[str, Any] = {"correction": row.name} | {measure.name: measure.value for measure in row.measures}
    if row.tune is not None:
        flat["tune"] = 100 * row.tune.spearman
    flat |= {f"test {found.name}": 100 * found.spearman for found in row.tests}
    if row.test is not None:
        flat |= {"test": 100 * row.test.spearman, **_flat_gain("gain", row.test_gain)}
    flat["neighbor_overlap"] = 1.0 if row.neighbor_overlap is None else row.neighbor_overlap.value
    if row.probe is not None:
        flat |= {"probe": 100 * row.probe.accuracy, **_flat_gain("probe_gain", row.probe_gain)}
    return flat


def _flat_gain(name: str, gain: Gain | None) -> dict[str, float | None]:
    values = (None, None, None) if gain is None else (gain.value, gain.low, gain.high)
    names = (name, f"{name}_low", f"{name}_high")
    return {key: None if value is None else 100 * value for key, value in zip(names, values, strict=True)}
