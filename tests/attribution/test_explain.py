"""Explaining texts: targets, levels, what is said of them, and what is refused."""

import copy
import dataclasses
import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from models import BagOfWords, one_thread, tiny_bert, tiny_decoder, tiny_tokenizer

import xembed
from xembed.attribution import METHODS, Attributions, ScoredModel, explain, faithfulness
from xembed.datasets import PairedSentences

SENTENCES = [["She", "singss", "."], ["The", "young", "actress", "met", "her", "bad", "dog", "."]]
TEXTS = ["She sings.", "The king met a bad dog."]
VALUES = {"she": 2.0, "sings": 1.0, "##s": 0.5, "bad": -3.0}
REFERENCES = [name for name, method in METHODS.items() if method.family == "reference"]


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    with one_thread():
        yield


@pytest.fixture(scope="module")
def bert():
    return tiny_bert(3)


@pytest.fixture(scope="module")
def pairs():
    return PairedSentences(
        name="two",
        sentences=[["She", "sings"], ["He", "sings"], ["She", "left"], ["He", "left"]],
        ground_truth=[[1, 0]] * 4,
        labels=[0, 1, 0, 1],
        groups=[0, 0, 1, 1],
        classes=("female", "male"),
    )


def say(model, texts=SENTENCES, **options):
    return explain(model, texts, **({"tokenizer": tiny_tokenizer(), "progress": False} | options))


# ---- what comes out


def test_values_are_those_of_the_words():
    found = say(BagOfWords(VALUES), [["she", "singss", "bad", "boy"], ["bad"]], target=1, baseline="zero")
    np.testing.assert_allclose(found.values[0], [2, 1.5, -3, 0], atol=1e-5)
    np.testing.assert_allclose(found.values[1], [-3], atol=1e-5)
    assert found.words == (("she", "singss", "bad", "boy"), ("bad",))
    assert found.method == "integrated_gradients" and found.label == "Integrated Gradients" and found.signed
    np.testing.assert_allclose(found.scores, [0.5, -3], atol=1e-6)
    np.testing.assert_allclose(found.baseline_scores, [0, 0], atol=1e-6)
    assert found.notes == () and not found.truncated.any()
    assert found.seconds > 0


@pytest.mark.parametrize("method", METHODS)
def test_every_method_gives_a_number_for_every_word(bert, method, pairs):
    fit = METHODS[method].fit
    found = say(tiny_bert(), method=method, n_samples=30, fitted=None if fit is None else fit(pairs))
    assert [len(values) for values in found.values] == [3, 8]
    assert all(values.dtype == np.float64 and np.isfinite(values).all() for values in found.values)
    assert found.signed == METHODS[method].signed
    if not found.signed:
        assert all((values >= 0).all() for values in found.values)
    family = METHODS[method].family
    assert found.baseline == ("mask" if family == "perturbation" else "pad")


@pytest.mark.parametrize("method", ["linear_tfidf", "pattern"])
def test_methods_that_are_fitted_say_so(bert, method):
    with pytest.raises(ValueError, match=r"has to be fitted on training data: pass fitted=METHODS\[name\].fit"):
        say(bert, method=method)


def test_tokens_sum_to_words(bert):
    words, tokens = (say(bert, method="input_x_gradient", target=2, level=level) for level in ("word", "token"))
    assert tokens.words[0] == ("she", "sings", "##s", ".")
    np.testing.assert_allclose(
        words.values[0], [tokens.values[0][0], tokens.values[0][1:3].sum(), tokens.values[0][3]], rtol=1e-9
    )
    np.testing.assert_array_equal(words.special, tokens.special)
    assert tokens.provenance["parameters"]["level"] == "token"


def test_texts_and_lists_of_the_same_words_are_the_same(bert):
    strings, lists = say(bert, TEXTS), say(bert, [text.replace(".", " .").split() for text in TEXTS])
    assert strings.words == lists.words
    for a, b in zip(strings.values, lists.values, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("target", "expected"),
    [(2, [2, 2]), ([0, 2], [0, 2]), (np.array([1, 0]), [1, 0]), (np.int64(1), [1, 1]), ((1, 1), [1, 1])],
)
def test_targets_come_in_several_forms(bert, target, expected):
    found = say(bert, target=target, method="saliency_l1")
    assert found.targets.tolist() == expected
    ids = tiny_tokenizer()(SENTENCES[1], is_split_into_words=True, return_tensors="pt")["input_ids"]
    np.testing.assert_allclose(found.scores[1], bert(ids).logits[0, expected[1]].item(), atol=1e-5)


