"""What a run will do and what it will cost, before it starts."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from xembed.attribution._methods import METHODS
from xembed.attribution._scored_model import ScoredModel
from xembed.datasets import PairedSentences
from xembed.geco._run import Settings
from xembed.geco._schemes import SCHEMES
from xembed.geco._test_set import TestSet

# Forward and backward together cost about twice a forward pass; with the gradients of weights three times.
_BACKWARD, _TRAINING = 2.1, 3.0
_DELETIONS = 10  # rows a text and method that faithfulness looks at
_PARTS = 2  # head and encoder are randomised


@dataclass(frozen=True)
class Plan:
    """What a run will do, and about what it will cost.

    Attributes
    ----------
    text : str
        In words, for a person.
    n_models : int
        Models to train.
    n_forward, n_backward : int
        Rows through models for the explanations, forward only, and forward and backward.
    seconds : float or None
        Estimated from a few rows through the pretrained model on this machine.
    """

    text: str
    n_models: int
    n_forward: int
    n_backward: int
    seconds: float | None


def make_plan(
    schemes: Sequence[str],
    seeds: Sequence[int],
    data: PairedSentences,
    test: TestSet,
    settings: Settings,
    training: Mapping[str, Mapping[str, Any]],
    scored: ScoredModel | None,
) -> Plan:
    """Count the rows of a run; with ``scored``, time a few of them."""
    lengths = [len(words) for words in test.data.sentences]
    options = settings.options(0)
    costs = [METHODS[name].rows(length, options) for name in settings.methods for length in lengths]
    a_model = sum(cost[0] for cost in costs), sum(cost[1] for cost in costs)
    n_models = len(schemes) * len(seeds)
    # Randomised models explain some rows of the first seed once more.
    models = n_models + len(schemes) * _PARTS * min(1.0, 2 * settings.n_randomised / len(lengths))
    swaps = sum(2.0 ** min(sum(marks), 10) for marks in test.data.ground_truth) / len(test.data.classes)
    deletions = 2 * settings.n_faithful * _DELETIONS * len(settings.methods)
    forward, backward = models * a_model[0] + n_models * (swaps + deletions), models * a_model[1]
    seconds = None
    if scored is not None:
        pretrained = [name for name in schemes if SCHEMES[name].pretrained]
        trained = len(seeds) * sum(_passes(name, training) * len(data) for name in pretrained)
        rows = len(pretrained) / len(schemes) * (forward + _BACKWARD * backward) + _TRAINING * trained
        seconds = rows / _rate(scored, test)
    about = "" if seconds is None else f"; about {_duration(seconds)} on this machine"
    text = (
        f"{n_models} models ({', '.join(schemes)}; seeds {', '.join(map(str, seeds))}) are trained on {len(data):,} "
        f"rows of {data.name}; {len(settings.methods)} methods explain {len(lengths):,} rows, {len(test.pairs):,} "
        f"sentences, of {test.data.name}: {forward:,.0f} rows forward, {backward:,.0f} forward and backward{about}."
    )
    return Plan(text, n_models, round(forward), round(backward), seconds)


def _passes(scheme: str, training: Mapping[str, Mapping[str, Any]]) -> float:
    """Return passes over the data in training, in units of a full one: a frozen encoder is run once, forward."""
    recipe = SCHEMES[scheme].recipe
    if SCHEMES[scheme].parts == ("head",) or recipe is None:
        return 1 / _TRAINING
    return float(training.get(scheme, {}).get("epochs", recipe.epochs))


def _rate(scored: ScoredModel, test: TestSet) -> float:
    """Return rows a second, forward."""
    rows = [row.ids for row in scored.words.encode(test.data.sentences[:64])]
    scored.score_ids(rows[:8])
    began = time.perf_counter()
    scored.score_ids(rows)
    return len(set(rows)) / max(time.perf_counter() - began, 1e-6)


def _duration(seconds: float) -> str:
    minutes = math.ceil(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes / 60:.1f} hours"
