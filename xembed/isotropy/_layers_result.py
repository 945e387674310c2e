"""What `layer_profile` returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from xembed._core.results import Result
from xembed.isotropy._isotropy_result import Measure
from xembed.isotropy._sts_result import STSCorrelation

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False, repr=False)
class LayerRow(Result):
    """One layer, pooling and correction.

    Attributes
    ----------
    layer : int
        0 is the output of the embedding layer, ``n`` that of the n-th block.
    pooling, correction : str
        'raw' is none.
    measures : tuple of Measure
        Of the texts.
    sts : STSCorrelation or None
        The mean over the sets of pairs, if there are several.
    """

    schema: ClassVar[str] = "xembed.isotropy.LayerRow/1"

    layer: int
    pooling: str
    correction: str
    measures: tuple[Measure, ...]
    sts: STSCorrelation | None


@dataclass(frozen=True, eq=False, repr=False)
class LayerProfile(Result):
    """Result of `layer_profile`.

    Attributes
    ----------
    rows : tuple of LayerRow
        By layer, then pooling, then correction.
    layers : tuple of int
        The layers.
    n_blocks : int
        Blocks of the model; its output is the layer of this number.
    poolings : tuple of str
        The poolings.
    corrections : dict of str to str
        Names of the corrections, and how they are written.
    n_texts, n_fit : int
        Texts measured, and texts that corrections were fitted on.
    sts : tuple of str
        Names of the sets of pairs.
    fit_on : str or None
        Name of the texts that corrections were fitted on; None without corrections.
    fit_overlap : float or None
        Share of the pairs' sentences that are among the texts of the fit.
    transductive : bool
        Corrections were fitted on sentences of the pairs.
    n_resamples : int
        For the intervals.
    confidence_level : float
        Of the intervals.
    encoder : dict
        What made the embeddings.
    notes : tuple of str
        What to know about the numbers.
    provenance : dict
        Function, parameters and versions.
    """

    schema: ClassVar[str] = "xembed.isotropy.LayerProfile/1"
    page: ClassVar[str | None] = "xembed.reports._layers:layers_context"

    rows: tuple[LayerRow, ...]
    layers: tuple[int, ...]
    n_blocks: int
    poolings: tuple[str, ...]
    corrections: dict[str, str]
    n_texts: int
    n_fit: int
    sts: tuple[str, ...]
    fit_on: str | None
    fit_overlap: float | None
    transductive: bool
    n_resamples: int
    confidence_level: float
    encoder: dict[str, Any]
    notes: tuple[str, ...]
    provenance: dict[str, Any]

    def row(self, layer: int, pooling: str = "mean", correction: str = "raw") -> LayerRow:
        """Return one row; a negative layer counts from the model's output.

        Raises
        ------
        KeyError
            If there is none.
        """
        wanted = layer if layer >= 0 else self.n_blocks + 1 + layer
        for found in self.rows:
            if (found.layer, found.pooling, found.correction) == (wanted, pooling, correction):
                return found
        raise KeyError(
            f"There is no row of layer {layer}, pooling {pooling!r} and correction {correction!r}. The layers are "
            f"{list(self.layers)}, the poolings {list(self.poolings)}, the corrections {['raw', *self.corrections]}."
        )

    def to_frame(self) -> pd.DataFrame:
        """Return a table with one row a layer, pooling and correction; Spearman's correlation x 100."""
        import pandas as pd

        return pd.DataFrame([_flat(row, with_sts=bool(self.sts)) for row in self.rows])


def _flat(row: LayerRow, *, with_sts: bool) -> dict[str, Any]:
    flat: dict[str, Any] = {"layer": row.layer, "pooling": row.pooling, "correction": row.correction}
    flat |= {measure.name: measure.value for measure in row.measures}
    if with_sts and row.sts is not None:
        flat["spearman"] = 100 * row.sts.spearman
        if row.sts.spearman_low is not None and row.sts.spearman_high is not None:
            flat |= {"spearman_low": 100 * row.sts.spearman_low, "spearman_high": 100 * row.sts.spearman_high}
    return flat
