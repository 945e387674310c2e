"""What the pages of shift analyses say under "Methods"."""

from __future__ import annotations

from collections.abc import Sequence

from xembed.reports.kit import Block, Data, methods_of
from xembed.shift._kinds import KINDS

how = methods_of("xembed.shift._pages")

_DEPTH_MEASURED = {
    "pooled": "Depth is measured in both corpora together, so that without a shift every labeling is equally likely "
    "and the test keeps its level on any data.",
    "split": "Depth is measured in a random half of the first corpus, and its other half is compared.",
    "first": "Depth is measured in the first corpus, as in the TTE paper; without a shift this test can reject more "
    "often than it should.",
}
_PARTS = ("regions", "terms", "surface", "coverage", "self_check")


def which_tests(names: Sequence[str]) -> Block:
    """Say what each test computes."""
    return how("which", *_sources(names), tests=" ".join(map(_statistic, names)))


def of_test(name: str) -> list[Block]:
    """Return the methods of a single permutation test."""
    return [how("test", *_sources([name]), test=_statistic(name)), how("limits")]


def _statistic(name: str) -> str:
    kind = KINDS[name]
    return f"{kind.title[0].upper()}{kind.title[1:]}: {kind.statistic}"


def _sources(names: Sequence[str]) -> list[str]:
    return [key for name in names for key in KINDS[name].sources]


def of_rank_sum(reference: str) -> list[Block]:
    """Return the methods of a rank-sum test of depths."""
    test = how("rank_sum", reference=_DEPTH_MEASURED[reference])
    return [how("depth", distance="cosine"), test, how("rank_sum_blind")]


def of_comparison(data: Data) -> list[Block]:
    """Return the methods of a comparison of two corpora."""
    names = [test["name"] for test in data["tests"]]
    parameters = data["provenance"]["parameters"]
    grouped, n_resamples = parameters.get("groups") is not None, f"{parameters['n_resamples']:,}"
    permuted, shape = "of the texts", "shape by kernels and neighbors, contamination by the low-depth tail, "
    if parameters.get("paired"):
        permuted = "(each pair of texts keeps or swaps its labels)"
    elif grouped:
        permuted = (
            "(labels of whole groups, such as documents or authors, are permuted: their texts are not independent)"
        )
    blocks = [how("battery", n_tests=len(names), n_resamples=n_resamples, permuted=permuted), which_tests(names)]
    if data["mode"] == "fast":
        shape, blocks = "", [how("fast", n_resamples=n_resamples)]
    independent = "Texts are taken as independent; where several are of one document or author, p-values are too small "
    return [
        *blocks,
        how("facets", shape=shape),
        how("depth", distance=data["test"]["distance"]),
        *(how(part) for part in _PARTS if data.get(part) is not None),
        how("blind", independent="" if grouped else f"{independent}unless their groups are given. "),
    ]


def of_drift(data: Data) -> list[Block]:
    """Return the methods of a drift report."""
    parameters = data["provenance"]["parameters"]
    grouped = parameters.get("groups") is not None
    of_groups, groups = (" of whole groups", " (groups of texts)") if grouped else ("", "")
    depend = (
        "Texts that depend on each other (chunks of a document, a conversation) raise alarms unless their groups are "
    )
    gaps = {"threshold": data["threshold"], "alpha": data["alpha"]}
    return [
        how("drift_windows", n_resamples=f"{parameters['n_resamples']:,}", of_groups=of_groups),
        which_tests(data["tests"]),
        how("drift_looks", groups=groups),
        how("drift_evidence", **gaps),
        how("drift_single", **gaps),
        how("drift_after"),
        how("drift_blind", independent="" if grouped else f"{depend}given. "),
    ]
