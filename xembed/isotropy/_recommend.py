"""The rule by which a correction is recommended, and its sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from xembed.isotropy._compare_result import Gain

NONE = "none"


class Scores(NamedTuple):
    """What the choice is made by: the score on the tune data, that on the test data, and the gain over raw there."""

    name: str
    tune: float
    test: float
    gain: Gain | None
    kind: str


def recommend(scores: Sequence[Scores], level: float, *, has_tune: bool, has_test: bool) -> tuple[str | None, str]:
    """Return the recommendation and why; the first of the scores are those of raw embeddings."""
    if not scores:
        return None, _without_evidence(has_tune=has_tune, has_test=has_test)
    raw, kind = scores[0], scores[0].kind
    tuned = "the tune pairs" if kind == "correlation" else "the half of the labeled texts that chooses"
    tested = "the test pairs" if kind == "correlation" else "the other half"
    best = max(scores, key=lambda found: found.tune)  # the first of equals: raw before corrections
    if best.gain is None:
        if len(scores) == 1:
            return NONE, "There is no correction to choose from."
        second = max(scores[1:], key=lambda found: found.tune)
        return NONE, (
            f"Keep the embeddings as they are: on {tuned} no correction has a higher {kind} than raw "
            f"embeddings ({100 * raw.tune:.1f}); the best, {second.name}, has {100 * second.tune:.1f}."
        )
    gain = best.gain
    chosen = f"{best.name} has the best {kind} on {tuned} ({100 * best.tune:.1f}; raw embeddings {100 * raw.tune:.1f})"
    figures = f"{100 * raw.test:.1f} to {100 * best.test:.1f}"
    if gain.low is None or gain.high is None:
        return NONE, f"{chosen}, but {tested} are too few for an interval: from {figures}. Keep the embeddings."
    ends = f"{100 * gain.low:+.1f} to {100 * gain.high:+.1f}"
    bounds = f"{100 * gain.value:+.1f} points, {100 * level:g} % interval {ends}"
    if gain.low > 0:
        return best.name, f"{chosen}, and on {tested} it raises the {kind} from {figures} ({bounds})."
    verdict = "it lowers" if gain.high < 0 else "it may as well lower"
    return NONE, (
        f"Keep the embeddings as they are: {chosen}, but on {tested} {verdict} the {kind}: from {figures} ({bounds})."
    )


def _without_evidence(*, has_tune: bool, has_test: bool) -> str:
    if has_tune != has_test:
        missing = "test" if has_tune else "tune"
        return f"No recommendation: there are no {missing} pairs. One set chooses a correction, and another judges it."
    return (
        "No recommendation: there are neither pairs with scores nor labels, and isotropy alone is no reason for a "
        "correction. A more isotropic space can be worse for a task."
    )
