"""Encoders taken apart give what they give as a whole: poolings, layers, prompts, corrections, objects of one's own."""

import numpy as np
import pytest
import torch
from models import (
    WIDTH,
    WORDS,
    CountedWords,
    RandomTexts,
    one_thread,
    save_tiny,
    tiny_tokenizer,
    with_modules,
    with_prompt,
)
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline

import xembed
from xembed.attribution import METHODS, Depth, Projection, Similarity, explain, method_health
from xembed.attribution._encoder_model import ScoredEncoder, ScoredTexts, as_scored_encoder, unwrap
from xembed.encoders import Encoder, encode_texts, truncate
from xembed.isotropy import AllButTheTop, ClusterIsotropy, Standardize, Whitening, wrap

TEXTS = ["the cat", "she saw the old king and sings .", "singers", "two friends met a very bad dog in the park"]
POOLINGS = ("mean", "cls", "max", "weighted_mean", "last_token")
TARGET = Similarity("the king met a queen")
PERTURB = [name for name, method in METHODS.items() if method.family == "perturbation"]
NEED_MODEL = [name for name, method in METHODS.items() if method.family in ("gradient", "attention")]


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    with one_thread():
        yield


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return {kind: save_tiny(tmp_path_factory.mktemp(kind), kind) for kind in ("Bert", "DistilBert", "Roberta")}


@pytest.fixture(scope="module")
def load(folders):
    return lambda kind="Bert", **options: xembed.load_encoder(folders[kind], device="cpu", **options)


@pytest.fixture(scope="module")
def bert(load):
    return load()


def raw(encoder, texts):
    """Return what encode gives, also of texts without words."""
    inside, corrections = unwrap(encoder)
    found = inside.model.encode(list(texts), normalize_embeddings=inside._normalize, show_progress_bar=False)
    for correction in corrections:
        found = correction.transform(found)
    return found


def check_taken_apart(encoder, texts=TEXTS, needs_gradients=True):
    """Compare by ids and by word embeddings, all texts in a batch, with the encoder itself."""
    scored = ScoredEncoder(encoder, lambda found: found, needs_gradients=needs_gradients, caller="this test")
    rows = scored.words.encode(texts)
    expected = encode_texts(encoder, texts, cache=False).embeddings
    assert np.ptp(expected, axis=0).max() > 1e-2
    tolerance = 2e-5 * np.abs(expected).max()
    np.testing.assert_allclose(scored.score_ids([row.ids for row in rows]), expected, atol=tolerance)
    ids, mask = scored.tensors([row.ids for row in rows])
    with scored.frozen(), torch.no_grad():
        by_embeds = scored.score(scored.embed(ids, mask), mask).numpy()
    np.testing.assert_allclose(by_embeds, expected, atol=tolerance)
    scored.verify(rows[0], texts[0])
    return scored, rows


# ---- the pipeline


def test_the_offline_encoder(encoder):
    texts = ["A cat sleeps.", "Rates rose again, which nobody had expected of the bank.", "Ein Hund bellt — laut!"]
    scored, rows = check_taken_apart(encoder, texts)
    assert rows[0].words == ("A", "cat", "sleeps", ".")
    assert scored.words.max_length == encoder.max_length


@pytest.mark.parametrize("kind", ["Bert", "DistilBert", "Roberta"])
@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("layer", [-1, 1, 2])
def test_kinds_poolings_and_layers(load, kind, pooling, layer):
    check_taken_apart(load(kind, pooling=pooling, layer=layer))


@pytest.mark.parametrize("pooling", ["mean", "max", "weighted_mean"])
def test_the_embedding_layer(load, pooling):
    check_taken_apart(load(pooling=pooling, layer=0))


@pytest.mark.parametrize("pooling", ["mean", "max"])
def test_brought_to_length_one(load, pooling):
    encoder = load(pooling=pooling, normalize=True)
    np.testing.assert_allclose(np.linalg.norm(encoder.encode(TEXTS, cache=False), axis=1), 1, atol=1e-5)
    check_taken_apart(encoder)
    inside = load(pooling=pooling)
    check_taken_apart(Encoder(inside.model, normalize=True))  # by the encoder, not by a module


