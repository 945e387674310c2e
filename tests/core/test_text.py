"""Texts and numbers as messages and sentences show them."""

import pytest

from xembed._core.estimate import Estimate
from xembed._core.text import cut, format_p, in_sentence, one_line, p_value, printable


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
