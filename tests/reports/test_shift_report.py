"""The page in a real browser, its size, its safety, and that nothing half-written is left."""

import json
import os
import re

import numpy as np
import pytest
from pages import until

from xembed.reports import render_page, write_report
from xembed.reports._format import cut
from xembed.shift import ShiftResult, compare_corpora, rank_sum_test
from xembed.shift._pages.texts import sample_rows

HOSTILE = [
    "<script>window.hacked = 1</script>",
    "</script><script>window.hacked = 2</script>",
    "<img src=x onerror='window.hacked = 3'>",
    "\"><svg onload=window.hacked=4>",
    "{{ 7 * 7 }} {% raw %} ${window.hacked = 5}",
    "<!-- <script> unfinished",
    "=HYPERLINK(\"http://example.invalid\")",
    "\u202eright to left override",
    "عربي نص من اليمين إلى اليسار",
    "emoji 👩‍👩‍👧‍👦 and \u2028 separators \u2029",
    "w" * 10_000,
    "&lt;already escaped&gt; &amp;",
    "<a href='javascript:window.hacked=6'>click</a>",
]  # fmt: skip


def result_of(n=80, m=60, texts=True, **options):
    rng = np.random.default_rng(0)
    F, G = rng.normal(0.8, 1.0, size=(n, 10)), rng.normal(0.8, 0.6, size=(m, 10))
    words = None
    if texts:
        words = (
            [HOSTILE[i % len(HOSTILE)] + f" {i}" for i in range(n)],
            [f"plain text number {i} about router and bill" for i in range(m)],
        )
    return compare_corpora(F, G, texts=words, **options)


@pytest.fixture(scope="module")
def hostile_page(tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    result_of(names=('<b>F</b> & "co"', "</script><script>window.hacked=9</script>")).report(path)
    return path


@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_hostile_texts_do_nothing(open_page, hostile_page, width, scheme):
    page = open_page(hostile_page, width, scheme)
    assert page.complaints == []
    assert page.evaluate("window.hacked") is None
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator(".plot svg.main-svg").count() >= 3
    assert (
        "<img src=x onerror='window.hacked = 3'>"
        in page.locator("#rows").inner_text() + page.locator("#extremes").inner_text()
    )
    # Hover over a dot: its text appears, as text.
    page.locator("#dd .points path").first.scroll_into_view_if_needed()
    page.locator("#dd .points path").first.hover(force=True)
    page.wait_for_selector("#tip:not([hidden])", timeout=5000)
    assert page.evaluate("window.hacked") is None
    assert page.complaints == []


@pytest.mark.browser
def test_search_sort_and_lasso(open_page, hostile_page):
    page = open_page(hostile_page)
    rows = page.locator("#rows tbody tr")
    assert rows.count() == 25
    assert page.locator("#count").inner_text() == "140 texts"
    page.locator("#more").click()
    assert rows.count() == 50
    page.locator("#search").fill("router 17")
    until(lambda: page.locator("#count").inner_text().startswith("1 of"))
    assert "plain text number 17 about router" in rows.first.inner_text()
    page.locator("#clear").click()
    assert page.locator("#count").inner_text() == "140 texts"

    def depths():
        return [float(t) for t in page.locator("#rows tbody tr td:nth-child(3)").all_inner_texts()]

    assert depths() == sorted(depths())
    page.locator("#rows th button[data-key=depth]").click()
    assert depths() == sorted(depths(), reverse=True)
    assert page.locator("#rows th[aria-sort=descending]").count() == 1

    page.locator("#dd").scroll_into_view_if_needed()
    box = page.locator("#dd .nsewdrag").bounding_box()
    page.mouse.move(box["x"] + 2, box["y"] + 2)
    page.mouse.down()
    for x, y in [(0.99, 0.01), (0.99, 0.99), (0.5, 0.99), (0.01, 0.5)]:
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=4)
    page.mouse.up()
    until(lambda: re.match(r"\d+ of 140", page.locator("#count").inner_text()))
    selected = int(page.locator("#count").inner_text().split()[0])
    assert 0 < selected < 140
    page.locator("#clear").click()
    assert page.locator("#count").inner_text() == "140 texts"
    assert page.complaints == []


