"""Zero-shot: what is asked, where the mask is, and what is refused."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from models import PLACES, VERBS, save_small, small_pairs

import xembed
from xembed.geco._classifier import make_classifier
from xembed.geco._masked_lm import NON_BINARY_PROMPT, PROMPT, _fill_in, load_masked_lm, zero_shot

KINDS = ("bert", "distilbert", "roberta")


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    root = tmp_path_factory.mktemp("masked")
    return {kind: load_masked_lm(save_small(root / kind, kind, masked_lm=True)) for kind in KINDS}


def by_hand(model, tokenizer, text, answers=("female", "male")):
    """Ask for one text as anybody would, through the tokenizer's own special tokens."""
    encoding = tokenizer(text, return_tensors="pt")
    place = encoding["input_ids"][0].tolist().index(tokenizer.mask_token_id)
    with torch.no_grad():
        logits = model(input_ids=encoding["input_ids"], attention_mask=encoding["attention_mask"]).logits[0, place]
    blank = "Ġ" if "Ġmale" in tokenizer.get_vocab() else ""
    return logits[[tokenizer.convert_tokens_to_ids(blank + word) for word in answers]].double().softmax(0).numpy()


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_the_softmax_over_the_answers_in_the_place_of_the_mask(models, kind):
    model, tokenizer = models[kind]
    pairs = small_pairs(4)
    found = zero_shot(model, tokenizer, pairs, prompt="female or male : {mask} . {sentence}")
    gap = "" if kind == "roberta" else " "  # a byte-level mask takes no token for the blank before it
    texts = [f"female or male :{gap}{tokenizer.mask_token} . {text}" for text in pairs.texts]
    expected = [by_hand(model, tokenizer, text) for text in texts]
    np.testing.assert_allclose(found, expected, atol=1e-6)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert np.ptp(found[:, 0]) > 1e-3  # it depends on the sentence


@pytest.mark.parametrize("kind", KINDS)
def test_texts_and_words_give_the_same(models, kind):
    model, tokenizer = models[kind]
    pairs = small_pairs(3)
    np.testing.assert_array_equal(zero_shot(model, tokenizer, pairs.texts), zero_shot(model, tokenizer, pairs))
    np.testing.assert_array_equal(zero_shot(model, tokenizer, pairs.sentences), zero_shot(model, tokenizer, pairs))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("prompt", [PROMPT, "{sentence} : {mask} .", "{mask}{sentence}"])
def test_a_mask_in_a_sentence_is_text(models, kind, prompt):
    _, tokenizer = models[kind]
    mask, special = tokenizer.mask_token_id, set(tokenizer.all_special_ids) - {tokenizer.unk_token_id}
    sentences = [["she", "sings", "."], ["she", tokenizer.mask_token, "."], ["he", tokenizer.sep_token, "."]]
    rows, places = _fill_in(tokenizer, sentences, prompt, caller="zero_shot")
    for ids, place in zip(rows, places, strict=True):
        assert ids[place] == mask and ids.count(mask) == 1
        assert [token for token in ids if token in special] == [tokenizer.cls_token_id, mask, tokenizer.sep_token_id]


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from([*VERBS, *PLACES, "[MASK]"]), min_size=1, max_size=8), min_size=2, max_size=6),
    st.integers(1, 6),
)
def test_a_row_does_not_depend_on_its_batch(models, sentences, batch_size):
    model, tokenizer = models["bert"]
    found = zero_shot(model, tokenizer, sentences, batch_size=batch_size)
    alone = np.concatenate([zero_shot(model, tokenizer, [words]) for words in sentences])
    np.testing.assert_allclose(found, alone, atol=1e-6)


def test_three_answers(models):
    model, tokenizer = models["bert"]
    found = zero_shot(model, tokenizer, [["they", "sing"]], prompt="{mask} : {sentence}", answers=["she", "he", "they"])
    assert found.shape == (1, 3)
    assert NON_BINARY_PROMPT.count("{mask}") == NON_BINARY_PROMPT.count("{sentence}") == 1


def test_modes_are_left_as_they_were(models):
    model, tokenizer = models["bert"]
    model.train()
    before = torch.get_rng_state()
    zero_shot(model, tokenizer, ["she sings"], device="cpu")
    assert model.training and torch.equal(torch.get_rng_state(), before)
    model.eval()


