"""From the pieces of a run to the leaderboard: means, intervals and tests."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from xembed.attribution._faithfulness import stability
from xembed.attribution._health import VALID, MethodHealth
from xembed.attribution._method import MethodOutput
from xembed.attribution._methods import METHODS
from xembed.attribution._pair_shapley import PairShapley, agreement, used_words
from xembed.geco._benchmark_result import FormDifference, LeaderboardRow, SchemeRow, Score
from xembed.geco._metrics import METRICS, chance, score_rows
from xembed.geco._run import ORACLE, ConditionRun
from xembed.geco._schemes import SCHEMES
from xembed.geco._test_set import TestSet
from xembed.geco._training import TrainingRecord
from xembed.stats import clustered_interval, holm, paired_difference

Floats = npt.NDArray[np.float64]

CHANCE, MAIN = "chance", "mass_accuracy"
_QUANTILES = (5, 25, 50, 75, 95)
_FEWEST = 2  # sentences that an interval needs
_SHOWN = {"spearman": "spearman", "top1": "top1", "cosine": "cosine", "overlap": "overlap"}


@dataclass(frozen=True)
class Resampling:
    """How intervals are made."""

    n_resamples: int
    level: float
    seed: int


@dataclass
class SchemeScores:
    """All numbers of one scheme, by seed and row, before they become means.

    Attributes
    ----------
    outputs : dict of str to list of MethodOutput
        By method, one a seed; the oracle among them.
    seconds : dict of str to float
        By method, a sentence.
    scores : dict of str to dict of str to ndarray of shape (n_seeds, n_rows)
        By method and metric.
    logits : ndarray of shape (n_seeds, n_rows, n_classes)
        Of the models.
    truths : list of PairShapley
        One a seed.
    """

    outputs: dict[str, list[MethodOutput]]
    seconds: dict[str, float]
    scores: dict[str, dict[str, Floats]]
    logits: Floats
    truths: list[PairShapley]
    faithful: list[dict[str, np.ndarray]]
    random: dict[str, np.ndarray]


def read_scheme(runs: Sequence[ConditionRun], health: MethodHealth, test: TestSet) -> SchemeScores:
    """Read the pieces of all seeds of a scheme and score them."""
    truth = test.data.ground_truth
    read = [run.outputs(health) for run in runs]
    outputs = {name: [found[name][0] for found in read] for name in read[0]}
    seconds = {name: float(np.mean([found[name][1] for found in read])) / len(test.data) for name in read[0]}
    outputs[ORACLE] = [MethodOutput.of([np.array(marks, dtype=np.float64) for marks in truth])] * len(runs)
    scores: dict[str, dict[str, Floats]] = {}
    for name, of_seeds in outputs.items():
        found_scores = [score_rows(output.words, truth) for output in of_seeds]
        scores[name] = {metric: np.stack([found[metric] for found in found_scores]) for metric in METRICS}
    first = runs[0]
    has_random = first.has("randomisation.safetensors")
    return SchemeScores(
        outputs=outputs,
        seconds=seconds,
        scores=scores,
        logits=np.stack([run.read_arrays("logits.safetensors")["logits"] for run in runs]),
        truths=[run.truth() for run in runs],
        faithful=[run.read_arrays("faithfulness.safetensors") for run in runs if run.has("faithfulness.safetensors")],
        random=first.read_arrays("randomisation.safetensors") if has_random else {},
    )


def mean_interval(values: Floats, clusters: Sequence[int], how: Resampling) -> dict[str, float] | None:
    """Return mean, low and high of (n_seeds, n_items) values, some of them NaN; None with too few clusters."""
    n_seeds, n_items = values.shape
    flat, groups = values.ravel(), np.tile(np.asarray(clusters), n_seeds)
    seeds = np.repeat(np.arange(n_seeds), n_items)
    keep = np.isfinite(flat)
    if len(np.unique(groups[keep])) < _FEWEST:
        return None
    found = clustered_interval(
        flat[keep],
        groups[keep],
        seeds=seeds[keep],
        n_resamples=how.n_resamples,
        confidence_level=how.level,
        rng=how.seed,
    )
    return {"mean": float(found.mean), "low": float(found.low), "high": float(found.high)}


def scheme_row(
    scheme: str, found: SchemeScores, test: TestSet, records: Sequence[TrainingRecord], how: Resampling
) -> SchemeRow:
    """Return how well the models of a scheme classify, and what they use."""
    labels = np.array(test.data.labels)
    correct = (found.logits.argmax(axis=2) == labels).astype(np.float64)
    probabilities = softmax(found.logits, axis=2)[:, np.arange(len(labels)), labels]
    first, second = np.array(test.pairs).T
    used = [mask.mean() for truth in found.truths for mask in used_words(truth) if mask is not None and len(mask)]
    return SchemeRow(
        scheme=scheme,
        description=SCHEMES[scheme].description,
        accuracy=_score(mean_interval(correct, test.data.groups, how), correct),
        accuracy_by_seed=tuple(float(value) for value in correct.mean(axis=1)),
        accuracy_by_form={
            form: float(correct[:, labels == label].mean()) for label, form in enumerate(test.data.classes)
        },
        prediction_gap=float(np.abs(probabilities[:, first] - probabilities[:, second]).mean()),
        used_words=float(np.mean(used)) if used else None,
        epochs=records[0].epochs,
        learning_rate=records[0].learning_rate,
        seconds=float(np.mean([record.seconds for record in records])),
    )


def _score(found: dict[str, float] | None, values: Floats) -> Score:
    mean = float(np.nanmean(values))
    return Score(**found) if found else Score(mean=mean, low=mean, high=mean)


def scheme_rows(
    scheme: str, found: SchemeScores, health: MethodHealth, test: TestSet, asked: Sequence[str], how: Resampling
) -> list[LeaderboardRow]:
    """Return the rows of one scheme; `correct_forms` puts in what depends on all schemes."""
    rows = [_reference_row(scheme, CHANCE, _chance_scores(test, len(found.logits)), test, how)]
    against = _against_best(found, test, how)
    for name in (*asked, ORACLE):
        if name in found.outputs:
            rows.append(_valid_row(scheme, name, found, health, test, against.get(name), how))
        else:
            status = health[name]
            rows.append(_blank_row(scheme, name, status.status, status.reason))
    return rows


def _valid_row(
    scheme: str,
    name: str,
    found: SchemeScores,
    health: MethodHealth,
    test: TestSet,
    against_best: float | None,
    how: Resampling,
) -> LeaderboardRow:
    if name == ORACLE:
        row = _reference_row(scheme, ORACLE, found.scores[name], test, how)
    else:
        method = METHODS[name]
        row = _reference_row(scheme, name, found.scores[name], test, how, method.label, method.family)
    reasons = {status.method: status.reason for status in health.methods}
    outputs = found.outputs[name]
    main = found.scores[name][MAIN]
    labels = np.array(test.data.labels)
    correct = found.logits.argmax(axis=2) == labels
    only_correct = mean_interval(np.where(correct, main, np.nan), test.data.groups, how)
    completeness = np.concatenate([output.completeness for output in outputs])
    special = np.concatenate([output.special for output in outputs])
    return dataclasses.replace(
        row,
        reason=reasons.get(name, ""),
        form_difference=_form_difference(main, test, how),
        correct_only=Score(**only_correct) if only_correct else None,
        against_best=against_best,
        model_truth=_agreement(outputs, found.truths, test, how),
        faithfulness=_faithfulness(name, found.faithful, test, how),
        stability=_stability(outputs, test, how) if name != ORACLE else {},
        randomisation=_randomisation(name, found.random, test, how),
        completeness=_median(completeness),
        special=float(np.nanmean(special)) if np.isfinite(special).any() else None,
        seconds=found.seconds.get(name),
    )


def _median(errors: Floats) -> float | None:
    """Return the median, None where there is none: no error is known, or most of them are infinite."""
    known = errors[~np.isnan(errors)]
    median = float(np.median(known)) if len(known) else math.nan
    return median if math.isfinite(median) else None


def _reference_row(
    scheme: str,
    name: str,
    scores: dict[str, Floats],
    test: TestSet,
    how: Resampling,
    label: str | None = None,
    family: str = "reference",
) -> LeaderboardRow:
    labels = np.array(test.data.labels)
    metrics = {metric: mean_interval(values, test.data.groups, how) for metric, values in scores.items()}
    row = _blank_row(scheme, name, VALID, "")
    return dataclasses.replace(
        row,
        label=label or name.capitalize(),
        family=family,
        metrics={
            metric: value
            if value is not None
            else dict.fromkeys(("mean", "low", "high"), float(np.nanmean(scores[metric])))
            for metric, value in metrics.items()
        },
        forms={form: float(scores[MAIN][:, labels == label_].mean()) for label_, form in enumerate(test.data.classes)},
        quantiles=tuple(float(value) for value in np.percentile(scores[MAIN], _QUANTILES)),
    )


def _blank_row(scheme: str, name: str, status: str, reason: str) -> LeaderboardRow:
    known = METHODS.get(name)
    return LeaderboardRow(
        scheme=scheme,
        method=name,
        label=known.label if known else name.capitalize(),
        family=known.family if known else "reference",
        status=status,
        reason=reason,
        metrics={},
        forms={},
        form_difference=None,
        correct_only=None,
        quantiles=(),
        against_best=None,
        model_truth={},
        faithfulness={},
        stability={},
        randomisation={},
        completeness=None,
        special=None,
        seconds=None,
    )


def _chance_scores(test: TestSet, n_seeds: int) -> dict[str, Floats]:
    return {
        metric: np.tile([chance(metric, marks) for marks in test.data.ground_truth], (n_seeds, 1)) for metric in METRICS
    }


def _against_best(found: SchemeScores, test: TestSet, how: Resampling) -> dict[str, float]:
    """Return the best method that looks at the model, and corrected p-values of the others' difference to it."""
    names = [name for name in found.scores if name in METHODS and METHODS[name].family != "reference"]
    if len(names) < 2 or len(test.pairs) < _FEWEST:
        return {}
    best = max(names, key=lambda name: float(found.scores[name][MAIN].mean()))
    others = [name for name in names if name != best]
    n_seeds, n_rows = found.scores[best][MAIN].shape
    columns = np.stack([found.scores[name][MAIN].ravel() for name in others], axis=1)
    compared = paired_difference(
        np.repeat(found.scores[best][MAIN].ravel()[:, None], len(others), axis=1),
        columns,
        np.tile(test.data.groups, n_seeds),
        seeds=np.repeat(np.arange(n_seeds), n_rows),
        n_resamples=how.n_resamples,
        confidence_level=how.level,
        rng=how.seed,
    )
    return dict(zip(others, holm(np.atleast_1d(compared.pvalue)).tolist(), strict=True))