@pytest.mark.browser
def test_no_upload_button_and_theme_switch(open_page, hostile_page):
    page = open_page(hostile_page)
    titles = page.eval_on_selector_all(".modebar-btn", "b => b.map(x => x.dataset.title || x.ariaLabel || '')")
    assert titles and not [t for t in titles if "cloud" in t.lower() or "share" in t.lower() or "edit" in t.lower()]
    before = page.evaluate("getComputedStyle(document.body).backgroundColor")

    def line():
        return page.evaluate("document.querySelector('#distribution').data[0].line.color")

    light = line()
    page.locator("#theme").click()
    until(lambda: line() != light)
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != before
    assert page.complaints == []


@pytest.mark.browser
def test_csv_has_no_formulas(open_page, hostile_page, tmp_path):
    page = open_page(hostile_page, accept_downloads=True)
    with page.expect_download() as download:
        page.locator("#csv").click()
    download.value.save_as(tmp_path / "rows.csv")
    import pandas as pd

    frame = pd.read_csv(tmp_path / "rows.csv")
    assert len(frame) == 140
    assert not frame.text.str.match(r"^[=+\-@\t\r]").any()
    assert frame.text.str.startswith("'=HYPERLINK").any()


@pytest.mark.browser
def test_numbers_are_there_without_scripts(open_page, hostile_page):
    page = open_page(hostile_page, java_script_enabled=False)
    text = page.locator("body").inner_text()
    data = json.loads(hostile_page.with_suffix(".json").read_text(encoding="utf-8"))
    assert data["verdict"] in text
    assert f"{data['test']['effect_size']:+.2f}" in text
    assert "plain text number" in text
    assert "The chart needs scripts" in text


@pytest.mark.browser
def test_prints_with_all_figures(open_page, hostile_page, tmp_path):
    page = open_page(hostile_page, scheme="dark")
    page.emulate_media(media="print")
    page.pdf(path=tmp_path / "report.pdf")
    assert (tmp_path / "report.pdf").stat().st_size > 30_000
    assert page.locator(".plot svg.main-svg").count() >= 3
    # Paper is narrow, and charts are not drawn anew for it: their boxes must not shrink as on a narrow screen.
    page.set_viewport_size({"width": 700, "height": 900})
    assert page.locator("#dd").evaluate("plot => getComputedStyle(plot).height") == "420px"


@pytest.mark.browser
def test_page_of_a_bare_test(open_page, tmp_path):
    rng = np.random.default_rng(0)
    rank_sum_test(rng.normal(size=(30, 4)), rng.normal(size=(20, 4))).report(tmp_path / "test.html")
    page = open_page(tmp_path / "test.html")
    assert page.complaints == []
    assert page.locator(".plot svg.main-svg").count() >= 1
    assert "No difference found" in page.locator(".verdict").inner_text()


@pytest.mark.browser
@pytest.mark.parametrize(
    "options",
    [
        {"texts": False},
        {"projection": "none"},
        {"mode": "fast"},
        {"explain": False},
        {"tests": "knn"},
        {"n": 2, "m": 2},
    ],
)
def test_other_pages(open_page, tmp_path, options):
    result_of(**options).report(tmp_path / "page.html")
    assert open_page(tmp_path / "page.html").complaints == []


