"""Whether an explanation of a similarity or of a shift can be believed: two tests that need nothing but the texts."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
import numpy.typing as npt

from xembed._core.directions import unit_rows
from xembed._core.results import Result, UserText
from xembed.attribution._method import MethodOptions
from xembed.attribution._off_topic import OFF_TOPIC
from xembed.attribution._planting import method_trust, plant, resamples
from xembed.attribution._render import printable
from xembed.attribution._trust_result import MethodTrust
from xembed.attribution._word_vectors import LABELS, word_vectors
from xembed.encoders import encode_texts

Floats = npt.NDArray[np.float64]

# A pair of texts with more words than this is not put to the test unless that is asked for.
FEW_WORDS = 100
# A shift is made by hand of so few words: in a real one the same words come again and again, too.
_PLANTED_WORDS, _PLANTED_TEXTS = 6, 40
_TEXTS = 400  # that the shift is made in
# What the lower end of the interval has to reach.
THRESHOLD = 0.8


@dataclass(frozen=True, repr=False)
class DeletionTrust(Result):
    """What leaving words out of two texts says of an explanation of their similarity.

    Attributes
    ----------
    word : str
        The word that the explanation puts first: the largest number, whatever its sign.
    text : {'a', 'b'}
        Which text it stands in.
    change : float
        By how much the cosine falls without it; negative if it rises.
    share : float
        Share of the other words without which the cosine changes less, equal ones counting half; .5 for guessing.
    agreement : float or None
        Rank correlation over all words of what the explanation says and by how much the cosine falls without the word.
        None if all are equal.
    n_words : int
        Words in both texts.
    verdict : str
        That in words.
    """

    schema: ClassVar[str] = "xembed.attribution.DeletionTrust/1"

    word: Annotated[str, UserText]
    text: Annotated[str, UserText]
    change: float
    share: float
    agreement: float | None
    n_words: int
    verdict: str


def trust_by_deletion(
    encoder: Any,
    texts: Sequence[str],
    words: Sequence[Sequence[str]],
    values: Sequence[Floats],
    *,
    options: MethodOptions,
    caller: str,
) -> DeletionTrust | None:
    """Compare what is said of the words of two texts with what the cosine does without each.

    None for fewer than three words that a text can be read without: the only word of a text can't be left out.
    """
    from scipy.stats import spearmanr

    a, b = word_vectors(encoder, texts, method="leave_one_out", options=options, caller=caller)
    left = [(one.vectors @ other.embedding) for one, other in ((a, b), (b, a))]
    kept = [(side, place) for side in (0, 1) if len(words[side]) > 1 for place in range(len(words[side]))]
    if len(kept) < 3:
        return None
    said, changes = (np.array([found[side][place] for side, place in kept]) for found in (values, left))
    first = int(np.abs(said).argmax())
    sizes = np.abs(changes)
    others = np.delete(sizes, first)
    varied = np.ptp(said) > 0 and np.ptp(changes) > 0
    side, place = kept[first]
    word, change = words[side][place], float(changes[first])
    share = float(((sizes[first] > others) + 0.5 * (sizes[first] == others)).mean())
    agreement = float(spearmanr(said, changes).statistic) if varied else None
    ranks = "" if agreement is None else f"; rank correlation over all {len(kept)} words {agreement:.2f}"
    return DeletionTrust(
        word=word,
        text="ab"[side],
        change=change,
        share=share,
        agreement=agreement,
        n_words=len(kept),
        verdict=f"Checked by leaving words out: without “{printable(word)}”, which comes first, the cosine "
        f"{'falls' if change >= 0 else 'rises'} by {abs(change):.3f}, a larger change than without {share:.0%} of the "
        f"other words{ranks}.",
    )


def trust_by_planting(
    encoder: Any,
    texts: Sequence[str],
    *,
    method: str,
    options: MethodOptions,
    rng: np.random.Generator,
    caller: str,
) -> MethodTrust:
    """Make a shift of known words in texts of the corpora, and measure how well a method finds them.

    Six words of other fields are planted in some texts, two to four in each. These then lie apart from the other texts,
    and what each of their words adds along that direction is compared: planted ones against their own.

    Raises
    ------
    ValueError
        If there are too few texts, or too few words that do not occur in them.
    """
    began = time.monotonic()
    sample = [texts[i] for i in np.sort(rng.choice(len(texts), size=min(len(texts), _TEXTS), replace=False))]
    known = {word.lower() for text in sample for word in text.split()}
    free = [word for word in OFF_TOPIC if word.lower() not in known]
    chosen = [str(word) for word in rng.choice(free, size=min(_PLANTED_WORDS, len(free)), replace=False)]
    planted, _ = plant(
        sample, None, n_texts=_PLANTED_TEXTS, n_words=(2, 4), off_topic=chosen or OFF_TOPIC, rng=rng, caller=caller
    )
    apart = [
        unit_rows(encode_texts(encoder, rows).embeddings).mean(axis=0)
        for rows in ([" ".join(row) for row in planted.rows], planted.reference)
    ]
    direction = apart[0] - apart[1]
    length = float(np.linalg.norm(direction))
    vectors = word_vectors(encoder, planted.rows, method=method, options=options, caller=caller)
    along = [found.vectors @ (direction / length if length > 0 else direction) for found in vectors]
    return method_trust(
        along,
        planted,
        resamples(planted, rng),
        method=method,
        label=LABELS[method],
        target="shift",
        signed=True,
        completeness=None,
        seconds=(time.monotonic() - began) / len(along),
    )


def planting_sentence(found: MethodTrust) -> str:
    """Return what a shift made by hand says of a method, in words."""
    low, high = found.interval
    numbers = f"AUROC {found.auroc:.2f} ({low:.2f} to {high:.2f}) with {found.label}; guessing gives 0.50"
    if low >= THRESHOLD:
        return f"Checked by a shift of planted words in these texts: they are found, {numbers}."
    return (
        f"Words can't be trusted as reasons here: in a shift of planted words in these texts they have {numbers}, and "
        f"{THRESHOLD:.2f} is asked of the lower end."
    )
