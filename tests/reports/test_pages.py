"""Every kind of page: it draws, it holds the numbers of its result, and texts of users do nothing on it."""

import base64
import dataclasses
import importlib
import json
import re
from html import escape
from typing import get_type_hints

import numpy as np
import pytest
from pages import check_looks, rows_of, section

from xembed._core.results import IntervalIn, PerPair, PerRow
from xembed._core.schemas import result_classes
from xembed.depth import find_outliers
from xembed.reports import _render as _page
from xembed.reports import render_page
from xembed.reports.kit import short_names
from xembed.shift import (
    compare_corpora,
    compare_many,
    compare_surface,
    coverage,
    distinguishing_terms,
    drift_over_time,
    knn_test,
    mmd_test,
    rank_sum_test,
    what_shifted,
)

NAMES = ("<b>F</b> & co", "</script><script>window.hacked=9</script>")


def corpora(n=120, m=100):
    """Return two corpora on three topics, one of which is new in the second, and their texts."""
    rng = np.random.default_rng(0)
    centers = 3 * np.eye(3, 8)
    topics = rng.integers(0, 2, n), np.r_[rng.integers(0, 2, m - 30), np.full(30, 2)]
    words = ("router slow wifi", "bill wrong charge", "scam <img src=x onerror='window.hacked=3'> card")
    F, G = (centers[topic] + rng.normal(0.4, 0.4, (len(topic), 8)) for topic in topics)
    texts = (
        [f"{words[t]} {i}" for i, t in enumerate(topics[0])],
        [f"{words[t]} {i} , {'again . ' * (i % 2)}" for i, t in enumerate(topics[1])],
    )
    return F, G, texts


def stream():
    rng = np.random.default_rng(0)
    X = rng.normal(1.0, 1.0, size=(300, 6))
    X[180:, 0] *= -1
    return X


def make(kind):
    F, G, texts = corpora()
    X = stream()
    days = np.datetime64("2024-01-01") + np.arange(300) // 5
    makers = {
        "shift": lambda: compare_corpora(F, G, texts=texts, names=NAMES, n_resamples=199, self_check=True),
        "rank_sum": lambda: rank_sum_test(F, G),
        "test": lambda: mmd_test(F, G, n_resamples=99),
        "regions": lambda: what_shifted(F, G, texts=texts, names=NAMES),
        "terms": lambda: distinguishing_terms(*texts, names=NAMES),
        "surface": lambda: compare_surface(*texts, names=NAMES),
        "coverage": lambda: coverage(F, G, names=NAMES),
        "self_check": lambda: compare_corpora(F, G, n_resamples=99, explain=False, self_check=True).self_check,
        "outliers": lambda: find_outliers(np.r_[F, -4 * np.eye(3, 8)]),
        "outliers_reference": lambda: find_outliers(F[:30], reference=F[30:]),
        "many": lambda: compare_many({NAMES[0]: F[:40], NAMES[1]: G, "third": F[40:80]}, n_resamples=199),
        "drift": lambda: drift_over_time(X, days, reference=100, window="4D", n_resamples=199, names=NAMES),
        "no_drift": lambda: drift_over_time(X[:150], np.arange(150), reference=60, window=30, n_resamples=199),
    }
    return makers[kind]()


KINDS = (
    "shift", "rank_sum", "test", "regions", "terms", "surface", "coverage", "self_check", "outliers",
    "outliers_reference", "many", "drift", "no_drift",
)  # fmt: skip


@pytest.fixture(scope="module")
def results():
    """Return a function that makes the result of a kind once."""
    made = {}

    def result(kind):
        if kind not in made:
            made[kind] = make(kind)
        return made[kind]

    return result


@pytest.mark.browser
@pytest.mark.parametrize("kind", KINDS)
def test_a_page_of_each_kind(open_page, results, tmp_path, kind):
    """Wide and light, then narrow and dark: all figures are there, nothing is wrong, nothing sticks out."""
    path = tmp_path / "page.html"
    results(kind).report(path)
    page = open_page(path)
    assert page.locator(".verdict").inner_text() == results(kind).verdict
    check_looks(page)


