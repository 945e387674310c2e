"""All layers in one pass, and encoders cut short."""

import numpy as np
import pytest

import xembed
from xembed.encoders import Encoder, LayerEmbeddings, encode_layers, truncate

TEXTS = ["the cat sleeps", "a dog barks and then the sun rises", "not a cat", "the cat sleeps", "sun"]
POOLINGS = ("mean", "cls", "max", "last_token", "weighted_mean")


@pytest.fixture(scope="module")
def of_tiny(tiny):
    return encode_layers(tiny, TEXTS, poolings=POOLINGS, batch_size=2)


@pytest.mark.parametrize("layer", range(4))
@pytest.mark.parametrize("pooling", POOLINGS)
def test_equals_the_encoder_of_each_layer(tiny_folder, of_tiny, layer, pooling):
    encoder = xembed.load_encoder(tiny_folder, layer=layer, pooling=pooling, normalize=False, device="cpu")
    np.testing.assert_allclose(of_tiny[layer, pooling], encoder.encode(TEXTS, cache=False), atol=1e-5)


@pytest.mark.parametrize("layer", [0, 3, 6])
@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_equals_the_encoder_of_each_layer_for_the_default(default, layer, pooling):
    texts = ["A cat sleeps in the sun.", "Rates rose.", "It rained the whole of the day, and the next one too."]
    found = encode_layers(default, texts, poolings=("mean", "cls"), layers=[0, 3, -1])
    assert found.layers == (0, 3, 6)
    encoder = xembed.load_encoder(layer=layer, pooling=pooling, normalize=False, device="cpu")
    np.testing.assert_allclose(found[layer, pooling], encoder.encode(texts, cache=False), atol=1e-5)


def test_what_comes_out(of_tiny):
    assert isinstance(of_tiny, LayerEmbeddings)
    assert of_tiny.layers == (0, 1, 2, 3)
    assert of_tiny.poolings == POOLINGS
    assert (of_tiny.n_blocks, of_tiny.n_texts, of_tiny.n_truncated) == (3, 5, 0)
    assert len(of_tiny) == 20
    assert all(array.dtype == np.float32 and array.shape == (5, 16) for array in of_tiny.values())
    np.testing.assert_array_equal(of_tiny[2, "mean"][0], of_tiny[2, "mean"][3])
    assert repr(of_tiny).startswith("LayerEmbeddings(layers=(0, 1, 2, 3)")


def test_one_pass_a_batch(tiny, monkeypatch):
    transformer = tiny.model[0]
    calls = []
    forward = type(transformer).forward
    monkeypatch.setattr(
        type(transformer), "forward", lambda self, *args, **kwargs: calls.append(1) or forward(self, *args, **kwargs)
    )
    encode_layers(tiny, TEXTS, poolings=POOLINGS, batch_size=2)
    assert len(calls) == 1 + 2  # a look at the model, and the four different texts


def test_leaves_the_encoder_as_it_was(tiny):
    config = tiny.model[0].auto_model.config
    before, fingerprint = config.output_hidden_states, tiny.fingerprint
    expected = tiny.encode(TEXTS, cache=False)
    encode_layers(tiny, TEXTS)
    with pytest.raises(ValueError, match="must hold integers in"):
        encode_layers(tiny, TEXTS, layers=[9])
    assert config.output_hidden_states == before
    assert tiny.fingerprint == fingerprint
    np.testing.assert_array_equal(tiny.encode(TEXTS, cache=False), expected)


def test_the_encoder_s_own_layer_does_not_matter(tiny_folder, of_tiny):
    encoder = xembed.load_encoder(tiny_folder, layer=1, pooling="max", normalize=True, device="cpu")
    found = encode_layers(encoder, TEXTS, poolings="mean")
    np.testing.assert_allclose(found[3, "mean"], of_tiny[3, "mean"], atol=1e-6)


def test_batches_do_not_matter(tiny, of_tiny):
    found = encode_layers(tiny, iter(TEXTS), poolings=["mean"], layers=(2, -2), batch_size=50)
    assert list(found) == [(2, "mean")]
    np.testing.assert_allclose(found[2, "mean"], of_tiny[2, "mean"], atol=1e-5)


def test_long_texts_are_counted_and_named(tiny_folder):
    encoder = xembed.load_encoder(tiny_folder, max_length=4, device="cpu")
    with pytest.warns(UserWarning, match="2 of 3 texts are longer than 4 tokens"):
        found = encode_layers(encoder, ["the cat sleeps and barks"] * 2 + ["sun"], layers=[1])
    assert found.n_truncated == 2


