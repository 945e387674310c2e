"""Why two texts are similar: sums, definitions, brute force, and what is refused."""

import itertools
import json
import math

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from models import WIDTH, WORDS, CountedWords, RandomTexts, one_thread, save_tiny, with_modules, with_prompt

import xembed
from xembed.attribution import SimilarityExplanation, explain_similarity
from xembed.attribution._integrated import clenshaw_curtis
from xembed.isotropy import AllButTheTop, ClusterIsotropy, Standardize, Whitening, wrap

A, B = "the king met two friends .", "she saw a bad dog in the park"
PAIRS = [(A, B), ("singers", "the actors"), ("he", "she"), ("a cat", "a cat"), ("old man", "the old man left late .")]
METHODS = ("integrated_jacobian", "last_layer", "leave_one_out", "shapley")
SUMS = ("integrated_jacobian", "last_layer", "shapley")


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    with one_thread():
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_tiny(tmp_path_factory.mktemp("bert"))


@pytest.fixture(scope="module")
def tiny(folder):
    return xembed.load_encoder(folder, device="cpu")


def unit(rows):
    rows = np.asarray(rows, dtype=float)
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def embed(encoder, texts):
    """Return embeddings of length 1, also of texts without words."""
    return unit(encoder.model.encode(list(texts), show_progress_bar=False))


def cosine(encoder, a, b):
    first, second = unit(encoder.encode([a, b], cache=False))
    return first @ second


def check_sums(found, atol=1e-6):
    np.testing.assert_allclose(found.matrix.sum() + sum(found.rest.values()), found.similarity, atol=atol)
    np.testing.assert_allclose(
        found.completeness,
        abs(found.similarity - found.matrix.sum() - sum(found.rest.values())),
        atol=1e-12,
    )
    assert set(found.rest) == {"special tokens", "reference"}
    assert found.matrix.shape == (len(found.words_a), len(found.words_b))
    assert found.values_a.shape == (len(found.words_a),) and found.values_b.shape == (len(found.words_b),)


# ---- the last layer


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("The king greeted his guests.", "The queen welcomed visitors."),
        ("My router is broken.", "Since the storm the connection drops every few minutes, and nobody knows why."),
        ("Rain", "It rained the whole night."),
        ("Unbelievable!", "unbelievable"),
    ],
)
def test_the_last_layer_sums_to_the_cosine(encoder, a, b):
    found = explain_similarity(encoder, a, b, method="last_layer")
    check_sums(found, atol=1e-6)
    assert found.completeness < 1e-6
    np.testing.assert_allclose(found.similarity, cosine(encoder, a, b), atol=1e-6)
    assert found.rest["reference"] == pytest.approx(0, abs=1e-9)  # the pooling adds nothing
    assert found.reference is None


def test_the_last_layer_by_hand(tiny):
    """Products of the token embeddings, divided by the numbers of tokens and the lengths of the means."""
    found = explain_similarity(tiny, "singers met", "a cat", method="last_layer")
    model, tokenizer = tiny.model[0].auto_model, tiny.model[0].tokenizer
    states = []
    for text in ("singers met", "a cat"):
        with torch.no_grad():
            states.append(model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].double().numpy())
    first, second = (rows / len(rows) / np.linalg.norm(rows.mean(axis=0)) for rows in states)
    assert tokenizer.tokenize("singers met") == ["sing", "##er", "##s", "met"]
    of_words = np.stack([first[1:4].sum(axis=0), first[4]])
    np.testing.assert_allclose(found.matrix, of_words @ second[1:-1].T, atol=1e-6)
    rest = (first @ second.T).sum() - (of_words @ second[1:-1].T).sum()
    np.testing.assert_allclose(found.rest["special tokens"], rest, atol=1e-6)
    # What a word adds to the cosine with the whole other text.
    np.testing.assert_allclose(found.values_a, of_words @ second.sum(axis=0), atol=1e-6)
    np.testing.assert_allclose(found.values_b, second[1:-1] @ first.sum(axis=0), atol=1e-6)


