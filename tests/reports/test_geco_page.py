"""The page of the benchmark: its words and numbers, its sentences in a browser, and that nothing on it runs."""

import copy
import json
import re

import numpy as np
import pytest
from pages import check_looks, figure, rows_of, section

from xembed.geco._leaderboard import BenchmarkResult, FormDifference, LeaderboardRow, SchemeRow, Score
from xembed.reports import render_page

SCRIPT = "</script><script>window.hacked=9</script>"
IMAGE = "<img src=x onerror='window.hacked=3'>"
GUIDED = "without ReLU it is the gradient of the L1 saliency (largest difference 3e-8)."
METHODS = (
    ("integrated_gradients", "Integrated Gradients", "gradient"),
    ("input_x_gradient", "Input × Gradient", "gradient"),
    ("saliency_l1", "Saliency, L1", "gradient"),
    ("saliency_l2", "Saliency, L2", "gradient"),
    ("gradient_shap", "Gradient SHAP", "gradient"),
    ("deep_lift", "DeepLIFT", "gradient"),
    ("guided_backprop", "Guided Backprop", "gradient"),
    ("deconvolution", "Deconvolution", "gradient"),
    ("occlusion", "Occlusion", "perturbation"),
    ("lime", "LIME", "perturbation"),
    ("kernel_shap", "Kernel SHAP", "perturbation"),
    ("shapley_sampling", "Shapley sampling", "perturbation"),
    ("attention_rollout", "Attention rollout", "attention"),
    ("attention_gradient", "Attention × gradient", "attention"),
    ("uniform_random", "Uniform random", "reference"),
    ("gendered_lexicon", "List of gendered words", "reference"),
    ("linear_tfidf", "Linear TF-IDF", "reference"),
    ("oracle", "Oracle", "reference"),
    ("chance", "Chance", "reference"),
)
ORDERLESS = {"oracle", "chance"}
UNSIGNED = {"saliency_l1", "saliency_l2", "attention_rollout", "attention_gradient", "uniform_random"}
VERBS = ("mended", "sold", "painted", "carried", "found", "lent")


def a_score(mean, half=0.03):
    return {"mean": mean, "low": mean - half, "high": mean + half}


def a_sentence(which, schemes, long=0):
    rng = np.random.default_rng(which)
    middle = [VERBS[which % 6], "the", "old", "piano", SCRIPT if which == 0 else "and", "wrote", "a", "letter", "."]
    middle += [f"word{i}" for i in range(long)]
    forms = []
    for form, changed in (("female", ("She", "her")), ("male", ("He", "him"))):
        words = [changed[0], *middle[:5], "for", changed[1], *middle[5:]]
        truth = [word in changed for word in words]
        of_schemes = {}
        for scheme, p in zip(schemes, (0.99, 0.9, 0.4, 0.8, 0.7), strict=False):
            methods = {}
            for method, _, _ in METHODS:
                if method in ORDERLESS or (method == "guided_backprop") or (method == "deep_lift" and scheme == "C"):
                    continue
                values = rng.normal(0, 0.3, len(words)) + 2.0 * np.array(truth)
                methods[method] = [float(v) for v in (np.abs(values) if method in UNSIGNED else values)]
            of_schemes[scheme] = {
                "probability": p,
                "correct": p > 0.5,
                "pair_shapley": {"0": 3.25, "7": -0.125},
                "methods": methods,
            }
        forms.append({"form": form, "words": words, "ground_truth": truth, "schemes": of_schemes})
    return {"group": 100 + which, "why": f"{'a failure' if which % 2 else 'typical'} {IMAGE}", "forms": forms}


