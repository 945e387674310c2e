"""How fast encoding is, against sentence-transformers' own, and from the cache. Run with ``make bench``."""

import time

import numpy as np

from xembed import load_encoder
from xembed.datasets import load_corpora


def texts_of_all_corpora():
    tables = [load_corpora(name) for name in ("support_tickets", "product_reviews", "news_briefs")]
    texts = [text for table in tables for text in table.texts]
    # As corpora come, and not as they were written: in no order.
    return [texts[i] for i in np.random.default_rng(0).permutation(len(texts))]


def test_encoding_against_sentence_transformers(benchmark):
    encoder, texts = load_encoder(), texts_of_all_corpora()[:512]
    own, ours = [], []
    for _ in range(4):
        start = time.perf_counter()
        expected = encoder.model.encode(texts)
        middle = time.perf_counter()
        found = encoder.encode(texts, cache=False)
        own.append(middle - start)
        ours.append(time.perf_counter() - middle)
    ratio = np.median(ours[1:]) / np.median(own[1:])
    benchmark.extra_info["ratio"] = ratio
    error = np.abs(found - expected).max()
    print(f"\nencode / sentence-transformers' encode: {ratio:.3g}, largest difference {error:.2g}")
    benchmark.pedantic(encoder.encode, (texts[:64],), {"cache": False}, rounds=1)


def test_second_run_from_the_cache(benchmark, tmp_path):
    encoder, texts = load_encoder(), texts_of_all_corpora()
    sentences = [f"{text} ({i})" for i in range(5) for text in texts][:5000]
    start = time.perf_counter()
    encoder.encode(sentences, cache=tmp_path)
    first = time.perf_counter() - start
    second = []
    for _ in range(5):
        start = time.perf_counter()
        encoder.encode(sentences, cache=tmp_path)
        second.append(time.perf_counter() - start)
    share = np.median(second) / first
    benchmark.extra_info["share"] = share
    seconds = f"{np.median(second):.3f} of {first:.1f} s"
    print(f"\nsecond run over {len(sentences)} cached texts: {share:.2%} of the first ({seconds})")
    benchmark.pedantic(encoder.encode, (sentences,), {"cache": tmp_path}, rounds=1)
