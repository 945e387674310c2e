"""All methods by name, and the one way to run one of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from xembed._core.validation import quote_options
from xembed.attribution import _attention, _gradients, _integrated, _perturbation, _references
from xembed.attribution._method import Method, MethodOptions, MethodOutput, Targets
from xembed.attribution._scored_model import ScoredModel
from xembed.encoders._words import EncodedWords

METHODS: dict[str, Method] = {
    method.name: method
    for family in (_integrated, _gradients, _perturbation, _attention, _references)
    for method in family.METHODS
}


def find_methods(names: str | Iterable[str], *, caller: str) -> list[Method]:
    """Return methods by name, 'all' for all; ValueError if there is no such method."""
    wanted = (
        list(METHODS) if isinstance(names, str) and names == "all" else [names] if isinstance(names, str) else names
    )
    methods: dict[str, Method] = {}
    for name in wanted:
        if not isinstance(name, str) or name not in METHODS:
            raise ValueError(
                f"The 'method' parameter of {caller} must be one of {quote_options(METHODS)}. Got {name!r} instead."
            )
        methods[name] = METHODS[name]
    if not methods:
        raise ValueError(
            f"The 'method' parameter of {caller} must be one or more of {quote_options(METHODS)}. Got none."
        )
    return list(methods.values())


def run_method(
    method: Method, model: ScoredModel, rows: Sequence[EncodedWords], targets: Targets, options: MethodOptions
) -> MethodOutput:
    """Run a method; RuntimeError if an attribution is not finite."""
    output = method.run(model, rows, targets, options)
    bad = [place for place, words in enumerate(output.words) if not np.isfinite(words).all()]
    if bad:
        raise RuntimeError(
            f"{method.label} gave attributions that are not finite for {len(bad)} of {len(rows)} texts (first: text "
            f"{bad[0]}). See method_health: the method may not work on this model, or the model gives NaN."
        )
    return output