def a_row(scheme, method, label, family, at, tests):
    status, reason = "valid", ""
    if method == "guided_backprop":
        status, reason = "degenerate", GUIDED
    elif method == "deep_lift" and scheme == "C":
        status, reason = "unsupported", f"it failed {IMAGE}"
    mean = {"oracle": 1.0, "chance": 0.17, "uniform_random": 0.165, "gendered_lexicon": 0.96}.get(method, at)
    blank = {"metrics": {}, "forms": {}, "form_difference": None, "correct_only": None, "quantiles": (),
             "against_best": None, "model_truth": {}, "faithfulness": {}, "stability": {}, "randomisation": {},
             "completeness": None, "special": None, "seconds": None}  # fmt: skip
    if status == "valid":
        names = ("mass_accuracy", "positive_mass_accuracy", "rank_accuracy", "top_k_precision", "auprc",
                 "pointing_game")  # fmt: skip
        half = 0.0 if method in ORDERLESS else 0.03
        above = (mean - 0.17) / 0.83
        blank |= {
            "metrics": {name: a_score(mean, half) for name in names}
            | {"mass_accuracy_above_chance": a_score(above, half), "auroc": a_score(0.5 + mean / 2, half),
               "gini": a_score(0.6, half)},
            "forms": {"female": mean + 0.01, "male": mean - 0.01},
            "correct_only": Score(**a_score(mean + 0.004)),
            "quantiles": (mean * 0.5, mean * 0.8, mean * 0.95, min(1, mean * 1.2), min(1, mean * 1.4)),
        }  # fmt: skip
        if method not in ORDERLESS:
            pvalue = 0.0005 if method == "lime" else 0.4
            blank |= {
                "form_difference": FormDifference(
                    difference=0.02, low=0.005 if method == "lime" else -0.01, high=0.05, pvalue=pvalue,
                    corrected=min(1.0, pvalue * tests),
                ),
                "against_best": {"integrated_gradients": None, "kernel_shap": 0.31}.get(method, 0.002),
                "model_truth": {name: a_score(0.1 + mean / 2) for name in ("spearman", "top1", "cosine", "overlap")},
                "faithfulness": {"comprehensiveness": a_score(mean / 2), "sufficiency": a_score(0.2)},
                "stability": {"context_l1": a_score(0.3), "context_kendall": a_score(0.6)},
                "randomisation": {"head": a_score(0.97 if method == "attention_rollout" else 0.1)},
                "completeness": 0.004 if method == "integrated_gradients" else None,
                "special": 0.12,
                "seconds": 0.0213,
            }  # fmt: skip
    return LeaderboardRow(
        scheme=scheme, method=method, label=label, family=family, status=status, reason=reason, **blank
    )


def example_result(schemes=("C", "CEf", "OLA"), n_sentences=12, long=0, **changes):
    """Return a result as of a run, without a run: hostile texts in every place that a user can write to."""
    tops = dict(zip(schemes, (0.485, 0.906, 0.6, 0.7, 0.8), strict=False))
    rows, tests = [], 13 * len(schemes)
    for scheme in schemes:
        at = tops[scheme]
        for method, label, family in METHODS:
            rows.append(a_row(scheme, method, label, family, at, tests))
            at = 0.18 if method == "shapley_sampling" else max(at - 0.02, 0.2)
    fields = {
        "data": f"pairs {IMAGE}",
        "n_train": 800,
        "n_test": 200,
        "n_sentences": 100,
        "classes": ("female", "male"),
        "backbone": f"model {SCRIPT}",
        "seeds": (0, 1, 2),
        "schemes": tuple(
            SchemeRow(
                scheme=scheme, description=f"what it trains {IMAGE}",
                accuracy=Score(**a_score(0.994 - place / 1000, 0.004)),
                accuracy_by_seed=(0.99, 0.995, 0.997), accuracy_by_form={"female": 0.99, "male": 0.998},
                prediction_gap=0.012, used_words=0.62, epochs=5, learning_rate=1e-3, seconds=33.3,
            )
            for place, scheme in enumerate(schemes)
        ),
        "rows": tuple(rows),
        "sentences": tuple(a_sentence(which, schemes, long) for which in range(n_sentences)),
        "failures": tuple(
            {"scheme": scheme, "method": method, "group": 100 + place, "form": "male",
             "mass_accuracy": 0.05 + place / 100}
            for place, scheme in enumerate(schemes)
            for method, _, family in METHODS
            if family != "reference" and method != "guided_backprop" and (method != "deep_lift" or scheme != "C")
        ),
        "bias": {"cooccurrence": {"classes": ["female", "male"], "words": [f"nurse {IMAGE}", "the"],
                                  "expected": [0.5, 0.5], "counts": [[3, 1], [90, 90]],
                                  "shares": [[0.75, 0.25], [0.5, 0.5]]},
                 "paired_shift": {"cosine": 0.93, "cosine_interval": [0.92, 0.94], "mean_share": 0.31,
                                  "mean_share_interval": [0.29, 0.33], "mean_share_chance": 0.01,
                                  "heldout_accuracy": 0.99, "heldout_interval": [0.97, 1.0], "pvalue": 0.0005}},
        "excluded": {f"longer than the model reads {IMAGE}": 3},
        "n_resamples": 2000,
        "confidence_level": 0.95,
        "options": {"profile": "quick", "baseline": "pad", "methods": [name for name, _, _ in METHODS]},
        "cost": {"forward": 123456, "backward": 4567, "seconds": 321.5},
        "notes": (f"The score of the true class is explained {IMAGE}.",),
        "provenance": {"function": "Benchmark.run", "parameters": {"rng": 0}, "versions": {"xembed": "0"}},
    }  # fmt: skip
    return BenchmarkResult(**fields | changes)


