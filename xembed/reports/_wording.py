"""What tests and facets are called on a page, and what their numbers mean."""

from __future__ import annotations

FACETS = {
    "location": ("Location", "Has the center moved?"),
    "dispersion": ("Dispersion", "Is one corpus more varied?"),
    "shape": ("Shape", "Are the texts arranged differently?"),
    "contamination": ("Contamination", "Are there strangers in {1}?"),
}
TITLES = {
    "depth": "pooled depth",
    "mean": "means",
    "rbf": "fused RBF MMD",
    "knn": "nearest neighbors",
    "tail": "low-depth tail",
    "linear": "linear MMD",
    "energy": "energy distance",
    "classifier": "linear classifier",
}
# What the effect of a test means, F being what G is compared with.
MEANINGS = {
    "depth": "2Q − 1: in how many more pairs the text of G is the deeper one.",
    "mean": "Share of the variance that lies between the corpora.",
    "rbf": "Share of the variance between the corpora in the space of the kernel.",
    "knn": "Excess of nearest neighbors of the same corpus; 1: all are.",
    "tail": "Share of G below the depth that 5 % of F are below, less 5 %.",
    "linear": "Share of the variance that lies between the corpora.",
    "energy": "Share of the mean distance that is due to the corpora.",
    "classifier": "2 AUC − 1 on held-out texts.",
}
SEES = {
    "depth": "spread, and the distance to the common center",
    "mean": "a center that moved, in any direction",
    "rbf": "changes of shape, from coarse to fine",
    "knn": "local structure, covariance",
    "tail": "a few texts of G far outside",
    "linear": "a center that moved",
    "energy": "a center that moved, above all",
    "classifier": "anything that a plane can separate",
}