def test_dimensions_cut_off(load):
    encoder = load(normalize=True)
    encoder.model.truncate_dim = 8
    scored, _ = check_taken_apart(encoder)
    assert scored.score_ids([(2, 5, 3)]).shape == (1, 8)
    check_taken_apart(Encoder(encoder.model, normalize=True))  # cut off first, then brought to length 1


def test_modules_behind_the_pooling(folders):
    from sentence_transformers.base.modules import Dense, Normalize
    from sentence_transformers.sentence_transformer.modules import Pooling

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        dense = Dense(2 * WIDTH, 6)
    check_taken_apart(with_modules(folders["Bert"], Pooling(WIDTH, ("mean", "max")), dense, Normalize()))


def test_texts_that_are_cut_off(load):
    encoder = load(max_length=6)
    scored, rows = check_taken_apart(encoder)
    assert [row.truncated for row in rows] == [False, True, False, True]
    assert max(len(row.ids) for row in rows) == scored.words.max_length == 6
    shorter = ScoredEncoder(encoder, lambda found: found, max_length=5, caller="this test")
    assert shorter.words.max_length == 5
    # The encoder's own limit holds however much is asked for.
    longer = ScoredEncoder(encoder, lambda found: found, max_length=40, caller="this test")
    assert longer.words.max_length == 6


def test_an_encoder_that_does_more_is_noticed(bert):
    class Shifted(Encoder):
        fingerprint = "shifted"  # or its embeddings would be cached as those of the other

        def _run_model(self, texts):
            return super()._run_model(texts) + 1

    with pytest.raises(ValueError, match=r"encoder of explain can't be taken apart: its embedding of 'the cat'"):
        explain(Shifted(bert.model, name="shifted"), TEXTS, target=TARGET, method="occlusion")


def test_what_words_left_out_give_is_what_the_encoder_gives_without_them(bert):
    found = explain(bert, ["she met friends"], target=TARGET, method="occlusion")
    other = raw(bert, ["the king met a queen"])[0]
    rows = raw(bert, ["she met friends", "met friends", "she friends", "she met"])
    whole, *without = rows @ other / np.linalg.norm(rows, axis=1) / np.linalg.norm(other)
    np.testing.assert_allclose(found.scores, [whole], atol=1e-6)
    np.testing.assert_allclose(found.values[0], [whole - score for score in without], atol=1e-6)


# ---- prompts


@pytest.mark.parametrize("include", [True, False])
@pytest.mark.parametrize("pooling", ["mean", "max", "weightedmean"])
def test_prompts_are_read_and_belong_to_no_word(folders, pooling, include):
    from sentence_transformers.sentence_transformer.modules import Pooling

    encoder = with_modules(folders["Bert"], Pooling(WIDTH, pooling, include_prompt=include))
    plain = encoder.encode(TEXTS, cache=False)
    with_prompt(encoder, "old man : ")
    assert np.abs(plain - encoder.encode(TEXTS, cache=False)).max() > 1e-2
    _, rows = check_taken_apart(encoder)
    tokens = tiny_tokenizer().convert_ids_to_tokens(list(rows[0].ids))
    assert tokens == ["[CLS]", "old", "man", "[UNK]", "the", "cat", "[SEP]"]
    assert rows[0].words == ("the", "cat")
    assert rows[0].word_ids == (None, None, None, None, 0, 1, None)


def test_prompts_of_lists_of_words(load):
    encoder = with_prompt(load(), "old man : ")
    by_text = explain(encoder, ["the cat"], target=TARGET, method="occlusion")
    by_words = explain(encoder, [["the", "cat"]], target=TARGET, method="occlusion")
    assert by_words.words == by_text.words == (("the", "cat"),)
    np.testing.assert_array_equal(by_words.values[0], by_text.values[0])


