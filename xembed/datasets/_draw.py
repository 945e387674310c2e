"""Random samples of rows, entries and groups."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from xembed._core.validation import RNG, check_count, check_rng


def draw(
    n: int, total: int, rng: RNG, *, of: str, caller: str, name: str = "n"
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return ``n`` random places of ``total``, and all others, both sorted; ``of`` is what they are called."""
    n = check_count(n, name=name, caller=caller)
    generator = check_rng(rng, caller=caller)
    if n > total:
        raise ValueError(
            f"The {name!r} parameter of {caller} must be at most {total}, the number of {of}. Got {n} instead."
        )
    places = generator.permutation(total)
    return np.sort(places[:n]), np.sort(places[n:])
