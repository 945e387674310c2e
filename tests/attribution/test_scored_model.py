"""A model as methods see it: the same scores on every way, alone and in a batch, and left as it was."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from models import WORDS, BagOfWords, one_thread, tiny_bert, tiny_tokenizer
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

from xembed.attribution import METHODS, EncodedWords, MethodOptions, ScoredModel
from xembed.attribution._gradients import captum_module
from xembed.attribution._methods import run_method
from xembed.attribution._scored_model import BASELINES, DELETIONS, SITES, own_random_state

SENTENCES = [
    ["She", "sings", "."],
    ["The", "young", "actress", "met", "two", "old", "friends", "with", "her", "dog", "in", "the", "park", "."],
    ["A", "bad", "king", "left", "early", "."],
    ["singss", "and", "actorss"],
]
READ_BY_NOTHING = [name for name, method in METHODS.items() if method.family == "reference"]


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    with one_thread():
        yield


def bert(**options):
    return ScoredModel(tiny_bert(), tiny_tokenizer(), caller="this test", **options)


def hooks(module):
    kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return sum(len(getattr(part, kind)) for part in module.modules() for kind in kinds)


# ---- scores


def test_scores_by_ids_are_those_of_the_model():
    model = bert()
    rows = model.words.encode(SENTENCES)
    found = model.score_ids([row.ids for row in rows])
    with torch.no_grad():
        for row, scores in zip(rows, found, strict=True):
            alone = model.module(input_ids=torch.tensor([row.ids])).logits[0].double().numpy()
            np.testing.assert_allclose(scores, alone, atol=1e-5)
    assert found.dtype == np.float64 and np.ptp(found[:, 0]) > 0.01


@pytest.mark.parametrize("output", ["logit", "probability"])
@pytest.mark.parametrize("site", ["word", "block"])
def test_scores_by_embeddings_are_those_by_ids(site, output):
    model = bert(site=site, output=output)
    rows = model.words.encode(SENTENCES)
    ids, mask = model.tensors([row.ids for row in rows])
    with model.frozen(), torch.no_grad():
        found = model.score(model.embed(ids, mask), mask).double().numpy()
    np.testing.assert_allclose(found, model.score_ids([row.ids for row in rows]), atol=1e-5)
    if output == "probability":
        np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)


def test_block_is_the_output_of_the_embedding_block():
    model = bert(site="block")
    ids, mask = model.tensors([row.ids for row in model.words.encode(SENTENCES)])
    with model.frozen(), torch.no_grad():
        np.testing.assert_allclose(model.embed(ids, mask), model.module.bert.embeddings(ids), atol=1e-6)


def test_embeddings_applied_twice_are_another_model():
    model, once = bert(site="block_twice"), bert(site="block")
    ids, mask = model.tensors([row.ids for row in model.words.encode(SENTENCES)])
    with model.frozen(), once.frozen(), torch.no_grad():
        twice = model.embed(ids, mask)
        assert torch.equal(twice, once.embed(ids, mask))
        expected = model.module(inputs_embeds=model.module.bert.embeddings(ids), attention_mask=mask).logits
        np.testing.assert_allclose(model.score(twice, mask), expected, atol=1e-5)
        assert (model.score(twice, mask) - once.score(twice, mask)).abs().max() > 0.01


@pytest.mark.parametrize("site", SITES)
def test_a_model_without_an_embedding_block_has_one_site(site):
    model = ScoredModel(BagOfWords({"she": 2.0, "bad": -1.0}), tiny_tokenizer(), site=site, caller="this test")
    ids, mask = model.tensors([row.ids for row in model.words.encode([["she", "bad", "she"]])])
    assert model.block is model.embedding
    assert model.score(model.embed(ids, mask), mask).tolist() == [[-3, 3]]


@given(st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=20), min_size=1, max_size=12))
@settings(max_examples=15, deadline=None)
def test_scores_do_not_depend_on_order_or_company(sentences):
    model = bert()
    ids = [row.ids for row in model.words.encode(sentences)]
    found = model.score_ids(ids)
    np.testing.assert_allclose(model.score_ids(ids[::-1])[::-1], found, atol=1e-5)
    np.testing.assert_allclose(model.score_ids(ids[:1]), found[:1], atol=1e-5)


def test_equal_rows_are_computed_once_and_counted():
    model = bert()
    a, b, *_ = [row.ids for row in model.words.encode(SENTENCES)]
    seen = []
    found = model.score_ids([a, b, a, a, b], progress=seen.append)
    assert model.n_forward == 2 and sum(seen) == 2 and model.n_backward == 0
    assert np.array_equal(found[[0, 1]], found[[2, 4]]) and np.array_equal(found[0], found[3])
    assert not np.allclose(found[0], found[1])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_scores_that_are_not_finite_are_refused(value):
    module = BagOfWords({"she": 1.0})
    with torch.no_grad():
        module.embedding.weight[tiny_tokenizer().convert_tokens_to_ids("bad")] = value
    model = ScoredModel(module, tiny_tokenizer(), caller="this test")
    ids = [row.ids for row in model.words.encode([["she"], ["bad"], ["she", "bad"]])]
    message = r"model of this test must give finite scores. Got NaN or infinity for 2 of 3 rows \(first: row 1\)"
    with pytest.raises(RuntimeError, match=message):
        model.score_ids(ids)


# ---- batches


@given(st.lists(st.integers(1, 900), max_size=60))
@settings(max_examples=60, deadline=None)
def test_batches_hold_each_row_once_within_the_budget(lengths):
    model = bert()
    found = model.batches(lengths)
    assert sorted(place for batch in found for place in batch) == list(range(len(lengths)))
    for batch in found:
        longest = max(lengths[place] for place in batch)
        assert len(batch) == 1 or len(batch) * longest <= model.tokens_at_once
    ascending = [lengths[place] for batch in found for place in batch]
    assert ascending == sorted(ascending)


@pytest.mark.parametrize(
    ("name", "dtype"),
    [(name, torch.float32) for name in METHODS if name not in READ_BY_NOTHING]
    + [(name, torch.float64) for name, method in METHODS.items() if method.family != "reference"],
)
def test_attributions_do_not_depend_on_batch_mates(name, dtype):
    model = ScoredModel(tiny_bert().to(dtype), tiny_tokenizer(), caller="this test")
    # DeepLIFT divides differences of activations, which are small: rounding is larger there.
    close = 1e-4 if name == "deep_lift" else 1e-5
    # Attention is multiplied in float32 whatever the model has.
    if dtype == torch.float64 and METHODS[name].family != "attention":
        close = 1e-10
    rows = model.words.encode(SENTENCES)
    targets = np.array([0, 1, 1, 0])
    options = MethodOptions(n_samples=24)
    together = run_method(METHODS[name], model, rows, targets, options)
    backwards = run_method(METHODS[name], model, rows[::-1], targets[::-1].copy(), options)
    for place, row in enumerate(rows):
        alone = run_method(METHODS[name], model, [row], targets[[place]], options)
        size = np.abs(alone.words[0]).max()
        np.testing.assert_allclose(together.words[place] / size, alone.words[0] / size, rtol=0, atol=close)
        np.testing.assert_allclose(backwards.words[-1 - place] / size, alone.words[0] / size, rtol=0, atol=close)
        np.testing.assert_allclose(together.special[place], alone.special[0], rtol=0, atol=close)
        np.testing.assert_allclose(together.baseline_scores[place], alone.baseline_scores[0], rtol=0, atol=close)


# ---- left as it was


def test_frozen_undoes_what_it_does():
    module = tiny_bert().train()
    module.bert.encoder.eval()
    module.bert.embeddings.word_embeddings.weight.requires_grad_(False)
    model = ScoredModel(module, tiny_tokenizer(), caller="this test")
    wanted = {name: parameter.requires_grad for name, parameter in module.named_parameters()}
    training = {name: part.training for name, part in module.named_modules()}
    with model.frozen():
        assert not any(parameter.requires_grad for parameter in module.parameters())
        assert not any(part.training for part in module.modules())
    assert {name: parameter.requires_grad for name, parameter in module.named_parameters()} == wanted
    assert {name: part.training for name, part in module.named_modules()} == training
    with pytest.raises(KeyError), model.frozen():
        raise KeyError
    assert {name: parameter.requires_grad for name, parameter in module.named_parameters()} == wanted
    assert {name: part.training for name, part in module.named_modules()} == training


@pytest.mark.parametrize("name", [name for name, method in METHODS.items() if method.fit is None])
def test_methods_leave_the_model_and_the_generators_as_they_were(name):
    module = tiny_bert().train()
    module.config.hidden_dropout_prob = 0.1
    model = ScoredModel(module, tiny_tokenizer(), caller="this test")
    rows = model.words.encode(SENTENCES[:2])
    weights = {key: tensor.clone() for key, tensor in module.state_dict().items()}
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()  # noqa: NPY002
    # transformers' own hooks, which do nothing but when attention is asked for, come with the first such call.
    module(torch.tensor([rows[0].ids]), output_attentions=True)
    torch.set_rng_state(torch_state)
    before = hooks(module)
    METHODS[name].run(model, rows, np.array([0, 1]), MethodOptions(n_samples=20))
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert all(np.array_equal(a, b) for a, b in zip(np.random.get_state(), numpy_state, strict=True))  # noqa: NPY002
    assert all(torch.equal(weights[key], tensor) for key, tensor in module.state_dict().items())
    assert module.training and module.bert.encoder.training
    assert all(parameter.requires_grad and parameter.grad is None for parameter in module.parameters())
    assert hooks(module) == before
    assert module.config._attn_implementation == tiny_bert().config._attn_implementation


@pytest.mark.parametrize("site", ["word", "block", "block_twice"])
@pytest.mark.parametrize("name", [name for name, method in METHODS.items() if method.family == "gradient"])
def test_no_hook_is_left_behind_after_an_exception(name, site, monkeypatch):
    module = tiny_bert(hidden_act="relu")
    # Guided Backprop and Deconvolution hook nn.ReLU, which the model of transformers has not.
    module.extra = torch.nn.ReLU()
    model = ScoredModel(module, tiny_tokenizer(), site=site, caller="this test")
    rows = model.words.encode(SENTENCES[:2])

    def fail(*_args, **_options):
        raise ArithmeticError("in the last layer")

    monkeypatch.setattr(module.classifier, "forward", fail)
    with pytest.raises(ArithmeticError):
        METHODS[name].run(model, rows, np.array([0, 1]), MethodOptions(n_samples=10))
    monkeypatch.undo()
    assert hooks(module.bert) == 0 and hooks(module.classifier) == 0
    assert all(parameter.requires_grad for parameter in module.parameters())


def test_the_block_is_given_back_after_an_exception():
    model = bert(site="block")
    ids, mask = model.tensors([row.ids for row in model.words.encode(SENTENCES)])
    embeds = model.embed(ids, mask)
    with pytest.raises(RuntimeError):
        model.score(embeds[..., :5], mask)  # too narrow
    with pytest.raises(RuntimeError):
        model._block_output(embeds[..., :5], mask)
    assert hooks(model.module) == 0


@pytest.mark.parametrize("fails", [False, True])
def test_own_random_state_is_nobody_elses(fails):
    torch.manual_seed(1), np.random.seed(1)  # noqa: NPY002
    expected = torch.rand(3), np.random.rand(3)  # noqa: NPY002
    torch.manual_seed(1), np.random.seed(1)  # noqa: NPY002
    drawn = []
    for _ in range(2):
        try:
            with own_random_state(2**64 - 1, torch.device("cpu")):
                drawn.append((torch.rand(1).item(), np.random.rand()))  # noqa: NPY002
                if fails:
                    raise KeyError
        except KeyError:
            pass
    assert drawn[0] == drawn[1]
    assert torch.equal(torch.rand(3), expected[0]) and np.array_equal(np.random.rand(3), expected[1])  # noqa: NPY002


def test_captum_sees_the_modules_but_not_the_bookkeeping():
    model = bert()
    wrapped = captum_module(model)
    assert {id(part) for part in wrapped.modules()} == {id(wrapped), *(id(part) for part in model.module.modules())}


# ---- absent words


def test_baselines_keep_special_tokens_and_the_length():
    model = bert()
    (row,) = model.words.encode([["she", "singss"]])
    assert model.baseline_ids(row, "mask") == (2, 4, 4, 4, 3)
    assert model.baseline_ids(row, "pad") == (2, 0, 0, 0, 3)
    assert model.baseline_ids(row, "unk") == (2, 1, 1, 1, 3)


@pytest.mark.parametrize("kind", BASELINES)
def test_embeddings_of_baselines(kind):
    model = bert()
    rows = model.words.encode([["she", "singss"], ["he"]])
    found = model.baseline_embeds(rows, kind)
    table = model.embedding.weight
    assert torch.equal(found[0, 0], table[2]) and torch.equal(found[0, 4], table[3])
    filler = {"mask": table[4], "pad": table[0], "unk": table[1], "zero": torch.zeros(32)}[kind]
    assert all(torch.equal(found[0, place], filler) for place in (1, 2, 3))
    assert torch.equal(found[1, 1], filler) and torch.equal(found[1, 2], table[3])
    assert not found.requires_grad


def test_the_zero_baseline_at_the_block_is_zero_before_it():
    model = bert(site="block")
    (row,) = model.words.encode([["she"]])
    embeds = torch.stack([model.embedding.weight[2], torch.zeros(32), model.embedding.weight[3]])[None]
    expected = model.module.bert.embeddings(inputs_embeds=embeds)
    np.testing.assert_allclose(model.baseline_embeds([row], "zero"), expected.detach(), atol=1e-6)


@pytest.mark.parametrize("kind", DELETIONS)
def test_absent_words_go_with_all_their_tokens(kind):
    model = bert()
    (row,) = model.words.encode([["she", "singss", "\0", "he"]])
    filler = {"mask": 4, "pad": 0, "unk": 1}.get(kind)
    she, *sings, he = row.ids[1:-1]
    without = model.without(row, [True, False, False, True], kind)
    assert without == ((2, she, he, 3) if kind == "delete" else (2, she, filler, filler, he, 3))
    assert model.without(row, np.ones(4, dtype=bool), kind) == row.ids
    assert len(sings) == 2


def bare_tokenizer():
    """Return a tokenizer without any special token."""
    return PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel({"she": 0, "he": 1}, unk_token="he")))


@pytest.mark.parametrize("kind", ["mask", "pad", "unk"])
def test_a_special_token_that_there_is_not(kind):
    model = ScoredModel(tiny_bert(), bare_tokenizer(), caller="this test")
    row = EncodedWords(("she",), (0,), (0,))
    with pytest.raises(ValueError, match=f"this test, '{kind}', needs a tokenizer with that special token.*choose"):
        model.baseline_ids(row, kind)
    with pytest.raises(ValueError, match="has none: choose another"):
        model.without(row, [False], kind)


def test_the_zero_baseline_needs_no_special_token():
    model = ScoredModel(tiny_bert(), bare_tokenizer(), caller="this test")
    row = EncodedWords(("she",), (0,), (0,))
    assert torch.equal(model.baseline_embeds([row], "zero"), torch.zeros(1, 1, 32))


# ---- errors


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"site": "layer"}, r"'site' parameter of this test must be one of \{'block', 'block_twice', 'word'\}"),
        ({"output": "loss"}, r"'output' parameter of this test must be one of \{'logit', 'probability'\}"),
        ({"max_length": 1}, "'max_length' parameter of this test must be an integer of at least 3"),
    ],
)
def test_unknown_options(options, message):
    with pytest.raises(ValueError, match=message):
        bert(**options)


@pytest.mark.parametrize("module", [torch.nn.Linear(2, 2), SimpleNamespace(get_input_embeddings=lambda: None)])
def test_a_model_without_word_embeddings(module):
    with pytest.raises(TypeError, match=r"must have word embeddings \(get_input_embeddings\). Got .*, which has none"):
        ScoredModel(module, tiny_tokenizer(), caller="this test")
