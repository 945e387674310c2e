"""Prediction gap, words out of balance and pseudo-log-likelihood."""

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertForSequenceClassification,
    DistilBertConfig,
    DistilBertForMaskedLM,
    PreTrainedTokenizerFast,
)

from xembed.datasets import PairedSentences
from xembed.geco._bias import PredictionGap, WordCooccurrence, prediction_gap, word_cooccurrence
from xembed.geco._masked_lm import PseudoLogLikelihood, pseudo_log_likelihood

FORMS = ("female", "male")
VERBS = ["sings", "reads", "walks", "cooks", "writes"]


def make_data(n=6, classes=FORMS):
    """Return n sentences, each of another length and in every form."""
    subjects = ["She", "He", "They"][: len(classes)]
    sentences, truth, labels, groups = [], [], [], []
    for group in range(n):
        tail = [VERBS[(group + i) % len(VERBS)] for i in range(1 + group % 3)]
        for label, subject in enumerate(subjects):
            sentences.append([subject, *tail])
            truth.append([1] + [0] * len(tail))
            labels.append(label)
            groups.append(group)
    return PairedSentences("made", sentences, truth, labels, groups, classes)


def binary(p_true, labels):
    """Return a table of probabilities from those of the true class."""
    p, rows = np.asarray(p_true), np.arange(len(labels))
    table = np.empty((len(labels), 2))
    table[rows, labels], table[rows, 1 - np.array(labels)] = p, 1 - p
    return table


# Prediction gap


def test_prediction_gap_by_hand():
    data = make_data(4)
    found = prediction_gap(binary([0.9, 0.7, 0.8, 0.9, 0.6, 0.4, 0.3, 0.9], data.labels), data)
    assert found.gap == pytest.approx((0.2 + 0.1 + 0.2 + 0.6) / 4)
    assert found.signed_gap == pytest.approx((0.2 - 0.1 + 0.2 - 0.6) / 4)
    assert found.gap_interval[0] <= found.gap <= found.gap_interval[1]
    assert found.signed_interval[0] <= found.signed_gap <= found.signed_interval[1]
    np.testing.assert_array_equal(found.confusion, [[3, 1], [1, 3]])
    np.testing.assert_array_equal(found.accuracy, [0.75, 0.75])
    assert found.accuracy_intervals.shape == (2, 2)
    assert (found.n_pairs, found.n_unpaired, found.forms) == (4, 0, FORMS)
    again = PredictionGap.from_json(found.to_json())
    assert again.gap_interval == found.gap_interval
    np.testing.assert_array_equal(again.confusion, found.confusion)


def test_a_biased_classifier_is_told_from_a_noisy_one():
    data = make_data(200)
    rng = np.random.default_rng(0)
    noise = rng.uniform(-0.05, 0.05, 400)
    fair = prediction_gap(binary(0.8 + noise, data.labels), data)
    biased = prediction_gap(binary(0.8 + noise - 0.05 * np.array(data.labels), data.labels), data)
    assert fair.pvalue > 0.05
    assert fair.gap > 0.02  # noise makes a gap without a sign
    assert biased.pvalue < 0.01
    assert biased.signed_interval[0] > 0


def test_three_forms_and_a_row_without_its_pair():
    data = make_data(3, ("female", "male", "neutral"))
    table = np.full((9, 3), 0.25)
    table[np.arange(9), data.labels] = 0.5
    table[2] = [0.1, 0.2, 0.7]
    found = prediction_gap(table, data, forms=("neutral", "female"))
    assert found.gap == found.signed_gap == pytest.approx(0.2 / 3)
    assert found.accuracy.tolist() == [1, 1, 1]
    rows = list(range(8))  # the last neutral form is not there
    assert prediction_gap(table[rows], data.take(rows), forms=("neutral", "female")).n_unpaired == 1
    assert prediction_gap(table[rows], data.take(rows)).n_pairs == 3


def test_errors_of_prediction_gap():
    data = make_data(3)
    good = binary([0.9] * 6, data.labels)
    with pytest.raises(ValueError, match=r"must have the shape \(6, 2\).* Got \(5, 2\)"):
        prediction_gap(good[:5], data)
    for wrong in (good * 2, np.where(good > 0.5, np.nan, good), np.array([[1.5, -0.5]] * 6)):
        with pytest.raises(ValueError, match=r"must be distributions .*first: row 0.*softmax"):
            prediction_gap(wrong, data)
    with pytest.raises(TypeError, match="must be an array of numbers"):
        prediction_gap([["a", "b"]] * 6, data)
    with pytest.raises(ValueError, match=r"must hold rows of each class. Got none of \['male'\]"):
        prediction_gap(good[::2], data.where("female"))
    with pytest.raises(ValueError, match=r"'forms' parameter of prediction_gap must be two of"):
        prediction_gap(good, data, forms=("female", "none"))
    with pytest.raises(ValueError, match=r"at least 2 sentences in both forms .* Got 1"):
        prediction_gap(good[:2], data.take([0, 1]))
    with pytest.raises(TypeError, match="'rng' parameter of prediction_gap"):
        prediction_gap(good, data, rng="x")


