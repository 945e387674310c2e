"""The page of the benchmark of attribution methods: findings in words, then all numbers, then sentences."""

from xembed.geco._pages.benchmark import benchmark

__all__ = ["benchmark"]
