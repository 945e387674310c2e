"""What `neighbor_overlap` and `linear_probe` return."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from xembed._core.results import Result


@dataclass(frozen=True, eq=False, repr=False)
class NeighborOverlap(Result):
    """Result of `neighbor_overlap`.

    Attributes
    ----------
    value : float
        Mean share of the nearest neighbors that a text has in both spaces, in [0, 1].
    low, high : float or None
        Interval; None where none was asked for.
    chance : float
        What two unrelated spaces would have: n_neighbors / (n_rows_used - 1).
    n_neighbors : int
        Neighbors compared.
    n_rows_used : int
        Texts compared.
    provenance : dict
        Function, parameters and versions.
    """

    schema: ClassVar[str] = "xembed.isotropy.NeighborOverlap/1"
    page: ClassVar[str | None] = "xembed.reports._isotropy:neighbor_overlap_context"

    value: float
    low: float | None
    high: float | None
    chance: float
    n_neighbors: int
    n_rows_used: int
    provenance: dict[str, Any]


@dataclass(frozen=True, eq=False, repr=False)
class ProbeResult(Result):
    """Result of `linear_probe`.

    Attributes
    ----------
    accuracy, accuracy_low, accuracy_high : float, or None for the interval
        Share of texts whose label is found by a classifier that has not seen them, and its interval.
    balanced_accuracy, balanced_low, balanced_high : float, or None for the interval
        The mean of the shares of each class, and its interval.
    majority : float
        Accuracy of always saying the most frequent label.
    classes : tuple of str
        The labels.
    n_texts, n_splits : int
        Texts and folds.
    provenance : dict
        Function, parameters and versions.
    """

    schema: ClassVar[str] = "xembed.isotropy.ProbeResult/1"
    page: ClassVar[str | None] = "xembed.reports._isotropy:probe_context"

    accuracy: float
    accuracy_low: float | None
    accuracy_high: float | None
    balanced_accuracy: float
    balanced_low: float | None
    balanced_high: float | None
    majority: float
    classes: tuple[str, ...]
    n_texts: int
    n_splits: int
    provenance: dict[str, Any]
