"""Pages of embedding spaces, corrections, layers and training: their numbers, and that nothing on them runs."""

import dataclasses
import json
import re

import numpy as np
import pytest
from pages import check_looks, figure, numbers, rows_of, section

import xembed
from xembed.datasets import STSPairs, TextTable
from xembed.defsent import DefSentResult
from xembed.defsent._result import TrainingRound
from xembed.isotropy import (
    AllButTheTop,
    Standardize,
    compare_corrections,
    diagnose,
    evaluate_sts,
    hubness,
    layer_profile,
    linear_probe,
    measure,
    neighbor_overlap,
    outlier_dimensions,
)
from xembed.reports import render_page
from xembed.reports._format import number

SCRIPT = "</script><script>window.hacked=9</script>"
IMAGE = "<img src=x onerror='window.hacked=3'>"
WORDS = [
    "river", "bank", "loan", "money", "water", "boat", "fish", "rate", "house", "garden", "tree", "leaf", "road", "car",
    "wheel", "train",
]  # fmt: skip
CORRECTIONS = {IMAGE: Standardize(), SCRIPT: AllButTheTop()}


class Hashed:
    """Bags of words, with one dimension of noise that drowns the others and a constant one."""

    def encode(self, texts):
        rows = []
        for text in texts:
            row = np.zeros(20)
            for word in text.split():
                if word in WORDS:
                    row[WORDS.index(word)] += 1
            row[16] = 30 + 9 * np.sin(sum(map(ord, text)))
            row[17] = 1.0
            row[18:] = len(text) / 20, text.count("a") / 5
            rows.append(row)
        return np.array(rows)


def sentences(seed, count):
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, 5, replace=False)) + f" {seed}-{i}" for i in range(count)]


def pairs(name, seed, count=60):
    rng = np.random.default_rng(seed)
    first = sentences(seed, count)
    second, scores = [], []
    for i, sentence in enumerate(first):
        kept = int(rng.integers(0, 6))
        words = sentence.split()[:5]
        others = rng.permutation([word for word in WORDS if word not in words])
        second.append(" ".join([*words[:kept], *others[: 5 - kept], f"{seed}:{i}"]))
        scores.append(kept)
    return STSPairs(name, first, second, scores)


def texts():
    return [f"{text} {IMAGE}" if i % 2 else text for i, text in enumerate(sentences(1, 80))]


def a_round(which, **changes):
    fields = {
        "round": which,
        "n_steps": 30,
        "steps": np.array([10, 20, 30]),
        "losses": np.array([3.5, 2.5, 2.25]) * (100 if which == 3 else 1),
        "validation_steps": np.array([0, 15, 30]),
        "validation_losses": np.array([3.6, 2.75, 2.875]),
        "validation_top1": np.array([0.0, 0.5, 0.25]),
        "validation_mrr": np.array([0.125, 0.625, 0.5]),
        "best_step": 15,
        "stopped_early": which == 2,
        "entry_isoscore": 0.1 + which / 10,
        "entry_average_cosine": 0.8,
        "target_isoscore": 0.95,
        "target_average_cosine": 0.01,
        "projected": which == 3,
        "seconds": 12.5,
    }
    return TrainingRound(**fields | changes)


def training(method="defsent+", **changes):
    fields = {
        "method": method,
        "n_entries": 40,
        "n_definitions": 90,
        "n_dropped": 3,
        "n_validation": 8,
        "n_truncated": 2,
        "learning_rate": 5e-6,
        "pooling": "mean",
        "template": None,
        "rounds": (a_round(1), a_round(2), a_round(3)),
        "encoder": {"model": IMAGE},
        "trained_encoder": {"model": SCRIPT},
        "notes": (f"A note {IMAGE}.",),
        "seconds": 37.5,
        "provenance": {"function": "DefSentPlus.fit", "parameters": {}, "versions": {"xembed": "0"}},
    }
    return DefSentResult(**fields | changes)


