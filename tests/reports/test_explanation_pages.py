"""Pages of explanations: their numbers, the words and what is said of them, and that no text on them runs."""

import copy
import json
import re

import numpy as np
import pytest
from pages import check_looks, figure, numbers, rows_of, section

from xembed.attribution import (
    Attributions,
    AxesExplanation,
    DeletionTrust,
    DepthExplanation,
    MethodHealth,
    MethodStatus,
    MethodTrust,
    PlantedExample,
    ShiftComponent,
    ShiftExample,
    ShiftExplanation,
    ShiftTerm,
    SimilarityExplanation,
    TrustResult,
)
from xembed.reports import _words, render_page

SCRIPT = "</script><script>window.hacked=9</script>"
IMAGE = "<img src=x onerror='window.hacked=3'>"
TURNED = "\u202eevil\u202d"
LONG = "x" * 10_000
ENCODER = {"model": f"model {IMAGE}", "layer": -1}


def made_by(function, **parameters):
    return {"function": function, "parameters": parameters, "versions": {"xembed": "0"}}


def a_method(method, label, auroc, target="nearest_similarity", half=0.04):
    return MethodTrust(
        method=method, label=label, target=target, auroc=auroc, interval=(auroc - half, auroc + half), signed=True,
        content=0.9, first=0.65, completeness=None, seconds=0.25,
    )  # fmt: skip


def a_trust(**changes):
    fields = {
        "verdict": "Planted words are found: AUROC 0.95.",
        "trusted": True,
        "recommended": "lime",
        "recommended_target": "nearest_similarity",
        "methods": (
            a_method("lime", "LIME", 0.95),
            a_method("occlusion", "Occlusion", 0.9),
            a_method("lime", "LIME", 0.7, target="depth"),
        ),
        "threshold": 0.8,
        "untrained": 0.62,
        "deletion": 0.85,
        "n_texts": 20,
        "n_planted": 57,
        "n_reference": 280,
        "off_topic": ("volcano", IMAGE),
        "examples": (
            PlantedExample(("My", "volcano", SCRIPT, "bill"), (False, True, False, False), (-0.2, 0.5, 0.0, -0.01)),
        ),
        "encoder": ENCODER,
        "warnings": (f"Beware of {IMAGE}",),
        "provenance": made_by("trust_check", methods=["lime"]),
    }
    return TrustResult(**fields | changes)


def words_of(row):
    return ("My", "wifi", f"violin{row}", SCRIPT, TURNED, LONG, IMAGE)[: 4 + row % 4]


def attribution_fields(n, **changes):
    rng = np.random.default_rng(0)
    words = tuple(words_of(row) for row in range(n))
    values = tuple(np.concatenate([[0.0, 0.125, -0.25], rng.normal(0, 0.05, len(row) - 3)]) for row in words)
    fields = {
        "method": "occlusion",
        "label": "Occlusion",
        "signed": True,
        "words": words,
        "values": values,
        "targets": np.zeros(n, dtype=np.int64),
        "scores": np.linspace(0.25, 0.5, n),
        "baseline_scores": np.full(n, np.nan),
        "completeness": np.full(n, np.nan),
        "special": np.full(n, np.nan),
        "truncated": np.arange(n) == 1,
        "output": "nearest_similarity",
        "baseline": "delete",
        "notes": (f"A note {IMAGE}.",),
        "seconds": 1.5,
        "provenance": made_by("explain", method="occlusion", target="nearest_similarity"),
    }
    return fields | changes


def attributions(n=60, **changes):
    return Attributions(**attribution_fields(n, **changes))


def depths(n=60, trust=None, **changes):
    order = np.random.default_rng(1).permutation(n)
    fields = attribution_fields(n) | {
        "texts": tuple(" ".join(words_of(row)) for row in range(n)),
        "depths": 1.0 + order / n,
        "deeper_than": order / n,
        "nearest_similarity": np.linspace(0.2, 0.8, n),
        "typical_texts": tuple(f"typical {row} {SCRIPT}" for row in range(n)),
        "typical_similarity": np.linspace(0.3, 0.9, n),
        "n_reference": 300,
        "trust": trust,
        "encoder": ENCODER,
    }
    return DepthExplanation(**fields | changes)


