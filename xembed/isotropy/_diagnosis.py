"""What `diagnose` returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from xembed._core.results import Result
from xembed.isotropy._compare_result import CorrectionsResult
from xembed.isotropy._isotropy_result import IsotropyResult
from xembed.isotropy._layers_result import LayerProfile

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False, repr=False)
class Hub(Result):
    """A text that is among the nearest neighbors of many others.

    Attributes
    ----------
    row : int
        Its row, from 0.
    occurrences : float
        In how many lists of nearest neighbors it is. Chance would give each text the same number.
    text : str or None
        The text, if texts were given.
    """

    schema: ClassVar[str] = "xembed.isotropy.Hub/1"

    row: int
    occurrences: float
    text: str | None


@dataclass(frozen=True, eq=False, repr=False)
class Diagnosis(Result):
    """Result of `diagnose`.

    Attributes
    ----------
    name : str
        Of the texts that were measured.
    recommendation : str or None
        A correction, 'none' where raw embeddings should be kept, or None where there is no evidence either way.
    reason : str
        Why, in plain words with figures.
    before : IsotropyResult
        Of raw embeddings.
    correction : str or None
        Which correction ``after`` is of: the recommended one, else the best on the tune data. None without any.
    after : IsotropyResult or None
        Of corrected embeddings of the same texts.
    hubs : tuple of Hub
        The texts that occur most often among the nearest neighbors of others, in raw embeddings.
    n_neighbors : int
        The length of these lists of neighbors.
    corrections : CorrectionsResult or None
        All corrections that were compared.
    layers : LayerProfile or None
        All layers of the model.
    encoder : dict or None
        What made the embeddings.
    warnings : tuple of str
        What to know before reading on.
    provenance : dict
        Function, parameters and versions.
    """

    schema: ClassVar[str] = "xembed.isotropy.Diagnosis/1"
    page: ClassVar[str | None] = "xembed.reports._isotropy:diagnosis_context"

    name: str
    recommendation: str | None
    reason: str
    before: IsotropyResult
    correction: str | None
    after: IsotropyResult | None
    hubs: tuple[Hub, ...]
    n_neighbors: int
    corrections: CorrectionsResult | None
    layers: LayerProfile | None
    encoder: dict[str, Any] | None
    warnings: tuple[str, ...]
    provenance: dict[str, Any]

    def to_frame(self) -> pd.DataFrame:
        """Return a table with one row a measure, before and after."""
        table = self.before.to_frame()
        if self.after is None:
            return table
        columns = ["value", "low", "high"]
        after = self.after.to_frame().set_index("name")[columns].add_suffix(f" after {self.correction}")
        return table.join(after, on="name")
