"""The benchmark from data to leaderboard: what it refuses, what it leaves out and counts, that it repeats itself."""

import dataclasses
import functools
import json
import warnings

import numpy as np
import pytest
import torch
from models import save_small, small_pairs

import xembed
from xembed import read_result
from xembed._core.torch import digest_tensors
from xembed.attribution import METHODS
from xembed.datasets import PairedSentences
from xembed.geco import METRICS, Benchmark, train
from xembed.geco._benchmark import PROFILES

SMALL = {"n_sentences": 6, "n_samples": 20, "n_faithful": 3, "n_randomised": 2, "n_resamples": 60, "device": "cpu"}
FEW = ["integrated_gradients", "lime", "uniform_random", "linear_tfidf"]


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_small(tmp_path_factory.mktemp("backbone") / "bert")


@pytest.fixture(scope="module")
def data():
    """Return pairs that differ in their first and in their last word."""
    pairs = small_pairs(40)
    sentences = [(*words, pairs.classes[label]) for words, label in zip(pairs.sentences, pairs.labels, strict=True)]
    marks = [(*marks, True) for marks in pairs.ground_truth]
    return dataclasses.replace(pairs, sentences=sentences, ground_truth=marks).split(10)


@pytest.fixture(scope="module")
def runner(folder, data):
    training = {"OLA": {"epochs": 2}}
    return Benchmark(data, backbone=folder, schemes=["C", "OLA"], seeds=(0, 1), training=training, **SMALL)


@pytest.fixture(scope="module")
def result(runner, tmp_path_factory):
    before = torch.get_rng_state(), np.random.get_state()  # noqa: NPY002
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Kernel SHAP has more words")
        warnings.simplefilter("error", UserWarning)
        warnings.filterwarnings("ignore", message="Kernel SHAP has more words")
        found = runner.run(tmp_path_factory.mktemp("runs") / "run", progress=False)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.array_equal(np.random.get_state()[1], before[1][1])  # noqa: NPY002
    return found


@pytest.fixture
def quick(folder):
    """Return how to make a benchmark of one small model from scratch."""
    defaults = {"schemes": ["OLA"], "methods": FEW, "seeds": (0,), "training": {"OLA": {"epochs": 1}}} | SMALL
    return lambda data, **options: Benchmark(data, **({"backbone": folder} | defaults | options))


def numbers(result):
    """Return a result as plain data without how long it took."""

    def clean(value):
        if isinstance(value, dict):
            return {key: clean(item) for key, item in value.items() if key != "seconds"}
        return [clean(item) for item in value] if isinstance(value, list) else value

    return clean(result.to_dict())


def rows(*items, classes=("female", "male"), name="mine"):
    """Return data from (words, marks, label, group)."""
    words, marks, labels, groups = zip(*items, strict=True)
    return PairedSentences(name, words, marks, labels, groups, classes)


def pair(group, *rest, first="she", second="he"):
    words = [*rest]
    return [
        ([first, *words], [1] + [0] * len(words), 0, group),
        ([second, *words], [1] + [0] * len(words), 1, group),
    ]


# ---- a result


def test_every_scheme_has_every_method(result):
    table = {(row.scheme, row.method) for row in result.rows}
    assert table == {(scheme, name) for scheme in ("C", "OLA") for name in [*METHODS, "chance", "oracle"]}
    assert len(result.rows) == len(table)
    assert [row.scheme for row in result.schemes] == ["C", "OLA"]
    assert (result.n_train, result.n_test, result.n_sentences) == (60, 12, 6)
    assert result.classes == ("female", "male") and tuple(result.seeds) == (0, 1)
    assert result.n_resamples == 60 and result.excluded == {}


def test_only_valid_methods_have_numbers(result):
    for row in result.rows:
        if row.status == "valid":
            assert set(row.metrics) == set(METRICS)
            for score in row.metrics.values():
                assert score["low"] - 1e-9 <= score["mean"] <= score["high"] + 1e-9
            assert set(row.forms) == {"female", "male"} and len(row.quantiles) == 5
            assert row.quantiles == tuple(sorted(row.quantiles))
        else:
            assert row.reason and not row.metrics and row.form_difference is row.correct_only is None
    assert result.row("C", "guided_backprop").status == "degenerate"
    assert "no ReLU" in result.row("C", "guided_backprop").reason