RESULT = example_result()


@pytest.fixture(scope="module")
def data():
    return RESULT.to_dict()


@pytest.fixture(scope="module")
def html(data):
    return render_page(data)


def strings(part):
    """Return each table row of a fragment as text."""
    return [section(row) for row in re.findall(r"<tr.*?</tr>", part, re.DOTALL)]


# ---- as text


def test_the_json_makes_the_same_page(html):
    assert html == render_page(json.loads(RESULT.to_json()))
    assert "<img src=x" not in html and SCRIPT not in html
    assert BenchmarkResult.from_json(RESULT.to_json()).to_json() == RESULT.to_json()


def test_a_report_is_written_by_the_result(tmp_path, html):
    RESULT.report(tmp_path / "geco.html")
    assert (tmp_path / "geco.html").read_text(encoding="utf-8") == html
    assert json.loads((tmp_path / "geco.json").read_text(encoding="utf-8"))["schema"] == "xembed.geco.BenchmarkResult/1"


def test_the_verdict_comes_first_with_numbers(html):
    chip = section(re.search(r'<p class="chip.*?</p>', html, re.DOTALL)[0])
    assert chip == "★ Best on 3 of 3 schemes: Integrated Gradients"
    verdict = section(re.search(r'<p class="verdict".*?</p>', html, re.DOTALL)[0])
    assert "is highest for Integrated Gradients on C (0.485), CEf (0.906) and OLA (0.600); chance is 0.170." in verdict
    assert "clearly better than the runner-up on 3 of 3 schemes" in verdict
    assert "DeepLIFT and Guided Backprop are degenerate or unsupported on at least one scheme." in verdict


def test_findings(html):
    text = section(html, "findings")
    assert (
        "C: Integrated Gradients, mass accuracy 0.485 (95% interval 0.455 to 0.515); above chance (0.170); the " in text
    )
    assert "runner-up is Input × Gradient with 0.465 (difference clear, p = 0.002 by Holm)." in text
    assert "List of gendered words, which does not look at the model, scores higher." in text
    assert "Accuracy goes from 99.2% to 99.4%, the mass accuracy of the best method from 0.485 to 0.906." in text
    assert "models that classify alike are explained very differently" in text
    assert "Over the 3 schemes the rank correlation" in text
    assert "changes a mass accuracy by at most +0.4 points" in text
    assert f"Guided Backprop is degenerate on all schemes: {GUIDED}" in text
    assert "DeepLIFT is unsupported on C: it failed <img" in text
    assert "Attention rollout orders the words almost as for a model with a random head or encoder" in text
    assert "Attention rollout is not clearly above chance on C, CEf and OLA." in text
    assert "use 62% of the changed words on C" in text
    assert "The highest rank correlation with them has Integrated Gradients on C (0.343, 0.312 to 0.373), CEf" in text
    assert (
        "3 of 38 differences between female and male hold after Holm’s correction; the largest is that of LIME" in text
    )


def test_a_runner_up_that_is_not_clearly_worse(data):
    close = copy.deepcopy(data)
    for row in close["rows"]:
        row["against_best"] = None if row["against_best"] is None else 0.2
    assert "(difference not clear, p = 0.2 by Holm)" in section(render_page(close), "findings")
    assert "better than the runner-up on 0 of 3 schemes" in section(render_page(close))


