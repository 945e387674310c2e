"""Depth against golden values, identities and every documented error."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from xembed._core import directions as resultant_module
from xembed.depth import tte_depth

# Outputs of the TTE authors' package for corpora of different sizes, where it is right.
GOLDEN = {
    ("cosine", 0, 12, 9, 5, 0.0): (
        [1.4537081653147772, 1.2684895506368623, 0.7621159463827343, 1.375445383697791, 1.4626065594224786,
         1.185911597564043, 1.4206454780733568, 1.435706710122734, 1.4379141956035406, 1.533832794868502,
         1.1417246436476787, 1.22655484986577],
        [1.2295544434472183, 1.294376717337106, 1.4503802481293622, 1.3188516356670186, 0.7710116402347376,
         1.4481695278574453, 1.3459117374177256, 0.9783905194602971, 1.3717345441118536],
    ),
    ("chord", 2, 12, 9, 5, 0.0): (
        [0.7399992756665248, 1.1101747718874744, 1.0511023411615639, 0.9480928369217791, 1.0933152434245144,
         0.8386721813711757, 1.1003890980965747, 1.025224028295685, 0.9739613756830827, 0.9938057996049587,
         0.8451562230142158, 1.1062938237743944],
        [1.0950859637969184, 0.36639825575991924, 1.054109558431763, 0.689326930649713, 0.8363949768394783,
         0.7438896953711343, 1.0637413660960502, 0.7994680256715334, 0.6115132825224281],
    ),
}  # fmt: skip
# By hand, in exact arithmetic; the authors' package is wrong for the last, where both corpora have four texts.
F4 = [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0]]
G4 = [[1, 0, 1], [-1, 0, 0], [1, 2, 2], [0, -1, 0]]

DISTANCES = ("cosine", "chord", "angular")


def corpora(seed, n, m, d, shift):
    rng = np.random.default_rng(seed)
    F = rng.standard_normal((n, d)) + 0.6
    G = rng.standard_normal((m, d)) * 1.2 + 0.6
    G[:, 0] += shift
    return F, G


def naive_depth(X, reference, distance, *, leave_out=False):
    """The definition, pair by pair."""
    X, reference = np.asarray(X, float), np.asarray(reference, float)
    depths = []
    for i, x in enumerate(X):
        values = []
        for j, h in enumerate(reference):
            if leave_out and i == j:
                continue
            cosine = float(np.clip(x @ h / np.linalg.norm(x) / np.linalg.norm(h), -1, 1))
            values.append(
                {"cosine": 1 - cosine, "chord": np.sqrt(2 * (1 - cosine)), "angular": np.arccos(cosine)}[distance]
            )
        depths.append((np.pi if distance == "angular" else 2.0) - np.mean(values))
    return np.array(depths)


@pytest.mark.parametrize("case", GOLDEN)
def test_equals_the_reference_implementation(case):
    distance, seed, n, m, d, shift = case
    F, G = corpora(seed, n, m, d, shift)
    expected_F, expected_G = GOLDEN[case]
    np.testing.assert_allclose(tte_depth(F, distance=distance), expected_F, rtol=0, atol=1e-12)
    np.testing.assert_allclose(tte_depth(G, F, distance=distance), expected_G, rtol=0, atol=1e-12)


def test_equals_values_by_hand_for_corpora_of_equal_size():
    np.testing.assert_allclose(tte_depth(F4), [1.2357022604, 1.2357022604, 1.0, 1.4714045208], atol=1e-10)
    np.testing.assert_allclose(tte_depth(G4, F4), [1.4785533906, 0.5732233047, 1.5934433620, 0.5732233047], atol=1e-10)
    np.testing.assert_allclose(
        tte_depth(F4, distance="chord"), [0.8020686702, 0.8020686702, 0.5857864376, 1.0183509027], atol=1e-10
    )
    np.testing.assert_allclose(
        tte_depth(G4[:3], F4, distance="chord"), [1.0137631770, 0.3309534526, 1.1117348588], atol=1e-10
    )


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_equals_the_definition(distance, dtype):
    F, G = (A.astype(dtype) for A in corpora(3, 30, 20, 7, 0.3))
    np.testing.assert_allclose(
        tte_depth(F, distance=distance), naive_depth(F, F, distance, leave_out=True), rtol=0, atol=1e-12
    )
    np.testing.assert_allclose(tte_depth(G, F, distance=distance), naive_depth(G, F, distance), rtol=0, atol=1e-12)


def test_closed_form_equals_pairs():
    F, G = corpora(4, 60, 50, 9, 0.2)
    np.testing.assert_allclose(tte_depth(F, method="pairwise"), tte_depth(F, method="closed_form"), atol=1e-12)
    np.testing.assert_allclose(tte_depth(G, F, method="pairwise"), tte_depth(G, F, method="closed_form"), atol=1e-12)


@pytest.mark.parametrize("distance", DISTANCES)
def test_blocks_do_not_change_the_result(distance, monkeypatch):
    F, G = corpora(5, 150, 70, 6, 0.2)
    whole = tte_depth(F, distance=distance), tte_depth(G, F, distance=distance)
    monkeypatch.setattr("xembed.depth._pairwise.BLOCK", 32)
    monkeypatch.setattr("xembed.depth._pairwise._SLICE", 7)
    monkeypatch.setattr("xembed._core.directions._TASK", 33)
    monkeypatch.setattr("xembed._core.directions._BLOCK", 5)
    np.testing.assert_allclose(tte_depth(F, distance=distance), whole[0], rtol=0, atol=1e-12)
    np.testing.assert_allclose(tte_depth(G, F, distance=distance), whole[1], rtol=0, atol=1e-12)


def test_float32_path_for_large_arrays_is_close(monkeypatch):
    F, _ = corpora(6, 5000, 2, 48, 0.0)
    F = F.astype(np.float32)
    exact = tte_depth(F)
    monkeypatch.setattr(resultant_module, "_EXACT_ELEMENTS", 0)
    np.testing.assert_allclose(tte_depth(F), exact, rtol=0, atol=2e-7)
    monkeypatch.setattr("xembed._core.neighbors._EXACT_PAIRS", 512**2)
    exact_chord = tte_depth(F.astype(np.float64), distance="chord")
    np.testing.assert_allclose(tte_depth(F, distance="chord"), exact_chord, rtol=0, atol=2e-6)


@pytest.mark.parametrize("distance", DISTANCES)
def test_equal_texts_have_equal_depths_wherever_they_stand(distance):
    F, _ = corpora(7, 900, 2, 384, 0.0)
    F[[3, 500, 899]] = F[40]
    depths = tte_depth(F.astype(np.float32), distance=distance).round(12)
    assert len(set(depths[[3, 40, 500, 899]])) == 1


@pytest.mark.parametrize("distance", DISTANCES)
def test_only_directions_matter(distance):
    F, G = corpora(8, 40, 30, 6, 0.1)
    rng = np.random.default_rng(0)
    rotation = np.linalg.qr(rng.standard_normal((6, 6)))[0]
    scales = rng.uniform(1e-8, 1e8, size=(40, 1))
    np.testing.assert_allclose(tte_depth(F * scales, distance=distance), tte_depth(F, distance=distance), atol=1e-12)
    np.testing.assert_allclose(
        tte_depth(G @ rotation, F @ rotation, distance=distance), tte_depth(G, F, distance=distance), atol=1e-12
    )
    order = rng.permutation(40)
    np.testing.assert_allclose(
        tte_depth(F[order], distance=distance), tte_depth(F, distance=distance)[order], atol=1e-12
    )


@given(
    X=hnp.arrays(np.float64, hnp.array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=12),
                 elements=st.floats(-1e3, 1e3, allow_subnormal=False)),
    distance=st.sampled_from(DISTANCES),
)  # fmt: skip
@settings(max_examples=80, deadline=None)
def test_depths_lie_between_zero_and_the_supremum(X, distance):
    X = X[np.abs(X).max(axis=1) > 1e-3]
    if len(X) < 2:
        return
    supremum = np.pi if distance == "angular" else 2.0
    depths = tte_depth(X, distance=distance)
    assert depths.shape == (len(X),) and depths.dtype == np.float64
    assert depths.min() >= -1e-9 and depths.max() <= supremum + 1e-9
    # Against all of X, oneself included, depth moves toward the supremum by a known share.
    n, d = X.shape
    # A cosine of 1 is off by up to d roundings, and near 1 the other distances are the square root of twice that.
    rounding = np.sqrt(2 * d * np.finfo(float).eps)
    expected = ((n - 1) * depths + supremum) / n
    np.testing.assert_allclose(tte_depth(X, X, distance=distance), expected, rtol=0, atol=rounding)


def test_accepts_what_numpy_can_read():
    import pandas as pd
    import torch

    F, _ = corpora(9, 10, 2, 4, 0.0)
    expected = tte_depth(F)
    np.testing.assert_array_equal(tte_depth(F.tolist()), expected)
    np.testing.assert_array_equal(tte_depth(pd.DataFrame(F)), expected)
    np.testing.assert_array_equal(tte_depth(torch.from_numpy(F)), expected)
    np.testing.assert_array_equal(tte_depth(np.asfortranarray(F)), expected)
    np.testing.assert_allclose(tte_depth([[1, 0], [0, 1], [1, 1]]), tte_depth([[1.0, 0], [0, 1], [1, 1]]))


def test_does_not_change_its_input():
    F, G = corpora(10, 20, 10, 4, 0.0)
    copies = F.copy(), G.copy()
    for distance in DISTANCES:
        tte_depth(F, distance=distance)
        tte_depth(G, F, distance=distance)
    np.testing.assert_array_equal(F, copies[0])
    np.testing.assert_array_equal(G, copies[1])


GOOD = np.ones((5, 3)) + np.arange(15).reshape(5, 3)


def with_row(row, value):
    X = GOOD.copy()
    X[row] = value
    return X


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.nan, r"X holds 1 row that is not finite \(NaN or inf\) \(first: row 3\)"),
        (np.inf, r"X holds 1 row that is not finite \(NaN or inf\) \(first: row 3\)"),
        (0.0, r"X holds 1 row that is zero \(first: row 3\)"),
        (1e-200, r"X holds 1 row that is too small or too large"),
    ],
)
def test_rows_without_direction_are_named(distance, value, message):
    with pytest.raises(ValueError, match=message):
        tte_depth(with_row(3, value), distance=distance)
    with pytest.raises(ValueError, match=message.replace("X holds", "reference holds")):
        tte_depth(GOOD, with_row(3, value), distance=distance)


def test_bad_rows_are_counted_over_all_blocks(monkeypatch):
    monkeypatch.setattr("xembed._core.directions._TASK", 3)
    monkeypatch.setattr("xembed._core.directions._BLOCK", 2)
    X = GOOD.copy()
    X[[1, 4]] = np.nan
    with pytest.raises(ValueError, match=r"X holds 2 rows that are not finite .*first: row 1"):
        tte_depth(X)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: tte_depth(GOOD, distance="cosin"), ValueError,
         r"The 'distance' parameter of tte_depth must be one of \{'angular', 'chord', 'cosine'\}. Got 'cosin' instead"),
        (lambda: tte_depth(GOOD, method="fast"), ValueError, "The 'method' parameter of tte_depth must be one of"),
        (lambda: tte_depth(GOOD, distance="chord", method="closed_form"), ValueError, "for distance='cosine' only"),
        (lambda: tte_depth(np.empty((0, 3))), ValueError, "X must hold at least 2 rows .* Got n_samples = 0"),
        (lambda: tte_depth(GOOD[:1]), ValueError, "X must hold at least 2 rows .* Got n_samples = 1"),
        (lambda: tte_depth(GOOD, np.empty((0, 3))), ValueError, "reference must hold at least 1 row"),
        (lambda: tte_depth(np.empty((3, 0))), ValueError, r"X has 0 feature\(s\)"),
        (lambda: tte_depth(GOOD[0]), ValueError, r"shape \(3,\) instead. Reshape your data"),
        (lambda: tte_depth(GOOD, GOOD[:, :2]), ValueError, "same number of dimensions. Got 3 and 2"),
        (lambda: tte_depth([[1, 2], [3]]), ValueError, "can't be put into one array"),
        (lambda: tte_depth(np.array([["a", "b"], ["c", "d"]])), TypeError, r"embed them first: xembed.load_encoder"),
        (lambda: tte_depth(np.array([[{}, 1.0], [2.0, 3.0]], dtype=object)), TypeError, "must hold numbers"),
        (lambda: tte_depth(GOOD * 1j), ValueError, "Complex data not supported"),
    ],
)  # fmt: skip
def test_documented_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_sparse_input_is_refused_with_a_remedy():
    from scipy.sparse import csr_matrix

    with pytest.raises(TypeError, match=r"pass X.toarray\(\)"):
        tte_depth(csr_matrix(GOOD))
