"""Measures of isotropy against reference values, definitions and invariances."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xembed._core.moments import group_rows, grouped_moments, read_moments
from xembed.isotropy import (
    alignment,
    average_cosine,
    effective_rank,
    hubness,
    intrinsic_dimension,
    isoscore,
    outlier_dimensions,
    participation_ratio,
    partition_isotropy,
    rankme,
    uniformity,
)
from xembed.isotropy._partition import combine, log_partition
from xembed.isotropy._spectrum import isotropic_score

A = np.random.default_rng(0).standard_normal((200, 8))
B = A * [4, 3, 2, 1, 1, 0.5, 0.5, 0.1]
# Of the authors' published IsoScore, of scikit-dimension 0.5.0, and of the definitions in plain numpy.
REFERENCE = {
    isoscore: (0.9567126116333923, 0.26657200494150174),
    participation_ratio: (7.696988281433747, 2.866004034590509),
    effective_rank: (7.843281615813016, 3.6341864118902936),
    rankme: (7.959062518630409, 5.702998798850367),
    average_cosine: (-0.0015299996960019, -0.0033886690028656),
    uniformity: (-3.0908634179414953, -2.317353046598743),
    partition_isotropy: (0.5850146339464328, 0.0038382738809454),
}
DIMENSIONS = {
    "twonn": (7.486969573005545, 4.948148892740507, 1e-9),
    "mle": (6.80626206958036, 4.449032261816014, 1e-9),
    "lpca": (8, 5, 0),
    "mom": (4.89038, 2.93785, 1e-4),
    "tle": (7.03806, 4.65432, 1e-4),
    "corrint": (5.77833, 3.79420, 1e-4),
    "fishers": (8.09355, 3.01986, 1e-4),
}
SPECTRAL = (isoscore, participation_ratio, effective_rank)
ROWS = (*SPECTRAL, rankme, average_cosine, partition_isotropy)


def rotation(d, seed=3):
    return np.linalg.qr(np.random.default_rng(seed).standard_normal((d, d)))[0]


@pytest.mark.parametrize("function", REFERENCE, ids=lambda f: f.__name__)
def test_reference_values(function):
    for X, expected in zip((A, B), REFERENCE[function], strict=True):
        assert function(X) == pytest.approx(expected, rel=1e-9, abs=1e-12)
        assert type(function(X)) is float


def test_reference_values_of_variants():
    assert isoscore(B, debiased=True) == pytest.approx(0.2731855471, abs=1e-9)
    assert rankme(A, centered=True) == pytest.approx(7.959805902121419, abs=1e-9)
    assert rankme(B, centered=True) == pytest.approx(5.7014994893382, abs=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("method", DIMENSIONS)
def test_intrinsic_dimension_reference_values(method):
    first, second, tolerance = DIMENSIONS[method]
    assert intrinsic_dimension(A, method=method) == pytest.approx(first, abs=tolerance)
    assert intrinsic_dimension(B, method=method) == pytest.approx(second, abs=tolerance)


@pytest.mark.parametrize(
    ("X", "metric", "skewness", "largest", "antihubs"),
    [
        (A, "euclidean", 1.14695, 36, 6),
        (B, "euclidean", 0.56881, 29, 0),
        (A, "cosine", 0.20718, 17, 0),
        (B, "cosine", 0.13379, 22, 0),
    ],
)
def test_hubness_reference_values(X, metric, skewness, largest, antihubs):
    result = hubness(X, metric=metric)
    assert result.skewness == pytest.approx(skewness, abs=1e-5)
    assert (result.largest, result.antihub_rate) == (largest, antihubs / 200)
    assert result.k_occurrences.sum() == pytest.approx(2000)
    assert result.robin_hood == pytest.approx(np.abs(result.k_occurrences - 10).sum() / 4000)
    assert type(result).from_json(result.to_json()).to_json() == result.to_json()


def test_debiased_score_of_few_rows():
    """Isotropic and power-law data of 384 dimensions: 50 rows tell the population's score, without bias."""
    rng = np.random.default_rng(0)
    isotropic = [rng.standard_normal((50, 384)) for _ in range(8)]
    assert np.mean([isoscore(X, debiased=True) for X in isotropic]) == pytest.approx(1.0, abs=0.05)
    assert np.mean([isoscore(X) for X in isotropic]) == pytest.approx(0.111, abs=0.003)
    assert isotropic_score(50, 384) == pytest.approx(0.111, abs=0.001)

    def score(power):
        values = np.arange(1, 385.0) ** -power
        return (values.sum() ** 2 / (values**2).sum() - 1) / 383

    low, high = 0.3, 1.5
    for _ in range(60):  # the exponent whose score is 0.0652
        middle = (low + high) / 2
        low, high = (middle, high) if score(middle) > 0.0652 else (low, middle)
    scale = np.arange(1, 385.0) ** (-low / 2)
    found = [rng.standard_normal((50, 384)) * scale for _ in range(30)]
    assert np.mean([isoscore(X, debiased=True) for X in found]) == pytest.approx(0.0652, abs=0.01)
    assert np.mean([isoscore(X) for X in found]) == pytest.approx(0.041, abs=0.005)


