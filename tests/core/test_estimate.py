"""Estimates as fields of results: plain data, JSON and back."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from xembed._core.estimate import Estimate
from xembed._core.results import Result


@dataclass(frozen=True, repr=False)
class Sample(Result):
    schema: ClassVar[str] = "xembed.tests.Sample/1"

    one: Estimate
    several: tuple[Estimate, ...]
    none: Estimate | None = None


def test_estimates_come_back():
    sample = Sample(Estimate(1.0, 0.5, 2.0), (Estimate(np.float64(3.0)), Estimate(4.0, 3.0, 5.0)))
    assert sample.to_dict()["one"] == {"value": 1.0, "low": 0.5, "high": 2.0}
    assert Sample.from_json(sample.to_json()) == sample
