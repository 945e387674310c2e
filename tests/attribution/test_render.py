"""Words in notebooks and terminals: signs, escapes, and how long they may get."""

import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from xembed.attribution import Attributions, DepthExplanation, SimilarityExplanation
from xembed.attribution._render import printable, words_html, words_text

ATTRIBUTES = {"style", "title", "dir"}
HOSTILE = ("</span><script>", "' onmouseover='x", '"', "&lt;", "\u202e")
TAGS = {"p", "div", "span", "sup", "i"}


class Reader(HTMLParser):
    """The text, tags and attributes of a piece of HTML."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.attributes, self.text, self.titles, self.depth = set(), set(), "", [], 0
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attributes}
        self.titles += [value for name, value in attributes if name == "title"]
        self.depth += 1

    def handle_endtag(self, tag):
        self.depth -= 1

    def handle_data(self, data):
        self.text += data


def attributions(words, values, **changes):
    n = len(words)
    fields = {
        "method": "occlusion", "label": "Occlusion", "signed": True, "words": tuple(words), "values": tuple(values),
        "targets": np.zeros(n, np.int64), "scores": np.linspace(0, 1, n), "baseline_scores": np.full(n, np.nan),
        "completeness": np.full(n, np.nan), "special": np.full(n, np.nan), "truncated": np.zeros(n, bool),
        "output": "similarity", "baseline": "delete", "notes": (), "seconds": 1.0, "provenance": {},
    }  # fmt: skip
    return fields | changes


def similarity(words_a, words_b, rest=None):
    n, m = len(words_a), len(words_b)
    matrix = np.full((n, m), -0.01)
    matrix[0, 0] = 0.5
    return SimilarityExplanation(
        similarity=0.625, text_a="a", text_b="b", words_a=tuple(words_a), words_b=tuple(words_b), matrix=matrix,
        values_a=matrix.sum(axis=1), values_b=matrix.sum(axis=0), rest=rest, completeness=None, method="shapley",
        label="Shapley values", what="", reference=None, truncated=(False, False), trust=None,
        notes=("A <b>note</b>.",), seconds=0.1, encoder={}, provenance={},
    )  # fmt: skip


# ---- words as HTML


def test_signs_colors_and_numbers_of_words():
    html = words_html(["wifi", "violin", "the"], [0.1, -0.2, 0.001])
    spans = re.findall(r"<span.*?</span>", html)
    assert Reader(spans[0]).text == "wifi+" and "background:rgba(230,159,0,0.28)" in spans[0]
    assert Reader(spans[1]).text == "violin−" and "background:rgba(0,114,178,0.55)" in spans[1]
    assert Reader(spans[2]).text == "the"  # too small for a sign
    assert Reader(html).titles == ["+0.1", "−0.2", "+0.001"]


def test_the_scale_can_be_that_of_other_words():
    assert "0,114,178,0.55" in words_html(["a"], [-0.5])
    assert "0,114,178,0.28" in words_html(["a"], [-0.5], most=1.0)
    assert "0,114,178,0.55" in words_html(["a"], [-5.0], most=1.0)


def test_without_signs_there_is_one_color_and_no_mark():
    html = words_html(["a", "b"], [0.5, 0.25], signed=False)
    assert Reader(html).text == "a b" and "114,178" not in html and Reader(html).titles == ["0.5", "0.25"]


def test_words_without_any_attribution_are_bare():
    html = words_html(["a", "b"], [0.0, 0.0])
    assert Reader(html).text == "a b" and "background" not in html
    assert Reader(words_html([], [])).text == ""


@pytest.mark.parametrize("render", [words_html, words_text])
def test_each_word_needs_a_value(render):
    with pytest.raises(ValueError, match=r"a value for each of 2 words. Got an array of shape \(1,\)"):
        render(["a", "b"], [0.1])


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.text(max_size=80) | st.sampled_from(HOSTILE), st.floats(-1e6, 1e6)),
        max_size=12,
    )
)  # fmt: skip
def test_no_word_is_read_as_markup(pairs):
    words, values = [word for word, _ in pairs], [value for _, value in pairs]
    html = words_html(words, values, signed=False)
    reader = Reader(html)
    assert reader.tags <= TAGS and reader.attributes <= ATTRIBUTES and reader.depth == 0
    assert reader.text == " ".join(printable(word) for word in words)
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x00-\x1f\x7f-\x9f]", html)


def test_long_texts_are_cut_by_bytes_and_the_rest_is_counted():
    words = ["“'&<>\"”" * 20] * 500
    html = words_html(words, [0.5] * 500, n_bytes=10_000)
    assert len(html.encode()) < 10_200
    shown = html.count("title=")
    assert 5 < shown < 100 and f"… and {500 - shown} more words" in html


def test_long_words_are_cut():
    assert Reader(words_html(["x" * 10_000], [0.0])).text == "x" * 59 + "…"
    assert printable("x" * 60) == "x" * 60


def test_what_joins_letters_stays():
    family = "👩\u200d👧"
    assert printable(family) == family and printable("می\u200cخواهم") == "می\u200cخواهم"
    assert printable("a\x1b[31mb\n\u202ec") == "a�[31mb��c"


# ---- words in a terminal


def test_terminal_words_have_marks_and_colors():
    line = words_text(["My", "wifi", "violin", "bow"], [0.0, 0.08, -0.2, -0.05])
    assert line.plain == "My wifi+ violin− bow−"
    styles = {line.plain[span.start : span.end]: span.style for span in line.spans}
    assert styles == {
        "wifi+": "black on #ffd787", "violin−": "bold black on #56b4e9", "bow−": "black on #9ad4f5",
    }  # fmt: skip
    assert words_text(["a", "b"], [0.5, 0.1], signed=False).plain == "a b"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=20) | st.sampled_from(["\x1b[2J", "\x9b31m", "[red]x[/]", "\r", "\x07"]), max_size=8))
def test_a_terminal_obeys_no_word(words):
    line = words_text(words, [0.5] * len(words))
    console = Console(width=10_000, color_system=None, file=io.StringIO())
    console.print(line)
    shown = console.file.getvalue()
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", shown)
    assert shown.rstrip("\n") == " ".join(f"{printable(word)}+" for word in words).rstrip("\n")


# ---- results in notebooks


def test_attributions_in_a_notebook():
    found = Attributions(**attributions([("My", "violin")] * 12, [np.array([0.0, -0.5])] * 12, notes=("A <b>",)))
    html = found._repr_html_()
    reader = Reader(html)
    assert reader.tags <= TAGS and reader.attributes <= ATTRIBUTES and reader.depth == 0
    assert reader.text.startswith("Occlusion: similarity of 12 textsA <b>") and "violin−" in reader.text
    assert "Text 0: 0.000" in reader.text and "Text 7:" in reader.text and "Text 8:" not in reader.text
    assert "… and 4 more texts" in reader.text and "lowers it" in reader.text


def test_the_most_outlying_texts_come_first_in_a_notebook():
    fields = attributions([("a",), ("b",), ("c",)], [np.array([0.5])] * 3) | {
        "texts": ("a", "b", "c"), "depths": np.array([1.5, 1.0, 1.25]), "deeper_than": np.array([0.75, 0.001, 0.5]),
        "nearest_similarity": np.ones(3), "typical_texts": ("x",) * 3, "typical_similarity": np.ones(3),
        "n_reference": 40, "trust": None, "encoder": {},
    }  # fmt: skip
    text = Reader(DepthExplanation(**fields)._repr_html_()).text
    assert re.findall(r"Text (\d): depth ([\d.]+), less deep than ([\d.]+%) of the 40", text) == [
        ("1", "1.000", "99.9%"), ("2", "1.250", "50%"), ("0", "1.500", "25%"),
    ]  # fmt: skip
    assert "pulls a text toward the corpus" in text


def test_a_similarity_in_a_notebook():
    reader = Reader(
        similarity(["king", "<i>"], ["queen", "a"], rest={"special tokens": 0.125, "reference": 0.0})._repr_html_()
    )
    assert reader.tags <= TAGS and reader.depth == 0
    assert reader.text.startswith("Cosine 0.625, explained by Shapley valuesA <b>note</b>.")
    assert "king+" in reader.text and "king – queen +0.5;" in reader.text
    assert reader.text.endswith("In pairs of words +0.47, special tokens +0.125")
    assert "In pairs of words" not in similarity(["a"], ["b"])._repr_html_()


@pytest.mark.parametrize("word", ["x" * 10_000, "&" * 300, "\u202e'\"<" * 50, "ش" * 100])
def test_notebook_cells_stay_small(word):
    many = [(word,) * 3_000] * 100
    found = Attributions(**attributions(many, [np.ones(3_000)] * 100, notes=(word,) * 3))
    assert 5_000 < len(found._repr_html_().encode()) < 50_000
    assert len(similarity([word] * 600, [word] * 300)._repr_html_().encode()) < 50_000