@pytest.mark.parametrize("function", ROWS, ids=lambda f: f.__name__)
def test_rotation_order_and_layout_do_not_matter(function):
    rng = np.random.default_rng(1)
    X = B + 0.3
    expected = function(X)
    assert function(X @ rotation(8)) == pytest.approx(expected, rel=1e-8)
    assert function(X[rng.permutation(200)]) == pytest.approx(expected, rel=1e-10)
    assert function(np.asfortranarray(X)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("function", (*SPECTRAL, rankme, average_cosine, uniformity), ids=lambda f: f.__name__)
@pytest.mark.parametrize("scale", [1e-150, 1e-3, 7.0, 1e150])
def test_scale_does_not_matter(function, scale):
    assert function(B * scale) == pytest.approx(function(B), rel=1e-9)


@pytest.mark.parametrize("function", SPECTRAL, ids=lambda f: f.__name__)
def test_a_common_vector_is_seen_by_the_average_cosine_only(function):
    assert function(B + 100) == pytest.approx(function(B), rel=1e-8)
    assert average_cosine(B + 100) > 0.99


@pytest.mark.parametrize("function", ROWS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("shape", [(5, 40), (39, 40), (2, 7)])
def test_fewer_rows_than_dimensions(function, shape):
    """The n x n way gives what the same rows give with zero rows' worth of dimensions turned away."""
    X = np.random.default_rng(2).standard_normal(shape) + 0.2
    S = np.cov(X.T)
    values = np.linalg.eigvalsh(S).clip(0)
    ratio = values.sum() ** 2 / (values**2).sum()
    share = values[values > 1e-12] / values.sum()
    singular = np.linalg.svd(X, compute_uv=False)
    p = singular / singular.sum() + 1e-7
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    cosines = (unit @ unit.T)[np.triu_indices(len(X), 1)]
    vectors = np.linalg.svd(X)[2]
    z = np.exp(X @ np.vstack([vectors, -vectors]).T).sum(axis=0)
    expected = {
        isoscore: (ratio - 1) / (shape[1] - 1),
        participation_ratio: ratio,
        effective_rank: np.exp(-(share * np.log(share)).sum()),
        rankme: np.exp(-(p * np.log(p)).sum()),
        average_cosine: cosines.mean(),
        partition_isotropy: z.min() / z.max(),
    }
    assert function(X) == pytest.approx(expected[function], rel=1e-8)


@pytest.mark.parametrize("function", ROWS, ids=lambda f: f.__name__)
def test_blocks_files_and_dask_give_the_same(function, tmp_path):
    import dask.array

    X = (B + 0.3).astype(np.float32)
    expected = function(X)
    np.save(tmp_path / "x.npy", X)
    pieces = [X[:3], X[3:120], X[120:]]
    sources = (pieces, lambda: iter(pieces), tmp_path / "x.npy", dask.array.from_array(X, chunks=(70, 3)))
    for source in sources:
        assert function(source) == pytest.approx(expected, rel=1e-10)
    if function is not partition_isotropy:
        assert function(iter(pieces)) == pytest.approx(expected, rel=1e-10)


def test_partition_isotropy_refuses_an_iterator():
    with pytest.raises(TypeError, match="read more than once for partition_isotropy"):
        partition_isotropy(iter([A]))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.int64])
