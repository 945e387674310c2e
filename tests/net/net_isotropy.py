"""Cases of xembed.isotropy."""

import functools

import net_inputs as inputs
import numpy as np
from net_record import family, own_folder, variants

import xembed

case = family("isotropy")
FEW = {"n_resamples": 40}


def with_frame(result):
    return {"result": result, "frame": result.to_frame()}


def corrections():
    isotropy = xembed.isotropy
    return {"standardize": isotropy.Standardize(), "all but the top": isotropy.AllButTheTop(2)}


# ---- measures


@case
def measure():
    X = inputs.cloud()
    return {
        "all": with_frame(xembed.isotropy.measure(X)),
        "intervals": with_frame(xembed.isotropy.measure(X, n_resamples=20, confidence_level=0.8, rng=1)),
        "blocks": xembed.isotropy.measure([X[:30], X[30:]]),
        "chosen": xembed.isotropy.measure(X, metrics=["isoscore", "hubness"]),
        "float32": xembed.isotropy.measure(X.astype(np.float32)),
        "fewer rows than dimensions": xembed.isotropy.measure(inputs.cloud(30, 40)),
    }


@case
def measure_texts():
    return xembed.isotropy.measure(inputs.default_encoder().encode(inputs.tickets(40)), n_resamples=20)


@case
def measures():
    isotropy, X, Y = xembed.isotropy, inputs.cloud(), inputs.cloud(seed=2)
    return {
        "average_cosine": isotropy.average_cosine(X),
        "uniformity": [isotropy.uniformity(X), isotropy.uniformity(X, t=1.0, max_rows=40, rng=2)],
        "alignment": [isotropy.alignment(X, Y), isotropy.alignment(X, Y, alpha=1.0)],
        "isoscore": [isotropy.isoscore(X), isotropy.isoscore(X, debiased=True)],
        "effective_rank": isotropy.effective_rank(X),
        "rankme": [isotropy.rankme(X), isotropy.rankme(X, centered=True)],
        "participation_ratio": isotropy.participation_ratio(X),
        "partition_isotropy": isotropy.partition_isotropy(X / 10),
        "intrinsic_dimension": [
            isotropy.intrinsic_dimension(X),
            isotropy.intrinsic_dimension(X, method="mle"),
            isotropy.intrinsic_dimension(X, max_rows=50, rng=3),
        ],
    }


@case
def measures_of_blocks():
    isotropy, X = xembed.isotropy, inputs.cloud()
    blocks = [X[:30], X[30:]]
    names = ("average_cosine", "isoscore", "effective_rank", "rankme", "participation_ratio", "partition_isotropy")
    return {name: getattr(isotropy, name)(blocks) for name in names}


@case
def outlier_dimensions():
    X = inputs.cloud()
    return [
        with_frame(xembed.isotropy.outlier_dimensions(X)),
        xembed.isotropy.outlier_dimensions(X, min_contribution=0.1, min_ratio=2.0),
    ]


@case
def hubness():
    X = inputs.cloud()
    return [
        with_frame(xembed.isotropy.hubness(X)),
        xembed.isotropy.hubness(X, n_neighbors=3, metric="euclidean"),
        xembed.isotropy.hubness(inputs.rng().integers(0, 2, (40, 3)) + 0.5),
    ]


@case
def neighbor_overlap():
    X, Y = inputs.cloud(), inputs.cloud() + inputs.rng(3).normal(size=(80, 10))
    return [
        with_frame(xembed.isotropy.neighbor_overlap(X, Y, **FEW)),
        xembed.isotropy.neighbor_overlap(X, Y, n_neighbors=3, max_rows=50, n_resamples=0, rng=1),
    ]


@case
def linear_probe():
    F, G, _ = inputs.topics()
    labels = ["first"] * len(F) + ["second"] * len(G)
    return [
        with_frame(xembed.isotropy.linear_probe(np.r_[F, G], labels, **FEW)),
        xembed.isotropy.linear_probe(np.r_[F, G], labels, n_splits=3, n_resamples=0, rng=1),
    ]


# ---- corrections