@pytest.mark.parametrize("kind", KINDS)
def test_the_json_makes_the_same_page(results, kind):
    result = results(kind)
    page = render_page(result.to_dict())
    assert page == render_page(json.loads(result.to_json()))
    assert result.verdict in section(page)
    assert "<b>F</b>" not in page and "onerror='" not in page


@pytest.mark.parametrize("kind", KINDS)
def test_in_a_notebook_a_result_is_small_and_says_what_was_found(results, kind):
    result = results(kind)
    shown = result._repr_html_()
    assert len(shown.encode("utf-8")) < 50_000 and "<script" not in shown and "<b>F</b>" not in shown
    assert escape(result.verdict[:100], quote=True) in shown
    assert len(result.to_frame()) >= 1


@pytest.mark.parametrize("schema", sorted(result_classes()))
def test_marks_name_fields_of_their_class(schema):
    """What a result's class says of its fields is so, and its page can be imported."""
    kind = result_classes()[schema]
    fields = {field.name for field in dataclasses.fields(kind)}
    for name, hint in get_type_hints(kind, include_extras=True).items():
        for mark in getattr(hint, "__metadata__", ()):
            if isinstance(mark, IntervalIn):
                assert {mark.low, mark.high or mark.low} <= fields, name
            if isinstance(mark, PerRow | PerPair):
                assert {mark.names, getattr(mark, "layers", None)} - {None} <= fields, name
    if kind.page is not None:
        module, function = kind.page.split(":")
        assert callable(getattr(importlib.import_module(module), function))


def test_a_result_without_a_page_of_its_own_has_its_numbers(results):
    facet = results("shift").facets[0]
    page = facet.html()
    assert "Facet" in section(page) and f"{facet.effect_size:.3f}" in " ".join(rows_of(page, "numbers"))
    assert "One way in which corpora can differ." in section(page)
    assert facet.to_markdown().startswith("# location")


def test_a_name_that_stands_twice_stays_as_it_is():
    assert short_names(("center", "center")) == ("center", "center")
    first, second, again = short_names(("a" * 100, "a" * 99, "a" * 100))
    assert first == again != second and len(first) == 60


def test_numbers_of_the_battery_and_the_facets(results):
    result = results("shift")
    page = render_page(result.to_dict())
    text = section(page, "how-they-differ")
    for facet in result.facets:
        assert facet.sentence in text
    assert text.count("● Found") == sum(facet.found for facet in result.facets)
    rows = rows_of(page, "how-they-differ")[1:]
    assert len(rows) == len(result.tests) == 5
    for row, test in zip(rows, result.tests, strict=True):
        assert test.title in row and f"{test.pvalue:.2g}" in row and f"{test.adjusted_pvalue:.2g}" in row
        assert f"{test.effect_size:+.3f}" in row and f"{test.detectable:.2g}" in row
        assert row.startswith("● rejects: " if test.adjusted_pvalue <= result.alpha else "○ does not reject: ")
    cards = section(page)
    assert f"Separability (AUC) {result.separability:.3f}" in cards
    assert f"p-value {result.pvalue:.2g} 5 tests together; level 5%" in cards


def test_numbers_of_what_shifted(results):
    result = results("shift").regions
    page = render_page(results("shift").to_dict())
    rows = [row for row in rows_of(page, "what-shifted") if " texts)" in row]
    assert result.n_changed > 0
    for row, region in zip(rows, result.regions, strict=True):
        assert f" {region.status} {region.label} " in row
        assert f"({region.count_F} → {region.count_G} texts)" in row
        assert f"{region.log_odds:+.2f} ({region.interval[0]:+.2f} to {region.interval[1]:+.2f})" in row
        assert f"{region.pvalue:.2g}" in row and f"{region.qvalue:.2g}" in row
    new = next(region for region in result.regions if region.status == "new")
    typical = results("shift").texts_G[new.typical_G[0]]
    assert " ".join(typical.split()) in section(page, "what-shifted")
    folded = re.search(r"(\d+) regions? that changed by no more than chance", section(page, "what-shifted"))
    unchanged = len(result.regions) - result.n_changed
    assert (int(folded[1]) if folded else 0) == unchanged