def test_dtypes(dtype):
    X = (B * 10).astype(dtype)
    for function in ROWS:
        assert function(X) == pytest.approx(function(X.astype(np.float64)), rel=1e-12)


def test_float16_whose_squares_overflow():
    X = (B * 2000).astype(np.float16)
    assert np.isfinite(X).all() and X.max() > 256  # whose square is not a float16
    assert isoscore(X) == pytest.approx(isoscore(B), rel=1e-2)
    assert average_cosine(X) == pytest.approx(average_cosine(B), abs=1e-3)


def test_float32_products_of_large_arrays_are_close(monkeypatch):
    X = (np.random.default_rng(0).standard_normal((5000, 24)) * np.linspace(1, 0.1, 24) + 3).astype(np.float32)
    exact = {function: function(X) for function in ROWS}
    monkeypatch.setattr("xembed._core.directions._EXACT_ELEMENTS", 0)
    for function, expected in exact.items():
        assert function(X) == pytest.approx(expected, rel=2e-5)


@pytest.mark.parametrize("scale", [1e3, 1e6, 1e30])
def test_partition_function_of_huge_rows_does_not_overflow(scale):
    found = partition_isotropy(B * scale)
    assert 0.0 <= found < 1e-100


@pytest.mark.parametrize("X", [B[:50] * 30, B * 10 + 500, np.concatenate([B * 0.1, B * 10 - 500] * 30)])
def test_partition_function_of_exponents_that_float64_cannot_hold(X):
    z = X @ np.linalg.eigh(X.T @ X)[1]
    z = np.concatenate([z, -z], axis=1)
    logs = z.max(axis=0) + np.log(np.exp(z - z.max(axis=0)).sum(axis=0))
    values = log_partition(X, np.linalg.eigh(X.T @ X)[1])[0]
    np.testing.assert_allclose(values, logs, rtol=1e-10, atol=1e-9)
    grouped = log_partition(X, np.linalg.eigh(X.T @ X)[1], n_groups=8)
    assert np.isfinite(grouped).all()
    np.testing.assert_allclose(combine(grouped), logs, rtol=1e-10, atol=1e-9)


def test_partition_isotropy_depends_on_the_scale():
    assert partition_isotropy(B * 0.01) > 0.99 > 0.01 > partition_isotropy(B)


def test_orientation_matters():
    """Nothing can tell texts from dimensions, so the transposed array gives another number and no error."""
    assert abs(isoscore(B.T) - isoscore(B)) > 0.1


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 60), st.integers(2, 12), st.floats(0, 3))
def test_ranges(seed, n, d, shift):
    X = np.random.default_rng(seed).standard_normal((n, d)) + shift
    assert 0 <= isoscore(X) <= 1 + 1e-12
    assert 1 <= participation_ratio(X) <= min(n - 1, d) + 1e-9
    assert 1 - 1e-9 <= effective_rank(X) <= min(n - 1, d) + 1e-9
    assert 1 - 1e-9 <= rankme(X) <= min(n, d) + 1e-3
    assert -1 / (n - 1) <= average_cosine(X) <= 1
    assert 0 <= partition_isotropy(X) <= 1
    assert -8 - 1e-9 <= uniformity(X) <= 1e-12
    found = outlier_dimensions(X)
    assert found.contributions.sum() == pytest.approx(average_cosine(X), abs=1e-12)


@pytest.mark.parametrize("shape", [(30, 12), (6, 12)])
def test_contributions_by_definition(shape):
    X = np.random.default_rng(4).standard_normal(shape) + 0.4
    u = X / np.linalg.norm(X, axis=1, keepdims=True)
    n = len(X)
    expected = [np.mean([u[i, j] * u[k, j] for i in range(n) for k in range(n) if i != k]) for j in range(12)]
    np.testing.assert_allclose(outlier_dimensions(X).contributions, expected, atol=1e-12)