def test_tokens_of_a_word_are_summed(tiny):
    by_word = explain_similarity(tiny, "actorss", "a cat", method="last_layer")
    assert tiny.model[0].tokenizer.tokenize("actorss") == ["actor", "##s", "##s"]
    assert by_word.words_a == ("actorss",) and by_word.matrix.shape == (1, 2)
    check_sums(by_word)


@given(
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=9), st.lists(st.sampled_from(WORDS), min_size=1, max_size=9)
)
@example(["she", "she", "he", "he", "he", "she", "she", "she"], ["she", "she", "he", "he", "he", "she", "she", "she"])
@settings(max_examples=15, deadline=None)
def test_the_last_layer_sums_for_any_texts(tiny, first, second):
    a, b = " ".join(first), " ".join(second)
    found = explain_similarity(tiny, a, b, method="last_layer")
    check_sums(found)
    np.testing.assert_allclose(found.similarity, cosine(tiny, a, b), atol=1e-6)
    assert -1 <= found.similarity <= 1
    assert (list(found.words_a), list(found.words_b)) == (first, second)


@pytest.mark.parametrize("kind", ["weighted", "dense", "truncated", "length one", "layer", "prompt"])
def test_the_last_layer_sums_through_the_pipeline(folder, kind):
    from sentence_transformers.base.modules import Dense, Normalize
    from sentence_transformers.sentence_transformer.modules import Pooling

    if kind == "weighted":
        encoder = xembed.load_encoder(folder, pooling="weighted_mean", device="cpu")
    elif kind == "dense":
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            dense = Dense(WIDTH, 6, activation_function=torch.nn.Identity())
        torch.nn.init.ones_(dense.linear.bias)
        encoder = with_modules(folder, Pooling(WIDTH, "mean"), Normalize(), dense)
    elif kind == "layer":
        encoder = xembed.load_encoder(folder, layer=1, device="cpu")
    else:
        encoder = xembed.load_encoder(folder, normalize=True, device="cpu")
    if kind == "truncated":
        encoder.model.truncate_dim = 8
    if kind == "prompt":
        with_prompt(encoder, "old man : ")
    for a, b in PAIRS:
        found = explain_similarity(encoder, a, b, method="last_layer")
        check_sums(found)
        np.testing.assert_allclose(found.similarity, cosine(encoder, a, b), atol=1e-6)
    if kind == "dense":
        assert abs(found.rest["reference"]) > 1e-3  # the bias
    assert len(found.words_a) == 2  # no word of the prompt


@pytest.mark.parametrize("correction", [Whitening(n_components=10), AllButTheTop(n_components=2), Standardize()])
@pytest.mark.parametrize("method", SUMS)
def test_sums_of_wrapped_encoders(tiny, correction, method):
    rng = np.random.default_rng(0)
    X = tiny.encode([" ".join(rng.choice(WORDS, size=rng.integers(1, 7))) for _ in range(120)])
    around = wrap(tiny, correction.fit(X))
    for a, b in PAIRS[:3]:
        found = explain_similarity(around, a, b, method=method, tolerance=0.0001, max_steps=384)
        check_sums(found, atol=2e-3 if method == "integrated_jacobian" else 1e-5)
        np.testing.assert_allclose(found.similarity, cosine(around, a, b), atol=1e-5)
        if method != "shapley":  # there no words give nothing
            assert abs(found.rest["reference"]) > 1e-4  # the shift of the correction, or what no words give
    assert found.encoder["correction"]["class"] == type(correction).__name__


# ---- the integrated Jacobian


