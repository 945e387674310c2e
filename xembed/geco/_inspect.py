"""Which sentences a report shows, and where each method fails."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import softmax

from xembed.attribution._methods import METHODS
from xembed.geco._leaderboard import MAIN, SchemeScores
from xembed.geco._run import ORACLE
from xembed.geco._test_set import TestSet

_SHOWN, _HARDEST = 24, 8
_WORST = 3
_DIGITS = 4


def sentences_to_show(scores: dict[str, SchemeScores], test: TestSet) -> list[dict[str, Any]]:
    """Return test sentences with their attributions by the first seed: some as they come, and the hardest ones."""
    mean = np.mean([_hardness(found) for found in scores.values()], axis=0)
    of_pairs = np.array([(mean[first] + mean[second]) / 2 for first, second in test.pairs])
    hardest = np.argsort(of_pairs, kind="stable")[: min(_HARDEST, len(test.pairs))].tolist()
    others = [place for place in range(len(test.pairs)) if place not in hardest][: _SHOWN - len(hardest)]
    shown = [(place, "one of the test sentences") for place in others]
    shown += [(place, "among those that methods explain worst") for place in hardest]
    return [
        {
            "group": int(test.data.groups[test.pairs[place][0]]),
            "why": why,
            "forms": [_form(scores, test, place, side) for side in (0, 1)],
        }
        for place, why in shown
    ]


def _hardness(found: SchemeScores) -> np.ndarray:
    """Return the mean score of each row over methods that look at the model."""
    names = [name for name in found.scores if name in METHODS and METHODS[name].family != "reference"]
    chosen = names or list(found.scores)
    return np.asarray(np.mean([found.scores[name][MAIN][0] for name in chosen], axis=0))


def _form(scores: dict[str, SchemeScores], test: TestSet, place: int, side: int) -> dict[str, Any]:
    row = test.pairs[place][side]
    label = test.data.labels[row]
    schemes = {}
    for scheme, found in scores.items():
        probability = softmax(found.logits[0, row])[label]
        truth = found.truths[0]
        values = truth.values[place]
        schemes[scheme] = {
            "probability": float(f"{probability:.{_DIGITS}g}"),
            "correct": bool(found.logits[0, row].argmax() == label),
            "pair_shapley": {}
            if values is None
            else {
                str(int(position)): _short(value)
                for position, value in zip(truth.positions[place], values, strict=True)
            },
            "methods": {
                name: [_short(value) for value in outputs[0].words[row]]
                for name, outputs in found.outputs.items()
                if name != ORACLE
            },
        }
    return {
        "form": test.data.classes[label],
        "words": list(test.data.sentences[row]),
        "ground_truth": [bool(mark) for mark in test.data.ground_truth[row]],
        "schemes": schemes,
    }


def failures(scores: dict[str, SchemeScores], test: TestSet) -> list[dict[str, Any]]:
    """Return the rows with the lowest mass accuracy, by scheme and method, of the first seed."""
    return [
        {
            "scheme": scheme,
            "method": name,
            "group": int(test.data.groups[row]),
            "form": test.data.classes[test.data.labels[row]],
            "mass_accuracy": _short(found.scores[name][MAIN][0][row]),
        }
        for scheme, found in scores.items()
        for name in found.scores
        if name in METHODS and METHODS[name].family != "reference"
        for row in np.argsort(found.scores[name][MAIN][0], kind="stable")[:_WORST].tolist()
    ]


def _short(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
