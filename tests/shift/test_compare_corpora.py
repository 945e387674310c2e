"""What a report is made of: verdicts, warnings, maps, JSON."""

import numpy as np
import pytest

from xembed.depth import tte_depth
from xembed.shift import ShiftResult, compare_corpora, rank_sum_test


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
    forward = compare_corpora(F, collapsed, names=("people", "model")).verdict
    backward = compare_corpora(collapsed, F, names=("model", "people")).verdict
    for verdict in (forward, backward):
        assert verdict.startswith("The corpora differ (p = ")
        assert "texts of “model” are deeper" in verdict
        assert "“model” is the more concentrated, less varied corpus" in verdict
    none = compare_corpora(F[:30], F[30:])
    assert not none.shifted and none.verdict.startswith("No difference found (p = ")
    assert "Topics exchanged for others of equal depth can go unseen" in none.verdict


def test_alpha_decides():
    F, G = corpora(spread=0.9)
    p = compare_corpora(F, G).test.pvalue
    assert compare_corpora(F, G, alpha=p).shifted
    assert not compare_corpora(F, G, alpha=p * 0.99).shifted


def test_tiny_p_values_are_not_called_zero():
    rng = np.random.default_rng(0)
    F, G = rng.normal(0, 1, (3000, 6)) + 1, rng.normal(0, 0.01, (3000, 6)) + 1
    result = compare_corpora(F, G, projection="none")
    assert result.test.pvalue < 1e-300
    assert "p < 1e-300" in result.verdict


def test_warnings():
    F, G = corpora()
    notes = " ".join(compare_corpora(F[:12], G[:9]).warnings)
    assert "Small corpora (12 and 9 texts)" in notes
    notes = " ".join(compare_corpora(F, G, reference="first").warnings)
    assert "reference='first' the test can reject more often than 5%" in notes
    doubled = np.r_[F, F[:3]]
    assert any("3 rows repeat another of the same corpus" in n for n in compare_corpora(doubled, G).warnings)
    texts = [f"text {i}" for i in range(60)], [f"text {i}" for i in range(50)]
    notes = compare_corpora(F, G, texts=texts, warnings=["from before"]).warnings
    assert notes[0] == "from before"
    assert any("50 texts occur in both corpora" in n and "paired" in n for n in notes)
    assert compare_corpora(F, G).warnings == ()


def test_pca_map_equals_scikit_learn_up_to_sign():
    from sklearn.decomposition import PCA

    F, G = corpora()
    X = np.r_[F, G]
    X = X / np.linalg.norm(X, axis=1, keepdims=True)
    pca = PCA(2).fit(X)
    result = compare_corpora(F, G)
    np.testing.assert_allclose(np.abs(result.coordinates), np.abs(pca.transform(X)), atol=1e-10)
    np.testing.assert_allclose(result.explained_variance, pca.explained_variance_ratio_, atol=1e-12)


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
    split = compare_corpora(F, G, reference="split").to_frame()
    assert len(split) == 110


def test_html_is_small_and_escaped():
    F, G = corpora()
    html = compare_corpora(F, G, names=("<b>", "y"))._repr_html_()
    assert len(html) < 50_000 and "<b>" not in html and "&lt;b&gt;" in html


F, G = corpora()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: compare_corpora(F, G, alpha=0), ValueError, r"The 'alpha' parameter of compare_corpora .* \(0, 1\)"),
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
