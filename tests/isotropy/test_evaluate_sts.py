"""evaluate_sts: correlations as scipy has them, paired bootstrap, what counts as fitted on the test, errors."""

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from planted import Planted, make_pairs, make_texts

from xembed.datasets import STSPairs, TextTable, load_sts
from xembed.isotropy import STSResult, evaluate_sts
from xembed.isotropy._sts import overlap
from xembed.stats import _correlations as _sts_resampling
from xembed.stats._correlations import correlate


@pytest.fixture
def pairs():
    return make_pairs("mine")


def embeddings(n, seed=0, d=5):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)), rng.normal(size=(n, d))


def cosines(U, V):
    return np.sum(U * V, axis=1) / np.linalg.norm(U, axis=1) / np.linalg.norm(V, axis=1)


# ------------------------------------------------------------------------------------------------- values


@pytest.mark.parametrize(
    ("similarity", "function"),
    [
        ("cosine", cosines),
        ("dot", lambda U, V: np.sum(U * V, axis=1)),
        ("euclidean", lambda U, V: -np.linalg.norm(U - V, axis=1)),
    ],
)
def test_equals_scipy(pairs, similarity, function):
    U, V = embeddings(len(pairs))
    found = evaluate_sts((U, V), pairs, similarity=similarity, n_resamples=0).all
    expected = function(U, V)
    assert found.spearman == pytest.approx(scipy.stats.spearmanr(expected, pairs.scores).statistic, abs=1e-12)
    assert found.pearson == pytest.approx(scipy.stats.pearsonr(expected, pairs.scores).statistic, abs=1e-12)
    assert (found.name, found.n_pairs, found.spearman_low, found.pearson_high) == ("all", 150, None, None)