def deletion(agreement=0.75, word=IMAGE):
    said = f"Checked by leaving words out: without “{word}”."
    return DeletionTrust(word=word, text="a", change=0.1, share=0.9, agreement=agreement, n_words=7, verdict=said)


def similarity(method="last_layer", words_a=("The", "king", IMAGE, TURNED), words_b=("A", "queen", SCRIPT), **changes):
    matrix = np.random.default_rng(2).normal(0, 0.02, (len(words_a), len(words_b)))
    matrix[1, 1] = 0.25
    none = method == "leave_one_out"
    fields = {
        "similarity": float(matrix.sum() + 0.125),
        "text_a": " ".join(words_a),
        "text_b": " ".join(words_b),
        "words_a": tuple(words_a),
        "words_b": tuple(words_b),
        "matrix": matrix,
        "values_a": matrix.sum(axis=1),
        "values_b": matrix.sum(axis=0),
        "rest": None if none else {"special tokens": 0.125, "reference": 0.0},
        "completeness": None if none else 1e-9,
        "method": method,
        "label": "Leave one word out" if none else "Last-layer decomposition",
        "what": "Which tokens of the last layer agree.",
        "reference": None,
        "truncated": (False, True),
        "trust": None if none else deletion(),
        "notes": (f"text_b is longer {IMAGE}.",),
        "seconds": 0.1,
        "encoder": ENCODER,
        "provenance": made_by("explain_similarity", method=method),
    }
    return SimilarityExplanation(**fields | changes)


def a_term(term, contribution, qvalue=0.001):
    return ShiftTerm(
        term=term, contribution=contribution, interval=(contribution - 0.01, contribution + 0.02), pvalue=qvalue / 2,
        qvalue=qvalue, count_F=3, count_G=1200,
    )  # fmt: skip


def a_component(kind, label, came, went):
    return ShiftComponent(
        kind=kind, label=label, size=0.25, context=0.05, rest=0.1, came=tuple(came), went=tuple(went), n_terms=80,
        n_significant=2,
        examples=(ShiftExample("new week", 7, 0, 0.3, ("A", "scam", SCRIPT), (0.01, 0.2, -0.05)),),
    )  # fmt: skip


def shift(**changes):
    fields = {
        "verdict": "The center moved.",
        "components": (
            a_component("location", "the center", [a_term("scam", 0.06), a_term(f"t{IMAGE}", 0.02, 0.4)],
                        [a_term("landline", 0.04)]),
            a_component("new", f"scam, {SCRIPT}", [a_term("scam", 0.06)] * 10, [a_term("line", 0.01)] * 8),
            a_component("vanished", "fax", [], []),
        ),
        "texts": tuple(
            ShiftExample("new week", row, row % 3, row / 100 - 0.2, words, tuple(np.linspace(-0.1, 0.2, len(words))))
            for row, words in enumerate(map(words_of, range(70)))
        ),
        "trust": a_method("shapley", "Shapley values", 0.97, "shift"),
        "trusted": True,
        "agreement": 0.75,
        "by_counts_F": ("landline", IMAGE),
        "by_counts_G": ("scam",),
        "names": (f"old {IMAGE}", "new week"),
        "n_F": 500,
        "n_G": 400,
        "fdr": 0.05,
        "method": "shapley",
        "label": "Shapley values",
        "notes": ("A random sample.",),
        "seconds": 3.0,
        "encoder": ENCODER,
        "provenance": made_by("explain_shift", method="shapley"),
    }  # fmt: skip
    return ShiftExplanation(**fields | changes)


def axes(n=80, **changes):
    shares = np.random.default_rng(3).dirichlet([6, 2, 2], n)
    shares[0] = 0
    names = ("gender", f"tense {SCRIPT}")
    fields = {
        "names": names,
        "similarity": np.linspace(0.5, 0.9, n),
        "similarity_parts": np.full((n, 2), [-0.05, 0.025]),
        "similarity_rest": np.linspace(0.5, 0.9, n) + 0.025,
        "difference": np.where(np.arange(n) > 0, 0.5, 0.0),
        "difference_shares": shares[:, :2],
        "difference_rest": shares[:, 2],
        "first": (None, *(names[int(row[:2].argmax())] for row in shares[1:])),
        "encoder": ENCODER,
        "provenance": made_by("explain_axes", axes=list(names)),
    }
    return AxesExplanation(**fields | changes)


