"""Faithfulness of explanations to a model, and their stability between two forms of a sentence."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from xembed._core.validation import check_number, check_option
from xembed.attribution._method import words_with_tokens
from xembed.attribution._pair_shapley import check_outputs, check_outputs_exist
from xembed.attribution._perturbation import masked_ids
from xembed.attribution._scored_model import DELETIONS, ScoredModel
from xembed.encoders._words import EncodedWords

Floats = npt.NDArray[np.float64]

# ERASER's shares of the words.
SHARES = (0.01, 0.05, 0.1, 0.2, 0.5)
# 0.3 * 10 words is a little more than 3 in floating point: that is no fourth word.
_ROUNDING = 1e-9


def faithfulness(
    model: ScoredModel,
    rows: Sequence[EncodedWords],
    targets: Sequence[int] | npt.NDArray[np.integer[Any]] | int,
    attributions: Mapping[str, Sequence[npt.ArrayLike]],
    *,
    deletion: str = "mask",
    shares: Sequence[float] = SHARES,
    signed: bool | Mapping[str, bool] = True,
    progress: Any = None,
) -> dict[str, dict[str, Floats]]:
    """Measure comprehensiveness and sufficiency of explanations by many methods, as ERASER does [1]_.

    For each share of the words, at least one, the probability of the target is computed without the first words of an
    explanation (comprehensiveness: its loss), and with nothing else (sufficiency: its deficit). Equal rows are computed
    once for all methods.

    Parameters
    ----------
    model : ScoredModel
        The model. Its logits are turned into probabilities: by sigmoids for several labels or one output, else by the
        softmax over all outputs.
    rows : sequence of EncodedWords
        The texts.
    targets : sequence of int, or int
        Explained output of each row, or of all.
    attributions : mapping of str to sequence of ndarray of shape (n_words,)
        For each method a value for each word of each row.
    deletion : {'mask', 'pad', 'unk', 'delete'}, default='mask'
        Replacement of a word that is left out. Rankings of methods depend on it [2]_.
    shares : sequence of float, default=(0.01, 0.05, 0.1, 0.2, 0.5)
        Shares of the words to delete or keep, in (0, 1], rounded up to words.
    signed : bool or mapping of str to bool, default=True
        Whether words are ranked by their values, highest first, or by their absolute values; for all methods, or for
        each. Ties are in the order of the text.
    progress : callable, optional
        Function that is called with the number of rows computed.

    Returns
    -------
    dict of str to dict of str to ndarray of shape (n_rows,), float64
        For each method, in [-1, 1]: ``comprehensiveness`` (high for a faithful explanation) and ``sufficiency`` (low),
        means over ``shares``, which [1]_ calls AOPC; ``comprehensiveness_0.2`` and so on at one share.

    Raises
    ------
    ValueError
        If there is not a target for each row and a finite attribution for each word, or a share is out of its range.
    RuntimeError
        If a score is not finite.

    References
    ----------
    .. [1] J. DeYoung et al. "ERASER: A Benchmark to Evaluate Rationalized NLP Models". ACL 2020.
    .. [2] P. Hase, H. Xie and M. Bansal. "The Out-of-Distribution Problem in Explainability and Search Methods for
           Feature Importance Explanations". NeurIPS 2021.

    Examples
    --------
    >>> import xembed
    >>> from xembed.attribution._scored_model import ScoredModel
    >>> from xembed.geco import make_one_layer
    >>> tokenizer = xembed.load_encoder(device="cpu").model.tokenizer
    >>> model = ScoredModel(make_one_layer(tokenizer, 2), tokenizer, caller="this example")
    >>> rows = model.words.encode([["She", "sings", "."]])
    >>> found = faithfulness(model, rows, [1], {"mine": [[0.9, 0.1, 0.0]]}, shares=(0.5, 1.0))
    >>> found["mine"]["sufficiency_1"].tolist()
    [0.0]
    """
    import torch

    caller = "faithfulness"
    check_option(deletion, DELETIONS, name="deletion", caller=caller)
    parts = _check_shares(shares, caller=caller)
    outputs = check_outputs(targets, len(rows), of="rows", caller=caller)
    tokened = [words_with_tokens(row) for row in rows]
    masks = {
        method: [
            _masks(_check_values(value, row, method=method, number=number), words, parts, by_value)
            for number, (value, row, words) in enumerate(zip(values, rows, tokened, strict=True))
        ]
        for method, values, by_value in _check_methods(attributions, len(rows), signed, caller=caller)
    }

    # The whole texts, then for each method and row the other words, and the first words, at each share.
    ids = [row.ids for row in rows]
    for of_method in masks.values():
        for row, of_row in zip(rows, of_method, strict=True):
            ids += masked_ids(model, row, of_row, deletion)
    scores = model.score_ids(ids, progress=progress)
    probabilities = scores if model.output == "probability" else model.probabilities(torch.from_numpy(scores)).numpy()
    check_outputs_exist(outputs, probabilities.shape[1], caller=caller)
    whole = probabilities[np.arange(len(rows)), outputs]
    masked = probabilities[len(rows) :].reshape(len(masks), len(rows), 2, len(parts), -1)
    at = np.take_along_axis(masked, outputs[None, :, None, None, None], axis=-1)[..., 0]
    return {method: _named(of[:, 0], of[:, 1], whole, parts) for method, of in zip(masks, at, strict=True)}


def comprehensiveness(whole: npt.ArrayLike, without: npt.ArrayLike) -> Floats:
    """Return the loss of probability without the words: (n_rows,) and (n_rows, n_shares) to (n_rows, n_shares)."""
    return np.asarray(whole, dtype=np.float64)[:, None] - np.asarray(without, dtype=np.float64)


def sufficiency(whole: npt.ArrayLike, only: npt.ArrayLike) -> Floats:
    """Return the deficit with nothing else: (n_rows,) and (n_rows, n_shares) to (n_rows, n_shares)."""
    return np.asarray(whole, dtype=np.float64)[:, None] - np.asarray(only, dtype=np.float64)


def aopc(drops: npt.ArrayLike) -> Floats:
    """Return the mean over shares: (n_rows, n_shares) to (n_rows,)."""
    return np.asarray(np.asarray(drops, dtype=np.float64).mean(axis=-1))


def n_taken(n_words: int, share: float) -> int:
    """Return the number of words of a share: rounded up, at least one."""
    return max(1, math.ceil(share * n_words - _ROUNDING))


def _named(without: Floats, only: Floats, whole: Floats, shares: tuple[float, ...]) -> dict[str, Floats]:
    both = {"comprehensiveness": comprehensiveness(whole, without), "sufficiency": sufficiency(whole, only)}
    return {name: aopc(drops) for name, drops in both.items()} | {
        f"{name}_{share:g}": drops[:, place] for name, drops in both.items() for place, share in enumerate(shares)
    }


def _masks(
    values: Floats, words: npt.NDArray[np.int64], shares: tuple[float, ...], by_value: bool
) -> npt.NDArray[np.bool_]:
    """Return which words with tokens are present: (2 * n_shares, n_words), without the first ones, and only they."""
    keys = values[words] if by_value else np.abs(values[words])
    rank = np.argsort(np.argsort(-keys, kind="stable"))
    taken = rank < np.array([n_taken(len(words), share) for share in shares])[:, None]
    return np.concatenate([~taken, taken])


def _check_shares(shares: Any, *, caller: str) -> tuple[float, ...]:
    parts = tuple(
        check_number(share, name="shares", caller=caller, low=0, high=1, closed="right") for share in tuple(shares)
    )
    if not parts or len({*parts}) < len(parts):
        raise ValueError(f"The 'shares' parameter of {caller} must be one or more different numbers. Got {shares!r}.")
    return parts


def _check_methods(
    attributions: Any, n_rows: int, signed: Any, *, caller: str
) -> list[tuple[str, Sequence[npt.ArrayLike], bool]]:
    if not isinstance(attributions, Mapping) or not attributions:
        raise ValueError(
            f"The 'attributions' parameter of {caller} must map names of methods to attributions. "
            f"Got {type(attributions).__name__}{' without a method' if isinstance(attributions, Mapping) else ''}."
        )
    for method, values in attributions.items():
        if len(values) != n_rows:
            raise ValueError(
                f"{caller} must have an attribution for each of the {n_rows} rows. Got {len(values)} of {method!r}."
            )
        if isinstance(signed, Mapping) and method not in signed:
            raise ValueError(f"The 'signed' parameter of {caller} must name each method. It lacks {method!r}.")
    return [
        (method, values, bool(signed[method] if isinstance(signed, Mapping) else signed))
        for method, values in attributions.items()
    ]


def _check_values(values: npt.ArrayLike, row: EncodedWords, *, method: str, number: int) -> Floats:
    array = np.asarray(values, dtype=np.float64)
    if array.shape != (len(row.words),):
        raise ValueError(
            f"The attribution of {method!r} for row {number} must have a value for each of its {len(row.words)} words. "
            f"Got an array of shape {array.shape}."
        )
    if not np.isfinite(array).all():
        raise ValueError(f"The attribution of {method!r} for row {number} must be finite. Got {values!r:.60}.")
    return array


def stability(
    first: Sequence[npt.ArrayLike], second: Sequence[npt.ArrayLike], ground_truth: Sequence[npt.ArrayLike]
) -> dict[str, Floats]:
    """Compare the explanations of the two forms of sentences that differ only in the words of the ground truth.

    Both explain the same output. Shared words should then get the same value, and the words that differ the opposite,
    as far as the two forms are opposites to the model.

    Parameters
    ----------
    first, second : sequence of ndarray of shape (n_words,)
        Attributions of the two forms of each pair.
    ground_truth : sequence of ndarray of shape (n_words,), bool
        Which words differ.

    Returns
    -------
    dict of str to ndarray of shape (n_pairs,), float64
        ``context_l1`` : L1 distance at the shared words, of absolute attributions that sum to 1 over all words of each
        form, in [0, 2]; NaN where a form's attributions are all zero or no word is shared.
        ``context_kendall`` : Kendall's tau-b of the absolute attributions of the shared words, in [-1, 1]; NaN where
        fewer than two are shared or either side is constant.
        ``antisymmetry`` : minus the cosine of the attributions of the words that differ, in [-1, 1]; NaN where either
        side is zero. It is meaningless for methods without signs.

    Raises
    ------
    ValueError
        If numbers of pairs or of words differ, or a value is not finite.

    Examples
    --------
    >>> found = stability([[3.0, 1.0, 0.0]], [[-3.0, 0.0, 1.0]], [[True, False, False]])
    >>> {name: float(values[0]) for name, values in found.items()}
    {'context_l1': 0.5, 'context_kendall': -1.0, 'antisymmetry': 1.0}
    """
    sizes = {len(first), len(second), len(ground_truth)}
    if len(sizes) > 1:
        raise ValueError(
            f"stability must have attributions of both forms and a ground truth for each pair. Got {len(first)}, "
            f"{len(second)} and {len(ground_truth)}."
        )
    measures = {name: np.full(len(first), np.nan) for name in ("context_l1", "context_kendall", "antisymmetry")}
    for row, given in enumerate(zip(first, second, ground_truth, strict=True)):
        a, b = (np.asarray(values, dtype=np.float64) for values in given[:2])
        marks = np.asarray(given[2], dtype=bool)  # as numbers 0 and 1 would be places
        if a.ndim != 1 or not a.shape == b.shape == marks.shape:
            raise ValueError(
                f"The forms and the ground truth of pair {row} of stability must have as many words. Got the shapes "
                f"{a.shape}, {b.shape} and {marks.shape}."
            )
        if not (np.isfinite(a).all() and np.isfinite(b).all()):
            raise ValueError(f"The attributions of pair {row} of stability must be finite. Got NaN or infinity.")
        for name, value in _stable(a, b, marks).items():
            measures[name][row] = value
    return measures


def _stable(first: Floats, second: Floats, marks: npt.NDArray[np.bool_]) -> dict[str, float]:
    from scipy.stats import kendalltau

    sizes = [np.abs(first), np.abs(second)]
    result = {}
    if not marks.all() and min(values.sum() for values in sizes) > 0:
        masses = [values / values.sum() for values in sizes]
        result["context_l1"] = float(np.abs(masses[0] - masses[1])[~marks].sum())
    shared = [values[~marks] for values in sizes]
    if min(len(values) and np.ptp(values) for values in shared) > 0:
        result["context_kendall"] = float(kendalltau(*shared).statistic)
    differ = [first[marks], second[marks]]
    if min(np.abs(values).max(initial=0) for values in differ) > 0:
        a, b = (values / np.abs(values).max() for values in differ)
        result["antisymmetry"] = -float(a @ b / math.sqrt((a @ a) * (b @ b)))
    return result
