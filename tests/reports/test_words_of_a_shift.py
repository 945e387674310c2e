"""A shift beside its explanation: every text of the table, and every dot, leads to its words."""

import json
import re

import numpy as np
import pytest
from pages import section, until

from xembed.attribution import explain_shift
from xembed.reports import write_combined
from xembed.shift import compare_corpora
from xembed.shift._pages.compare import _explanation_beside

SCRIPT = "</script><script>window.hacked=9</script>"
OLD, NEW = ["router slow wifi", "bill wrong charge", "line slow again"], ["scam call message", "bill wrong charge"]


VECTORS = dict(zip(sorted({word for text in OLD + NEW for word in text.split()}), np.eye(12)[1:], strict=False))


class Words:
    """A constant plus a vector for each word."""

    def encode(self, texts):
        known = [[VECTORS[word] for word in text.split() if word in VECTORS] for text in texts]
        return np.stack([np.eye(12)[0] + np.sum(found, axis=0) for found in known])


@pytest.fixture(scope="module")
def results():
    texts = [
        [f"{side[i % len(side)]} n{i} {SCRIPT if i == 3 else ''}".strip() for i in range(40)] for side in (OLD, NEW)
    ]
    names = ("old", "new")
    shift = compare_corpora(*(Words().encode(side) for side in texts), texts=tuple(texts), names=names, n_resamples=99)
    words = explain_shift(Words(), *texts, result=shift, method="leave_one_out", progress=False, trust=False)
    return shift, words


@pytest.fixture(scope="module")
def path(results, tmp_path_factory):
    page = tmp_path_factory.mktemp("words") / "page.html"
    write_combined(results, page)
    return page


def test_only_an_explanation_of_the_same_texts_is_linked(results):
    shift, words = (result.to_dict() for result in results)
    assert _explanation_beside(shift) is None

    def beside(words, **changes):
        return _explanation_beside({**shift, **changes, "beside": [{"schema": "xembed.other.Result/1"}, words]})

    assert beside(words) == words
    assert beside({**words, "names": ["old", "other"]}) is None
    assert beside(words, texts_G=["something else"] * 40) is None
    assert beside(words, texts_F=None, texts_G=None) is None


def test_the_data_beside_the_page_stay_as_they_were(path, results):
    data = json.loads(path.with_suffix(".json").read_text("utf-8"))
    assert data["parts"] == [json.loads(result.to_json()) for result in results]


@pytest.mark.browser
def test_a_text_of_the_table_opens_its_words(open_page, path, results):
    page = open_page(path)
    rows = page.locator("#part1-rows tbody tr")
    assert rows.count() == 25 and rows.locator("details.why").count() == 25
    page.locator("#part1-search").fill("n4")
    until(lambda: page.locator("#part1-count").inner_text() == "2 of 80 texts")
    fold = rows.first.locator("details.why")
    assert fold.locator(".said").count() == 0  # made when it is opened
    fold.locator("summary").click()
    (corpus, row) = rows.first.locator("td").nth(0).inner_text(), int(rows.first.locator("td").nth(1).inner_text())
    (text,) = [text for text in results[1].texts if (text.corpus, text.row) == (corpus, row)]
    shown = fold.locator(".said .word")
    assert shown.locator("bdi").all_inner_texts() == list(text.words)
    largest = int(np.abs(text.values).argmax())
    assert shown.nth(largest).inner_text().endswith("+" if text.values[largest] > 0 else "−")
    kind = results[1].components[text.component].kind
    assert (
        fold.locator("summary")
        .inner_text()
        .startswith("Its words, along " + ("the center" if kind == "location" else kind))
    )
    assert page.complaints == []


@pytest.mark.browser
def test_a_click_on_a_dot_shows_its_text_and_its_words(open_page, path):
    page = open_page(path)
    page.locator("#part1-search").fill("script")
    until(lambda: page.locator("#part1-count").inner_text().startswith("2 of"))
    page.locator("#part1-clear").click()
    plot = page.locator("#part1-map")
    plot.scroll_into_view_if_needed()
    dot = page.locator("#part1-map .points path").first
    dot.hover(force=True)
    box = dot.bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    until(lambda: page.locator("#part1-count").inner_text() == "1 of 80 texts")
    assert page.locator("#part1-rows details.why[open] .said .word").count() >= 3
    page.locator("#part1-clear").click()
    assert page.locator("#part1-count").inner_text() == "80 texts"
    assert page.evaluate("window.hacked") is None and page.complaints == []


def test_the_explanation_alone_has_every_text_without_scripts(path):
    page = path.read_text("utf-8")
    told = section(page, "part2-texts")
    assert "which words take each along" in told and re.search(r"Here are the first \d+ of 80 texts", told)


def test_the_verdict_tells_what_few_parts_found(path):
    said = section(path.read_text("utf-8"))
    assert "2 results on one page. Shift report: shift found; explanation of a shift: " in said