def test_leaderboard_rows_are_ordered_and_marked(html):
    board = re.search(r'<section id="leaderboard".*?</section>', html, re.DOTALL)[0]
    first = re.search(r"<table class=\"[^\"]*grid\">.*?</table>", board, re.DOTALL)[0]
    rows = strings(first)
    assert rows[0] == "Method C CEf OLA"
    assert rows[1] == "Oracle reference 1 1 1"
    assert rows[2].startswith("List of gendered words reference")
    assert rows[-1] == f"Guided Backprop degenerate {GUIDED}"  # one reason for all three schemes
    by_name = {name: next(row for row in rows if row.startswith(name)) for _, name, _ in METHODS}
    assert by_name["Integrated Gradients"].count("★, best") == 3
    assert by_name["Kernel SHAP"].count("≈, not clearly below the best") == 3
    assert "○, not clearly above chance" in by_name["Attention rollout"]
    assert by_name["DeepLIFT"].startswith("DeepLIFT unsupported it failed <img src=x onerror='window.hacked=3'> 0.")
    assert rows.index(by_name["Chance"]) > rows.index(by_name["LIME"])
    assert 'class="chance"' in first and 'class="oracle"' in first


def test_shades_go_from_chance_to_one(html):
    board = re.search(r'<section id="leaderboard".*?</section>', html, re.DOTALL)[0]
    row = re.search(r"<tr>\s*<th scope=\"row\" dir=\"auto\"><bdi>Integrated Gradients.*?</tr>", board, re.DOTALL)[0]
    shades = [float(x) for x in re.findall(r"--shade: ([\d.]+)", row)]
    assert shades == [pytest.approx((x - 0.17) / 0.83, abs=0.006) for x in (0.485, 0.906, 0.6)]


def test_every_metric_has_a_board(html):
    text = section(html, "leaderboard")
    for label in ("Mass accuracy ↑", "Mass accuracy above chance ↑", "Rank accuracy ↑", "Precision of the top K ↑",
                  "AUROC ↑", "AUPRC ↑", "Pointing game ↑", "Sparsity (Gini)", "correctly only"):  # fmt: skip
        assert label in text
    assert "Sparsity (Gini) ↑" not in text


def test_accuracy_stands_beside_explanation(html):
    row = rows_of(html, "accuracy")[1]
    assert row.startswith(f"C what it trains {IMAGE} 99.4 99.0 to 99.8 99.0, 99.5, 99.7 99.0 99.8 0.485 ")
    assert row.endswith("0.012 62% 5 0.001 33.3")
    traces = figure(html, "accuracy-plot")["data"]
    assert [trace["name"] for trace in traces] == ["C", "CEf", "OLA"]
    assert len(traces[0]["text"]) == 12 and len(traces[1]["text"]) == 13  # no DeepLIFT on C


def test_boxes_are_drawn_to_scale(html):
    body = re.search(r'<section id="distributions".*?</section>', html, re.DOTALL)[0]
    row = re.search(r"<bdi>Integrated Gradients.*?</tr>", body, re.DOTALL)[0]
    left, right = re.search(r'class="box" d="M([\d.]+) 4H([\d.]+)', row).groups()
    assert float(left) == pytest.approx(5 + 140 * 0.485 * 0.8, abs=0.06)
    assert float(right) == pytest.approx(5 + 140 * 0.485 * 1.2, abs=0.06)
    assert f"{0.485 * 0.95:.3f} {0.485 * 0.8:.3f} to {0.485 * 1.2:.3f}" in section(row)


def test_qualities_say_which_way_is_better(html):
    head = rows_of(html, "qualities")[0]
    for name in ("Pair Shapley: rank correlation ↑", "Sufficiency ↓", "Similarity to a random head ↓",
                 "Completeness error ↓", "Seconds a sentence ↓"):  # fmt: skip
        assert name in head
    assert "random encoder" not in head  # was not computed
    row = next(row for row in rows_of(html, "qualities") if row.startswith("Integrated Gradients"))
    assert row.endswith("0.004 0.120 0.021")


