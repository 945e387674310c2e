"""Methods that leave words out and see what becomes of the score: occlusion, LIME, Kernel SHAP and Shapley sampling.

All work on masks that say which words are present; special tokens always are. Which masks are drawn does not depend on
the scores: they are drawn first, the different rows of many texts go through the model together, and the values are
then solved for in double precision.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from xembed.attribution._gradients import relative_error
from xembed.attribution._method import Method, MethodOptions, MethodOutput, Run, Targets, row_seed, words_with_tokens
from xembed.attribution._pair_shapley import shapley_values
from xembed.attribution._scored_model import Ids, Rows, ScoredModel
from xembed.encoders._words import EncodedWords

Floats = npt.NDArray[np.float64]
Masks = npt.NDArray[np.bool_]
# From the scores of the rows of a plan to the values of the words.
Solve = Callable[[Floats], Floats]
# From a number of words, a seed and the options to the rows of a text, all words present first and none of them last
# where a method scores that, and how their scores are solved for values.
Plan = Callable[[int, int, MethodOptions], tuple[Masks, Solve]]
Cost = tuple[float, float]
Ints = npt.NDArray[np.int64]

# Perturbed rows held at once: bounds memory, and is far above what a batch holds.
_ROWS_AT_ONCE = 20_000
# The kernel of LIME for texts: width 25 on 100 times the cosine distance.
_LIME_WIDTH = 0.25
_LIME_RIDGE = 1.0
# Up to two words are enumerated whatever was asked: no size between none and all is left to draw, or only one.
_ALWAYS_EXACT = 4


# ---- plans


def occlusion_plan(n_words: int, _seed: int, _options: MethodOptions) -> tuple[Masks, Solve]:
    """Leave out each word once."""
    masks = np.concatenate([np.ones((1, n_words), dtype=bool), ~np.eye(n_words, dtype=bool)])
    return masks, lambda scores: scores[0] - scores[1:]


def lime_plan(n_words: int, seed: int, options: MethodOptions) -> tuple[Masks, Solve]:
    """Draw and weigh masks as LIME's own explainer of texts does, for a ridge regression.

    The text itself, then masks without a number of words that is uniform from 1 to all.
    """
    rng = np.random.default_rng(seed)
    masks = np.ones((options.n_samples, n_words), dtype=bool)
    for present in masks[1:]:
        present[rng.choice(n_words, size=rng.integers(1, n_words + 1), replace=False)] = False
    weights = lime_weights(masks)
    return masks, lambda scores: _ridge(masks, scores, weights, _LIME_RIDGE)


def lime_weights(masks: Masks) -> Floats:
    """Return the exponential kernel of the cosine distance of each mask from the whole text, of width 0.25."""
    cosines = np.sqrt(masks.mean(axis=1))
    return np.asarray(np.exp(-((1 - cosines) ** 2) / (2 * _LIME_WIDTH**2)))


def kernel_shap_plan(n_words: int, seed: int, options: MethodOptions) -> tuple[Masks, Solve]:
    """Draw masks by the Shapley kernel, for a regression; enumerate all if there are no more than ``n_samples``."""
    if _is_exact(n_words, options):
        return _all_masks(n_words), shapley_values
    # Sizes are drawn by the Shapley kernel, and the words of a size uniformly: all drawn rows then weigh the same.
    rng = np.random.default_rng(seed)
    sizes = np.arange(1, n_words)
    kernel = 1 / (sizes * (n_words - sizes))
    drawn = rng.choice(sizes, size=max(options.n_samples - 2, 0), p=kernel / kernel.sum())
    masks = np.repeat([[True], [False]], n_words, axis=1)
    masks = np.concatenate([masks, _random_ranks(len(drawn), n_words, rng) < drawn[:, None]])
    return masks, lambda scores: _shap_regression(masks, scores)


def shapley_sampling_plan(n_words: int, seed: int, options: MethodOptions) -> tuple[Masks, Solve]:
    """Add words in random orders, as many as make about ``n_samples`` masks; enumerate as `kernel_shap_plan` does."""
    if _is_exact(n_words, options):
        return _all_masks(n_words), shapley_values
    n_orders = _n_orders(n_words, options)
    ranks = _random_ranks(n_orders, n_words, np.random.default_rng(seed))
    masks = ranks[:, None] <= np.arange(n_words)[:, None]  # (n_orders, n_words, n_words): each order, word by word

    def solve(scores: Floats) -> Floats:
        gains = np.diff(scores[1:].reshape(n_orders, n_words), axis=1, prepend=scores[0])
        return np.asarray(np.take_along_axis(gains, ranks, axis=1).mean(axis=0))

    return np.concatenate([np.zeros((1, n_words), dtype=bool), masks.reshape(-1, n_words)]), solve


def _random_ranks(n_orders: int, n_words: int, rng: np.random.Generator) -> Ints:
    """Return the place of each word in random orders, (n_orders, n_words)."""
    return rng.permuted(np.tile(np.arange(n_words), (n_orders, 1)), axis=1)


def _is_exact(n_words: int, options: MethodOptions) -> bool:
    return bool(2**n_words <= max(options.n_samples, _ALWAYS_EXACT))


def _n_orders(n_words: int, options: MethodOptions) -> int:
    return max(1, round(options.n_samples / n_words))


def _all_masks(n_words: int) -> Masks:
    return (np.arange(1 << n_words)[:, None] >> np.arange(n_words) & 1).astype(bool)


def _ridge(masks: Masks, scores: Floats, weights: Floats, penalty: float) -> Floats:
    """Return the coefficients of a weighted ridge regression with a free intercept."""
    center = weights / weights.sum()
    rows, values = masks - center @ masks, scores - center @ scores
    gram = (rows * weights[:, None]).T @ rows + penalty * np.eye(rows.shape[1])
    return np.asarray(np.linalg.solve(gram, (rows * weights[:, None]).T @ values))


def _shap_regression(masks: Masks, scores: Floats) -> Floats:
    """Return the least squares solution whose sum is the difference of the first two rows, all words and none.

    Every word gets an equal part of the difference; the solution of least length for what is left sums to zero, because
    the centered rows do.
    """
    shares = masks.mean(axis=1)
    difference = scores[0] - scores[1]
    left = scores - scores[1] - shares * difference
    return np.asarray(np.linalg.lstsq(masks - shares[:, None], left, rcond=None)[0] + difference / masks.shape[1])


# ---- from plans to values


def _perturbed(plan: Plan, *, sums: bool) -> Run:
    """Return the method of a plan; ``sums``: its values sum to the score of all words less that of none."""

    def run(model: ScoredModel, rows: Rows, targets: Targets, options: MethodOptions) -> MethodOutput:
        if plan is kernel_shap_plan:
            _warn_of_few_samples(rows, options)
        words = [np.zeros(len(row.words)) for row in rows]
        full, empty = np.full(len(rows), np.nan), np.full(len(rows), np.nan)
        for place, features, masks, solve, scores in score_masks(model, rows, plan, options):
            of_target = scores[:, targets[place]]
            words[place][features] = solve(of_target)
            if sums:
                present = masks.sum(axis=1)
                full[place], empty[place] = of_target[present.argmax()], of_target[present.argmin()]
        if not sums:
            return MethodOutput.of(words)
        error = relative_error(np.array([values.sum() for values in words]), full - empty)
        return MethodOutput.of(words, completeness=error, baseline_scores=empty)

    return run


def _warn_of_few_samples(rows: Rows, options: MethodOptions) -> None:
    # The two rows that fix the sum leave n - 1 unknowns for the others.
    lengths = [len(words_with_tokens(row)) for row in rows]
    few = sum(not _is_exact(n, options) and options.n_samples < n + 1 for n in lengths)
    if few:
        warnings.warn(
            f"Kernel SHAP has more words than rows to fit them to in {few} of {len(rows)} texts "
            f"(n_samples={options.n_samples}, up to {max(lengths)} words): raise n_samples.",
            UserWarning,
            stacklevel=3,
        )


def score_masks(
    model: ScoredModel, rows: Rows, plan: Plan, options: MethodOptions
) -> Iterator[tuple[int, Ints, Masks, Solve, Floats]]:
    """Yield, for each row, its place, its words with tokens, its masks, how to solve them, and their outputs."""
    for places in chunks(rows, plan, options):
        ids = [
            row_ids
            for place, (_, masks, _) in places.items()
            for row_ids in masked_ids(model, rows[place], masks, options.deletion)
        ]
        outputs = model.score_ids(ids, progress=options.progress)
        start = 0
        for place, (features, masks, solve) in places.items():
            yield place, features, masks, solve, outputs[start : start + len(masks)]
            start += len(masks)


def chunks(rows: Rows, plan: Plan, options: MethodOptions) -> Iterator[dict[int, tuple[Ints, Masks, Solve]]]:
    chunk: dict[int, tuple[Ints, Masks, Solve]] = {}
    held = 0
    for place, row in enumerate(rows):
        features = words_with_tokens(row)
        masks, solve = plan(len(features), row_seed(row, options.seed), options)
        if chunk and held + len(masks) > _ROWS_AT_ONCE:
            yield chunk
            chunk, held = {}, 0
        chunk[place] = features, masks, solve
        held += len(masks)
    if chunk:
        yield chunk


def masked_ids(model: ScoredModel, row: EncodedWords, masks: Masks, kind: str) -> list[Ids]:
    """Return the ids of a row for many vectors of present words at once: `ScoredModel.without` for each.

    ``masks`` is (n_rows, n_features), for the words that have tokens in their order.
    """
    ids = np.array(row.ids)
    numbers = {word: place for place, word in enumerate(words_with_tokens(row))}
    of_tokens = np.array([-1 if word is None else numbers[word] for word in row.word_ids])
    # The last column, which -1 finds, stands for the special tokens.
    kept = np.concatenate([masks, np.ones((len(masks), 1), dtype=bool)], axis=1)[:, of_tokens]
    if kind == "delete":
        return [tuple(ids[present].tolist()) for present in kept]
    return [tuple(found) for found in np.where(kept, ids, model.filler(kind)).tolist()]


def _kernel_shap_rows(n_words: int, options: MethodOptions) -> Cost:
    return float(2**n_words if _is_exact(n_words, options) else options.n_samples), 0.0


def _sampling_rows(n_words: int, options: MethodOptions) -> Cost:
    # Orders share their ends.
    return float(2**n_words if _is_exact(n_words, options) else _n_orders(n_words, options) * (n_words - 1) + 2), 0.0


METHODS = (
    Method(
        "occlusion", "Occlusion", "perturbation", True, _perturbed(occlusion_plan, sums=False),
        lambda n_words, _: (n_words + 1.0, 0.0), ("zeiler2014",),
        meaning="what the score loses when the word is left out",
    ),
    Method(
        "lime", "LIME", "perturbation", True, _perturbed(lime_plan, sums=False),
        lambda n_words, options: (float(min(options.n_samples, 2**n_words)), 0.0), ("ribeiro2016",),
        meaning="a weighted linear model of the score of texts with words left out",
    ),
    Method(
        "kernel_shap", "Kernel SHAP", "perturbation", True, _perturbed(kernel_shap_plan, sums=True), _kernel_shap_rows,
        ("lundberg2017",),
        meaning="Shapley values by a weighted linear model of the score of texts with words left out",
    ),
    Method(
        "shapley_sampling", "Shapley sampling", "perturbation", True, _perturbed(shapley_sampling_plan, sums=True),
        _sampling_rows, ("strumbelj2010",), meaning="Shapley values by random orders of the words",
    ),
)  # fmt: skip