def test_numbers_of_terms_form_and_coverage(results):
    result = results("shift")
    page = render_page(result.to_dict())
    words = rows_of(page, "words")
    for term in (*result.terms.more_in_F, *result.terms.more_in_G):
        assert any(
            row.startswith(term.term) and f"{term.z:+.1f}" in row and f"{term.qvalue:.2g}" in row for row in words
        )
    form = rows_of(page, "form")
    for feature in result.surface.features:
        (row,) = [row for row in form if row.startswith(feature.label)]
        assert f"{feature.mean_F:.3g} → {feature.mean_G:.3g}" in row
        assert f"{feature.effect:+.2f} ({feature.interval[0]:+.2f} to {feature.interval[1]:+.2f})" in row
    assert f"told apart in {result.surface.auc:.0%} of pairs" in section(page, "form")
    covered = section(page, "coverage")
    found = result.coverage.uncovered_G
    assert f"{len(found)} of 100 (false discovery rate 5%)" in covered
    for row in found[:10]:
        assert f"{row} {result.coverage.scores_G[row]:.3f} {result.coverage.qvalues_G[row]:.2g}" in covered
    assert " ".join(result.texts_G[found[0]].split()) in covered


def test_numbers_of_the_self_check(results):
    check = results("shift").self_check
    page = render_page(results("shift").to_dict())
    text = section(page, "self-check")
    assert check.verdict in text and f"{check.rejection_rate:.1%}" in text and f"p = {check.ordered_pvalue:.2g}" in text


def test_numbers_of_a_drift_page(results):
    result = results("drift")
    page = render_page(result.to_dict())
    assert result.detected and "● Drift found" in section(page)
    rows = rows_of(page, "windows")[1:]
    assert len(rows) == len(result.counts)
    for i, row in enumerate(rows):
        assert row.startswith(f"{i + 1} {result.starts[i]} {result.ends[i]} {result.counts[i]} ")
        assert f"{result.pvalues[i]:.2g}" in row and f"{result.evidence[i]:.3g}" in row
        assert ("✓" in row) == (result.evidence[i] >= result.threshold)
        assert all(f"{effect:+.3f}" in row or f"{effect:+.2g}" in row for effect in result.effects[i])
    spec = json.loads(re.search(r'id="evidence-spec">(.*?)</script>', page)[1])
    lines = {trace["name"]: trace for trace in spec["data"]}
    star = lines["alarm raised"]
    assert star["x"] == [result.ends[result.detection_window]]
    assert star["y"] == [result.evidence[result.detection_window]]
    levels = [10 ** shape["y0"] if shape["y0"] < 1 else shape["y0"] for shape in spec["layout"]["shapes"]]
    assert result.threshold in levels
    alone = result.threshold * result.limits / result.pvalues
    best = np.maximum((result.martingales * result.shares).max(axis=1), alone)
    drawn = np.frombuffer(base64.b64decode(lines["evidence"]["y"]["bdata"]))
    np.testing.assert_array_equal(drawn, result.evidence)
    np.testing.assert_allclose(drawn, best)
    assert "by bets on several windows" in section(page)
    assert "by this window alone" in section(render_page(result.to_dict() | {"detected_by": "combined"}))
    assert "Ville's inequality" in section(page, "method")


def test_windows_without_times_of_their_own_are_counted():
    result = drift_over_time(stream()[:150], np.zeros(150), reference=60, window=30, n_resamples=99)
    spec = json.loads(re.search(r'id="pvalues-spec">(.*?)</script>', render_page(result.to_dict()))[1])
    assert spec["data"][0]["x"] == [1, 2, 3]
    assert spec["layout"]["xaxis"]["title"]["text"] == "window"


def test_long_streams_list_the_last_windows_and_the_alarm():
    data = make("drift").to_dict()
    n, times = len(data["counts"]), 60
    a_window = """starts ends counts compared evidence martingales evalues test_pvalues pvalues limits effects
        similarity_within similarity_to_reference depth_mean depth_sd"""
    for key in a_window.split():
        data[key] = data[key] * times
    rows = rows_of(render_page(data), "windows")[1:]
    assert n * times > 400
    assert len(rows) == 400 + len({data["detection_window"], data["change_window"]})
    assert f"{len(rows)} of {n * times} windows" in section(render_page(data), "windows")


