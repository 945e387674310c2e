"""From attributions to the leaderboard, by hand on three sentences of four words."""

import dataclasses
import json

import numpy as np
import pytest
from scipy.special import softmax

from xembed.attribution import METHODS, MethodHealth, MethodOutput, MethodStatus, PairShapley
from xembed.attribution._methods import find_methods
from xembed.datasets import PairedSentences
from xembed.geco import METRICS, chance, clustered_interval, holm, paired_difference
from xembed.geco._leaderboard import (
    FormDifference,
    LeaderboardRow,
    Resampling,
    SchemeScores,
    correct_forms,
    failures,
    mean_interval,
    scheme_row,
    scheme_rows,
    sentences_to_show,
)
from xembed.geco._metrics import score_rows
from xembed.geco._run import TestSet

HOW = Resampling(200, 0.9, 0)
TRUTH = [[1, 0, 1, 0], [1, 0, 1, 0], [1, 0, 0, 0], [1, 0, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1]]
GROUPS = [4, 4, 9, 9, 2, 2]
# Mass accuracies by hand, rows in order: 1/2, 3/4, 1/4, 1, 0, 1/2.
LIME = [[1, 2, 1, 0], [2, 1, -1, 0], [1, 1, 1, 1], [-5, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 1]]
GOOD = [[3, 0, 1, 0], [1, 0, 1, 0], [1, 0, 0, 0], [3, 1, 0, 0], [0, 0, 1, 2], [0, 0, 1, 3]]
MASSES = {"lime": [0.5, 0.75, 0.25, 1, 0, 0.5], "occlusion": [1, 1, 1, 0.75, 1, 1]}
# Both forms of 4 right, one of 9, none of 2; the second seed is right everywhere.
LOGITS = np.array(
    [[[2, 0], [0, 1], [1, 0], [3, 0], [0, 1], [2, 1]], [[2, 0], [0, 1], [1, 0], [0, 3], [2, 1], [0, 1]]], dtype=float
)


@pytest.fixture
def test_set():
    words = [
        ["she", "met", "her", "."], ["he", "met", "him", "."], ["she", "sang", "well", "."],
        ["he", "sang", "well", "."], ["a", "poor", "queen", "her"], ["a", "poor", "king", "him"],
    ]  # fmt: skip
    return TestSet.of(PairedSentences("hand", words, TRUTH, [0, 1] * 3, GROUPS, ("female", "male")))


def output(rows, **known):
    return MethodOutput.of([np.array(row, dtype=float) for row in rows], **known)


def truth(values=((2.0, 1.0), (3.0,), (1.0, 0.0))):
    return PairShapley(
        positions=((0, 2), (0,), (2, 3)),
        values=tuple(np.array(of_pair) for of_pair in values),
        differences=np.array([3.0, 3.0, 1.0]),
        first_scores=np.array([2.0, 1.0, 0.0]),
        second_scores=np.array([-1.0, -2.0, -1.0]),
        targets=(0, 0, 0),
        reasons=("", "", ""),
        output="logit",
        n_mixed=10,
    )


@pytest.fixture
def found(test_set):
    """Return the scores of a scheme with two seeds; the second one's LIME is GOOD too."""
    outputs = {
        "lime": [output(LIME), output(GOOD)],
        "occlusion": [output(GOOD), output(GOOD)],
        "integrated_gradients": [
            output(LIME, completeness=np.array([0.1, 0.2, 0.3, 0.4, np.inf, 0.6]), special=np.zeros(6)),
            output(LIME, completeness=np.full(6, 0.5), special=np.full(6, 0.5)),
        ],
        "uniform_random": [output(np.full((6, 4), 0.5))] * 2,
        "oracle": [output(TRUTH)] * 2,
    }
    scores = {}
    for name, of_seeds in outputs.items():
        each = [score_rows(of_seed.words, test_set.data.ground_truth) for of_seed in of_seeds]
        scores[name] = {metric: np.stack([values[metric] for values in each]) for metric in METRICS}
    faithful = {
        f"{name}/{metric}": np.array([0.2, 0.4, 0.6, 0.8]) for name in ("lime", "oracle") for metric in FAITHFUL
    }
    return SchemeScores(
        outputs=outputs,
        seconds=dict.fromkeys(outputs, 0.25),
        scores=scores,
        logits=LOGITS,
        truths=[truth(), truth()],
        faithful=[faithful | {"rows": np.array([0, 1, 2, 3])}] * 2,
        random={
            "lime/head": np.array([0.5, 0.7, np.nan, 0.9]),
            "lime/encoder": np.full(4, np.nan),
            "rows": np.arange(4),
        },
    )