def test_without_a_target_it_is_the_likeliest(bert):
    found = say(bert, method="saliency_l1")
    for place, words in enumerate(SENTENCES):
        ids = tiny_tokenizer()(words, is_split_into_words=True, return_tensors="pt")["input_ids"]
        assert found.targets[place] == bert(ids).logits.argmax().item()
        assert abs(found.scores[place] - bert(ids).logits.max().item()) < 1e-5


def test_each_target_has_its_own_explanation(bert):
    both = say(bert, target=[0, 2], method="input_x_gradient")
    for place, target in enumerate([0, 2]):
        alone = say(bert, target=target, method="input_x_gradient")
        np.testing.assert_allclose(both.values[place], alone.values[place], rtol=1e-5, atol=1e-6)


def test_probabilities_are_explained_if_asked(bert):
    found = say(bert, target=1, output="probability", tolerance=0.001)
    assert found.output == "probability" and ((found.scores > 0) & (found.scores < 1)).all()
    for values, score, base in zip(found.values, found.scores, found.baseline_scores, strict=True):
        np.testing.assert_allclose(values.sum(), score - base, rtol=0.002)


@pytest.mark.parametrize("n_classes", [1, 3])
@pytest.mark.parametrize("problem_type", ["multi_label_classification", "regression", None])
def test_probabilities_are_those_that_the_model_was_trained_for(n_classes, problem_type):
    model = tiny_bert(n_classes, problem_type=problem_type)
    logits = [say(model, target=output, method="occlusion").scores for output in range(n_classes)]
    for output in range(n_classes):
        found = say(model, target=output, output="probability", tolerance=0.001)
        if n_classes == 3 and problem_type is None:
            expected = np.exp(logits[output]) / np.exp(logits).sum(axis=0)
        else:
            expected = 1 / (1 + np.exp(-logits[output]))
        np.testing.assert_allclose(found.scores, expected, rtol=1e-4)
        assert all(np.abs(values).max() > 1e-4 for values in found.values)
        assert any("is a regression" in note for note in found.notes) == (problem_type == "regression")


def test_faithfulness_has_the_same_probabilities():
    model = ScoredModel(tiny_bert(1), tiny_tokenizer(), caller="this test")
    rows = model.words.encode(SENTENCES)
    found = faithfulness(model, rows, 0, {"mine": [np.arange(float(len(row.words))) for row in rows]})
    assert np.ptp(found["mine"]["comprehensiveness"]) > 0


# ---- decoders, which read their last place


@pytest.mark.parametrize("kind", ["GPT2", "Llama"])
@pytest.mark.parametrize(
    "method", [name for name, method in METHODS.items() if method.family in ("gradient", "perturbation")]
)
def test_attributions_of_a_decoder_do_not_depend_on_the_other_texts(kind, method):
    model = tiny_decoder(kind)
    texts = [["She", "sings"], ["The", "bad", "dog", "met", "an", "actress", "in", "the", "park"], ["He", "left"]]
    together = say(model, texts, target=1, method=method, deletion="unk", baseline="unk")
    for place, text in enumerate(texts):
        alone = say(model, [text], target=1, method=method, deletion="unk", baseline="unk")
        size = np.abs(alone.values[0]).max()
        np.testing.assert_allclose(together.values[place] / size, alone.values[0] / size, atol=1e-4)
        np.testing.assert_allclose(together.scores[place], alone.scores[0], atol=1e-5)
    assert np.ptp(together.scores) > 0.01


