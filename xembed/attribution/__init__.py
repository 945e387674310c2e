"""Attributions: which words of a text decide what a model says, and which method can be trusted."""

from __future__ import annotations

from xembed.attribution._explain import explain
from xembed.attribution._faithfulness import aopc, comprehensiveness, faithfulness, stability, sufficiency
from xembed.attribution._health import MethodHealth, MethodStatus, method_health
from xembed.attribution._method import Method, MethodOptions, MethodOutput
from xembed.attribution._methods import METHODS
from xembed.attribution._pair_shapley import PairShapley, agreement, pair_shapley, shapley_values, used_words
from xembed.attribution._randomisation import randomisation_similarity, randomise
from xembed.attribution._references import GENDERED_WORDS, predict_by_first_word
from xembed.attribution._result import Attributions
from xembed.attribution._scored_model import ScoredModel
from xembed.attribution._words import EncodedWords, WordEncoder

__all__ = [
    "GENDERED_WORDS",
    "METHODS",
    "Attributions",
    "EncodedWords",
    "Method",
    "MethodHealth",
    "MethodOptions",
    "MethodOutput",
    "MethodStatus",
    "PairShapley",
    "ScoredModel",
    "WordEncoder",
    "agreement",
    "aopc",
    "comprehensiveness",
    "explain",
    "faithfulness",
    "method_health",
    "pair_shapley",
    "predict_by_first_word",
    "randomisation_similarity",
    "randomise",
    "shapley_values",
    "stability",
    "sufficiency",
    "used_words",
]
