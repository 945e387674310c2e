"""Did my corpus change, and how: two-sample tests on embeddings."""

from __future__ import annotations

from xembed.shift._compare import ShiftResult, compare_corpora
from xembed.shift._rank_sum import RankSumResult, rank_sum_test

__all__ = ["RankSumResult", "ShiftResult", "compare_corpora", "rank_sum_test"]
