"""The tests of `compare_corpora`: what each is called, what it computes and sees, and where it comes from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TestKind:
    """A test of the battery, for results, pages and documentation, and its weight in the combined p-value."""

    __test__ = False  # not a test of pytest

    title: str
    effect: str  # what the effect means, F being what G is compared with
    sees: str  # the changes that it finds best
    statistic: str
    weight: float
    two_sided: bool = False  # whether the effect has two directions
    sources: tuple[str, ...] = ()  # keys of references.bib

    @property
    def meaning(self) -> str:
        """Return what the effect means, as a sentence."""
        return f"{self.effect[0].upper()}{self.effect[1:]}."


# Weights: measured so that the battery comes near the best single test for shifts of the mean and of topics, which are
# the most common, without losing the others (docs/measurements/shift.md).
KINDS = {
    "depth": TestKind(
        title="pooled depth",
        effect="2Q − 1: in how many more pairs the text of G is the deeper one",
        sees="spread, and the distance to the common center",
        statistic="rank-sum test of the depths in both corpora together.",
        weight=1.0,
        two_sided=True,
        sources=("seegmiller2023", "liu1993"),
    ),
    "mean": TestKind(
        title="means",
        effect="share of the variance that lies between the corpora",
        sees="a center that moved, in any direction",
        statistic="the distance of the mean directions in three metrics, the plain one, whitened by a shrunk "
        "covariance, and weighted by it.",
        weight=2.0,
    ),
    "rbf": TestKind(
        title="fused RBF MMD",
        effect="share of the variance between the corpora in the space of the kernel",
        sees="changes of shape, from coarse to fine",
        statistic="Gaussian kernels of three widths, the median distance, a half and a quarter of it.",
        weight=1.0,
        sources=("gretton2012", "biggs2023"),
    ),
    "knn": TestKind(
        title="nearest neighbors",
        effect="excess of nearest neighbors of the same corpus; 1: all are",
        sees="local structure, covariance",
        statistic="how many of the 10 nearest neighbors of a text are of its own corpus.",
        weight=0.5,
        sources=("schilling1986",),
    ),
    "tail": TestKind(
        title="low-depth tail",
        effect="share of G below the depth that 5 % of F are below, less 5 %",
        sees="a few texts of G far outside",
        statistic="how many texts of G have a depth below the 5 % quantile of F.",
        weight=0.5,
    ),
    "linear": TestKind(
        title="linear MMD",
        effect="share of the variance that lies between the corpora",
        sees="a center that moved",
        statistic="the squared distance of the mean directions.",
        weight=1.0,
        sources=("gretton2012",),
    ),
    "energy": TestKind(
        title="energy distance",
        effect="share of the mean distance that is due to the corpora",
        sees="a center that moved, above all",
        statistic="mean distances between the corpora less those within.",
        weight=1.0,
        sources=("szekely2004",),
    ),
    "classifier": TestKind(
        title="linear classifier",
        effect="2 AUC − 1 on held-out texts",
        sees="anything that a plane can separate",
        statistic="how well a linear classifier tells apart texts that it was not trained on.",
        weight=1.0,
    ),
}
DEFAULT = ("depth", "mean", "rbf", "knn", "tail")

# What a facet of a difference is called, and what it asks; "{1}" is the name of G.
FACETS = {
    "location": ("Location", "Has the center moved?"),
    "dispersion": ("Dispersion", "Is one corpus more varied?"),
    "shape": ("Shape", "Are the texts arranged differently?"),
    "contamination": ("Contamination", "Out-of-distribution texts in {1}?"),
}