def brute_force_vectors(encoder, text, reference, steps):
    """Integrate whole Jacobians, one backward pass for each dimension, and sum over tokens of words: all one here."""
    pipeline = encoder.model
    tokenizer = pipeline[0].tokenizer
    table = pipeline[0].auto_model.get_input_embeddings()
    ids = tokenizer(text, return_tensors="pt")["input_ids"]
    base = ids.clone()
    base[0, 1:-1] = {"mask": tokenizer.mask_token_id, "pad": tokenizer.pad_token_id, "zero": 0}[reference]
    mask = torch.ones_like(ids)

    def embedding(embeds):
        features = {"inputs_embeds": embeds, "attention_mask": mask}
        for module in pipeline:
            features = module(features)
        return torch.nn.functional.normalize(features["sentence_embedding"], dim=-1)[0]

    with torch.no_grad():
        x, b = table(ids), table(base)
        if reference == "zero":
            b[0, 1:-1] = 0
    points, weights = clenshaw_curtis(steps)
    total = 0
    for point, weight in zip(points, weights, strict=True):
        jacobian = torch.autograd.functional.jacobian(embedding, x - (1 - point) * (x - b))
        total = total + weight * (jacobian[:, 0] * (x - b)[0]).sum(-1).double().numpy()
    assert np.abs(total[:, [0, -1]]).max() == 0  # special tokens don't move
    return total[:, 1:-1].T, embedding(b).detach().double().numpy(), embedding(x).detach().double().numpy()


@pytest.mark.parametrize("reference", ["mask", "pad", "zero"])
def test_the_integrated_jacobian_by_brute_force(tiny, reference):
    a, b = "the king met friends", "a dog"
    # No more steps than the first: the same quadrature, refined or not.
    found = explain_similarity(
        tiny, a, b, method="integrated_jacobian", reference=reference, max_steps=12, tolerance=0.9
    )
    first, start_a, end_a = brute_force_vectors(tiny, a, reference, 12)
    second, start_b, end_b = brute_force_vectors(tiny, b, reference, 12)
    np.testing.assert_allclose(found.matrix, first @ second.T, atol=2e-5)
    np.testing.assert_allclose(found.values_a, first @ end_b, atol=2e-5)
    np.testing.assert_allclose(found.values_b, second @ end_a, atol=2e-5)
    whole = (first.sum(axis=0) + start_a) @ (second.sum(axis=0) + start_b)
    np.testing.assert_allclose(found.rest["reference"], whole - first.sum(axis=0) @ second.sum(axis=0), atol=2e-5)
    assert found.rest["special tokens"] == pytest.approx(0, abs=1e-9)
    assert found.reference == reference


@pytest.mark.parametrize(("tolerance", "max_steps"), [(0.05, 96), (0.001, 384)])
def test_the_integrated_jacobian_is_as_complete_as_asked(tiny, tolerance, max_steps):
    for a, b in PAIRS:
        found = explain_similarity(tiny, a, b, method="integrated_jacobian", tolerance=tolerance, max_steps=max_steps)
        # Each text misses its way by no more than the tolerance; ways are 2 long at most, embeddings 1.
        assert found.completeness <= 2 * (2 * tolerance) + (2 * tolerance) ** 2
        check_sums(found, atol=0.2)
        np.testing.assert_allclose(found.similarity, cosine(tiny, a, b), atol=1e-6)


def test_steps_are_added_until_it_is_complete(tiny):
    errors = [
        explain_similarity(
            tiny, A, B, method="integrated_jacobian", reference="zero", tolerance=1e-6, max_steps=steps
        ).completeness
        for steps in (12, 48, 192)
    ]
    assert errors[2] < 1e-4 and errors[2] < errors[0]


def test_the_offline_encoder_is_complete(encoder):
    found = explain_similarity(encoder, "The king greeted guests.", "The queen sings.", method="integrated_jacobian")
    assert found.completeness <= 0.02
    check_sums(found, atol=0.02)


# ---- leaving words out


