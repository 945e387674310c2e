"""Depth and the rank-sum test on rows that come in blocks: the numbers of arrays, in bounded memory."""

import os
import subprocess
import sys
import textwrap

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from xembed._core import blocks as _blocks
from xembed._core import directions as resultant_module
from xembed.depth import TTEDepth, tte_depth
from xembed.shift import rank_sum_test

RNG = np.random.default_rng(0)
F = RNG.normal(0.4, 1.0, size=(700, 12))
G = RNG.normal(0.4, 1.1, size=(500, 12))
G[[3, 80, 499]] = F[[5, 6, 7]]  # ties


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Blocks of 64 rows, so that these corpora have many."""
    monkeypatch.setattr(_blocks, "_ELEMENTS", 64 * 12)


def cut(X, *bounds):
    return np.split(X, bounds)


def sources(X, folder):
    np.save(folder / "rows.npy", X)
    lists = pa.FixedSizeListArray.from_arrays(pa.array(X.ravel()), X.shape[1])
    pq.write_table(pa.table({"text": ["a"] * len(X), "vector": lists}), folder / "rows.parquet", row_group_size=90)
    return {
        "list of lists": X.tolist(),
        "memory map": np.load(folder / "rows.npy", mmap_mode="r"),
        ".npy": folder / "rows.npy",
        ".parquet": str(folder / "rows.parquet"),
        "list of blocks": cut(X, 1, 300, 300, 301),
        "tuple of lists": tuple(cut(X, 128)),
        "function": lambda: iter(cut(X, *range(7, len(X), 7))),
    }


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
def test_every_source_gives_the_numbers_of_arrays(tmp_path, dtype):
    first, second = F.astype(dtype), G.astype(dtype)
    expected = rank_sum_test(first, second)
    (tmp_path / "F").mkdir()
    (tmp_path / "G").mkdir()
    left, right = sources(first, tmp_path / "F"), sources(second, tmp_path / "G")
    for name in left:
        for pair in ((left[name], right[name]), (left[name], second), (first, right[name])):
            found = rank_sum_test(*pair)
            np.testing.assert_allclose(found.depths_F, expected.depths_F, rtol=0, atol=1e-12, err_msg=name)
            np.testing.assert_allclose(found.depths_G, expected.depths_G, rtol=0, atol=1e-12, err_msg=name)
            assert (found.pvalue, found.statistic) == (expected.pvalue, expected.statistic), name
            assert found.confidence_interval == expected.confidence_interval
            np.testing.assert_array_equal(found.rows_F, expected.rows_F)


def test_every_source_has_the_depths_of_arrays(tmp_path):
    for name, source in sources(G, tmp_path).items():
        np.testing.assert_allclose(tte_depth(source), tte_depth(G), rtol=0, atol=1e-12, err_msg=name)
        np.testing.assert_allclose(tte_depth(source, F), tte_depth(G, F), rtol=0, atol=1e-12, err_msg=name)
        np.testing.assert_allclose(tte_depth(F, source), tte_depth(F, G), rtol=0, atol=1e-12, err_msg=name)
    np.testing.assert_allclose(tte_depth(iter(cut(G, 9)), iter(cut(F, 8))), tte_depth(G, F), rtol=0, atol=1e-12)


def test_every_source_fits_the_estimator(tmp_path):
    expected = TTEDepth().fit(G)
    scores = expected.score_samples(F)
    for name, source in sources(G, tmp_path).items():
        fitted = TTEDepth().fit(source)
        assert (fitted.n_reference_, fitted.n_features_in_) == (500, 12), name
        assert fitted.offset_ == pytest.approx(expected.offset_, abs=1e-12)
        np.testing.assert_allclose(fitted.score_samples(cut(F, 50)), scores, rtol=0, atol=1e-12)
        np.testing.assert_array_equal(fitted.predict(cut(F, 50)), expected.predict(F))
        stream = TTEDepth().partial_fit(source).partial_fit(F[:10])
        np.testing.assert_allclose(
            stream.score_samples(F), TTEDepth().fit(np.r_[G, F[:10]]).score_samples(F), rtol=0, atol=1e-12
        )
    once = TTEDepth().partial_fit(iter(cut(G, 100, 200)))
    np.testing.assert_allclose(once.score_samples(iter(cut(F, 30))), scores, rtol=0, atol=1e-12)


def test_large_float32_blocks_are_computed_with_as_arrays_are(monkeypatch):
    monkeypatch.setattr(resultant_module, "_EXACT_ELEMENTS", 1000)
    monkeypatch.setattr(resultant_module, "_BLOCK", 32)  # of which the blocks are multiples, as at full size
    first, second = F.astype(np.float32), G.astype(np.float32)
    expected = rank_sum_test(first, second)
    found = rank_sum_test(cut(first, 90, 500), second)
    np.testing.assert_allclose(found.depths_F, expected.depths_F, rtol=0, atol=1e-10)
    exact = rank_sum_test(first.astype(float), second.astype(float)).depths_F
    assert 0 < np.abs(expected.depths_F - exact).max() < 1e-6
    # Where nobody knows how many rows will come, the more precise way is taken.
    np.testing.assert_allclose(tte_depth(lambda: iter(cut(first, 90))), tte_depth(first.astype(float)), atol=1e-12)


def with_bad_row(row, value):
    bad = F.copy()
    bad[row] = value
    return cut(bad, 100, 200, 300, 400)


@pytest.mark.parametrize(
    ("value", "problem"), [(np.nan, r"not finite \(NaN or inf\)"), (np.inf, "not finite"), (0.0, "zero")],
)  # fmt: skip
def test_bad_rows_are_named_by_their_number_in_the_whole(value, problem):
    message = rf"holds 1 row that is {problem}.*\(first: row 321\)"
    blocks = with_bad_row(321, value)
    for call in (
        lambda: rank_sum_test(blocks, G),
        lambda: rank_sum_test(lambda: iter(blocks), G),
        lambda: tte_depth(blocks),
        lambda: tte_depth(iter(blocks), G),
        lambda: TTEDepth().partial_fit(iter(blocks)),
        lambda: TTEDepth().fit(G).score_samples(blocks),
    ):
        with pytest.raises(ValueError, match=message):
            call()
    with pytest.raises(ValueError, match=r"G \(rows 320 to 383\) holds 1 row"):
        rank_sum_test(F, blocks)


BLOCKS = cut(F, 100)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: rank_sum_test(iter(BLOCKS), G), TypeError, "F must be something that can be read more than once"),
        (lambda: rank_sum_test(G, (b for b in BLOCKS)), TypeError, r"G must be .*\(generator\).*the function that mak"),
        (lambda: tte_depth(iter(BLOCKS)), TypeError, "X must be something .* for tte_depth with reference=None"),
        (lambda: TTEDepth().fit(iter(BLOCKS)), TypeError, "X must be something .* for TTEDepth.fit"),
        (lambda: rank_sum_test(lambda: iter([]), G), ValueError, "F must hold at least 2 rows .* Got n_samples = 0"),
        (lambda: rank_sum_test([F[:1]], G), ValueError, "F must hold at least 2 rows .* Got n_samples = 1"),
        (lambda: rank_sum_test(BLOCKS, G[:, :3]), ValueError, "F and G must have the same number of dimensions"),
        (lambda: tte_depth(BLOCKS, [G[:, :3]]), ValueError, "X and reference must have the same number of dimensions"),
        (lambda: rank_sum_test([F, F[:, :3]], G), ValueError, r"Block 1 of F \(from row 700\) must have 12 dimensions"),
        (lambda: rank_sum_test([F, F[0]], G), ValueError, r"Block 1 of F \(from row 700\) must be a 2-D array"),
        (lambda: rank_sum_test(BLOCKS, G, reference="split"), ValueError,
         "F must be an array .* rank_sum_test can read blocks only for reference='pooled' with distance='cosine'"),
        (lambda: rank_sum_test(F, [G], reference="first"), ValueError, "G must be an array .* Got list instead"),
        (lambda: rank_sum_test(BLOCKS, G, distance="chord"), ValueError, "F must be an array"),
        (lambda: tte_depth(BLOCKS, distance="chord"), ValueError, "X must be an array .* method='moments'. Got list"),
        (lambda: tte_depth(F, BLOCKS, method="pairwise"), ValueError, "reference must be an array"),
        (lambda: TTEDepth("chord").fit(BLOCKS), ValueError, "TTEDepth can read blocks only for distance='cosine'"),
        (lambda: TTEDepth().fit(G).score_samples([F[:, :3]]), ValueError, "X has 3 features, but TTEDepth is expe"),
        (lambda: rank_sum_test(F, G, progress=1), TypeError, "The 'progress' parameter of rank_sum_test must be True"),
        (lambda: rank_sum_test("F.txt", G), ValueError, "F must be an array, .*Got 'F.txt' instead"),
    ],
)  # fmt: skip
def test_documented_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_files_do_for_every_reference_and_distance(tmp_path):
    np.save(tmp_path / "F.npy", F)
    for options in ({"reference": "split"}, {"reference": "first"}, {"distance": "chord"}):
        assert rank_sum_test(tmp_path / "F.npy", G, **options).pvalue == rank_sum_test(F, G, **options).pvalue


def test_rank_sum_shows_its_progress_if_asked(capsys):
    rank_sum_test(F, BLOCKS, progress=True)
    shown = capsys.readouterr()
    assert "2800/2800" in shown.err and not shown.out  # both corpora, twice
    rank_sum_test(F, lambda: iter(BLOCKS), progress=True)
    assert "2.80k" in capsys.readouterr().err  # with an end that is not known before
    rank_sum_test(F, G, progress=False)
    rank_sum_test(F, G)
    assert capsys.readouterr() == ("", "")


N_ROWS = 10_000_000 if os.environ.get("XEMBED_FULL") else 1_000_000


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("kind", ["memory map", "blocks"])
def test_memory_does_not_grow_with_the_rows(tmp_path, kind):
    """Beyond the page cache, a process needs what it keeps: the depths and their ranks."""
    code = f"""
        import re, threading, time
        import numpy as np
        from xembed.shift import rank_sum_test

        def own():
            return int(re.search(r"RssAnon:\\s*(\\d+)", open("/proc/self/status").read())[1]) / 1024

        n, path = {N_ROWS}, {str(tmp_path / "rows.npy")!r}
        block = np.random.default_rng(0).normal(0.2, 1.0, size=(50_000, 384)).astype(np.float16)
        if {kind!r} == "blocks":
            corpora = [lambda: (block for _ in range(n // 100_000))] * 2
        else:
            rows = np.lib.format.open_memmap(path, "w+", np.float16, (n, 384))
            for i in range(0, n, len(block)):
                rows[i : i + len(block)] = block
            del rows
            corpora = np.array_split(np.load(path, mmap_mode="r"), 2)
        before, peak, done = own(), 0.0, False

        def watch():
            global peak
            while not done:
                peak = max(peak, own())
                time.sleep(0.005)

        thread = threading.Thread(target=watch)
        thread.start()
        result = rank_sum_test(*corpora, progress=False)
        done = True
        thread.join()
        print(len(result.depths_F) + len(result.depths_G), peak - before)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True, env=os.environ
    )
    n_rows, megabytes = done.stdout.split()
    assert int(n_rows) == N_ROWS
    print(f"\n{kind}: {N_ROWS} rows of {N_ROWS * 768 / 2**20:.0f} MB in {float(megabytes):.0f} MB")
    # 2,000 MB at 10,000,000 rows: what is kept a row, and 350 MB for what is in work.
    assert float(megabytes) < 350 + 165e-6 * N_ROWS