def make(kind):
    X = Hashed().encode(texts())
    fit = TextTable(texts=sentences(2, 100), name=f"fit {SCRIPT}")
    tune, tests = pairs(f"tune {IMAGE}", 3), [pairs(f"A {IMAGE}", 4), pairs("B", 5)]
    labels = [f"{IMAGE}" if "river" in text else "other" for text in texts()]
    short = sentences(6, 25)
    makers = {
        "diagnosis": lambda: dataclasses.replace(
            diagnose(
                Hashed(), texts(), fit_texts=fit, tune=tune, test=tests, labels=labels, corrections=CORRECTIONS,
                n_resamples=40, name=f"texts {SCRIPT}",
            ),
            layers=made("layers"),
        ),
        "bare": lambda: diagnose(X, n_resamples=20),
        "isotropy": lambda: measure(X, n_resamples=20),
        "blocks": lambda: measure([X[:40], X[40:]], metrics=["isoscore", "hubness"]),
        "corrections": lambda: compare_corrections(
            Hashed(), fit_texts=fit, tune=tune, test=tests[0], corrections=CORRECTIONS, n_resamples=40
        ),
        "labels": lambda: compare_corrections(
            Hashed(), fit_texts=fit, texts=texts(), labels=labels, corrections=CORRECTIONS, n_resamples=40
        ),
        "transductive": lambda: compare_corrections(
            Hashed(), fit_texts=tests[0], test=tests[0], corrections=CORRECTIONS, n_resamples=40, transductive=True
        ),
        "layers": lambda: layer_profile(
            xembed.load_encoder(device="cpu"), short, corrections=CORRECTIONS, fit_texts=sentences(7, 25),
            sts=pairs(f"tune {SCRIPT}", 8, 20), n_resamples=20,
        ),
        "layers_plain": lambda: layer_profile(xembed.load_encoder(device="cpu"), short, poolings="mean"),
        "sts": lambda: evaluate_sts(Hashed(), tests, fit_on=fit, n_resamples=40),
        "one_set": lambda: evaluate_sts(Hashed(), tune, n_resamples=0),
        "hubness": lambda: hubness(X),
        "outlier_dimensions": lambda: outlier_dimensions(X),
        "overlap": lambda: neighbor_overlap(X, X[:, :16] + 0.1, n_resamples=20),
        "probe": lambda: linear_probe(X, labels, n_resamples=20),
        "defsentplus": training,
        "defsent": lambda: training(
            "defsent", n_validation=0,
            rounds=(a_round(1, **dict.fromkeys(
                ("entry_isoscore", "entry_average_cosine", "target_isoscore", "target_average_cosine", "best_step")
            ), **dict.fromkeys(
                ("validation_steps", "validation_losses", "validation_top1", "validation_mrr"), np.array([])
            )),),
        ),
    }  # fmt: skip
    return makers[kind]()


KINDS = (
    "diagnosis", "bare", "isotropy", "blocks", "corrections", "labels", "transductive", "layers", "layers_plain", "sts",
    "one_set", "hubness", "outlier_dimensions", "overlap", "probe", "defsentplus", "defsent",
)  # fmt: skip
_MADE = {}


def made(kind):
    """Return the result of a kind, made once."""
    if kind not in _MADE:
        _MADE[kind] = make(kind)
    return _MADE[kind]


@pytest.mark.browser
@pytest.mark.parametrize("kind", KINDS)
def test_a_page_of_each_kind(open_page, tmp_path, kind):
    """Wide and light, then narrow and dark: all figures are there, nothing is wrong, nothing sticks out."""
    path = tmp_path / "page.html"
    made(kind).report(path)
    page = open_page(path)
    check_looks(page)
    assert page.locator("img").count() == 0