def health(**changes):
    fields = {
        "model": "BertForSequenceClassification",
        "methods": (
            MethodStatus("lime", "LIME", "valid", ""),
            MethodStatus("guided_backprop", "Guided Backprop", "degenerate", "equals Saliency, L1"),
            MethodStatus("attention_rollout", "Attention rollout", "unsupported", f"it fails: {IMAGE}"),
        ),
        "notes": (f"A note {IMAGE}.",),
        "provenance": made_by("method_health", methods=["lime"]),
    }
    return MethodHealth(**fields | changes)


MAKERS = {
    "attributions": attributions,
    "one_text": lambda: attributions(1),
    "unsigned": lambda: attributions(3, signed=False, method="saliency_l2", label="Saliency, L2"),
    "depth": lambda: depths(trust=a_trust()),
    "depth_unchecked": lambda: depths(4),
    "similarity": similarity,
    "similarity_long": lambda: similarity(
        words_a=[f"{i}{IMAGE}" for i in range(90)], words_b=[f"{i}ب" for i in range(60)]
    ),
    "leave_one_out": lambda: similarity("leave_one_out"),
    "shift": shift,
    "trust": a_trust,
    "axes": axes,
    "health": health,
}


def page_of(result):
    return render_page(result.to_dict())


def chip(page):
    return section(re.search(r'<p class="chip.*?</p>', page, re.DOTALL)[0])


def verdict(page):
    return section(re.search(r'<p class="verdict".*?</p>', page, re.DOTALL)[0])


def warned(page):
    found = re.search(r'<section class="warnings".*?</section>', page, re.DOTALL)
    return section(found[0]) if found else ""


# ---- all pages


@pytest.mark.browser
@pytest.mark.parametrize("kind", sorted(MAKERS))
def test_a_page_of_each_kind(open_page, tmp_path, kind):
    """Wide and light, then narrow and dark: all figures are there, nothing is wrong, sticks out or runs."""
    path = tmp_path / "page.html"
    MAKERS[kind]().report(path)
    page = open_page(path)
    check_looks(page)
    assert page.locator("img").count() == 0


@pytest.mark.parametrize("kind", sorted(MAKERS))
def test_the_json_makes_the_same_page(kind):
    result = MAKERS[kind]()
    again = type(result).from_json(result.to_json())
    assert page_of(again) == page_of(result)
    assert SCRIPT not in page_of(result) and IMAGE not in page_of(result)


@pytest.mark.parametrize("kind", sorted(MAKERS))
def test_nothing_in_a_sentence_turns_the_line_around(kind):
    page = page_of(MAKERS[kind]())
    for part in re.findall(r"<h1.*?</h1>|<p class=.verdict.*?</p>|<figcaption.*?</figcaption>", page, re.DOTALL):
        assert "\u202e" not in part


@pytest.mark.browser
def test_print_opens_all_and_is_light(open_page, tmp_path):
    depths(12, trust=a_trust()).report(tmp_path / "page.html")
    page = open_page(tmp_path / "page.html", scheme="dark")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("main details:not([open])").count() == 0
    page.emulate_media(media="print")
    assert page.locator("#told-list .said:visible").count() == 12
    assert page.locator("#told-controls").is_hidden()


# ---- texts word by word


def test_depth_is_first_and_most_outlying_texts_come_first():
    result = depths(trust=a_trust())
    page = page_of(result)
    row = int(np.argmin(result.depths))
    assert verdict(page).startswith(
        "The most outlying of 60 texts is less deep than 100% of the 300 texts of the corpus. "
        f"By Occlusion “violin{row}” "
    )
    heads = re.findall(r"<summary><span class=\"facts\">.*?</summary>", page, re.DOTALL)
    assert len(heads) == 50 and "first 50 of 60 texts" in section(page, "texts")
    shown = [float(re.search(r"depth (\d\.\d{3})", section(head))[1]) for head in heads]
    assert shown == sorted(shown) and shown[0] == round(result.depths.min(), 3)
    assert "less deep than 98% of the corpus" in section(heads[1])
    assert f"typical {row} &lt;/script&gt;" in page and f"cosine {result.typical_similarity[row]:.3f}" in section(page)


