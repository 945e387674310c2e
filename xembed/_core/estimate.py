"""A number with its confidence interval."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Estimate:
    """An estimate and its confidence interval, as a field of a result: ``{"value": ..., "low": ..., "high": ...}``.

    Attributes
    ----------
    value : float
        The estimate.
    low, high : float or None
        Bounds of the interval, at the level that the result names; None where there is no interval.
    """

    value: float
    low: float | None = None
    high: float | None = None

    def excludes(self, value: float) -> bool:
        """Return whether there is an interval and ``value`` lies outside it."""
        return self.low is not None and self.high is not None and not self.low <= value <= self.high