def test_what_is_said_of_valid_methods(result):
    row = result.row("OLA", "integrated_gradients")
    assert set(row.model_truth) == {"spearman", "top1", "cosine", "overlap"}
    assert set(row.faithfulness) == {"comprehensiveness", "sufficiency"}
    assert set(row.randomisation) == {"head", "encoder"}
    assert row.completeness <= 0.01 and row.special == 0 and row.seconds > 0
    assert row.metrics["mass_accuracy"]["mean"] > 0.5  # it learned that the pronoun decides
    assert result.row("OLA", "lime").completeness is None
    assert result.row("OLA", "saliency_l2").special > 0
    assert result.row("OLA", "uniform_random").randomisation == {}


def test_reference_rows(result):
    expected = np.mean([np.mean(marks) for marks in small_truth(result)])
    for scheme in ("C", "OLA"):
        oracle, chance, constant = (result.row(scheme, name) for name in ("oracle", "chance", "constant"))
        for metric in ("mass_accuracy", "rank_accuracy", "auroc", "auprc", "pointing_game", "top_k_precision"):
            if metric in METRICS:
                assert oracle.metrics[metric]["mean"] == oracle.metrics[metric]["low"] == 1
                assert constant.metrics[metric]["mean"] == pytest.approx(chance.metrics[metric]["mean"])
        assert chance.metrics["mass_accuracy"]["mean"] == pytest.approx(expected)
        assert oracle.family == chance.family == "reference" and oracle.stability == {}
        random = result.row(scheme, "uniform_random").metrics["mass_accuracy"]
        assert random["low"] < expected < random["high"]
    # What does not look at the model is the same for all of them.
    for name in ("linear_tfidf", "gendered_lexicon", "chance", "oracle"):
        assert result.row("C", name).metrics == result.row("OLA", name).metrics


def small_truth(result):
    lengths = {tuple(form["words"]): form["ground_truth"] for item in result.sentences for form in item["forms"]}
    assert len(lengths) == 12
    return list(lengths.values())


def test_sentences_to_look_at(result):
    assert len(result.sentences) == 6
    for item in result.sentences:
        assert [form["form"] for form in item["forms"]] == ["female", "male"]
        for form in item["forms"]:
            assert form["words"][-1] == form["form"]
            assert form["words"][0] == ("she" if form["form"] == "female" else "he")
            assert form["ground_truth"] == [True] + [False] * (len(form["words"]) - 2) + [True]
            for scheme in ("C", "OLA"):
                found = form["schemes"][scheme]
                assert 0 <= found["probability"] <= 1 and isinstance(found["correct"], bool)
                assert list(found["pair_shapley"]) == ["0", str(len(form["words"]) - 1)]
                valid = {row.method for row in result.rows if row.scheme == scheme and row.status == "valid"}
                assert set(found["methods"]) == valid - {"chance", "oracle"}
                assert {len(values) for values in found["methods"].values()} == {len(form["words"])}


def test_failures_are_the_worst_rows(result):
    named = {(item["scheme"], item["method"]) for item in result.failures}
    assert named == {
        (row.scheme, row.method)
        for row in result.rows
        if row.status == "valid" and METHODS.get(row.method) and METHODS[row.method].family != "reference"
    }
    for scheme, method in named:
        worst = [
            item["mass_accuracy"] for item in result.failures if (item["scheme"], item["method"]) == (scheme, method)
        ]
        assert len(worst) == 3 and worst == sorted(worst)
    groups = {item["group"] for item in result.sentences}
    assert {item["group"] for item in result.failures} <= groups


