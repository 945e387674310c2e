"""The page of the benchmark of attribution methods: findings in words, then all numbers, then sentences."""
