"""Several results on one page: every part works as on its own page, and nothing of one part reaches into another."""

import base64
import dataclasses
import json
import re

import markupsafe
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pages import check_looks, rows_of, section

from xembed.depth import find_outliers
from xembed.geco._leaderboard import BenchmarkResult, LeaderboardRow, SchemeRow, Score
from xembed.isotropy import measure
from xembed.reports import compare_results, render_page, write_combined, write_comparison
from xembed.reports._render import Place, block_html
from xembed.reports._write import combine
from xembed.reports.kit import Prose, Section
from xembed.shift import compare_corpora, drift_over_time, rank_sum_test

SCRIPT = "</script><script>window.hacked=9</script>"
IMAGE = "<img src=x onerror='window.hacked=3'>"
TITLE = f'My "checks" {SCRIPT} {IMAGE}'
NAMES = (f'a" id="main" {IMAGE}', f"x id={SCRIPT}")


def a_shift(names=NAMES, rng=0, move=0.0, n=60):
    random = np.random.default_rng(7)
    F, G = random.normal(0.4, 0.5, (60, 8)), random.normal(0.4, 0.5, (n, 8))
    F += 3 * np.eye(3, 8)[np.arange(60) % 3]
    G += 3 * np.eye(3, 8)[np.arange(n) % 3] + move * np.eye(8)[5]
    texts = [f"{('router', 'bill', 'scam')[i % 3]} {'wrong again' if i % 2 else IMAGE} {i}" for i in range(60)]
    return compare_corpora(F, G, texts=(texts, texts[:n]), names=names, n_resamples=199, rng=rng)


def a_stream():
    X = np.random.default_rng(0).normal(1.0, 1.0, size=(150, 6))
    X[90:, 0] *= -1
    return drift_over_time(X, np.arange(150), reference=60, window=15, n_resamples=199, names=NAMES)


def a_benchmark(mean=0.5, forms=2):
    words = ["She", "sold", "it", SCRIPT]
    one = {
        "probability": 0.9, "correct": True, "pair_shapley": {"0": 3.25},
        "methods": {"lime": [1.0, -0.5, 0.0, 0.1]},
    }  # fmt: skip
    form = {"words": words, "ground_truth": [True, False, False, False], "schemes": {"C": one}}
    blank = {
        "forms": {}, "form_difference": None, "correct_only": None, "against_best": None, "model_truth": {},
        "faithfulness": {}, "stability": {}, "randomisation": {}, "completeness": None, "special": None,
        "seconds": None, "status": "valid", "reason": "", "scheme": "C",
    }  # fmt: skip
    rows = [
        LeaderboardRow(
            **blank, method=method, label=label, family=family, quantiles=(0.1, 0.2, 0.3, 0.4, 0.5),
            metrics={"mass_accuracy": {"mean": at, "low": at - 0.03, "high": at + 0.03}},
        )
        for method, label, family, at in (
            ("lime", "LIME", "perturbation", mean), ("chance", "Chance", "reference", 0.25),
            ("oracle", "Oracle", "reference", 1.0),
        )
    ]  # fmt: skip
    return BenchmarkResult(
        data=f"pairs {IMAGE}", n_train=8, n_test=8, n_sentences=4, classes=("female", "male"), backbone="model",
        seeds=(0,), schemes=(
            SchemeRow(
                scheme="C", description="the head", accuracy=Score(mean=0.9, low=0.8, high=1.0),
                accuracy_by_seed=(0.9,), accuracy_by_form={"female": 0.9, "male": 0.9}, prediction_gap=0.01,
                used_words=0.6, epochs=5, learning_rate=0.001, seconds=3.0,
            ),
        ),
        rows=tuple(rows),
        sentences=tuple(
            {"group": group, "why": "typical", "forms": [{**form, "form": name} for name in ("female", "male")][:forms]}
            for group in (4, 5)
        ),
        failures=(), bias={}, excluded={}, n_resamples=100, confidence_level=0.95, options={}, cost={"seconds": 3.0},
        notes=(), provenance={"function": "Benchmark.run", "parameters": {"rng": 0}, "versions": {"xembed": "0"}},
    )  # fmt: skip