def test_differences_of_forms(html):
    rows = rows_of(html, "forms")
    assert rows[0] == "Method Scheme female male female less male p p, Holm"
    assert len([row for row in rows if row.startswith("LIME")]) == 3
    assert rows[1].startswith("LIME C ") and "+0.020 ✓ +0.005 to +0.050 0.0005 0.0" in rows[1]
    text = section(html, "forms")
    assert "Differences at p ≤ 0.05 (Holm)" in text and "without a clear difference" in text
    reference = next(row for row in rows if row.startswith("Uniform random"))
    assert reference.endswith("–")  # no correction where nothing is claimed


def test_failures_name_the_sentence(html):
    rows = rows_of(html, "failures")
    assert [row[:13] for row in rows[1:4]] == ["13 of 13 He s", "13 of 13 He p", "12 of 12 He m"]
    assert rows[3].startswith("12 of 12 He mended the old piano </script>")
    assert "sentence 100 Look C male Integrated Gradients 0.050; Input × Gradient 0.050;" in rows[3]
    by_method = next(row for row in rows if row.startswith("Integrated Gradients He mended"))
    assert by_method.endswith("sentence 100 Look C male 0.050")
    assert '<b class="true">He</b>' in html


def test_run_card_exclusions_and_bias(html):
    rows = rows_of(html, "run")
    assert "Seeds 0, 1, 2" in rows and "Option: baseline pad" in rows and "Cost: forward 123,456" in rows
    assert f"longer than the model reads {IMAGE} 3" in rows
    assert f"nurse {IMAGE} 3 1 75%" in rows_of(html, "bias")
    assert "1 of 2 words are out of balance" in section(html, "bias")
    assert any(row.startswith("Cosine of the forms 0.930 0.920 to 0.940") for row in rows_of(html, "bias"))


def test_balanced_words_are_said_in_a_sentence(data):
    words = data["bias"]["cooccurrence"] | {"shares": [[0.5, 0.5]] * 2}
    text = section(render_page(data | {"bias": {"cooccurrence": words}}), "bias")
    assert "each of 2 words occurs as often in every form" in text and "nurse" not in text


def test_warnings_of_few_sentences_and_seeds(data):
    def warned(**changes):
        return section(re.search(r'<section class="warnings".*?</section>', render_page(data | changes), re.DOTALL)[0])

    assert "3 seeds: where seeds differ much, intervals are too narrow" in warned()
    assert "Only 12 test sentences" in warned(n_sentences=12) and "Only" not in warned()
    assert "One seed: intervals say nothing" in warned(seeds=[0])
    assert warned(notes=["One seed: as the run says."], seeds=[0]).count("seed") == 1
    bad = copy.deepcopy(data["schemes"])
    bad[0]["accuracy"] |= {"mean": 0.52, "low": 0.45}
    assert "The models of C are not clearly better than guessing" in warned(schemes=bad)


def test_methods_and_sources_are_only_those_on_the_page(html, data):
    text = section(html, "method")
    assert "Sundararajan" in text and "Adebayo" in text and "Owen" in text and "Haufe, S." not in text
    assert "differences to a baseline handed back" in text
    small = data | {
        "rows": [row | {"randomisation": {}} for row in data["rows"] if row["method"] != "integrated_gradients"]
    }
    text = section(render_page(small | {"seeds": [1]}), "method")
    assert "Sundararajan" not in text and "Adebayo" not in text and "Owen" not in text


def test_without_scripts_the_first_sentences_are_there(html):
    text = section(html, "inspector")
    assert "Sentence 100 typical" in text and "Sentence 102" in text and "Sentence 103" not in text
    assert "scheme C, Integrated Gradients" in text
    form = data_form(RESULT, 0, 0)
    values = np.abs(form["schemes"]["C"]["methods"]["integrated_gradients"])
    mass = values[np.array(form["ground_truth"])].sum() / values.sum()
    assert f"female: probability 0.990, right; mass accuracy {mass:.3f}, chance 0.167" in text
    assert "She / He+ +3.25 her / him −0.125" in text
    assert html.count('class="word') > 3 * 2 * 10
    row = next(row for row in rows_of(html, "inspector") if row.startswith("0 "))
    assert row.startswith("0 She ▣ +") and row.endswith(" +3.25")


