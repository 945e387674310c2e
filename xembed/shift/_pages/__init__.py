"""The pages of shift results: a function for each kind of result, from its plain data to a page."""

from xembed.shift._pages.compare import compare, rank_sum
from xembed.shift._pages.drift import drift
from xembed.shift._pages.many import many
from xembed.shift._pages.single import coverage, regions, self_check, surface, terms, test

__all__ = ["compare", "coverage", "drift", "many", "rank_sum", "regions", "self_check", "surface", "terms", "test"]