def test_prompts_stay_while_words_are_left_out(load):
    encoder = with_prompt(load(), "old man : ")
    found = explain(encoder, ["she sings"], target=TARGET, method="occlusion")
    other = encoder.encode(["the king met a queen"], cache=False)[0]
    rows = encoder.encode(["she sings", "sings", "she"], cache=False)
    whole, *without = rows @ other / np.linalg.norm(rows, axis=1) / np.linalg.norm(other)
    np.testing.assert_allclose(found.values[0], [whole - score for score in without], atol=1e-6)


def test_prompts_count_for_the_limit(load):
    encoder = with_prompt(load(max_length=6), "old man ")
    _, rows = check_taken_apart(encoder, ["she sings", "he left late"])
    assert [row.truncated for row in rows] == [False, True]
    assert rows[1].word_ids == (None, None, None, 0, 1, None)


# ---- corrections


class Doubled:
    """A correction of one's own: a matrix and a shift, and nothing that says how wide."""

    def transform(self, X):
        return 2.0 * np.asarray(X)[:, ::-1] + 1.0


class Squared:
    """One that is no matrix."""

    def transform(self, X):
        return np.asarray(X) ** 2


class Ratio:
    """One that gives NaN for zeros, and is no matrix either."""

    def transform(self, X):
        with np.errstate(invalid="ignore"):
            return np.asarray(X) / np.linalg.norm(X, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def fitted(bert):
    words = list(WORDS[:30])
    rng = np.random.default_rng(0)
    X = bert.encode([" ".join(rng.choice(words, size=rng.integers(1, 7))) for _ in range(150)], cache=False)
    return {
        "Whitening": Whitening().fit(X),
        "Whitening, fewer": Whitening(n_components=5).fit(X),
        "AllButTheTop": AllButTheTop(n_components=2).fit(X),
        "Standardize": Standardize().fit(X),
        "pipeline": make_pipeline(Standardize(), PCA(4)).fit(X),
        "own": Doubled(),
        "ClusterIsotropy": ClusterIsotropy(n_clusters=3, n_components=1).fit(X),
        "squared": Squared(),
        "ratio": Ratio(),
    }


AFFINE = ["Whitening", "Whitening, fewer", "AllButTheTop", "Standardize", "pipeline", "own"]
NOT_AFFINE = ["ClusterIsotropy", "squared", "ratio"]


@pytest.mark.parametrize("name", AFFINE)
@pytest.mark.parametrize("needs_gradients", [True, False])
def test_corrections_that_are_a_matrix(bert, fitted, name, needs_gradients):
    check_taken_apart(wrap(bert, fitted[name]), needs_gradients=needs_gradients)


def test_corrections_around_corrections(bert, fitted):
    encoder = wrap(wrap(wrap(bert, fitted["Standardize"]), Doubled()), fitted["Whitening, fewer"])
    assert unwrap(encoder) == (bert, [fitted["Standardize"], encoder.encoder.correction, fitted["Whitening, fewer"]])
    check_taken_apart(encoder)


@pytest.mark.parametrize("name", ["Whitening", "AllButTheTop", "Standardize"])
def test_gradients_go_through_corrections(bert, fitted, name):
    found = explain(wrap(bert, fitted[name]), TEXTS, target=TARGET, tolerance=0.001, max_steps=384)
    assert (found.completeness < 0.005).all()
    expected = wrap(bert, fitted[name]).encode([*TEXTS, TARGET.to], cache=False).astype(float)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(found.scores, expected[:-1] @ expected[-1], atol=1e-5)
    plain = explain(bert, TEXTS, target=TARGET)
    assert not np.allclose(found.values[1], plain.values[1], atol=1e-2)


@pytest.mark.parametrize("name", NOT_AFFINE)
def test_gradients_don_t_go_through_corrections_that_are_no_matrix(bert, fitted, name):
    encoder = wrap(bert, fitted[name])
    for method in ("integrated_gradients", "saliency_l2", "attention_rollout"):
        with pytest.raises(ValueError, match=rf"explain needs a correction .* {type(fitted[name]).__name__} is not"):
            explain(encoder, TEXTS, target=TARGET, method=method)


@pytest.mark.parametrize("name", NOT_AFFINE)
@pytest.mark.parametrize("method", PERTURB)
def test_words_can_be_left_out_whatever_the_correction(bert, fitted, name, method):
    encoder = wrap(bert, fitted[name])
    text = "she saw the dog"
    found = explain(encoder, [text], target=Depth(["the king met a queen", "dog"]), method=method, n_samples=64)
    subsets = np.array([[bit >> place & 1 for place in range(4)] for bit in range(16)], dtype=bool)
    rows = raw(encoder, [" ".join(np.array(text.split())[present]) for present in subsets])
    reference = encoder.encode(["the king met a queen", "dog"], cache=False)
    scores = xembed.depth.tte_depth(rows, reference)
    np.testing.assert_allclose(found.scores, scores[-1:], atol=1e-5)
    assert found.words[0] == tuple(text.split())
    if method == "occlusion":
        np.testing.assert_allclose(found.values[0], scores[-1] - scores[[14, 13, 11, 7]], atol=1e-5)
    elif method != "lime":
        np.testing.assert_allclose(found.values[0], xembed.attribution.shapley_values(scores), atol=1e-5)


def test_cut_texts_are_noticed_behind_any_correction(load, fitted):
    encoder = wrap(load(max_length=6), fitted["ClusterIsotropy"])
    found = explain(encoder, TEXTS, target=TARGET, method="shapley_sampling")
    assert list(found.truncated) == [False, True, False, True]
    assert found.words[1] == ("she", "saw", "the", "old")  # of a string what is not read is not seen
    of_words = explain(encoder, [text.split() for text in TEXTS], target=TARGET, method="shapley_sampling")
    np.testing.assert_array_equal(of_words.values[1][:4], found.values[1])
    assert of_words.values[1][4:].tolist() == [0.0] * 4


# ---- which methods work


def test_health_of_an_encoder(bert):
    health = method_health(bert, texts=TEXTS, target=TARGET)
    assert set(health.valid) >= {"integrated_gradients", "saliency_l2", "occlusion", "lime", "attention_rollout"}
    assert health["guided_backprop"].status == "degenerate"  # no ReLU
    assert (health.model, health.notes) == ("Encoder", ())


def test_health_of_corrected_encoders(bert, fitted):
    names = ["saliency_l2", "integrated_gradients", "occlusion", "shapley_sampling"]
    assert set(method_health(wrap(bert, fitted["Whitening"]), methods=names, texts=TEXTS).valid) == set(names)
    health = method_health(wrap(bert, fitted["ClusterIsotropy"]), methods=names, texts=TEXTS)
    assert health.valid == ("occlusion", "shapley_sampling")
    assert "ClusterIsotropy has no gradients" in health["saliency_l2"].reason


def test_health_of_objects_of_one_s_own():
    health = method_health(RandomTexts(), texts=TEXTS, target=Similarity("rain"))
    assert set(health.valid) == set(PERTURB)
    assert health["integrated_gradients"].status == "unsupported"
    assert "RandomTexts gives embeddings only" in health["integrated_gradients"].reason


# ---- attention


@pytest.mark.parametrize("method", ["attention_rollout", "attention_gradient"])
@pytest.mark.parametrize("pooling", ["mean", "cls", "last_token"])
@pytest.mark.parametrize("layer", [1, 2])
def test_attention_above_the_layer_does_not_count(load, method, pooling, layer):
    """An encoder of an inner layer is explained as one that ends there."""
    encoder = load(layer=layer, pooling=pooling)
    found = explain(encoder, TEXTS, target=TARGET, method=method)
    expected = explain(truncate(load(pooling=pooling), layer), TEXTS, target=TARGET, method=method)
    np.testing.assert_allclose(found.scores, expected.scores, atol=1e-6)
    for values, wanted in zip(found.values, expected.values, strict=True):
        np.testing.assert_allclose(values, wanted, atol=1e-6)
    whole = explain(load(pooling=pooling), TEXTS, target=TARGET, method=method)
    assert not np.allclose(found.values[1], whole.values[1], atol=1e-4)


@pytest.mark.parametrize("pooling", ["mean", "cls", "last_token"])
def test_attention_is_that_of_what_the_pooling_reads(load, pooling):
    encoder = load(pooling=pooling)
    found = explain(encoder, TEXTS, target=TARGET, method="attention_rollout")
    model = encoder.model[0].auto_model
    ids = tiny_tokenizer()(TEXTS[1], return_tensors="pt")["input_ids"]
    model.set_attn_implementation("eager")
    with torch.no_grad():
        attentions = model(input_ids=ids, output_attentions=True).attentions
    flow = torch.eye(ids.shape[1])
    for attention in attentions:
        flow = (0.5 * attention[0].mean(dim=0) + 0.5 * torch.eye(ids.shape[1])) @ flow
    read = {"mean": flow.mean(dim=0), "cls": flow[0], "last_token": flow[-1]}[pooling]
    np.testing.assert_allclose(found.values[1], read[1:-1], atol=1e-5)


def test_the_embedding_layer_has_no_attention(load):
    with pytest.raises(ValueError, match="gives no attention weights"):
        explain(load(layer=0), TEXTS, target=TARGET, method="attention_rollout")


# ---- objects of one's own


COUNTED = CountedWords(["storm", "mild", "rain"])
WEIGHTS = np.array([0.0, 3.0, -1.0, 1.0]) / np.sqrt(11)  # of length 1


@pytest.mark.parametrize("method", ["occlusion", "shapley_sampling", "kernel_shap"])
def test_linear_objects_are_explained_exactly(method):
    texts = ["a storm and mild rain", "rain", "mild mild winds of a very long and dull afternoon without rain"]
    found = explain(COUNTED, texts, target=Projection(WEIGHTS), method=method, n_samples=200)
    value = {"storm": 3.0, "mild": -1.0, "rain": 1.0}
    for text, words, values in zip(texts, found.words, found.values, strict=True):
        assert words == tuple(text.split())
        np.testing.assert_allclose(values, [value.get(word, 0.0) / np.sqrt(11) for word in words], atol=1e-9)
    assert not found.truncated.any()


def test_lime_of_a_linear_object_has_its_order():
    found = explain(COUNTED, ["a storm and mild rain"], target=Projection(WEIGHTS), method="lime", n_samples=300)
    value = dict(zip(found.words[0], found.values[0], strict=True))
    assert value["storm"] > value["rain"] > max(abs(value["a"]), abs(value["and"])) and value["mild"] < -0.05
    np.testing.assert_allclose(value["storm"], 3 / np.sqrt(11), rtol=0.15)


@pytest.mark.parametrize("method", NEED_MODEL)
def test_objects_of_one_s_own_have_no_gradients(method):
    with pytest.raises(TypeError, match=r"explain needs the gradients or tokens .* CountedWords gives embeddings only"):
        explain(COUNTED, ["mild rain"], target=Projection(WEIGHTS), method=method)


def test_equal_texts_are_encoded_once():
    encoder = CountedWords(["rain"])
    explain(encoder, ["mild rain", "rain", "rain mild rain"], target=Projection([0.0, 1.0]), method="shapley_sampling")
    assert {"", "mild", "rain", "mild rain", "rain mild", "rain rain", "rain mild rain"} == set(encoder.asked)
    assert len(encoder.asked) == 3 + 7  # the three texts for their scores


def test_white_space_does_not_matter():
    one, other = (
        explain(COUNTED, [text], target=Projection(WEIGHTS), method="occlusion")
        for text in ("a storm", "  a\n\tstorm ")
    )
    assert one.words == other.words == (("a", "storm"),)
    np.testing.assert_array_equal(one.values[0], other.values[0])


def test_lists_of_words_go_to_objects_joined():
    found = explain(COUNTED, [["mild", "rain"]], target=Projection(WEIGHTS), method="occlusion")
    assert found.words == (("mild", "rain"),)


@pytest.mark.parametrize("method", PERTURB)
def test_an_object_that_refuses_the_empty_text(method):
    encoder = CountedWords(["storm", "rain"], empty=False)
    asked = {"target": Projection([0.0, 0.0, 1.0]), "method": method}
    if method == "occlusion":
        found = explain(encoder, ["a storm and rain"], **asked)
        np.testing.assert_allclose(found.values[0], [0, 0, 0, 1])
    else:
        with pytest.raises(
            ValueError, match=r"text without words, which CountedWords refuses \(no empty texts, please"
        ):
            explain(encoder, ["a storm and rain"], **asked)
    with pytest.raises(ValueError, match="choose 'occlusion' for texts of more than one word"):
        explain(encoder, ["rain"], **asked)


def test_an_object_that_gives_nan_for_the_empty_text():
    class Mean:
        def encode(self, texts):
            with np.errstate(invalid="ignore"):
                return np.array([[text.count("a"), len(text)] for text in texts]) / np.array(
                    [[len(text.split())] for text in texts]
                )

    with pytest.raises(ValueError, match="Mean gives as NaN or infinity: choose 'occlusion'"):
        explain(Mean(), ["a cat"], target=Projection([1.0, 0.0]), method="shapley_sampling")
    assert np.isfinite(explain(Mean(), ["a cat"], target=Projection([1.0, 0.0]), method="occlusion").values[0]).all()


@pytest.mark.parametrize("method", PERTURB)
def test_texts_of_one_word(bert, method):
    encoder = RandomTexts()
    found = explain(encoder, ["rain", "cat"], target=Similarity("storm"), method=method)
    rows = encoder.encode(["rain", "cat", "", "storm"])
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    scores = rows[:3] @ rows[3]
    np.testing.assert_allclose(found.scores, scores[:2])
    if method != "lime":
        np.testing.assert_allclose(np.ravel(found.values), scores[:2] - scores[2])
    (of_bert,) = explain(bert, ["cat"], target=TARGET, method=method).values
    rows = raw(bert, ["cat", "", TARGET.to])
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    if method != "lime":
        np.testing.assert_allclose(of_bert, [rows[0] @ rows[2] - rows[1] @ rows[2]], atol=1e-6)
    assert of_bert.shape == (1,) and of_bert[0] != 0


@pytest.mark.parametrize("method", NEED_MODEL)
def test_texts_of_one_word_by_the_model(bert, method):
    (values,) = explain(bert, ["cat"], target=TARGET, method=method).values
    assert values.shape == (1,) and np.isfinite(values).all()


@pytest.mark.parametrize("kind", ["words", "deletion", "level", "blank", "number", "both"])
def test_what_objects_of_one_s_own_can_t(kind):
    texts, options, error, match = {
        "words": ("mild rain", {}, TypeError, "must be a list of strings. Got one str"),
        "deletion": (["mild rain"], {"deletion": "mask"}, ValueError, "can only delete words .* Got 'mask'"),
        "level": (["mild rain"], {"level": "token"}, ValueError, "level='token' needs an encoder with tokens"),
        "blank": (["mild", " "], {}, ValueError, "holds 1 blank text"),
        "number": (["mild", 1], {}, TypeError, r"holds 1 item that is not a string \(first: item 1, int 1\)"),
        "both": ([["mild", 1]], {}, TypeError, "words of text 0 holds 1 item that is not a string"),
    }[kind]
    with pytest.raises(error, match=match):
        explain(COUNTED, texts, target=Projection(WEIGHTS), method="occlusion", **options)


def test_encoders_that_are_no_transformer_are_explained_by_their_texts():
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import BoW

    encoder = Encoder(SentenceTransformer(modules=[BoW(vocab=["rain", "mild"])], device="cpu"), name="bag")
    scored = as_scored_encoder(encoder, lambda found: found, needs_model=False, caller="this test")
    assert isinstance(scored, ScoredTexts)
    # An Encoder refuses blank texts; what its model makes of one is what is left without words.
    for around in (encoder, wrap(encoder, Doubled())):
        target = Projection(around.encode(["rain"])[0] - around.encode(["storm"])[0])
        found = explain(around, ["mild rain here"], target=target, method="shapley_sampling")
        np.testing.assert_allclose(found.values[0], [0, 2.0 if around is not encoder else 1.0, 0], atol=1e-6)
    with pytest.raises(TypeError, match="Encoder gives embeddings only"):
        explain(encoder, ["mild rain"], target=Projection([1.0, 0.0]))
