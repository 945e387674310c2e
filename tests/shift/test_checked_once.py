"""A comparison checks each corpus once, and finds the norms of its rows once, whatever is computed from them."""

import numpy as np
import pytest

from xembed import depth, shift
from xembed._core import directions, validation

MODULES = [
    "xembed._core.blocks", "xembed._core.moments", "xembed.depth._depth", "xembed.depth._estimator",
    "xembed.depth._local", "xembed.depth._moments", "xembed.depth._outliers", "xembed.depth._selection",
    "xembed.shift._battery", "xembed.shift._linear", "xembed.shift._many", "xembed.shift._permutation_tests",
    "xembed.shift._windows", "xembed.shift._drift",
]  # fmt: skip


@pytest.fixture
def calls(monkeypatch):
    """Count checks and passes for norms by the number of rows they are of."""
    import importlib

    counted = {"checks": [], "norms": []}

    def count(function, kind):
        def counting(X, *args, **kwargs):
            counted[kind].append(len(X))
            return function(X, *args, **kwargs)

        return counting

    for name, module, kind in [
        ("check_embeddings", validation, "checks"),
        ("resultant", directions, "norms"),
        ("direction_weights", directions, "norms"),
    ]:
        counting = count(getattr(module, name), kind)
        for place in [module, *map(importlib.import_module, MODULES)]:
            if hasattr(place, name):
                monkeypatch.setattr(place, name, counting)
    return counted


def corpora(n=60, m=45):
    rng = np.random.default_rng(0)
    words = [f"word{i}" for i in range(30)]
    texts = [[" ".join(rng.choice(words, 8)) for _ in range(size)] for size in (n, m)]
    return rng.normal(0.5, 1.0, (n, 12)), rng.normal(0.6, 1.0, (m, 12)), tuple(texts)


@pytest.mark.parametrize("options", [
    {}, {"mode": "fast"}, {"distance": "chord"}, {"groups": "given"}, {"self_check": True}, {"tests": ["classifier"]},
], ids=str)  # fmt: skip
def test_compare_corpora(calls, options):
    F, G, texts = corpora()
    if "groups" in options:
        options = {"groups": ([i // 3 for i in range(60)], [100 + i // 3 for i in range(45)])}
    shift.compare_corpora(F, G, texts=texts, n_resamples=19, **options)
    assert sorted(calls["checks"]) == [45, 60]
    # The pools of both corpora have norms, too; those of the self-check are as long as F.
    of_corpora = [rows for rows in calls["norms"] if rows not in (105, 60 if options.get("self_check") else None)]
    assert sorted(of_corpora) == ([45] if options.get("self_check") else [45, 60])


@pytest.mark.parametrize(
    "analysis", [shift.what_shifted, shift.coverage, depth.tte_depth, depth.local_depth, shift.rank_sum_test,
                 shift.knn_test, lambda F, G: shift.compare_many({"F": F, "G": G})],
)  # fmt: skip
def test_single_analyses(calls, analysis):
    F, G, _ = corpora()
    analysis(F, G)
    assert sorted(calls["checks"]) == [45, 60]
    assert sorted(rows for rows in calls["norms"] if rows != 105) == [45, 60]