@pytest.mark.parametrize("kind", KINDS)
def test_the_json_makes_the_same_page(kind):
    result = made(kind)
    page = render_page(result.to_dict())
    assert page == render_page(json.loads(result.to_json()))
    assert "<img src=x" not in page and SCRIPT not in page
    assert type(result).from_json(result.to_json()).to_json() == result.to_json()


@pytest.mark.browser
def test_without_scripts_the_numbers_are_there(open_page, tmp_path):
    made("diagnosis").report(tmp_path / "page.html")
    page = open_page(tmp_path / "page.html", java_script_enabled=False)
    assert page.locator("noscript p").count() == page.locator(".plot").count() > 3
    assert page.locator("figure details").count() == page.locator(".plot").count()


def test_a_recommendation_stands_at_the_top():
    result = made("diagnosis")
    page = render_page(result.to_dict())
    assert result.recommendation in CORRECTIONS
    chip = re.search(r'<p class="chip found">(.*?)</p>', page, re.DOTALL)[1]
    assert section(chip).startswith(f"● Apply {result.recommendation[:39]}")
    assert section(re.search(r'<p class="verdict".*?</p>', page, re.DOTALL)[0]) == " ".join(result.reason.split())


@pytest.mark.parametrize(("recommendation", "chip"), [(None, "– No recommendation"),
                                                      ("none", "○ Keep the embeddings as they are")])  # fmt: skip
def test_other_chips(recommendation, chip):
    data = made("diagnosis").to_dict() | {"recommendation": recommendation}
    assert chip in section(render_page(data))


def test_the_protocol_says_what_was_judged_on_what():
    result = made("diagnosis").corrections
    text = section(render_page(made("diagnosis").to_dict()), "protocol")
    assert f"Fitted on “{result.fit_on}”, {result.n_fit} texts." in text
    assert f"Chosen on “{result.tune[0]}”" in text and f"Judged on “{result.test[0]}”, “{result.test[1]}”" in text
    assert "No sentence of" in text and "Transductive" not in text
    shared = made("diagnosis").to_dict()
    shared["corrections"]["fit_overlap"] = {"A": 0.25, "B": 0.0}
    text = section(render_page(shared), "protocol")
    assert "25% of the different sentences of “A”, 0% of those of “B” are among the texts of the fit" in text
    assert "so none was fitted, chosen or judged" in section(render_page(made("bare").to_dict()), "protocol")
    assert "One half of the labeled texts" in section(render_page(made("labels").to_dict()), "protocol")


def test_a_transductive_fit_is_loud():
    page = render_page(made("transductive").to_dict())
    assert made("transductive").transductive
    assert '<p class="note alert" dir="auto"><b>Transductive.</b>' in page
    assert "there are no tune pairs to choose by" in section(page, "protocol")
    assert "100% of the different sentences" in section(page, "protocol")


def test_measures_before_and_after():
    result = made("diagnosis")
    rows = rows_of(render_page(result.to_dict()), "measures")[1:]
    assert len(rows) == len(result.before.measures) == 14
    for row, before, after in zip(rows, result.before.measures, result.after.measures, strict=True):
        assert row.startswith(before.label)
        for one in (before, after):
            ends = "" if one.low is None else f" ({number(one.low)} to {number(one.high)})"
            assert f"{number(one.value)}{ends}" in row
            assert one.warning is None or one.warning in row
        assert number(before.perfect) in row
    assert made("blocks").measures[1].value is None
    assert made("blocks").measures[1].warning in rows_of(render_page(made("blocks").to_dict()), "measures")[2]


def test_the_spectrum_is_a_share_of_the_variance():
    result = made("diagnosis")
    page = render_page(result.to_dict())
    traces = figure(page, "spectrum")["data"]
    for trace, space in zip(traces, (result.before, result.after), strict=False):
        share = 100 * space.spectrum / space.spectrum.sum()
        drawn = np.array(numbers(trace["y"]), dtype=float)
        there = np.isfinite(drawn)
        np.testing.assert_allclose(drawn[there], share[there])
        assert np.all(share[~there] <= 1e-8 * share.max())
    share = result.before.spectrum / result.before.spectrum.sum()
    table = [row for row in rows_of(page, "space") if row.startswith("2 ")]
    assert table[0].startswith(f"2 {100 * share[1]:.1f}% {100 * share[:2].sum():.1f}%")
    assert figure(page, "spectrum")["layout"]["yaxis"]["type"] == "log"