def test_numbers_of_several_corpora(results):
    result = results("many")
    page = render_page(result.to_dict())
    pairs = rows_of(page, "pairs")[1:]
    assert len(pairs) == 3
    for i, j in ((0, 1), (0, 2), (1, 2)):
        start = f"{result.names[i]} and {result.names[j]} {result.counts[i]} / {result.counts[j]} "
        (row,) = [row for row in pairs if row.startswith(start)]
        assert f"{result.pvalues[i, j]:.2g} {result.adjusted_pvalues[i, j]:.2g}" in row
        assert all(f"{x:+.3f}" in row or f"{x:+.2g}" in row for x in result.effects[:, i, j])
        assert ("✓" in row) == (result.adjusted_pvalues[i, j] <= result.alpha)
    table = rows_of(page, "matrices")
    for i, name in enumerate(result.names):
        cosines = " ".join(f"{x:.3f}" for x in result.similarities[i])
        assert f"{name} {cosines}" in table


def test_numbers_of_outliers(results):
    result = results("outliers")
    rows = rows_of(render_page(result.to_dict()), "outliers")[1:]
    assert len(rows) == len(result.rows) > 0
    for row, i in zip(rows, sorted(result.rows, key=lambda i: result.scores[i]), strict=True):
        assert row == f"{i} {result.scores[i]:.4f} {result.pvalues[i]:.2g} {result.qvalues[i]:.2g}"
    none = render_page(results("outliers_reference").to_dict())
    assert "No outliers found" in section(none) and "The lowest scores" in section(none)
    assert "xembed.depth.find_outliers" in section(none)


def test_numbers_of_a_test(results):
    result = results("test")
    text = section(render_page(result.to_dict()))
    assert f"{result.pvalue:.2g}" in text and f"{result.detectable:.2g}" in text
    assert f"{(result.null >= result.statistic).sum()} of them are at least as large" in text
    F, G, _ = corpora()
    assert "Schilling" in section(render_page(knn_test(F, G, n_resamples=19).to_dict()), "method")


@pytest.mark.parametrize(("low", "ordered", "chip"), [(0.02, 0.5, "Level holds"), (0.08, 0.5, "Level in doubt"),
                                                      (0.02, 0.001, "Level in doubt")])  # fmt: skip
def test_a_self_check_says_when_the_level_is_in_doubt(results, low, ordered, chip):
    data = results("self_check").to_dict() | {"interval": [low, 0.12], "ordered_pvalue": ordered}
    assert chip in section(render_page(data))


def test_form_that_may_explain_a_shift_is_pointed_to():
    rng = np.random.default_rng(0)
    F, G = rng.normal(1, 1, (60, 6)), rng.normal(1, 1, (60, 6))
    G[:, 0] += 2
    plain = [f"the parcel came on day {i} at noon." for i in range(60)]
    spaced = [f"the parcel came on day {i} at noon ." for i in range(60)]

    def page(texts):
        return render_page(compare_corpora(F, G, texts=(plain, texts), n_resamples=99).to_dict())

    artifact, clean = page(spaced), page(plain)
    assert "see Surface features." in artifact and 'href="#form"' in artifact
    assert (
        "Check this before you call it a change of content. Surface features that differ and may explain the shift: "
        in (section(artifact, "form"))
    )
    assert "spaces before punctuation" in section(artifact, "form").split("(mean")[0]
    assert "see Surface features." not in clean and "Check this before" not in clean


def test_sections_that_are_not_there_leave_no_trace(results):
    data = results("shift").to_dict()
    bare = data | {key: None for key in ("regions", "terms", "surface", "coverage", "self_check")}
    page = render_page(bare)
    for id_ in ("what-shifted", "words", "form", "coverage", "self-check"):
        assert f'id="{id_}"' not in page and f'href="#{id_}"' not in page
    assert "Leaning" not in page and "Monroe" not in page
    old = {key: value for key, value in bare.items() if key not in ("regions", "terms", "surface", "coverage")}
    without_data = re.compile(r'id="json-data">[^<]*<')
    assert without_data.sub("", render_page(old)) == without_data.sub("", page)