def test_accuracy_is_that_of_the_models(result):
    ola = result.schemes[1]
    assert ola.accuracy.mean == pytest.approx(np.mean(ola.accuracy_by_seed))
    assert ola.accuracy.mean == pytest.approx(np.mean(list(ola.accuracy_by_form.values())))
    assert len(ola.accuracy_by_seed) == 2 and ola.epochs == 2
    assert 0 <= ola.prediction_gap <= 1


def test_there_and_back_through_json(result, tmp_path):
    result.to_json(tmp_path / "result.json")
    again = read_result(tmp_path / "result.json")
    assert again.to_dict() == json.loads((tmp_path / "result.json").read_text())
    assert again.row("C", "lime").metrics == result.row("C", "lime").metrics
    with pytest.raises(KeyError):
        result.row("C", "lrp")


def test_a_table_and_the_best(result):
    frame = result.to_frame()
    assert len(frame) == len(result.rows)
    assert {"mass_accuracy", "mass_accuracy_low", "mass_accuracy_high", "status", "seconds"} <= set(frame.columns)
    best = result.best("OLA")
    row = result.row("OLA", best)
    assert row.status == "valid" and METHODS[best].family != "reference" and row.against_best is None
    others = [
        other
        for other in result.rows
        if other.scheme == "OLA" and other.family != "reference" and other.status == "valid" and other.method != best
    ]
    for other in others:
        assert other.metrics["mass_accuracy"]["mean"] <= row.metrics["mass_accuracy"]["mean"]
        assert 0 < other.against_best <= 1
    assert "n_schemes=2" in repr(result)


def test_notes_say_what_to_know(result):
    text = " ".join(result.notes)
    assert "2 seeds" in text and "The score of the true class is explained" in text


# ---- that it repeats itself


@pytest.mark.slow
def test_two_runs_are_equal_to_the_bit(result, folder, data, tmp_path):
    names = ["gradient_shap", "lime", "shapley_sampling", "integrated_gradients", "uniform_random", "pattern"]
    options = dict(backbone=folder, schemes=["C", "OLA"], seeds=(3, 1), methods=names, training={"OLA": {"epochs": 2}})
    first, second = (
        Benchmark(data, **options, **SMALL).run(tmp_path / name, progress=False) for name in ("first", "second")
    )
    assert numbers(first) == numbers(second)
    assert numbers(first)["rows"] != numbers(result)["rows"]
    # Seed 1 was in the other run too: what a method gives does not depend on the other methods.
    ones = [
        json.loads((run / "cells" / "OLA-1" / "pair_shapley.json").read_text())["values"]
        for run in (tmp_path / "first", tmp_path / "second")
    ]
    assert ones[0] == ones[1]


def test_reading_a_finished_run_gives_the_same(quick, data, tmp_path):
    run = quick(data)
    first = run.run(tmp_path / "run", progress=False)
    assert numbers(run.run(tmp_path / "run", progress=False)) == numbers(first)
    written = json.loads((tmp_path / "run" / "result.json").read_text())
    assert written["rows"] == first.to_dict()["rows"]


def test_the_likeliest_class_can_be_explained(quick, data, tmp_path):
    training = {"OLA": {"epochs": 1, "learning_rate": 1e-7}}  # it learns nothing, and is wrong at times
    label, predicted = (
        quick(data, target=target, training=training, methods=["input_x_gradient"]).run(
            tmp_path / target, progress=False
        )
        for target in ("label", "predicted")
    )
    assert label.schemes[0].accuracy.mean < 1
    shown = {}
    for name, found in (("label", label), ("predicted", predicted)):
        forms = [form for item in found.sentences for form in item["forms"]]
        shown[name] = sorted(
            (f["words"], f["schemes"]["OLA"]["correct"], f["schemes"]["OLA"]["methods"]) for f in forms
        )
    for (_, correct, a), (_, _, b) in zip(shown["label"], shown["predicted"], strict=True):
        assert (a == b) == correct
    assert not any("true class" in note for note in predicted.notes)