def _form_difference(main: Floats, test: TestSet, how: Resampling) -> FormDifference | None:
    first, second = np.array(test.pairs).T
    if len(first) < _FEWEST:
        return None
    n_seeds = len(main)
    found = paired_difference(
        main[:, first].ravel(),
        main[:, second].ravel(),
        np.tile(np.array(test.data.groups)[first], n_seeds),
        seeds=np.repeat(np.arange(n_seeds), len(first)),
        n_resamples=how.n_resamples,
        confidence_level=how.level,
        rng=how.seed,
    )
    pvalue = float(found.pvalue)
    return FormDifference(
        difference=float(found.difference),
        low=float(found.low),
        high=float(found.high),
        pvalue=pvalue,
        corrected=pvalue,
    )


def correct_forms(rows: Sequence[LeaderboardRow]) -> list[LeaderboardRow]:
    """Correct the p-values of the differences between forms for all methods and schemes that look at a model."""
    places = [place for place, row in enumerate(rows) if row.form_difference is not None and row.family != "reference"]
    pvalues = [rows[place].form_difference.pvalue for place in places]  # type: ignore[union-attr]
    corrected = dict(zip(places, holm(pvalues).tolist() if pvalues else [], strict=True))
    done = []
    for place, row in enumerate(rows):
        if place in corrected and row.form_difference is not None:
            row = dataclasses.replace(
                row, form_difference=dataclasses.replace(row.form_difference, corrected=corrected[place])
            )
        done.append(row)
    return done


