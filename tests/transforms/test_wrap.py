"""A wrapped encoder is an encoder: it encodes, describes itself, caches raw embeddings."""

import json

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline

import xembed
from xembed.encoders import Encoding, cache_info, describe_encoder, encode_texts
from xembed.isotropy import AllButTheTop, Standardize, Whitening, wrap
from xembed.transforms import WrappedEncoder

TEXTS = [
    "A cat sleeps in the sun.",
    "The dog barks.",
    "Rates rose again last month.",
    "The recipe asks for two eggs.",
    "A cat sleeps in the sun.",
    "He plays the violin.",
]


class Own:
    """An encoder of the kind that users write."""

    def __init__(self, d=3, dtype=np.float64):
        self.d, self.dtype = d, dtype

    def encode(self, texts):
        return np.array([[len(text), text.count("a"), text.count("e")][: self.d] for text in texts], dtype=self.dtype)


@pytest.fixture(scope="module")
def encoder():
    return xembed.load_encoder(device="cpu", max_length=7)


@pytest.fixture(scope="module")
def correction(encoder):
    return AllButTheTop(2).fit(encoder.encode_detailed(TEXTS, cache=False).embeddings)


def test_encodes_and_corrects(encoder, correction, tmp_path):
    wrapped = wrap(encoder, correction)
    raw = encoder.encode_detailed(TEXTS, cache=tmp_path)
    found = wrapped.encode_detailed(iter(TEXTS), 2, progress=False, cache=tmp_path)
    assert isinstance(found, Encoding)
    np.testing.assert_array_equal(found.embeddings, correction.transform(raw.embeddings))
    assert found.embeddings.dtype == np.float32
    assert (found.n_texts, found.n_unique, found.n_cached) == (6, 5, 5)  # raw embeddings were in the cache
    assert found.n_truncated == raw.n_truncated == 4
    np.testing.assert_array_equal(found.n_tokens, raw.n_tokens)
    with pytest.warns(UserWarning, match="4 of 6 texts are longer than 7 tokens"):
        np.testing.assert_array_equal(wrapped.encode(TEXTS, cache=tmp_path), found.embeddings)


def test_encode_texts_gives_the_counts(encoder, correction):
    found = encode_texts(wrap(encoder, correction), TEXTS, cache=False)
    assert (found.n_truncated, found.n_unique) == (4, 5)


def test_cache_is_passed_through(encoder, correction, tmp_path):
    wrap(encoder, correction).encode_detailed(TEXTS, cache=tmp_path / "a")
    assert cache_info(tmp_path / "a")["n_texts"] == 5
    wrap(encoder, correction).encode_detailed(TEXTS, cache=False)
    n_before = cache_info()["n_texts"]
    wrap(encoder, correction).encode_detailed(["A text that no other test has."])
    assert cache_info()["n_texts"] == n_before + 1


def test_describes_itself(encoder, correction):
    wrapped = wrap(encoder, correction)
    described = describe_encoder(wrapped)
    assert json.loads(json.dumps(described)) == described
    raw = encoder.describe()
    assert described["correction"] == correction.describe()
    assert described["model"] == raw["model"]
    assert described["normalize"] is False
    assert (wrapped.dimension, wrapped.max_length, described["dimension"]) == (384, 7, 384)
    assert len(wrapped.fingerprint) == 64
    assert described["fingerprint"] == wrapped.fingerprint != raw["fingerprint"]
    assert repr(wrapped) == f"WrappedEncoder({encoder!r}, AllButTheTop(n_components=2))"


def test_fingerprint_stands_for_encoder_and_correction(encoder, correction):
    X = encoder.encode_detailed(TEXTS, cache=False).embeddings
    fingerprints = {
        wrap(encoder, fitted).fingerprint
        for fitted in (correction, AllButTheTop(2).fit(X), AllButTheTop(1).fit(X), AllButTheTop(2).fit(2 * X))
    }
    assert len(fingerprints) == 3
    assert wrap(Own(), Standardize().fit(Own().encode(TEXTS))).fingerprint is None