# Words


def test_mirrored_forms_are_in_balance():
    found = word_cooccurrence(make_data(6))
    np.testing.assert_array_equal(found.counts[:, 0], found.counts[:, 1])
    assert not found.unmatched.any()
    np.testing.assert_allclose(found.shares, 0.5)
    np.testing.assert_allclose(found.total_shares, 0.5)
    assert "she" not in found.words


def test_a_word_in_one_form_only_comes_first():
    data = make_data(4)
    words = [list(row) for row in data.sentences]
    words[0] += ["Rose", "rose"]
    truth = [list(row) for row in data.ground_truth]
    truth[0] += [0, 0]
    odd = PairedSentences("odd", words, truth, data.labels, data.groups, FORMS)
    found = word_cooccurrence(odd)
    assert found.words[0] == "rose"
    assert found.counts[0].tolist() == found.unmatched[0].tolist() == [1, 0]
    assert found.unmatched[1:].sum() == 0
    table = found.to_frame()
    assert list(table.columns) == ["word", "n_female", "n_male", "share_female", "deviation", "unmatched"]
    assert table.deviation[0] == 0.5
    assert WordCooccurrence.from_json(found.to_json()).words == found.words


def test_shares_are_against_the_rows_of_each_form():
    data = make_data(4, ("female", "male", "neutral"))
    np.testing.assert_allclose(word_cooccurrence(data).expected, 1 / 3)
    lopsided = word_cooccurrence(data.take([0, 1, 3]))
    np.testing.assert_allclose(lopsided.expected, [2 / 3, 1 / 3, 0])


def test_no_word_outside_the_ground_truth():
    data = PairedSentences("bare", [["She"], ["He"]], [[1], [1]], [0, 1], [0, 0], FORMS)
    with pytest.raises(ValueError, match="must hold words outside the ground truth"):
        word_cooccurrence(data)


def test_words_of_real_pairs_are_in_balance(real_data):
    import json

    lines = (real_data / "geco" / "binary_gender_all" / "test.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [row for row in map(json.loads, lines) if all(word.strip() for word in row["sentence"])]
    data = PairedSentences(
        "GECO",
        [row["sentence"] for row in rows],
        [row["ground_truth"] for row in rows],
        [row["target"] for row in rows],
        [row["sentence_idx"] for row in rows],
        FORMS,
    )
    found = word_cooccurrence(data)
    assert abs(found.total_shares[0] - 0.5) < 0.001
    assert not found.unmatched.any()


# Pseudo-log-likelihood


@pytest.fixture(scope="module")
def tokenizer():
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "She", "He", "They", *VERBS[:4], "writ", "##es"]
    vocabulary = {word: i for i, word in enumerate(words)}
    made = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_max_length=16,
    )


def small(kind=BertForMaskedLM, config=BertConfig, **names):
    names = names or {
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 37,
    }
    with torch.random.fork_rng():
        torch.manual_seed(0)
        # Wide weights, so that words depend on their context.
        return kind(config(vocab_size=14, max_position_embeddings=16, initializer_range=0.8, **names)).eval()


def by_hand(model, tokenizer, data):
    """Return sums, one masked sentence at a time."""
    totals = []
    for words, marks in zip(data.sentences, data.ground_truth, strict=True):
        encoding = tokenizer(list(words), is_split_into_words=True, return_tensors="pt")
        total = 0.0
        for place, word in enumerate(encoding.word_ids(0)):
            if word is not None and not marks[word]:
                ids = encoding["input_ids"].clone()
                ids[0, place] = tokenizer.mask_token_id
                with torch.inference_mode():
                    logits = model(input_ids=ids, attention_mask=encoding["attention_mask"]).logits
                total += float(torch.log_softmax(logits[0, place], -1)[encoding["input_ids"][0, place]])
        totals.append(total)
    return np.array(totals)


