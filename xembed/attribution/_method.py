"""What an attribution method is: a function from rows of words to a number for each word, and what is known of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from xembed.attribution._scored_model import Rows, ScoredModel
from xembed.encoders._words import EncodedWords

if TYPE_CHECKING:
    import torch

    # From the places of a batch, its rows, ids and mask to a number for each token, (batch, n_tokens).
    TokenValues = Callable[[list[int], list[EncodedWords], torch.Tensor, torch.Tensor], torch.Tensor]

Floats = npt.NDArray[np.float64]
Targets = npt.NDArray[np.int64]


# Options that every explanation reports.
REPORTED = ("baseline", "deletion", "n_samples", "tolerance", "max_steps")


@dataclass(frozen=True)
class MethodOptions:
    """Options of methods; each takes what it needs.

    Attributes
    ----------
    baseline : {'pad', 'mask', 'unk', 'zero'}
        Start of integrated and multiplied gradients: all tokens but the special ones replaced.
    deletion : {'mask', 'pad', 'unk', 'delete'}
        Replacement of an absent word in perturbation methods.
    n_samples : int
        Number of perturbed rows; Gradient SHAP takes a fifth as many gradients.
    tolerance : float
        Completeness error at which Integrated Gradients stops.
    max_steps : int
        Largest number of steps of Integrated Gradients.
    seed : int
        Seed of methods that draw. Each row draws from its own generator, made of this and of its ids.
    fitted : Any
        Result of ``Method.fit``, for reference methods.
    progress : callable, optional
        Called with the number of rows that went through the model.
    """

    baseline: str = "pad"
    deletion: str = "mask"
    n_samples: int = 100
    tolerance: float = 0.01
    max_steps: int = 96
    seed: int = 0
    fitted: Any = None
    progress: Callable[[int], object] | None = None


@dataclass(frozen=True)
class MethodOutput:
    """Output of a method for some rows.

    Attributes
    ----------
    words : list of ndarray of shape (n_words,), float64
        One for each row. Words without a token, cut off ones among them, have 0.
    special : ndarray of shape (n_rows,), float64
        Share of the absolute attribution that fell on special tokens; NaN where a method gives them none.
    completeness : ndarray of shape (n_rows,), float64
        ``|sum - (f(x) - f(b))| / |f(x) - f(b)|``; NaN for methods that promise no sum.
    baseline_scores : ndarray of shape (n_rows,), float64
        ``f(b)``, the score of the baseline; NaN for methods without one.
    """

    words: list[Floats]
    special: Floats
    completeness: Floats
    baseline_scores: Floats

    @staticmethod
    def of(words: list[Floats], **known: Floats) -> MethodOutput:
        """Fill up with NaN what a method does not know."""
        blank = np.full(len(words), np.nan)
        return MethodOutput(words, **({"special": blank, "completeness": blank, "baseline_scores": blank} | known))


Run = Callable[[ScoredModel, Rows, Targets, MethodOptions], MethodOutput]


@dataclass(frozen=True)
class Method:
    """An attribution method and what pages and docs say of it.

    Attributes
    ----------
    name, label : str
        Name, and name in tables.
    family : {'gradient', 'perturbation', 'attention', 'reference'}
        What it reads of a model: gradients, scores, attention weights, or nothing.
    signed : bool
        Whether negative values mean that a word speaks against the target.
    run : callable
        From a ScoredModel, rows, the target output of each row, and options.
    rows : callable
        From the number of words and the options to the model's rows for one text: (forward only, forward and backward).
    source : tuple of str
        Keys of the publications that it is from.
    fit : callable, optional
        From PairedSentences, the training data, to ``options.fitted``.
    meaning : str
        What its numbers are, in a phrase.
    """

    name: str
    label: str
    family: str
    signed: bool
    run: Run
    rows: Callable[[int, MethodOptions], tuple[float, float]]
    source: tuple[str, ...] = ()
    fit: Callable[[Any], Any] | None = field(default=None, compare=False)
    meaning: str = ""

    @property
    def sentence(self) -> str:
        """``meaning`` as a sentence, with whether signs count."""
        return f"{self.meaning}{'; signed' if self.signed else ''}."


def split_words(tokens: npt.ArrayLike, row: EncodedWords) -> tuple[Floats, Floats]:
    """Sum numbers or vectors of tokens to words, and return those of special tokens as they are."""
    values = np.asarray(tokens, dtype=np.float64)[: len(row.ids)]
    places = np.array([-1 if word is None else word for word in row.word_ids])
    words = np.zeros((len(row.words), *values.shape[1:]))
    np.add.at(words, places[places >= 0], values[places >= 0])
    return words, values[places < 0]


def sum_words(tokens: npt.ArrayLike, row: EncodedWords) -> tuple[Floats, float]:
    """Sum the attributions of tokens to words, and return the share of the absolute rest on special tokens."""
    words, special = split_words(tokens, row)
    total = np.abs(np.asarray(tokens, dtype=np.float64)[: len(row.ids)]).sum()
    return words, float(np.abs(special).sum() / total) if total > 0 else 0.0


def sum_rows(
    model: ScoredModel, rows: Rows, options: MethodOptions, token_values: TokenValues, *, backward: bool = True
) -> MethodOutput:
    """Return the values of tokens, computed in batches of rows of similar length, summed to words."""
    words, special = [np.zeros(0)] * len(rows), np.zeros(len(rows))
    with model.frozen():
        for places, batch, ids, mask in model.row_batches(rows):
            values = token_values(places, batch, ids, mask).detach().double().cpu().numpy()
            model.n_backward += len(batch) if backward else 0
            model.n_forward += 0 if backward else len(batch)
            for place, of_tokens in zip(places, values, strict=True):
                words[place], special[place] = sum_words(of_tokens, rows[place])
            if options.progress is not None:
                options.progress(len(batch))
    return MethodOutput.of(words, special=special)


def words_with_tokens(row: EncodedWords) -> npt.NDArray[np.int64]:
    """Return the places of the words that have tokens."""
    return np.array(sorted({word for word in row.word_ids if word is not None}), dtype=np.int64)


def row_seed(row: EncodedWords, seed: int) -> int:
    """Return a seed that depends on the row itself, not on its place or on what else is explained."""
    import hashlib

    digest = hashlib.blake2b(repr((seed, row.ids)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")