def test_shorter_rows_come_out(encoder):
    X = encoder.encode_detailed(TEXTS, cache=False).embeddings
    wrapped = wrap(encoder, Whitening(n_components=4).fit(X))
    assert wrapped.dimension == wrapped.describe()["dimension"] == 4
    assert wrapped.encode_detailed(TEXTS, cache=False).embeddings.shape == (6, 4)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_an_encoder_of_your_own(dtype):
    own = Own(dtype=dtype)
    correction = Standardize().fit(own.encode(TEXTS))
    wrapped = wrap(own, correction)
    np.testing.assert_array_equal(
        wrapped.encode(TEXTS, 1, progress=False, cache=True), correction.transform(own.encode(TEXTS))
    )
    found = encode_texts(wrapped, TEXTS)
    assert found.n_truncated is None
    assert found.embeddings.dtype == (np.float64 if dtype == np.float64 else np.float32)
    assert wrapped.describe() == {"model": "Own", "correction": correction.describe()}
    assert (wrapped.dimension, wrapped.max_length) == (3, None)


def test_wraps_what_is_wrapped():
    own = Own()
    first = wrap(own, Standardize().fit(own.encode(TEXTS)))
    second = wrap(first, AllButTheTop().fit(first.encode(TEXTS)))
    expected = second.correction.transform(first.correction.transform(own.encode(TEXTS)))
    np.testing.assert_array_equal(second.encode(TEXTS), expected)
    np.testing.assert_array_equal(second.encode_detailed(TEXTS).embeddings, expected)
    assert list(second.describe()) == ["model", "correction"]
    assert second.describe()["correction"] == [first.correction.describe(), second.correction.describe()]


def test_pipelines_and_other_transformers():
    own = Own()
    X = own.encode(TEXTS)
    pipeline = make_pipeline(Standardize(), AllButTheTop()).fit(X)
    wrapped = wrap(own, pipeline)
    np.testing.assert_array_equal(wrapped.encode(TEXTS), pipeline.transform(X))
    assert [step["class"] for step in wrapped.describe()["correction"]] == ["Standardize", "AllButTheTop"]
    wrapped = wrap(own, PCA(2).set_output(transform="pandas").fit(X))
    assert type(wrapped.encode(TEXTS)) is np.ndarray
    assert wrapped.dimension == 2
    assert wrapped.describe()["correction"] == {"class": "PCA"}

    class Short:
        def transform(self, X):
            return X[:-1]

    assert wrap(own, Short()).dimension is None
    with pytest.raises(ValueError, match=r"what Short.transform returns must have one row a text. Got 5 rows for 6"):
        wrap(own, Short()).encode(TEXTS)


def test_errors(encoder):
    fitted = Standardize().fit(Own().encode(TEXTS))
    with pytest.raises(TypeError, match=r"The 'encoder' parameter of wrap must be an encoder: .* Got 3 instead"):
        wrap(3, fitted)
    with pytest.raises(TypeError, match="The 'encoder' parameter of wrap must be an encoder"):
        wrap("all-MiniLM-L6-v2", fitted)
    for wrong in (None, Standardize, "whitening"):
        with pytest.raises(TypeError, match="The 'correction' parameter of wrap must be a fitted correction"):
            wrap(Own(), wrong)
    for unfitted in (Standardize(), make_pipeline(Standardize(), AllButTheTop()), PCA()):
        with pytest.raises(NotFittedError, match="The 'correction' parameter of wrap must be fitted"):
            wrap(Own(), unfitted)
    with pytest.raises(ValueError, match=r"Got 384 and 3: was the Standardize fitted to embeddings of another model\?"):
        wrap(encoder, fitted)
    with pytest.raises(ValueError, match="X has 2 features, but Standardize is expecting 3"):
        wrap(Own(2), fitted).encode(TEXTS)
    with pytest.raises(ValueError, match="1 blank text"):
        wrap(Own(), fitted).encode(["a", " "])
    with pytest.raises(TypeError, match="must be a list of strings"):
        wrap(encoder, AllButTheTop().fit(np.random.default_rng(0).normal(size=(9, 384)))).encode("a text")


def test_encode_detailed_of_another_kind():
    class Other(Own):
        def encode_detailed(self, texts, batch_size, *, progress, cache):
            return self.encode(texts)

    with pytest.raises(TypeError, match=r"What Other.encode_detailed returns must be an xembed.encoders.Encoding. Got"):
        encode_texts(Other(), TEXTS)


def test_is_public():
    assert xembed.isotropy.WrappedEncoder is WrappedEncoder
