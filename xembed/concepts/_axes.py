"""Named axes of an embedding space, and how much of a similarity or of a difference lies along each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
import numpy.typing as npt

from xembed._core.directions import unit_rows
from xembed._core.fields import Cosines, Provenance, Sides
from xembed._core.provenance import provenance
from xembed._core.results import PerRow, Result, UserText
from xembed._core.validation import check_texts
from xembed.encoders import describe_encoder, encode_texts

if TYPE_CHECKING:
    import pandas as pd

Floats = npt.NDArray[np.float64]
# Smallest singular value of axes that are linearly independent.
_DEPENDENT = 1e-6
# Distance of embeddings of length 1 up to which they differ by the rounding of float32.
_ROUNDING = 1e-7


@dataclass(frozen=True, eq=False)
class Axes:
    """Named directions of an embedding space; `make_axes` makes them of texts.

    Parameters
    ----------
    directions : mapping of str to array of shape (n_dims,)
        Vector of any length for each name.

    Attributes
    ----------
    names : tuple of str
        Names of the axes.
    vectors : ndarray of shape (n_axes, n_dims), float64
        Directions, of length 1.
    orthogonal : ndarray of shape (n_axes, n_dims), float64
        Nearest orthonormal system [1]_: shares along it add up, and do not depend on the order of the axes.

    Raises
    ------
    ValueError
        If a direction is zero or not finite, sizes differ, or directions are dependent on each other.

    References
    ----------
    .. [1] P.-O. Löwdin. "On the Non-Orthogonality Problem Connected with the Use of Atomic Wave Functions in the Theory
           of Molecules and Crystals". Journal of Chemical Physics 18 (1950), 365-375.

    Examples
    --------
    >>> from xembed.concepts import Axes
    >>> axes = Axes({"east": [2.0, 0.0, 0.0], "north": [0.0, 0.0, 1.0]})
    >>> axes.names, axes.orthogonal.shape
    (('east', 'north'), (2, 3))
    """

    directions: Mapping[str, npt.ArrayLike]
    names: tuple[str, ...] = field(init=False)
    vectors: Floats = field(init=False, repr=False)
    orthogonal: Floats = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.directions, Mapping) or not self.directions:
            raise TypeError(
                "The 'directions' parameter of Axes must be a mapping of names to vectors, with at least one. Got "
                f"{self.directions!r:.60}."
            )
        arrays = [np.asarray(vector, dtype=np.float64) for vector in self.directions.values()]
        if any(array.ndim != 1 or array.shape != arrays[0].shape for array in arrays):
            raise ValueError(
                f"The directions of Axes must be vectors of one size. Got {[array.shape for array in arrays]}."
            )
        stacked = np.stack(arrays)
        if not np.isfinite(stacked).all():
            raise ValueError("The directions of Axes must be finite. Got NaN or infinity.")
        vectors = unit_rows(stacked, name="the directions of Axes")
        left, sizes, right = np.linalg.svd(vectors, full_matrices=False)
        if len(vectors) > vectors.shape[1] or sizes[-1] < _DEPENDENT:
            raise ValueError(
                f"The directions of Axes must be linearly independent. Got {len(vectors)} of {vectors.shape[1]} "
                "dimensions, of which one follows from the others: leave one out."
            )
        object.__setattr__(self, "names", tuple(str(name) for name in self.directions))
        object.__setattr__(self, "vectors", vectors)
        object.__setattr__(self, "orthogonal", left @ right)


@dataclass(frozen=True, repr=False)
class AxesExplanation(Result):
    """Result of `explain_axes`: parts of similarities and differences along each axis, for pairs of texts.

    Attributes
    ----------
    names : tuple of str
        Names of the axes.
    similarity : ndarray of shape (n_pairs,), float64
        Cosines.
    similarity_parts : ndarray of shape (n_pairs, n_axes), float64
        Part of the cosine along each axis. With ``similarity_rest`` they add up to it.
    similarity_rest : ndarray of shape (n_pairs,), float64
        Residual.
    difference : ndarray of shape (n_pairs,), float64
        Distance of the two embeddings, of length 1 each.
    difference_shares : ndarray of shape (n_pairs, n_axes), float64
        Shares of the squared distance along each axis, in [0, 1]. With ``difference_rest`` they add up to 1; all are 0
        where the difference is rounding.
    difference_rest : ndarray of shape (n_pairs,), float64
        Residual share.
    first : tuple of str or None
        Axis with the largest share of each pair; None where there is no difference.
    encoder, provenance : dict
        Description of the encoder; function, parameters and versions.
    warnings : tuple of str
        What the encoder does not read of the texts.
    """

    schema: ClassVar[str] = "xembed.concepts.AxesExplanation/1"
    page: ClassVar[str | None] = "xembed.concepts._pages:axes"

    names: Annotated[tuple[str, ...], UserText]
    similarity: Annotated[Cosines, Sides("pairs"), PerRow("pairs")]
    similarity_parts: Annotated[Floats, Sides("pairs", "names")]
    similarity_rest: Annotated[Floats, Sides("pairs")]
    difference: Annotated[Floats, Sides("pairs"), PerRow("pairs")]
    difference_shares: Annotated[Floats, Sides("pairs", "names")]
    difference_rest: Annotated[Floats, Sides("pairs"), PerRow("pairs")]
    first: Annotated[tuple[str | None, ...], UserText, Sides("pairs")]
    encoder: dict[str, Any]
    provenance: Provenance
    warnings: tuple[str, ...] = ()

    def to_frame(self) -> pd.DataFrame:
        """Return a table with a row for each pair."""
        import pandas as pd

        columns: dict[str, Any] = {"similarity": self.similarity}
        columns |= {f"similarity: {name}": self.similarity_parts[:, i] for i, name in enumerate(self.names)}
        columns |= {"similarity: rest": self.similarity_rest, "difference": self.difference}
        columns |= {f"difference: {name}": self.difference_shares[:, i] for i, name in enumerate(self.names)}
        return pd.DataFrame(columns | {"difference: rest": self.difference_rest, "first": self.first})


def make_axes(encoder: Any, ends: Mapping[str, tuple[Sequence[str], Sequence[str]]]) -> Axes:
    """Make named axes from texts or words at their two ends.

    Parameters
    ----------
    encoder : Encoder or object with ``.encode``
        The encoder.
    ends : mapping of str to pair of sequences of str
        For each name texts or words at the low end and at the high end. The axis is the difference of their means,
        which for pairs is the mean of their differences.

    Returns
    -------
    Axes
        The axes, from low to high.

    Raises
    ------
    ValueError
        If an end is empty, both ends are the same, or axes are linearly dependent.
    TypeError
        If an end is not a list of strings.

    Examples
    --------
    >>> import xembed
    >>> from xembed.concepts import make_axes
    >>> encoder = xembed.load_encoder(device="cpu")
    >>> axes = make_axes(encoder, {"gender": (["He left.", "His son slept."], ["She left.", "Her daughter slept."])})
    >>> axes.vectors.shape
    (1, 384)
    """
    if not isinstance(ends, Mapping) or not ends:
        raise TypeError(
            f"The 'ends' parameter of make_axes must be a mapping of names to pairs of lists. Got {ends!r:.60}."
        )
    directions = {}
    for name, pair in ends.items():
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise TypeError(
                f"The axis {name!r} of make_axes must be a pair of lists of texts, low end and high end. Got "
                f"{type(pair).__name__}."
            )
        low, high = (
            unit_rows(encode_texts(encoder, check_texts(end, name=f"an end of the axis {name!r}")).embeddings)
            for end in pair
        )
        direction = high.mean(axis=0) - low.mean(axis=0)
        if not np.linalg.norm(direction) > _DEPENDENT:
            raise ValueError(f"The axis {name!r} of make_axes must have two different ends. Got the same twice.")
        directions[str(name)] = direction
    return Axes(directions)


def explain_axes(encoder: Any, texts_a: Sequence[str], texts_b: Sequence[str], axes: Axes) -> AxesExplanation:
    r"""Decompose the similarity, and the difference, of pairs of texts along named axes.

    Parameters
    ----------
    encoder : Encoder or object with ``.encode``
        The encoder that the axes were made with.
    texts_a, texts_b : sequence of str
        Pairs of texts, row by row.
    axes : Axes
        The axes.

    Returns
    -------
    AxesExplanation
        Parts that add up, with the residual.

    Raises
    ------
    ValueError
        If there are not as many texts on both sides, or the axes are of another number of dimensions.
    TypeError
        If ``axes`` is something else, or a text is not a string.

    Notes
    -----
    With embeddings :math:`a, b` of length 1 and the orthonormal axes :math:`q_k`, the cosine is :math:`\sum_k (a \cdot
    q_k)(b \cdot q_k)` plus a residual, and the squared distance :math:`\sum_k ((b - a) \cdot q_k)^2` plus a residual.

    Examples
    --------
    >>> import xembed
    >>> from xembed.concepts import explain_axes, make_axes
    >>> encoder = xembed.load_encoder(device="cpu")
    >>> gender = ["He left.", "His son slept."], ["She left.", "Her daughter slept."]
    >>> number = ["A dog barks.", "The car stops."], ["Dogs bark.", "The cars stop."]
    >>> axes = make_axes(encoder, {"gender": gender, "number": number})
    >>> explain_axes(encoder, ["The king smiled at his brother."], ["The queen smiled at her sister."], axes).first
    ('gender',)
    """
    caller = "explain_axes"
    if not isinstance(axes, Axes):
        raise TypeError(f"The 'axes' parameter of {caller} must be Axes. Got {type(axes).__name__}: use make_axes.")
    first, second = check_texts(texts_a, name="texts_a"), check_texts(texts_b, name="texts_b")
    if len(first) != len(second):
        raise ValueError(
            f"texts_a and texts_b of {caller} must be pairs, row by row. Got {len(first)} and {len(second)} texts."
        )
    encodings = [encode_texts(encoder, texts) for texts in (first, second)]
    a, b = (unit_rows(encoding.embeddings) for encoding in encodings)
    q = axes.orthogonal
    if q.shape[1] != a.shape[1]:
        raise ValueError(
            f"The axes of {caller} must have as many dimensions as the embeddings, {a.shape[1]}. Got {q.shape[1]}: "
            "were they made with another encoder?"
        )
    on_a, on_b = a @ q.T, b @ q.T
    similarity, parts = (a * b).sum(axis=1), on_a * on_b
    squared, along = ((b - a) ** 2).sum(axis=1), (on_b - on_a) ** 2
    differ = squared > _ROUNDING**2
    shares = np.zeros_like(along)
    shares[differ] = along[differ] / squared[differ, None]
    return AxesExplanation(
        names=axes.names,
        similarity=similarity,
        similarity_parts=parts,
        similarity_rest=similarity - parts.sum(axis=1),
        difference=np.sqrt(squared),
        difference_shares=shares,
        difference_rest=np.where(differ, 1 - shares.sum(axis=1), 0.0),
        first=tuple(
            axes.names[int(row.argmax())] if is_other else None for row, is_other in zip(shares, differ, strict=True)
        ),
        encoder=describe_encoder(encoder),
        provenance=provenance(caller, axes=list(axes.names), n_pairs=len(first)),
        warnings=(*encodings[0].warnings("texts_a"), *encodings[1].warnings("texts_b")),
    )