def test_words_have_signs_colors_and_numbers():
    page = page_of(attributions(1))
    words = re.findall(r'<span class="word.*?</span>', page)
    said = [word for word in words if "title=" in word]
    assert section(said[0]) == "My" and 'class="word"' in said[0] and 'title="0"' in said[0]
    assert section(said[1]) == "wifi+" and "word pos" in said[1] and 'title="+0.125"' in said[1]
    assert section(said[2]) == "violin0−" and "word neg" in said[2] and "--share: 1.00" in said[2]
    assert "violin0 −0.25" in rows_of(page, "texts")
    assert verdict(page) == (
        "Occlusion says what each word adds to the similarity to the nearest texts; it is 0.250 for this text. "
        "“wifi” raises it most; “violin0” lowers it most."
    )


def test_a_method_without_signs_shows_none():
    page = page_of(MAKERS["unsigned"]())
    text = section(page, "texts")
    assert "The method has no signs" in text and "wifi+" not in text and "wifi 0.125" in rows_of(page, "texts")
    assert "in either direction" in verdict(page)


def test_long_words_and_long_texts_are_cut():
    words = ("word",) * 2_000 + (LONG,)
    changes = {"words": (words, words), "values": (np.ones(2_001),) * 2}
    page = page_of(attributions(2, **changes))
    assert page.count("… and 1601 more words") == 2
    page = page_of(attributions(4))  # a line to click may be longer than a word
    assert "x" * 59 + "…" in page and "x" * _words._LINE not in page
    assert len(page_of(attributions(2, **changes))) < 1_200_000


def test_the_static_part_holds_as_many_words_as_a_page_can_bear():
    words = tuple(("word",) * 200 for _ in range(60))
    page = page_of(attributions(60, words=words, values=(np.ones(200),) * 60))
    assert section(page, "texts").count("word word") <= _words._STATIC_WORDS
    assert "first 7 of 60 texts" in section(page, "texts")


@pytest.mark.parametrize(
    ("words", "expected"), [((".", "שלום", "a"), "rtl"), (("1", "مرحبا"), "rtl"), (("a", "ש"), "ltr"), ((), "ltr")]
)
def test_words_stand_in_the_order_of_their_script(words, expected):
    assert _words.direction(words) == expected


def test_words_in_sentences_do_not_disturb_them():
    assert _words.plain("word") == "word" and _words.plain("a\u202eb\n") == "a b"
    assert _words.plain("שלום") == "\u2068שלום\u2069"


def test_words_over_all_texts_are_sums():
    words = (("Wifi", "bad", "."),) * 4 + (("wifi", "good", "."),)
    values = (np.array([0.25, -0.5, 9.0]),) * 4 + (np.array([0.5, 0.125, 9.0]),)
    rows = rows_of(page_of(attributions(5, words=words, values=values)), "words")
    assert rows == ["Word Sum Texts", "wifi +1.5 5", "good +0.125 1", "Word Sum Texts", "bad −2 4"]
    assert 'id="words"' not in page_of(attributions(4))


@pytest.mark.browser
def test_texts_open_sort_and_are_found(open_page, tmp_path):
    result = depths(trust=a_trust())
    result.report(tmp_path / "page.html")
    page = open_page(tmp_path / "page.html")
    items = page.locator("#told-list > details")
    assert items.count() == 25 and page.locator("#told-count").inner_text() == "60 texts"
    assert page.locator("#told-list > details[open]").count() == 1
    order = np.argsort(result.depths)
    assert f"depth {result.depths[order[0]]:.3f}" in items.nth(0).inner_text()
    items.nth(1).locator("> summary").click()
    said = items.nth(1).locator(".said")
    assert f"violin{order[1]}−" in said.inner_text()
    assert f"typical {order[1]} {SCRIPT}" in items.nth(1).locator(".near").inner_text()  # as text
    said.locator(".word", has_text="wifi").hover()
    assert page.locator("#tip").inner_text().split() == ["wifi", "+0.125"]
    items.nth(1).locator(".numbers > summary").click()
    assert "wifi\t+0.125" in items.nth(1).locator(".numbers").inner_text()
    page.locator("#told-order").select_option(label="most typical first")
    assert f"depth {result.depths.max():.3f}" in items.nth(0).inner_text()
    page.locator("#told-order").select_option(label="as given")
    assert "violin0" in items.nth(0).inner_text() and "violin1" in items.nth(1).inner_text()
    page.locator("#told-more").click()
    page.locator("#told-more").click()
    assert items.count() == 60 and page.locator("#told-more").is_hidden()
    page.locator("#told-search").fill("VIOLIN17")
    page.locator("#told-count", has_text="1 of 60 texts").wait_for()
    assert items.count() == 1 and "violin17" in items.nth(0).inner_text()
    page.locator("#told-search").fill("nothing like it")
    page.locator("#told-count", has_text="0 of 60 texts").wait_for()
    assert items.count() == 0
    assert page.evaluate("window.hacked") is None and page.complaints == []