@pytest.fixture(scope="module")
def results():
    random = np.random.default_rng(1)
    shift, X = a_shift(), random.normal(0.5, 1.0, (80, 6))
    return [shift, a_stream(), measure(X, n_resamples=20), a_benchmark(), shift, a_shift(("one", "two"), move=1.0),
            a_benchmark(0.8), find_outliers(np.r_[X, 5 * np.eye(2, 6) - 3])]  # fmt: skip


@pytest.fixture(scope="module")
def html(results):
    return render_page(combine(results, title=TITLE))


def part(html, place):
    """Return the HTML of a part with the ids that it has on its own page."""
    body = re.search(rf'<article class="part" id="part{place}-part".*?</article>\s*<p class="back">', html, re.DOTALL)[
        0
    ]
    return body.replace(f"part{place}-", "")


# ---- as text


def test_ids_are_unique_and_all_that_refers_to_them_finds_one(html):
    tags = "".join(re.findall(r'<[a-z][a-z0-9]*(?:\s+[\w:-]+(?:="[^"]*")?)*\s*/?>', html))
    ids = re.findall(r'\sid="([^"]*)"', tags)
    assert len(ids) == len(set(ids)) > 100
    referred = re.findall(r'\s(?:for|data-spec|aria-labelledby|aria-describedby|aria-controls)="([^"]*)"', tags)
    referred += re.findall(r'\shref="#([^"]*)"', tags)
    referred = [one for several in referred for one in several.split()]
    assert len(referred) > 100 and set(referred) <= set(ids)
    assert 'href="#' in tags


def test_the_library_and_the_script_are_there_once(html):
    assert html.count('id="library"') == 1 and html.count("<style>") == 1 and html.count("startPart =") == 1
    assert len(re.findall(r"<script>", html)) == 1
    assert html.count("Content-Security-Policy") == 1 and html.count("<!doctype html>") == 1
    assert "onerror='" not in html and SCRIPT not in html


def test_the_summary_has_a_row_for_each_part(html, results):
    table = re.search(r'<table class="[^"]*summary">.*?</table>', html, re.DOTALL)[0]
    rows = [section(row) for row in re.findall(r"<tr>.*?</tr>", table, re.DOTALL)][1:]
    assert len(rows) == len(results)
    for place, (row, result) in enumerate(zip(rows, results, strict=True), start=1):
        own = render_page(result.to_dict())
        assert row.startswith(f"{place} · ")
        assert section(re.search(r'<p class="verdict".*?</p>', own, re.DOTALL)[0]) in row
        assert section(re.search(r'<p class="chip.*?</p>', own, re.DOTALL)[0]) in row
        first = re.search(r"<dt>(.*?)</dt><dd><strong>(.*?)</strong>", own)
        assert section(f"{first[1]} {first[2]}") in row
    assert f"{len(results)} results on one page; " in section(html)


def test_every_part_is_its_own_page(html, results):
    """Sections, cards, warnings, methods, and how it was made: all of the single page but the list of sections."""
    for place, result in enumerate(results, start=1):
        own = render_page(result.to_dict())
        body = section(re.search(r"</h1>.*?</main>", own, re.DOTALL)[0])
        contents = re.search(r'<nav class="contents".*?</nav>', own, re.DOTALL)
        if contents:
            body = body.replace(section(contents[0]) + " ", "")
        there = section(part(html, place))
        assert body in there
        specs = re.findall(r'<script type="application/json" id="([^"]*)">(.*?)</script>', own, re.DOTALL)
        for id_, spec in specs:
            assert f'id="part{place}-{id_}">{spec}</script>' in html


def test_headings_of_parts_are_one_level_down(html, results):
    assert len(re.findall(r"<h1[ >]", html)) == 1
    for place, result in enumerate(results, start=1):
        own = [int(level) for level in re.findall(r"<h([1-6])[ >]", render_page(result.to_dict()))]
        there = [int(level) for level in re.findall(r"<h([1-6])[ >]", part(html, place))]
        assert there == [level + 1 for level in own]