def test_prompts_are_used(tiny_folder):
    encoder = xembed.load_encoder(tiny_folder, normalize=False, device="cpu")
    encoder.model.prompts = {"query": "the sun "}
    encoder.model.default_prompt_name = "query"
    found = encode_layers(encoder, TEXTS, layers=[-1])
    np.testing.assert_allclose(found[3, "mean"], encoder.encode(TEXTS, cache=False), atol=1e-5)


class Lengths:
    def encode(self, texts):
        return [[len(text)] for text in texts]


@pytest.mark.parametrize("function", [lambda e: encode_layers(e, TEXTS), lambda e: truncate(e, 1)])
def test_only_encoders_have_layers(function):
    with pytest.raises(TypeError, match="must be an Encoder made of a transformer, such as"):
        function(Lengths())


@pytest.mark.parametrize("function", [lambda e: encode_layers(e, TEXTS), lambda e: truncate(e, 1)])
def test_only_transformers_have_layers(function):
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import BoW

    encoder = Encoder(SentenceTransformer(modules=[BoW(vocab=["cat", "dog"])], device="cpu"))
    with pytest.raises(ValueError, match=r"must be made of a transformer.*Got one made of BoW"):
        function(encoder)


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"poolings": ("mean", "median")}, ValueError, "'poolings' parameter of encode_layers must be one of"),
        ({"poolings": ()}, TypeError, "'poolings' parameter of encode_layers must be a list or tuple"),
        ({"poolings": None}, TypeError, "'poolings' parameter of encode_layers must be a list or tuple"),
        ({"layers": []}, ValueError, "at least one layer"),
        ({"layers": [4]}, ValueError, r"integers in \[-4, 3\]: the model has 3 blocks"),
        ({"layers": [-5]}, ValueError, r"integers in \[-4, 3\]"),
        ({"layers": [1.0]}, TypeError, r"integers in \[-4, 3\]"),
        ({"layers": [True]}, TypeError, r"integers in \[-4, 3\]"),
        ({"layers": 3}, TypeError, "must be a list of integers"),
        ({"batch_size": 0}, ValueError, "'batch_size' parameter of encode_layers"),
        ({"progress": "yes"}, TypeError, "'progress' parameter of encode_layers"),
    ],
)
def test_bad_options(tiny, options, error, match):
    with pytest.raises(error, match=match):
        encode_layers(tiny, TEXTS, **options)


@pytest.mark.parametrize(("texts", "match"), [([], "at least 1 text"), (["a", " "], "1 blank text")])
def test_bad_texts(tiny, texts, match):
    with pytest.raises(ValueError, match=match):
        encode_layers(tiny, texts)


def test_infinite_embeddings_are_named(make_tiny):
    def spoil(model):
        model.encoder.layer[1].output.LayerNorm.bias[0] = np.inf

    encoder = xembed.load_encoder(make_tiny(edit=spoil), device="cpu")
    assert np.isfinite(encode_layers(encoder, TEXTS, layers=[0, 1])[1, "mean"]).all()
    with pytest.raises(RuntimeError, match="not finite for"):
        encode_layers(encoder, TEXTS, layers=[2])


@pytest.mark.parametrize("kind", ["bert", "roberta"])
@pytest.mark.parametrize("n_layers", [1, 2, 3])
def test_truncated_gives_the_layer(make_tiny, kind, n_layers):
    folder = make_tiny(kind=kind)
    encoder = xembed.load_encoder(folder, device="cpu")
    short = truncate(encoder, n_layers)
    expected = xembed.load_encoder(folder, layer=n_layers, device="cpu").encode(TEXTS, cache=False)
    np.testing.assert_allclose(short.encode(TEXTS, cache=False), expected, atol=1e-6)
    model = short.model[0].auto_model
    assert model.config.num_hidden_layers == n_layers
    assert len(model.encoder.layer) == n_layers
    assert len(encoder.model[0].auto_model.encoder.layer) == 3
    assert encoder.model[0].auto_model.config.num_hidden_layers == 3
    assert (short.fingerprint == encoder.fingerprint) == (n_layers == 3)


