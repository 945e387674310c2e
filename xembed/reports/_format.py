"""Numbers and texts as a page shows them."""

from __future__ import annotations

from collections.abc import Sequence


def p_value(pvalue: float | None) -> str:
    """Write a p-value with two digits, and none as zero."""
    if pvalue is None:
        return "–"
    return "< 1e-300" if pvalue < 1e-300 else f"{pvalue:.2g}"


def effect(value: float) -> str:
    """Write an effect with its sign: three decimals, or two digits where those would show hardly anything."""
    return f"{value:+.2g}" if 0 < abs(value) < 0.0095 else f"{value:+.3f}"


def interval(bounds: Sequence[float]) -> str:
    """Write an interval of effects."""
    return f"{effect(bounds[0])} to {effect(bounds[1])}"


def percent(share: float) -> str:
    """Write a share as a percentage, with a decimal where it is near nothing or all."""
    return f"{share:.1%}" if 0 < share < 0.0995 or 0.99 < share < 1 else f"{share:.0%}"


def change(share: float) -> str:
    """Write a relative change as a percentage with its sign."""
    return f"{share:+.1%}" if abs(share) < 0.0995 else f"{share:+.0%}"


def level(alpha: float) -> str:
    """Write a level or a rate that was chosen, such as 5%."""
    return f"{100 * alpha:.3g}%"


def cut(text: str, length: int) -> str:
    """Shorten a text, saying so by an ellipsis."""
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


def count(number: int, noun: str) -> str:
    """Write a number with its noun."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
