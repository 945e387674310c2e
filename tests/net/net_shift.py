"""Cases of xembed.shift."""

import functools

import net_inputs as inputs
import numpy as np
from net_record import family, own_folder, variants

import xembed

case = family("shift")
ALL_TESTS = ("depth", "mean", "rbf", "knn", "tail", "linear", "energy", "classifier")


def with_frame(result):
    return {"result": result, "frame": result.to_frame()}


# ---- the battery


@variants(
    "shift",
    default={},
    all_tests={"tests": ALL_TESTS, "n_resamples": 99},
    one_test={"tests": ["energy"], "n_resamples": 99},
    fast={"mode": "fast"},
    chord={"distance": "chord", "projection": "none", "n_resamples": 99},
    no_explanation={"explain": False, "alpha": 0.01, "confidence_level": 0.8, "n_resamples": 99, "rng": 5},
    self_check={"explain": False, "self_check": True, "n_resamples": 99},
    named={"names": ("before", "after"), "encoder": {"model": "mine"}, "warnings": ["as told"], "n_resamples": 99},
)
def compare_corpora(options):
    F, G, _ = inputs.topics()
    return with_frame(xembed.shift.compare_corpora(F, G, **{"n_resamples": 199} | options))


@case
def compare_corpora_with_texts():
    F, G, texts = inputs.topics()
    return with_frame(xembed.shift.compare_corpora(F, G, texts=texts, names=("old", "new"), n_resamples=199))


@case
def compare_corpora_of_tickets():
    texts = inputs.tickets(50, week=1), inputs.tickets(50, week=2)
    F, G = map(inputs.default_encoder().encode, texts)
    return xembed.shift.compare_corpora(F, G, texts=texts, n_resamples=99)


@case
def compare_corpora_without_a_shift():
    F = inputs.topics()[0]
    return xembed.shift.compare_corpora(F[::2], F[1::2], n_resamples=99)


@case
def compare_corpora_with_groups():
    F, G, _ = inputs.topics()
    groups = [f"f{i // 3}" for i in range(len(F))], [f"g{i // 2}" for i in range(len(G))]
    return xembed.shift.compare_corpora(F, G, groups=groups, self_check=True, n_resamples=99)


@case
def compare_corpora_paired():
    F = inputs.topics()[0]
    return xembed.shift.compare_corpora(F, F + inputs.rng(4).normal(0.1, 0.3, F.shape), paired=True, n_resamples=99)


@case
def compare_corpora_in_float32():
    F, G, _ = inputs.topics()
    return xembed.shift.compare_corpora(F.astype(np.float32), G.astype(np.float32), n_resamples=99)


# ---- single tests

_TESTS = {
    "energy": "energy_test", "mean": "mean_test", "rbf": "mmd_test", "knn": "knn_test", "classifier": "classifier_test",
    "tail": "tail_test",
}  # fmt: skip