@pytest.mark.parametrize("kind", ["DistilBert", "MPNet"])
def test_truncates_other_models(tmp_path, make_tiny, kind):
    import shutil

    import transformers

    options = {"vocab_size": 80, "max_position_embeddings": 40, "initializer_range": 0.5}
    if kind == "DistilBert":
        options |= {"dim": 16, "n_layers": 3, "n_heads": 2, "hidden_dim": 32}
    else:
        options |= {"hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 32}
    config = getattr(transformers, f"{kind}Config")(**options)
    folder = tmp_path / "model"
    getattr(transformers, f"{kind}Model")(config).save_pretrained(folder)
    for file in make_tiny().glob("*okeniz*"):
        shutil.copy(file, folder)
    encoder = xembed.load_encoder(folder, device="cpu")
    expected = encode_layers(encoder, TEXTS)
    np.testing.assert_allclose(truncate(encoder, 2).encode(TEXTS, cache=False), expected[2, "mean"], atol=1e-5)
    assert truncate(encoder, 2).model[0].auto_model.config.num_hidden_layers == 2


def test_truncated_keeps_pooling_and_length_but_not_what_was_trained_for_the_output(sentence_folder):
    encoder = xembed.load_encoder(sentence_folder, max_length=20, device="cpu")
    short = truncate(encoder, 2)
    described = short.describe()
    assert (described["pooling"], described["normalize"], described["max_length"]) == ("cls", True, 20)
    assert described["dimension"] == 16  # not the 4 of the Dense
    assert described["model"] == "sentence-tiny (first 2 blocks)"
    np.testing.assert_allclose(np.linalg.norm(short.encode(TEXTS, cache=False), axis=1), 1, atol=1e-6)
    assert truncate(encoder, 3).dimension == 4  # a plain copy


def test_truncated_encoder_of_a_layer_gives_the_same(tiny_folder):
    encoder = xembed.load_encoder(tiny_folder, layer=1, device="cpu")
    short = truncate(encoder, 2)
    np.testing.assert_array_equal(short.encode(TEXTS, cache=False), encoder.encode(TEXTS, cache=False))
    with pytest.raises(ValueError, match="must be at least 3, the layer"):
        truncate(xembed.load_encoder(tiny_folder, layer=3, device="cpu"), 2)


def test_training_the_copy_does_not_touch_the_original(tiny_folder):
    import torch

    encoder = xembed.load_encoder(tiny_folder, device="cpu")
    before = encoder.encode(TEXTS, cache=False)
    short = truncate(encoder, 2)
    with torch.no_grad():
        for parameter in short.model.parameters():
            parameter += 1.0
    np.testing.assert_array_equal(encoder.encode(TEXTS, cache=False), before)
    assert all(parameter.requires_grad for parameter in short.model.parameters())


def test_truncated_twice(tiny):
    np.testing.assert_array_equal(
        truncate(truncate(tiny, 2), 1).encode(TEXTS, cache=False), truncate(tiny, 1).encode(TEXTS, cache=False)
    )


@pytest.mark.parametrize(
    ("n_layers", "error", "match"),
    [
        (0, ValueError, "'n_layers' parameter of truncate must be an integer of at least 1"),
        (4, ValueError, "at most 3, the number of the model's blocks. Got 4"),
        (1.5, TypeError, "'n_layers' parameter of truncate"),
    ],
)
def test_bad_number_of_layers(tiny, n_layers, error, match):
    with pytest.raises(error, match=match):
        truncate(tiny, n_layers)


def test_shared_blocks_are_refused(tmp_path, make_tiny):
    import shutil

    from transformers import AlbertConfig, AlbertModel

    config = AlbertConfig(
        vocab_size=80, embedding_size=8, hidden_size=16, num_hidden_layers=3, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=40,
    )  # fmt: skip
    folder = tmp_path / "albert"
    AlbertModel(config).save_pretrained(folder)
    for file in make_tiny().glob("*okeniz*"):
        shutil.copy(file, folder)
    encoder = xembed.load_encoder(folder, device="cpu")
    assert encode_layers(encoder, TEXTS).layers == (0, 1, 2, 3)
    with pytest.raises(ValueError, match=r"separate blocks.*AlbertModel, in which none were found"):
        truncate(encoder, 2)


def test_a_norm_after_the_last_block_is_noticed(tmp_path, make_tiny):
    import shutil

    from transformers import ModernBertConfig, ModernBertModel

    config = ModernBertConfig(
        vocab_size=80, hidden_size=16, num_hidden_layers=3, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=40, pad_token_id=0, bos_token_id=2, eos_token_id=3, cls_token_id=2, sep_token_id=3,
        global_attn_every_n_layers=1, attn_implementation="eager",
    )  # fmt: skip
    folder = tmp_path / "modern"
    ModernBertModel(config).save_pretrained(folder)
    for file in make_tiny().glob("*okeniz*"):
        shutil.copy(file, folder)
    encoder = xembed.load_encoder(folder, device="cpu")
    with pytest.raises(ValueError, match="computes more after its last block"):
        truncate(encoder, 2)
