"""Dask arrays: the numbers of numpy, computed by two worker processes that keep the rows to themselves."""

import contextlib

import numpy as np
import pytest

from xembed.depth import TTEDepth, tte_depth
from xembed.shift import rank_sum_test
from xembed.shift._linear import linear_mmd

da = pytest.importorskip("dask.array")
distributed = pytest.importorskip("distributed")

N, M, D = 6000, 4100, 40


def maker(scale):
    """Return what makes rows from their numbers: where they are needed, and the same anywhere."""

    def make(start, stop):  # nested, so that it travels to the workers by value and this file need not
        rows = np.arange(start, stop)[:, None]
        return 0.3 + scale * np.sin(rows * np.sqrt(np.arange(2, 42)) + rows**2 * 0.1)

    return make


def chunked(scale, *sizes):
    make = maker(scale)

    def chunk(block_info=None):
        (start, stop), _ = block_info[None]["array-location"]
        return make(start, stop)

    return da.map_blocks(chunk, chunks=(sizes, (D,)), dtype=np.float64, meta=np.empty((0, 0)))


F, G = maker(1.0)(0, N), maker(1.1)(0, M)


@pytest.fixture(scope="module")
def client():
    with contextlib.ExitStack() as stack:
        cluster = stack.enter_context(
            distributed.LocalCluster(
                n_workers=2,
                threads_per_worker=1,
                processes=True,
                host="127.0.0.1",
                dashboard_address="127.0.0.1:0",  # None would listen at the same port in every run
                worker_dashboard_address=None,
                silence_logs=50,
            )
        )
        yield stack.enter_context(distributed.Client(cluster))


@pytest.fixture
def left():
    return chunked(1.0, 1700, 1700, 1700, 900)


@pytest.fixture
def right():
    return chunked(1.1, 900, 900, 900, 900, 500)


@pytest.fixture
def received(client, monkeypatch):
    """Bytes of all that comes from the workers."""
    sizes = []
    gather = client.gather

    def measured(*args, **options):
        results = gather(*args, **options)
        sizes.append(sum(value.nbytes for value in _arrays(results)))
        return results

    monkeypatch.setattr(client, "gather", measured)
    return sizes


def _arrays(results):
    if isinstance(results, np.ndarray):
        yield results
    elif isinstance(results, list | tuple):
        for item in results:
            yield from _arrays(item)


def test_rank_sum_has_the_numbers_of_numpy(client, left, right):
    expected = rank_sum_test(F, G)
    for pair in ((left, right), (left, G), (F, right), (left, [G[:9], G[9:]])):
        found = rank_sum_test(*pair)
        np.testing.assert_allclose(found.depths_F, expected.depths_F, rtol=0, atol=1e-12)
        np.testing.assert_allclose(found.depths_G, expected.depths_G, rtol=0, atol=1e-12)
        assert (found.pvalue, found.statistic) == (expected.pvalue, expected.statistic)


def test_linear_mmd_has_the_numbers_of_numpy(client, left, right):
    expected = linear_mmd(F, G, n_resamples=29, rng=1)
    found = linear_mmd(left, right, n_resamples=29, rng=1)
    np.testing.assert_allclose(found.values, expected.values, rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.sum_F, expected.sum_F, rtol=1e-12, atol=1e-9)
    assert found.pvalue == expected.pvalue


def test_depth_and_estimator_have_the_numbers_of_numpy(client, left, right):
    np.testing.assert_allclose(tte_depth(left), tte_depth(F), rtol=0, atol=1e-12)
    np.testing.assert_allclose(tte_depth(right, left), tte_depth(G, F), rtol=0, atol=1e-12)
    moments = {"distance": "chord", "method": "moments"}
    np.testing.assert_allclose(tte_depth(right, left, **moments), tte_depth(G, F, **moments), rtol=0, atol=1e-12)
    expected = TTEDepth().fit(F)
    fitted = TTEDepth().fit(left)
    assert fitted.n_reference_ == N and fitted.offset_ == pytest.approx(expected.offset_, abs=1e-12)
    np.testing.assert_allclose(fitted.score_samples(right), expected.score_samples(G), rtol=0, atol=1e-12)
    grown, whole = TTEDepth().partial_fit(left).partial_fit(right), TTEDepth().fit(np.concatenate([F, G]))
    np.testing.assert_allclose(grown.score_samples(right), whole.score_samples(G), rtol=0, atol=1e-12)