@pytest.fixture(scope="module")
def big_page(tmp_path_factory):
    """Return a page with as many texts as a page holds, of 12,000."""
    rng = np.random.default_rng(0)
    n = 12_000
    vocabulary = np.array(
        [f"{a}{b}" for a in ("ba", "ro", "ti", "lu", "mes", "kon") for b in ("ra", "ten", "lo", "ish", "ed")]
    )
    texts = [" ".join(rng.choice(vocabulary, size=rng.integers(10, 60))) for _ in range(n)]
    X = rng.normal(0.8, 1.0, size=(n, 16))
    path = tmp_path_factory.mktemp("big") / "big.html"
    compare_corpora(X[: n // 2], X[n // 2 :], texts=(texts[: n // 2], texts[n // 2 :])).report(path)
    return path


@pytest.mark.slow
def test_size_of_a_page_with_ten_thousand_texts(big_page):
    assert big_page.stat().st_size < 2_500_000


@pytest.mark.browser
def test_a_large_page_says_what_it_leaves_out(open_page, big_page):
    page = open_page(big_page)
    text = page.locator("main").inner_text()
    assert "Showing 10,000 of 12,000 texts" in text and "Showing 5,000 of 12,000 texts" in text
    assert "cut after 160 characters" in text
    assert page.complaints == []


def test_sample_keeps_the_extremes_and_both_corpora():
    rng = np.random.default_rng(0)
    depths, corpus = rng.normal(size=5000), np.repeat([0, 1], [4900, 100])
    kept = sample_rows(depths, corpus, 500)
    assert len(kept) == 500 == len(set(kept)) and np.all(np.diff(kept) > 0)
    for which in (0, 1):
        members = np.flatnonzero(corpus == which)
        order = members[np.argsort(depths[members])]
        assert set(order[:3]) | set(order[-2:]) <= set(kept)
    assert (corpus[kept] == 1).sum() >= 50
    np.testing.assert_array_equal(kept, sample_rows(depths, corpus, 500))
    np.testing.assert_array_equal(sample_rows(depths, corpus, 5000), np.arange(5000))


def test_cut_says_so():
    assert cut("abcdef", 6) == "abcdef"
    assert cut("abcdef", 4) == "abc…"


def test_same_result_same_bytes_and_the_json_makes_the_page(tmp_path):
    result = result_of()
    result.report(tmp_path / "one.html")
    again = ShiftResult.from_json(tmp_path / "one.json")
    again.report(tmp_path / "two.html")
    for ending in ("html", "json"):
        assert (tmp_path / f"one.{ending}").read_bytes() == (tmp_path / f"two.{ending}").read_bytes()


def test_json_holds_every_text_and_number(tmp_path):
    result = result_of()
    result.report(tmp_path / "r.html")
    data = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    assert data["schema"] == "xembed.shift.ShiftResult/1"
    assert data["texts_F"] == list(result.texts_F)
    assert data["test"]["pvalue"] == result.test.pvalue
    assert len(data["depths"]) == len(data["coordinates"]) == 140


def test_the_bundle_is_of_the_version_that_figures_are_written_for():
    from plotly.offline import get_plotlyjs_version

    from xembed.reports import _render as _page

    assert _page._PLOTLY.split("-")[2].startswith(get_plotlyjs_version())


def test_the_bundle_is_whole():
    import gzip
    import hashlib

    from xembed.reports import _render as _page

    assert hashlib.sha256(gzip.decompress(_page._asset(_page._PLOTLY))).hexdigest() == _page._PLOTLY_SHA256


def test_nothing_is_left_where_writing_fails(tmp_path, monkeypatch):
    result = result_of()
    with pytest.raises(FileNotFoundError, match=r"the folder .* does not exist. Create it first"):
        result.report(tmp_path / "no" / "r.html")
    with pytest.raises(IsADirectoryError, match="it is a folder"):
        result.report(tmp_path)
    with pytest.raises(ValueError, match=r"must end in .html or .htm"):
        result.report(tmp_path / "r.json")
    (tmp_path / "mine.json").write_text('{"my": "data"}')
    with pytest.raises(FileExistsError, match="not a report of xembed"):
        result.report(tmp_path / "mine.html")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mine.json"]
    (tmp_path / "mine.json").unlink()

    def no_space(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.link", no_space)
    monkeypatch.setattr("xembed._core.files.Path.replace", no_space)
    with pytest.raises(OSError, match="No space left"):
        result.report(tmp_path / "r.html")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_no_permission(tmp_path):
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    with pytest.raises(PermissionError, match="no permission in the folder"):
        result_of().report(folder / "r.html")


def test_unknown_schema():
    with pytest.raises(ValueError, match=r"must hold a result of xembed.* Got 'other/1'"):
        render_page({"schema": "other/1"})


def test_write_report_takes_anything_with_to_dict(tmp_path):
    write_report(result_of(), tmp_path / "r.html")
    assert (tmp_path / "r.html").read_text(encoding="utf-8").startswith("<!doctype html>")
