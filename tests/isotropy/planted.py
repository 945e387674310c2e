"""Texts with vectors that are made so that a common direction hides the meaning, and pairs with scores of it."""

import numpy as np

from xembed.datasets import STSPairs


class Planted:
    """An encoder of texts "name:topic:number": a direction of the topic, noise, and one large common direction."""

    def __init__(self, n_dims=16, common=6.0, noise=0.7):
        self.n_dims, self.common, self.noise = n_dims, common, noise
        self.calls = []

    def encode(self, texts):
        self.calls.append(list(texts))
        return np.array([self.vector(text) for text in texts])

    def vector(self, text):
        topic, number = int(text.split(":")[1]), int(text.split(":")[2])
        rng = np.random.default_rng([topic, number, 7])
        meaning = np.random.default_rng([topic, 5]).normal(size=self.n_dims)
        vector = meaning + self.noise * rng.normal(size=self.n_dims)
        vector[0] = self.common * (1 + rng.exponential())  # its length differs, so that cosines follow it, not meaning
        return vector


def make_pairs(name, n=150, seed=0, topics=12):
    """Return pairs that score 4 to 5 if of one topic, and 0 to 1 otherwise."""
    rng = np.random.default_rng(seed)
    first = rng.integers(topics, size=n)
    second = np.where(rng.random(n) < 0.5, first, rng.integers(topics, size=n))
    return STSPairs(
        name,
        [f"{name}:{topic}:{10_000 * seed + i}" for i, topic in enumerate(first)],
        [f"{name}:{topic}:{10_000 * seed + 5_000 + i}" for i, topic in enumerate(second)],
        4.0 * (first == second) + rng.random(n),
    )


def make_texts(n=200, name="other", seed=9, topics=12):
    rng = np.random.default_rng(seed)
    return [f"{name}:{topic}:{10_000 * seed + i}" for i, topic in enumerate(rng.integers(topics, size=n))]