FAITHFUL = ("comprehensiveness", "sufficiency")
ASKED = ("lime", "occlusion", "integrated_gradients", "uniform_random", "deep_lift")


@pytest.fixture
def health():
    names = ("lime", "occlusion", "integrated_gradients")
    statuses = [MethodStatus(name, METHODS[name].label, "valid", "") for name in names[:2]]
    statuses += [
        MethodStatus("integrated_gradients", "Integrated Gradients", "valid", "misses the sum by 50 % (median)"),
        MethodStatus("deep_lift", "DeepLIFT", "degenerate", "equal to something"),
    ]
    return MethodHealth("Model", tuple(statuses), (), {})


@pytest.fixture
def rows(found, health, test_set):
    return {row.method: row for row in scheme_rows("CEf", found, health, test_set, ASKED, HOW)}


# ---- numbers by hand


def test_masses_by_hand(found, test_set):
    assert found.scores["lime"]["mass_accuracy"][0].tolist() == MASSES["lime"]
    assert found.scores["occlusion"]["mass_accuracy"][1].tolist() == MASSES["occlusion"]
    assert test_set.pairs == [(0, 1), (2, 3), (4, 5)]


def test_rows_and_their_order(found, health, test_set):
    order = [row.method for row in scheme_rows("CEf", found, health, test_set, ASKED, HOW)]
    assert order == ["chance", *ASKED, "oracle"]


def test_means_and_intervals(rows, found):
    lime = rows["lime"]
    expected = np.mean([MASSES["lime"], MASSES["occlusion"]])
    assert lime.metrics["mass_accuracy"]["mean"] == pytest.approx(expected)
    values = found.scores["lime"]["mass_accuracy"]
    interval = clustered_interval(
        values.ravel(), [*GROUPS, *GROUPS], seeds=np.repeat([0, 1], 6), n_resamples=200, confidence_level=0.9
    )
    assert lime.metrics["mass_accuracy"] == {"mean": interval[0], "low": interval[1], "high": interval[2]}
    assert lime.forms == pytest.approx(
        {"female": np.mean([0.5, 0.25, 0, 1, 1, 1]), "male": np.mean([0.75, 1, 0.5, 1, 0.75, 1])}
    )
    np.testing.assert_allclose(lime.quantiles, np.percentile(values, [5, 25, 50, 75, 95]))
    assert (lime.scheme, lime.label, lime.family, lime.status, lime.reason) == (
        "CEf",
        "LIME",
        "perturbation",
        "valid",
        "",
    )
    assert lime.seconds == 0.25


def test_the_oracle_is_perfect_and_chance_is_chance(rows):
    perfect = {"mass_accuracy", "rank_accuracy", "auroc", "auprc", "pointing_game", "top_k_precision"} & set(METRICS)
    assert len(perfect) >= 5
    for metric in perfect:
        assert rows["oracle"].metrics[metric] == {"mean": 1, "low": 1, "high": 1}
    for metric in METRICS:
        expected = np.mean([chance(metric, marks) for marks in TRUTH])
        assert rows["chance"].metrics[metric]["mean"] == pytest.approx(expected)
    assert rows["chance"].metrics["mass_accuracy"]["mean"] == pytest.approx((2 + 1 + 2) / 12)
    assert rows["oracle"].stability == {} and rows["oracle"].randomisation == {}
    assert rows["chance"].model_truth == rows["chance"].stability == rows["chance"].faithfulness == {}
    for name in ("oracle", "chance"):
        assert (rows[name].family, rows[name].against_best) == ("reference", None)


def test_a_constant_explanation_scores_chance(rows):
    for metric in METRICS:
        if metric != "gini":
            mean = rows["uniform_random"].metrics[metric]["mean"]
            assert mean == pytest.approx(rows["chance"].metrics[metric]["mean"]), metric


def test_only_what_the_model_gets_right(rows, found):
    # The first seed: both forms of 4, the first of 9, none of 2. The second seed: all.
    right = [0.5, 0.75, 0.25, *MASSES["occlusion"]]
    assert rows["lime"].correct_only.mean == pytest.approx(np.mean(right))
    assert rows["oracle"].correct_only.mean == 1