def test_golden_value():
    # Angles of 0, 30, 60 and 90 degrees and their scores: ranks 4 3 2 1 and 3 4 2 1, so rho = 1 - 6 * 2 / (4 * 15).
    angles = np.deg2rad([0, 30, 60, 90])
    U, V = np.tile([1.0, 0.0], (4, 1)), np.column_stack([np.cos(angles), np.sin(angles)])
    pairs = STSPairs("mine", list("abcd"), list("efgh"), [4, 5, 2, 1])
    found = evaluate_sts([U, V], pairs, n_resamples=0)
    assert found.all.spearman == pytest.approx(0.8)
    assert found.sets[0].name == "mine"
    assert found.sets[0].spearman == found.all.spearman == found.mean.spearman


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=4, max_size=40), st.integers(0, 3))
@settings(max_examples=50, deadline=None)
def test_resamples_equal_scipy_on_the_drawn_pairs(values, seed):
    x, y = np.array(values, dtype=float).T
    sizes = [len(x) // 2, len(x) - len(x) // 2]
    found = correlate(x[None], y, sizes, 4, np.random.default_rng(seed))
    counts = np.concatenate(list(_sts_resampling._counts(sizes, 4, np.random.default_rng(seed))))
    assert (counts[:, : sizes[0]].sum(axis=1) == sizes[0]).all()
    units = [slice(0, sizes[0]), slice(sizes[0], None), slice(None)]
    for b, drawn in enumerate(counts.astype(int)):
        for u, unit in enumerate(units):
            rows = np.repeat(np.arange(len(x))[unit], drawn[unit])
            if np.ptp(x[rows]) == 0 or np.ptp(y[rows]) == 0:
                assert np.isnan(found.resampled[b, 0, u]).all()
            else:
                expected = [scipy.stats.spearmanr(x[rows], y[rows])[0], scipy.stats.pearsonr(x[rows], y[rows])[0]]
                np.testing.assert_allclose(found.resampled[b, 0, u], expected, atol=1e-10)
    np.testing.assert_allclose(found.resampled[:, :, 3], found.resampled[:, :, :2].mean(axis=2))


def test_blocks_do_not_matter(pairs, monkeypatch):
    U, V = embeddings(2 * len(pairs))
    sets = [pairs, make_pairs("second", seed=1)]
    whole = evaluate_sts((U, V), sets, n_resamples=50).to_frame()
    monkeypatch.setattr(_sts_resampling, "_ELEMENTS", 1000)
    found = evaluate_sts((U, V), sets, n_resamples=50).to_frame()
    pd.testing.assert_frame_equal(found, whole, rtol=1e-12)  # sums of other blocks are rounded otherwise


def test_interval_is_that_of_scipy_s_bootstrap(pairs):
    U, V = (
        np.array([Planted(common=0).vector(t) for t in pairs.first]),
        np.array([Planted(common=0).vector(t) for t in pairs.second]),
    )
    found = evaluate_sts((U, V), pairs, n_resamples=4000).all
    theirs = scipy.stats.bootstrap(
        (cosines(U, V), pairs.scores),
        lambda x, y: scipy.stats.spearmanr(x, y).statistic,
        paired=True,
        vectorized=False,
        method="percentile",
        n_resamples=1500,
        rng=np.random.default_rng(0),
    ).confidence_interval
    assert found.spearman_low == pytest.approx(theirs.low, abs=0.02)
    assert found.spearman_high == pytest.approx(theirs.high, abs=0.02)
    assert found.spearman_low < found.spearman < found.spearman_high


def test_covers_the_correlation_of_the_population():
    # Bivariate normal with rho = 0.6: Spearman's correlation is 6/pi arcsin(rho/2).
    truth, covered = 6 / np.pi * np.arcsin(0.3), 0
    rng = np.random.default_rng(1)
    for _ in range(200):
        x = rng.normal(size=80)
        y = 0.6 * x + 0.8 * rng.normal(size=80)
        found = correlate(x[None], y, [80], 300, rng)
        low, high = _sts_resampling.interval(found.resampled[:, 0, 0, 0], 0.9)
        covered += low < truth < high
    assert 0.83 <= covered / 200 <= 0.96


def test_all_is_not_mean(pairs):
    # Two sets, each perfectly ordered, on different levels of similarity: only "all" mixes them.
    angles = np.deg2rad([10, 20, 30, 60, 70, 80])
    U, V = np.tile([1.0, 0.0], (6, 1)), np.column_stack([np.cos(angles), np.sin(angles)])
    sets = [STSPairs(name, list("abc"), list("def"), [3, 2, 1]) for name in ("near", "far")]
    found = evaluate_sts((U, V), sets, n_resamples=20)
    assert [item.spearman for item in found.sets] == pytest.approx([1.0, 1.0])
    assert found.mean.spearman == pytest.approx(1.0)
    expected = scipy.stats.spearmanr(np.cos(angles), [3, 2, 1, 3, 2, 1]).statistic
    assert found.all.spearman == pytest.approx(expected)
    assert found.all.spearman < 0.6
    frame = found.to_frame()
    assert frame["name"].tolist() == ["near", "far", "all", "mean"]
    assert frame["spearman"].tolist() == pytest.approx([100, 100, 100 * expected, 100])
    assert any("fewer than 30 pairs" in note for note in found.notes)


def test_encoder_and_its_vectors_give_the_same(pairs):
    encoder = Planted()
    found = evaluate_sts(encoder, pairs, n_resamples=30)
    by_hand = evaluate_sts((encoder.encode(pairs.first), encoder.encode(pairs.second)), pairs, n_resamples=30)
    assert found.sets[0].to_dict() == by_hand.sets[0].to_dict()
    assert (found.encoder, by_hand.encoder) == ({"model": "Planted"}, None)
    assert sorted(encoder.calls[0]) == sorted(pairs.sentences)


def test_same_call_same_bytes(pairs):
    arrays = embeddings(len(pairs))
    found = evaluate_sts(arrays, pairs, n_resamples=40)
    assert found.to_json() == evaluate_sts(arrays, pairs, n_resamples=40, rng=0).to_json()
    other = evaluate_sts(arrays, pairs, n_resamples=40, rng=1)
    assert (other.all.spearman, other.all.spearman_low != found.all.spearman_low) == (found.all.spearman, True)


@given(scale=st.floats(1e-140, 1e140), shift=st.integers(1, 5))
@settings(max_examples=30, deadline=None)
def test_lengths_do_not_matter_to_cosines(scale, shift):
    pairs = make_pairs("mine", n=20)
    U, V = embeddings(20)
    found = evaluate_sts((U * scale, V * shift), pairs, n_resamples=0).all.spearman
    assert found == pytest.approx(evaluate_sts((U, V), pairs, n_resamples=0).all.spearman, abs=1e-12)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.int64])