def test_columns_in_several_chunks_and_empty_chunks(client, left):
    np.testing.assert_allclose(tte_depth(left.rechunk((1000, 15))), tte_depth(F), rtol=0, atol=1e-12)
    np.testing.assert_allclose(tte_depth(chunked(1.0, 0, 2000, 0, 4000, 0)), tte_depth(F), rtol=0, atol=1e-12)


def test_other_numbers_and_no_cluster_at_all(left):
    whole = da.from_array((F * 50).astype(np.int16), chunks=(1000, D))
    np.testing.assert_allclose(
        rank_sum_test(whole, G).depths_F, rank_sum_test((F * 50).astype(np.int16), G).depths_F, rtol=0, atol=1e-12
    )
    np.testing.assert_allclose(tte_depth(left.astype(np.float32)), tte_depth(F.astype(np.float32)), rtol=0, atol=1e-12)


def test_rows_are_never_gathered(client, left, right, received, monkeypatch):
    """What comes back: the depths, and sums of the size of a row; by no other way than the one that is measured."""
    data = (N + M) * D * 8
    left[: N // 2].compute()
    assert sum(received) == data * (N // 2) / (N + M)  # the measure sees rows where there are any
    received.clear()

    def forbidden(*args, **options):
        raise AssertionError("a dask array was turned into one here")

    monkeypatch.setattr(da.Array, "compute", forbidden)
    monkeypatch.setattr(da.Array, "__array__", forbidden)
    rank_sum_test(left, right)
    sums = 2 * D * 8
    assert sum(received) == (N + M) * 8 + sums
    received.clear()
    linear_mmd(left, right, n_resamples=19)
    assert sum(received) == 20 * sums
    received.clear()
    fitted = TTEDepth().partial_fit(left)
    assert sum(received) == D * 8
    received.clear()
    fitted.score_samples(right)
    assert sum(received) == M * 8


def test_bad_rows_are_named_by_their_number_in_the_whole(client, right):
    bad = F.copy()
    bad[4321] = np.nan
    with pytest.raises(ValueError, match=r"F \(rows 4000 to 5999\) holds 1 row that is not finite .*first: row 4321"):
        rank_sum_test(da.from_array(bad, chunks=(2000, D)), right)


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        (lambda: da.ones(30), ValueError, r"F must be a 2-D dask array .* Got one of shape \(30,\)"),
        (lambda: da.ones((1, 4)), ValueError, "F must hold at least 2 rows .* Got n_samples = 1"),
        (lambda: da.ones((30, 4)), ValueError, "F and G must have the same number of dimensions. Got 4 and 40"),
        (lambda: da.ones((30, D), dtype=complex), ValueError, "Complex data not supported: F must hold real numbers"),
        (lambda: da.from_array(np.full((30, D), "a")), TypeError, "F must hold real numbers .* embed them first"),
        (lambda: (x := da.ones((30, D)))[x[:, 0] > 0], ValueError, r"known sizes. .* F.compute_chunk_sizes\(\) first"),
        (lambda: da.ones((30, D)).to_delayed()[0, 0], TypeError, r"F must be an array, .* Got a dask Delayed"),
    ],
)
def test_documented_errors(source, error, message):
    with pytest.raises(error, match=message):
        rank_sum_test(source(), G)


def test_a_dask_dataframe_is_told_how_to_become_an_array():
    pd, dd = pytest.importorskip("pandas"), pytest.importorskip("dask.dataframe")
    table = dd.from_pandas(pd.DataFrame(F[:50]), npartitions=2)
    with pytest.raises(TypeError, match=r"Got a dask DataFrame: .* \.to_dask_array\(lengths=True\)"):
        rank_sum_test(table, G)
    found = rank_sum_test(table.to_dask_array(lengths=True), G).depths_F
    np.testing.assert_allclose(found, rank_sum_test(F[:50], G).depths_F, rtol=0, atol=1e-12)


def test_other_modes_ask_for_arrays(left):
    with pytest.raises(ValueError, match=r"F must be an array .* Got Array instead"):
        rank_sum_test(left, G, reference="split")
    with pytest.raises(ValueError, match=r"X must be an array .* Got Array instead"):
        tte_depth(left, distance="chord")


def test_progress(client, left, right, capsys):
    rank_sum_test(left, right, progress=True)
    assert "20200/20200" in capsys.readouterr().err