def test_cosines_and_chance():
    result = made("isotropy")
    page = render_page(result.to_dict())
    drawn, chance = figure(page, "cosines")["data"]
    counts = result.cosine_histogram.counts
    np.testing.assert_allclose(numbers(drawn["y"]), 100 * counts / counts.sum())
    expected = result.cosine_histogram.expected
    np.testing.assert_allclose(numbers(chance["y"]), 100 * expected / expected.sum(), atol=1e-9)
    row = next(row for row in rows_of(page, "space") if row.startswith("random directions"))
    quantiles = [float(cell) for cell in row.split()[2:]]
    assert quantiles == sorted(quantiles) and quantiles[2] == pytest.approx(0, abs=0.005)
    assert quantiles[0] == pytest.approx(-quantiles[4], abs=0.011)


def test_rogue_and_dead_dimensions():
    result = made("outlier_dimensions")
    page = render_page(result.to_dict())
    assert result.rogue == (16,) and result.dead == (17,)
    assert "● 1 rogue dimension" in section(page)
    assert "were asked for: 16." in section(page, "dimensions") and "rounding: 17." in section(page, "dimensions")
    star = figure(page, "contributions")["data"][1]
    assert star["x"] == [16] and numbers(star["y"])[0] == pytest.approx(result.contributions[16])
    assert f"16 {number(result.contributions[16])}" in rows_of(page, "dimensions")[1]


def test_hubs_with_their_texts():
    result = made("diagnosis")
    rows = rows_of(render_page(result.to_dict()), "hubs")[1:]
    assert len(rows) == len(result.hubs) == 10
    for row, hub in zip(rows, result.hubs, strict=True):
        assert row == f"{hub.row} {hub.occurrences:.4g} {hub.occurrences / 10:.1f} × {' '.join(hub.text.split())}"
    untitled = rows_of(render_page(made("bare").to_dict()), "hubs")[1:]
    assert [int(row.split()[0]) for row in untitled] == [hub.row for hub in made("bare").hubs]


def test_corrections_raw_first():
    result = made("diagnosis").corrections
    page = render_page(made("diagnosis").to_dict())
    rows = rows_of(page, "corrections")[1 : len(result.rows) + 1]
    assert rows[0].startswith("raw ") and rows[0].endswith(" all")
    for row, found in zip(rows, result.rows, strict=True):
        assert f"{100 * found.tune.spearman:.1f} ({100 * found.tune.spearman_low:.1f} to " in row
        assert f"{100 * found.test.spearman:.1f} ({100 * found.test.spearman_low:.1f} to " in row
        assert f"{100 * found.probe.accuracy:.1f}" in row
        if found.test_gain is not None:
            gain = found.test_gain
            sure = " ✓" if gain.low > 0 or gain.high < 0 else ""
            assert f"{100 * gain.value:+.1f}{sure} ({100 * gain.low:+.1f} to {100 * gain.high:+.1f})" in row
        assert ("recommended" in row) == (found.name == result.recommendation)
    sets = [row for row in rows_of(page, "corrections") if row.startswith("raw ")][1]
    assert all(f"{100 * found.spearman:.1f} (" in sets for found in result.rows[0].tests)


def test_whiskers_share_a_scale():
    page = render_page(made("diagnosis").to_dict())
    body = re.search(r'<section id="corrections".*?</section>', page, re.DOTALL)[0]
    gains = [gain for row in made("diagnosis").corrections.rows for gain in (row.test_gain, row.probe_gain) if gain]
    most = max(abs(x) for gain in gains for x in (gain.value, gain.low, gain.high))
    drawn = [float(x) for x in re.findall(r'<circle cx="([\d.]+)"', body)]
    assert drawn == [pytest.approx(75 + 70 * gain.value / most, abs=0.051) for gain in gains]