_CORRECTIONS = {
    "standardize": lambda i: i.Standardize(),
    "center": lambda i: i.AllButTheTop(0),
    "all_but_the_top": lambda i: i.AllButTheTop(),
    "all_but_three": lambda i: i.AllButTheTop(3),
    "pca": lambda i: i.Whitening(),
    "zca": lambda i: i.Whitening("zca"),
    "soft": lambda i: i.Whitening("zca", power=0.5),
    "shrunk": lambda i: i.Whitening("zca", shrinkage="ledoit_wolf"),
    "shrunk_by_hand": lambda i: i.Whitening("pca", shrinkage=0.3, n_components=4),
    "ica": lambda i: i.ICAProjection(),
    "ica_of_four": lambda i: i.ICAProjection(4, scale=1.0, random_state=3),
    "clusters": lambda i: i.ClusterIsotropy(3),
    "clusters_by_hand": lambda i: i.ClusterIsotropy(4, n_components=2, random_state=1),
}


@variants("isotropy", **_CORRECTIONS)
def correction(make):
    model = make(xembed.isotropy).fit(inputs.cloud(120))
    new = inputs.cloud(15, seed=6)
    path = own_folder() / "correction.safetensors"
    model.save(path)
    loaded = xembed.isotropy.load_correction(path)
    return {
        "described": model.describe(),
        "learned": {name: value for name, value in sorted(vars(model).items()) if name.endswith("_")},
        "new": model.transform(new),
        "loaded": loaded.transform(new),
        "float32": model.transform(new.astype(np.float32)),
        "names": list(model.get_feature_names_out()),
    }


@case
def default_corrections():
    return {name: repr(value) for name, value in xembed.isotropy.default_corrections().items()}


@case
def wrap():
    encoder = inputs.tiny_encoder()
    texts = inputs.word_texts()[0]
    correction = xembed.isotropy.Whitening("zca", shrinkage=0.1).fit(encoder.encode(texts))
    wrapped = xembed.isotropy.wrap(encoder, correction)
    detailed = wrapped.encode_detailed(texts[:5] + texts[:2])
    return {
        "embeddings": wrapped.encode(texts[:5]),
        "detailed": detailed,
        "described": wrapped.describe(),
        "fingerprint": wrapped.fingerprint,
        "dimension": wrapped.dimension,
        "max_length": wrapped.max_length,
        "of a bag": xembed.isotropy.wrap(
            inputs.Bag(), xembed.isotropy.Standardize().fit(inputs.Bag().encode(texts))
        ).encode(texts[:5]),
    }


# ---- what they do to a task


@case
def compare_corrections():
    return with_frame(
        xembed.isotropy.compare_corrections(
            inputs.Bag(), fit_texts=inputs.word_texts(seed=8)[0], tune=inputs.sts_pairs("tune", 3),
            test=[inputs.sts_pairs("one", 4), inputs.sts_pairs("two", 6)], **FEW,
        )
    )  # fmt: skip


@case
def compare_corrections_by_labels():
    texts, labels = inputs.word_texts()
    return xembed.isotropy.compare_corrections(
        inputs.Bag(), fit_texts=inputs.word_texts(seed=8)[0], texts=texts, labels=labels, corrections=corrections(),
        rng=2, **FEW,
    )  # fmt: skip


@case
def compare_corrections_transductively():
    test = inputs.sts_pairs()
    return xembed.isotropy.compare_corrections(
        inputs.Bag(), fit_texts=test, test=test, corrections=corrections(), transductive=True, **FEW
    )


@case
def compare_corrections_of_vectors():
    test, fit = inputs.sts_pairs(), inputs.word_texts(seed=8)[0]
    texts = [*fit, *test.sentences]
    vectors = dict(zip(texts, inputs.Bag().encode(texts), strict=True))
    return xembed.isotropy.compare_corrections(vectors, fit_texts=fit, test=test, corrections=corrections(), **FEW)


@case
def evaluate_sts():
    sets = [inputs.sts_pairs("one", 4), inputs.sts_pairs("two", 6)]
    vectors = tuple(inputs.Bag().encode(texts) for texts in (sets[0].first, sets[0].second))
    evaluate = functools.partial(xembed.isotropy.evaluate_sts, **FEW)
    return {
        "encoder": with_frame(evaluate(inputs.Bag(), sets)),
        "vectors": evaluate(vectors, sets[0], similarity="dot"),
        "euclidean": evaluate(vectors, sets[0], similarity="euclidean", rng=2),
        "fitted": evaluate(inputs.Bag(), sets, fit_on=inputs.word_texts(seed=8)[0]),
        "without intervals": xembed.isotropy.evaluate_sts(vectors, sets[0], n_resamples=0),
    }


