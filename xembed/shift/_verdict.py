"""Results in plain words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from xembed._core.text import format_p

if TYPE_CHECKING:
    from xembed.shift._facets import Facet
    from xembed.shift._regions import RegionsResult
    from xembed.shift._test_result import TestResult


def depth_verdict(
    pvalue: float,
    effect_size: float,
    interval: tuple[float, float],
    *,
    alpha: float,
    confidence_level: float,
    names: tuple[str, str],
) -> str:
    """Say what the rank-sum test of two corpora's depths found: whether, how strongly, in which direction."""
    deeper = names[1] if effect_size >= 0 else names[0]
    share = 0.5 + abs(effect_size) / 2
    low, high = (0.5 + bound / 2 for bound in (interval if effect_size >= 0 else (-interval[1], -interval[0])))
    pairs = f"{share:.0%} of all pairs ({confidence_level:.0%} interval {low:.0%} to {high:.0%}; 50% is no difference)"
    if pvalue > alpha:
        return (
            f"No difference found ({format_p(pvalue)}, level {alpha:.0%}): a text of “{deeper}” is the deeper one in "
            f"{pairs}. This test sees changes of spread and of the distance to the common center. Topics exchanged for "
            "others of equal depth can go unseen."
        )
    return (
        f"The corpora differ ({format_p(pvalue)}): texts of “{deeper}” are deeper, closer to the common center, in "
        f"{pairs}."
    )


_STATUS = {"new": "new in “{}”", "vanished": "gone from “{}”", "more": "more in “{}”", "less": "less in “{}”"}
_REGIONS = 2  # named in a verdict


def shift_verdict(
    pvalue: float,
    tests: Sequence[TestResult],
    facets: Sequence[Facet],
    regions: RegionsResult | None,
    *,
    alpha: float,
) -> str:
    """Say what a battery found or, if nothing, how large a difference it would have found."""
    if pvalue <= alpha:
        reasons = " ".join(facet.sentence for facet in facets if facet.pvalue is not None and facet.pvalue <= alpha)
        found = f"The corpora differ ({format_p(pvalue)}, {len(tests)} tests, level {alpha:.0%}). {reasons}"
        return found if regions is None else f"{found}{_most_changed(regions)}"
    sizes = " or ".join(
        f"a {'depth effect |2Q − 1|' if test.name == 'depth' else 'share of the variance between the corpora'} of "
        f"{test.detectable:.2g}"
        for test in tests
        if test.name in {"depth", "mean", "linear"}
    )
    would = f" With these sizes {sizes} would be found in 80 of 100 cases." if sizes else ""
    return f"No difference found ({format_p(pvalue)}, {len(tests)} tests, level {alpha:.0%}).{would}"


def _most_changed(found: RegionsResult) -> str:
    changed = [region for region in found.regions if region.status in _STATUS]
    if not changed:
        return ""
    first = "; ".join(
        f"{_STATUS[region.status].format(found.names[1])}: “{region.label}” "
        f"({region.share_F:.0%} → {region.share_G:.0%} of the texts)"
        for region in changed[:_REGIONS]
    )
    return f" {len(changed)} of {len(found.regions)} regions of the space changed. First: {first}."