def test_rogue_and_dead_dimensions():
    X = np.random.default_rng(0).standard_normal((300, 40)).astype(np.float32)
    X[:, 5] = 0.25
    X[:, 6] = 0
    X[:, 11] += 12
    X[:, 12] += 9
    result = outlier_dimensions(X)
    assert result.rogue == (11, 12) and result.dead == (5, 6)
    assert result.top_share == pytest.approx(result.contributions[11] / result.average_cosine)
    assert outlier_dimensions(A).top_share is None and outlier_dimensions(A).rogue == ()
    assert outlier_dimensions(X[:20]).dead == (5, 6)  # fewer rows than dimensions
    assert type(result).from_json(result.to_json()).to_json() == result.to_json()


def test_uniformity_of_a_subset():
    X = np.random.default_rng(0).standard_normal((3000, 6))
    assert uniformity(X, max_rows=1000) == pytest.approx(uniformity(X), abs=0.02)
    assert uniformity(X, max_rows=1000) == uniformity(X, max_rows=1000, rng=0) != uniformity(X, max_rows=1000, rng=1)
    u = A / np.linalg.norm(A, axis=1, keepdims=True)
    squared = np.square(u[:, None] - u[None]).sum(axis=2)[np.triu_indices(200, 1)]
    assert uniformity(A, t=0.7) == pytest.approx(np.log(np.exp(-0.7 * squared).mean()))
    assert uniformity(np.ones((700, 3))) == 0.0


def test_alignment():
    u, v = (X / np.linalg.norm(X, axis=1, keepdims=True) for X in (A, A + 0.5))
    lengths = np.linalg.norm(u - v, axis=1)
    assert alignment(A, A + 0.5) == pytest.approx((lengths**2).mean())
    assert alignment(A, 3 * (A + 0.5), alpha=1) == pytest.approx(lengths.mean())
    assert alignment(A, A) == 0.0
    with pytest.raises(ValueError, match=r"same number of rows, one a pair\. Got 200 and 3"):
        alignment(A, A[:3])


def test_repeated_rows_share_places_and_order_does_not_matter():
    X = np.repeat(A[:40], 3, axis=0)
    order = np.random.default_rng(0).permutation(len(X))
    for metric in ("cosine", "euclidean"):
        counts = hubness(X, n_neighbors=4, metric=metric).k_occurrences
        np.testing.assert_allclose(hubness(X[order], n_neighbors=4, metric=metric).k_occurrences, counts[order])
        np.testing.assert_allclose(counts[::3], counts[1::3])
        assert counts.sum() == pytest.approx(4 * 120)
    same = hubness(np.ones((30, 4)))
    assert same.skewness == 0.0 and same.largest == pytest.approx(10)


def test_repeated_rows_are_left_out_of_the_dimension_and_counted():
    X = np.concatenate([A, A[:7]])
    with pytest.warns(UserWarning, match="holds 7 rows that repeat others"):
        assert intrinsic_dimension(X) == pytest.approx(intrinsic_dimension(A), rel=1e-9)


def test_distances_of_near_duplicates_keep_their_digits():
    plane = np.random.default_rng(0).standard_normal((400, 2)) @ np.ones((2, 30)).cumsum(axis=0)
    plane[:, :2] += np.random.default_rng(1).standard_normal((400, 2)) * 3
    near = plane + 1e5
    assert intrinsic_dimension(near) == pytest.approx(intrinsic_dimension(plane), rel=1e-4)


def test_groups_partition_the_rows_and_add_up():
    for n_groups in (1, 4, 7):
        items = group_rows(100, 50, n_groups=n_groups, seed=3)
        rows = np.concatenate([np.arange(100)[chosen] for _, chosen in items])
        assert sorted(rows.tolist()) == list(range(100))
        sizes = np.bincount([group for group, chosen in items for _ in np.arange(100)[chosen]])
        assert sizes.max() - sizes.min() <= 1
    sums, _, _ = grouped_moments(B, name="X", unit=True, n_groups=7, seed=0)
    np.testing.assert_allclose(sums.sum(axis=0), read_moments(B, name="X", unit=True).sums, rtol=1e-9, atol=1e-9)


