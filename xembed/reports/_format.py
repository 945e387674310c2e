"""Numbers and texts as a page shows them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from xembed._core.text import count as count
from xembed._core.text import cut as cut
from xembed._core.text import p_value as p_value


def effect(value: float) -> str:
    """Write an effect with its sign: three decimals, or two digits where those would show hardly anything."""
    return f"{value:+.2g}" if 0 < abs(value) < 0.0095 else f"{value:+.3f}"


def interval(bounds: Sequence[float]) -> str:
    """Write an interval of effects."""
    return f"{effect(bounds[0])} to {effect(bounds[1])}"


def number(value: float | None) -> str:
    """Write a number of any size with about three digits: three decimals below 10, fewer above, none for whole ones."""
    if value is None:
        return "–"
    size = abs(value)
    if size < 1e-12:  # what rounding leaves of nothing
        return "0"
    if value == round(value) and size < 1e7:
        return f"{value:,.0f}"
    if size < 0.0095:
        return f"{value:.2g}"
    if size < 10:
        return f"{value:.3f}"
    return f"{value:.1f}" if size < 1000 else f"{value:,.0f}" if size < 1e7 else f"{value:.3g}"


def bounds(low: float | None, high: float | None, write: Callable[[float], str] = number) -> str | None:
    """Write an interval of numbers, or None where there is none."""
    return None if low is None or high is None else f"{write(low)} to {write(high)}"


def points(value: float) -> str:
    """Write a correlation or an accuracy times 100, as papers print them."""
    return f"{100 * value:.1f}"


def gain_points(value: float) -> str:
    """Write a difference of correlations or accuracies times 100, with its sign."""
    return f"{100 * value:+.1f}"


point_bounds = partial(bounds, write=points)
gain_bounds = partial(bounds, write=gain_points)


def percent(share: float) -> str:
    """Write a share as a percentage, with a decimal where it is near nothing or all."""
    return f"{share:.1%}" if 0 < share < 0.0995 or 0.99 < share < 1 else f"{share:.0%}"


def change(share: float) -> str:
    """Write a relative change as a percentage with its sign."""
    return f"{share:+.1%}" if abs(share) < 0.0995 else f"{share:+.0%}"


def level(alpha: float) -> str:
    """Write a level or a rate that was chosen, such as 5%."""
    return f"{100 * alpha:.3g}%"