@pytest.mark.browser
def test_the_script_shows_what_is_there_without(open_page, tmp_path):
    """The two ways to make the list agree, word by word."""
    depths(6, trust=a_trust()).report(tmp_path / "page.html")
    seen = []
    for scripts in (False, True):
        page = open_page(tmp_path / "page.html", java_script_enabled=scripts)
        assert page.locator("#told-controls").is_visible() == scripts
        for item in page.locator("#told-list > details > summary").all()[1:]:  # the first is open
            item.click()
        for item in page.locator("#told-list .numbers > summary").all():
            item.click()
        seen.append(page.locator("#told-list").inner_text())
    assert seen[0].split() == seen[1].split()


# ---- whether words can be trusted


def test_a_method_that_finds_planted_words_is_said_to():
    page = page_of(depths(trust=a_trust(), notes=(a_trust().verdict,)))
    assert chip(page) == "✓ Planted words are found in this corpus"
    assert "In a check on this corpus it finds planted words with AUROC 0.90 (0.86 to 0.94)" in verdict(page)
    assert warned(page) == ""


@pytest.mark.parametrize(("output", "how"), [("similarity", "trust_check plants"), ("logit", "method_health tests")])
def test_attributions_say_that_they_were_not_validated(output, how):
    assert "The explanation was not validated" in warned(page_of(attributions(output=output)))
    assert how in warned(page_of(attributions(output=output)))


def test_what_was_not_validated_is_said():
    page = page_of(depths(4, notes=("Not checked.",)))
    assert chip(page) == "? Not validated on this corpus" and "Not checked." in warned(page)
    assert 'id="trust"' not in page


def test_a_broad_corpus_is_said():
    trust = a_trust(trusted=False, verdict="Words can't be trusted: AUROC 0.60.")
    page = page_of(depths(trust=trust, notes=(trust.verdict,)))
    assert chip(page) == "! Words can’t be trusted as reasons here"
    assert warned(page).count(section(trust.verdict)) == 1
    assert "Such words can’t be trusted as reasons in this corpus." in verdict(page)
    assert chip(page_of(trust)) == "! Words can’t be trusted as reasons here"


def test_the_check_speaks_of_the_method_of_the_page():
    """A check that recommends one method says nothing good of another."""
    methods = (a_method("lime", "LIME", 0.95), a_method("occlusion", "Occlusion", 0.8))
    page = page_of(depths(trust=a_trust(methods=methods)))
    assert chip(page) == "! Another method should be used here"
    assert "Occlusion on the similarity to the nearest texts, which this page shows, finds planted" in warned(page)
    assert "AUROC 0.80 (0.76 to 0.84)" in warned(page) and "use LIME on the similarity to the nearest" in warned(page)
    page = page_of(depths(trust=a_trust(methods=methods[:1])))
    assert chip(page) == "? The method of this page was not validated" and "It recommends LIME" in warned(page)


def test_trust_page_shows_each_method_against_chance_and_threshold():
    page = page_of(a_trust())
    traces = {trace["name"]: trace for trace in figure(page, "trust-plot")["data"]}
    nearest = traces["similarity to the nearest texts"]
    assert numbers(nearest["x"])[:2] == pytest.approx([0.95, 0.9])
    assert numbers(nearest["error_x"]["arrayminus"])[0] == pytest.approx(0.04)
    assert traces["guessing: 0.50"]["x"] == [0.5, 0.5]
    assert traces["asked of the lower end: 0.80"]["x"] == [0.8, 0.8]
    assert "LIME depth in the whole corpus 0.700 0.660 to 0.740 0.900 65% – 0.250" in rows_of(page, "trust")
    examples = page[page.index('id="examples"') :]
    boxed = re.findall(r'<span class="word[^>]* true".*?</span>|<span class="word[^"]* true.*?</span>', examples)
    assert len(boxed) == 1 and section(boxed[0]) == "volcano−"  # as on other pages: away from the corpus is below 0
    assert "volcano ▣ −0.5" in rows_of(page, "examples")
    assert "0.62" in section(page) and "Beware of" in warned(page)