@variants("shift", **_TESTS)
def single_test(name):
    test = getattr(xembed.shift, name)
    F, G, _ = inputs.topics()
    groups = [i // 3 for i in range(len(F))], [100 + i // 2 for i in range(len(G))]
    near = F + inputs.rng(4).normal(0.1, 0.3, F.shape)
    return {
        "plain": with_frame(test(F, G, n_resamples=199)),
        "seeded": test(F, G, n_resamples=99, rng=7, confidence_level=0.9),
        "groups": test(F, G, n_resamples=99, groups=groups),
        "paired": test(F, near, n_resamples=99, paired=True),
        "float32": test(F.astype(np.float32), G.astype(np.float32), n_resamples=99),
    }


@case
def linear_mmd():
    F, G, _ = inputs.topics()
    test = functools.partial(xembed.shift.mmd_test, kernel="linear", n_resamples=99)
    paths = [own_folder() / "F.npy", own_folder() / "G.npy"]
    for path, rows in zip(paths, (F, G), strict=True):
        np.save(path, rows)
    return {"arrays": test(F, G), "files": test(*paths), "blocks": test([F[:40], F[40:]], [G])}


@variants(
    "shift",
    auto={},
    exact={"method": "exact"},
    asymptotic={"method": "asymptotic"},
    less={"alternative": "less"},
    greater={"alternative": "greater"},
    first={"reference": "first"},
    split={"reference": "split", "rng": 2},
    chord={"distance": "chord"},
    angular={"distance": "angular", "confidence_level": 0.8},
)
def rank_sum_test(options):
    F, G, _ = inputs.topics(40, 36)
    return with_frame(xembed.shift.rank_sum_test(F, G, **options))


@case
def rank_sum_test_of_blocks():
    F, G, _ = inputs.topics()
    np.save(own_folder() / "G.npy", G)
    xembed.datasets.write_table(own_folder() / "G.parquet", {"embedding": G.tolist()})
    return {
        kind: xembed.shift.rank_sum_test([F[:40], F[40:]], own_folder() / f"G.{kind}") for kind in ("npy", "parquet")
    } | {"function": xembed.shift.rank_sum_test(F, lambda: iter([G[:30], G[30:]]))}


# ---- what shifted


@variants("shift", default={}, unsplit={"split": False}, split={"split": True, "rng": 1}, few={"n_clusters": 4})
def what_shifted(options):
    F, G, texts = inputs.topics(150, 150)
    return {
        "texts": with_frame(xembed.shift.what_shifted(F, G, texts=texts, names=("a", "b"), **options)),
        "embeddings": xembed.shift.what_shifted(F, G, fdr=0.2, **options),
    }


@variants("shift", default={}, contrast={"score": "contrast"}, few={"n_neighbors": 2, "fdr": 0.2, "names": ("a", "b")})
def coverage(options):
    F, G, _ = inputs.topics()
    return with_frame(xembed.shift.coverage(F, G, **options))


@variants("shift", default={}, lenient={"fdr": 0.3, "names": ("a", "b")})
def compare_surface(options):
    texts = inputs.topics()[2]
    return {
        "made": with_frame(xembed.shift.compare_surface(*texts, **options)),
        "tickets": xembed.shift.compare_surface(inputs.tickets(60, week=1), inputs.tickets(60, week=2), **options),
    }


@variants("shift", default={}, rare={"min_count": 1, "top": 20, "fdr": 0.3, "names": ("a", "b")})
def distinguishing_terms(options):
    tickets = inputs.tickets(100, week=1), inputs.tickets(100, week=2)
    return {
        "made": with_frame(xembed.shift.distinguishing_terms(*inputs.topics()[2], **options)),
        "tickets": xembed.shift.distinguishing_terms(*tickets, **options),
    }


# ---- over time, and many corpora


@variants(
    "shift",
    rows={"reference": 80, "window": 20},
    rows_of_array={"reference": "array", "window": 30},
    thinned={"reference": 80, "window": 80, "max_rows": 50, "alpha": 0.2, "rng": 3},
    groups={"reference": 20, "window": 8, "groups": True},
)
def drift_over_time(options):
    X = inputs.stream()
    options = {"n_resamples": 199} | options
    if options["reference"] == "array":
        options["reference"], X = X[:90], X[90:]
    if options.pop("groups", False):
        options["groups"] = [i // 4 for i in range(len(X))]
    return with_frame(xembed.shift.drift_over_time(X, np.arange(len(X)), **options))


@variants(
    "shift",
    days={"reference": np.datetime64("2024-01-15"), "window": "7D"},
    months={"reference": 80, "window": "MS", "names": ("then", "now"), "min_rows": 12},
)
def drift_over_days(options):
    X = inputs.stream()
    days = np.datetime64("2024-01-01") + np.arange(len(X)) // 3
    return with_frame(xembed.shift.drift_over_time(X, days, n_resamples=199, **options))


@case
def drift_that_is_none():
    X = inputs.stream()[:120]
    return xembed.shift.drift_over_time(X, np.linspace(0, 1, 120), reference=0.5, window=0.1, n_resamples=99)


@variants("shift", default={}, chosen={"tests": ["mean", "knn"], "alpha": 0.2, "n_resamples": 199, "rng": 4})
def compare_many(options):
    F, G, _ = inputs.topics()
    return with_frame(xembed.shift.compare_many({"one": F[:45], "two": F[45:], "three": G}, **options))


# ---- rows of several blocks, and rows that repeat


@case
def many_rows():
    F, G = inputs.cloud(1400, 6), inputs.cloud(1500, 6, seed=2) + 0.05
    result = xembed.shift.compare_corpora(F, G, tests=ALL_TESTS, n_resamples=39).to_dict()
    for name in ("depths", "depths_in_F", "depths_in_G", "coordinates"):
        result[name] = inputs.brief(result[name])
    for name in ("membership", "scores"):
        result["regions"][name] = inputs.brief(result["regions"][name])
    for name in ("scores_F", "scores_G", "pvalues_F", "pvalues_G", "qvalues_F", "qvalues_G"):
        result["coverage"][name] = inputs.brief(result["coverage"][name])
    for name in ("depths_F", "depths_G", "rows_F"):
        result["test"][name] = inputs.brief(result["test"][name])
    return result


@case
def too_many_rows_for_pairs():
    F, G = inputs.cloud(5200, 4), inputs.cloud(5000, 4, seed=2)
    result = xembed.shift.compare_corpora(F, G, n_resamples=39, explain=False, projection="none").to_dict()
    return {name: result[name] for name in ("verdict", "mode", "pvalue", "facets", "warnings")} | {
        "tests": [{"statistic": one["statistic"], "null": one["null"], "interval": one["confidence_interval"]}
                  for one in result["tests"]]
    }  # fmt: skip


@case
def repeated_rows():
    F, G, texts = inputs.topics(30, 30)
    F, G = np.repeat(F, 2, axis=0), np.r_[np.repeat(G, 2, axis=0), F[:10]]
    texts = [text for text in texts[0] for _ in range(2)], [text for text in texts[1] for _ in range(2)] + texts[0][:10]
    return xembed.shift.compare_corpora(F, G, texts=texts, n_resamples=99)


@case
def dask_arrays():
    import dask.array

    F, G, _ = inputs.topics()
    first, second = (dask.array.from_array(rows, chunks=(32, 5)) for rows in (F, G))
    return {
        "rank sum": xembed.shift.rank_sum_test(first, second),
        "linear": xembed.shift.mmd_test(first, second, kernel="linear", n_resamples=99),
        "depth": xembed.depth.tte_depth(first, second),
        "measures": xembed.isotropy.measure(first, metrics=["isoscore", "average_cosine", "partition_isotropy"]),
    }


@case
def drift_of_groups_of_an_array():
    X = inputs.stream()
    groups = [f"r{i // 4}" for i in range(80)], [f"s{i // 4}" for i in range(160)]
    return xembed.shift.drift_over_time(
        X[80:], np.arange(160) / 10, reference=X[:80], window=2.5, groups=groups, n_resamples=99, warnings=["told"]
    )