def data_form(result, sentence, form):
    return result.sentences[sentence]["forms"][form]


# ---- what may be missing or odd


def test_no_valid_method_at_all(data):
    bad = copy.deepcopy(data)
    for row in bad["rows"]:
        row |= {"status": "unsupported", "reason": "no gradient.", "metrics": {}, "forms": {}, "quantiles": [],
                "form_difference": None, "correct_only": None, "model_truth": {}, "faithfulness": {}, "stability": {},
                "randomisation": {}, "completeness": None, "special": None, "seconds": None}  # fmt: skip
    page = render_page(bad)
    assert "– No method could be scored" in section(page)
    assert "No method gave numbers on any scheme" in section(page)
    assert 'id="qualities"' not in page and 'id="forms"' not in page and 'id="accuracy-plot"' not in page


@pytest.mark.parametrize("gone", ["sentences", "failures", "bias", "excluded", "cost", "options", "notes"])
def test_parts_that_are_not_there_leave_no_trace(data, gone):
    empty = [] if isinstance(data[gone], list) else {}
    page = render_page(data | {gone: empty})
    if gone in {"sentences", "failures", "bias"}:
        name = "inspector" if gone == "sentences" else gone
        assert f'<section id="{name}"' not in page and f'href="#{name}"' not in page
    if gone == "excluded":
        assert "No row was left out." in section(page, "run")


def test_unknown_numbers_and_metrics_are_shown_by_name(data):
    odd = copy.deepcopy(data)
    for row in odd["rows"]:
        if row["faithfulness"]:
            row["faithfulness"]["surprise"] = a_score(0.25)
    assert "surprise" in rows_of(render_page(odd), "qualities")[0]


def test_forms_without_pair_shapley_or_of_other_lengths(data):
    odd = copy.deepcopy(data)
    for sentence in odd["sentences"]:
        first, second = sentence["forms"]
        second["words"], second["ground_truth"] = second["words"][:-2], second["ground_truth"][:-2]
        for found in second["schemes"].values():
            found["methods"] = {name: values[:-2] for name, values in found["methods"].items()}
        for found in first["schemes"].values():
            found["pair_shapley"] = {}
    text = section(render_page(odd), "inspector")
    assert "Exact pair Shapley, male: He+ +3.25" in text


# ---- in a browser


@pytest.mark.browser
def test_looks(open_page, tmp_path):
    RESULT.report(tmp_path / "geco.html")
    page = open_page(tmp_path / "geco.html")
    check_looks(page)
    assert page.locator("img").count() == 0


@pytest.mark.browser
def test_looks_dark_and_narrow_from_the_start(open_page, tmp_path):
    RESULT.report(tmp_path / "geco.html")
    page = open_page(tmp_path / "geco.html", width=360, scheme="dark")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.complaints == []


@pytest.mark.browser
def test_without_scripts(open_page, tmp_path):
    RESULT.report(tmp_path / "geco.html")
    page = open_page(tmp_path / "geco.html", java_script_enabled=False)
    assert page.locator("#inspect-controls").is_hidden()
    assert page.locator("#inspect-view .panel").count() == 3
    assert page.locator("button.look:visible").count() == 0
    assert page.locator("#inspector .word:visible").count() > 50


