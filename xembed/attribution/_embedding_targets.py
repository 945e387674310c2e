"""Numbers that an embedding gives, to be attributed to words: similarity, depth, projection, a class logit."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from xembed._core.directions import UnitRows, unit_rows
from xembed._core.neighbors import top_k
from xembed._core.validation import check_count, check_embeddings, check_option, check_texts, raise_for_bad_rows
from xembed.depth._pairwise import DISTANCES
from xembed.encoders import encode_texts

if TYPE_CHECKING:
    import torch

    # From embeddings, (n_rows, d), to outputs, (n_rows, n_outputs).
    Head = Callable[[torch.Tensor], torch.Tensor]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
# What the targets here are called in sentences, by name.
LABELS = {
    "similarity": "similarity",
    "nearest_similarity": "similarity to the nearest texts",
    "depth": "depth in the whole corpus",
    "projection": "projection on a direction",
}
# Where the cosine is 1 the slope of arc and chord is infinite. Nearer than this they are kept constant.
_NEAR_ONE = 1e-6


class EmbeddingTarget(ABC):
    """A number of an embedding, which `explain` attributes to the words of a text."""

    name: str

    @abstractmethod
    def prepare(self, encoder: Any, texts: Sequence[str], *, caller: str) -> tuple[Head, Ints]:
        """Return the head, from embeddings to outputs by operations with gradients, and the output of each text."""


@dataclass(frozen=True, eq=False)
class Similarity(EmbeddingTarget):
    """The cosine of a text's embedding with another one.

    Parameters
    ----------
    to : str, sequence of str, or array of shape (n_dims,) or (n_texts, n_dims)
        Text or vector for all texts, or for each.
    """

    to: Any
    name: str = field(default="similarity", init=False)

    def prepare(self, encoder: Any, texts: Sequence[str], *, caller: str) -> tuple[Head, Ints]:
        """Return the cosines with all different vectors."""
        vectors = embeddings_of(encoder, self.to, name="to", caller="Similarity")
        if len(vectors) not in (1, len(texts)):
            raise ValueError(
                f"The 'to' parameter of Similarity must be one text or vector, or one for each of the {len(texts)} "
                f"texts. Got {len(vectors)}."
            )
        return _cosines_with(unit_rows(vectors), len(texts))


@dataclass(frozen=True, eq=False)
class Depth(EmbeddingTarget):
    """The TTE depth of a text in a corpus (see `xembed.depth.tte_depth`): high for what is typical.

    Parameters
    ----------
    reference : sequence of str, or array of shape (n_reference, n_dims)
        The corpus.
    distance : {'cosine', 'chord', 'angular'}, default='cosine'
        Distance, as in `tte_depth`.
    exclude : sequence of int, optional
        For each text the row of the reference that it is itself, which is not counted.
    """

    reference: Any
    distance: str = "cosine"
    exclude: Any = None
    name: str = field(default="depth", init=False)

    def prepare(self, encoder: Any, texts: Sequence[str], *, caller: str) -> tuple[Head, Ints]:
        """Return the depth: one output, or one for each text if it is left out of its own corpus."""
        check_option(self.distance, DISTANCES, name="distance", caller="Depth")
        reference, own = _corpus_of(self, encoder, len(texts))
        outputs = _outputs(len(texts), own)
        if self.distance != "cosine":
            return _depth_head(reference, self.distance, own), outputs
        # The mean of the distances is the distance of the mean.
        total = reference.sum(axis=0, keepdims=True)
        means = total / len(reference) if own is None else (total - reference[own]) / (len(reference) - 1)
        return linear_head(means, unit=True, shift=1.0), outputs


@dataclass(frozen=True, eq=False)
class NearestSimilarity(EmbeddingTarget):
    """The mean cosine with the nearest texts of a corpus: a depth that fits corpora of many topics.

    Parameters
    ----------
    reference : sequence of str, or array of shape (n_reference, n_dims)
        The corpus.
    n_neighbors : int, default=10
        Number of nearest texts; at most all of the corpus.
    fixed : bool, default=False
        Whether to keep the nearest texts of the whole text while words are left out. Otherwise they are those of the
        words that are left, which may be nearer to other texts.
    exclude : sequence of int, optional
        For each text the row of the reference that it is itself, which is not counted.
    """

    reference: Any
    n_neighbors: int = 10
    fixed: bool = False
    exclude: Any = None
    name: str = field(default="nearest_similarity", init=False)

    def prepare(self, encoder: Any, texts: Sequence[str], *, caller: str) -> tuple[Head, Ints]:
        """Return the mean cosine with the nearest, an output for each text or one for all."""
        count = check_count(self.n_neighbors, name="n_neighbors", caller="NearestSimilarity")
        reference, own = _corpus_of(self, encoder, len(texts))
        count = min(count, len(reference) - (own is not None))
        if not self.fixed:
            return _nearest_head(reference, count, own), _outputs(len(texts), own)
        rows = UnitRows.of_unit(unit_rows(encode_texts(encoder, texts).embeddings))
        nearest = top_k(rows, UnitRows.of_unit(reference), count, exclude=own).rows
        return _cosines_with(np.stack([reference[places].mean(axis=0) for places in nearest]), len(texts))


@dataclass(frozen=True, eq=False)
class Projection(EmbeddingTarget):
    """The coordinate of an embedding along a direction: a shift, a named axis, a principal component.

    Parameters
    ----------
    direction : array of shape (n_dims,)
        Direction of any length.
    origin : array of shape (n_dims,), optional
        Vector to subtract from embeddings first.
    """

    direction: Any
    origin: Any = None
    name: str = field(default="projection", init=False)

    def prepare(self, encoder: Any, texts: Sequence[str], *, caller: str) -> tuple[Head, Ints]:
        """Return the coordinate, one output."""
        vectors = embeddings_of(encoder, self.direction, name="direction", caller="Projection")
        if len(vectors) != 1:
            raise ValueError(f"The 'direction' parameter of Projection must be one vector. Got {len(vectors)}.")
        direction = unit_rows(vectors)
        shift = 0.0
        if self.origin is not None:
            origin = embeddings_of(encoder, self.origin, name="origin", caller="Projection")
            if origin.shape != direction.shape:
                raise ValueError(
                    f"The 'origin' parameter of Projection must be of shape ({direction.shape[1]},), as the direction. "
                    f"Got {np.shape(self.origin)}."
                )
            shift = -float((origin @ direction.T)[0, 0])
        return linear_head(direction, unit=False, shift=shift), _outputs(len(texts), None)


@dataclass(frozen=True, eq=False)
class Logit(EmbeddingTarget):
    """The score that a linear classifier on embeddings gives a class.

    Parameters
    ----------
    classifier : fitted scikit-learn classifier with ``coef_``, ``intercept_`` and ``classes_``
        Classifier, such as LogisticRegression or LinearSVC.
    label : optional
        One of its ``classes_``. By default the most likely class of each text.
    """

    classifier: Any
    label: Any = None
    name: str = field(default="logit", init=False)

    def prepare(self, encoder: Any, texts: Sequence[str], *, caller: str) -> tuple[Head, Ints]:
        """Return the scores of all classes."""
        weights, bias = getattr(self.classifier, "coef_", None), getattr(self.classifier, "intercept_", None)
        classes = getattr(self.classifier, "classes_", None)
        if weights is None or bias is None or classes is None:
            raise TypeError(
                "The 'classifier' parameter of Logit must be a fitted linear classifier of scikit-learn, with coef_, "
                f"intercept_ and classes_. Got {type(self.classifier).__name__}."
            )
        weights, bias = np.atleast_2d(np.asarray(weights, dtype=np.float64)), np.ravel(bias).astype(np.float64)
        if len(weights) == 1:  # of two classes the second has the score, the first its negative
            weights, bias = np.concatenate([-weights, weights]), np.concatenate([-bias, bias])
        bias = np.broadcast_to(bias, len(weights)).copy()
        classes = list(classes)
        if self.label is None:
            outputs = (encode_texts(encoder, texts).embeddings @ weights.T + bias).argmax(axis=1).astype(np.int64)
        elif self.label in classes:
            outputs = np.full(len(texts), classes.index(self.label), dtype=np.int64)
        else:
            raise ValueError(f"The 'label' parameter of Logit must be one of {classes!r:.200}. Got {self.label!r}.")
        return linear_head(weights, unit=False, shift=bias), outputs


def _corpus_of(target: Depth | NearestSimilarity, encoder: Any, n_texts: int) -> tuple[Floats, Ints | None]:
    """Return the reference, and the row of it that each text is itself."""
    caller = type(target).__name__
    vectors = embeddings_of(encoder, target.reference, name="reference", caller=caller)
    own = check_exclude(target.exclude, n_texts, len(vectors), caller=caller)
    return unit_rows(vectors, name="reference"), own


# ---- heads


def _cosines_with(vectors: Floats, n_texts: int) -> tuple[Head, Ints]:
    """Return the products with different vectors, and the output of each text; equal vectors share one."""
    different, places = np.unique(vectors, axis=0, return_inverse=True)
    return linear_head(different, unit=True), np.broadcast_to(places.ravel(), n_texts).astype(np.int64)


def linear_head(weights: npt.ArrayLike, *, unit: bool, shift: float | Floats = 0.0) -> Head:
    """Return the products of embeddings, brought to length 1 or not, with the rows of ``weights``, plus ``shift``."""
    import torch

    matrix, added = torch.from_numpy(np.asarray(weights, dtype=np.float64)), torch.as_tensor(shift, dtype=torch.float64)

    def head(embeddings: torch.Tensor) -> torch.Tensor:
        _check_width(embeddings, matrix)
        rows = unit_tensor(embeddings) if unit else embeddings
        return rows @ matrix.to(rows).T + added.to(rows)

    return head


def _depth_head(reference: Floats, distance: str, own: Ints | None) -> Head:
    import torch

    matrix = torch.from_numpy(reference)

    def head(embeddings: torch.Tensor) -> torch.Tensor:
        _check_width(embeddings, matrix)
        cosines = (unit_tensor(embeddings).double() @ matrix.to(embeddings.device).T).clamp(-1.0, 1.0 - _NEAR_ONE)
        if distance == "angular":
            depths = torch.pi - cosines.clamp(min=-1.0 + _NEAR_ONE).arccos()
        else:
            depths = 2.0 - (2.0 * (1.0 - cosines)).sqrt()
        if own is None:
            return depths.mean(dim=1, keepdim=True)
        return (depths.sum(dim=1, keepdim=True) - depths[:, own]) / (len(reference) - 1)

    return head


def _nearest_head(reference: Floats, count: int, own: Ints | None) -> Head:
    """Return the mean cosine with the nearest; with ``own`` without one's own row, an output for each text."""
    import torch

    matrix = torch.from_numpy(reference)

    def head(embeddings: torch.Tensor) -> torch.Tensor:
        _check_width(embeddings, matrix)
        rows = unit_tensor(embeddings)
        cosines = rows @ matrix.to(rows).T
        if own is None:
            return cosines.topk(count, dim=1).values.mean(dim=1, keepdim=True)
        # One more than asked for: where a text itself is among them it is dropped, elsewhere the last one is.
        nearest = cosines.topk(count + 1, dim=1).values
        return (nearest.sum(dim=1, keepdim=True) - torch.maximum(cosines[:, own], nearest[:, -1:])) / count

    return head


