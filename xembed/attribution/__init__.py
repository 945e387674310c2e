"""Attributions: which words of a text decide what a model says, and which method can be trusted."""

from __future__ import annotations

from xembed.attribution._axes import Axes, AxesExplanation, explain_axes, make_axes
from xembed.attribution._depth_words import DepthExplanation, explain_depth
from xembed.attribution._embedding_targets import (
    Depth,
    EmbeddingTarget,
    Logit,
    NearestSimilarity,
    Projection,
    Similarity,
)
from xembed.attribution._explain import explain
from xembed.attribution._explanation_trust import DeletionTrust
from xembed.attribution._faithfulness import aopc, comprehensiveness, faithfulness, stability, sufficiency
from xembed.attribution._health import MethodHealth, MethodStatus, method_health
from xembed.attribution._method import Method, MethodOptions, MethodOutput
from xembed.attribution._methods import METHODS
from xembed.attribution._pair_shapley import PairShapley, agreement, pair_shapley, shapley_values, used_words
from xembed.attribution._randomisation import randomisation_similarity, randomise
from xembed.attribution._references import GENDERED_WORDS, predict_by_first_word
from xembed.attribution._result import Attributions
from xembed.attribution._scored_model import ScoredModel
from xembed.attribution._shift_explanation import ShiftComponent, ShiftExample, ShiftExplanation, ShiftTerm
from xembed.attribution._shift_words import explain_shift
from xembed.attribution._similarity import SimilarityExplanation, explain_similarity
from xembed.attribution._trust import trust_check
from xembed.attribution._trust_result import MethodTrust, PlantedExample, TrustResult
from xembed.attribution._words import EncodedWords, WordEncoder

__all__ = [
    "GENDERED_WORDS",
    "METHODS",
    "Attributions",
    "Axes",
    "AxesExplanation",
    "DeletionTrust",
    "Depth",
    "DepthExplanation",
    "EmbeddingTarget",
    "EncodedWords",
    "Logit",
    "Method",
    "MethodHealth",
    "MethodOptions",
    "MethodOutput",
    "MethodStatus",
    "MethodTrust",
    "NearestSimilarity",
    "PairShapley",
    "PlantedExample",
    "Projection",
    "ScoredModel",
    "ShiftComponent",
    "ShiftExample",
    "ShiftExplanation",
    "ShiftTerm",
    "Similarity",
    "SimilarityExplanation",
    "TrustResult",
    "WordEncoder",
    "agreement",
    "aopc",
    "comprehensiveness",
    "explain",
    "explain_axes",
    "explain_depth",
    "explain_shift",
    "explain_similarity",
    "faithfulness",
    "make_axes",
    "method_health",
    "pair_shapley",
    "predict_by_first_word",
    "randomisation_similarity",
    "randomise",
    "shapley_values",
    "stability",
    "sufficiency",
    "trust_check",
    "used_words",
]