def test_only_what_the_model_gets_right_can_be_too_little(found, health, test_set):
    wrong = np.array([[[0, 1], [1, 0]] * 3] * 2, dtype=float)
    one = wrong.copy()
    one[:, :2] = one[:, :2, ::-1]
    for logits in (wrong, one):  # no sentence, and one
        row = scheme_rows("C", dataclasses.replace(found, logits=logits), health, test_set, ["lime"], HOW)[1]
        assert row.correct_only is None


def test_completeness_and_special(rows):
    row = rows["integrated_gradients"]
    assert row.completeness == pytest.approx(np.median([0.1, 0.2, 0.3, 0.4, np.inf, 0.6, *[0.5] * 6]))
    assert row.special == pytest.approx(0.25)
    assert row.reason == "misses the sum by 50 % (median)"
    assert rows["lime"].completeness is rows["lime"].special is None


def test_errors_that_are_mostly_infinite_are_none(found, health, test_set):
    found.outputs["integrated_gradients"] = [output(LIME, completeness=np.full(6, np.inf))] * 2
    row = {r.method: r for r in scheme_rows("C", found, health, test_set, ASKED, HOW)}["integrated_gradients"]
    assert row.completeness is None
    json.loads(row.to_json())  # strict JSON has no infinity


def test_methods_that_are_not_valid_have_a_reason_and_no_number(rows):
    row = rows["deep_lift"]
    assert (row.status, row.reason, row.label) == ("degenerate", "equal to something", "DeepLIFT")
    assert row.metrics == row.forms == row.model_truth == {}
    assert row.quantiles == () and row.seconds is row.against_best is row.form_difference is None


def test_a_row_reads_back(rows):
    for row in rows.values():
        assert LeaderboardRow.from_json(row.to_json()).to_dict() == row.to_dict()


# ---- tests


def test_the_difference_of_forms(rows, found):
    values = found.scores["lime"]["mass_accuracy"]
    first, second = values[:, [0, 2, 4]].ravel(), values[:, [1, 3, 5]].ravel()
    expected = paired_difference(
        first, second, [4, 9, 2] * 2, seeds=np.repeat([0, 1], 3), n_resamples=200, confidence_level=0.9
    )
    row = rows["lime"].form_difference
    assert row.difference == pytest.approx(np.mean(first - second)) and row.difference < 0
    assert (row.low, row.high, row.pvalue) == (expected.low, expected.high, expected.pvalue)
    assert row.corrected == row.pvalue  # not corrected yet
    assert rows["oracle"].form_difference.difference == 0


def test_against_the_best(rows, found):
    assert rows["occlusion"].against_best is None  # the best of those that look at the model
    others = ["lime", "integrated_gradients"]
    best = found.scores["occlusion"]["mass_accuracy"].ravel()
    pvalues = paired_difference(
        np.stack([best, best], axis=1),
        np.stack([found.scores[name]["mass_accuracy"].ravel() for name in others], axis=1),
        [*GROUPS, *GROUPS],
        seeds=np.repeat([0, 1], 6),
        n_resamples=200,
    ).pvalue
    assert [rows[name].against_best for name in others] == holm(pvalues).tolist()
    assert rows["uniform_random"].against_best is None


def test_one_method_has_nothing_to_be_compared_with(found, health, test_set):
    for name in ("occlusion", "integrated_gradients"):
        del found.outputs[name], found.scores[name]
    by_name = {row.method: row for row in scheme_rows("C", found, health, test_set, ["lime"], HOW)}
    assert by_name["lime"].against_best is None


def row_with(pvalue, scheme="C", method="lime", family="perturbation"):
    blank = {field.name: None for field in dataclasses.fields(LeaderboardRow)}
    difference = None if pvalue is None else FormDifference(0.1, 0.0, 0.2, pvalue, pvalue)
    known = {"scheme": scheme, "method": method, "family": family, "form_difference": difference}
    return LeaderboardRow(**(blank | known))


