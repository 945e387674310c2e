"""Results in plain words."""

from __future__ import annotations


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
            f"{pairs}. This test sees changes of spread and of the distance to the common centre. Topics exchanged for "
            "others of equal depth can go unseen."
        )
    return (
        f"The corpora differ ({format_p(pvalue)}): texts of “{deeper}” are deeper, closer to the common centre, in "
        f"{pairs}."
    )


def concentration(names: tuple[str, str], similarity: tuple[float, float]) -> str:
    """Say which corpus is the more concentrated one, by the mean cosines of two of its texts."""
    tight, loose = (1, 0) if similarity[1] > similarity[0] else (0, 1)
    numbers = (
        f"two of its texts have a mean cosine of {similarity[tight]:.2f}, two of “{names[loose]}” one of "
        f"{similarity[loose]:.2f}"
    )
    if similarity[tight] - similarity[loose] < 0.01:
        return (
            f"Both are about equally concentrated (mean cosine of two texts {similarity[0]:.2f} and "
            f"{similarity[1]:.2f})."
        )
    return f"“{names[tight]}” is the more concentrated, less varied corpus: {numbers}."


def format_p(pvalue: float) -> str:
    """Write a p-value with two digits, and none as zero."""
    if pvalue < 1e-300:
        return "p < 1e-300"
    return f"p = {pvalue:.2g}"
