"""What each correction computes, against plain numpy, scikit-learn and identities."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.covariance import ledoit_wolf_shrinkage
from sklearn.decomposition import FastICA
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from xembed.isotropy import (
    AllButTheTop,
    ClusterIsotropy,
    ICAProjection,
    Standardize,
    Whitening,
    load_correction,
)

A = np.random.default_rng(0).standard_normal((200, 8))
B = A * [4, 3, 2, 1, 1, 0.5, 0.5, 0.1]
EIGENVALUES_OF_B = [
    14.050249484976394, 8.276514853170369, 3.3896374284947086, 1.0630854577179283,
    1.0337145911148027, 0.27559034407700306, 0.2155022019890469, 0.009689186366985757,
]  # fmt: skip


def cosines(X):
    U = X / np.linalg.norm(X, axis=1, keepdims=True)
    return U @ U.T


def mixed(n=500, d=8, seed=0):
    rng = np.random.default_rng(seed)
    return rng.laplace(size=(n, d)) @ rng.normal(size=(d, d)) + rng.normal(size=d)


# Standardize


@given(n=st.integers(2, 60), d=st.integers(1, 8), seed=st.integers(0, 999), exponent=st.integers(-6, 6))
@settings(max_examples=50, deadline=None)
def test_standardize_is_standard_scaler(n, d, seed, exponent):
    X = np.random.default_rng(seed).normal(1.0, 10.0**exponent, size=(n, d))
    np.testing.assert_allclose(Standardize().fit_transform(X), StandardScaler().fit_transform(X), atol=1e-7)


def test_standardize_centers_dead_dimensions_only():
    X = np.concatenate([B, np.full((200, 1), 0.1), np.zeros((200, 1))], axis=1)
    X[::2, 8] = np.nextafter(0.1, 1)
    correction = Standardize().fit(X)
    assert correction.dead_dimensions_.tolist() == [8, 9]
    assert correction.rank_ == 8
    assert correction.scale_[8:].tolist() == [1, 1]
    found = correction.transform(X + np.array([0] * 8 + [0.5, 2]))
    np.testing.assert_allclose(found[:, 8:], [[0.5, 2.0]] * 200, atol=1e-15)
    np.testing.assert_allclose(found.std(axis=0)[:8], 1.0)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_dead_dimensions_are_told_by_the_type_of_the_rows(dtype):
    X = np.stack([A[:, 0], np.full(200, 0.7), np.full(200, 0.7)], axis=1).astype(dtype)
    X[::2, 1] = np.nextafter(X[0, 1], dtype(1))  # one unit of rounding
    X[::2, 2] *= dtype(1.02)
    assert Standardize().fit(X).dead_dimensions_.tolist() == [1]
    assert Whitening().fit(X).dead_dimensions_.tolist() == [1]
    assert ICAProjection().fit(X).dead_dimensions_.tolist() == [1]
    assert Standardize().fit(X.astype(np.float64)).dead_dimensions_.tolist() == []


def test_small_dimensions_are_not_dead():
    X = A * 10.0 ** np.arange(-100, 100, 25)
    assert Standardize().fit(X).dead_dimensions_.tolist() == []
    np.testing.assert_allclose(Standardize().fit_transform(X), Standardize().fit_transform(A), rtol=1e-9)


# AllButTheTop


@pytest.mark.parametrize("n_removed", [1, 3, 7])
def test_all_but_the_top_is_the_plain_computation(n_removed):
    centered = B - B.mean(axis=0)
    top = np.linalg.svd(centered)[2][:n_removed]
    correction = AllButTheTop(n_removed).fit(B)
    np.testing.assert_allclose(correction.transform(B), centered - centered @ top.T @ top, atol=1e-13)
    np.testing.assert_allclose(
        correction.explained_variance_ratio_, np.array(EIGENVALUES_OF_B[:n_removed]) / np.sum(EIGENVALUES_OF_B)
    )
    np.testing.assert_allclose(correction.components_ @ correction.components_.T, np.eye(n_removed), atol=1e-14)
    assert correction.rank_ == 8 - n_removed


@pytest.mark.parametrize(("d", "n_removed"), [(2, 1), (100, 1), (149, 1), (250, 2), (384, 4), (768, 8)])
def test_all_but_the_top_by_the_rule_of_the_paper(d, n_removed):
    X = np.random.default_rng(0).normal(size=(30, d))
    assert len(AllButTheTop().fit(X).components_) == n_removed


def test_all_but_the_top_of_nothing_is_centring(tmp_path):
    centered = AllButTheTop(0).fit(B)
    np.testing.assert_allclose(centered.transform(B), B - B.mean(axis=0), atol=1e-12)
    assert centered.components_.shape == (0, 8) and centered.rank_ == 8
    alike = ClusterIsotropy(n_clusters=1, n_components=0).fit(B)
    np.testing.assert_allclose(alike.transform(B), centered.transform(B), atol=1e-12)
    centered.save(tmp_path / "center.safetensors")
    loaded = load_correction(tmp_path / "center.safetensors")
    np.testing.assert_array_equal(loaded.transform(B), centered.transform(B))


def test_all_but_the_top_errors():
    with pytest.raises(ValueError, match=r"must be at most 7, one less than the dimensions of X. Got 8"):
        AllButTheTop(8).fit(B)
    with pytest.raises(ValueError, match="vary in 1 and 1 to remove: fit on more"):
        AllButTheTop().fit(B[:2])
    with pytest.raises(ValueError, match="vary in 2 and 2 to remove"):
        AllButTheTop(2).fit(B[:3])
    with pytest.raises(ValueError, match="at least 2 dimensions for AllButTheTop"):
        AllButTheTop().fit(B[:, :1])
    with pytest.raises(ValueError, match=r"must be 'auto' or an integer of at least 0. Got 'all'"):
        AllButTheTop("all").fit(B)
    with pytest.raises(ValueError, match=r"must be an integer of at least 0. Got -1"):
        AllButTheTop(-1).fit(B)
    for wrong in (1.5, None, True):
        with pytest.raises(TypeError, match="must be an integer of at least 0"):
            AllButTheTop(wrong).fit(B)


# Whitening


@pytest.mark.parametrize("method", ["pca", "zca"])
@given(n=st.integers(40, 300), d=st.integers(1, 10), seed=st.integers(0, 999))
@settings(max_examples=30, deadline=None)
def test_whitened_rows_have_the_identity_as_covariance(method, n, d, seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d)) @ np.linalg.qr(rng.normal(size=(d, d)))[0] * rng.uniform(0.1, 10, d) + 5
    white = Whitening(method).fit_transform(X)
    np.testing.assert_allclose(np.atleast_2d(np.cov(white.T)), np.eye(d), atol=1e-9)
    np.testing.assert_allclose(white.mean(axis=0), 0, atol=1e-9)


@pytest.mark.parametrize("power", [0.0, 0.25, 0.5, 1.0])
@pytest.mark.parametrize("shrinkage", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("n_components", [None, 3])
def test_whitening_is_the_eigendecomposition(power, shrinkage, n_components):
    S = np.cov(B.T)
    values, V = np.linalg.eigh((1 - shrinkage) * S + shrinkage * np.trace(S) / 8 * np.eye(8))
    if shrinkage == 1.0:  # all the same: the axes are those of S
        values, V = np.full(8, np.trace(S) / 8), np.linalg.eigh(S)[1]
    values, V = values[::-1][:n_components], V[:, ::-1][:, :n_components]
    expected = (B - B.mean(axis=0)) @ V * values ** (-power / 2)
    pca = Whitening(power=power, shrinkage=shrinkage, n_components=n_components).fit(B)
    np.testing.assert_allclose(np.abs(pca.transform(B)), np.abs(expected), atol=1e-10)
    zca = Whitening("zca", power, shrinkage, n_components).fit(B)
    np.testing.assert_allclose(zca.transform(B), expected @ V.T, atol=1e-10)
    np.testing.assert_allclose(cosines(pca.transform(B)), cosines(zca.transform(B)), atol=1e-10)
    np.testing.assert_allclose(pca.eigenvalues_, EIGENVALUES_OF_B, rtol=1e-12)
    assert (pca.rank_, pca.shrinkage_) == (n_components or 8, shrinkage)


def test_power_0_keeps_distances_and_zca_leaves_white_rows_alone():
    np.testing.assert_allclose(Whitening("zca", power=0.0).fit_transform(B), B - B.mean(axis=0), atol=1e-13)
    white = Whitening().fit_transform(B)
    np.testing.assert_allclose(Whitening("zca").fit_transform(white), white, atol=1e-12)


@given(n=st.integers(2, 80), d=st.integers(1, 12), seed=st.integers(0, 999), offset=st.sampled_from([0.0, 100.0]))
@settings(max_examples=50, deadline=None)
def test_ledoit_wolf_is_that_of_scikit_learn(n, d, seed, offset):
    X = np.random.default_rng(seed).normal(size=(n, d)) * np.arange(1, d + 1) + offset
    found = Whitening(shrinkage="ledoit_wolf").fit(X)
    assert found.shrinkage_ == pytest.approx(ledoit_wolf_shrinkage(X), abs=1e-9)
    assert 0 <= found.shrinkage_ <= 1


@pytest.mark.parametrize("method", ["pca", "zca"])
def test_directions_without_variance_are_mapped_to_zero(method):
    X = np.random.default_rng(0).normal(size=(5, 12))
    correction = Whitening(method).fit(X)
    assert correction.rank_ == 4
    found = correction.transform(X)
    assert found.shape == (5, 12)
    covariance = np.cov(found.T)
    np.testing.assert_allclose(np.linalg.eigvalsh(covariance), [0] * 8 + [1] * 4, atol=1e-12)
    # n rows in n - 1 directions are all equally far from each other.
    distances = np.linalg.norm(found[:, None] - found, axis=2)[~np.eye(5, dtype=bool)]
    np.testing.assert_allclose(distances, np.sqrt(8.0), rtol=1e-10)
    outside = np.linalg.svd(X - X.mean(axis=0))[2][-1]
    np.testing.assert_allclose(correction.transform([X.mean(axis=0) + 1e3 * outside]), 0, atol=1e-9)
    if method == "pca":
        assert not found[:, 4:].any()
        assert Whitening(n_components=6).fit_transform(X).shape == (5, 6)


def test_shrinkage_gives_every_direction_a_scale():
    X = np.random.default_rng(0).normal(size=(5, 12))
    for shrinkage in (0.01, "ledoit_wolf"):
        assert Whitening(shrinkage=shrinkage).fit(X).rank_ == 12


def test_floor_of_the_eigenvalues():
    X = A[:, :3] * [1.0, 1e-3, 1e-6]  # variances of 1, 1e-6 and 1e-12
    assert Whitening().fit(X).rank_ == 2
    assert Whitening(floor=1e-14).fit(X).rank_ == 3
    assert Whitening(floor=1e-3).fit(X).rank_ == 1
    assert Whitening(floor=0).fit(X * [1, 1, 1e-6]).rank_ == 2  # below rounding


def test_dead_dimensions_do_not_come_out_of_whitening():
    X = np.insert(B.astype(np.float32), 3, 0.3, axis=1)
    X[::2, 3] = np.nextafter(X[0, 3], np.float32(1))
    correction = Whitening("zca").fit(X)
    assert correction.dead_dimensions_.tolist() == [3]
    assert correction.rank_ == 8
    assert not correction.transform(X)[:, 3].any()
    moved = X.copy()
    moved[:, 3] = 100
    np.testing.assert_array_equal(correction.transform(moved), correction.transform(X))


@pytest.mark.parametrize(
    ("parameters", "error", "match"),
    [
        (
            {"method": "cholesky"},
            ValueError,
            r"'method' parameter of Whitening must be one of {'pca', 'zca'}. Got 'chol",
        ),
        ({"power": 1.5}, ValueError, r"'power' parameter of Whitening must be a number in \[0, 1\]. Got 1.5"),
        ({"power": "1"}, TypeError, "'power' parameter"),
        ({"shrinkage": "oas"}, ValueError, r"must be one of {'ledoit_wolf'}. Got 'oas'"),
        ({"shrinkage": -0.1}, ValueError, r"'shrinkage' parameter of Whitening must be a number in \[0, 1\]"),
        ({"shrinkage": float("nan")}, ValueError, "'shrinkage' parameter"),
        ({"shrinkage": [0.1]}, TypeError, "'shrinkage' parameter"),
        ({"n_components": 9}, ValueError, "must be at most 8, the dimensions of X. Got 9"),
        ({"n_components": 0}, ValueError, "'n_components' parameter of Whitening must be an integer of at least 1"),
        ({"n_components": 0.9}, TypeError, "'n_components' parameter of Whitening must be an integer"),
        ({"floor": 1.0}, ValueError, r"'floor' parameter of Whitening must be a number in \[0, 1\)"),
    ],
)
def test_whitening_errors(parameters, error, match):
    with pytest.raises(error, match=match):
        Whitening(**parameters).fit(B)


# ICAProjection


def test_ica_is_the_published_pipeline():
    X = mixed()
    published = make_pipeline(
        StandardScaler(), FastICA(8, whiten="unit-variance", fun="logcosh", tol=1e-4, max_iter=1000, random_state=42)
    )
    expected = 100 * published.fit_transform(X)
    correction = ICAProjection(random_state=42).fit(X)
    np.testing.assert_allclose(correction.transform(X), expected, atol=1e-4)
    assert correction.n_iter_ == published[1].n_iter_


@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_ica_is_whitening_of_standardized_rows_with_a_rotation(scale):
    X = mixed()
    found = ICAProjection(scale=scale).fit_transform(X)
    np.testing.assert_allclose(found.std(axis=0), scale, rtol=1e-9)
    np.testing.assert_allclose(np.cov(found.T, ddof=0), scale**2 * np.eye(8), atol=1e-9 * scale**2)
    white = Whitening().fit_transform(Standardize().fit_transform(X))  # whose variances have n - 1
    np.testing.assert_allclose(found @ found.T, white @ white.T * scale**2 * 500 / 499, atol=1e-8 * scale**2)


def test_ica_finds_sources():
    sources = np.random.default_rng(0).laplace(size=(3000, 3))
    found = ICAProjection().fit_transform(sources @ np.random.default_rng(1).normal(size=(3, 3)))
    correlations = np.abs(np.corrcoef(sources.T, found.T)[:3, 3:])
    assert (correlations.max(axis=1) > 0.98).all()
    assert sorted(correlations.argmax(axis=1)) == [0, 1, 2]


def test_ica_of_fewer_directions_than_dimensions():
    X = np.concatenate([mixed(), mixed()[:, :1] * 2, np.full((500, 1), 3.0)], axis=1)
    correction = ICAProjection().fit(X)
    assert (correction.rank_, correction.dead_dimensions_.tolist()) == (8, [9])
    found = correction.transform(X)
    assert found.shape == (500, 10)
    np.testing.assert_allclose(found.std(axis=0), [100] * 8 + [0, 0], rtol=1e-9)
    np.testing.assert_array_equal(correction.transform(X + np.array([0] * 9 + [5])), found)
    assert ICAProjection(n_components=3).fit_transform(X).shape == (500, 3)


def test_ica_that_does_not_converge_warns():
    with pytest.warns(ConvergenceWarning, match="did not converge"):
        correction = ICAProjection(max_iter=1, tol=1e-12).fit(mixed())
    np.testing.assert_allclose(correction.transform(mixed()).std(axis=0), 100, rtol=1e-9)


@pytest.mark.parametrize(
    ("parameters", "error", "match"),
    [
        ({"n_components": 9}, ValueError, "'n_components' parameter of ICAProjection must be at most 8"),
        ({"scale": 0}, ValueError, r"'scale' parameter of ICAProjection must be a number in \(0, inf\)"),
        ({"scale": float("inf")}, ValueError, "'scale' parameter"),
        ({"max_iter": 0}, ValueError, "'max_iter' parameter of ICAProjection must be an integer of at least 1"),
        ({"tol": 0.0}, ValueError, "'tol' parameter of ICAProjection"),
        ({"random_state": -1}, ValueError, r"'random_state' parameter of ICAProjection must be an integer in \[0, 2"),
        ({"random_state": "0"}, TypeError, "'random_state' parameter"),
        ({"random_state": True}, TypeError, "'random_state' parameter"),
    ],
)
def test_ica_errors(parameters, error, match):
    with pytest.raises(error, match=match):
        ICAProjection(**parameters).fit(B)


# ClusterIsotropy


def groups(sizes=(150, 100, 50), d=4, distance=20.0, seed=0):
    rng = np.random.default_rng(seed)
    centers = distance * np.eye(d)[: len(sizes)]
    X = np.concatenate(
        [rng.normal(center, 1 + 3 * center / distance, (n, d)) for n, center in zip(sizes, centers, strict=True)]
    )
    return X, np.repeat(np.arange(len(sizes)), sizes)


@pytest.mark.parametrize("n_removed", ["auto", 3])
def test_one_cluster_is_all_but_the_top(n_removed):
    expected = AllButTheTop(n_removed).fit_transform(B)
    found = ClusterIsotropy(n_clusters=1, n_components=n_removed).fit_transform(B)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_each_cluster_is_corrected_by_itself(dtype):
    X, labels = groups()
    X = X.astype(dtype)
    correction = ClusterIsotropy(n_clusters=3).fit(X)
    assert correction.n_clusters_ == 3
    assert sorted(correction.cluster_sizes_) == [50, 100, 150]
    found = correction.transform(X)
    for label in range(3):
        expected = AllButTheTop().fit_transform(X[labels == label])
        np.testing.assert_allclose(
            found[labels == label], expected, rtol=0, atol=1e-5 if dtype != np.float64 else 1e-12
        )


def test_small_clusters_are_dissolved():
    X, labels = groups((150, 100, 2), distance=200.0)
    correction = ClusterIsotropy(n_clusters=3).fit(X)
    assert (correction.n_clusters_, correction.cluster_sizes_.sum()) == (2, 252)
    nearest = np.linalg.norm(X[250:, None] - correction.cluster_centers_, axis=2).argmin(axis=1)
    sizes = np.array([150, 100]) + np.bincount(nearest, minlength=2)[np.argsort(-correction.cluster_sizes_)]
    assert sorted(correction.cluster_sizes_) == sorted(sizes)
    assert correction.transform(X)[labels == 2].any()


def test_clusters_of_one_text_over_and_over_are_dissolved():
    X, _ = groups((150, 100))
    X = np.concatenate([X, np.full((80, 4), 40.1)])
    correction = ClusterIsotropy(n_clusters=3).fit(X)
    assert correction.n_clusters_ == 2
    assert (np.linalg.norm(correction.transform(X), axis=1) > 0).all()


@pytest.mark.filterwarnings("ignore:Number of distinct clusters")
def test_fewer_different_rows_than_clusters():
    X = np.repeat(np.random.default_rng(0).normal(size=(5, 3)), 20, axis=0)
    correction = ClusterIsotropy(n_clusters=8).fit(X)
    assert correction.n_clusters_ == 1
    np.testing.assert_allclose(correction.transform(X), AllButTheTop().fit_transform(X), atol=1e-12)


def test_more_rows_than_k_means_sees(monkeypatch):
    X, labels = groups((300, 200, 100))
    monkeypatch.setattr("xembed.transforms._corrections._SAMPLE", 60)
    correction = ClusterIsotropy(n_clusters=3).fit(X)
    assert sorted(correction.cluster_sizes_) == [100, 200, 300]  # of all rows
    for label in range(3):
        expected = AllButTheTop().fit_transform(X[labels == label])
        np.testing.assert_allclose(correction.transform(X)[labels == label], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("scale", [2.0**-100, 2.0**80])
def test_clusters_of_float32_whose_squares_overflow(scale):
    X, _ = groups()
    X = X.astype(np.float32)
    expected = ClusterIsotropy(n_clusters=3).fit_transform(X)
    found = ClusterIsotropy(n_clusters=3).fit_transform(X * np.float32(scale))
    np.testing.assert_allclose(found / np.float32(scale), expected, rtol=0, atol=1e-5)


def test_cluster_isotropy_depends_on_its_seed_only():
    X = np.random.default_rng(0).normal(size=(300, 6))
    first, again, other = (ClusterIsotropy(random_state=seed).fit_transform(X) for seed in (0, 0, 1))
    assert first.tobytes() == again.tobytes()
    assert not np.allclose(first, other)
    generator = ClusterIsotropy(random_state=np.random.RandomState(0)).fit_transform(X)
    np.testing.assert_array_equal(generator, first)


def test_cluster_isotropy_errors():
    with pytest.raises(ValueError, match="'n_clusters' parameter of ClusterIsotropy must be at most 7, the rows of X"):
        ClusterIsotropy().fit(B[:7])
    with pytest.raises(ValueError, match="'n_clusters' parameter of ClusterIsotropy must be an integer of at least 1"):
        ClusterIsotropy(n_clusters=0).fit(B)
    with pytest.raises(ValueError, match=r"must be at most 7, one less than the dimensions of X. Got 8"):
        ClusterIsotropy(n_components=8).fit(B)
    with pytest.raises(ValueError, match="vary in 1 and 1 to remove"):
        ClusterIsotropy(n_clusters=2).fit(B[:2])
    with pytest.raises(TypeError, match="'random_state' parameter of ClusterIsotropy"):
        ClusterIsotropy(random_state=np.random.default_rng(0)).fit(B)


def test_isotropy_does_not_load_torch():
    import subprocess
    import sys

    code = (
        "import sys; from xembed.isotropy import Whitening, wrap, load_correction; "
        "import numpy as np; Whitening().fit(np.eye(3)); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
