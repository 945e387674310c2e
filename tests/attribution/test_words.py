"""Words and their tokens: by the tokenizer's account, never by comparing strings."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from models import WORDS, tiny_tokenizer
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast, RobertaTokenizerFast

from xembed.attribution import EncodedWords, WordEncoder
from xembed.attribution._method import sum_words
from xembed.encoders._words import collate


@pytest.fixture(scope="module")
def words():
    return WordEncoder(tiny_tokenizer(), caller="this test")


def byte_level(*, prefix, nested=False):
    """Return a byte-level tokenizer in which ' she' and ' sings' are tokens, and 'she' is three."""
    vocabulary = {token: i for i, token in enumerate(["<s>", "<pad>", "</s>", *pre_tokenizers.ByteLevel.alphabet()])}
    merges = []
    for word in ("she", "sings"):
        whole = "Ġ"
        for letter in word:
            if whole + letter not in vocabulary:
                merges.append((whole, letter))
                vocabulary[whole + letter] = len(vocabulary)
            whole += letter
    backend = Tokenizer(models.BPE(vocabulary, merges))
    part = pre_tokenizers.ByteLevel(add_prefix_space=prefix)
    backend.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Punctuation(), part]) if nested else part
    backend.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return PreTrainedTokenizerFast(tokenizer_object=backend, pad_token="<pad>", bos_token="<s>", eos_token="</s>")


# ---- words and tokens


def test_each_token_knows_its_word(words):
    (row,) = words.encode([["She", "singss", "often", "."]])
    tokens = words.tokenizer.convert_ids_to_tokens(list(row.ids))
    assert tokens == ["[CLS]", "she", "sings", "##s", "[UNK]", ".", "[SEP]"]
    assert row.word_ids == (None, 0, 1, 1, 2, 3, None)
    assert row.special == (True, *[False] * 5, True)
    assert (row.words, row.truncated) == (("She", "singss", "often", "."), False)


def test_a_string_has_the_words_of_the_tokenizer(words):
    (row,) = words.encode(["She met the cat's friends, late."])
    assert row.words == ("She", "met", "the", "cat", "'", "s", "friends", ",", "late", ".")
    assert row.word_ids == (None, *range(10), None)


def test_words_are_found_by_place_and_not_by_their_letters(words):
    # "he" is inside of "she" and of "the", and occurs three times as a word.
    row = words.encode([["he", "saw", "she", "the", "he", "he"]])[0]
    assert row.word_ids == (None, 0, 1, 2, 3, 4, 5, None)
    values, special = sum_words([9, 1, 2, 3, 4, 5, 6, 1], row)
    assert values.tolist() == [1, 2, 3, 4, 5, 6]
    assert special == 10 / 31


def test_the_pieces_of_equal_words_stay_apart(words):
    row = words.encode([["actorss", "cats", "actorss"]])[0]
    of_words = [[i for i, word in enumerate(row.word_ids) if word == n] for n in range(3)]
    assert [row.ids[place] for place in of_words[0]] == [row.ids[place] for place in of_words[2]]
    values, _ = sum_words(np.arange(len(row.ids)), row)
    assert values.tolist() == [sum(places) for places in of_words]
    assert sum(map(len, of_words)) == len(row.ids) - 2


ODD_WORDS = ["singer", "actors", "zebra", "She", "cats'", "é", "😀", "\0", " "]


@given(st.lists(st.sampled_from([*WORDS, *ODD_WORDS]), min_size=1))
@settings(max_examples=50, deadline=None)
def test_tokens_of_words_are_those_of_the_words_alone(sentence):
    tokenizer = tiny_tokenizer(max_length=10_000)
    encoder = WordEncoder(tokenizer, caller="this test")
    alone = [tokenizer(word, add_special_tokens=False)["input_ids"] for word in sentence]
    if not any(alone):
        with pytest.raises(ValueError, match="no token but special ones"):
            encoder.encode([sentence])
        return
    row = encoder.encode([sentence])[0]
    assert row.words == tuple(sentence)
    for number, ids in enumerate(alone):
        assert [i for i, word in zip(row.ids, row.word_ids, strict=True) if word == number] == ids
    places = [word for word in row.word_ids if word is not None]
    assert places == sorted(places)


@pytest.mark.parametrize("blank", [" ", "", "\0", "\u200b", "\n"])
def test_words_without_a_token_have_nothing_and_shift_nothing(words, blank):
    row = words.encode([["she", blank, "sings", "😀", blank]])[0]
    assert row.words == ("she", blank, "sings", "😀", blank)
    assert row.word_ids == (None, 0, 2, 3, None)
    assert sum_words([0, 1, 2, 3, 0], row)[0].tolist() == [1, 0, 2, 3, 0]


def test_sums_of_words_with_nothing_at_all():
    row = EncodedWords(("a",), (2, 5, 3), (None, 0, None))
    values, special = sum_words(np.zeros(7), row)  # longer than the row: padding
    assert values.tolist() == [0] and special == 0


# ---- byte-level tokenizers


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("prefix", [False, True])
def test_byte_level_words_keep_the_blank_before_them(prefix, nested):
    encoder = WordEncoder(byte_level(prefix=prefix, nested=nested), caller="this test")
    row = encoder.encode([["she", "sings", "she"]])[0]
    tokens = encoder.tokenizer.convert_ids_to_tokens(list(row.ids))
    assert tokens == ["<s>", "Ġshe", "Ġsings", "Ġshe", "</s>"]
    assert row.word_ids == (None, 0, 1, 2, None)
    assert row.words == ("she", "sings", "she")


@pytest.mark.parametrize("prefix", [False, True])
def test_roberta_reads_words_whether_it_puts_blanks_or_not(prefix):
    model = json.loads(byte_level(prefix=True).backend_tokenizer.to_str())["model"]
    merges = [tuple(merge) for merge in model["merges"]]
    tokenizer = RobertaTokenizerFast(vocab=model["vocab"], merges=merges, add_prefix_space=prefix)
    encoder = WordEncoder(tokenizer, caller="this test")
    row = encoder.encode([["she", "sings", "."]])[0]
    assert row.word_ids[1:3] == (0, 1) and set(row.word_ids[3:-1]) == {2}
    assert tokenizer.convert_ids_to_tokens(list(row.ids))[1:3] == ["Ġshe", "Ġsings"]


def test_bytes_of_one_letter_are_one_word():
    encoder = WordEncoder(byte_level(prefix=True), caller="this test")
    row = encoder.encode([["she", "😀", "sings"]])[0]
    assert row.word_ids == (None, 0, 1, 1, 1, 1, 1, 2, None)  # a blank and four bytes
    row = encoder.encode(["she 😀 sings"])[0]
    assert row.words[0] == "she" and row.words[-1] == "sings" and "😀" in row.words


def test_a_tokenizer_without_parts_or_with_another_kind():
    vocabulary = {"[UNK]": 0, "she": 1, "sings": 2}
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    backend.normalizer = normalizers.Lowercase()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="[UNK]")
    encoder = WordEncoder(tokenizer, caller="this test")
    row = encoder.encode([["She", "sings"]])[0]
    assert (row.ids, row.word_ids) == ((1, 2), (0, 1))
    assert encoder.max_length is None  # it says 10**30
    assert encoder.pad_id == 0  # it has none: the mask hides it


# ---- limits


@pytest.mark.parametrize("text", [["she", "sings", "in", "the", "park"], "she sings in the park"])
def test_what_is_cut_off_is_said(text):
    row = WordEncoder(tiny_tokenizer(), max_length=5, caller="this test").encode([text])[0]
    assert row.truncated and len(row.ids) == 5
    assert row.word_ids == (None, 0, 1, 2, None)
    # Lists keep all their words, so that they fit a ground truth; of a string only what is read is seen.
    assert row.words == (tuple(text) if isinstance(text, list) else ("she", "sings", "in"))
    assert sum_words([0, 1, 2, 3, 0], row)[0].tolist() == [1, 2, 3, 0, 0][: len(row.words)]


def test_the_limit_is_that_of_the_tokenizer_and_not_one_less():
    sentence = ["she"] * 8
    assert not WordEncoder(tiny_tokenizer(max_length=10), caller="this test").encode([sentence])[0].truncated
    assert WordEncoder(tiny_tokenizer(max_length=9), caller="this test").encode([sentence])[0].truncated


def test_a_cut_word_keeps_its_first_tokens():
    row = WordEncoder(tiny_tokenizer(), max_length=4, caller="this test").encode([["she", "singss", "."]])[0]
    assert row.word_ids == (None, 0, 1, None) and row.truncated


def test_cutting_leaves_the_tokenizer_as_it_was():
    tokenizer = tiny_tokenizer()
    before = tokenizer.backend_tokenizer.to_str()
    WordEncoder(tokenizer, max_length=4, caller="this test").encode(["she sings in the park", "she sings"])
    assert len(tokenizer("she sings in the park")["input_ids"]) == 7
    assert tokenizer.backend_tokenizer.to_str() == before


# ---- errors


class Slow:
    is_fast = False


@pytest.mark.parametrize("tokenizer", [Slow(), None, object()])
def test_a_slow_tokenizer_is_refused(tokenizer):
    with pytest.raises(TypeError, match=r"tokenizer of this test must be a fast one.*Got the slow .*use_fast=True"):
        WordEncoder(tokenizer, caller="this test")


@pytest.mark.parametrize("max_length", [2, 0, -3])
def test_a_limit_below_one_token_is_refused(max_length):
    with pytest.raises(ValueError, match=r"'max_length' parameter of this test must be an integer of at least 3"):
        WordEncoder(tiny_tokenizer(), max_length=max_length, caller="this test")


def test_a_limit_that_is_no_integer_is_refused():
    with pytest.raises(TypeError, match="'max_length' parameter"):
        WordEncoder(tiny_tokenizer(), max_length=4.5, caller="this test")


@pytest.mark.parametrize(
    ("texts", "kind", "message"),
    [
        ("she sings", TypeError, "for a single text pass a list"),
        (b"she", TypeError, "Got one bytes"),
        (None, TypeError, "must be a list of strings. Got NoneType"),
        (5, TypeError, "must be a list of strings. Got int"),
        ([], ValueError, "must hold at least 1 text"),
        (["she", " "], ValueError, r"1 blank text \(first: item 1\)"),
        (["\0"], ValueError, "A text of this test has no token but special ones"),
        ([["she"], ["\0", " "]], ValueError, "Text 1 of this test has no token but special ones"),
        ([["she"], []], ValueError, "The words of text 1 must hold at least 1 text"),
        ([["she"], "he"], TypeError, "all strings or all lists of words. Got both"),
        (["he", None], TypeError, "all strings or all lists of words"),
        ([["she", 5]], TypeError, "The words of text 0 holds 1 item that is not a string"),
        ([["she", "\ud800"]], ValueError, "not valid Unicode"),
    ],
)
def test_texts_that_are_none(words, texts, kind, message):
    with pytest.raises(kind, match=message):
        words.encode(texts)


def test_any_iterable_of_texts_will_do(words):
    expected = words.encode(["she sings", "he sings"])
    assert words.encode(text for text in ["she sings", "he sings"]) == expected
    assert words.encode(np.array(["she sings", "he sings"])) == expected
    assert [row.ids for row in words.encode((("she", "sings"), ("he", "sings")))] == [row.ids for row in expected]


# ---- batches


def test_rows_are_filled_up_on_the_right():
    ids, mask = collate([(2, 5, 3), (2, 3), (7,)], 1)
    assert ids.tolist() == [[2, 5, 3], [2, 3, 1], [7, 1, 1]]
    assert mask.tolist() == [[1, 1, 1], [1, 1, 0], [1, 0, 0]]
    assert ids.dtype == mask.dtype == torch.int64


# ---- scripts with combining marks, and scripts without blanks


def bert_like(text):
    """Return a tokenizer that drops accents and knows only whole words of the text, as the default encoder's does."""
    normalizer = normalizers.BertNormalizer(lowercase=True)
    pieces = [piece for piece, _ in pre_tokenizers.BertPreTokenizer().pre_tokenize_str(normalizer.normalize_str(text))]
    vocabulary = {token: i for i, token in enumerate(["[UNK]", "[CLS]", "[SEP]", *dict.fromkeys(pieces)])}
    backend = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    backend.normalizer, backend.pre_tokenizer = normalizer, pre_tokenizers.BertPreTokenizer()
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    return PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="[UNK]", pad_token="[UNK]")