def test_tests_can_be_left_out(quick, data, tmp_path):
    found = quick(data, n_faithful=0, n_randomised=0).run(tmp_path / "run", progress=False)
    assert all(row.faithfulness == {} and row.randomisation == {} for row in found.rows)
    files = {path.name for path in (tmp_path / "run" / "cells" / "OLA-0").iterdir()}
    assert files == {"logits.safetensors", "health.json", "methods", "pair_shapley.json"}


def test_three_forms(quick, tmp_path):
    three = []
    for group, verb in enumerate(["sings", "sleeps", "reads", "waits", "walks", "writes", "cooks", "paints"]):
        three += [([who, verb, "."], [1, 0, 0], label, group) for label, who in enumerate(("she", "he", "they"))]
    data = (
        rows(*three[:12], classes=("female", "male", "neutral")),
        rows(*three[12:], classes=("female", "male", "neutral")),
    )
    found = quick(data).run(tmp_path / "run", progress=False)
    assert found.n_test == 12 and found.n_sentences == 4
    row = found.row("OLA", "integrated_gradients")
    assert set(row.forms) == {"female", "male", "neutral"}
    assert found.row("OLA", "chance").metrics["mass_accuracy"]["mean"] == pytest.approx(1 / 3)


def test_the_reproduction_of_published_code_has_moved(quick, data):
    for call in (
        lambda: quick(data, reference_mode="gecobench"),
        lambda: xembed.geco.reference_attributions(None, None, data, "lime"),
        lambda: xembed.geco.reference_metrics([1], [1]),
    ):
        with pytest.raises(NotImplementedError, match="is in docs/measurements/geco_reference of the source"):
            call()


# ---- before it starts


def test_the_plan_names_the_cost(runner):
    plan = runner.plan()
    assert plan.text.startswith("4 models (C, OLA; seeds 0, 1) are trained on 60 rows of small; ")
    assert f"{len(METHODS)} methods explain 12 rows, 6 sentences, of small" in plan.text
    assert f"{plan.n_forward:,} rows forward, {plan.n_backward:,} forward and backward" in plan.text
    assert plan.text.endswith("on this machine.") and plan.seconds > 0 and plan.n_models == 4
    unmeasured = runner.plan(measure=False)
    assert unmeasured.seconds is None and "on this machine" not in unmeasured.text
    assert (unmeasured.n_forward, unmeasured.n_backward) == (plan.n_forward, plan.n_backward)


def test_the_plan_is_about_what_it_costs(quick, data, tmp_path, monkeypatch):
    run = quick(data, methods=["integrated_gradients", "lime", "occlusion"], n_sentences=8)
    seen = []
    monkeypatch.setattr("xembed.geco._benchmark._shown", lambda *_: __import__("contextlib").nullcontext(seen.append))
    run.run(tmp_path / "run", progress=False)
    plan = run.plan(measure=False)
    assert 0.4 < sum(seen) / (plan.n_forward + plan.n_backward) < 1.6


def test_progress_goes_to_stderr(quick, data, tmp_path, capsys):
    quick(data, methods=["saliency_l2"]).run(tmp_path / "run", progress=True)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "1 models (OLA; seeds 0)" in captured.err and "row" in captured.err


def test_profiles(folder, data):
    for name, expected in PROFILES.items():
        found = Benchmark(data, profile=name, backbone=folder, schemes=["OLA"], methods=["lime"], device="cpu")
        assert found.seeds == expected["seeds"] and found.settings.n_samples == expected["n_samples"]
        assert found.settings.n_faithful == expected["n_faithful"]
        assert len(found.test.pairs) == min(10, expected["n_sentences"] or 10)
    found = Benchmark(data, profile="full", backbone=folder, schemes=["OLA"], seeds=5, n_sentences=3, device="cpu")
    assert found.seeds == (5,) and len(found.test.pairs) == 3 and found.settings.n_samples == 100


# ---- what is left out, and counted


