"""compare_corrections: what it recommends on planted data, and that the fit stays away from the test."""

import numpy as np
import pytest
from planted import Planted, make_pairs, make_texts
from sklearn.base import BaseEstimator
from sklearn.preprocessing import StandardScaler

from xembed.datasets import STSPairs, TextTable
from xembed.isotropy import (
    AllButTheTop,
    CorrectionsResult,
    Gain,
    Standardize,
    compare_corrections,
    evaluate_sts,
    linear_probe,
    measure,
    neighbor_overlap,
)
from xembed.isotropy._compare import Scores, recommend

FIT = make_texts()
TUNE, TEST = make_pairs("tune", seed=1), make_pairs("test", seed=2)
SECOND = make_pairs("second", n=60, seed=3)
CENTER = StandardScaler(with_std=False)
CORRECTIONS = {"center": CENTER, "standardize": Standardize(), "top": AllButTheTop(n_components=1)}


class Noise(BaseEstimator):
    """A correction that destroys everything."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return np.random.default_rng(0).normal(size=np.shape(X))


class Nothing(BaseEstimator):
    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return X


class Zero(Nothing):
    def transform(self, X):
        return 0.0 * X


class Same(Nothing):
    def transform(self, X):
        return np.ones_like(X)


class Recorder(Nothing):
    def __init__(self, seen=None):
        self.seen = seen

    def get_params(self, deep=True):
        return {}

    def __sklearn_clone__(self):
        return self

    def fit(self, X, y=None):
        self.seen = X
        return self


@pytest.fixture(scope="module")
def planted():
    return compare_corrections(
        Planted(), fit_texts=FIT, tune=TUNE, test=[TEST, SECOND], corrections=CORRECTIONS, n_resamples=200
    )


def test_finds_what_helps(planted):
    assert planted.recommendation == "top"
    assert planted.row("top").test_gain.low > 0.1
    assert planted.row("top").tune.spearman == max(row.tune.spearman for row in planted.rows)
    assert planted.reason.startswith("top has the best correlation on the tune pairs (")
    assert "95 % interval +" in planted.reason
    assert [row.name for row in planted.rows] == ["raw", "center", "standardize", "top"]


def test_numbers_are_those_of_the_parts(planted):
    encoder = Planted()
    F, sentences = encoder.encode(FIT), list(dict.fromkeys((*TEST.sentences, *SECOND.sentences)))
    X = encoder.encode(sentences)
    fitted = AllButTheTop(n_components=1).fit(F)
    row = planted.row("top")
    U, V = (
        fitted.transform(encoder.encode(side))
        for side in ([*TEST.first, *SECOND.first], [*TEST.second, *SECOND.second])
    )
    by_hand = evaluate_sts((U, V), [TEST, SECOND], n_resamples=0)
    assert [found.spearman for found in row.tests] == pytest.approx([found.spearman for found in by_hand.sets])
    assert row.test.spearman == pytest.approx(by_hand.mean.spearman)
    assert row.test.name == "mean"
    raw = planted.row("raw")
    assert row.test_gain.value == pytest.approx(row.test.spearman - raw.test.spearman)
    assert [gain.name for gain in row.test_gains] == ["test", "second"]
    assert row.tune_gain.value == pytest.approx(row.tune.spearman - raw.tune.spearman)
    assert (raw.test_gain, raw.test_gains, raw.neighbor_overlap, raw.tune_gain) == (None, (), None, None)
    names = ["debiased_isoscore", "average_cosine", "partition_isotropy", "uniformity", "hubness"]
    expected = measure(fitted.transform(X), metrics=names)
    assert [found.name for found in row.measures] == [found.name for found in expected.measures]
    assert [m.value for m in row.measures] == pytest.approx([m.value for m in expected.measures])
    assert row.neighbor_overlap.value == neighbor_overlap(X, fitted.transform(X), n_resamples=0).value
    assert planted.measured_on == "test + second"


def test_gains_are_paired():
    same = compare_corrections(
        Planted(), fit_texts=FIT, tune=TUNE, test=TEST, corrections={"nothing": Nothing()}, n_resamples=50
    )
    gain = same.row("nothing").test_gain
    assert (gain.value, gain.low, gain.high) == (0.0, 0.0, 0.0)
    assert same.row("nothing").neighbor_overlap.value == 1.0
    assert same.recommendation == "none"  # no better than raw


def test_keeps_raw_where_corrections_harm():
    encoder = Planted(common=0.0)
    encoder_texts = {"noise": Noise()}
    found = compare_corrections(encoder, fit_texts=FIT, tune=TUNE, test=TEST, corrections=encoder_texts, n_resamples=50)
    assert found.recommendation == "none"
    assert "no correction has a higher correlation than raw embeddings" in found.reason
    assert found.row("noise").test_gain.high < 0


def test_only_the_fit_texts_are_fitted_on():
    recorder = Recorder()
    encoder = Planted()
    compare_corrections(encoder, fit_texts=FIT, tune=TUNE, test=TEST, corrections={"r": recorder}, n_resamples=20)
    np.testing.assert_array_equal(recorder.seen, encoder.encode(FIT))


def test_corrections_are_copied():
    correction = Standardize()
    compare_corrections(Planted(), fit_texts=FIT, corrections={"s": correction})
    assert not hasattr(correction, "mean_")


def test_each_text_is_encoded_once():
    encoder = Planted()
    compare_corrections(encoder, fit_texts=TUNE, tune=TUNE, test=TEST, corrections=CORRECTIONS, n_resamples=20)
    (texts,) = encoder.calls
    assert sorted(texts) == sorted({*TUNE.sentences, *TEST.sentences})


# ------------------------------------------------------------------------------------------------- the rule


def gain(low, high):
    return Gain("mean", "spearman", (low + high) / 2, low, high)


@pytest.mark.parametrize(
    ("scores", "recommendation", "sentence"),
    [
        (
            [(0.5, 0.5, None), (0.7, 0.6, gain(0.05, 0.15))],
            "c1",
            "raises the correlation from 50.0 to 60.0 (+10.0 points",
        ),
        (
            [(0.5, 0.5, None), (0.7, 0.6, gain(-0.01, 0.15))],
            "none",
            "no significant gain: the correlation changes from 50.0 to 60.0",
        ),
        (
            [(0.5, 0.5, None), (0.7, 0.4, gain(-0.2, -0.1))],
            "none",
            "no significant gain: the correlation changes from 50.0 to 40.0",
        ),
        ([(0.5, 0.5, None), (0.4, 0.6, gain(0.05, 0.15))], "none", "no correction has a higher correlation than raw"),
        ([(0.5, 0.5, None), (0.5, 0.6, gain(0.05, 0.15))], "none", "no correction has a higher correlation than raw"),
        ([(0.5, 0.5, None), (0.7, 0.6, Gain("a", "spearman", 0.1, None, None))], "none", "too few for an interval"),
        (
            # The best on the tune set counts, not the best on the test set.
            [(0.5, 0.5, None), (0.7, 0.5, gain(-0.1, 0.1)), (0.6, 0.9, gain(0.3, 0.5))],
            "none",
            "c1 has the best correlation on the tune pairs",
        ),
    ],
)
def test_rule(scores, recommendation, sentence):
    rows = [Scores("raw" if i == 0 else f"c{i}", *score, "correlation") for i, score in enumerate(scores)]
    found, reason = recommend(rows, 0.95, has_tune=True, has_test=True)
    assert found == recommendation
    assert sentence in reason


def test_a_tie_of_intervals_with_zero_is_no_gain():
    rows = [Scores("raw", 0.5, 0.5, None, "accuracy"), Scores("c", 0.6, 0.6, gain(0.0, 0.2), "accuracy")]
    assert recommend(rows, 0.9, has_tune=False, has_test=False)[0] == "none"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, "isotropy alone is no reason"),
        ({"tune": TUNE}, "there are no test pairs"),
        ({"test": TEST}, "there are no tune pairs"),
    ],
)
def test_no_recommendation_without_evidence(options, sentence):
    found = compare_corrections(Planted(), fit_texts=FIT, corrections=CORRECTIONS, n_resamples=20, **options)
    assert found.recommendation is None
    assert sentence in found.reason
    assert found.measured_on == {(): "fit_texts", ("tune",): "tune", ("test",): "test"}[tuple(options)]


# ------------------------------------------------------------------------------------------------- labels


@pytest.mark.parametrize("as_table", [False, True])
def test_labels(as_table):
    texts = make_texts(240, name="labeled", seed=11, topics=3)
    labels = [f"topic {text.split(':')[1]}" for text in texts]
    options = {"texts": TextTable("table", texts, labels=labels)} if as_table else {"texts": texts, "labels": labels}
    corrections = {"noise": Noise(), "standardize": Standardize()}
    found = compare_corrections(Planted(noise=2.0), fit_texts=FIT, corrections=corrections, n_resamples=50, **options)
    assert found.recommendation == "none"
    assert "half of the labeled texts" in found.reason or "the other half" in found.reason
    raw, noise = found.row("raw"), found.row("noise")
    assert raw.probe.n_texts + raw.probe_tune.n_texts == 240
    assert abs(raw.probe.n_texts - raw.probe_tune.n_texts) <= 3
    assert raw.probe.accuracy > noise.probe.accuracy + 0.2
    assert noise.probe_gain.high < 0
    assert noise.probe_gain.value == pytest.approx(noise.probe.accuracy - raw.probe.accuracy)
    assert raw.probe_gain is None
    assert found.row("standardize").probe_gain.value == 0.0  # the probe standardizes anyway
    assert raw.probe.accuracy == pytest.approx(
        linear_probe(Planted(noise=2.0).encode(texts), labels, n_resamples=0).accuracy, abs=0.1
    )


def test_pairs_come_before_labels():
    texts = make_texts(120, name="labeled", seed=11, topics=3)
    found = compare_corrections(
        Planted(), fit_texts=FIT, tune=TUNE, test=TEST, texts=texts, labels=[text.split(":")[1] for text in texts],
        corrections=CORRECTIONS, n_resamples=50,
    )  # fmt: skip
    assert "tune pairs" in found.reason
    assert found.row("raw").probe is not None


# ------------------------------------------------------------------------------------------------- fit and test


def test_fitting_on_the_test_is_refused_or_marked():
    options = {"tune": TUNE, "test": TEST, "corrections": {"center": CENTER}, "n_resamples": 20}
    for fit in (TEST, list(TEST.first), TextTable("test", FIT)):
        with pytest.raises(ValueError, match="'fit_texts' of compare_corrections must not be those of the test"):
            compare_corrections(Planted(), fit_texts=fit, **options)
    found = compare_corrections(Planted(), fit_texts=TEST, transductive=True, **options)
    assert found.transductive
    assert found.fit_overlap == {"tune": 0.0, "test": 1.0}
    assert any(note.startswith("Transductive") for note in found.notes)
    clean = compare_corrections(Planted(), fit_texts=FIT, transductive=True, **options)
    assert not clean.transductive
    assert clean.fit_overlap == {"tune": 0.0, "test": 0.0}


def test_overlap_of_tune_and_test_is_told():
    test = STSPairs("other name", TUNE.first, TUNE.second, TUNE.scores)
    found = compare_corrections(
        Planted(), fit_texts=FIT, tune=TUNE, test=test, corrections={"center": CENTER}, n_resamples=20
    )
    assert found.tune_overlap == {"other name": 1.0}
    assert any("not wholly held out" in note for note in found.notes)


def test_few_texts_to_fit_are_told():
    found = compare_corrections(Planted(), fit_texts=FIT[:16], corrections={"center": CENTER})
    assert any("16 texts for 16 dimensions" in note for note in found.notes)


def test_default_corrections():
    found = compare_corrections(Planted(), fit_texts=FIT, tune=TUNE, test=TEST, n_resamples=20)
    assert [row.name for row in found.rows] == [
        "raw", "center", "standardize", "all_but_the_top", "soft_whitening", "whitening", "shrunk_whitening",
        "cluster_isotropy",
    ]  # fmt: skip
    assert "power=0.5" in found.row("soft_whitening").description
    frame = found.to_frame()
    assert {"correction", "debiased_isoscore", "tune", "test test", "gain_low", "neighbor_overlap"} <= set(
        frame.columns
    )
    with pytest.raises(KeyError, match="'other' is not among the corrections compared"):
        found.row("other")


def test_embeddings_by_text():
    encoder = Planted()
    vectors = {text: encoder.vector(text) for text in (*FIT, *TUNE.sentences, *TEST.sentences)}
    options = {"fit_texts": FIT, "tune": TUNE, "test": TEST, "corrections": CORRECTIONS, "n_resamples": 20}
    by_text, by_encoder = compare_corrections(vectors, **options), compare_corrections(encoder, **options)
    assert by_text.row("top").to_dict() == by_encoder.row("top").to_dict()
    assert (by_text.encoder, by_encoder.encoder) == (None, {"model": "Planted"})
    with pytest.raises(ValueError, match=r"one length. Got the shapes \(3,\) and \(16,\)"):
        compare_corrections(vectors | {TEST.first[0]: np.ones(3)}, **options)
    del vectors[TEST.first[0]]
    with pytest.raises(ValueError, match="lacks 1 of"):
        compare_corrections(vectors, **options)


def test_round_trip_and_same_bytes(planted):
    assert CorrectionsResult.from_json(planted.to_json()).to_json() == planted.to_json()
    again = compare_corrections(
        Planted(), fit_texts=FIT, tune=TUNE, test=[TEST, SECOND], corrections=CORRECTIONS, n_resamples=200, rng=0
    )
    assert again.to_json() == planted.to_json()


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"encoder_or_embeddings": np.ones((3, 3))}, TypeError, "must be an encoder .* or a mapping of texts"),
        ({"encoder_or_embeddings": "model"}, TypeError, "must be an encoder .* or a mapping of texts"),
        ({"fit_texts": "one"}, TypeError, "'fit_texts' parameter of compare_corrections"),
        ({"fit_texts": []}, ValueError, "fit_texts must hold at least 1 text"),
        ({"tune": "a"}, TypeError, "'tune' parameter of compare_corrections must be STSPairs"),
        ({"test": [TEST, TEST]}, ValueError, "sets of different names. Got 'test' twice"),
        ({"tune": TEST}, ValueError, "'tune' and 'test' of compare_corrections must be different sets"),
        ({"labels": ["a"]}, ValueError, "must come with 'texts'"),
        ({"texts": FIT, "labels": ["a"]}, ValueError, "one label a text for compare_corrections"),
        ({"texts": FIT, "labels": ["a"] * 191 + ["b"] * 9}, ValueError, "at least 10 texts .* Got 'b' on 9"),
        ({"corrections": "best"}, TypeError, "'corrections' parameter of compare_corrections"),
        ({"corrections": {"none": CENTER}}, ValueError, "strings other than 'raw' and 'none'"),
        ({"corrections": {"same": Same()}}, ValueError, "'same' can't be measured: X must hold rows that differ"),
        ({"corrections": {"zero": Zero()}}, ValueError, "embeddings after 'zero' holds .* rows that are zero"),
        (
            {"corrections": {"top": AllButTheTop(n_components=99)}},
            ValueError,
            "correction 'top' can't be fitted to 200",
        ),
        ({"n_resamples": 19}, ValueError, "integer of at least 20"),
        ({"confidence_level": 0}, ValueError, "'confidence_level' parameter of compare_corrections"),
        ({"transductive": 1}, TypeError, "'transductive' parameter of compare_corrections must be True or False"),
        ({"rng": "a"}, TypeError, "'rng' parameter of compare_corrections"),
    ],
)
def test_errors(options, error, match):
    given = {
        "encoder_or_embeddings": Planted(), "fit_texts": FIT, "tune": TUNE, "test": TEST, "corrections": CORRECTIONS,
        "n_resamples": 20,
    }  # fmt: skip
    with pytest.raises(error, match=match):
        compare_corrections(**(given | options))