def test_a_decoder_without_a_padding_token_reads_its_texts_one_by_one():
    model, padded = tiny_decoder("GPT2", pad_token_id=None), tiny_decoder("GPT2")
    assert ScoredModel(model, tiny_tokenizer(), caller="this test").padding == "one"
    assert ScoredModel(padded, tiny_tokenizer(), caller="this test").padding == "equal"
    assert ScoredModel(tiny_bert(), tiny_tokenizer(), caller="this test").padding == "any"
    for method in ("integrated_gradients", "occlusion"):
        found, expected = (say(m, target=0, method=method, baseline="unk") for m in (model, padded))
        for values, of_padded in zip(found.values, expected.values, strict=True):
            np.testing.assert_allclose(values, of_padded, atol=1e-4)


class OtherByEmbeddings(BagOfWords):
    """Gives another score for embeddings than for ids."""

    def forward(self, input_ids=None, attention_mask=None, inputs_embeds=None):
        logits = super().forward(input_ids, attention_mask, inputs_embeds).logits
        return SimpleNamespace(logits=logits + 0.01 * (inputs_embeds is not None))


def test_gradients_of_another_score_than_that_of_the_text_are_refused():
    model = OtherByEmbeddings(VALUES)
    message = (
        r"must give the same scores for inputs_embeds as for input_ids.*difference of 0\.01 for text 0.*'occlusion'"
    )
    with pytest.raises(RuntimeError, match=message):
        say(model, [["she", "sings"]], target=1)
    assert say(model, [["she", "sings"]], target=1, method="occlusion").values[0].shape == (2,)


@pytest.mark.parametrize("method", ["integrated_gradients", "gradient_shap", "lime", "uniform_random"])
def test_seeds(bert, method):
    first, same, none, generator, other = (
        say(bert, method=method, n_samples=40, rng=rng) for rng in (0, 0, None, np.random.default_rng(0), 1)
    )
    for found in (same, none, generator):
        assert all(np.array_equal(a, b) for a, b in zip(first.values, found.values, strict=True))
    differs = any(not np.allclose(a, b, rtol=1e-6) for a, b in zip(first.values, other.values, strict=True))
    assert differs == (method != "integrated_gradients")
    assert [x.provenance["parameters"]["rng"] for x in (first, none, generator)] == [0, 0, "Generator"]


@pytest.mark.parametrize("method", ["gradient_shap", "lime", "uniform_random"])
def test_what_is_drawn_depends_on_the_text_alone(bert, method):
    both, alone = say(bert, method=method, n_samples=40), say(bert, SENTENCES[1:], method=method, n_samples=40)
    np.testing.assert_allclose(both.values[1], alone.values[0], rtol=1e-4, atol=1e-6)


def test_the_model_is_not_changed(bert):
    model = copy.deepcopy(bert).train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    say(model, method="deep_lift")
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert model.training and all(parameter.requires_grad for parameter in model.parameters())


def test_models_come_in_several_forms(bert):
    tokenizer = tiny_tokenizer()
    expected = say(bert, target=0).values[0]
    trained = SimpleNamespace(model=bert, tokenizer=tokenizer)
    np.testing.assert_array_equal(explain(trained, SENTENCES, target=0, progress=False).values[0], expected)
    scored = ScoredModel(bert, tokenizer, site="block", output="probability", caller="this test")
    found = explain(scored, SENTENCES, target=0, progress=False)
    assert found.output == found.provenance["parameters"]["output"] == "probability"
    assert found.provenance["parameters"]["site"] == "block"
    again = say(bert, target=0, site="block", output="probability")
    np.testing.assert_array_equal(found.values[0], again.values[0])


def test_the_offline_encoder():
    from xembed.geco import make_classifier

    model, tokenizer = make_classifier(xembed.load_encoder(device="cpu"), 2)
    found = explain(model, ["She sold the piano."], tokenizer=tokenizer, target=1, method="saliency_l2", progress=False)
    assert found.words == (("She", "sold", "the", "piano", "."),)
    assert (found.values[0] > 0).all() and 0 < found.special[0] < 1


# ---- what is said of it


def test_texts_that_are_too_long_are_counted(bert):
    found = say(bert, [["She", "sings", "in", "the", "park"], ["he"]], max_length=5, method="saliency_l2")
    assert found.truncated.tolist() == [True, False]
    assert found.values[0][3:].tolist() == [0, 0] and (found.values[0][:3] > 0).all()
    assert found.notes == (
        "1 of 2 texts are longer than the 5 tokens that the model reads: words that were cut off have 0.",
    )


