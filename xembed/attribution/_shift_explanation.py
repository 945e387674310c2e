"""What explaining a shift gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from xembed._core.results import IntervalIn, NotCompared, Result, RowKey, UserText
from xembed.attribution._trust_result import MethodTrust

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False)
class ShiftTerm(Result):
    """A word, and what it adds to a component of a shift.

    Attributes
    ----------
    term : str
        In lower case.
    contribution : float
        What the term adds to the component, in the unit of the component's size.
    interval : tuple of float
        95 % interval over texts, of the product of share and value by their approximate errors. It is wider than the
        tests are strict: a term may be significant and its interval hold 0.
    pvalue, qvalue : float
        Of no contribution (two-sided, over texts), and adjusted for all terms of the component (Benjamini-Hochberg).
    count_F, count_G : int
        Texts that hold the term, among those that were explained.
    """

    schema: ClassVar[str] = "xembed.attribution.ShiftTerm/1"

    term: Annotated[str, RowKey, UserText]
    contribution: Annotated[float, IntervalIn("interval")]
    interval: tuple[float, float]
    pvalue: float
    qvalue: float
    count_F: int
    count_G: int


@dataclass(frozen=True, repr=False)
class ShiftExample(Result):
    """A text that was explained, with what its words add along one component.

    Attributes
    ----------
    corpus : str
        What its corpus is called.
    row : int
        Its row there.
    component : int
        Which of the ``components``: the region that it lies in, if that changed, otherwise the location.
    along : float
        How far it lies along the component from the mean of the texts outside it.
    words : tuple of str
        Its words.
    values : tuple of float
        What each adds along the component.
    """

    schema: ClassVar[str] = "xembed.attribution.ShiftExample/1"

    corpus: Annotated[str, UserText]
    row: Annotated[int, RowKey]
    component: int
    along: float
    words: Annotated[tuple[str, ...], UserText]
    values: tuple[float, ...]


@dataclass(frozen=True, repr=False)
class ShiftComponent(Result):
    """One way in which the corpora moved apart.

    Attributes
    ----------
    kind : {'location', 'new', 'more', 'vanished', 'less'}
        The difference of the centers, or a region that changed (see `xembed.shift.what_shifted`).
    label : str
        What it is called.
    size : float
        For the location the length of the difference of the mean directions; for a region that of its texts from all
        others: what the contributions of all terms, ``context`` and ``rest`` add up to.
    context : float
        What the same terms add by being in other company: none of them came or went for it.
    rest : float
        What is in no term of enough texts: rare words, punctuation, special tokens, the reference.
    came, went : tuple of ShiftTerm
        Terms that make the component by being in more of the texts that moved (of G, or of the region), and by being in
        fewer of them; largest contribution first.
    n_terms, n_significant : int
        Terms that were tested, and those with ``qvalue <= fdr``.
    examples : tuple of ShiftExample
        Texts farthest along it.
    """

    schema: ClassVar[str] = "xembed.attribution.ShiftComponent/1"

    kind: Annotated[str, RowKey]
    label: Annotated[str, RowKey, UserText]
    size: float
    context: float
    rest: float
    came: tuple[ShiftTerm, ...]
    went: tuple[ShiftTerm, ...]
    n_terms: int
    n_significant: int
    examples: Annotated[tuple[ShiftExample, ...], NotCompared]


@dataclass(frozen=True, repr=False)
class ShiftExplanation(Result):
    """Result of `explain_shift`.

    Attributes
    ----------
    verdict : str
        What was found, in plain words.
    components : tuple of ShiftComponent
        The location first, then regions that changed, strongest evidence first.
    texts : tuple of ShiftExample
        Every text that was explained, those of F first.
    trust : MethodTrust or None
        How well the method finds the words of a shift that was made by planting words in the same texts. None where it
        was not asked for or can't be made.
    trusted : bool or None
        Whether its interval is above .8.
    agreement : float or None
        Share of the first ten terms that came, by the embedding, that are among the significant terms by their counts,
        or the first ten where those are fewer (`xembed.shift.distinguishing_terms`).
    by_counts_F, by_counts_G : tuple of str
        Those terms.
    names : tuple of str
        What F and G are called.
    n_F, n_G : int
        Texts that were explained.
    fdr : float
        False discovery rate.
    method, label : str
        How words were found.
    notes : tuple of str
        What to know about the numbers.
    seconds : float
        Time that it took.
    encoder : dict
        The encoder.
    provenance : dict
        Function, parameters and versions.
    """

    schema: ClassVar[str] = "xembed.attribution.ShiftExplanation/1"
    page: ClassVar[str | None] = "xembed.attribution._pages.corpora:shift"

    verdict: str
    components: tuple[ShiftComponent, ...]
    texts: tuple[ShiftExample, ...]
    trust: MethodTrust | None
    trusted: bool | None
    agreement: float | None
    by_counts_F: Annotated[tuple[str, ...], UserText]
    by_counts_G: Annotated[tuple[str, ...], UserText]
    names: Annotated[tuple[str, ...], UserText]
    n_F: int
    n_G: int
    fdr: float
    method: str
    label: str
    notes: tuple[str, ...]
    seconds: float
    encoder: dict[str, Any]
    provenance: dict[str, Any]

    def to_frame(self) -> pd.DataFrame:
        """Return a table with a row for each component and term."""
        import pandas as pd

        return pd.DataFrame(
            [
                {
                    "component": component.label,
                    "kind": component.kind,
                    "term": term.term,
                    "contribution": term.contribution,
                    "low": term.interval[0],
                    "high": term.interval[1],
                    "qvalue": term.qvalue,
                    "count_F": term.count_F,
                    "count_G": term.count_G,
                }
                for component in self.components
                for term in (*component.came, *component.went)
            ]
        )
