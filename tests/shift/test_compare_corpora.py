"""What a report is made of: verdicts, warnings, maps, JSON."""

import re

import numpy as np
import pytest

from xembed.depth import tte_depth
from xembed.shift import ShiftResult, compare_corpora, rank_sum_test
from xembed.shift._compare import note_resolution


def corpora(seed=0, n=60, m=50, spread=0.6):
    rng = np.random.default_rng(seed)
    return rng.normal(0.8, 1.0, size=(n, 12)), rng.normal(0.8, spread, size=(m, 12))


def test_numbers_are_those_of_the_functions():
    F, G = corpora()
    result = compare_corpora(F, G)
    assert result.test.pvalue == rank_sum_test(F, G).pvalue
    np.testing.assert_allclose(result.depths_in_F[:60], tte_depth(F), atol=1e-12)
    np.testing.assert_allclose(result.depths_in_F[60:], tte_depth(G, F), atol=1e-12)
    np.testing.assert_allclose(result.depths_in_G[:60], tte_depth(F, G), atol=1e-12)
    np.testing.assert_allclose(result.depths_in_G[60:], tte_depth(G), atol=1e-12)
    np.testing.assert_allclose(result.depths, tte_depth(np.r_[F, G]), atol=1e-12)
    U, V = (X / np.linalg.norm(X, axis=1, keepdims=True) for X in (F, G))
    off = ~np.eye(60, dtype=bool)
    assert result.similarity_within_F == pytest.approx((U @ U.T)[off].mean())
    assert result.similarity_between == pytest.approx((U @ V.T).mean())


def test_verdict_names_the_direction():
    F, collapsed = corpora()
    forward = compare_corpora(F, collapsed, names=("people", "model"), explain=False).verdict
    backward = compare_corpora(collapsed, F, names=("model", "people"), explain=False).verdict
    assert forward.startswith("The corpora differ (p = 0.001, 5 tests, level 5%).")
    within = r"\(p = 0.00\d\): the mean pairwise distance within it is \d\d%"
    assert re.search(rf"“model” is collapsed {within} smaller than within “people”", forward)
    assert re.search(rf"“people” is spread out {within} larger than within “model”", backward)
    none = compare_corpora(F[:30], F[30:], explain=False)
    assert not none.shifted
    assert re.match(r"No difference found \(p = 0\.\d+, 5 tests, level 5%\)\. With these sizes a depth", none.verdict)


def test_alpha_decides():
    F, G = corpora(spread=0.85)
    p = compare_corpora(F, G, n_resamples=199, explain=False).pvalue
    assert compare_corpora(F, G, n_resamples=199, alpha=p, explain=False).shifted
    assert not compare_corpora(F, G, n_resamples=199, alpha=p * 0.99, explain=False).shifted


def test_components_are_those_of_the_battery():
    F, G = corpora()
    result = compare_corpora(F, G, explain=False, n_resamples=199)
    assert [test.name for test in result.tests] == ["depth", "mean", "rbf", "knn", "tail"]
    assert result.pvalue == min(test.adjusted_pvalue for test in result.tests)
    depth = result.tests[0]
    assert depth.effect_size == pytest.approx(result.test.effect_size)
    assert depth.confidence_interval == result.test.confidence_interval
    one = compare_corpora(F, G, explain=False, n_resamples=199, tests=["energy"])
    assert one.tests[0].adjusted_pvalue == one.pvalue == one.tests[0].pvalue
    assert [facet.sentence for facet in one.facets][1:] == ["Not tested."] * 3


def make_alternative(kind, rng, n=200, d=32):
    F, G = rng.normal(size=(n, d)), rng.normal(size=(n, d))
    F[:, 0] += 5
    G[:, 0] += 5
    if kind == "location":
        G[:, 5] += 1
    elif kind == "collapsed":
        G[:, 1:] *= 0.8
    elif kind == "spread":
        G[:, 1:] *= 1.25
    elif kind == "shape":
        G[:, 1:16] *= 1.4
        G[:, 16:31] *= np.sqrt(2 - 1.4**2)
    elif kind == "contamination":
        G[:30, 0] -= 5
    return F, G