# ---- two texts


def test_similarity_adds_up_in_words():
    result = similarity()
    page = page_of(result)
    assert f"The cosine of the two texts is {result.similarity:.3f}." in verdict(page)
    assert "“king” with “queen” (+0.25)" in verdict(page)
    assert "in pairs of words and +0.125 in special tokens." in verdict(page)
    spec = figure(page, "pairs-plot")
    heat = spec["data"][0]
    assert heat["z"][1][1] == 0.25 and heat["zmax"] == -heat["zmin"] == 0.25 and heat["meta"] == "signed"
    assert heat["text"][1][1] == "+0.25"
    assert spec["layout"]["yaxis"]["ticktext"][:2] == ["The", "king"]
    assert spec["layout"]["yaxis"]["ticktext"][2].startswith("&lt;img") and "\u202e" not in json.dumps(spec)
    rows = rows_of(page, "pairs")
    assert rows[2].startswith("king ") and "+0.25" in rows[2]
    assert "king – queen +0.25" in rows
    assert "Which tokens of the last layer agree." in section(page, "texts")
    assert f"king +{result.values_a[1]:.3g}" in rows_of(page, "texts")


def test_leave_one_out_promises_no_sum():
    page = page_of(similarity("leave_one_out"))
    assert "do not add up to the cosine" in verdict(page) and "What adds up" not in section(page, "method")


def test_of_long_texts_the_largest_words_are_shown():
    page = page_of(MAKERS["similarity_long"]())
    heat = figure(page, "pairs-plot")["data"][0]
    assert (len(heat["z"]), len(heat["z"][0])) == (40, 40) and {mark for row in heat["text"] for mark in row} <= {
        "",
        "+",
        "−",
    }
    assert "the 40 words with the largest numbers" in section(page, "pairs")
    assert max(max(row) for row in heat["z"]) == 0.25


@pytest.mark.browser
def test_the_heat_map_has_the_colors_of_the_theme(open_page, tmp_path):
    similarity().report(tmp_path / "page.html")
    page = open_page(tmp_path / "page.html")
    scale = "JSON.stringify(document.getElementById('pairs-plot').data[0].colorscale)"
    light = page.evaluate(scale)
    page.locator("#theme").click()
    page.wait_for_timeout(200)
    assert light.count("rgb") == 2 and page.evaluate(scale) != light
    assert page.locator("#pairs-plot .ytick, #pairs-plot .ytick text").count() >= 4
    assert page.complaints == []


@pytest.mark.parametrize(
    ("agreement", "said"),
    [
        (0.75, "✓ Confirmed by leaving words out"),
        (0.25, "! Confirmed only in part by leaving words out"),
        (-0.25, "! Not confirmed by leaving words out"),
        (None, "! Not confirmed by leaving words out"),
    ],
)
def test_a_similarity_says_whether_it_was_confirmed(agreement, said):
    page = page_of(similarity(trust=deletion(agreement)))
    assert chip(page) == said and "Checked by leaving words out" in verdict(page)
    assert f"Check by leaving out {'–' if agreement is None else f'{agreement:.2f}'} rank correlation" in section(page)
    unchecked = page_of(similarity(trust=None))
    assert chip(unchecked) == "▤ Last-layer decomposition" and "Checked by" not in section(unchecked)


# ---- a shift