@pytest.mark.browser
def test_the_inspector_by_mouse(open_page, tmp_path):
    RESULT.report(tmp_path / "geco.html")
    page = open_page(tmp_path / "geco.html")
    view = page.locator("#inspect-view")
    assert view.locator("article").count() == 1 and "Sentence 100" in view.inner_text()
    columns = view.locator(".columns").first.locator("> div")
    form = data_form(RESULT, 0, 0)
    assert columns.count() == len(form["words"])
    assert columns.nth(5).locator(".word").first.inner_text().strip("+−") == SCRIPT  # as text
    assert columns.nth(0).locator(".true").count() == 2 and columns.nth(1).locator(".true").count() == 0
    # Forms are aligned: the same left edge, one above the other.
    boxes = [columns.nth(7).locator(".word").nth(i).bounding_box() for i in (0, 1)]
    assert boxes[0]["x"] == boxes[1]["x"] and boxes[0]["y"] < boxes[1]["y"]
    columns.nth(0).locator(".word").first.hover()
    tip = page.locator("#tip").inner_text()
    value = form["schemes"]["C"]["methods"]["integrated_gradients"][0]
    assert tip.startswith("She") and f"attribution +{float(f'{value:.3g}')}" in tip and "changed word" in tip
    assert "pair Shapley +3.25" in tip
    # Other sentence, scheme and method.
    page.locator("#inspect-next").click()
    assert "Sentence 101" in view.inner_text() and "<img src=x" in view.inner_text()
    assert [option for option in page.locator("#inspect-method option").all_inner_texts() if option == "DeepLIFT"] == []
    page.locator("#inspect-scheme").select_option("CEf")
    page.locator("#inspect-method").select_option("deep_lift")
    value = data_form(RESULT, 1, 0)["schemes"]["CEf"]["methods"]["deep_lift"][0]
    view.locator("summary", has_text="The numbers").click()
    row = view.locator("table.plain tbody tr").first.inner_text().split("\t")
    assert row[:2] == ["0", "She ▣"] and float(row[2].replace("−", "-")) == pytest.approx(value, rel=0.01)
    view.locator("summary", has_text="All methods").click()
    assert view.locator("table.shown").count() == 2
    # What is open stays open, and a method that the other scheme lacks gives way to its best.
    page.locator("#inspect-scheme").select_option("C")
    assert page.locator("#inspect-method").input_value() == "integrated_gradients"
    assert view.locator("details[open]").count() == 2
    assert page.evaluate("window.hacked") is None and page.complaints == []


@pytest.mark.browser
def test_signs_are_not_by_color_alone(open_page, tmp_path):
    RESULT.report(tmp_path / "geco.html")
    page = open_page(tmp_path / "geco.html")
    for tone, sign in (("pos", "+"), ("neg", "−")):
        signs = page.locator(f"#inspect-view .columns .word.{tone} sup").all_inner_texts()
        assert signs and {*signs} <= {sign, ""} and sign in signs


@pytest.mark.browser
def test_the_inspector_by_keyboard(open_page, tmp_path):
    RESULT.report(tmp_path / "geco.html")
    page = open_page(tmp_path / "geco.html")
    page.locator("#inspect-method").focus()
    page.keyboard.press("Tab")
    focused = "document.activeElement.getAttribute('aria-label')"
    assert page.evaluate(focused).startswith("She, female, word 1 of 12")
    assert page.locator("#tip").is_visible()
    page.keyboard.press("ArrowDown")
    assert page.evaluate(focused).startswith("He, male, word 1 of 12")
    page.keyboard.press("ArrowDown")  # there is no third form
    assert page.evaluate(focused).startswith("He, male, word 1")
    page.keyboard.press("ArrowRight")
    assert page.evaluate(focused).startswith("mended, male, word 2")
    page.keyboard.press("End")
    assert page.evaluate(focused).startswith("., male, word 12")
    page.keyboard.press("Tab")  # one stop for all words, then the strip of pair Shapley values
    assert page.evaluate(focused).startswith("She / He")
    page.keyboard.press("Escape")
    assert page.locator("#tip").is_hidden()


@pytest.mark.browser
def test_a_failure_leads_to_its_sentence(open_page, tmp_path):
    RESULT.report(tmp_path / "geco.html")
    page = open_page(tmp_path / "geco.html")
    button = page.locator("#failures button.look[data-scheme=OLA][data-method=lime]:visible")
    for summary in page.locator("#failures summary").all():
        summary.click()
    button.click()
    assert "Sentence 102" in page.locator("#inspect-view").inner_text()
    assert page.locator("#inspect-scheme").input_value() == "OLA"
    assert page.locator("#inspect-method").input_value() == "lime"


@pytest.mark.browser
def test_a_large_run_is_a_page_that_opens(open_page, tmp_path):
    result = example_result(("C", "CE", "CEf", "CEfAf", "OLA"), n_sentences=30, long=12)
    result.report(tmp_path / "geco.html")
    assert (tmp_path / "geco.html").stat().st_size < 2_500_000
    page = open_page(tmp_path / "geco.html", width=360)
    assert page.locator("#inspect-sentence option").count() == 30
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.complaints == []