def test_long_sentences_are_cut_and_counted(models):
    model, tokenizer = models["bert"]
    # 40 tokens, less the two around the text and the seven of the prompt with the mask.
    rows = [["she"] * 32, ["she"] * 33, ["she"] * 99]
    message = "1 of 3 texts of zero_shot are longer than the 33 tokens that the model reads after the prompt"
    with pytest.warns(UserWarning, match=message.replace("33", "32").replace("1 of", "2 of")) as caught:
        found = zero_shot(model, tokenizer, rows)
    assert caught[0].filename == __file__
    np.testing.assert_allclose(found[1], found[0], atol=1e-6)
    np.testing.assert_allclose(found[2], found[0], atol=1e-6)


# ---- what is refused


def test_a_model_without_a_head(models, tmp_path):
    folder = save_small(tmp_path / "base", "bert")
    classifier, tokenizer = make_classifier(folder, 2)
    with pytest.raises(
        TypeError, match=r"masked-language-model head.* Got BertForSequenceClassification: load it with"
    ):
        zero_shot(classifier, tokenizer, ["she sings"])
    with pytest.raises(ValueError, match=r"no masked-language-model head in its checkpoint: cls.* would be random"):
        load_masked_lm(folder)
    with pytest.raises(TypeError, match=r"An Encoder holds no masked-language-model head"):
        load_masked_lm(xembed.load_encoder(folder, pooling="mean", device="cpu"))
    with pytest.raises(FileNotFoundError, match=r"does not exist"):
        load_masked_lm(tmp_path / "nothing")


def test_answers_that_are_not_one_token(models):
    model, tokenizer = models["bert"]
    pairs = small_pairs(2)
    with pytest.raises(ValueError, match=r"must be one token each .* 'unkind' is not"):
        zero_shot(model, tokenizer, pairs, answers=("male", "unkind"))
    with pytest.raises(ValueError, match=r"must be one token each .* 'zebra' is not"):
        zero_shot(model, tokenizer, pairs, answers=("male", "zebra"))
    with pytest.raises(ValueError, match=r"must be one token each .* '\[MASK\]' is not"):
        zero_shot(model, tokenizer, pairs, answers=("male", "[MASK]"))
    with pytest.raises(ValueError, match=r"one for each of the classes \('female', 'male'\). Got 3"):
        zero_shot(model, tokenizer, pairs, answers=("she", "he", "they"))
    with pytest.raises(ValueError, match=r"must all be different. Got \['he', 'he'\]"):
        zero_shot(model, tokenizer, pairs, answers=("he", "he"))
    with pytest.raises(ValueError, match=r"answers must hold at least 2 texts"):
        zero_shot(model, tokenizer, pairs, answers=["he"])


@pytest.mark.parametrize("prompt", ["female or male : {sentence}", "{mask} {mask} {sentence}", "{mask} .", 7])
def test_a_prompt_without_its_places(models, prompt):
    model, tokenizer = models["bert"]
    with pytest.raises(ValueError, match=r"must be a text with \{mask\} and \{sentence\} once each. Got"):
        zero_shot(model, tokenizer, ["she sings"], prompt=prompt)


def test_a_prompt_that_fills_the_model(models):
    model, tokenizer = models["bert"]
    with pytest.raises(
        ValueError, match=r"must leave room for a sentence. The model reads 40 tokens, and the prompt has 53"
    ):
        zero_shot(model, tokenizer, ["she sings"], prompt="or " * 50 + "{mask} {sentence}")


def test_other_bad_input(models):
    model, tokenizer = models["bert"]
    with pytest.raises(TypeError, match=r"texts must be a list of strings. Got one str"):
        zero_shot(model, tokenizer, "she sings")
    with pytest.raises(ValueError, match=r"1 blank text"):
        zero_shot(model, tokenizer, ["she sings", " "])

    class Slow:
        is_fast = False

    with pytest.raises(TypeError, match=r"must be a fast one"):
        zero_shot(model, Slow(), ["she sings"])


def test_logits_that_are_not_numbers(tmp_path):
    model, tokenizer = load_masked_lm(save_small(tmp_path, "bert", masked_lm=True))
    with torch.no_grad():
        model.cls.predictions.transform.dense.bias[0] = float("nan")
    with pytest.raises(RuntimeError, match=r"Got NaN or infinity for 2 of 2 rows \(first: row 0\)"):
        zero_shot(model, tokenizer, ["she sings", "he sings"])