def unit_tensor(embeddings: torch.Tensor) -> torch.Tensor:
    """Bring rows to length 1; rows of zeros, which a text without words may have, stay zeros."""
    import torch

    return torch.nn.functional.normalize(embeddings, dim=-1)


def _check_width(embeddings: torch.Tensor, matrix: torch.Tensor) -> None:
    if embeddings.shape[-1] != matrix.shape[-1]:
        raise ValueError(
            f"The target must have as many dimensions as the embeddings, {embeddings.shape[-1]}. Got "
            f"{matrix.shape[-1]}: is it made with another encoder?"
        )


def _outputs(n_texts: int, own: Ints | None) -> npt.NDArray[np.int64]:
    """Return the output of each text: the only one, or its own where it is left out of its own corpus."""
    return np.zeros(n_texts, dtype=np.int64) if own is None else np.arange(n_texts)


def check_exclude(exclude: Any, n_texts: int, n_reference: int, *, caller: str) -> Ints | None:
    """Return the row of the reference that each text is itself."""
    if exclude is None:
        return None
    own = np.asarray(exclude)
    fits = own.shape == (n_texts,) and own.dtype.kind in "iu"
    if not fits or own.min() < 0 or own.max() >= n_reference:
        raise ValueError(
            f"The 'exclude' parameter of {caller} must hold a row of the reference, from 0 to {n_reference - 1}, for "
            f"each of the {n_texts} texts. Got {exclude!r:.60}."
        )
    if n_reference < 2:
        raise ValueError(
            f"The 'reference' parameter of {caller} must hold a text besides the one that is explained. Got one text."
        )
    return own.astype(np.int64)


# ---- vectors


def embeddings_of(encoder: Any, given: Any, *, name: str, caller: str) -> Floats:
    """Return the embeddings of texts, or the vectors themselves, (n, d)."""
    if isinstance(given, str):
        given = [given]
    if isinstance(given, Sequence) and len(given) and all(isinstance(item, str) for item in given):
        texts = check_texts(given, name=name)
        return np.asarray(encode_texts(encoder, texts).embeddings, dtype=np.float64)
    array = np.asarray(given)
    if array.ndim == 1 and array.dtype.kind in "fiu" and len(array):
        array = array[None]
    if array.ndim != 2 or array.dtype.kind not in "fiu":
        raise TypeError(
            f"The {name!r} parameter of {caller} must be texts, or vectors as a numeric array with two dimensions. Got "
            f"{given!r:.60} instead."
        )
    vectors = np.asarray(check_embeddings(array, name=name, caller=caller), dtype=np.float64)
    bad = np.atleast_1d(~np.isfinite(vectors).all(axis=1))
    raise_for_bad_rows(bad, name=name, problem="not finite", remedy="Drop them first.")
    return vectors
