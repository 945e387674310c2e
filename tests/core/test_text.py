"""Texts and numbers as messages and sentences show them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xembed._core.estimate import Estimate
from xembed._core.text import (
    blankless_note,
    cut,
    format_p,
    in_sentence,
    one_line,
    p_value,
    printable,
    terms_of,
    words_of,
)


def test_what_a_terminal_obeys_is_replaced():
    assert printable("a\x1b[31mb\u202ec") == "a [31mb c"
    assert printable("a\x00", "�") == "a�"
    assert printable("می\u200cخواهم 👨\u200d👩") == "می\u200cخواهم 👨\u200d👩"


@pytest.mark.parametrize(
    "text, length, expected", [("abc", 3, "abc"), ("abcd", 3, "ab…"), ("a bcd", 3, "a…"), ("", 3, "")]
)
def test_a_cut_says_so(text, length, expected):
    assert cut(text, length) == expected


def test_one_line_is_one():
    assert one_line(" two\n\n lines\tand\x07 more ") == "two lines and more"
    assert one_line("x" * 100) == "x" * 89 + "…"


def test_words_from_right_to_left_are_isolated():
    assert in_sentence("שלום") == "\u2068שלום\u2069"
    assert in_sentence("word\n\u202e") == "word"


@pytest.mark.parametrize(
    "value, short, sentence",
    [(0.01234, "0.012", "p = 0.012"), (1e-301, "< 1e-300", "p < 1e-300"), (0.0, "< 1e-300", "p < 1e-300"),
     (1e-300, "1e-300", "p = 1e-300"), (1.0, "1", "p = 1")],
)  # fmt: skip
def test_no_p_value_is_written_as_zero(value, short, sentence):
    assert (p_value(value), format_p(value)) == (short, sentence)
    assert p_value(None) == "–"


def test_an_interval_excludes_what_lies_outside():
    assert Estimate(1.0, 0.5, 1.5).excludes(0.0) and not Estimate(1.0, 0.5, 1.5).excludes(0.5)
    assert not Estimate(1.0).excludes(0.0)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("It isn't a well-known café’s", ["It", "isn't", "a", "well", "known", "café’s"]),
        ("snake_case m² 2nd ½", ["snake_case", "m²", "2nd", "½"]),
        ("नदी में पानी है।", ["नदी", "में", "पानी", "है"]),
        ("क्षेत्र २०२४", ["क्षेत्र", "२०२४"]),
        ("كِتَابٌ جديد", ["كِتَابٌ", "جديد"]),
        ("סֵפֶר צה״ל", ["סֵפֶר", "צה״ל"]),
        ("نمی\u200cدانم", ["نمی\u200cدانم"]),  # a joiner inside a word
        ("re\u00adport", ["report"]),
        ("nai\u0308ve Việt", ["nai\u0308ve", "Việt"]),
        ("한국어 문장", ["한국어", "문장"]),
        ("猫爱鱼", ["猫爱", "爱鱼"]),
        ("東京タワー2024年", ["東京", "京タ", "タワ", "ワー", "2024", "年"]),
        ("กินน้ำ", ["กิน", "นน้ำ"]),  # vowel signs and tones are no characters of their own
        ("မြန်မာ", ["မြန်", "န်မာ"]),
        ("hi👍🏽👨\u200d👩\u200d👧 🇫🇷🇯🇵 ❤️", ["hi", "👍🏽", "👨\u200d👩\u200d👧", "🇫🇷", "🇯🇵", "❤️"]),
        ("\u200b\u200d\ufeff → ™ …", []),
        ("cat 猫 кот", ["cat", "猫", "кот"]),
    ],
)
def test_words_of_all_scripts_are_whole(text, words):
    assert words_of(text) == words


def test_terms_are_words_of_two_letters_and_what_says_as_much():
    assert terms_of("A cat’s Tail, I x 7 _ é 猫 😀") == ["cat’s", "tail", "猫", "😀"]
    assert terms_of("我爱猫 ok", bigrams=False) == ["我爱猫", "ok"]


@given(st.text(st.characters(max_codepoint=0x24F, blacklist_characters="\u00ad·")))
def test_words_of_latin_letters_are_those_of_the_plain_pattern(text):
    assert words_of(text) == re.findall(r"\w+(?:['’]\w+)*", text)


def test_scripts_without_blanks_are_noted():
    assert blankless_note(["a", "ภาษา", "日本 b", "naïve"]) == [
        "2 of 4 texts hold a script without blanks between words, such as Chinese, Japanese or Thai: it is read as "
        "pairs of adjacent characters."
    ]
    assert blankless_note(["a", "né", "हिन्दी"]) == []
