"""What explaining texts gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
import numpy.typing as npt

from xembed._core.results import PerRow, Result, UserText

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False, repr=False)
class Attributions(Result):
    """A number for each word of each text: how much it speaks for the target.

    Attributes
    ----------
    method, label : str
        Name of the method, and how it is written.
    signed : bool
        Whether negative numbers mean that a word speaks against the target. Of other methods only the size counts.
    words : tuple of tuple of str
        The words of each text.
    values : tuple of ndarray of shape (n_words,), float64
        Their attributions, in the unit of the model's output.
    targets : ndarray of shape (n_texts,), int64
        The output that was explained; of an encoder 0, or which of the vectors or classes of the target.
    scores : ndarray of shape (n_texts,), float64
        The model's score of the target.
    baseline_scores : ndarray of shape (n_texts,), float64
        The score of the baseline that the method starts at; NaN for methods without one.
    completeness : ndarray of shape (n_texts,), float64
        By how much the attributions miss ``scores - baseline_scores``, relative to it; NaN for methods that promise no
        sum.
    special : ndarray of shape (n_texts,), float64
        Share of the absolute attribution that fell on special tokens and is not in ``values``; NaN where there is none.
    truncated : ndarray of shape (n_texts,), bool
        Texts longer than the model reads. Words that were cut off have 0 where texts came as lists of words, and are
        not shown where they came as strings.
    output : str
        'logit' or 'probability' of a classifier; of an encoder the name of the target, such as 'similarity'.
    baseline : str
        What stands for absent words on the way from the baseline, or in perturbed texts.
    notes : tuple of str
        What to know about the numbers, in plain words.
    seconds : float
        Time that it took.
    provenance : dict
        Function, parameters and versions.
    """

    schema: ClassVar[str] = "xembed.attribution.Attributions/1"
    page: ClassVar[str | None] = "xembed.attribution._pages.texts:attributions"

    method: str
    label: str
    signed: bool
    words: Annotated[tuple[tuple[str, ...], ...], UserText]
    values: tuple[npt.NDArray[np.float64], ...]
    targets: npt.NDArray[np.int64]
    scores: Annotated[npt.NDArray[np.float64], PerRow("texts", "words")]
    baseline_scores: npt.NDArray[np.float64]
    completeness: Annotated[npt.NDArray[np.float64], PerRow("texts", "words")]
    special: npt.NDArray[np.float64]
    truncated: npt.NDArray[np.bool_]
    output: str
    baseline: str
    notes: tuple[str, ...]
    seconds: float
    provenance: dict[str, Any]

    def to_frame(self) -> pd.DataFrame:
        """Return a table with a row for each word: text, position, word, attribution."""
        import pandas as pd

        return pd.DataFrame(
            [
                (text, place, word, value)
                for text, (words, values) in enumerate(zip(self.words, self.values, strict=True))
                for place, (word, value) in enumerate(zip(words, values, strict=True))
            ],
            columns=["text", "position", "word", "attribution"],
        )

    def top(self, text: int, n: int = 5) -> list[tuple[str, float]]:
        """Return the ``n`` words of a text with the largest absolute attribution, largest first."""
        order = np.argsort(-np.abs(self.values[text]), kind="stable")[:n]
        return [(self.words[text][place], float(self.values[text][place])) for place in order]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data; numbers that there are not are None."""
        data = super().to_dict()
        for name in ("baseline_scores", "completeness", "special"):
            data[name] = [None if not np.isfinite(value) else value for value in data[name]]
        return data

    @classmethod
    def from_dict(cls, data: Any) -> Attributions:
        """Rebuild it from what `to_dict` gave."""
        filled = dict(data)
        for name in ("baseline_scores", "completeness", "special"):
            if name in filled:
                filled[name] = [np.nan if value is None else value for value in filled[name]]
        return super().from_dict(filled)

    def _scalars(self) -> dict[str, Any]:
        return {"method": self.method, "n_texts": len(self.words), "output": self.output, "seconds": self.seconds}

    def _repr_html_(self) -> str:
        from xembed.attribution._render import attributions_html

        return attributions_html(self)