def test_what_is_not_complete_is_counted(bert):
    found = say(bert, tolerance=1e-12, max_steps=12)
    assert found.notes == ("For 2 texts the completeness error is above 1e-12 with 12 steps.",)
    assert say(bert).notes == ()


def test_there_and_back_through_json(bert, tmp_path):
    found = say(bert, method="saliency_l1", target=[0, 2])
    assert np.isnan(found.completeness).all() and np.isnan(found.baseline_scores).all()
    data = json.loads(found.to_json(tmp_path / "found.json"))
    assert data["completeness"] == data["baseline_scores"] == [None, None]
    for again in (
        Attributions.from_json(tmp_path / "found.json"),
        xembed.read_result(tmp_path / "found.json"),
        Attributions.from_dict(found.to_dict()),
    ):
        assert again.to_dict() == found.to_dict()
        assert again.words == found.words
        assert all(np.array_equal(a, b) for a, b in zip(again.values, found.values, strict=True))
        assert np.isnan(again.completeness).all() and again.completeness.dtype == np.float64
        assert again.truncated.dtype == bool and again.targets.tolist() == [0, 2]


def test_an_infinite_error_is_no_number_in_json(bert):
    found = dataclasses.replace(say(bert), completeness=np.array([np.inf, 0.25]))
    assert found.to_dict()["completeness"] == [None, 0.25]
    np.testing.assert_array_equal(Attributions.from_json(found.to_json()).completeness, [np.nan, 0.25])


def test_a_table_and_the_largest_words():
    found = say(BagOfWords(VALUES), [["she", "boy", "bad"], ["sings"]], target=1, method="input_x_gradient")
    frame = found.to_frame()
    assert list(frame.columns) == ["text", "position", "word", "attribution"]
    assert frame.to_numpy().tolist() == [
        [0, 0, "she", 2.0],
        [0, 1, "boy", 0.0],
        [0, 2, "bad", -3.0],
        [1, 0, "sings", 1.0],
    ]
    assert found.top(0) == [("bad", -3.0), ("she", 2.0), ("boy", 0.0)]
    assert found.top(0, 1) == [("bad", -3.0)] and found.top(1, 9) == [("sings", 1.0)]
    assert "n_texts=2" in repr(found) and "Input × Gradient" in found._repr_html_()


def test_progress_is_shown_if_asked(bert, capsys):
    explain(bert, SENTENCES, tokenizer=tiny_tokenizer(), method="saliency_l1", progress=True)
    captured = capsys.readouterr()
    assert "Saliency, L1" in captured.err and captured.out == ""
    say(bert, method="saliency_l1")
    assert capsys.readouterr().err == ""


