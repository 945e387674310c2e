"""What a check of trust gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from xembed._core.results import IntervalIn, NotCompared, Result, RowKey, UserText

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False)
class MethodTrust(Result):
    """How well one method finds planted words by one target.

    Attributes
    ----------
    method, label : str
        The method, and how it is written.
    target : {'nearest_similarity', 'depth'}
        What was attributed to words.
    auroc : float
        Chance that a planted word pulls away from the corpus more than a word of the text, the mean over texts; in
        [0, 1], and .5 for guessing.
    interval : tuple of float
        95 % interval of it, texts resampled.
    signed : bool
        Whether the method tells toward from away. One that does not ranks words by size: it finds planted nouns among
        small words in any corpus, whether they belong or not.
    content : float or None
        The same against words of five letters and more only, which are not told from planted ones by being small words;
        None where no text has such words.
    first : float
        Share of texts in which a planted word is first.
    completeness : float or None
        Median completeness error of the method, None if it promises no sum.
    seconds : float
        A text.
    """

    schema: ClassVar[str] = "xembed.attribution.MethodTrust/1"

    method: Annotated[str, RowKey]
    label: str
    target: Annotated[str, RowKey]
    auroc: Annotated[float, IntervalIn("interval")]
    interval: tuple[float, float]
    signed: bool
    content: float | None
    first: float
    completeness: float | None
    seconds: float


@dataclass(frozen=True, repr=False)
class PlantedExample(Result):
    """A text with planted words, and by how much each word pulls it away, by the recommended method.

    Attributes
    ----------
    words : tuple of str
        Words of the text, in order.
    planted : tuple of bool
        Whether each was planted.
    values : tuple of float
        Attribution of each word.
    """

    schema: ClassVar[str] = "xembed.attribution.PlantedExample/1"

    words: Annotated[tuple[str, ...], UserText]
    planted: tuple[bool, ...]
    values: tuple[float, ...]


@dataclass(frozen=True, repr=False)
class TrustResult(Result):
    """Result of `trust_check`.

    Attributes
    ----------
    verdict : str
        What was found, in plain words with its numbers.
    trusted : bool
        Whether the interval of the best method is above ``threshold``, it has signs, and an untrained encoder does
        worse.
    recommended, recommended_target : str
        The method with signs and the target with the highest AUROC.
    methods : tuple of MethodTrust
        Best first, those without signs behind all that have them.
    threshold : float
        The AUROC that the lower end of the interval has to reach.
    untrained : float or None
        AUROC of the recommended method on the same encoder with random weights; None if it has no weights, or
        corrections around it that were fitted to trained embeddings.
    deletion : float
        Share of texts in which deleting the word that the recommended method names first moves the target up more than
        deleting another word of the text drawn at random, which may be planted, too; equal moves count half.
    n_texts, n_planted : int
        Texts that words were planted in, and words in all.
    n_reference : int
        Texts that the depth was taken in.
    off_topic : tuple of str
        The words to draw from.
    examples : tuple of PlantedExample
        A few texts with what the recommended method said.
    encoder : dict
        The encoder.
    warnings : tuple of str
        What to know.
    provenance : dict
        Function, parameters and versions.
    """

    schema: ClassVar[str] = "xembed.attribution.TrustResult/1"
    page: ClassVar[str | None] = "xembed.attribution._pages.corpora:trust"

    verdict: str
    trusted: bool
    recommended: str
    recommended_target: str
    methods: tuple[MethodTrust, ...]
    threshold: float
    untrained: float | None
    deletion: float
    n_texts: int
    n_planted: int
    n_reference: int
    off_topic: Annotated[tuple[str, ...], UserText]
    examples: Annotated[tuple[PlantedExample, ...], NotCompared]
    encoder: dict[str, Any]
    warnings: tuple[str, ...]
    provenance: dict[str, Any]

    def to_frame(self) -> pd.DataFrame:
        """Return a table with a row for each method and target, best first."""
        import pandas as pd

        return pd.DataFrame(
            [
                {
                    "method": found.method,
                    "target": found.target,
                    "auroc": found.auroc,
                    "low": found.interval[0],
                    "high": found.interval[1],
                    "signed": found.signed,
                    "content": found.content,
                    "first": found.first,
                    "completeness": found.completeness,
                    "seconds": found.seconds,
                }
                for found in self.methods
            ]
        )