def test_rows_that_cannot_be_scored_are_counted(folder):
    long = ["and"] * 50
    test = rows(
        *pair(0, "sings", "."),
        *pair(1, "sleeps", "."),
        # Forms of different length.
        (["she", "reads"], [1, 0], 0, 2),
        (["he", "often", "reads"], [1, 0, 0], 1, 2),
        # Nothing but ground truth.
        (["she"], [1], 0, 3),
        (["he"], [1], 1, 3),
        # No ground truth, in one form only.
        (["she", "waits"], [0, 0], 0, 4),
        (["he", "waits"], [1, 0], 1, 4),
        *pair(5, *long),
        # Only one form.
        (["she", "walks"], [1, 0], 0, 6),
    )
    found = Benchmark((small_pairs(20), test), backbone=folder, schemes=["C"], methods=["lime"], device="cpu")
    assert found.excluded == {
        "rows of sentences without all forms": 1,
        "rows of sentences whose forms differ in length": 2,
        "rows of sentences whose words are all ground truth": 2,
        "rows of sentences without ground truth": 2,
        "rows of sentences that are too long for the model": 2,
    }
    assert found.test.data.groups == (0, 0, 1, 1) and found.test.pairs == [(0, 1), (2, 3)]


def test_counts_are_in_the_result(quick, data, tmp_path):
    test = rows(*pair(0, "sings"), *pair(1, "sleeps"), (["she", "walks", "and"], [1, 0, 0], 0, 6))
    found = quick((data[0], test), n_sentences=None).run(tmp_path / "run", progress=False)
    assert found.excluded == {"rows of sentences without all forms": 1}
    assert found.n_test == 4


def test_pairs_are_found_in_any_order(quick, data):
    test = rows(*reversed(pair(0, "sings")), *pair(7, "sleeps"))
    found = quick((data[0], test), n_sentences=None)
    first, second = found.test.pairs[0]
    assert (found.test.data.labels[first], found.test.data.labels[second]) == (0, 1)
    assert {found.test.data.groups[row] for row in found.test.pairs[0]} == {0}


# ---- what is refused

TRAIN = small_pairs(10)


def one_class():
    return TRAIN.where("female")


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"schemes": ["D"]}, ValueError, r"'C'.*'CEfAf'.*'OLA'.*Got 'D'"),
        ({"schemes": []}, ValueError, "'schemes' of Benchmark must be one or more of"),
        ({"schemes": ["zero-shot"]}, ValueError, "."),
        ({"methods": ["lrp"]}, ValueError, r"'method' parameter of Benchmark must be one of \{.*'lime'.*\}. Got 'lrp'"),
        ({"methods": []}, ValueError, r"'method' parameter of Benchmark must be one or more of"),
        ({"profile": "slow"}, ValueError, r"'profile' parameter of Benchmark must be one of \{'full', 'quick'\}"),
        ({"target": "male"}, ValueError, r"'target' parameter of Benchmark must be one of \{'label', 'predicted'\}"),
        ({"baseline": "delete"}, ValueError, "'baseline' parameter of Benchmark"),
        ({"deletion": "zero"}, ValueError, "'deletion' parameter of Benchmark"),
        ({"max_steps": 50}, ValueError, "'max_steps' parameter of Benchmark must be 12, 24, 48, .* Got 50"),
        ({"tolerance": 0}, ValueError, "'tolerance' parameter of Benchmark"),
        ({"n_samples": 1}, ValueError, "'n_samples' parameter of Benchmark must be an integer of at least 2"),
        ({"n_sentences": 0}, ValueError, "'n_sentences' parameter of Benchmark must be an integer of at least 1"),
        ({"n_faithful": -1}, ValueError, "'n_faithful' parameter of Benchmark"),
        ({"n_randomised": 1.5}, TypeError, "'n_randomised' parameter of Benchmark"),
        ({"n_resamples": 5}, ValueError, "'n_resamples' parameter of Benchmark must be an integer of at least 20"),
        ({"confidence_level": 1}, ValueError, "'confidence_level' parameter of Benchmark"),
        ({"seeds": []}, ValueError, "'seeds' of Benchmark must be one or more integers"),
        ({"seeds": [-1]}, ValueError, "'seeds' parameter of Benchmark must be an integer of at least 0"),
        ({"seeds": [True]}, TypeError, "'seeds' parameter of Benchmark"),
        ({"training": {"CEf": {"epochs": 1}}}, ValueError, r"'training' of Benchmark must be of the schemes.*'CEf'"),
        ({"training": {"OLA": {"epoch": 1}}}, ValueError, r"'epochs'.*Got \['epoch'\] for 'OLA'"),
        ({"training": {"OLA": {"seed": 1}}}, ValueError, r"Got \['seed'\] for 'OLA'"),
        ({"training": {"OLA": 3}}, ValueError, r"a dictionary of the options .* Got 3 for 'OLA'"),
        ({"device": "tpu"}, ValueError, "device"),
    ],
)
def test_options_that_are_none(quick, data, options, kind, message):
    with pytest.raises(kind, match=message):
        quick(data, **options)