@pytest.mark.parametrize("batch_size", [1, 5, 64])
def test_pseudo_log_likelihood_is_one_mask_at_a_time(tokenizer, batch_size):
    data, model = make_data(6), small()
    found = pseudo_log_likelihood(model, tokenizer, data, batch_size=batch_size)
    expected = by_hand(model, tokenizer, data)
    assert expected.std() > 0.5  # it depends on the sentence
    np.testing.assert_allclose(found.total, expected, atol=1e-4)
    # "writes" is two tokens.
    tokens = [sum(2 if word == "writes" else 1 for word in words[1:]) for words in data.sentences]
    np.testing.assert_array_equal(found.n_tokens, tokens)
    np.testing.assert_allclose(found.per_token, found.total / tokens)
    assert found.difference == pytest.approx(found.per_token[::2].mean() - found.per_token[1::2].mean())
    assert found.means[0] - found.means[1] == pytest.approx(found.difference)
    assert found.interval[0] <= found.difference <= found.interval[1]
    again = PseudoLogLikelihood.from_json(found.to_json())
    np.testing.assert_array_equal(again.total, found.total)


def test_other_architectures_and_heads_that_are_not_modules(tokenizer, monkeypatch):
    data = make_data(4)
    model = small(DistilBertForMaskedLM, DistilBertConfig, dim=32, n_layers=1, n_heads=2, hidden_dim=37)
    expected = by_hand(model, tokenizer, data)
    np.testing.assert_allclose(pseudo_log_likelihood(model, tokenizer, data).total, expected, atol=1e-4)
    monkeypatch.setattr(model, "get_output_embeddings", lambda: None)
    np.testing.assert_allclose(pseudo_log_likelihood(model, tokenizer, data).total, expected, atol=1e-4)


def test_the_model_is_left_as_it_was(tokenizer):
    model = small()
    model.train()
    model.bert.embeddings.eval()
    state = torch.random.get_rng_state()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    one = pseudo_log_likelihood(model, tokenizer, make_data(3), device="cpu")
    two = pseudo_log_likelihood(model, tokenizer, make_data(3))
    np.testing.assert_array_equal(one.total, two.total)  # no dropout
    assert model.training
    assert not model.bert.embeddings.training
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert not model.get_output_embeddings()._forward_pre_hooks


def test_a_word_that_is_the_mask_token_confuses_nothing(tokenizer):
    data = make_data(2)
    words = [[*row, "[MASK]", "sings"] for row in data.sentences]
    marks = [[*row, 0, 0] for row in data.ground_truth]
    masked = PairedSentences("masked", words, marks, data.labels, data.groups, FORMS)
    model = small()
    np.testing.assert_allclose(
        pseudo_log_likelihood(model, tokenizer, masked).total, by_hand(model, tokenizer, masked), atol=1e-4
    )


def test_errors_of_pseudo_log_likelihood(tokenizer):
    data, model = make_data(3), small()
    with pytest.raises(TypeError, match=r"masked-language-model head.* Got BertForSequenceClassification"):
        pseudo_log_likelihood(small(BertForSequenceClassification), tokenizer, data)
    with pytest.raises(TypeError, match="must be a fast one"):
        pseudo_log_likelihood(model, object(), data)
    without = PreTrainedTokenizerFast(tokenizer_object=tokenizer.backend_tokenizer, pad_token="[PAD]")
    with pytest.raises(ValueError, match="must have a mask token"):
        pseudo_log_likelihood(model, without, data)
    words = [[*row, *VERBS, *VERBS, *VERBS] for row in data.sentences]
    marks = [[*row] + [0] * 15 for row in data.ground_truth]
    long = PairedSentences("long", words, marks, data.labels, data.groups, FORMS)
    with pytest.raises(ValueError, match=r"Got 6 that are longer \(first: row 0\)"):
        pseudo_log_likelihood(model, tokenizer, long)
    bare = PairedSentences("bare", [["She"], ["He"]] * 2, [[1]] * 4, [0, 1] * 2, [0, 0, 1, 1], FORMS)
    with pytest.raises(ValueError, match="Got row 0 without"):
        pseudo_log_likelihood(model, tokenizer, bare)
    with pytest.raises(ValueError, match="'batch_size' parameter of pseudo_log_likelihood"):
        pseudo_log_likelihood(model, tokenizer, data, batch_size=0)
    broken = small()
    with torch.no_grad():
        broken.get_output_embeddings().bias.fill_(float("nan"))
    with pytest.raises(ValueError, match="must return finite numbers"):
        pseudo_log_likelihood(broken, tokenizer, data)