def test_forms_are_corrected_over_all_schemes_and_methods():
    given = [
        row_with(0.01),
        row_with(0.001, method="oracle", family="reference"),
        row_with(None, method="deep_lift", family="gradient"),
        row_with(0.04, scheme="OLA"),
        row_with(0.03, scheme="OLA", method="saliency_l1", family="gradient"),
    ]
    done = correct_forms(given)
    corrected = [row.form_difference and row.form_difference.corrected for row in done]
    assert corrected == [pytest.approx(0.03), 0.001, None, pytest.approx(0.06), pytest.approx(0.06)]
    assert [row.form_difference and row.form_difference.pvalue for row in done] == [0.01, 0.001, None, 0.04, 0.03]
    assert given[0].form_difference.corrected == 0.01  # rows are not changed in place
    assert correct_forms([]) == [] and correct_forms(given[1:3])[0].form_difference.corrected == 0.001


# ---- agreement with what the model does, faithfulness, stability


def test_agreement_by_hand(rows):
    # Sizes at the changed words. Pair 4, values 2 and 1: LIME has 1, 1 and 2, 1, then 3, 1 and 1, 1 in the second seed.
    # Pair 2, values 1 and 0: 0, 0 (nothing to compare) and 1, 1, then 1, 2 and 1, 3. Pair 9 has one changed word only.
    top = [np.mean([0.5, 1]), np.mean([1, 0.5]), np.mean([0, 0])]
    overlap = [np.mean([0.5 + 1 / 3, 1]), np.mean([2 / 3 + 1 / 4, 0.5 + 1 / 3]), np.mean([1 / 3, 1 / 4])]
    found = rows["lime"].model_truth
    assert found["top1"]["mean"] == pytest.approx(np.mean(top))
    assert found["overlap"]["mean"] == pytest.approx(np.mean(overlap))
    assert "spearman" not in found  # of one pair only: an interval needs two


def test_faithfulness_and_randomisation_by_hand(rows):
    lime = rows["lime"]
    assert lime.faithfulness["comprehensiveness"]["mean"] == pytest.approx(0.5)
    assert set(rows["oracle"].faithfulness) == set(FAITHFUL) and rows["occlusion"].faithfulness == {}
    assert lime.randomisation["head"]["mean"] == pytest.approx(0.7)
    assert set(lime.randomisation) == {"head"}  # the other one is not known of any row


def test_stability_by_hand(rows):
    # Shared words, sizes over the sum. Pair 4: (2, 0) of 4 and (1, 0) of 4; pair 9: (1, 1, 1) of 4 and nothing of 5;
    # pair 2: (1, 1) of 2 and of 4. In the second seed: nothing and nothing; nothing and (1, 0, 0) of 4; nothing.
    expected = np.mean([0.25, 0.75, 0.5, 0, 0.25, 0])
    assert rows["lime"].stability["context_l1"]["mean"] == pytest.approx(expected)


# ---- intervals


def test_intervals_of_what_is_partly_unknown():
    values = np.array([[1.0, np.nan, 3.0, np.nan], [np.nan, np.nan, 5.0, np.nan]])
    found = mean_interval(values, [0, 0, 1, 2], HOW)
    assert found["mean"] == pytest.approx(3) and found["low"] <= 3 <= found["high"]
    assert mean_interval(values[:, 2:], [1, 2], HOW) is None  # one sentence
    assert mean_interval(np.full((1, 3), np.nan), [0, 1, 2], HOW) is None


def test_intervals_are_the_same_each_time():
    values = np.random.default_rng(0).random((2, 20))
    clusters = np.repeat(np.arange(10), 2)
    assert mean_interval(values, clusters, HOW) == mean_interval(values, clusters, HOW)


# ---- accuracy


def test_the_row_of_a_scheme_by_hand(found, test_set):
    class Record:
        epochs, learning_rate, seconds = 3, 0.01, 2.0

    row = scheme_row("CEf", found, test_set, [Record, Record], HOW)
    assert row.accuracy_by_seed == pytest.approx((0.5, 1))
    assert row.accuracy.mean == pytest.approx(0.75)
    assert row.accuracy_by_form == pytest.approx({"female": 5 / 6, "male": 4 / 6})
    p = softmax(LOGITS, axis=2)
    gaps = [abs(p[seed, 2 * i, 0] - p[seed, 2 * i + 1, 1]) for seed in (0, 1) for i in range(3)]
    assert row.prediction_gap == pytest.approx(np.mean(gaps))
    # Shares of used words: 2 of 2, 1 of 1, 1 of 2.
    assert row.used_words == pytest.approx(np.mean([1, 1, 0.5]))
    assert (row.scheme, row.epochs, row.learning_rate, row.seconds) == ("CEf", 3, 0.01, 2.0)
    assert row.accuracy.low <= row.accuracy.mean <= row.accuracy.high