SCRIPTS = [
    ("मेरी किताबें पढ़ो ।", ("मेरी", "किताबें", "पढ़ो", "।")),
    ("كِتَابٌ جديد", ("كِتَابٌ", "جديد")),
    ("סֵפֶר טוב", ("סֵפֶר", "טוב")),
    ("nai\u0308ve cafe\u0301", ("nai\u0308ve", "cafe\u0301")),
]


@pytest.mark.parametrize(("text", "expected"), SCRIPTS)
def test_marks_stay_with_their_words_whatever_the_tokenizer_does(text, expected):
    for tokenizer in (byte_level(prefix=True), bert_like(text)):
        row = WordEncoder(tokenizer, caller="this test").encode([text])[0]
        assert row.words == expected
        places = [word for word in row.word_ids if word is not None]
        assert places == sorted(places) and set(places) == set(range(len(expected)))


def test_scripts_without_blanks_have_the_words_of_the_tokenizer_but_whole_characters():
    assert WordEncoder(bert_like("猫爱鱼"), caller="this test").encode(["猫爱鱼"])[0].words == ("猫", "爱", "鱼")
    row = WordEncoder(byte_level(prefix=True), caller="this test").encode(["ที่นี่ดี ok"])[0]
    assert "".join(row.words) == "ที่นี่ดีok" and row.words[-1] == "ok"
    assert row.words[:3] == ("ที่", "นี่", "ดี")


def test_words_of_a_prefix_with_marks_are_no_words_of_the_text():
    encoder = WordEncoder(byte_level(prefix=True), prefix="मेरी: ", caller="this test")
    assert encoder.encode(["किताबें she"])[0].words == ("किताबें", "she")


@given(st.lists(st.sampled_from(["मेरी", "كِتَابٌ", "ที่นี่", "猫", "cat's", "e\u0301", "\u0301", "\u200d", " ", "😀", "."])))
@settings(max_examples=100, deadline=None)
def test_words_cover_all_letters_once(parts):
    text = "a " + "".join(parts)
    row = WordEncoder(byte_level(prefix=True), caller="this test").encode([text])[0]
    assert "".join("".join(row.words).split()) == "".join(text.split())