# ---- what is refused


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        (
            {"method": "lrp"},
            ValueError,
            r"'method' parameter of explain must be one of \{.*'integrated_gradients'.*\}. Got 'lrp'",
        ),
        ({"method": ["lime"]}, ValueError, r"'method' parameter of explain must be one of .* Got \['lime'\] instead"),
        ({"method": "all"}, ValueError, "'method' parameter of explain must be one of"),
        ({"method": None}, ValueError, "'method' parameter of explain must be one of"),
        ({"level": "sentence"}, ValueError, r"'level' parameter of explain must be one of \{'token', 'word'\}"),
        ({"output": "loss"}, ValueError, "'output' parameter of explain"),
        ({"site": "top"}, ValueError, "'site' parameter of explain"),
        ({"baseline": "delete"}, ValueError, r"'baseline' parameter of explain must be one of \{'mask', 'pad', 'unk',"),
        ({"deletion": "zero"}, ValueError, r"'deletion' parameter of explain must be one of \{'delete', 'mask',"),
        ({"n_samples": 1}, ValueError, "'n_samples' parameter of explain must be an integer of at least 2"),
        ({"n_samples": 2.5}, TypeError, "'n_samples' parameter of explain"),
        ({"tolerance": 0}, ValueError, r"'tolerance' parameter of explain must be a number in \(0, 1\)"),
        ({"tolerance": 1}, ValueError, "'tolerance' parameter of explain"),
        ({"tolerance": "0.1"}, TypeError, "'tolerance' parameter of explain"),
        ({"max_steps": 25}, ValueError, r"'max_steps' parameter of explain must be 12, 24, 48, .*Got 25"),
        ({"max_steps": 36}, ValueError, "steps are doubled"),
        ({"max_steps": 0}, ValueError, "'max_steps' parameter of explain must be an integer of at least 1"),
        ({"max_length": 2}, ValueError, "'max_length' parameter of explain must be an integer of at least 3"),
        ({"progress": "yes"}, TypeError, "'progress' parameter of explain"),
        ({"rng": -1}, TypeError, "'rng' parameter of explain"),
        (
            {"target": 3},
            ValueError,
            "'target' parameter of explain must be from 0 to 2: the model has 3 outputs. Got 3",
        ),
        ({"target": [0, -1]}, ValueError, "'target' parameter of explain must be from 0 to 2.*Got -1"),
        ({"target": [0, 1, 1]}, ValueError, "or one for each of the 2 texts"),
        ({"target": "female"}, ValueError, "'target' parameter of explain must be None, an integer"),
        ({"target": 1.0}, ValueError, "'target' parameter of explain must be None, an integer"),
        ({"target": [True, False]}, ValueError, "'target' parameter of explain must be None, an integer"),
        ({"target": [[0, 1]]}, ValueError, "'target' parameter of explain"),
        ({"target": []}, ValueError, "'target' parameter of explain"),
    ],
)
def test_options_that_are_none(bert, options, kind, message):
    with pytest.raises(kind, match=message):
        say(bert, **({"method": "saliency_l1"} | options))


def test_texts_that_are_none(bert):
    for texts, kind, message in [
        ("one", TypeError, "for a single text pass a list"),
        ([], ValueError, "at least 1 text"),
        ([" "], ValueError, "blank text"),
        ([[" ", "\0"]], ValueError, "Text 0 of explain has no token but special ones"),
        (7, TypeError, "must be a list of strings"),
    ]:
        with pytest.raises(kind, match=message):
            say(bert, texts)


@pytest.mark.parametrize("model", ["bert", None, SimpleNamespace(model="bert")])
def test_a_model_that_is_none(model):
    with pytest.raises(TypeError, match="'model' parameter of explain must be a sequence classifier of transformers"):
        explain(model, TEXTS, tokenizer=tiny_tokenizer())


def test_a_tokenizer_that_is_missing_or_slow(bert):
    with pytest.raises(ValueError, match="'tokenizer' parameter of explain must be given for a BertForSequenceClass"):
        explain(bert, TEXTS)
    with pytest.raises(TypeError, match="tokenizer of explain must be a fast one"):
        explain(bert, TEXTS, tokenizer=SimpleNamespace(is_fast=False))


def test_scores_that_are_not_finite():
    with pytest.raises(RuntimeError, match="The model of explain must give finite scores"):
        say(BagOfWords({"she": float("nan")}), method="occlusion")


def test_a_special_token_that_there_is_not(bert):
    tokenizer = tiny_tokenizer()
    tokenizer.mask_token = None
    with pytest.raises(ValueError, match="in explain, 'mask', needs a tokenizer with that special token"):
        explain(bert, TEXTS, tokenizer=tokenizer, baseline="mask", progress=False)
    with pytest.raises(ValueError, match="in explain, 'mask', needs a tokenizer"):
        explain(bert, TEXTS, tokenizer=tokenizer, method="occlusion", progress=False)
    assert (
        explain(bert, TEXTS, tokenizer=tokenizer, method="occlusion", deletion="unk", progress=False).baseline == "unk"
    )


@pytest.mark.parametrize("named", [None, 200])
def test_a_tokenizer_that_names_no_length_or_too_long_a_one_is_cut_at_the_positions_of_the_model(named):
    tokenizer = tiny_tokenizer(max_length=named)
    found = explain(
        tiny_bert(), ["the cat saw a dog " * 30], method="saliency_l2", target=1, tokenizer=tokenizer, progress=False
    )
    assert found.notes[0].startswith("1 of 1 texts are longer than the 64 tokens that the model reads")
    assert found.truncated.tolist() == [True] and len(found.words[0]) == 62