# ---- sentences and failures


def test_sentences_by_hand(found, test_set):
    shown = sentences_to_show({"CEf": found}, test_set)
    assert sorted(item["group"] for item in shown) == [2, 4, 9]
    assert {item["why"] for item in shown} == {"among those that methods explain worst"}
    # Mean mass accuracy of the three methods that look at the model, hardest first: 2, then 9, then 4 or the other way.
    of_rows = np.mean([MASSES["lime"], MASSES["occlusion"], MASSES["lime"]], axis=0)
    hardest = sorted([4, 9, 2], key=lambda group: of_rows[[i for i, g in enumerate(GROUPS) if g == group]].mean())
    assert [item["group"] for item in shown] == hardest
    (item,) = [item for item in shown if item["group"] == 2]
    female, male = item["forms"]
    assert (female["form"], male["form"]) == ("female", "male")
    assert female["words"] == ["a", "poor", "queen", "her"] and male["words"][2] == "king"
    assert female["ground_truth"] == [False, False, True, True]
    scheme = female["schemes"]["CEf"]
    assert scheme["pair_shapley"] == {"2": 1.0, "3": 0.0}
    assert scheme["methods"]["lime"] == [1, 1, 0, 0]
    assert set(scheme["methods"]) == {"lime", "occlusion", "integrated_gradients", "uniform_random"}
    assert not scheme["correct"] and scheme["probability"] == pytest.approx(softmax([0, 1])[0], abs=1e-4)
    assert male["schemes"]["CEf"]["probability"] == pytest.approx(softmax([2, 1])[1], abs=1e-4)
    json.dumps(shown, allow_nan=False)


def test_pairs_that_were_not_computed_show_nothing(found, test_set):
    found.truths[0] = dataclasses.replace(truth(), values=(None, np.array([3.0]), np.array([1.0, 0.0])))
    shown = {item["group"]: item for item in sentences_to_show({"C": found}, test_set)}
    assert shown[4]["forms"][0]["schemes"]["C"]["pair_shapley"] == {}
    assert shown[9]["forms"][1]["schemes"]["C"]["pair_shapley"] == {"0": 3.0}


def test_many_sentences_are_some_and_the_hardest():
    n = 40
    words = [[who, "sang", "."] for _ in range(n) for who in ("she", "he")]
    data = PairedSentences("many", words, [[1, 0, 0]] * 2 * n, [0, 1] * n, np.repeat(range(n), 2), ("a", "b"))
    given = [[1.0, 0, 0]] * 2 * n
    for hard in range(30, 38):
        given[2 * hard] = given[2 * hard + 1] = [0, 1.0, 0]
    scores = score_rows([np.array(row) for row in given], data.ground_truth)
    found = SchemeScores(
        outputs={"lime": [output(given)]},
        seconds={},
        scores={"lime": {metric: values[None] for metric, values in scores.items()}},
        logits=np.zeros((1, 2 * n, 2)),
        truths=[
            PairShapley(
                ((0,),) * n, (np.ones(1),) * n, np.ones(n), np.ones(n), np.zeros(n), (0,) * n, ("",) * n, "logit", 2 * n
            )
        ],
        faithful=[],
        random={},
    )
    shown = sentences_to_show({"C": found}, TestSet.of(data))
    assert len(shown) == 24 and len({item["group"] for item in shown}) == 24
    assert {item["group"] for item in shown if "worst" in item["why"]} == set(range(30, 38))
    assert [item["group"] for item in shown if "one of" in item["why"]] == list(range(16))
    assert {item["group"] for item in failures({"C": found}, TestSet.of(data))} == {30, 31}


def test_failures_by_hand(found, test_set):
    listed = failures({"CEf": found}, test_set)
    assert [(item["scheme"], item["method"]) for item in listed] == [
        ("CEf", name) for name in ("lime", "occlusion", "integrated_gradients") for _ in range(3)
    ]
    lime = [(item["group"], item["form"], item["mass_accuracy"]) for item in listed if item["method"] == "lime"]
    assert lime == [(2, "female", 0.0), (9, "female", 0.25), (4, "female", 0.5)]


def test_methods_are_found_by_name():
    assert [method.name for method in find_methods(["lime", "lime", "occlusion"], caller="this test")] == [
        "lime",
        "occlusion",
    ]
    assert [method.name for method in find_methods("all", caller="this test")] == list(METHODS)
