"""layer_profile: one pass, and the same numbers as by hand."""

import numpy as np
import pytest
import scipy.stats
from sklearn.preprocessing import StandardScaler

from xembed.datasets import STSPairs, TextTable, load_corpora, load_sts
from xembed.encoders import encode_layers
from xembed.isotropy import LayerProfile, Whitening, layer_profile, measure

TEXTS = load_corpora("news_briefs").texts[:60]
PAIRS = STSPairs("mine", TEXTS[:30], [*TEXTS[:10], *TEXTS[30:50]], [5] * 5 + [4] * 5 + list(np.linspace(3, 0, 20)))


@pytest.fixture(scope="module")
def arrays(encoder):
    return encode_layers(encoder, TEXTS, poolings=("mean", "cls"))


@pytest.fixture(scope="module")
def profile(encoder):
    return layer_profile(
        encoder,
        TEXTS,
        layers=[0, 3, -1],
        corrections={"center": StandardScaler(with_std=False), "soft": Whitening("zca", power=0.5)},
        fit_texts=TextTable("fit", TEXTS[20:]),
        sts=PAIRS,
    )


def test_rows(profile):
    keys = [(row.layer, row.pooling, row.correction) for row in profile.rows]
    expected = [
        (layer, pooling, correction)
        for layer in (0, 3, 6)
        for pooling in ("mean", "cls")
        for correction in ("raw", "center", "soft")
        if (layer, pooling) != (0, "cls") or correction == "raw"
    ]
    assert keys == expected
    assert (profile.layers, profile.n_blocks, profile.poolings) == ((0, 3, 6), 6, ("mean", "cls"))
    assert (profile.n_texts, profile.n_fit, profile.fit_on, profile.sts) == (60, 40, "fit", ("mine",))
    assert profile.corrections["center"] == "StandardScaler(with_std=False)"
    assert profile.row(-1).layer == 6
    with pytest.raises(KeyError, match="no row of layer 5, pooling 'mean' and correction 'raw'"):
        profile.row(5)


@pytest.mark.parametrize("layer", [0, 3, 6])
@pytest.mark.parametrize("correction", ["raw", "center", "soft"])
def test_numbers_are_those_by_hand(profile, arrays, layer, correction):
    X = arrays[layer, "mean"].astype(float)
    if correction == "center":
        X = X - X[20:].mean(axis=0)  # the mean of the texts of the fit
    if correction == "soft":
        X = Whitening("zca", power=0.5).fit(X[20:]).transform(X)
    row = profile.row(layer, "mean", correction)
    expected = measure(X, metrics=["debiased_isoscore", "average_cosine"])
    for found, value in zip(row.measures, expected.measures, strict=True):
        assert found.name == value.name
        assert found.value == pytest.approx(value.value, abs=1e-4)
    U = X / np.linalg.norm(X, axis=1, keepdims=True)
    at = [TEXTS.index(text) for text in PAIRS.first], [TEXTS.index(text) for text in PAIRS.second]
    similarities = np.sum(U[at[0]] * U[at[1]], axis=1).round(9)
    assert row.sts.spearman == pytest.approx(scipy.stats.spearmanr(similarities, PAIRS.scores).statistic, abs=0.01)


def test_first_token_of_layer_0_has_no_numbers(profile):
    row = profile.row(0, "cls")
    assert (row.measures, row.sts) == ((), None)
    assert any("no correlation" in note for note in profile.notes)


def test_one_pass(encoder, monkeypatch):
    transformer = type(encoder.model[0])
    forward, calls = transformer.forward, []
    monkeypatch.setattr(transformer, "forward", lambda self, *args, **kw: calls.append(1) or forward(self, *args, **kw))
    center = {"center": StandardScaler(with_std=False)}
    layer_profile(encoder, TEXTS, corrections=center, fit_texts=TEXTS[:30], sts=PAIRS, batch_size=60)
    assert len(calls) == 2  # a look at the model, and all texts


def test_default_corrections_and_intervals(encoder):
    sets = [PAIRS, STSPairs("second", TEXTS[:30], TEXTS[30:], np.linspace(0, 5, 30))]
    found = layer_profile(
        encoder, TEXTS, poolings="mean", layers=[6], corrections="default", sts=sets, metrics="average_cosine",
        n_resamples=60,
    )  # fmt: skip
    assert found.rows[0].correction == "raw"
    assert len(found.rows) == 8
    # Fewer texts than dimensions: all whitened texts of the fit are equally far from each other.
    assert [row.correction for row in found.rows if row.sts is None] == ["whitening"]
    measured = [row.sts for row in found.rows if row.sts is not None]
    assert {sts.name for sts in measured} == {"mean"}
    assert all(sts.spearman_low <= sts.spearman <= sts.spearman_high for sts in measured)
    assert [measure.name for measure in found.rows[0].measures] == ["average_cosine"]
    assert found.rows[0].measures[0].low < found.rows[0].measures[0].high
    assert found.transductive
    assert (found.fit_on, found.fit_overlap) == ("texts", 1.0)
    assert any(note.startswith("Transductive") for note in found.notes)
    assert any("60 texts for 384 dimensions" in note for note in found.notes)
    assert "spearman_low" in found.to_frame().columns


