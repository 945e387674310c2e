"""The leaderboard: what a run of the benchmark gives, in plain data, and how it is made of the pieces of the run."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
import numpy.typing as npt

from xembed._core.fields import Count, Has, Level, NonNegative, Probability, Provenance
from xembed._core.results import NotCompared, Result, RowKey, UserText
from xembed.geco._metrics import METRICS, chance, score_rows
from xembed.geco._schemes import SCHEMES

if TYPE_CHECKING:
    import pandas as pd

    from xembed.attribution import MethodHealth, MethodOutput, PairShapley
    from xembed.geco._run import ConditionRun, TestSet
    from xembed.geco._training import TrainingRecord

Floats = npt.NDArray[np.float64]

ORACLE, CHANCE, MAIN = "oracle", "chance", "mass_accuracy"
_REFERENCE = "reference"  # the family of rows that do not look at the model
_QUANTILES = (5, 25, 50, 75, 95)
_FEWEST = 2  # sentences that an interval needs
_AGREEMENT = ("spearman", "top1", "cosine", "overlap")
# Sentences of a report: how many, how many of them the hardest, and worst rows of a method; digits of their numbers.
_LISTED, _HARDEST, _WORST, _DIGITS = 24, 8, 3, 4


@dataclass(frozen=True, eq=False, repr=False)
class Score(Result):
    """A mean with its interval.

    Attributes
    ----------
    mean, low, high : float
        Mean over test sentences and seeds, and its interval by resampling sentences, with all their forms, and seeds.
    """

    schema: ClassVar[str] = "xembed.geco.Score/1"

    mean: float
    low: float
    high: float


@dataclass(frozen=True, eq=False, repr=False)
class FormDifference(Result):
    """How much better the explanations of one form are than those of the other.

    Attributes
    ----------
    difference, low, high : float
        Mean mass accuracy of the first form minus that of the second, paired by sentence, with its interval.
    pvalue, corrected : float
        p-value of a sign-flip test over sentences, and corrected by Holm over all methods and schemes.
    """

    schema: ClassVar[str] = "xembed.geco.FormDifference/1"

    difference: float
    low: float
    high: float
    pvalue: Probability
    corrected: Probability


@dataclass(frozen=True, eq=False, repr=False)
class LeaderboardRow(Result):
    """One method on one scheme.

    Attributes
    ----------
    scheme, method, label, family : str
        Scheme and method, with its label and family in `xembed.attribution.METHODS`; the rows 'oracle' and 'chance'
        are references.
    status, reason : str
        'valid', 'degenerate' or 'unsupported', and why (`xembed.attribution.method_health`). Only valid methods have
        numbers.
    metrics : dict of str to dict
        ``mean``, ``low`` and ``high`` by name of the metric (`METRICS`), as in the dictionaries below.
    forms : dict of str to float
        Mean mass accuracy of each form, such as 'female' and 'male'.
    form_difference : FormDifference or None
        Difference between the first two forms.
    correct_only : Score or None
        Mass accuracy of the rows that the model classifies correctly; None if there are fewer than two sentences.
    quantiles : tuple of float
        5, 25, 50, 75 and 95 % quantiles of the mass accuracy of rows.
    against_best : float or None
        p-value, by Holm within the scheme, of the paired difference in mass accuracy to the best method of the scheme
        that looks at the model; None for that one and for reference rows.
    model_truth : dict of str to dict
        Agreement with the exact Shapley values of the changed words: 'spearman', 'top1', 'cosine', 'overlap'. Empty for
        reference rows that have no order of their own.
    faithfulness : dict of str to dict
        'comprehensiveness' and 'sufficiency', means over shares of deleted words.
    stability : dict of str to dict
        'context_l1' and 'context_kendall' (`xembed.attribution`) between the two forms of a sentence, on the words
        outside of the ground truth.
    randomisation : dict of str to dict
        Rank correlation with the attributions of a model whose 'head' or 'encoder' was drawn anew: 1 says that the
        method does not look at what was learned.
    completeness, special, seconds : float or None
        Median completeness error of methods that promise a sum, mean share of the absolute attribution on special
        tokens, and duration per sentence.
    """

    schema: ClassVar[str] = "xembed.geco.LeaderboardRow/1"

    scheme: Annotated[str, RowKey]
    method: Annotated[str, RowKey]
    label: str
    family: str
    status: str
    reason: Annotated[str, UserText]
    metrics: dict[str, Any] = field(default_factory=dict)
    forms: Annotated[dict[str, Any], UserText] = field(default_factory=dict)
    form_difference: FormDifference | None = None
    correct_only: Score | None = None
    quantiles: tuple[float, ...] = ()
    against_best: float | None = None
    model_truth: dict[str, Any] = field(default_factory=dict)
    faithfulness: dict[str, Any] = field(default_factory=dict)
    stability: dict[str, Any] = field(default_factory=dict)
    randomisation: dict[str, Any] = field(default_factory=dict)
    completeness: float | None = None
    special: float | None = None
    seconds: NonNegative | None = None


@dataclass(frozen=True, eq=False, repr=False)
class SchemeRow(Result):
    """How well the models of a scheme classify, and what they use.

    Attributes
    ----------
    scheme, description : str
        Name and meaning.
    accuracy, accuracy_by_seed, accuracy_by_form : Score, tuple of float, dict of str to float
        Accuracy on the test rows: in all, of each seed and of each form.
    prediction_gap : float or None
        Mean absolute difference of the probability of the true class between the first two forms of a sentence.
    used_words : float or None
        Share of the ground-truth words that the models use, by their exact Shapley values.
    epochs, learning_rate : int and float, or None
        Options of the training.
    seconds : float
        Mean duration of one training.
    """

    schema: ClassVar[str] = "xembed.geco.SchemeRow/1"

    scheme: Annotated[str, RowKey]
    description: Annotated[str, UserText]
    accuracy: Score
    accuracy_by_seed: tuple[Probability, ...]
    accuracy_by_form: Annotated[dict[str, Any], UserText]
    prediction_gap: float | None
    used_words: float | None
    epochs: Count | None
    learning_rate: NonNegative | None
    seconds: NonNegative


_Failure = Annotated[
    dict[str, Any],
    Has((("scheme", str), ("method", str), ("group", int), ("form", str), ("mass_accuracy", float))),
]
_OfScheme = Annotated[
    dict[str, Any],
    Has(
        (
            ("probability", float),
            ("correct", bool),
            ("pair_shapley", dict[str, float]),
            ("methods", dict[str, tuple[float, ...]]),
        )
    ),
]
_Form = Annotated[
    dict[str, Any],
    Has(
        (
            ("form", str),
            ("words", tuple[str, ...]),
            ("ground_truth", tuple[bool, ...]),
            ("schemes", dict[str, _OfScheme]),
        )
    ),
]
_Sentence = Annotated[dict[str, Any], Has((("group", int), ("why", str), ("forms", tuple[_Form, ...])))]


@dataclass(frozen=True, eq=False, repr=False)
class BenchmarkResult(Result):
    """Result of `Benchmark.run`.

    Attributes
    ----------
    data, n_train, n_test, n_sentences : str and int
        Name of the test data; numbers of rows trained on, rows tested on, and sentences (groups of forms) tested on.
    classes, backbone : tuple of str, and str
        Names of the forms, and the pretrained model.
    seeds : tuple of int
        Seeds; one model of each scheme for each.
    schemes, rows : tuple of SchemeRow, tuple of LeaderboardRow
        Accuracy; leaderboard: every scheme with every method, and the rows 'chance' and 'oracle'.
    sentences : tuple of dict
        Some test sentences to look at, of the first seed: ``group``, ``why`` it was taken, and ``forms``, a list
        of ``{"form", "words", "ground_truth", "schemes": {scheme: {"probability", "correct", "pair_shapley": {position:
        value}, "methods": {method: [a number a word]}}}}``.
    failures : tuple of dict
        Rows with the lowest mass accuracy for each scheme and method: ``scheme``, ``method``, ``group``, ``form``,
        ``mass_accuracy``.
    bias : dict
        ``cooccurrence`` and ``paired_shift`` of the data, as far as they were computed.
    excluded : dict of str to int
        Numbers of rows that were left out, by reason.
    n_resamples, confidence_level
        Options of the intervals.
    options : dict
        Profile, baseline, deletion, samples, target and so on.
    cost : dict
        Rows through models, forward and backward, and seconds, of the work that this result is made of.
    notes : tuple of str
        Caveats, in plain words.
    provenance : dict
        Function, parameters and versions.
    """

    schema: ClassVar[str] = "xembed.geco.BenchmarkResult/1"
    page: ClassVar[str | None] = "xembed.geco._pages.benchmark:benchmark"

    data: Annotated[str, UserText]
    n_train: Count
    n_test: Count
    n_sentences: Count
    classes: Annotated[tuple[str, ...], UserText]
    backbone: Annotated[str, UserText]
    seeds: tuple[int, ...]
    schemes: tuple[SchemeRow, ...]
    rows: tuple[LeaderboardRow, ...]
    sentences: Annotated[tuple[_Sentence, ...], UserText, NotCompared]
    failures: Annotated[tuple[_Failure, ...], UserText, NotCompared]
    bias: Annotated[dict[str, Any], UserText]
    excluded: Annotated[dict[str, Any], NotCompared, UserText]
    n_resamples: Count
    confidence_level: Level
    options: dict[str, Any]
    cost: dict[str, Any]
    notes: tuple[str, ...]
    provenance: Provenance

    def row(self, scheme: str, method: str) -> LeaderboardRow:
        """Return one row of the leaderboard."""
        for row in self.rows:
            if (row.scheme, row.method) == (scheme, method):
                return row
        raise KeyError((scheme, method))

    def to_frame(self) -> pd.DataFrame:
        """Return the leaderboard as a table: a row for each scheme and method, a column for each number."""
        import pandas as pd

        return pd.DataFrame(
            [
                {name: getattr(row, name) for name in ("scheme", "method", "family", "status", "reason")}
                | {
                    f"{name}{suffix}": value
                    for name, score in row.metrics.items()
                    for suffix, value in (("", score["mean"]), ("_low", score["low"]), ("_high", score["high"]))
                }
                | {"completeness": row.completeness, "seconds": row.seconds}
                for row in self.rows
            ]
        )

    def best(self, scheme: str, metric: str = "mass_accuracy") -> str | None:
        """Return the valid method with the highest mean on a scheme, reference rows left out."""
        rows = [row for row in self.rows if row.scheme == scheme and row.status == "valid" and row.family != _REFERENCE]
        return max(rows, key=lambda row: row.metrics[metric]["mean"]).method if rows else None

    def _scalars(self) -> dict[str, Any]:
        sizes = {"n_schemes": len(self.schemes), "n_seeds": len(self.seeds)}
        return {"data": self.data, "n_sentences": self.n_sentences} | sizes


# ---- from the pieces of a run to numbers of each row


@dataclass(frozen=True)
class Resampling:
    """How intervals are made."""

    n_resamples: int
    level: float
    seed: int

    @property
    def options(self) -> dict[str, Any]:
        """The keywords of the functions of `xembed.stats`."""
        return {"n_resamples": self.n_resamples, "confidence_level": self.level, "rng": self.seed}


@dataclass
class SchemeScores:
    """All numbers of one scheme, by seed and row, before they become means; lists have an item for each seed."""

    outputs: dict[str, list[MethodOutput]]  # by method, the oracle among them
    seconds: dict[str, float]  # of each method, for a sentence
    scores: dict[str, dict[str, Floats]]  # by method and metric, (n_seeds, n_rows)
    logits: Floats  # (n_seeds, n_rows, n_classes)
    truths: list[PairShapley]
    faithful: list[dict[str, np.ndarray]]  # effects of deletions by method/metric; "rows" says of which rows
    random: dict[str, np.ndarray]  # similarities to attributions of random weights by method/part, and "rows"

    def attributing(self) -> list[str]:
        """Return the methods that look at the model."""
        from xembed.attribution import METHODS

        return [name for name in self.scores if name in METHODS and METHODS[name].family != _REFERENCE]


def read_scheme(runs: Sequence[ConditionRun], health: MethodHealth, test: TestSet) -> SchemeScores:
    """Read the pieces of all seeds of a scheme and score them."""
    from xembed.attribution import MethodOutput

    truth = test.data.ground_truth
    outputs_of_seeds = [run.outputs(health) for run in runs]
    names = list(outputs_of_seeds[0])
    outputs = {name: [of_seed[name][0] for of_seed in outputs_of_seeds] for name in names}
    seconds = {
        name: float(np.mean([of_seed[name][1] for of_seed in outputs_of_seeds])) / len(test.data) for name in names
    }
    outputs[ORACLE] = [MethodOutput.of([np.array(marks, dtype=np.float64) for marks in truth])] * len(runs)
    scores: dict[str, dict[str, Floats]] = {}
    for name, of_seeds in outputs.items():
        scores_of_seeds = [score_rows(output.words, truth) for output in of_seeds]
        scores[name] = {metric: np.stack([of_seed[metric] for of_seed in scores_of_seeds]) for metric in METRICS}
    has_random = runs[0].has("randomisation.safetensors")
    return SchemeScores(
        outputs=outputs,
        seconds=seconds,
        scores=scores,
        logits=np.stack([run.read_arrays("logits.safetensors")["logits"] for run in runs]),
        truths=[run.truth() for run in runs],
        faithful=[run.read_arrays("faithfulness.safetensors") for run in runs if run.has("faithfulness.safetensors")],
        random=runs[0].read_arrays("randomisation.safetensors") if has_random else {},
    )


# ---- means, intervals and tests


def mean_interval(values: Floats, clusters: Sequence[int], resampling: Resampling) -> dict[str, float] | None:
    """Return mean, low and high of (n_seeds, n_items) values, some of them NaN; None with too few clusters."""
    from xembed.stats import clustered_interval

    n_seeds, n_items = values.shape
    flat, groups = values.ravel(), np.tile(np.asarray(clusters), n_seeds)
    seeds = np.repeat(np.arange(n_seeds), n_items)
    known = np.isfinite(flat)
    if len(np.unique(groups[known])) < _FEWEST:
        return None
    interval = clustered_interval(flat[known], groups[known], seeds=seeds[known], **resampling.options)
    return {"mean": float(interval.mean), "low": float(interval.low), "high": float(interval.high)}


def _with_interval(values: Floats, test: TestSet, resampling: Resampling) -> dict[str, float]:
    """Return mean, low and high of values of all rows; low and high are the mean where there is no interval."""
    interval = mean_interval(values, test.data.groups, resampling)
    return interval or dict.fromkeys(("mean", "low", "high"), float(np.nanmean(values)))


def _intervals(named: Mapping[str, Floats], clusters: Sequence[int], resampling: Resampling) -> dict[str, Any]:
    """Return the intervals of those values that have one."""
    intervals = {name: mean_interval(values, clusters, resampling) for name, values in named.items()}
    return {name: interval for name, interval in intervals.items() if interval}


def scheme_row(
    scheme: str, scores: SchemeScores, test: TestSet, records: Sequence[TrainingRecord], resampling: Resampling
) -> SchemeRow:
    """Return how well the models of a scheme classify, and what they use."""
    from scipy.special import softmax

    from xembed.attribution._pair_shapley import used_words

    labels = np.array(test.data.labels)
    correct = (scores.logits.argmax(axis=2) == labels).astype(np.float64)
    probabilities = softmax(scores.logits, axis=2)[:, np.arange(len(labels)), labels]
    first, second = np.array(test.pairs).T
    used = [mask.mean() for truth in scores.truths for mask in used_words(truth) if mask is not None and len(mask)]
    return SchemeRow(
        scheme=scheme,
        description=SCHEMES[scheme].description,
        accuracy=Score(**_with_interval(correct, test, resampling)),
        accuracy_by_seed=tuple(correct.mean(axis=1).tolist()),
        accuracy_by_form={
            form: float(correct[:, labels == label].mean()) for label, form in enumerate(test.data.classes)
        },
        prediction_gap=float(np.abs(probabilities[:, first] - probabilities[:, second]).mean()),
        used_words=float(np.mean(used)) if used else None,
        epochs=records[0].epochs,
        learning_rate=records[0].learning_rate,
        seconds=float(np.mean([record.seconds for record in records])),
    )


def scheme_rows(
    scheme: str, scores: SchemeScores, health: MethodHealth, test: TestSet, asked: Sequence[str], resampling: Resampling
) -> list[LeaderboardRow]:
    """Return the rows of one scheme; `correct_forms` puts in what depends on all schemes."""
    expected = {
        metric: np.tile([chance(metric, marks) for marks in test.data.ground_truth], (len(scores.logits), 1))
        for metric in METRICS
    }
    rows = [_scored_row(scheme, CHANCE, expected, test, resampling)]
    against = _against_best(scores, test, resampling)
    reasons = {status.method: status.reason for status in health.methods}
    for name in (*asked, ORACLE):
        if name in scores.outputs:
            row = _scored_row(scheme, name, scores.scores[name], test, resampling)
            more = _of_outputs(name, scores, test, resampling)
            rows.append(dataclasses.replace(row, reason=reasons.get(name, ""), against_best=against.get(name), **more))
        else:
            rows.append(_blank_row(scheme, name, health[name].status, health[name].reason))
    return rows


def _blank_row(scheme: str, name: str, status: str, reason: str) -> LeaderboardRow:
    from xembed.attribution import METHODS

    known = METHODS.get(name)
    label, family = (known.label, known.family) if known else (name.capitalize(), _REFERENCE)
    return LeaderboardRow(scheme, name, label, family, status, reason)


def _scored_row(
    scheme: str, name: str, scores: Mapping[str, Floats], test: TestSet, resampling: Resampling
) -> LeaderboardRow:
    """Return a row with what is known of scores alone."""
    labels = np.array(test.data.labels)
    return dataclasses.replace(
        _blank_row(scheme, name, "valid", ""),
        metrics={metric: _with_interval(values, test, resampling) for metric, values in scores.items()},
        forms={form: float(scores[MAIN][:, labels == label].mean()) for label, form in enumerate(test.data.classes)},
        quantiles=tuple(np.percentile(scores[MAIN], _QUANTILES).tolist()),
    )


def _of_outputs(name: str, scores: SchemeScores, test: TestSet, resampling: Resampling) -> dict[str, Any]:
    """Return the fields of a row that depend on more than its scores."""
    outputs, main = scores.outputs[name], scores.scores[name][MAIN]
    correct = scores.logits.argmax(axis=2) == np.array(test.data.labels)
    only_correct = mean_interval(np.where(correct, main, np.nan), test.data.groups, resampling)
    special = np.concatenate([output.special for output in outputs])
    return {
        "form_difference": _form_difference(main, test, resampling),
        "correct_only": Score(**only_correct) if only_correct else None,
        "model_truth": _agreement(outputs, scores.truths, test, resampling),
        "faithfulness": _faithfulness(name, scores.faithful, test, resampling),
        "stability": _stability(outputs, test, resampling) if name != ORACLE else {},
        "randomisation": _randomisation(name, scores.random, test, resampling),
        "completeness": _median(np.concatenate([output.completeness for output in outputs])),
        "special": float(np.nanmean(special)) if np.isfinite(special).any() else None,
        "seconds": scores.seconds.get(name),
    }


def _median(errors: Floats) -> float | None:
    """Return the median, None where there is none: no error is known, or most of them are infinite."""
    known = errors[~np.isnan(errors)]
    median = float(np.median(known)) if len(known) else math.nan
    return median if math.isfinite(median) else None


def _against_best(scores: SchemeScores, test: TestSet, resampling: Resampling) -> dict[str, float]:
    """Return corrected p-values of the differences to the best method that looks at the model."""
    from xembed.stats import holm, paired_difference

    main = {name: scores.scores[name][MAIN] for name in scores.attributing()}
    if len(main) < 2 or len(test.pairs) < _FEWEST:
        return {}
    best = max(main, key=lambda name: float(main[name].mean()))
    others = [name for name in main if name != best]
    n_seeds, n_rows = main[best].shape
    compared = paired_difference(
        np.repeat(main[best].ravel()[:, None], len(others), axis=1),
        np.stack([main[name].ravel() for name in others], axis=1),
        np.tile(test.data.groups, n_seeds),
        seeds=np.repeat(np.arange(n_seeds), n_rows),
        **resampling.options,
    )
    return dict(zip(others, holm(np.atleast_1d(compared.pvalue)).tolist(), strict=True))


def _form_difference(main: Floats, test: TestSet, resampling: Resampling) -> FormDifference | None:
    from xembed.stats import paired_difference

    first, second = np.array(test.pairs).T
    if len(first) < _FEWEST:
        return None
    n_seeds = len(main)
    compared = paired_difference(
        main[:, first].ravel(),
        main[:, second].ravel(),
        np.tile(np.array(test.data.groups)[first], n_seeds),
        seeds=np.repeat(np.arange(n_seeds), len(first)),
        **resampling.options,
    )
    pvalue = float(compared.pvalue)
    return FormDifference(float(compared.difference), float(compared.low), float(compared.high), pvalue, pvalue)


def correct_forms(rows: Sequence[LeaderboardRow]) -> list[LeaderboardRow]:
    """Correct the p-values of the differences between forms for all methods and schemes that look at a model."""
    from xembed.stats import holm

    differences = {
        place: row.form_difference
        for place, row in enumerate(rows)
        if row.form_difference is not None and row.family != _REFERENCE
    }
    corrected = list(rows)
    pvalues = holm([difference.pvalue for difference in differences.values()]).tolist() if differences else []
    for (place, difference), pvalue in zip(differences.items(), pvalues, strict=True):
        difference = dataclasses.replace(difference, corrected=pvalue)
        corrected[place] = dataclasses.replace(rows[place], form_difference=difference)
    return corrected


def _agreement(
    outputs: Sequence[MethodOutput], truths: Sequence[PairShapley], test: TestSet, resampling: Resampling
) -> dict[str, Any]:
    """Average, over the two forms of a pair, how well attributions agree with what the words do to the model."""
    from xembed.attribution._pair_shapley import agreement

    of_seeds = [
        [agreement([output.words[pair[side]] for pair in test.pairs], truth) for side in (0, 1)]
        for output, truth in zip(outputs, truths, strict=True)
    ]
    values = {name: np.stack([(first[name] + second[name]) / 2 for first, second in of_seeds]) for name in _AGREEMENT}
    return _intervals(values, [test.data.groups[first] for first, _ in test.pairs], resampling)


def _faithfulness(
    name: str, faithful: Sequence[dict[str, np.ndarray]], test: TestSet, resampling: Resampling
) -> dict[str, Any]:
    if not faithful:
        return {}
    values = {
        metric: np.stack([arrays[f"{name}/{metric}"] for arrays in faithful])
        for metric in ("comprehensiveness", "sufficiency")
        if all(f"{name}/{metric}" in arrays for arrays in faithful)
    }
    return _intervals(values, [test.data.groups[row] for row in faithful[0]["rows"]], resampling)


def _stability(outputs: Sequence[MethodOutput], test: TestSet, resampling: Resampling) -> dict[str, Any]:
    from xembed.attribution._faithfulness import stability

    firsts, seconds = zip(*test.pairs, strict=True)
    marks = [test.data.ground_truth[row] for row in firsts]
    of_seeds = [
        stability([output.words[row] for row in firsts], [output.words[row] for row in seconds], marks)
        for output in outputs
    ]
    values = {name: np.stack([of_seed[name] for of_seed in of_seeds]) for name in ("context_l1", "context_kendall")}
    return _intervals(values, [test.data.groups[row] for row in firsts], resampling)


def _randomisation(name: str, random: dict[str, np.ndarray], test: TestSet, resampling: Resampling) -> dict[str, Any]:
    values = {part: random[f"{name}/{part}"][None] for part in ("head", "encoder") if f"{name}/{part}" in random}
    return _intervals(values, [test.data.groups[row] for row in random["rows"]], resampling) if values else {}


# ---- sentences that a report shows


def sentences_to_show(scores: Mapping[str, SchemeScores], test: TestSet) -> list[dict[str, Any]]:
    """Return test sentences with their attributions by the first seed: some as they come, and the hardest ones."""
    means = []  # of each scheme, the score of each row over methods that look at the model
    for of_scheme in scores.values():
        names = of_scheme.attributing() or list(of_scheme.scores)
        means.append(np.mean([of_scheme.scores[name][MAIN][0] for name in names], axis=0))
    mean = np.mean(means, axis=0)
    of_pairs = np.array([(mean[first] + mean[second]) / 2 for first, second in test.pairs])
    hardest = np.argsort(of_pairs, kind="stable")[: min(_HARDEST, len(test.pairs))].tolist()
    others = [place for place in range(len(test.pairs)) if place not in hardest][: _LISTED - len(hardest)]
    reasons = dict.fromkeys(others, "one of the test sentences")
    reasons |= dict.fromkeys(hardest, "among those that methods explain worst")
    groups = {place: int(test.data.groups[test.pairs[place][0]]) for place in reasons}
    return [
        {"group": groups[place], "why": why, "forms": [_form(scores, test, place, side) for side in (0, 1)]}
        for place, why in reasons.items()
    ]


def _form(scores: Mapping[str, SchemeScores], test: TestSet, place: int, side: int) -> dict[str, Any]:
    from scipy.special import softmax

    row = test.pairs[place][side]
    label = test.data.labels[row]
    schemes = {}
    for scheme, of_scheme in scores.items():
        logits, truth = of_scheme.logits[0, row], of_scheme.truths[0]
        values = truth.values[place]
        positions = () if values is None else zip(truth.positions[place], values, strict=True)
        schemes[scheme] = {
            "probability": _short(softmax(logits)[label]),
            "correct": bool(logits.argmax() == label),
            "pair_shapley": {str(int(position)): _short(value) for position, value in positions},
            "methods": {
                name: [_short(value) for value in outputs[0].words[row]]
                for name, outputs in of_scheme.outputs.items()
                if name != ORACLE
            },
        }
    return {
        "form": test.data.classes[label],
        "words": list(test.data.sentences[row]),
        "ground_truth": [bool(mark) for mark in test.data.ground_truth[row]],
        "schemes": schemes,
    }


def failures(scores: Mapping[str, SchemeScores], test: TestSet) -> list[dict[str, Any]]:
    """Return the rows with the lowest mass accuracy, by scheme and method, of the first seed."""
    return [
        {
            "scheme": scheme,
            "method": name,
            "group": int(test.data.groups[row]),
            "form": test.data.classes[test.data.labels[row]],
            "mass_accuracy": _short(of_scheme.scores[name][MAIN][0][row]),
        }
        for scheme, of_scheme in scores.items()
        for name in of_scheme.attributing()
        for row in np.argsort(of_scheme.scores[name][MAIN][0], kind="stable")[:_WORST].tolist()
    ]


def _short(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
