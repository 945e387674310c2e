"""Methods that leave words out and see what becomes of the score: occlusion, LIME, Kernel SHAP and Shapley sampling.

All work on vectors that say which words are present; special tokens always are. Which vectors are drawn does not depend
on the scores, so captum draws them first (its model is a stand-in that keeps what it is given), the different rows of
many texts go through the model together, and the values are then solved for in double precision. Captum's own way, one
text at a time, would fill no batch and compute equal rows again.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from xembed.attribution._gradients import relative_error
from xembed.attribution._method import Floats, Method, MethodOptions, MethodOutput, Targets, row_seed
from xembed.attribution._pair_shapley import shapley_values
from xembed.attribution._scored_model import Ids, ScoredModel, own_random_state
from xembed.encoders._words import EncodedWords

Masks = npt.NDArray[np.bool_]
# From the scores of the rows of a plan to the values of the words.
Solve = Callable[[Floats], Floats]
# From a number of words, a seed and the options to the rows of a text, all words present first and none of them last
# where a method scores that, and how their scores are solved for values.
Plan = Callable[[int, int, MethodOptions], tuple[Masks, Solve]]

# Perturbed rows held at once: bounds memory, and is far above what a batch holds.
_ROWS_AT_ONCE = 20_000
# The kernel of LIME for texts: width 25 on 100 times the cosine distance.
_LIME_WIDTH = 0.25
_LIME_RIDGE = 1.0
# Captum's Kernel SHAP can't draw for fewer than three words; up to two are enumerated whatever was asked.
_ALWAYS_EXACT = 4


def occlusion(
    model: ScoredModel, rows: Sequence[EncodedWords], targets: Targets, options: MethodOptions
) -> MethodOutput:
    """Take what the score loses without each word [1]_.

    References
    ----------
    .. [1] M. D. Zeiler and R. Fergus. "Visualizing and Understanding Convolutional Networks". ECCV 2014.
    """
    return _run(model, rows, targets, options, occlusion_plan, sums=False)


def lime(model: ScoredModel, rows: Sequence[EncodedWords], targets: Targets, options: MethodOptions) -> MethodOutput:
    """Fit a linear model to the scores of texts with random words left out, near ones weighing more [1]_.

    Rows are drawn and weighed as LIME's own explainer of texts does: the text itself, then rows without a number of
    words that is uniform from 1 to all; weights fall with the cosine distance of the vectors of present words (width 25
    on 100 times the distance). The linear model is the ridge regression of LIME. Captum's default, a lasso, sets most
    words to exactly zero, which ties their ranks, and its default distance is one of token ids, which means nothing.

    References
    ----------
    .. [1] M. T. Ribeiro, S. Singh and C. Guestrin. "'Why Should I Trust You?' Explaining the Predictions of Any
           Classifier". KDD 2016.
    """
    return _run(model, rows, targets, options, _lime_plan, sums=False)


def kernel_shap(
    model: ScoredModel, rows: Sequence[EncodedWords], targets: Targets, options: MethodOptions
) -> MethodOutput:
    """Estimate Shapley values of words by a weighted regression on random rows [1]_.

    Texts of so few words that ``2**n_words <= n_samples`` get their exact Shapley values by enumeration.

    References
    ----------
    .. [1] S. M. Lundberg and S.-I. Lee. "A Unified Approach to Interpreting Model Predictions". NeurIPS 2017.
    """
    # The two rows that fix the sum leave n - 1 unknowns for the others.
    lengths = [len(_features(row)) for row in rows]
    few = sum(not _is_exact(n, options) and options.n_samples < n + 1 for n in lengths)
    if few:
        warnings.warn(
            f"Kernel SHAP has more words than rows to fit them to in {few} of {len(rows)} texts "
            f"(n_samples={options.n_samples}, up to {max(lengths)} words): raise n_samples.",
            UserWarning,
            stacklevel=2,
        )
    return _run(model, rows, targets, options, _kernel_shap_plan, sums=True)


def shapley_sampling(
    model: ScoredModel, rows: Sequence[EncodedWords], targets: Targets, options: MethodOptions
) -> MethodOutput:
    """Estimate Shapley values of words by what each adds when words come in random orders [1]_.

    As many orders are drawn as make about ``n_samples`` rows, at least one. Texts of so few words that
    ``2**n_words <= n_samples`` get their exact Shapley values by enumeration, the same as from `kernel_shap`.

    References
    ----------
    .. [1] E. Strumbelj and I. Kononenko. "An Efficient Explanation of Individual Classifications using Game Theory".
           JMLR 11 (2010).
    """
    return _run(model, rows, targets, options, shapley_sampling_plan, sums=True)


# ---- what it costs: rows forward, and none backward


def occlusion_rows(n_words: int, _options: MethodOptions) -> tuple[float, float]:
    """Return the rows of a text: itself, and one without each word."""
    return n_words + 1.0, 0.0


def lime_rows(n_words: int, options: MethodOptions) -> tuple[float, float]:
    """Return the most different rows of a text."""
    return float(min(options.n_samples, 2**n_words)), 0.0


def kernel_shap_rows(n_words: int, options: MethodOptions) -> tuple[float, float]:
    """Return the most different rows of a text."""
    return float(2**n_words if _is_exact(n_words, options) else options.n_samples), 0.0


def shapley_sampling_rows(n_words: int, options: MethodOptions) -> tuple[float, float]:
    """Return the most different rows of a text: orders share their ends."""
    return float(2**n_words if _is_exact(n_words, options) else _n_orders(n_words, options) * (n_words - 1) + 2), 0.0


# ---- plans


def occlusion_plan(n_words: int, _seed: int, _options: MethodOptions) -> tuple[Masks, Solve]:
    masks = np.concatenate([np.ones((1, n_words), dtype=bool), ~np.eye(n_words, dtype=bool)])
    return masks, lambda scores: scores[0] - scores[1:]


def _lime_plan(n_words: int, seed: int, options: MethodOptions) -> tuple[Masks, Solve]:
    from captum.attr import LimeBase
    from captum.attr._core.lime import get_exp_kernel_similarity_function

    rng = np.random.default_rng(seed)

    def perturb(original: torch.Tensor, **_: object) -> Iterator[torch.Tensor]:
        yield original
        while True:
            present = np.ones(n_words, dtype=np.float32)
            present[rng.choice(n_words, size=rng.integers(1, n_words + 1), replace=False)] = 0
            yield torch.from_numpy(present)[None]

    keeper = _Keeper()
    method: Any = LimeBase(
        _no_model,
        keeper,
        get_exp_kernel_similarity_function("cosine", _LIME_WIDTH),
        perturb,
        perturb_interpretable_space=True,
        from_interp_rep_transform=lambda present, _original, **_: present,
        to_interp_rep_transform=None,
    )
    with torch.no_grad():
        method.attribute(torch.ones(1, n_words), n_samples=options.n_samples, perturbations_per_eval=options.n_samples)
    present, weights = keeper.rows, keeper.weights
    return present > 0, lambda scores: _ridge(present, scores, weights, _LIME_RIDGE)


def _kernel_shap_plan(n_words: int, seed: int, options: MethodOptions) -> tuple[Masks, Solve]:
    if _is_exact(n_words, options):
        return _all_masks(n_words), shapley_values
    from captum.attr import KernelShap

    keeper = _Keeper()
    method: Any = KernelShap(_no_model)
    method.interpretable_model = keeper
    with own_random_state(seed, torch.device("cpu")), torch.no_grad():
        method.attribute(
            torch.ones(1, n_words),
            n_samples=max(options.n_samples, 2),
            perturbations_per_eval=max(options.n_samples, 2),
            return_input_shape=False,
        )
    present, weights = keeper.rows, keeper.weights
    return present > 0, lambda scores: _shap_regression(present, scores, weights)


def shapley_sampling_plan(n_words: int, seed: int, options: MethodOptions) -> tuple[Masks, Solve]:
    if _is_exact(n_words, options):
        return _all_masks(n_words), shapley_values
    from captum.attr import ShapleyValueSampling

    seen: list[torch.Tensor] = []

    def keep(present: torch.Tensor) -> torch.Tensor:
        seen.append(present)
        return torch.zeros(len(present))

    n_orders = _n_orders(n_words, options)
    method: Any = ShapleyValueSampling(keep)
    with own_random_state(seed, torch.device("cpu")):
        method.attribute(torch.ones(1, n_words), n_samples=n_orders, perturbations_per_eval=n_words)
    masks = torch.cat(seen).numpy() > 0  # no word, then each order from its first word to all

    def solve(scores: Floats) -> Floats:
        ways = scores[1:].reshape(n_orders, n_words)
        gains = np.diff(ways, axis=1, prepend=scores[0])
        grown = masks[1:].reshape(n_orders, n_words, n_words)
        added = np.diff(grown.astype(np.int8), axis=1, prepend=0)
        return np.asarray((gains[..., None] * added).sum(axis=(0, 1)) / n_orders)

    return masks, solve


def _is_exact(n_words: int, options: MethodOptions) -> bool:
    return bool(2**n_words <= max(options.n_samples, _ALWAYS_EXACT))


def _n_orders(n_words: int, options: MethodOptions) -> int:
    return max(1, round(options.n_samples / n_words))


def _all_masks(n_words: int) -> Masks:
    return (np.arange(1 << n_words)[:, None] >> np.arange(n_words) & 1).astype(bool)


class _Keeper:
    """Stands where captum fits its linear model, and keeps the rows that it drew and their weights."""

    rows: Floats
    weights: Floats

    def fit(self, loader: Any, **_: object) -> None:
        rows, _scores, weights = loader.dataset.tensors
        self.rows, self.weights = rows.double().numpy(), weights.double().numpy()

    def representation(self) -> torch.Tensor:
        return torch.zeros(self.rows.shape[1])


def _no_model(present: torch.Tensor) -> torch.Tensor:
    return torch.zeros(len(present))


def _ridge(present: Floats, scores: Floats, weights: Floats, penalty: float) -> Floats:
    """Return the coefficients of a weighted ridge regression with a free intercept."""
    center = weights / weights.sum()
    rows, values = present - center @ present, scores - center @ scores
    gram = (rows * weights[:, None]).T @ rows + penalty * np.eye(rows.shape[1])
    return np.asarray(np.linalg.solve(gram, (rows * weights[:, None]).T @ values))


def _shap_regression(present: Floats, scores: Floats, weights: Floats) -> Floats:
    """Return the least squares solution; captum gives the full and the empty row a weight of a million."""
    center = weights / weights.sum()
    root = np.sqrt(weights)
    rows, values = (present - center @ present) * root[:, None], (scores - center @ scores) * root
    return np.asarray(np.linalg.lstsq(rows, values, rcond=None)[0])


# ---- from plans to values


def _run(
    model: ScoredModel,
    rows: Sequence[EncodedWords],
    targets: Targets,
    options: MethodOptions,
    plan: Plan,
    *,
    sums: bool,
) -> MethodOutput:
    words = [np.zeros(len(row.words)) for row in rows]
    full, empty = np.full(len(rows), np.nan), np.full(len(rows), np.nan)
    for places in chunks(rows, plan, options):
        asked: list[Ids] = []
        for place, (_features_of, masks, _solve) in places.items():
            asked += masked_ids(model, rows[place], masks, options.deletion)
        scores = model.score_ids(asked, progress=options.progress)
        start = 0
        for place, (features, masks, solve) in places.items():
            of_row = scores[start : start + len(masks), targets[place]]
            start += len(masks)
            words[place][features] = solve(of_row)
            if sums:
                present = masks.sum(axis=1)
                full[place], empty[place] = of_row[present.argmax()], of_row[present.argmin()]
    if not sums:
        return MethodOutput.of(words)
    found = np.array([values.sum() for values in words])
    return MethodOutput.of(words, completeness=relative_error(found, full - empty), baseline_scores=empty)


def chunks(
    rows: Sequence[EncodedWords], plan: Plan, options: MethodOptions
) -> Iterator[dict[int, tuple[npt.NDArray[np.int64], Masks, Solve]]]:
    chunk: dict[int, tuple[npt.NDArray[np.int64], Masks, Solve]] = {}
    held = 0
    for place, row in enumerate(rows):
        features = _features(row)
        masks, solve = plan(len(features), row_seed(row, options.seed), options)
        if chunk and held + len(masks) > _ROWS_AT_ONCE:
            yield chunk
            chunk, held = {}, 0
        chunk[place] = features, masks, solve
        held += len(masks)
    if chunk:
        yield chunk


def _features(row: EncodedWords) -> npt.NDArray[np.int64]:
    """Return the words that have tokens."""
    return np.array(sorted({word for word in row.word_ids if word is not None}), dtype=np.int64)


def masked_ids(model: ScoredModel, row: EncodedWords, masks: Masks, kind: str) -> list[Ids]:
    """Return the ids of a row for many vectors of present words at once: `ScoredModel.without` for each.

    ``masks`` is (n_rows, n_features), for the words that have tokens in their order.
    """
    ids = np.array(row.ids)
    numbers = {word: place for place, word in enumerate(_features(row))}
    of_tokens = np.array([-1 if word is None else numbers[word] for word in row.word_ids])
    # The last column, which -1 finds, stands for the special tokens.
    kept = np.concatenate([masks, np.ones((len(masks), 1), dtype=bool)], axis=1)[:, of_tokens]
    if kind == "delete":
        return [tuple(ids[present].tolist()) for present in kept]
    return [tuple(found) for found in np.where(kept, ids, model.filler(kind)).tolist()]


METHODS = (
    Method("occlusion", "Occlusion", "perturbation", True, occlusion, occlusion_rows, "Zeiler & Fergus 2014"),
    Method("lime", "LIME", "perturbation", True, lime, lime_rows, "Ribeiro et al. 2016"),
    Method("kernel_shap", "Kernel SHAP", "perturbation", True, kernel_shap, kernel_shap_rows, "Lundberg & Lee 2017"),
    Method(
        "shapley_sampling", "Shapley sampling", "perturbation", True, shapley_sampling, shapley_sampling_rows,
        "Štrumbelj & Kononenko 2010",
    ),
)  # fmt: skip