def _agreement(
    outputs: Sequence[MethodOutput], truths: Sequence[PairShapley], test: TestSet, how: Resampling
) -> dict[str, Any]:
    """Average, over the two forms of a pair, how well attributions agree with what the words do to the model."""
    of_seeds: dict[str, list[Floats]] = {name: [] for name in _SHOWN}
    for output, truth in zip(outputs, truths, strict=True):
        forms = [agreement([output.words[pair[side]] for pair in test.pairs], truth) for side in (0, 1)]
        for name in _SHOWN:
            of_seeds[name].append((forms[0][name] + forms[1][name]) / 2)
    groups = [test.data.groups[first] for first, _ in test.pairs]
    found = {name: mean_interval(np.stack(values), groups, how) for name, values in of_seeds.items()}
    return {name: value for name, value in found.items() if value is not None}


def _faithfulness(
    name: str, faithful: Sequence[dict[str, np.ndarray]], test: TestSet, how: Resampling
) -> dict[str, Any]:
    found = {}
    for metric in ("comprehensiveness", "sufficiency"):
        if faithful and all(f"{name}/{metric}" in arrays for arrays in faithful):
            groups = [test.data.groups[row] for row in faithful[0]["rows"]]
            found[metric] = mean_interval(np.stack([arrays[f"{name}/{metric}"] for arrays in faithful]), groups, how)
    return {metric: value for metric, value in found.items() if value is not None}


def _stability(outputs: Sequence[MethodOutput], test: TestSet, how: Resampling) -> dict[str, Any]:
    firsts, seconds = zip(*test.pairs, strict=True)
    marks = [test.data.ground_truth[row] for row in firsts]
    of_seeds = [
        stability([output.words[row] for row in firsts], [output.words[row] for row in seconds], marks)
        for output in outputs
    ]
    groups = [test.data.groups[row] for row in firsts]
    found = {
        name: mean_interval(np.stack([values[name] for values in of_seeds]), groups, how)
        for name in ("context_l1", "context_kendall")
    }
    return {name: value for name, value in found.items() if value is not None}


def _randomisation(name: str, random: dict[str, np.ndarray], test: TestSet, how: Resampling) -> dict[str, Any]:
    found = {}
    for part in ("head", "encoder"):
        if f"{name}/{part}" in random:
            groups = [test.data.groups[row] for row in random["rows"]]
            found[part] = mean_interval(random[f"{name}/{part}"][None], groups, how)
    return {part: value for part, value in found.items() if value is not None}