def test_types(pairs, dtype):
    U, V = ((10 * X).astype(dtype) for X in embeddings(len(pairs)))
    found = evaluate_sts((U, V), pairs, n_resamples=0).all.pearson
    expected = scipy.stats.pearsonr(cosines(U.astype(float), V.astype(float)), pairs.scores).statistic
    assert found == pytest.approx(expected, abs=1e-9)


def test_round_trip(pairs):
    found = evaluate_sts(embeddings(len(pairs)), pairs, n_resamples=20, fit_on="elsewhere")
    again = STSResult.from_json(found.to_json())
    assert again.to_json() == found.to_json()
    assert again.sets[0].spearman == found.sets[0].spearman
    assert repr(found).startswith("STSResult(n_sets=1, spearman_all=")


def test_unscored_pairs_are_told():
    pairs = STSPairs("mine", list("abc"), list("def"), [1, 2, 3], n_unscored=4)
    assert any("4 pairs without a score" in n for n in evaluate_sts(embeddings(3), pairs, n_resamples=0).notes)


# ------------------------------------------------------------------------------------------------- fitted on what


@pytest.mark.parametrize(
    ("fit_on", "name", "share", "transductive"),
    [
        (None, None, None, False),
        ("elsewhere", "elsewhere", None, False),
        ("mine", "mine", None, True),
        (make_texts(), "fit_on", 0.0, False),
        (TextTable("table", make_texts()), "table", 0.0, False),
        (TextTable("mine", make_texts()), "mine", 0.0, True),
        (make_pairs("mine"), "mine", 1.0, True),
        ([make_pairs("one", seed=3), make_pairs("two", seed=4)], "one + two", 0.0, False),
        ([text.upper() + "!" for text in make_pairs("mine").first], "fit_on", 0.5, True),
        ([*make_texts(), *make_pairs("mine").first[:15]], "fit_on", 0.05, False),
    ],
)
def test_fit_on(pairs, fit_on, name, share, transductive):
    found = evaluate_sts(embeddings(len(pairs)), pairs, n_resamples=0, fit_on=fit_on)
    assert found.fit_on == name
    assert found.fit_overlap == (None if share is None else pytest.approx(share))
    assert found.transductive is transductive
    assert any(note.startswith("Transductive") for note in found.notes) is transductive
    assert any("5.0% of the test's sentences" in note for note in found.notes) is (share == 0.05)


def test_one_set_of_several_is_enough_to_be_transductive(pairs):
    sets = [pairs, *(make_pairs(f"set {i}", seed=i, n=400) for i in (1, 2, 3))]
    found = evaluate_sts(embeddings(1350), sets, n_resamples=0, fit_on=list(pairs.first))
    assert found.fit_overlap < 0.1
    assert found.transductive


def test_overlap_passes_over_case_and_punctuation():
    assert overlap(["A plane lands.", "a plane lands", "Rain"], ["a plane lands ."]) == 0.5
    assert overlap(["?!"], ["!?"]) == 0.0
    assert overlap(["?!"], ["?!"]) == 1.0


# ------------------------------------------------------------------------------------------------- errors


def broken(row, value, which=0):
    arrays = embeddings(150)
    arrays[which][row] = value
    return arrays


