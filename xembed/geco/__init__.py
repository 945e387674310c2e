"""The GECO benchmark: attribution methods scored against words that are known to decide."""

from __future__ import annotations

from xembed.geco._benchmark import PROFILES, Benchmark
from xembed.geco._benchmark_result import BenchmarkResult, FormDifference, LeaderboardRow, SchemeRow, Score
from xembed.geco._bias import PredictionGap, WordCooccurrence, prediction_gap, word_cooccurrence
from xembed.geco._classifier import make_classifier, make_model
from xembed.geco._evaluation import evaluate
from xembed.geco._metrics import (
    METRICS,
    Metric,
    above_chance,
    auprc,
    auroc,
    chance,
    gini,
    mass_accuracy,
    pointing_game,
    positive_mass_accuracy,
    rank_accuracy,
    score_rows,
    top_k_precision,
)
from xembed.geco._model_files import load_model, save_model
from xembed.geco._one_layer import OneLayerAttention, OneLayerConfig, make_one_layer
from xembed.geco._paired_shift import PairedShift, paired_shift
from xembed.geco._plan import Plan
from xembed.geco._pseudo_likelihood import PseudoLogLikelihood, pseudo_log_likelihood
from xembed.geco._reference_metrics import reference_metrics
from xembed.geco._reference_mode import reference_attributions
from xembed.geco._schemes import SCHEMES, Recipe, Scheme, trainable_parameters
from xembed.geco._statistics import Interval, PairedDifference, clustered_interval, holm, paired_difference
from xembed.geco._trained import TrainedModel, TrainingRecord
from xembed.geco._training import train
from xembed.geco._zero_shot import NON_BINARY_PROMPT, PROMPT, load_masked_lm, zero_shot

__all__ = [
    "METRICS",
    "NON_BINARY_PROMPT",
    "PROFILES",
    "PROMPT",
    "SCHEMES",
    "Benchmark",
    "BenchmarkResult",
    "FormDifference",
    "Interval",
    "LeaderboardRow",
    "Metric",
    "OneLayerAttention",
    "OneLayerConfig",
    "PairedDifference",
    "PairedShift",
    "Plan",
    "PredictionGap",
    "PseudoLogLikelihood",
    "Recipe",
    "Scheme",
    "SchemeRow",
    "Score",
    "TrainedModel",
    "TrainingRecord",
    "WordCooccurrence",
    "above_chance",
    "auprc",
    "auroc",
    "chance",
    "clustered_interval",
    "evaluate",
    "gini",
    "holm",
    "load_masked_lm",
    "load_model",
    "make_classifier",
    "make_model",
    "make_one_layer",
    "mass_accuracy",
    "paired_difference",
    "paired_shift",
    "pointing_game",
    "positive_mass_accuracy",
    "prediction_gap",
    "pseudo_log_likelihood",
    "rank_accuracy",
    "reference_attributions",
    "reference_metrics",
    "save_model",
    "score_rows",
    "top_k_precision",
    "train",
    "trainable_parameters",
    "word_cooccurrence",
    "zero_shot",
]
