"""Words that don't belong, planted in texts, and how well they are found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from xembed._core.validation import check_count, check_texts
from xembed.attribution._off_topic import OFF_TOPIC
from xembed.attribution._trust_result import MethodTrust
from xembed.stats._resampling import bootstrap_rows

Floats = npt.NDArray[np.float64]
# Texts shorter than this have no place to plant words in.
_MIN_WORDS = 4
# Words of so many letters are seldom words of grammar.
_CONTENT_LETTERS = 5
_N_RESAMPLES = 2_000
_PUNCTUATION = ".,;:!?\"'()[]“”‘’…-"


@dataclass(frozen=True)
class Planted:
    """Texts with planted words: their words, which of them are planted, and the rest of the corpus."""

    rows: list[list[str]]
    planted: list[npt.NDArray[np.bool_]]
    reference: list[str]


def plant(
    texts: Sequence[str],
    reference: Sequence[str] | None,
    *,
    n_texts: int,
    n_words: tuple[int, int],
    off_topic: Sequence[str] | None,
    rng: np.random.Generator,
    caller: str,
) -> tuple[Planted, list[str]]:
    """Return texts with words planted in them, the texts that depth is taken in, and the words to draw from."""
    listed = check_texts(texts, min_texts=2)
    if not isinstance(n_words, tuple | list) or len(n_words) != 2:
        raise TypeError(
            f"The 'n_words' parameter of {caller} must be a pair of integers, the fewest and the most words planted in "
            f"a text. Got {n_words!r:.60} instead."
        )
    low, high = n_words
    check_count(low, name="n_words", caller=caller)
    check_count(high, name="n_words", caller=caller, low=low)
    others = None if reference is None else check_texts(reference, name="reference")
    known = {word.strip(_PUNCTUATION).lower() for text in (*listed, *(others or ())) for word in text.split()}
    pool = check_texts(OFF_TOPIC if off_topic is None else off_topic, name="off_topic")
    words = [word for word in dict.fromkeys(pool) if word.lower() not in known]
    if len(words) < high:
        raise ValueError(
            f"The 'off_topic' words of {caller} must hold at least {high} that don't occur in the corpus. Got "
            f"{len(words)} of {len(pool)}: give words of another field."
        )
    long_enough = [place for place, text in enumerate(listed) if len(text.split()) >= _MIN_WORDS]
    count = min(n_texts, len(long_enough) if others is not None else len(listed) // 2)
    if min(count, len(long_enough)) < 2:
        raise ValueError(
            f"The 'texts' parameter of {caller} must hold at least 2 texts of {_MIN_WORDS} words and as many others. "
            f"Got {len(listed)} texts, {len(long_enough)} of them long enough."
        )
    chosen = sorted(rng.choice(long_enough, size=min(count, len(long_enough)), replace=False).tolist())
    rows, marks = [], []
    for place in chosen:
        own = listed[place].split()
        of_text = [(word, False) for word in own]
        for word in rng.choice(words, size=int(rng.integers(low, high + 1)), replace=False):
            of_text.insert(int(rng.integers(len(of_text) + 1)), (str(word), True))
        rows.append([word for word, _ in of_text])
        marks.append(np.array([mark for _, mark in of_text]))
    if others is None:
        taken = set(chosen)
        others = [text for place, text in enumerate(listed) if place not in taken]
    return Planted(rows, marks, others), words


def planted_auroc(away: Sequence[Floats], planted: Sequence[npt.NDArray[np.bool_]]) -> Floats:
    """Return for each text the chance that a planted word pulls away more than another one; ties count half."""
    found = []
    for values, marks in zip(away, planted, strict=True):
        difference = values[marks][:, None] - values[~marks][None]
        found.append(((difference > 0) + 0.5 * (difference == 0)).mean())
    return np.array(found)


def method_trust(
    away: Sequence[Floats],
    planted: Planted,
    drawn: npt.NDArray[np.int64],
    *,
    method: str,
    label: str,
    target: str,
    signed: bool,
    completeness: float | None,
    seconds: float,
) -> MethodTrust:
    """Return how well a method finds planted words, with an interval by the resamples ``drawn``."""
    aurocs = planted_auroc(away, planted.planted)
    low, high = np.quantile(aurocs[drawn].mean(axis=1), [0.025, 0.975])
    return MethodTrust(
        method=method,
        label=label,
        target=target,
        auroc=float(aurocs.mean()),
        interval=(float(low), float(high)),
        signed=signed,
        content=against_content(away, planted),
        first=float(np.mean([marks[values.argmax()] for values, marks in zip(away, planted.planted, strict=True)])),
        completeness=completeness,
        seconds=seconds,
    )


def resamples(planted: Planted, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Return which texts to draw for intervals, (n_resamples, n_texts)."""
    return bootstrap_rows(len(planted.rows), _N_RESAMPLES, rng)


def against_content(away: Sequence[Floats], planted: Planted) -> float | None:
    """Return the AUROC against words of some length only."""
    kept = []
    for values, marks, row in zip(away, planted.planted, planted.rows, strict=True):
        long = np.array([len(word.strip(_PUNCTUATION)) >= _CONTENT_LETTERS for word in row])
        if (long & ~marks).any():
            kept.append((values[long | marks], marks[long | marks]))
    return float(planted_auroc(*zip(*kept, strict=True)).mean()) if kept else None
