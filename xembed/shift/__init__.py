"""Did my corpus change, and how: two-sample tests on embeddings."""

from __future__ import annotations

from xembed.shift._compare import compare_corpora
from xembed.shift._coverage import CoverageResult, coverage
from xembed.shift._drift import DriftResult, drift_over_time
from xembed.shift._facets import Facet
from xembed.shift._many import ManyResult, compare_many
from xembed.shift._permutation_tests import (
    classifier_test,
    energy_test,
    knn_test,
    mean_test,
    mmd_test,
    tail_test,
)
from xembed.shift._rank_sum import RankSumResult, rank_sum_test
from xembed.shift._regions import Region, RegionsResult, what_shifted
from xembed.shift._self_check import SelfCheck
from xembed.shift._shift_result import ShiftResult
from xembed.shift._surface import SurfaceResult, compare_surface
from xembed.shift._terms import TermsResult, distinguishing_terms
from xembed.shift._test_result import TestResult

__all__ = [
    "CoverageResult",
    "DriftResult",
    "Facet",
    "ManyResult",
    "RankSumResult",
    "Region",
    "RegionsResult",
    "SelfCheck",
    "ShiftResult",
    "SurfaceResult",
    "TermsResult",
    "TestResult",
    "classifier_test",
    "compare_corpora",
    "compare_many",
    "compare_surface",
    "coverage",
    "distinguishing_terms",
    "drift_over_time",
    "energy_test",
    "knn_test",
    "mean_test",
    "mmd_test",
    "rank_sum_test",
    "tail_test",
    "what_shifted",
]
