"""All methods by name, and the one way to run one of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from xembed._core.validation import RNG, check_count, check_number, check_option, check_rng, quote_options
from xembed.attribution import _attention, _gradients, _integrated, _perturbation, _references
from xembed.attribution._method import Method, MethodOptions, MethodOutput, Targets
from xembed.attribution._scored_model import BASELINES, DELETIONS, Rows, ScoredModel

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


def check_options(
    baseline: Any = "pad",
    deletion: Any = "delete",
    n_samples: Any = 100,
    tolerance: Any = 0.01,
    max_steps: Any = 96,
    *,
    fitted: Any = None,
    rng: RNG = None,
    caller: str,
    called: str = "baseline",
) -> MethodOptions:
    """Return checked options of methods; ``called`` is what the caller calls the baseline."""
    return MethodOptions(
        baseline=check_option(baseline, BASELINES, name=called, caller=caller),
        deletion=check_option(deletion, DELETIONS, name="deletion", caller=caller),
        n_samples=check_count(n_samples, name="n_samples", caller=caller, low=2),
        tolerance=check_number(tolerance, name="tolerance", caller=caller, low=0, high=1, closed="neither"),
        max_steps=_check_steps(max_steps, caller=caller),
        seed=int(check_rng(rng, caller=caller).integers(2**63)),
        fitted=fitted,
    )


def _check_steps(max_steps: Any, *, caller: str) -> int:
    count, first = check_count(max_steps, name="max_steps", caller=caller), _integrated.FIRST_STEPS
    doublings, rest = divmod(count, first)
    if rest or doublings & (doublings - 1):
        raise ValueError(
            f"The 'max_steps' parameter of {caller} must be {first}, {2 * first}, {4 * first}, ...: steps are doubled. "
            f"Got {count} instead."
        )
    return count


def run_method(
    method: Method, model: ScoredModel, rows: Rows, targets: Targets, options: MethodOptions
) -> MethodOutput:
    """Run a method; RuntimeError if an attribution is not finite."""
    output = method.run(model, rows, targets, options)
    if bad := [place for place, words in enumerate(output.words) if not np.isfinite(words).all()]:
        raise RuntimeError(
            f"{method.label} gave attributions that are not finite for {len(bad)} of {len(rows)} texts (first: text "
            f"{bad[0]}). See method_health: the method may not work on this model, or the model gives NaN."
        )
    return output