@case
def diagnose_embeddings():
    X = inputs.cloud()
    return {
        "bare": with_frame(xembed.isotropy.diagnose(X, n_resamples=20)),
        "fitted": xembed.isotropy.diagnose(
            X, [f"text {i}" for i in range(80)], fit_texts=inputs.cloud(90, seed=5), labels=["a", "b"] * 40,
            name="mine", corrections=corrections(), n_resamples=20,
        ),
    }  # fmt: skip


@case
def diagnose_encoder():
    texts, labels = inputs.word_texts(n=40)
    result = xembed.isotropy.diagnose(
        inputs.tiny_encoder(), texts, fit_texts=inputs.word_texts(seed=8)[0], tune=inputs.sts_pairs("tune", 3, 30),
        test=inputs.sts_pairs("test", 4, 30), labels=labels, corrections=corrections(), layers=True, n_resamples=20,
    )  # fmt: skip
    return with_frame(result)


@case
def layer_profile():
    encoder, texts = inputs.tiny_encoder(), inputs.word_texts(n=30)[0]
    profile = functools.partial(xembed.isotropy.layer_profile, encoder, texts)
    return {
        "plain": with_frame(profile()),
        "all": with_frame(
            profile(
                poolings=["mean", "max"], corrections=corrections(), fit_texts=inputs.word_texts(seed=8)[0],
                sts=inputs.sts_pairs("tune", 3, 20), metrics="all", n_resamples=20, layers=[0, 2],
            )
        ),
    }  # fmt: skip


@case
def layer_profile_of_the_default_encoder():
    return xembed.isotropy.layer_profile(inputs.default_encoder(), inputs.tickets(20), poolings="mean")


@case
def many_rows():
    X, Y = inputs.cloud(4500, 5), inputs.cloud(4500, 5, seed=2)
    hubs = xembed.isotropy.hubness(X[:3000]).to_dict()
    return {
        "measures": xembed.isotropy.measure(X, n_resamples=20),
        "hubs": hubs | {"k_occurrences": inputs.brief(hubs["k_occurrences"])},
        "overlap": xembed.isotropy.neighbor_overlap(X, Y + X, n_resamples=20),
        "dimension": xembed.isotropy.intrinsic_dimension(X, method="mle"),
        "float32": xembed.isotropy.measure(X.astype(np.float32), metrics=["isoscore", "rankme", "partition_isotropy"]),
        "corrected": {
            name: inputs.brief(correction.fit(X).transform(Y))
            for name, correction in xembed.isotropy.default_corrections().items()
        },
    }


@case
def repeated_rows():
    X = np.repeat(inputs.cloud(12), 5, axis=0)
    return {
        "measures": xembed.isotropy.measure(X, n_resamples=20),
        "hubs": xembed.isotropy.hubness(X),
        "overlap": xembed.isotropy.neighbor_overlap(X, X**2, n_resamples=20),
    }


@case
def rows_of_results():
    texts = inputs.word_texts(n=20)[0]
    compared = xembed.isotropy.compare_corrections(
        inputs.Bag(), fit_texts=inputs.word_texts(seed=8)[0], tune=inputs.sts_pairs(), corrections=corrections(), **FEW
    )
    profile = xembed.isotropy.layer_profile(inputs.tiny_encoder(), texts)
    return [
        compared.row("standardize"),
        profile.row(-1),
        profile.row(1, "cls"),
        xembed.isotropy.measure(inputs.cloud()).measure("isoscore"),
        [repr(result) for result in (compared, profile)],
    ]


@case
def wrap_otherwise():
    encoder, texts = inputs.tiny_encoder(), inputs.word_texts()[0]
    fitted = [
        xembed.isotropy.AllButTheTop(1).fit(encoder.encode(texts)),
        xembed.isotropy.ClusterIsotropy(2).fit(encoder.encode(texts)),
    ]
    twice = xembed.isotropy.wrap(xembed.isotropy.wrap(encoder, fitted[0]), fitted[1])
    return {
        "encoded": twice.encode(texts[:5], cache=False),
        "described": twice.describe(),
        "fingerprint": twice.fingerprint,
        "layers": xembed.isotropy.diagnose(twice, texts[:30], n_resamples=20),
    }