@pytest.mark.parametrize(
    ("made", "kind", "message"),
    [
        (
            lambda: TRAIN,
            TypeError,
            "'data' of Benchmark must be training and test data, two PairedSentences. Got Paired",
        ),
        (lambda: (TRAIN,), TypeError, "two PairedSentences"),
        (lambda: (TRAIN, [["she"]]), TypeError, "two PairedSentences"),
        (lambda: (TRAIN, TRAIN), ValueError, r"must not share sentences. 20 of the test data.*\(first: 'he and cooks"),
        (lambda: (TRAIN, rows(*pair(0, "sings"), *pair(0, "sleeps"), classes=("a", "b"))), ValueError, "twice|classes"),
        (
            lambda: (TRAIN, rows(*pair(0, "sings"), classes=("male", "female"))),
            ValueError,
            r"must have the same classes. Got \('female', 'male'\) and \('male', 'female'\)",
        ),
        (
            lambda: (one_class(), rows(*pair(0, "sings"))),
            ValueError,
            r"training data of Benchmark must have rows of every class of .*Got rows of 1 only",
        ),
        (
            lambda: (TRAIN, rows(*pair(0, "sings"), *pair(1, "reads")).where("male")),
            ValueError,
            r"must hold a sentence that can be scored. Left out: \{'rows of sentences without all forms': 2\}",
        ),
        (
            lambda: (TRAIN, rows((["she", "sings"], [0, 0], 0, 0), (["he", "sings"], [0, 0], 1, 0))),
            ValueError,
            r"can be scored. Left out: \{'rows of sentences without ground truth': 2\}",
        ),
        (
            lambda: (TRAIN, rows(*pair(0, *["and"] * 600))),
            ValueError,
            r"can be scored. Left out: \{'rows of sentences that are too long for the model': 2\}",
        ),
    ],
)
def test_data_that_are_none(quick, made, kind, message):
    with pytest.raises(kind, match=message):
        quick(made())


def test_one_test_sentence_has_no_interval(quick, data, tmp_path):
    found = quick((data[0], rows(*pair(0, "sings", "."))), n_sentences=None).run(tmp_path / "run", progress=False)
    row = found.row("OLA", "integrated_gradients")
    score = row.metrics["mass_accuracy"]
    assert score["low"] == score["mean"] == score["high"]
    assert row.form_difference is None


def test_a_model_that_gives_nan_is_said(quick, data, tmp_path, monkeypatch):
    @functools.wraps(train)
    def diverge(model, *args, **options):
        trained = train(model, *args, **options)
        with torch.no_grad():
            trained.model.get_input_embeddings().weight.fill_(torch.nan)
        record = dataclasses.replace(trained.record, digest=digest_tensors(trained.model.state_dict()))
        return dataclasses.replace(trained, record=record)

    monkeypatch.setattr("xembed.geco._benchmark.train", diverge)
    with pytest.raises(
        RuntimeError, match=r"The model of Benchmark must give finite scores. Got NaN or infinity for 12 of"
    ):
        quick(data).run(tmp_path / "run", progress=False)
    assert not (tmp_path / "run" / "result.json").exists()
