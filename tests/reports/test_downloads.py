"""Files that a page gives: its data, its figures and the numbers of these."""

import base64
import csv
import gzip
import io
import json
import re
import struct
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
import test_pages
from pages import check_accessible
from test_shift_report import until

from xembed._core.provenance import dump_json
from xembed._core.results import read_result
from xembed.reports import _render, compare_results, render_page
from xembed.reports._write import combine
from xembed.shift import compare_corpora

FORMULAS = [
    "=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", '=HYPERLINK("http://example.invalid")', "＝1+1",
    'quote " and, comma', "two\nlines", "-5", "plain",
]  # fmt: skip
DANGEROUS = re.compile(r"^[=+\-@\t\r\n＝＋－＠]")


def packed(page):
    """Return the data that a page holds, or None."""
    found = re.search(r'id="json-data">([^<]*)</script>', page)
    return found and gzip.decompress(base64.b64decode(found[1])).decode("utf-8")


@pytest.fixture(scope="module")
def shift():
    return test_pages.make("shift")


@pytest.fixture(scope="module")
def data(shift):
    two = [test_pages.make("rank_sum"), test_pages.make("test")]
    return {"shift": shift.to_dict(), "combined": combine(two), "comparison": compare_results(two[0], two[0])}


@pytest.fixture(scope="module")
def shift_page(tmp_path_factory, shift):
    path = tmp_path_factory.mktemp("downloads") / "shift.html"
    shift.report(path)
    return path


def download(page, button):
    with page.expect_download() as file:
        button.click()
    return file.value.path().read_bytes(), file.value.suggested_filename


@pytest.mark.parametrize("kind", ["shift", "combined", "comparison"])
def test_a_page_holds_its_data_once(data, kind):
    page = render_page(data[kind])
    assert packed(page) == dump_json(data[kind])
    assert page.count('id="json"') == page.count('id="json-data"') == 1
    assert f'data-name="xembed-{kind}.json"' in page
    assert page == render_page(json.loads(dump_json(data[kind])))


def test_data_that_are_too_large_are_in_the_file_only(data, monkeypatch):
    size = len(re.search(r'id="json-data">([^<]*)<', render_page(data["shift"]))[1])
    monkeypatch.setattr(_render, "_MOST_DATA", size)
    assert packed(render_page(data["shift"])) is not None
    monkeypatch.setattr(_render, "_MOST_DATA", size - 1)
    page = render_page(data["shift"])
    assert packed(page) is None and 'id="json"' not in page
    assert "The data are too large for the page; they are in the .json file beside it" in page


def test_size_of_a_page_with_a_thousand_texts():
    rng = np.random.default_rng(0)
    vocabulary = np.array([f"{a}{b}" for a in ("ba", "ro", "ti", "lu", "mes") for b in ("ra", "ten", "lo", "ish")])
    texts = [" ".join(rng.choice(vocabulary, size=24)) for _ in range(1000)]
    assert 100 < np.mean([len(text) for text in texts]) < 140
    X = rng.normal(0.8, 1.0, size=(1000, 16))
    result = compare_corpora(X[:500], X[500:] * 1.1, texts=(texts[:500], texts[500:]), n_resamples=99)
    page = render_page(result.to_dict())
    assert packed(page) == result.to_json()
    assert len(page.encode("utf-8")) < 1_500_000