def test_shift_components_add_up_and_name_their_terms():
    page = page_of(shift())
    text = section(page, "component-0")
    assert "2 of 80 terms contribute significantly. Gained: “scam”. Lost: “landline”." in text
    assert "+0.12 by the 3 terms shown, +0.05 by the same terms in other contexts and +0.08 by what" in text
    rows = rows_of(page, "component-0")
    assert "scam +0.060 +0.050 to +0.080 3 → 1,200 0.001 ✓" in rows
    assert any(row.startswith("t<img") and row.endswith("0.4") for row in rows)
    gained, lost = figure(page, "component-0-plot")["data"]
    assert gained["name"] == "+ gained" and lost["marker"]["pattern"]["shape"]  # not by color alone
    assert numbers(gained["x"])[0] == pytest.approx(0.06) and numbers(gained["error_x"]["array"])[0] == pytest.approx(
        0.02
    )
    ticks = figure(page, "component-0-plot")["layout"]["yaxis"]["ticktext"]
    assert ticks[0] == "scam +" and ticks[2] == "landline −" and "<" not in "".join(ticks)
    assert "A region that is new: scam" in section(page, "component-1") and "scam+" in text
    assert "No term is in enough texts." in section(page, "component-2")
    assert "75% of the first terms gained" in section(page, "counts")


def test_a_shift_without_a_significant_term_says_so():
    data = shift().to_dict()
    for component in data["components"]:
        component["n_significant"] = 0
    assert chip(render_page(data)) == "○ No term contributes significantly"


def test_every_text_of_a_shift_can_be_opened():
    result = shift()
    page = page_of(result)
    told = section(page, "texts")
    last = max(result.texts, key=lambda text: text.along)
    assert f"{last.corpus} · row {last.row} · along +{last.along:.3g} " in told
    assert told.index("row 69 ") < told.index("row 68 ") and "Along: new: scam" in told and "Along: the center." in told
    assert "Here are the first 50 of 70 texts" in told


def test_a_shift_says_whether_planted_words_are_found():
    page = page_of(shift())
    assert "AUROC of planted words 0.97 0.93 to 1.01; chance" in section(page)
    doubtful = page_of(shift(trusted=False))
    assert "Words can’t be trusted as reasons in these texts" in warned(doubtful)
    assert "AUROC of planted" not in section(page_of(shift(trust=None, trusted=None)))


# ---- methods on a model


def test_health_says_which_methods_are_valid_and_why_others_are_not():
    page = page_of(health())
    assert chip(page) == "● Some methods are not valid"
    assert verdict(page) == (
        "1 of 3 methods is valid on BertForSequenceClassification. Guided Backprop is degenerate. Attention rollout is "
        "unsupported."
    )
    rows = rows_of(page, "methods")
    assert "LIME perturbation ✓ valid –" in rows
    assert "Guided Backprop gradient ≈ degenerate equals Saliency, L1" in rows
    assert "Explaining the Predictions of Any Classifier" in section(page, "method") and "A note" in warned(page)
    valid = health(methods=(MethodStatus("lime", "LIME", "valid", ""),))
    assert chip(page_of(valid)) == "○ All methods are valid"


# ---- axes


def test_axes_say_what_lies_along_each():
    result = axes()
    page = page_of(result)
    share = result.difference_shares[1:, 0].mean()
    assert verdict(page).startswith(f"Of the difference of 79 pairs, {share:.0%} lies along “gender” on average")
    assert "60 of 79 pairs, evenly spaced." in section(page, "shares")
    traces = figure(page, "shares-plot")["data"]
    stacks = sum(np.asarray(numbers(trace["y"]), dtype=float) for trace in traces)
    assert len(stacks) == 60 and stacks == pytest.approx(100)
    assert len({trace["marker"]["pattern"]["shape"] for trace in traces[:2]}) == 2
    assert rows_of(page, "pairs")[1].startswith("0 0.500 0 0% 0% 0% –")
    times = result.first.count("gender")
    assert any(row.startswith("gender ") and f" {times} -0.050" in row for row in rows_of(page, "axes"))


def test_pairs_without_a_difference_have_no_shares():
    same = axes(
        2, difference=np.zeros(2), difference_shares=np.zeros((2, 2)), difference_rest=np.zeros(2), first=(None, None)
    )
    page = page_of(same)
    assert verdict(page).startswith("No pair differs") and 'id="shares"' not in page


# ---- what may be odd


def test_a_page_needs_only_the_data():
    """Unknown targets, missing completeness and texts that are one word each."""
    data = attributions(3).to_dict() | {"output": "<lambda>", "words": [["a"]] * 3, "values": [[0.0]] * 3}
    page = render_page(copy.deepcopy(data))
    assert "The &lt;lambda&gt; of 3 texts" in page and "0 words" not in page
