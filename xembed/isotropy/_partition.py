r"""The partition function :math:`Z(c) = \sum_i \exp(c \cdot x_i)` over directions of both signs."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from xembed._core.blocks import Blocks, Rows, read_rows
from xembed._core.directions import working_dtype
from xembed._core.moments import Array, Selection, coordinates, group_rows, read_moments, row_chunks
from xembed._core.parallel import one_blas_thread, ordered_map
from xembed._core.progress import track
from xembed._core.validation import FloatArray

# Up to this exponent sums of a chunk stay far below the largest float32, and those of its negative above the smallest.
_PLAIN_EXPONENT = 60.0


def partition_isotropy(X: Any) -> float:
    r"""Return the isotropy I(W): the smallest over the largest value of the partition function.

    :math:`\min_c Z(c) / \max_c Z(c)` with :math:`Z(c) = \sum_i \exp(c \cdot x_i)`, where c runs over the unit
    eigenvectors of :math:`X^T X` [1]_, in both directions.

    Parameters
    ----------
    X : array-like of shape (n_texts, n_dims), or blocks of it
        Embeddings, as in `participation_ratio`, but no iterator: they are read twice.

    Returns
    -------
    float
        The isotropy, in [0, 1]. 1: no direction is preferred.

    Raises
    ------
    ValueError
        If rows are not finite (they are named), or there are fewer than two.
    TypeError
        If ``X`` does not hold real numbers, or is an iterator.

    Notes
    -----
    **It depends on the scale.** Compare only embeddings of the same length; for short rows all spaces look isotropic.
    Where eigenvalues are equal, the eigenvectors are arbitrary, and so, slightly, is the value. O(n d²) time.

    References
    ----------
    .. [1] J. Mu, P. Viswanath. "All-but-the-Top: Simple and Effective Postprocessing for Word Representations".
           ICLR 2018.

    Examples
    --------
    >>> from xembed.isotropy import partition_isotropy
    >>> partition_isotropy([[1, 0], [-1, 0], [0, 1], [0, -1]])
    1.0
    >>> round(partition_isotropy([[1, 0], [1, 0.1], [1, -0.1]]), 2)
    0.14
    """
    rows = read_rows(X, name="X", caller="partition_isotropy", min_rows=2, again=True)
    second = read_moments(rows, name="X").second
    return isotropy_of(log_partition(rows, np.linalg.eigh(second)[1])[0])


def isotropy_of(log_values: Array) -> float:
    return float(np.exp(log_values.min() - log_values.max()))


def log_partition(X: Rows, vectors: Array, *, n_groups: int = 1, seed: int = 0) -> Array:
    """Return log Z(c) and log Z(-c) of the rows of each random group, (n_groups, 2 * n_vectors).

    ``vectors`` are columns, in the coordinates of the moments. For an array with fewer rows than dimensions a last
    column holds the value of directions that are orthogonal to all rows.
    """
    task = partial(_block_partition, vectors=vectors, n_groups=n_groups, seed=seed)
    if isinstance(X, Blocks):
        return combine(np.stack(list(X.map(partial(task, part_of=X.size)))))
    rows = coordinates(X)
    values = combine(task(rows, 0, part_of=rows.size)[None])
    if rows.shape[1] == X.shape[1]:
        return values
    counts = np.zeros(n_groups)
    for group, members in group_rows(len(X), 0, n_groups=n_groups, seed=seed):
        counts[group] += members.stop - members.start if isinstance(members, slice) else len(members)
    return np.column_stack([values, np.log(counts)])


def combine(parts: Array) -> Array:
    """Return the logarithm of the sum over the first axis of exponentials, given their logarithms."""
    peak = parts.max(axis=0)
    with np.errstate(invalid="ignore"):  # parts without rows
        sums = np.exp(np.where(np.isneginf(parts), -np.inf, parts - peak)).sum(axis=0)
    result: Array = peak + np.log(sums)
    return result


def extreme_vectors(X: FloatArray, vectors: Array, n_kept: int, *, part_of: int) -> Array:
    """Return the vectors whose Z is among the ``n_kept`` smallest or largest of either sign in some of the rows.

    ``part_of`` is the number of elements of all rows, which chooses the precision.
    """
    values = _block_partition(X, 0, vectors=vectors, part_of=part_of, n_groups=1, seed=0)[0]
    order = np.argsort(values, kind="stable")
    kept = np.unique(np.concatenate([order[:n_kept], order[-n_kept:]]) % vectors.shape[1])
    return vectors[:, kept]


def _block_partition(X: FloatArray, start: int, *, vectors: Array, part_of: int, n_groups: int, seed: int) -> Array:
    """Return log Z of the rows of each random group of a block, (n_groups, 2 * n_vectors); -inf without rows."""
    dtype = working_dtype(X, part_of)
    columns = vectors.astype(dtype)
    items = group_rows(len(X), start, n_groups=n_groups, seed=seed)

    def log_sums(item: tuple[int, Selection]) -> Array:
        # The sums of exp(z - peak) and of exp(-z - peak) for both signs, with a common peak of all chunks so far.
        peaks = np.full(2 * columns.shape[1], -np.inf)
        sums = np.zeros(2 * columns.shape[1])
        for _, block in row_chunks(X, item[1], dtype):
            _add_exponentials(block @ columns, peaks, sums)
        with np.errstate(divide="ignore"):
            return peaks + np.log(sums)

    values = np.full((n_groups, 2 * columns.shape[1]), -np.inf)
    with one_blas_thread():
        for (group, _), logs in zip(
            track(items, "Partition function", "part"), ordered_map(log_sums, items), strict=True
        ):
            values[group] = np.logaddexp(values[group], logs)
    return values


def _add_exponentials(z: FloatArray, peaks: Array, sums: Array) -> None:
    """Add the column sums of exp(z - peak) and exp(-z - peak), raising the peaks where needed; overwrites ``z``."""
    k = z.shape[1]
    if max(z.max(initial=0.0), -z.min(initial=0.0)) <= _PLAIN_EXPONENT:
        ones = np.ones(len(z), z.dtype)
        _raise_peaks(peaks, sums, np.maximum(peaks, 0.0))
        scale = np.exp(-peaks)
        np.exp(z, out=z)
        sums[:k] += (ones @ z) * scale[:k]
        np.reciprocal(z, out=z)
        sums[k:] += (ones @ z) * scale[k:]
        return
    for half, signed in ((slice(k), z), (slice(k, 2 * k), -z)):
        _raise_peaks(peaks[half], sums[half], np.maximum(peaks[half], signed.max(axis=0)))
        sums[half] += np.exp(signed - peaks[half]).sum(axis=0)


def _raise_peaks(peaks: Array, sums: Array, highest: Array) -> None:
    sums *= np.exp(peaks - highest)
    peaks[:] = highest