@pytest.mark.parametrize("kind", ["location", "collapsed", "spread", "shape", "contamination"])
def test_facets_name_what_was_planted(kind):
    F, G = make_alternative(kind, np.random.default_rng(3))
    result = compare_corpora(F, G, explain=False, n_resamples=399)
    found = {facet.name: facet for facet in result.facets}
    name = {"collapsed": "dispersion", "spread": "dispersion"}.get(kind, kind)
    assert result.shifted and found[name].found
    if kind in {"collapsed", "spread"}:
        assert f"“G” is {'collapsed' if kind == 'collapsed' else 'spread out'}" in found["dispersion"].sentence
        assert (found["dispersion"].effect_size < 0) == (kind == "collapsed")
        low, high = found["dispersion"].confidence_interval
        assert low <= found["dispersion"].effect_size <= high
    if kind in {"location", "shape"}:
        assert not found["dispersion"].found and not found["contamination"].found


def test_fast_mode_says_so_and_agrees():
    F, G = make_alternative("collapsed", np.random.default_rng(0))
    fast = compare_corpora(F, G, mode="fast", explain=False)
    assert fast.mode == "fast" and [test.name for test in fast.tests] == ["depth", "linear"]
    assert any(note.startswith("Fast mode: with 400 texts only pooled depth and linear MMD") for note in fast.warnings)
    assert fast.tests[0].pvalue == fast.test.pvalue and fast.shifted
    assert fast.pvalue == pytest.approx(min(1, 2 * fast.test.pvalue))
    assert fast.facets[2].sentence == fast.facets[3].sentence == "Not tested."
    assert ShiftResult.from_dict(fast.to_dict()).to_json() == fast.to_json()
    rng = np.random.default_rng(1)
    large = compare_corpora(
        rng.normal(size=(6000, 4)), rng.normal(size=(4001, 4)), n_resamples=19, explain=False, projection="none"
    )
    assert large.mode == "fast" and large.separability is None


def test_verdicts_of_tests_in_fast_mode_are_corrected():
    F, G = corpora(spread=0.85)
    p = compare_corpora(F, G, mode="fast", explain=False).test.pvalue
    between = compare_corpora(F, G, mode="fast", explain=False, alpha=1.5 * p)  # its own p-value is below, adjusted not
    assert between.tests[0].pvalue < between.alpha < between.tests[0].adjusted_pvalue
    for test in between.tests:
        assert test.verdict.startswith("No difference found")
    assert compare_corpora(F, G, mode="fast", explain=False, alpha=2.5 * p).tests[0].verdict.startswith("The corpora")


def test_self_check_measures_the_distance_that_is_used():
    F, G = corpora()
    found = [
        compare_corpora(F, G, distance=d, tests=["depth"], self_check=True, explain=False, n_resamples=19).self_check
        for d in ("cosine", "angular")
    ]
    assert not np.array_equal(found[0].pvalues, found[1].pvalues)


def test_resolution_is_known_at_once_for_millions_of_rows():
    assert note_resolution(5_000_000, 5_000_000, 999, 0.05, "texts") == []
    assert note_resolution(9, 9, 999, 0.001, "pairs")[0].count("0.002") == 1  # 2^-9
    (note,) = note_resolution(2, 3, 999, 0.05, "groups")
    assert "p-values of 0.1 or more" in note


