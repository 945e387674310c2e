"""Everything that `compare_corpora` says about two corpora."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
import numpy.typing as npt

from xembed._core.results import Result, UserText
from xembed.shift._coverage import CoverageResult
from xembed.shift._facets import Facet
from xembed.shift._rank_sum import RankSumResult
from xembed.shift._regions import RegionsResult
from xembed.shift._self_check import SelfCheck
from xembed.shift._surface import SurfaceResult
from xembed.shift._terms import TermsResult
from xembed.shift._test_result import TestResult

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False)
class ShiftResult(Result):
    """Result of `compare_corpora`. Arrays over all texts hold those of F first, then those of G.

    Attributes
    ----------
    verdict : str
        What was found, in plain words with its numbers.
    shifted : bool
        Whether the combined p-value is at most ``alpha``.
    pvalue : float
        Of the hypothesis that the corpora do not differ in anything, from all tests together.
    alpha : float
        Level of the verdict.
    mode : str
        'battery': tests on shared relabelings, combined by Westfall and Young's min-p; 'fast': pooled depth and linear
        MMD, combined by Holm's method.
    tests : tuple of TestResult
        Each test with its adjusted p-value, effect size and interval.
    facets : tuple of Facet
        The difference taken apart: location, dispersion, shape, contamination.
    separability : float or None
        AUC of a linear classifier on texts that it was not trained on: the share of pairs in which it tells which text
        is of which corpus. 0.5: chance. None above 10,000 texts.
    test : RankSumResult
        The rank-sum test of depths alone, whatever the groups or pairs.
    similarity_within_F, similarity_within_G, similarity_between : float
        Mean cosine of two different texts of F, of G, and of one of each, in [-1, 1].
    regions : RegionsResult or None
        Which regions of the space hold more or less of G than of F, with their typical texts and terms.
    coverage : CoverageResult or None
        Which texts of each corpus the other does not cover.
    terms : TermsResult or None
        Words that are commoner in one corpus; None without texts.
    surface : SurfaceResult or None
        Differences of form, such as length and spacing, that may explain a shift by an artifact; None without texts.
    self_check : SelfCheck or None
        F against itself, if asked for.
    depths : ndarray of shape (n_F + n_G,)
        Depth of every text in F and G together, itself left out: what the tables of a report go by.
    depths_in_F, depths_in_G : ndarray of shape (n_F + n_G,)
        Depth of every text in F and in G, a text never counted in its own depth.
    coordinates : ndarray of shape (n_F + n_G, 2) or None
        Map of the texts, for looking at only.
    projection : str
        How the map was made: 'pca', 'umap' or 'none'.
    explained_variance : tuple of float or None
        Shares of the variance on the two axes of a PCA map.
    names : tuple of str
        What F and G are called.
    texts_F, texts_G : tuple of str or None
        The texts, if they were given.
    encoder : dict or None
        The model that the embeddings come from, if it was given.
    warnings : tuple of str
        What a reader should know before trusting the numbers.
    provenance : dict
        Function, parameters and versions.
    """

    schema: ClassVar[str] = "xembed.shift.ShiftResult/1"
    page: ClassVar[str | None] = "xembed.shift._pages.compare:compare"

    verdict: str
    shifted: bool
    pvalue: float
    alpha: float
    mode: str
    tests: tuple[TestResult, ...]
    facets: tuple[Facet, ...]
    separability: float | None
    test: RankSumResult
    similarity_within_F: float
    similarity_within_G: float
    similarity_between: float
    regions: RegionsResult | None
    coverage: CoverageResult | None
    terms: TermsResult | None
    surface: SurfaceResult | None
    self_check: SelfCheck | None
    depths: npt.NDArray[np.float64]
    depths_in_F: npt.NDArray[np.float64]
    depths_in_G: npt.NDArray[np.float64]
    coordinates: npt.NDArray[np.float64] | None
    projection: str
    explained_variance: tuple[float, ...] | None
    names: Annotated[tuple[str, ...], UserText]
    texts_F: Annotated[tuple[str, ...] | None, UserText]
    texts_G: Annotated[tuple[str, ...] | None, UserText]
    encoder: dict[str, Any] | None
    warnings: tuple[str, ...]
    provenance: dict[str, Any]

    def to_frame(self) -> pd.DataFrame:
        """Return a table with a row a text: corpus, row, depths and, where given, text and coordinates."""
        import pandas as pd

        n_F = len(self.depths) - self.test.n_G
        corpora = np.repeat(self.names, [n_F, self.test.n_G])
        columns: dict[str, Any] = {
            "corpus": corpora,
            "row": np.concatenate([np.arange(n_F), np.arange(self.test.n_G)]),
            "depth": self.depths,
            "depth_in_F": self.depths_in_F,
            "depth_in_G": self.depths_in_G,
        }
        if self.coordinates is not None:
            columns["x"], columns["y"] = self.coordinates.T
        if self.texts_F is not None and self.texts_G is not None:
            columns["text"] = [*self.texts_F, *self.texts_G]
        return pd.DataFrame(columns)