def test_what_combined_pages_warn_of(html, results):
    said = section(html)
    assert "no p-value or interval is corrected for the number of parts" in said
    assert "Parts 1 and 5 are the same result." in said
    one, other = (dataclasses.replace(results[0], encoder={"model": name, "fingerprint": name}) for name in "ab")
    assert "The parts are of 2 different encoders" in section(render_page(combine([one, other])))
    assert "different encoders" not in section(render_page(combine([one, one])))
    alone = section(render_page(combine([results[2]])))
    assert "One result" in alone and "number of parts" not in alone


def test_the_data_make_the_same_page_again(html, results, tmp_path):
    path = tmp_path / "all.html"
    write_combined(results, path, title=TITLE)
    assert path.read_text(encoding="utf-8") == html
    data = json.loads((tmp_path / "all.json").read_text(encoding="utf-8"))
    assert list(data) == ["schema", "title", "parts", "provenance"] and data["schema"] == "xembed.combined/1"
    assert data["parts"] == [json.loads(result.to_json()) for result in results]
    assert render_page(data) == html


def test_files_and_combined_files_can_be_combined(results, tmp_path):
    results[2].to_json(tmp_path / "isotropy.json")
    write_combined(results[:2], tmp_path / "two.html")
    write_combined([tmp_path / "isotropy.json", str(tmp_path / "two.json"), results[7]], tmp_path / "four.html")
    data = json.loads((tmp_path / "four.json").read_text(encoding="utf-8"))
    assert data["title"] == "4 results"
    assert data["parts"] == [json.loads(results[i].to_json()) for i in (2, 0, 1, 7)]