def test_raw_only(encoder):
    found = layer_profile(encoder, TEXTS[:20], layers=[2], poolings=["mean"])
    assert (len(found.rows), found.corrections, found.n_fit, found.fit_on) == (1, {}, 0, None)
    assert (found.transductive, found.fit_overlap, found.rows[0].sts) == (False, None, None)
    assert list(found.to_frame().columns) == [
        "layer", "pooling", "correction", "debiased_isoscore", "average_cosine",
    ]  # fmt: skip


def test_round_trip_and_same_bytes(profile, encoder):
    assert LayerProfile.from_json(profile.to_json()).to_json() == profile.to_json()
    options = {"layers": [1], "poolings": "mean", "sts": PAIRS, "n_resamples": 20}
    assert (
        layer_profile(encoder, TEXTS, **options).to_json() == layer_profile(encoder, TEXTS, rng=0, **options).to_json()
    )


class Lengths:
    def encode(self, texts):
        return [[len(text)] for text in texts]


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"encoder": Lengths()}, TypeError, "must be an Encoder"),
        ({"texts": "one"}, TypeError, "'texts' parameter of layer_profile must be a list"),
        ({"texts": []}, ValueError, "texts must hold at least 1 text"),
        ({"poolings": "median"}, ValueError, "'poolings' parameter"),
        ({"layers": [7]}, ValueError, r"integers in \[-7, 6\]"),
        ({"metrics": "beauty"}, ValueError, "'metrics' parameter of layer_profile"),
        ({"metrics": 3}, TypeError, "'metrics' parameter of layer_profile"),
        ({"corrections": "all"}, TypeError, "'corrections' parameter of layer_profile must be 'default' or a mapping"),
        ({"corrections": {}}, TypeError, "'corrections' parameter of layer_profile must be 'default' or a mapping"),
        ({"corrections": {"raw": Whitening()}}, ValueError, "strings other than 'raw' and 'none'"),
        ({"corrections": {"w": Whitening}}, TypeError, "must have .fit and .transform.*Make one of the class"),
        ({"corrections": {"w": 3}}, TypeError, "must have .fit and .transform. Got 3 as 'w'"),
        ({"fit_texts": 3}, TypeError, "'fit_texts' parameter of layer_profile"),
        ({"sts": ["a"]}, TypeError, "'sts' parameter of layer_profile must be STSPairs"),
        ({"n_resamples": -1}, ValueError, "'n_resamples' parameter of layer_profile"),
        ({"confidence_level": 2}, ValueError, "'confidence_level' parameter of layer_profile"),
        ({"rng": "a"}, TypeError, "'rng' parameter of layer_profile"),
        ({"corrections": {"w": Whitening()}, "fit_texts": ["one"]}, ValueError, "'w' can't be fitted to 1 rows"),
        ({"corrections": {"w": Whitening()}, "fit_texts": ["one"] * 3}, ValueError, "'w' can't be fitted to 3 rows"),
    ],
)
def test_errors(encoder, options, error, match):
    with pytest.raises(error, match=match):
        layer_profile(**({"encoder": encoder, "texts": TEXTS[:15], "poolings": "mean"} | options))


@pytest.mark.slow
def test_lower_layers_gain_from_whitening_and_the_output_does_not(real_data, encoder):
    """On STS-B dev, fitted on sentences of the train part: the orders of the table in the specification."""
    folder = real_data / "sts" / "STSBenchmark"
    (train,), (dev,) = load_sts(folder / "sts-train.csv"), load_sts(folder / "sts-dev.csv")
    dev = dev.sample(150)
    profile = layer_profile(
        encoder,
        dev,
        poolings="mean",
        layers=[0, 3, 6],
        corrections={"soft": Whitening("zca", power=0.5)},
        fit_texts=train.sample(250),
        sts=dev,
        metrics="average_cosine",
    )
    assert not profile.transductive
    gains = {
        layer: profile.row(layer, "mean", "soft").sts.spearman - profile.row(layer).sts.spearman for layer in (0, 3, 6)
    }
    assert min(gains[0], gains[3]) > 0.05
    assert gains[6] < 0
    assert profile.row(6).sts.spearman > max(row.sts.spearman for row in profile.rows if row.layer < 6)
    assert profile.row(0).measures[0].value > 0.3 > 0.1 > profile.row(6).measures[0].value
