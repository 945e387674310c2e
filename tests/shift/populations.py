"""The populations on which level and power are claimed, all of unit rows in 128 dimensions."""

import numpy as np

D = 128


def unit(X):
    return X / np.linalg.norm(X, axis=1, keepdims=True)


def isotropic(rng, n):
    """Mean zero: where tests on depth in F alone fail most."""
    return unit(rng.standard_normal((n, D)))


def cone(rng, n, along=0.5):
    """Mean cosine .2."""
    X = rng.standard_normal((n, D)) / np.sqrt(D)
    X[:, 0] += along
    return unit(X)


def strong_cone(rng, n):
    """Mean cosine .69, as of some retrieval models."""
    return cone(rng, n, 1.5)


def power_law_cone(rng, n):
    """A cone with a spectrum that falls by a power law."""
    scales = np.arange(1, D + 1) ** -0.5
    X = rng.standard_normal((n, D)) * scales / np.linalg.norm(scales)
    X[:, 0] += 0.5
    return unit(X)


def clusters(
    rng, n, *, along=0.5, apart=0.6, noise=1.0, weights=(1, 1, 1, 1), sideways=0.0, stretch=None, strangers=0.0
):
    """A cone with four clusters; the keywords make the alternatives."""
    e = rng.standard_normal((n, D)) * (noise / np.sqrt(D))
    if stretch is not None:
        e[:, : D // 2] *= stretch
        e[:, D // 2 :] *= np.sqrt(2 - stretch**2)
    X = e
    X[:, 0] += along
    X[np.arange(n), 1 + rng.choice(4, n, p=np.array(weights) / sum(weights))] += apart
    X[:, 6] += sideways
    strange = rng.random(n) < strangers
    X[strange] = rng.standard_normal((strange.sum(), D)) / np.sqrt(D)
    X[strange, 5] += 0.8
    return unit(X)


NULL = (isotropic, cone, power_law_cone, clusters, strong_cone)

ALTERNATIVES = {
    "mean +.08 sideways": {"sideways": 0.08},
    "mean +.15 sideways": {"sideways": 0.15},
    "weaker cone": {"along": 0.45},
    "stronger cone": {"along": 0.55},
    "noise x 1.1": {"noise": 1.1},
    "noise x 1.05": {"noise": 1.05},
    "noise x 0.9 (collapse)": {"noise": 0.9},
    "tight clusters": {"apart": 0.75},
    "loose clusters": {"apart": 0.5},
    "mixture .4 .2 .2 .2": {"weights": (2, 1, 1, 1)},
    "mixture .35 .35 .15 .15": {"weights": (7, 7, 3, 3)},
    "missing cluster": {"weights": (1, 1, 1, 0)},
    "contamination 5 %": {"strangers": 0.05},
    "contamination 10 %": {"strangers": 0.1},
    "covariance": {"stretch": 1.3},
}