def test_a_comparison_can_be_a_part(results, tmp_path):
    write_comparison(results[0], results[5], tmp_path / "difference.html")
    page = (tmp_path / "difference.html").read_text(encoding="utf-8")
    assert 'id="library"' not in page and "plotly" not in section(page)  # it has no charts
    write_combined([tmp_path / "difference.json"], tmp_path / "page.html")
    assert 'id="library"' not in (tmp_path / "page.html").read_text(encoding="utf-8")
    write_combined([tmp_path / "difference.json", results[0]], tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text(encoding="utf-8").count('id="library"') == 1


def test_what_write_combined_refuses(results, tmp_path):
    out = tmp_path / "page.html"
    with pytest.raises(TypeError, match=r"'results' parameter of write_combined must be a list .* Got RankSumResult"):
        write_combined(rank_sum_test(np.eye(9, 4)[:5] + 1, np.eye(9, 4)[3:] + 2), out)
    with pytest.raises(TypeError, match=r"must be a list of results or paths. Got str"):
        write_combined("one.json", out)
    with pytest.raises(TypeError, match=r"must be of results of this package or paths of .json files. Got dict"):
        write_combined([results[0].to_dict()], out)
    with pytest.raises(ValueError, match=r"must hold at least one result. Got none"):
        write_combined([], out)
    with pytest.raises(ValueError, match="'title' parameter of write_combined must be a text that is not blank"):
        write_combined(results[:1], out, title=" ")
    with pytest.raises(ValueError, match=r"must end in .html or .htm"):
        write_combined(results[:1], tmp_path / "page.json")
    with pytest.raises(FileNotFoundError, match="does not exist"):
        write_combined(results[:1], tmp_path / "none" / "page.html")
    results[2].to_json(tmp_path / "page.json")
    with pytest.raises(ValueError, match=r"'.*page.json' would be overwritten by the output"):
        write_combined([tmp_path / "page.json", results[0]], out)
    assert [path.name for path in tmp_path.iterdir()] == ["page.json"]


MADE = '{"function": "f", "parameters": {}, "versions": {"xembed": "0"}}'


@pytest.mark.parametrize(("text", "message"), [
    ("<!doctype html>", "must be the .json file of a result, such as the one beside a report. It is not JSON"),
    ("[1, 2]", "must hold a result of xembed"),
    ('{"schema": "other/1"}', r"must hold a result of xembed.* Got 'other/1'"),
    ('{"schema": "xembed.isotropy.IsotropyResult/1", "n": 3}', "lacks the fields"),
    ('{"schema": "xembed.combined/1", "title": "x"}', r"lacks the fields \['parts', 'provenance'\]"),
    (f'{{"schema": "xembed.combined/1", "title": "x", "parts": [], "provenance": {MADE}}}', "must hold a list"),
    ('{"schema": "xembed.combined/1", "title": "x", "parts": [3], "provenance": {}}', r"parts\[0\] must be an object"),
])  # fmt: skip
def test_files_that_are_no_results(tmp_path, text, message):
    (tmp_path / "in.json").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        write_combined([tmp_path / "in.json"], tmp_path / "page.html")
    assert [path.name for path in tmp_path.iterdir()] == ["in.json"]


# ---- ids


@given(st.text())
def test_no_text_of_a_user_is_changed(text):
    """The prefix of a part is put before ids, and nothing else."""
    html = block_html(Section("a", text, [Prose(text)]), Place("p-"))
    escaped = markupsafe.escape(text)
    assert '<section id="p-a" ' in html
    assert f'id="p-a-title" dir="auto">{escaped}</h2>' in html and f'<p dir="auto">{escaped}</p>' in html


# ---- in a browser


@pytest.mark.browser
def test_the_page_in_a_browser(open_page, results, tmp_path):
    write_combined(results, tmp_path / "all.html", title=TITLE)
    page = open_page(tmp_path / "all.html")
    assert page.locator("h1").first.inner_text() == TITLE
    assert page.evaluate("[...document.querySelectorAll('[id]')].map((e) => e.id).filter((id, i, all) => "
                         "all.indexOf(id) !== i)") == []  # fmt: skip
    assert page.evaluate("[...document.querySelectorAll('a[href^=\"#\"]')].filter((a) => "
                         "!document.getElementById(a.hash.slice(1))).length") == 0  # fmt: skip
    assert page.locator(".plot").count() >= 10
    check_looks(page)


@pytest.mark.browser
def test_tables_and_sentences_of_parts_do_not_mix(open_page, results, tmp_path):
    write_combined(results, tmp_path / "all.html")
    page = open_page(tmp_path / "all.html")
    page.locator("#part1-search").fill("scam")
    page.get_by_text("40 of 120 texts", exact=True).wait_for()
    assert page.locator("#part1-count").inner_text() == "40 of 120 texts"
    assert page.locator("#part5-count").inner_text() == "120 texts"
    assert page.locator("#part6-count").inner_text() == "120 texts"
    assert page.locator("#part6-rows tbody td.corpus").first.inner_text() in ("one", "two")
    page.locator("#part6-rows th button[data-key=row]").click()
    assert page.locator("#part6-rows th[aria-sort=ascending]").inner_text().startswith("Row")
    assert page.locator("#part1-rows th[aria-sort=ascending]").inner_text().startswith("Depth")
    # A region's texts: selected in the table and the figures of its part only.
    page.locator("#part5-what-shifted button[data-region]").first.evaluate("(button) => button.click()")
    assert " of 120 texts" in page.locator("#part5-count").inner_text()
    chosen = ("(part) => [...document.querySelectorAll(`#${part} .plot[data-texts]`)].some((plot) => "
              "plot.data.some((trace) => trace.selectedpoints))")  # fmt: skip
    page.locator("#part5-part .left:visible").first.wait_for()  # dots fade after the table
    assert page.evaluate(chosen, "part5-part") and not page.evaluate(chosen, "part6-part")
    assert page.locator("#part1-count").inner_text() == "40 of 120 texts"
    # The sentences of two benchmarks.
    page.locator("#part4-inspect-next").click()
    assert page.locator("#part4-inspect-view h4").inner_text().startswith("Sentence 5")
    assert page.locator("#part7-inspect-view h4").inner_text().startswith("Sentence 4")
    assert page.complaints == []


@pytest.mark.browser
def test_the_theme_changes_once_and_paper_is_light(open_page, results, tmp_path):
    write_combined(results[:2], tmp_path / "two.html")
    page = open_page(tmp_path / "two.html", scheme="dark")
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.locator("#theme").click()
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert light != dark and page.evaluate("document.documentElement.className") == "light"
    page.locator("#theme").click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == dark
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == light
    assert page.locator("details:not([open])").count() == 0
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.evaluate("document.documentElement.className") == "dark"
    assert page.complaints == []


@pytest.mark.browser
def test_without_scripts_the_numbers_are_there(open_page, results, tmp_path):
    write_combined(results, tmp_path / "all.html")
    page = open_page(tmp_path / "all.html", width=360, java_script_enabled=False)
    text = page.locator("main").inner_text()
    for result in results[:2]:
        assert " ".join(result.verdict.split()) in " ".join(text.split())
    assert "Sentence 4" in text and "Measures of the space" in text
    assert page.complaints == []


# ---- comparisons


def number_of(found, table, row, name):
    return next(one for one in found["numbers"] if (one["table"], one["row"], one["name"]) == (table, row, name))


def test_numbers_and_intervals_side_by_side(results):
    old, new = results[0], results[5]
    found = compare_results(old, new)
    assert (found["of"], found["old"]["verdict"], found["new"]["verdict"]) == (old.schema, old.verdict, new.verdict)
    p = number_of(found, "", "", "p-value")
    assert (p["old"], p["new"], p["difference"]) == (old.pvalue, new.pvalue, new.pvalue - old.pvalue)
    assert p["beyond"] is None
    for before, after in zip(old.tests, new.tests, strict=True):
        one = number_of(found, "tests", before.name, "effect size")
        assert one["label"] == before.title
        assert one["old_interval"] == list(before.confidence_interval)
        apart = (after.confidence_interval[0] > before.confidence_interval[1]
                 or after.confidence_interval[1] < before.confidence_interval[0])  # fmt: skip
        assert one["beyond"] is apart
    assert number_of(found, "tests", "mean", "effect size")["beyond"] is True
    assert found["n_beyond"] == sum(bool(one["beyond"]) for one in found["numbers"]) > 0
    assert found["changed"][0] == f"The finding changed: “{found['old']['finding']}” became “Shift found”."


def test_the_page_of_a_comparison_holds_its_numbers(results):
    found = compare_results(results[0], results[5])
    page = render_page(found)
    own = rows_of(page, "numbers")
    p = number_of(found, "", "", "p-value")
    assert any(row.startswith(f"p-value {p['old']:.3f}") for row in own)
    row = next(row for row in rows_of(page, "tables") if row.startswith("means "))
    assert "✓, changed by more than the intervals" in row
    for sentence in found["changed"]:
        assert " ".join(sentence.split()) in section(page, "changed")
    assert render_page(json.loads(json.dumps(found))) == page
    assert "<img" not in page and "onerror='" not in page


def test_the_same_result_does_not_differ(results):
    for result in results:
        found = compare_results(result, result)
        assert found["changed"][0].startswith("The finding is the same")
        assert found["n_different"] == found["n_beyond"] == found["n_settings"] == 0 and found["made"] == []
        assert all(one["old"] == one["new"] and not one["beyond"] for one in found["numbers"])
        assert "✓, changed" not in section(render_page(found))


def test_methods_by_schemes():
    found = compare_results(a_benchmark(0.5), a_benchmark(0.8))
    one = number_of(found, "rows", "C · lime", "metrics › mass accuracy")
    assert (one["label"], one["old"], one["new"], one["beyond"]) == ("C · LIME", 0.5, 0.8, True)
    assert number_of(found, "rows", "C · chance", "metrics › mass accuracy")["beyond"] is False
    assert number_of(found, "schemes", "C", "accuracy")["old_interval"] == [0.8, 1.0]
    assert found["n_different"] == found["n_beyond"] == 1
    assert "1 of 4 numbers with intervals changed by more than these: rows › C · LIME › metrics › mass accuracy "\
        "0.500 → 0.800." in found["changed"]  # fmt: skip


def test_measures_by_name():
    X = np.random.default_rng(0).normal(size=(80, 5))
    old, new = measure(X, n_resamples=30), measure(X + 3, n_resamples=30)
    found = compare_results(old, new)
    for before, after in zip(old.measures, new.measures, strict=True):
        if before.value is None or after.value is None:
            continue
        one = number_of(found, "measures", before.name, "value")
        assert (one["old"], one["new"], one["label"]) == (before.value, after.value, before.label)
    assert number_of(found, "measures", "average_cosine", "value")["beyond"] is True
    assert number_of(found, "measures", "debiased_isoscore", "value")["beyond"] is False  # the mean does not count


def test_how_results_were_made(results):
    changed = {
        "provenance": results[0].provenance | {
            "parameters": results[0].provenance["parameters"] | {"rng": 5, "alpha": 0.1},
            "versions": {"xembed": "9.9"}, "command": "xembed shift",
        },
        "encoder": {"model": "b", "fingerprint": "bb"}, "warnings": ("Look out.",),
    }  # fmt: skip
    old = dataclasses.replace(results[0], encoder={"model": "a", "fingerprint": "aa"})
    found = compare_results(old, dataclasses.replace(results[0], **changed))
    assert {"group": "parameters", "name": "rng", "old": 0, "new": 5} in found["made"]
    assert {"group": "run", "name": "command", "old": None, "new": "xembed shift"} in found["made"]
    assert found["seed"] == [0, 5] and found["fingerprint"] == ["aa", "bb"]
    said = " ".join(found["changed"])
    for sentence in (
        "Parameters that differ: alpha", "The encoders differ", "The seed differs (0 → 5)", "The texts are the same.",
        "New warning: Look out.",
    ):  # fmt: skip
        assert sentence in said
    assert "xembed shift" in section(render_page(found), "made")


def test_rows_that_one_result_lacks():
    X = np.random.default_rng(0).normal(size=(80, 5))
    old, new = measure(X), measure(X, metrics=["isoscore", "hubness"])
    found = compare_results(old, new)
    assert any(sentence.startswith("Only the old result has: measures: ") for sentence in found["changed"])
    assert all(one["difference"] is None for one in found["numbers"] if one["row"] == "average_cosine")
    assert "only old" in section(render_page(found), "tables")


def test_long_tables_are_folded_and_cut_with_the_changes_first():
    from xembed.attribution import Attributions

    fields = {
        "method": "lime", "label": "LIME", "signed": True, "targets": np.zeros(300, dtype=int),
        "baseline_scores": np.full(300, np.nan), "completeness": np.full(300, np.nan), "special": np.full(300, np.nan),
        "truncated": [False] * 300, "output": "similarity", "baseline": "none", "notes": (), "seconds": 1.0,
        "words": [[f"word{i}"] for i in range(300)], "values": [[0.5]] * 300,
        "provenance": {"function": "explain", "parameters": {}, "versions": {"xembed": "0"}},
    }  # fmt: skip
    scores = np.arange(300.0)
    old = Attributions(**fields, scores=scores)
    found = compare_results(old, Attributions(**fields, scores=scores + (np.arange(300) == 299)))
    page = render_page(found)
    rows = rows_of(page, "tables")[1:]
    assert len(rows) == 200 and rows[0] == "word299 299 → 300 +1"
    assert "Here are 200 of 300 rows, those that differ first" in section(page, "tables")
    assert found["n_different"] == 1


def test_what_cannot_be_compared(results, tmp_path):
    with pytest.raises(
        ValueError,
        match=r"of the same schema. Got 'xembed.shift.ShiftResult/1' and 'xembed.shift.DriftResult/1': to have both",
    ):
        compare_results(results[0], results[1])
    write_combined(results[1:3], tmp_path / "two.html")
    with pytest.raises(ValueError, match=r"Two results of one analysis can be compared. Got 'xembed.combined/1'"):
        compare_results(tmp_path / "two.json", tmp_path / "two.json")
    with pytest.raises(TypeError, match=r"'new' parameter must be of results of this package or paths .* Got int"):
        compare_results(results[0], 3)
    results[2].to_json(tmp_path / "d.json")
    with pytest.raises(ValueError, match="would be overwritten"):
        write_comparison(tmp_path / "d.json", results[2], tmp_path / "d.html")


@pytest.mark.browser
def test_a_comparison_in_a_browser(open_page, results, tmp_path):
    write_comparison(results[0], results[5], tmp_path / "difference.html")
    page = open_page(tmp_path / "difference.html")
    assert page.locator(".chip").inner_text() == "≠ finding changed"
    check_looks(page)


def test_size(html, results):
    """One library, and each part no larger than it is alone."""
    library = len(re.search(r'id="library">([^<]*)<', html)[1])
    alone = [len(render_page(result.to_dict())) for result in results]
    assert len(html) < sum(alone) - (len(results) - 1) * library
    assert base64.b64decode(re.search(r'id="library">([^<]*)<', html)[1])[:2] == b"\x1f\x8b"
