"""What a run of the benchmark gives, in plain data: leaderboard, accuracy, sentences to look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from xembed._core.results import Result

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False, repr=False)
class Score(Result):
    """A mean with its interval.

    Attributes
    ----------
    mean, low, high : float
        Over test sentences and seeds; the interval by resampling sentences, with all their forms, and seeds.
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
        Mean mass accuracy of the first form less that of the second, paired by sentence, with its interval.
    pvalue, corrected : float
        Of a sign-flip test over sentences; and by Holm over all methods and schemes.
    """

    schema: ClassVar[str] = "xembed.geco.FormDifference/1"

    difference: float
    low: float
    high: float
    pvalue: float
    corrected: float


@dataclass(frozen=True, eq=False, repr=False)
class LeaderboardRow(Result):
    """One method on one scheme.

    Attributes
    ----------
    scheme, method, label, family : str
        Which. Families are those of `xembed.attribution.METHODS`; the rows 'oracle' and 'chance' are references.
    status, reason : str
        'valid', 'degenerate' or 'unsupported', and why (`xembed.attribution.method_health`). Only valid methods have
        numbers.
    metrics : dict of str to dict
        ``mean``, ``low`` and ``high`` by name of the metric (`METRICS`), as in the dictionaries below.
    forms : dict of str to float
        Mean mass accuracy of each form, such as 'female' and 'male'.
    form_difference : FormDifference or None
        Between the first two forms.
    correct_only : Score or None
        Mass accuracy of the rows that the model classifies correctly; None if there are fewer than two sentences.
    quantiles : tuple of float
        5, 25, 50, 75 and 95 % of the mass accuracy of rows.
    against_best : float or None
        p-value, by Holm within the scheme, of the paired difference in mass accuracy to the best method of the scheme
        that looks at the model; None for that one and for reference rows.
    model_truth : dict of str to dict
        Agreement with the exact Shapley values of the changed words: 'spearman', 'top1', 'cosine', 'overlap'. Empty for
        reference rows that have no order of their own.
    faithfulness : dict of str to dict
        'comprehensiveness' and 'sufficiency', means over shares of deleted words.
    stability : dict of str to dict
        Between the two forms of a sentence, on the words outside of the ground truth: 'context_l1' and
        'context_kendall' (`xembed.attribution`).
    randomisation : dict of str to dict
        Rank correlation with the attributions of a model whose 'head' or 'encoder' was drawn anew: 1 says that the
        method does not look at what was learned.
    completeness : float or None
        Median completeness error of methods that promise a sum.
    special : float or None
        Mean share of the absolute attribution on special tokens.
    seconds : float or None
        Per sentence.
    """

    schema: ClassVar[str] = "xembed.geco.LeaderboardRow/1"

    scheme: str
    method: str
    label: str
    family: str
    status: str
    reason: str
    metrics: dict[str, Any]
    forms: dict[str, Any]
    form_difference: FormDifference | None
    correct_only: Score | None
    quantiles: tuple[float, ...]
    against_best: float | None
    model_truth: dict[str, Any]
    faithfulness: dict[str, Any]
    stability: dict[str, Any]
    randomisation: dict[str, Any]
    completeness: float | None
    special: float | None
    seconds: float | None


@dataclass(frozen=True, eq=False, repr=False)
class SchemeRow(Result):
    """How well the models of a scheme classify, and what they use.

    Attributes
    ----------
    scheme, description : str
        Which.
    accuracy : Score
        On the test rows.
    accuracy_by_seed : tuple of float
        Of each seed.
    accuracy_by_form : dict of str to float
        Of each form.
    prediction_gap : float or None
        Mean absolute difference of the probability of the true class between the first two forms of a sentence.
    used_words : float or None
        Share of the ground-truth words that the models use, by their exact Shapley values.
    epochs, learning_rate : int and float, or None
        Of the training.
    seconds : float
        Of one training, on average.
    """

    schema: ClassVar[str] = "xembed.geco.SchemeRow/1"

    scheme: str
    description: str
    accuracy: Score
    accuracy_by_seed: tuple[float, ...]
    accuracy_by_form: dict[str, Any]
    prediction_gap: float | None
    used_words: float | None
    epochs: int | None
    learning_rate: float | None
    seconds: float


@dataclass(frozen=True, eq=False, repr=False)
class BenchmarkResult(Result):
    """Result of `Benchmark.run`.

    Attributes
    ----------
    data, n_train, n_test, n_sentences : str and int
        Name of the test data; rows trained on, rows tested on, and sentences (groups of forms) tested on.
    classes : tuple of str
        Names of the forms.
    backbone : str
        The pretrained model.
    seeds : tuple of int
        One model of each scheme for each.
    schemes : tuple of SchemeRow
        Accuracy.
    rows : tuple of LeaderboardRow
        The leaderboard: every scheme with every method, and the rows 'chance' and 'oracle'.
    sentences : tuple of dict
        Some test sentences for looking at, of the first seed: ``group``, ``why`` it was chosen, and ``forms``, a list
        of ``{"form", "words", "ground_truth", "schemes": {scheme: {"probability", "correct", "pair_shapley": {position:
        value}, "methods": {method: [a number a word]}}}}``.
    failures : tuple of dict
        For each scheme and method the rows with the lowest mass accuracy: ``scheme``, ``method``, ``group``, ``form``,
        ``mass_accuracy``.
    bias : dict
        ``cooccurrence`` and ``paired_shift`` of the data, as far as they were computed.
    excluded : dict of str to int
        Rows that were left out, and why.
    n_resamples, confidence_level
        Of the intervals.
    options : dict
        Profile, baseline, deletion, samples, target and so on.
    cost : dict
        Rows through models, forward and backward, and seconds, of the work that this result is made of.
    notes : tuple of str
        What to know, in plain words.
    provenance : dict
        Function, parameters and versions.
    """

    schema: ClassVar[str] = "xembed.geco.BenchmarkResult/1"
    page: ClassVar[str | None] = "xembed.geco._pages:benchmark"

    data: str
    n_train: int
    n_test: int
    n_sentences: int
    classes: tuple[str, ...]
    backbone: str
    seeds: tuple[int, ...]
    schemes: tuple[SchemeRow, ...]
    rows: tuple[LeaderboardRow, ...]
    sentences: tuple[dict[str, Any], ...]
    failures: tuple[dict[str, Any], ...]
    bias: dict[str, Any]
    excluded: dict[str, Any]
    n_resamples: int
    confidence_level: float
    options: dict[str, Any]
    cost: dict[str, Any]
    notes: tuple[str, ...]
    provenance: dict[str, Any]

    def row(self, scheme: str, method: str) -> LeaderboardRow:
        """Return one row of the leaderboard."""
        for found in self.rows:
            if (found.scheme, found.method) == (scheme, method):
                return found
        raise KeyError((scheme, method))

    def to_frame(self) -> pd.DataFrame:
        """Return the leaderboard as a table: a row for each scheme and method, a column for each number."""
        import pandas as pd

        return pd.DataFrame(
            [
                {
                    "scheme": row.scheme,
                    "method": row.method,
                    "family": row.family,
                    "status": row.status,
                    "reason": row.reason,
                    **{
                        f"{name}{suffix}": value
                        for name, score in row.metrics.items()
                        for suffix, value in (("", score["mean"]), ("_low", score["low"]), ("_high", score["high"]))
                    },
                    "completeness": row.completeness,
                    "seconds": row.seconds,
                }
                for row in self.rows
            ]
        )

    def best(self, scheme: str, metric: str = "mass_accuracy") -> str | None:
        """Return the valid method with the highest mean on a scheme, reference rows left out."""
        found = [
            row for row in self.rows if row.scheme == scheme and row.status == "valid" and row.family != "reference"
        ]
        return max(found, key=lambda row: row.metrics[metric]["mean"]).method if found else None

    def _scalars(self) -> dict[str, Any]:
        return {
            "data": self.data,
            "n_sentences": self.n_sentences,
            "n_schemes": len(self.schemes),
            "n_seeds": len(self.seeds),
        }