def test_leave_one_out_is_the_second_difference_of_cosines(tiny):
    a, b = "the king met friends", "she saw a dog"
    found = explain_similarity(tiny, a, b, method="leave_one_out")

    def shorter(text, place):
        words = text.split()
        return " ".join(words[:place] + words[place + 1 :])

    for i, j in itertools.product(range(4), range(4)):
        both = cosine(tiny, shorter(a, i), shorter(b, j))
        expected = found.similarity - cosine(tiny, shorter(a, i), b) - cosine(tiny, a, shorter(b, j)) + both
        np.testing.assert_allclose(found.matrix[i, j], expected, atol=1e-6)
    for i in range(4):
        np.testing.assert_allclose(found.values_a[i], found.similarity - cosine(tiny, shorter(a, i), b), atol=1e-6)
        np.testing.assert_allclose(found.values_b[i], found.similarity - cosine(tiny, a, shorter(b, i)), atol=1e-6)
    assert found.rest is None and found.completeness is None
    assert found.reference == "delete"


def test_words_may_be_masked_instead(tiny):
    found = explain_similarity(tiny, "the king met friends", "a dog", method="leave_one_out", deletion="mask")
    expected = cosine(tiny, "the king met friends", "a dog") - cosine(tiny, "the [MASK] met friends", "a dog")
    np.testing.assert_allclose(found.values_a[1], expected, atol=1e-6)
    assert found.reference == "mask"


# ---- Shapley values


def brute_force_shapley(encoder, text):
    """Return the mean of what each word adds to the embedding over all orders; no word is nothing."""
    words = text.split()
    subsets = [subset for size in range(len(words) + 1) for subset in itertools.combinations(range(len(words)), size)]
    known = dict(
        zip(subsets, embed(encoder, [" ".join(words[place] for place in subset) for subset in subsets]), strict=True)
    )
    known[()] = np.zeros_like(known[()])
    total = np.zeros((len(words), known[()].shape[0]))
    for order in itertools.permutations(range(len(words))):
        for place, word in enumerate(order):
            total[word] += known[tuple(sorted(order[: place + 1]))] - known[tuple(sorted(order[:place]))]
    return total / math.factorial(len(words)), known[tuple(range(len(words)))]


@pytest.mark.parametrize("a", ["he", "the king met friends", "she saw a bad dog"])
def test_shapley_values_of_short_texts_are_exact(tiny, a):
    b = "old man"
    found = explain_similarity(tiny, a, b, method="shapley", n_samples=64)
    first, whole_a = brute_force_shapley(tiny, a)
    second, whole_b = brute_force_shapley(tiny, b)
    np.testing.assert_allclose(found.matrix, first @ second.T, atol=1e-6)
    np.testing.assert_allclose(found.values_a, first @ whole_b, atol=1e-6)
    np.testing.assert_allclose(found.values_b, second @ whole_a, atol=1e-6)
    check_sums(found)
    assert found.rest == {"special tokens": pytest.approx(0, abs=1e-9), "reference": pytest.approx(0, abs=1e-6)}


def test_sampled_shapley_values_sum_and_come_near(tiny):
    text = "she saw a bad dog in the park"  # 8 words: 256 rows would be exact
    exact = explain_similarity(tiny, text, A, method="shapley", n_samples=256)
    coarse, fine = (explain_similarity(tiny, text, A, method="shapley", n_samples=n) for n in (16, 250))
    for found in (exact, coarse, fine):
        check_sums(found, atol=1e-5)
    gaps = [np.abs(found.values_a - exact.values_a).max() for found in (coarse, fine)]
    assert 1e-4 < gaps[1] < gaps[0]


def test_orders_depend_on_the_seed(tiny):
    first, none, other = (
        explain_similarity(tiny, A + " " + B, B, method="shapley", n_samples=20, rng=rng) for rng in (0, None, 5)
    )
    np.testing.assert_array_equal(first.matrix, none.matrix)
    assert not np.allclose(first.matrix, other.matrix, atol=1e-6)


# ---- what holds for all