def test_groups_and_pairs():
    F, G = corpora(n=60, m=60)
    groups = [i // 6 for i in range(60)], [100 + i // 6 for i in range(60)]
    grouped = compare_corpora(F, G, groups=groups, explain=False)
    assert grouped.shifted and grouped.tests[0].confidence_interval != grouped.test.confidence_interval
    fast = compare_corpora(F, G, groups=groups, explain=False, mode="fast")
    assert [test.name for test in fast.tests] == ["depth", "linear"]
    few = compare_corpora(F, G, groups=([i // 30 for i in range(60)], [9 + i // 30 for i in range(60)]), explain=False)
    assert any("2 and 2 groups with 999 permutations give p-values of 0.17 or more" in note for note in few.warnings)
    single = compare_corpora(F, G, groups=(range(60), range(60, 120)), explain=False, n_resamples=19)
    assert any("Every group holds one row" in note for note in single.warnings)
    versions = compare_corpora(F, F + 0.05, paired=True, explain=False)
    assert versions.shifted and not compare_corpora(F, F + 0.05, explain=False).shifted
    assert not any("both corpora" in note for note in compare_corpora(F, F, paired=True, explain=False).warnings)


def test_self_check_sees_that_the_level_holds_and_that_order_matters():
    rng = np.random.default_rng(0)
    F, G = rng.normal(0.5, 1, (80, 6)), rng.normal(0.5, 1, (70, 6))
    check = compare_corpora(F, G, self_check=True, explain=False, tests=["depth", "mean"]).self_check
    assert check.n_splits == 200 and check.interval[0] <= 0.05 <= check.interval[1]
    assert check.rejection_rate == (check.pvalues <= 0.05).mean()
    assert "the level holds" in check.verdict and check.ordered_pvalue > 0.05
    F[:, 1] += np.linspace(0, 2, 80)
    drifting = compare_corpora(F, G, self_check=True, explain=False, tests=["depth", "mean"]).self_check
    assert drifting.ordered_pvalue < 0.05 and "in the order given" in drifting.verdict
    groups = [i // 4 for i in range(80)], [100 + i // 4 for i in range(70)]
    grouped = compare_corpora(F, G, groups=groups, self_check=True, explain=False, tests=["mean"]).self_check
    assert grouped.n_rows == (10, 10)
    with pytest.raises(ValueError, match=r"F needs at least 4 rows. Got 3"):
        compare_corpora(F[:3], G, self_check=True, explain=False)


def test_what_shifted_is_part_of_it():
    F, G = corpora()
    texts = [f"a word number {i}" for i in range(60)], [f"another term number {i}" for i in range(50)]
    result = compare_corpora(F, G, texts=texts, names=("x", "y"), n_resamples=99)
    assert len(result.regions.membership) == 110 and result.regions.names == ("x", "y")
    assert len(result.coverage.pvalues_G) == 50
    assert {term.term for term in result.terms.more_in_G} >= {"another"}
    assert result.surface.names == ("x", "y")
    without = compare_corpora(F, G, n_resamples=99)
    assert without.terms is None and without.surface is None and without.regions is not None


def test_degenerate_corpora_give_no_false_alarm():
    same = np.ones((30, 4))
    result = compare_corpora(same, same[:20])
    assert not result.shifted
    assert any("repeat another of the same corpus" in note for note in result.warnings)
    constant = compare_corpora(np.random.default_rng(0).normal(size=(30, 4)), np.ones((20, 4)))
    assert constant.shifted and constant.to_json()


def test_warnings():
    F, G = corpora()
    notes = " ".join(compare_corpora(F[:12], G[:9]).warnings)
    assert "Small corpora (12 and 9 texts)" in notes
    doubled = np.r_[F, F[:3]]
    found = compare_corpora(doubled, G, explain=False).warnings
    assert any("3 rows repeat another of the same corpus" in n for n in found)
    texts = [f"text {i}" for i in range(60)], [f"text {i}" for i in range(50)]
    notes = compare_corpora(F, G, texts=texts, warnings=["from before"]).warnings
    assert notes[0] == "from before"
    assert any("50 texts occur in both corpora" in n and "paired=True" in n for n in notes)
    assert compare_corpora(F, G, explain=False).warnings == ()


def test_pca_map_equals_scikit_learn_up_to_sign():
    from sklearn.decomposition import PCA

    F, G = corpora()
    X = np.r_[F, G]
    X = X / np.linalg.norm(X, axis=1, keepdims=True)
    pca = PCA(2).fit(X)
    result = compare_corpora(F, G)
    np.testing.assert_allclose(np.abs(result.coordinates), np.abs(pca.transform(X)), atol=1e-10)
    np.testing.assert_allclose(result.explained_variance, pca.explained_variance_ratio_, atol=1e-12)


@pytest.mark.slow
def test_umap_map_is_seeded_and_falls_back_for_few_texts():
    F, G = corpora()
    one = compare_corpora(F[:20], G[:20], projection="umap", rng=3)
    assert one.projection == "umap" and one.coordinates.shape == (40, 2)
    np.testing.assert_array_equal(
        one.coordinates, compare_corpora(F[:20], G[:20], projection="umap", rng=3).coordinates
    )
    few = compare_corpora(F[:5], G[:5], projection="umap")
    assert few.projection == "pca" and any("Too few texts for UMAP" in n for n in few.warnings)
    assert compare_corpora(F, G, projection="none").coordinates is None


@pytest.mark.parametrize("texts", [None, ([f"a {i}" for i in range(60)], [f"b {i} \u2028\ud7ff" for i in range(50)])])
def test_round_trip(texts, tmp_path):
    F, G = corpora()
    result = compare_corpora(F, G, texts=texts, encoder={"model": "m"})
    text = result.to_json(tmp_path / "result.json")
    again = ShiftResult.from_json(tmp_path / "result.json")
    assert again.to_json() == text
    assert again.texts_G == result.texts_G
    np.testing.assert_array_equal(again.coordinates, result.coordinates)
    assert isinstance(again.test.depths_F, np.ndarray)


def test_frame_has_a_row_a_text():
    F, G = corpora()
    texts = [f"a {i}" for i in range(60)], [f"b {i}" for i in range(50)]
    frame = compare_corpora(F, G, texts=texts, names=("x", "y")).to_frame()
    assert len(frame) == 110 and list(frame.corpus.unique()) == ["x", "y"]
    assert frame.loc[60, "text"] == "b 0" and frame.loc[60, "row"] == 0


def test_html_is_small_and_escaped():
    F, G = corpora()
    html = compare_corpora(F, G, names=("<b>", "y"))._repr_html_()
    assert len(html) < 50_000 and "<b>" not in html and "&lt;b&gt;" in html


F, G = corpora()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: compare_corpora(F, G, alpha=0), ValueError, r"The 'alpha' parameter of compare_corpora .* \(0, 1\)"),
        (lambda: compare_corpora(F, G, mode="fast", tests=["energy"]), ValueError,
         r"'tests' parameter of compare_corpora goes with mode 'auto' or 'battery'"),
        (lambda: compare_corpora(F, G, groups=([[1]] * 60, range(50))), TypeError,
         "groups of F in compare_corpora must be strings, numbers or tuples of them. Got list objects"),
        (lambda: compare_corpora(F, G, mode="slow"), ValueError, "The 'mode' parameter of compare_corpora"),
        (lambda: compare_corpora(F, G, tests=["depth", "t"]), ValueError,
         r"The 'tests' parameter of compare_corpora must be 'default' or names of \{'classifier'"),
        (lambda: compare_corpora(F, G, tests=[]), ValueError, r"The 'tests' parameter .* Got \[\] instead"),
        (lambda: compare_corpora(F, G, n_resamples=5), ValueError, "'n_resamples' .* at least 19"),
        (lambda: compare_corpora(F[:1], G), ValueError, "F must hold at least 2 rows"),
        (lambda: compare_corpora(F, G[:0]), ValueError, "G must hold at least 2 rows"),
        (lambda: compare_corpora(F, G, paired=True), ValueError, "as many rows in both. Got 60 and 50"),
        (lambda: compare_corpora(F, G, paired=float("nan")), TypeError, "'paired' .* must be True or False"),
        (lambda: compare_corpora(F, G, projection="tsne"), ValueError, "The 'projection' parameter of compare_corpora"),
        (lambda: compare_corpora(F, G, names=("a", "a")), ValueError, "must have different names. Got 'a' twice"),
        (lambda: compare_corpora(F, G, names="ab"), ValueError, "must be a pair of names"),
        (lambda: compare_corpora(F, G, texts=["a"]), ValueError, "must be a pair"),
        (lambda: compare_corpora(F, G, texts=(["a"] * 60, ["b"] * 49)), ValueError,
         "G must have as many texts as rows. Got 49 texts and 50 rows"),
        (lambda: compare_corpora(F, G, texts=(["a"] * 59 + [3], ["b"] * 50)), TypeError,
         r"the texts of F holds 1 item that is not a string \(first: item 59, int 3"),
        (lambda: compare_corpora(F, G[:, :4]), ValueError, "same number of dimensions"),
    ],
)  # fmt: skip
def test_documented_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()