@pytest.mark.parametrize(
    ("arrays", "error", "match"),
    [
        (broken(3, 0.0), ValueError, r"first sentences\) holds 1 row that is zero \(first: row 3\)"),
        (
            broken(4, np.nan, 1),
            ValueError,
            r"second sentences\) holds 1 row that is not finite \(NaN or inf\) \(first: row 4\)",
        ),
        (broken(4, np.inf), ValueError, "not finite"),
        (embeddings(149), ValueError, r"first sentences\) must have one row a pair. Got 149 rows for 150 pairs"),
        ((embeddings(150)[0], np.ones((150, 3))), ValueError, "same number of dimensions. Got 5 and 3"),
        ((np.ones((150, 3)), np.ones((150, 3))), ValueError, "similarities of the pairs of 'mine' must differ"),
        (np.ones((150, 3)), TypeError, "must be an encoder .* or a pair of arrays"),
        ("encoder", TypeError, "must be an encoder|'encoder' parameter"),
        (embeddings(150)[:1], TypeError, "must be an encoder .* or a pair of arrays"),
        ((["a"], ["b"]), TypeError, "Got texts: embed them first"),
    ],
)
def test_bad_embeddings(pairs, arrays, error, match):
    with pytest.raises(error, match=match):
        evaluate_sts(arrays, pairs, n_resamples=0)


@pytest.mark.parametrize("similarity", ["dot", "euclidean"])
def test_huge_numbers_are_refused_where_they_overflow(pairs, similarity):
    U, V = embeddings(len(pairs))
    U[5] *= 1e200
    with pytest.raises(ValueError, match=f"pair 5 must be small enough for their {similarity} similarity"):
        evaluate_sts((U, U if similarity == "dot" else V), pairs, similarity=similarity)
    assert abs(evaluate_sts((U, V), pairs, n_resamples=0).all.spearman) < 1


def test_zero_rows_are_fine_without_cosines(pairs):
    assert -1 < evaluate_sts(broken(3, 0.0), pairs, similarity="dot", n_resamples=0).all.spearman < 1


def test_a_zero_embedding_is_named_by_its_text(pairs):
    class Zero(Planted):
        def vector(self, text):
            return super().vector(text) * (text != pairs.first[2])

    with pytest.raises(ValueError, match=f"1 row that is zero .* It is that of '{pairs.first[2]}'"):
        evaluate_sts(Zero(), pairs)


@pytest.mark.parametrize(
    ("sets", "error", "match"),
    [
        (None, TypeError, "'pairs' parameter of evaluate_sts must be STSPairs or a list"),
        ([], TypeError, "'pairs' parameter of evaluate_sts must be STSPairs or a list"),
        (["a"], TypeError, "'pairs' parameter of evaluate_sts must be STSPairs or a list"),
        ([make_pairs("a"), make_pairs("a")], ValueError, "sets of different names. Got 'a' twice"),
        (STSPairs("a", ["b", "c"], ["d", "e"], [1, 2]), ValueError, "'a' must hold at least 3 pairs"),
        (
            STSPairs("a", list("bcd"), list("efg"), [2, 2, 2]),
            ValueError,
            "scores of 'a' must differ .* Got 2 for all 3",
        ),
    ],
)
def test_bad_pairs(sets, error, match):
    with pytest.raises(error, match=match):
        evaluate_sts(Planted(), sets)


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"similarity": "manhattan"}, ValueError, "'similarity' parameter of evaluate_sts"),
        ({"n_resamples": -1}, ValueError, "'n_resamples' parameter of evaluate_sts"),
        ({"confidence_level": 1.0}, ValueError, "'confidence_level' parameter of evaluate_sts"),
        ({"rng": "a"}, TypeError, "'rng' parameter of evaluate_sts"),
        ({"fit_on": 3}, TypeError, "'fit_on' parameter of evaluate_sts must be a list of texts"),
        ({"fit_on": []}, ValueError, "fit_on must hold at least 1 text"),
    ],
)
def test_bad_options(pairs, options, error, match):
    with pytest.raises(error, match=match):
        evaluate_sts(Planted(), pairs, **options)


# ------------------------------------------------------------------------------------------------- real data


@pytest.mark.slow
def test_all_minilm_on_sts_b_dev(real_data, encoder):
    (dev,) = load_sts(real_data / "sts" / "STSBenchmark" / "sts-dev.csv")
    found = evaluate_sts(encoder, dev.sample(300), n_resamples=200).all
    assert found.spearman == pytest.approx(0.8633, abs=0.005)
    assert found.spearman_low < 0.8672 < found.spearman_high  # that of all 1,500 pairs