@pytest.mark.browser
@pytest.mark.parametrize("kind", ["shift", "combined"])
def test_the_downloaded_data_make_the_page_again(open_page, data, tmp_path, kind):
    (tmp_path / "page.html").write_text(render_page(data[kind]), encoding="utf-8")
    page = open_page(tmp_path / "page.html")
    button = page.get_by_role("button", name="Download the data (JSON)")
    button.focus()
    with page.expect_download() as file:
        page.keyboard.press("Enter")
    assert file.value.suggested_filename == f"xembed-{kind}.json"
    content = file.value.path().read_bytes()
    assert content == dump_json(data[kind]).encode("utf-8")
    file.value.save_as(tmp_path / "again.json")
    again = read_result(tmp_path / "again.json").to_dict() if kind == "shift" else json.loads(content)
    assert render_page(again) == (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.complaints == []


@pytest.mark.browser
def test_figures_as_pictures_are_light_in_both_themes(open_page, shift_page):
    """PNG and SVG of every figure: black on white, with a title, names as text, and the page as it was."""
    svgs = {}
    for scheme in ("light", "dark"):
        page = open_page(shift_page, 360, scheme)
        before = page.evaluate("[document.documentElement.className, getComputedStyle(document.body).color]")
        figures = page.locator("figure:has(.plot)")
        assert figures.count() >= 3
        for i, figure in enumerate(figures.all()):
            title = figure.locator("h2, h3").first.inner_text()
            color = figure.locator(".plot").evaluate("plot => plot.data[0].marker.color")
            content, name = download(page, figure.get_by_role("button", name="SVG"))
            assert name == "xembed-" + re.sub(r"\W+", "-", title.lower()).strip("-") + ".svg"
            tree = ElementTree.fromstring(content)
            said = ["".join(text.itertext()) for text in tree.iter("{http://www.w3.org/2000/svg}text")]
            assert title in said
            if i > 0:  # those with a legend
                assert "<b>F</b> & co" in said and any(text.startswith("</script><script>") for text in said)
            tags = {element.tag.rsplit("}", 1)[-1].lower() for element in tree.iter()}
            assert not tags & {"script", "foreignobject", "a", "iframe", "style"}
            assert not [key for element in tree.iter() for key in element.attrib if key.startswith("on")]
            ground = next(element for element in tree.iter() if element.tag.endswith("rect"))
            assert re.search(r"fill: (rgb\(255, 255, 255\)|#fff)", ground.attrib["style"])
            # Ids differ from drawing to drawing; what is seen does not.
            svgs.setdefault(title, []).append(sorted(re.findall(rb"(?:fill|stroke): ?[^;\"]+", content)))
            content, name = download(page, figure.get_by_role("button", name="PNG"))
            assert content[:8] == b"\x89PNG\r\n\x1a\n" and name.endswith(".png")
            size = struct.unpack(">II", content[16:24])
            assert size[0] == 1400 and size == tuple(2 * round(float(tree.attrib[key])) for key in ("width", "height"))
            assert figure.locator(".plot").evaluate("plot => plot.data[0].marker.color") == color
            page.wait_for_timeout(250)  # a browser gives no more than ten files a second
        after = page.evaluate("[document.documentElement.className, getComputedStyle(document.body).color]")
        assert after == before
        assert page.complaints == []
    assert all(light == dark for light, dark in svgs.values())


@pytest.mark.browser
def test_pictures_show_what_is_searched(open_page, shift_page):
    page = open_page(shift_page)
    button = page.locator("figure:has(#map)").get_by_role("button", name="SVG")
    whole, _ = download(page, button)
    page.locator("#search").fill("router")
    until(lambda: page.evaluate("Boolean(document.querySelector('#map').data[0].selectedpoints)"))
    faded, _ = download(page, button)
    assert whole.count(b"opacity: 0.12") == 0 < faded.count(b"opacity: 0.12")


@pytest.mark.browser
def test_the_numbers_of_a_figure(open_page, shift_page, shift):
    page = open_page(shift_page)
    figure = page.locator("figure:has(#distribution)")
    content, name = download(page, figure.get_by_role("button", name="CSV"))
    rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    assert name == "xembed-distribution-of-depths.csv" and len(rows) == 3
    assert rows[0][:3] == ["Corpus", "Texts", "5% quantile"]
    assert [row[0] for row in rows[1:]] == list(shift.names) and rows[1][1] == str(shift.test.n_F)
    # The map has no table, the depths have one button for it, and plotly's own button for pictures is gone.
    assert page.locator("figure:has(#map)").get_by_role("button", name="CSV").count() == 0
    figure.locator("summary").click()
    assert figure.get_by_role("button", name="CSV").count() == 1
    titles = page.eval_on_selector_all(".modebar-btn", "all => all.map((x) => x.dataset.title || '')")
    assert titles and not [title for title in titles if "ownload" in title]
    check_accessible(page)


@pytest.mark.browser
def test_no_text_becomes_a_formula(open_page, tmp_path):
    rng = np.random.default_rng(0)
    texts = [FORMULAS, [f"text {i}" for i in range(12)]]
    F, G = rng.normal(0.8, 1, size=(13, 4)), rng.normal(0.8, 1, size=(12, 4))
    compare_corpora(F, G, texts=texts, names=("=F", "@G"), n_resamples=19, explain=False).report(tmp_path / "page.html")
    page = open_page(tmp_path / "page.html")
    content, name = download(page, page.locator("#csv"))
    assert name == "xembed-texts.csv" and content.startswith(b"\xef\xbb\xbf") and content.endswith(b"\r\n")
    rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    assert len(rows) == 25
    for row in rows:
        assert row["corpus"] in ("'=F", "'@G")
        assert not DANGEROUS.match(row["text"])
        if row["corpus"] == "'=F":
            text = FORMULAS[int(row["row"])]
            assert row["text"] == (f"'{text}" if DANGEROUS.match(text) else text)
        assert float(row["depth"]) > 0
    content, _ = download(page, page.get_by_role("button", name="Most outlying texts of =F").first)
    lines = list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    assert lines[0] == ["Row", "Depth", "Text"] and len(lines) == 11
    for row, _, text in lines[1:]:
        assert text == "-5" or not DANGEROUS.match(text)
        assert text.lstrip("'") == " ".join(FORMULAS[int(row)].split())
    assert page.complaints == []
