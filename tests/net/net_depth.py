"""Cases of xembed.depth."""

import net_inputs as inputs
import numpy as np
from net_record import family, variants

import xembed

case = family("depth")
DISTANCES = ("cosine", "chord", "angular")


@case
def tte_depth():
    X, other = inputs.cloud(), inputs.cloud(50, seed=2)
    found = {}
    for distance in DISTANCES:
        found[distance] = xembed.depth.tte_depth(X, distance=distance)
        found[f"{distance}, reference"] = xembed.depth.tte_depth(X, other, distance=distance)
    for distance in DISTANCES[1:]:
        found[f"{distance}, moments"] = xembed.depth.tte_depth(X, distance=distance, method="moments")
        found[f"{distance}, moments, reference"] = xembed.depth.tte_depth(X, other, distance=distance, method="moments")
    found["float32"] = xembed.depth.tte_depth(X.astype(np.float32))
    found["blocks"] = xembed.depth.tte_depth([X[:30], X[30:]], [other[:20], other[20:]])
    return found


@case
def depth_of_texts():
    X = inputs.default_encoder().encode(inputs.tickets(30))
    return {"depth": xembed.depth.tte_depth(X), "local": xembed.depth.local_depth(X)}


@case
def local_depth():
    X, other = inputs.cloud(), inputs.cloud(50, seed=2)
    return [
        xembed.depth.local_depth(X),
        xembed.depth.local_depth(X, n_neighbors=3),
        xembed.depth.local_depth(X, other, n_neighbors=5),
    ]


@case
def moment_error():
    X = inputs.cloud()
    return [
        xembed.depth.moment_error(X, n_sample=40),
        xembed.depth.moment_error(X, inputs.cloud(50, seed=2), distance="angular", rng=1),
    ]


def _with_outliers():
    return np.r_[inputs.topics()[0], -4 * np.eye(3, 8)]


@variants("depth", depth={}, local={"score": "local", "n_neighbors": 5}, strict={"fdr": 0.001})
def find_outliers(options):
    result = xembed.depth.find_outliers(_with_outliers(), **options)
    return {"result": result, "frame": result.to_frame(), "shown": repr(result)}


@variants("depth", depth={}, local={"score": "local"}, seeded={"rng": 3, "fdr": 0.2})
def find_outliers_of_reference(options):
    F = inputs.topics()[0]
    result = xembed.depth.find_outliers(np.r_[F[:20], -4 * np.eye(3, 8)], reference=F[20:], **options)
    return {"result": result, "frame": result.to_frame()}


@case
def select():
    X = inputs.cloud()
    labels = ["a", "b", "b", "c"] * 20
    return {
        strategy: {
            "all": xembed.depth.select(X, 8, strategy=strategy),
            "labels": xembed.depth.select(X, 8, strategy=strategy, labels=labels, rng=1),
            "diverse": xembed.depth.select(X, 8, strategy=strategy, diversity=0.9),
        }
        for strategy in ("mmr", "depth", "herding", "random")
    }


@case
def select_examples():
    X = inputs.cloud()
    labels = ["a", "b", "b", "c"] * 20
    found = {
        strategy: xembed.depth.select_examples(X, labels, 3, strategy=strategy, rng=2)
        for strategy in ("mmr", "depth", "herding", "random")
    }
    for strategy in ("mmr", "depth"):
        query = X[7] + 0.1
        found[f"{strategy}, query"] = xembed.depth.select_examples(X, labels, 3, query=query, strategy=strategy)
    return found


@variants("depth", cosine="cosine", chord="chord", angular="angular")
def estimator(distance):
    X, new = inputs.cloud(), inputs.cloud(20, seed=4)
    model = xembed.depth.TTEDepth(distance=distance, contamination=0.1).fit(X)
    found = {
        "offset": model.offset_,
        "scores": model.score_samples(new),
        "decisions": model.decision_function(new),
        "labels": model.predict(new),
        "n": model.n_reference_,
    }
    if distance == "cosine":
        parts = xembed.depth.TTEDepth().partial_fit(X[:30]).partial_fit(X[30:50])
        parts = parts.merge(xembed.depth.TTEDepth().fit(X[50:])).calibrate(X)
        found |= {"resultant": model.resultant_, "merged": parts.score_samples(new), "merged_offset": parts.offset_}
    return found


# ---- rows of several blocks


@case
def many_rows():
    X, other = inputs.cloud(5000, 4), inputs.cloud(4200, 4, seed=2)
    depth = xembed.depth
    found = {
        "cosine": depth.tte_depth(X, other),
        "float32": depth.tte_depth(X.astype(np.float32)),
        "chord": depth.tte_depth(X, distance="chord"),
        "moments": depth.tte_depth(X, other, distance="chord", method="moments"),
        "local": depth.local_depth(X[:4300], other),
    }
    return {name: inputs.brief(values) for name, values in found.items()}


@case
def repeated_rows():
    X = np.repeat(inputs.cloud(12), 5, axis=0)
    return {
        "depth": xembed.depth.tte_depth(X, distance="angular"),
        "local": xembed.depth.local_depth(X),
        "outliers": xembed.depth.find_outliers(X),
        "few": xembed.depth.find_outliers(X[:22]),
        "chosen": xembed.depth.select(X, 6),
    }


@case
def estimator_of_parts():
    X = inputs.cloud()
    fit = xembed.depth.TTEDepth("chord").fit
    merged = fit(X[:50]).merge(fit(X[50:])).calibrate(X)
    return {"offset": merged.offset_, "n": merged.n_reference_, "scores": merged.score_samples(X[:10])}