def test_layers_are_drawn_by_pooling():
    result = made("layers")
    page = render_page(result.to_dict())
    for which, pooling in enumerate(result.poolings):
        traces = {trace["name"]: trace for trace in figure(page, f"layers-spearman-{which}")["data"]}
        assert len(traces) == 3 and traces["raw"]["line"]["width"] > 3
        for layer, value in zip(result.layers, traces["raw"]["y"], strict=True):
            sts = result.row(layer, pooling).sts
            assert value is None if sts is None else value == pytest.approx(100 * sts.spearman)
        assert all("<" not in name for name in traces)
    assert f"({len(result.rows)} rows)" in section(page, "layers")
    best = max((row for row in result.rows if row.sts), key=lambda row: row.sts.spearman)
    assert f"layer {best.layer}, {best.pooling} pooling" in section(page)


def test_many_corrections_are_thin_but_named():
    data = made("layers").to_dict()
    rows = [row for row in data["rows"] if row["correction"] == "raw"]
    data["corrections"] = {f"c{i}": "" for i in range(8)}
    data["rows"] = rows + [row | {"correction": name} for name in data["corrections"] for row in rows]
    traces = figure(render_page(data), "layers-spearman-0")["data"]
    faint = [trace for trace in traces if not trace["showlegend"]]
    assert len(faint) == 7 and all(trace["line"]["width"] == 1 and trace["meta"] == "quiet" for trace in faint)
    assert all(trace["name"] in trace["hovertemplate"] for trace in faint)
    assert traces[-1]["name"] == "raw" and traces[-1]["line"]["width"] > 3


def test_layers_without_pairs_show_isotropy():
    result = made("layers_plain")
    page = render_page(result.to_dict())
    assert "Measures, no verdict" in section(page) and "Spearman" not in section(page, "layers")
    (raw,) = figure(page, "layers-average_cosine-1")["data"]
    assert raw["y"] == [pytest.approx(row.measures[1].value) for row in result.rows]


def test_correlations_of_sets():
    result = made("sts")
    page = render_page(result.to_dict())
    rows = rows_of(page, "sets")[1:]
    for row, found in zip(rows, (*result.sets, result.all, result.mean), strict=True):
        assert row.startswith(f"{found.name} {found.n_pairs} {100 * found.spearman:.1f} (")
        assert f"{100 * found.pearson:.1f} (" in row
    assert "Euclid" not in page and "The cosine of the two embeddings" in section(page, "protocol")
    assert len(rows_of(render_page(made("one_set").to_dict()), "sets")) == 2


def test_numbers_of_small_pages():
    result = made("hubness")
    text = section(render_page(result.to_dict()))
    assert f"Skewness {number(result.skewness)}" in text and f"Largest {result.largest:.4g}" in text
    result = made("overlap")
    assert f"Shared {number(result.value)} interval {number(result.low)} to" in section(render_page(result.to_dict()))
    result = made("probe")
    text = section(render_page(result.to_dict()))
    assert f"Accuracy {100 * result.accuracy:.1f}%" in text and f"{100 * result.majority:.1f}%" in text


def test_training_by_round():
    result = made("defsentplus")
    page = render_page(result.to_dict())
    assert "● Held-out loss fell" in section(page) and "3.600 → 2.750" in section(page)
    traces = figure(page, "losses")
    assert [trace["name"] for trace in traces["data"]] == ["round 1", "round 2", "round 3"]
    assert traces["data"][0]["y"] == [3.5, 2.5, 2.25]
    assert traces["layout"]["yaxis"]["type"] == "log"  # the projected round is on another scale
    rows = rows_of(page, "rounds")[1:]
    assert rows[1].startswith("2 30, stopped early 2.250 3.600 → 2.750 0% → 50% 0.125 → 0.625 15 0.300 → 0.950")
    assert rows[2].startswith("3, projected 30 225 ")
    assert "DefSent+" in section(page, "method") and "Liu" in section(page, "method")
    bare = render_page(made("defsent").to_dict())
    assert "No held-out definitions" in section(bare) and 'id="validation"' not in bare and 'id="entries"' not in bare
    assert "Tsukagoshi" in section(bare, "method") and "Liu" not in section(bare, "method")