NAN, INF, ZERO = A.copy(), A.astype(np.float16), A.copy()
NAN[[3, 9]], INF[5, 2], ZERO[4] = np.nan, np.inf, 0
SAME = np.tile(A[:1] + 0.1, (30, 1))
FUNCTIONS = (*ROWS, uniformity, hubness, intrinsic_dimension, outlier_dimensions)
CENTRED = (*SPECTRAL, lambda X: rankme(X, centered=True))


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_bad_rows_are_named(function):
    with pytest.raises(ValueError, match=r"2 rows that are not finite \(NaN or inf\) \(first: row 3\)"):
        function(NAN)
    with pytest.raises(ValueError, match=r"1 row that is not finite \(NaN or inf\) \(first: row 5\)"):
        function(INF)
    with pytest.raises(ValueError, match=r"not finite .*\(first: row 3\)"):
        function(np.repeat(NAN, 50, axis=1)[:20])  # fewer rows than dimensions
    with pytest.raises(ValueError, match=r"at least [23] rows"):
        function(A[:1])
    with pytest.raises(ValueError, match="must be a 2-D array"):
        function(A[0])
    with pytest.raises(TypeError, match="embed them first"):
        function(np.array([["a", "b"], ["c", "d"]]))


@pytest.mark.parametrize("function", ROWS[:4], ids=lambda f: f.__name__)
def test_bad_rows_of_blocks_are_named(function):
    with pytest.raises(ValueError, match="not finite"):
        function([NAN[:2], NAN[2:]])
    with pytest.raises(ValueError, match="too large for the squares of float64"):
        function(A * 1e200)


@pytest.mark.parametrize(
    "function", [average_cosine, uniformity, hubness, outlier_dimensions, lambda X: alignment(X, A)]
)
def test_zero_rows_have_no_direction(function):
    with pytest.raises(ValueError, match=r"1 row that is zero \(first: row 4\)"):
        function(ZERO)
    assert 0 < isoscore(ZERO) < 1  # but a place


@pytest.mark.parametrize("function", CENTRED)
@pytest.mark.parametrize("X", [SAME, SAME.astype(np.float32) * 1000, np.zeros((5, 3)), SAME[:4]])
def test_constant_data(function, X):
    with pytest.raises(ValueError, match="must hold rows that differ"):
        function(X)


def test_other_errors():
    with pytest.raises(ValueError, match="not all zero"):
        rankme(np.zeros((5, 3)))
    with pytest.raises(ValueError, match="at least 2 dimensions"):
        isoscore(A[:, :1])
    with pytest.raises(ValueError, match="at least 3 rows"):
        isoscore(A[:2], debiased=True)
    with pytest.raises(ValueError, match="show no direction at all"):
        isoscore(np.eye(4), debiased=True)
    with pytest.raises(TypeError, match=r"'debiased' parameter of isoscore must be True or False\. Got 1"):
        isoscore(A, debiased=1)
    with pytest.raises(TypeError, match="'centered' parameter of rankme"):
        rankme(A, centered="no")
    with pytest.raises(ValueError, match="'metric' parameter of hubness must be one of"):
        hubness(A, metric="manhattan")
    with pytest.raises(ValueError, match="'n_neighbors' parameter of hubness must be at most 199"):
        hubness(A, n_neighbors=200)
    with pytest.raises(ValueError, match="'method' parameter of intrinsic_dimension must be one of"):
        intrinsic_dimension(A, method="danco")
    with pytest.raises(ValueError, match=r"at least 21 rows .* that differ for the method 'mle'\. Got 20"):
        intrinsic_dimension(A[:20], method="mle")
    with pytest.raises(ValueError, match="all between neighbors are the same"):
        intrinsic_dimension(np.eye(60), method="mle")
    with pytest.raises(ValueError, match="can read blocks only for"):
        hubness([A, A])
    with pytest.raises(ValueError, match="'t' parameter of uniformity"):
        uniformity(A, t=0)
    with pytest.raises(ValueError, match="'min_ratio' parameter"):
        outlier_dimensions(A, min_ratio=-1)