@pytest.mark.parametrize("method", METHODS)
def test_texts_can_be_exchanged(tiny, method):
    there = explain_similarity(tiny, A, B, method=method, n_samples=40)
    back = explain_similarity(tiny, B, A, method=method, n_samples=40)
    np.testing.assert_allclose(there.matrix, back.matrix.T, atol=1e-5)
    np.testing.assert_allclose(there.values_a, back.values_b, atol=1e-5)
    np.testing.assert_allclose(there.values_b, back.values_a, atol=1e-5)
    np.testing.assert_allclose(there.similarity, back.similarity, atol=1e-6)
    assert (there.words_a, there.words_b) == (back.words_b, back.words_a)
    assert there.to_frame().T.shape == back.to_frame().shape


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("text", ["the old king sings", "dog"])
def test_identical_texts(tiny, method, text):
    found = explain_similarity(tiny, text, text, method=method)
    np.testing.assert_allclose(found.similarity, 1.0, atol=1e-6)
    assert "The two texts are the same." in found.notes
    np.testing.assert_allclose(found.matrix, found.matrix.T, atol=1e-6)
    assert (np.linalg.eigvalsh((found.matrix + found.matrix.T) / 2) > -1e-6).all()  # products of vectors
    np.testing.assert_allclose(found.values_a, found.values_b, atol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_texts_of_one_word(tiny, method):
    found = explain_similarity(tiny, "king", "queen", method=method, tolerance=0.001, max_steps=384)
    assert found.matrix.shape == (1, 1)
    first, second, nothing = embed(tiny, ["king", "queen", ""])
    if method == "leave_one_out":
        np.testing.assert_allclose(found.matrix[0, 0], (first - nothing) @ (second - nothing), atol=1e-6)
        np.testing.assert_allclose(found.values_a[0], (first - nothing) @ second, atol=1e-6)
    if method == "shapley":  # without words there is nothing
        np.testing.assert_allclose([found.matrix[0, 0], found.values_a[0]], first @ second, atol=1e-6)
    if method != "leave_one_out":
        check_sums(found, atol=1e-5 if method != "integrated_jacobian" else 5e-3)


@pytest.mark.parametrize("method", METHODS)
def test_cut_texts_are_noted(folder, method):
    encoder = xembed.load_encoder(folder, device="cpu", max_length=5)
    found = explain_similarity(encoder, "a dog", "she saw a bad dog", method=method)
    assert found.truncated == (False, True)
    assert "text_b is longer than the encoder reads: words that were cut off are not shown." in found.notes
    assert (found.words_a, found.words_b) == (("a", "dog"), ("she", "saw", "a"))
    short = explain_similarity(encoder, "a dog", "she saw a", method=method)
    np.testing.assert_allclose(found.matrix, short.matrix, atol=1e-6)
    assert short.truncated == (False, False) and not any("cut off" in note for note in short.notes)


@pytest.mark.parametrize("method", METHODS)
def test_there_and_back(tiny, tmp_path, method):
    found = explain_similarity(tiny, A, B, method=method)
    path = tmp_path / "found.json"
    text = found.to_json(path)
    json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    for again in (SimilarityExplanation.from_json(path), xembed.read_result(path)):
        assert type(again) is SimilarityExplanation and again.to_dict() == found.to_dict()
        for name in ("matrix", "values_a", "values_b"):
            np.testing.assert_array_equal(getattr(again, name), getattr(found, name))
        assert (again.words_a, again.rest, again.truncated) == (found.words_a, found.rest, found.truncated)
        assert again.top(3) == found.top(3)


def test_what_comes_out(tiny):
    found = explain_similarity(tiny, A, B, method="last_layer")
    assert (found.text_a, found.text_b, found.method, found.label) == (A, B, "last_layer", "Last-layer decomposition")
    assert "context" in found.what and found.encoder["fingerprint"] == tiny.fingerprint
    frame = found.to_frame()
    assert list(frame.index) == list(found.words_a) and list(frame.columns) == list(found.words_b)
    np.testing.assert_array_equal(frame.to_numpy(), found.matrix)
    top = found.top(4)
    assert [abs(value) for *_, value in top] == sorted(np.abs(found.matrix).ravel())[:-5:-1]
    i, j = np.unravel_index(np.abs(found.matrix).argmax(), found.matrix.shape)
    assert top[0] == (found.words_a[i], found.words_b[j], found.matrix[i, j])
    assert repr(found).startswith("SimilarityExplanation(similarity=")


def test_it_is_said_where_most_is_not_in_the_words(tiny):
    found = explain_similarity(tiny, "he", "she", method="last_layer")
    share = abs(sum(found.rest.values())) / abs(found.similarity)
    assert share > 0.5  # two of three tokens are special
    assert any(
        note.startswith("A part as large as half of the cosine or more is not in the words but in special tokens")
        for note in found.notes
    )


def test_words_that_are_alike_meet(encoder):
    for method in ("last_layer", "shapley"):
        found = explain_similarity(encoder, "The king drank tea", "Coffee pleased the queen", method=method)
        value = {(a, b): found.matrix[i, j] for i, a in enumerate(found.words_a) for j, b in enumerate(found.words_b)}
        assert value["king", "queen"] > value["king", "Coffee"]
        assert value["tea", "Coffee"] > value["tea", "queen"]


def test_the_encoder_stays_as_it_was(tiny):
    config = tiny.model[0].auto_model.config
    before = config._attn_implementation, [p.requires_grad for p in tiny.model.parameters()], tiny.fingerprint
    state = torch.random.get_rng_state()
    for method in METHODS:
        explain_similarity(tiny, "he", "she sings", method=method)
    assert before == (
        config._attn_implementation,
        [p.requires_grad for p in tiny.model.parameters()],
        tiny.fingerprint,
    )
    assert torch.equal(state, torch.random.get_rng_state())


# ---- objects of one's own


def test_objects_of_one_s_own_by_hand():
    """(1, counts of x and y): "x y" is (1, 1, 1), "x" (1, 1, 0), and no word (1, 0, 0)."""
    encoder = CountedWords(["x", "y"])
    found = explain_similarity(encoder, "x y", "x", method="leave_one_out")
    both, x, y, nothing = unit([[1, 1, 1], [1, 1, 0], [1, 0, 1], [1, 0, 0]])
    np.testing.assert_allclose(found.similarity, 2 / np.sqrt(6))
    np.testing.assert_allclose(found.matrix, [[(both - y) @ (x - nothing)], [(both - x) @ (x - nothing)]])
    np.testing.assert_allclose(found.values_b, [(x - nothing) @ both])
    exact = explain_similarity(encoder, "x y", "x", method="shapley")
    np.testing.assert_allclose(exact.matrix[0], [(x + (both - y)) / 2 @ x])
    np.testing.assert_allclose(exact.matrix.sum(), exact.similarity)
    assert found.encoder == {"model": "CountedWords"}


def test_clusters_are_no_matrix_but_words_can_be_left_out(tiny):
    X = tiny.encode(list(WORDS))
    around = wrap(tiny, ClusterIsotropy(n_clusters=2, n_components=1).fit(X))
    for method in ("leave_one_out", "shapley"):
        found = explain_similarity(around, "the king", "a bad queen", method=method)
        np.testing.assert_allclose(found.similarity, cosine(around, "the king", "a bad queen"), atol=1e-5)
    check_sums(found, atol=1e-5)
    for method in ("last_layer", "integrated_jacobian"):
        with pytest.raises(
            ValueError, match=r"needs a correction that is a matrix and a shift\. ClusterIsotropy is not"
        ):
            explain_similarity(around, "the king", "a bad queen", method=method)


# ---- what is refused


@pytest.mark.parametrize("method", ["last_layer", "integrated_jacobian"])
def test_objects_of_one_s_own_have_no_gradients(method):
    with pytest.raises(TypeError, match=r"explain_similarity needs the gradients or tokens .* RandomTexts gives"):
        explain_similarity(RandomTexts(), "a", "b", method=method)


def test_the_method_by_default(folder, tiny):
    assert explain_similarity(tiny, A, B).method == "last_layer"
    assert explain_similarity(wrap(tiny, Whitening().fit(tiny.encode(list(WORDS)))), A, B).method == "last_layer"
    assert explain_similarity(xembed.load_encoder(folder, pooling="cls", device="cpu"), "he", "she").method == "shapley"
    assert explain_similarity(CountedWords(["x"]), "x y", "y x").method == "shapley"


def test_objects_that_refuse_empty_texts():
    encoder = CountedWords(["x"], empty=False)
    assert explain_similarity(encoder, "x y", "y x", method="leave_one_out").matrix.shape == (2, 2)
    with pytest.raises(ValueError, match="explain_similarity needs the embedding of a text without words"):
        explain_similarity(encoder, "x y", "y x", method="shapley")


@pytest.mark.parametrize("pooling", ["cls", "max", "last_token"])
def test_poolings_that_are_no_mean_have_no_last_layer(folder, pooling):
    encoder = xembed.load_encoder(folder, pooling=pooling, device="cpu")
    name = {"last_token": "lasttoken"}.get(pooling, pooling)
    with pytest.raises(ValueError, match=f"needs an encoder that pools the mean of all tokens. Got '{name}'"):
        explain_similarity(encoder, A, B, method="last_layer")
    check_sums(explain_similarity(encoder, "the king", "she", method="shapley"))


def test_prompts_that_are_not_pooled_have_no_last_layer(folder):
    from sentence_transformers.sentence_transformer.modules import Pooling

    encoder = with_prompt(with_modules(folder, Pooling(WIDTH, "mean", include_prompt=False)), "old man : ")
    with pytest.raises(ValueError, match=r"pools the mean of all tokens\. Got 'mean' without the prompt"):
        explain_similarity(encoder, A, B, method="last_layer")


def test_what_is_not_linear_behind_the_pooling_is_refused(folder):
    from sentence_transformers.base.modules import Dense
    from sentence_transformers.sentence_transformer.modules import Pooling

    encoder = with_modules(folder, Pooling(WIDTH, "mean"), Dense(WIDTH, 6))  # tanh
    with pytest.raises(ValueError, match=r"needs linear modules after the pooling\. Got Dense"):
        explain_similarity(encoder, A, B, method="last_layer")
    check_sums(explain_similarity(encoder, "the king", "she", method="shapley"))


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"text_a": " "}, ValueError, "text_a holds 1 blank text"),
        ({"text_b": ""}, ValueError, "text_b holds 1 blank text"),
        ({"text_a": 3}, TypeError, "text_a holds 1 item that is not a string"),
        ({"text_b": None}, TypeError, "text_b holds 1 item that is not a string"),
        ({"text_b": ["a", "b"]}, TypeError, "text_b holds 1 item that is not a string"),
        ({"text_a": "\ud800"}, ValueError, "text_a holds text that is not valid Unicode"),
        ({"encoder": "model"}, TypeError, "'encoder' parameter of explain_similarity must be an encoder"),
        ({"encoder": None}, TypeError, "'encoder' parameter of explain_similarity must be an encoder"),
        ({"method": "attention"}, ValueError, "'method' parameter of explain_similarity must be one of"),
        ({"reference": "delete"}, ValueError, "'reference' parameter of explain_similarity must be one of"),
        ({"deletion": "zero"}, ValueError, "'deletion' parameter of explain_similarity must be one of"),
        ({"n_samples": 1}, ValueError, "'n_samples' parameter of explain_similarity"),
        ({"tolerance": 0}, ValueError, "'tolerance' parameter of explain_similarity"),
        ({"max_steps": 13}, ValueError, "'max_steps' parameter of explain_similarity"),
        ({"rng": "seed"}, TypeError, "'rng' parameter of explain_similarity"),
    ],
)
def test_bad_options(tiny, options, error, match):
    given = {"encoder": tiny, "text_a": A, "text_b": B} | options
    with pytest.raises(error, match=match):
        explain_similarity(**given)


def test_a_text_that_the_encoder_cannot_read_is_named(encoder):
    found = explain_similarity(encoder, "😀 🚀", "The rocket is late.", trust=False)
    assert found.notes[0].startswith("text_a holds only tokens that the encoder does not know ('😀 🚀')")
    assert not any("text_b" in note for note in found.notes)