def test_a_loss_that_rose_is_said():
    data = training(rounds=(a_round(1, validation_losses=np.array([1.0, 2.0, 3.0]), best_step=None),)).to_dict()
    assert "! Held-out loss did not fall" in section(render_page(data))


def test_methods_name_only_what_is_on_the_page():
    text = section(render_page(made("diagnosis").to_dict()), "method")
    assert "The average cosine measures the mean vector, not isotropy." in text
    assert "half-samples of the texts without replacement" in text and "bootstrap of pairs" in text
    for source in ("Ethayarajh 2019", "Rudman", "Mu & Viswanath 2018", "Roy & Vetterli 2007", "Garrido", "Wang & Isola",
                   "Timkey & van Schijndel 2021", "Bai & Saranadasa 1996"):  # fmt: skip
        assert source in text
    bare = section(render_page(made("blocks").to_dict()), "method")
    assert "Rudman" in bare and "Ethayarajh" not in bare and "half-samples" not in bare and "bootstrap of" not in bare


@pytest.mark.parametrize("gone", ["after", "corrections", "layers", "hubs"])
def test_parts_that_are_not_there_leave_no_trace(gone):
    data = made("diagnosis").to_dict()
    data[gone] = [] if gone == "hubs" else None
    page = render_page(data)
    if gone != "after":
        assert f'<section id="{gone}"' not in page and f'href="#{gone}"' not in page
    else:
        assert len(figure(page, "spectrum")["data"]) == 2
        assert rows_of(page, "measures")[0] == "Measure Value Range Isotropic value"


def test_missing_values_of_corrections_and_layers():
    data = made("diagnosis").to_dict()
    for row in data["corrections"]["rows"]:
        row |= dict.fromkeys(("tune", "test", "test_gain", "tune_gain", "probe", "probe_tune", "probe_gain"))
        row |= {"tests": [], "test_gains": [], "neighbor_overlap": None, "measures": []}
    data["corrections"] |= {"tune": [], "test": [], "fit_overlap": {}, "tune_overlap": {}}
    for row in data["layers"]["rows"]:
        row |= {"sts": None, "measures": []}
    data["before"] |= {"cosine_histogram": None, "contributions": None}
    page = render_page(data)
    assert "Not at all: there are neither pairs with scores nor labels." in section(page, "protocol")
    assert rows_of(page, "corrections")[0] == "Correction"
    assert 'id="layers-spearman' not in page and 'id="contributions"' not in page


def test_gains_without_an_interval_have_a_dot_only():
    data = made("corrections").to_dict()
    for row in data["rows"][1:]:
        row["test_gain"] |= {"low": None, "high": None}
    row = rows_of(render_page(data), "corrections")[2]
    assert f"{100 * data['rows'][1]['test_gain']['value']:+.1f}" in row and "+" in row
    assert "strong" not in re.search(r'<section id="corrections".*?</section>', render_page(data), re.DOTALL)[0]


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0.0, "0"), (3e-17, "0"), (2.3e-7, "2.3e-07"), (0.0042, "0.0042"), (0.5214, "0.521"), (1.0, "1"),
     (-3.979, "-3.979"), (12.34, "12.3"), (1234.5, "1,234"), (384.0, "384"), (1.5e9, "1.5e+09")],
)  # fmt: skip
def test_numbers_have_sensible_digits(value, text):
    assert number(value) == text