def test_fast_mode_says_what_was_not_tested():
    F, G, _ = corpora()
    page = render_page(compare_corpora(F, G, mode="fast", explain=False).to_dict())
    assert section(page, "how-they-differ").count("– Not tested") == 2
    assert "Fast mode" in section(page, "method") or "fast mode" in section(page, "method")
    assert "Westfall and Young" not in section(page, "method") and "Holm" in section(page, "method")


def test_groups_and_pairs_are_said():
    F, G, _ = corpora(60, 60)
    groups = [i // 3 for i in range(60)], [100 + i // 3 for i in range(60)]
    grouped = compare_corpora(F, G, groups=groups, n_resamples=99, explain=False)
    assert "labels of whole groups" in section(render_page(grouped.to_dict()), "method")
    paired = compare_corpora(F, G, paired=True, n_resamples=99, explain=False)
    assert "each pair of texts keeps or swaps" in section(render_page(paired.to_dict()), "method")


@pytest.mark.browser
def test_a_region_shows_its_texts(open_page, results, tmp_path):
    result = results("shift")
    result.report(tmp_path / "page.html")
    page = open_page(tmp_path / "page.html")
    new = next(region for region in result.regions.regions if region.status == "new")
    button = page.locator(f"button[data-region='{new.id}']")
    page.locator("tbody", has=button).locator("summary").click()
    button.focus()
    page.keyboard.press("Enter")
    assert page.locator("#count").inner_text() == f"{new.total_F + new.total_G} of 220 texts"
    assert page.evaluate("document.activeElement.id") == "clear"
    assert page.locator("#rows .region").first.inner_text() == f"{new.label} (new)"
    page.keyboard.press("Enter")
    assert page.locator("#count").inner_text() == "220 texts"
    page.locator("#rows button[data-key=lean]").click()
    page.locator("#rows button[data-key=lean]").click()
    leaning = [float(text) for text in page.locator("#rows tbody td:nth-child(6)").all_inner_texts()]
    assert leaning == sorted(leaning, reverse=True)
    assert leaning[0] == pytest.approx(result.regions.scores.max(), abs=0.0051)
    assert page.complaints == []


@pytest.mark.browser
def test_paper_shows_what_is_folded_and_light_colors(open_page, results, tmp_path):
    results("shift").report(tmp_path / "page.html")
    page = open_page(tmp_path / "page.html", scheme="dark")
    folded = page.locator("details:not([open])").count()
    assert folded > 3
    page.evaluate("() => { dispatchEvent(new Event('beforeprint')) }")
    assert page.locator("details:not([open])").count() == 0
    assert page.evaluate("document.documentElement.className") == "light"
    page.evaluate("() => { dispatchEvent(new Event('afterprint')) }")
    assert page.locator("details:not([open])").count() == folded
    assert page.evaluate("document.documentElement.className") == ""
    assert page.complaints == []


@pytest.mark.browser
def test_drift_without_scripts(open_page, results, tmp_path):
    results("drift").report(tmp_path / "page.html")
    page = open_page(tmp_path / "page.html", java_script_enabled=False)
    assert f"{results('drift').evidence[-1]:.3g}" in page.locator("#windows").inner_text()


def _luminance(color):
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_colors_can_be_read():
    """WCAG: 4.5 between a text and what it stands on, in both themes."""
    style = _page._asset("report.css").decode("utf-8")
    themes = re.findall(r":root[^{]*\{([^}]*)\}", style)
    assert len(themes) == 3 and len(set(re.sub(r"\s", "", theme) for theme in themes)) == 2
    for theme in themes:
        colors = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", theme))
        for name in ("ink", "quiet", "f", "g", "found", "focus", *(f"c{i}" for i in range(6))):
            for ground in ("bg", "panel") if name not in ("ink", "quiet") else ("bg", "panel", "warn-bg"):
                one, other = sorted((_luminance(colors[name]), _luminance(colors[ground])))
                assert (other + 0.05) / (one + 0.05) >= 4.5, (name, ground)
