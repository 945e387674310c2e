"""Integrated Gradients with as many gradients as the completeness error of each sentence needs."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from xembed.attribution._gradients import relative_error
from xembed.attribution._method import Floats, Method, MethodOptions, MethodOutput, Targets, sum_words
from xembed.attribution._scored_model import Rows, ScoredModel

if TYPE_CHECKING:
    import torch

# Steps before the completeness error is first computed; doubled from there. With a frozen MiniLM on GECO's sentences
# most need 24 steps for an error of 1 %.
FIRST_STEPS = 12


def integrated_gradients(model: ScoredModel, rows: Rows, targets: Targets, options: MethodOptions) -> MethodOutput:
    """Integrate the gradient along the straight path from the baseline, times the difference.

    The points of Clenshaw-Curtis quadrature are nested: those of N steps are used again with 2 N. The ends of the path
    give f(x) and f(b) for the completeness error. captum's rules have the same limit.
    """
    words: list[Floats] = [np.zeros(0)] * len(rows)
    special, error, base = np.zeros(len(rows)), np.zeros(len(rows)), np.zeros(len(rows))
    with model.frozen():
        for start in range(0, len(rows), _CHUNK):
            chunk = rows[start : start + _CHUNK]
            tokens, errors, baselines = _integrate(model, chunk, targets[start : start + _CHUNK], options)
            for place, (row, values) in enumerate(zip(chunk, tokens, strict=True), start=start):
                words[place], special[place] = sum_words(values, row)
            error[start : start + len(chunk)], base[start : start + len(chunk)] = errors, baselines
    return MethodOutput(words, special, error, base)


_CHUNK = 512  # sentences whose embeddings are held at once: 512 x 30 tokens x 384 x 4 bytes are 24 MB, twice


def _integrate(
    model: ScoredModel, rows: Rows, targets: Targets, options: MethodOptions
) -> tuple[list[Floats], Floats, Floats]:
    inputs, ways = _ways(model, rows, options)
    # By sentence and point of the finest rule: the products of gradient and way, one number a token.
    products: list[dict[int, Floats]] = [{} for _ in rows]
    ends = np.full((len(rows), 2), np.nan)
    tokens: list[Floats] = [np.zeros(0)] * len(rows)
    error = np.full(len(rows), np.inf)
    finest = options.max_steps
    steps = min(FIRST_STEPS, finest)
    pending = list(range(len(rows)))
    while pending:
        jobs = [
            (row, point)
            for row in pending
            for point in range(0, finest + 1, finest // steps)
            if point not in products[row]
        ]
        _evaluate(model, rows, targets, inputs, ways, jobs, finest, products, ends, options)
        weights = clenshaw_curtis(steps)[1]
        for row in pending:
            values = np.stack([products[row][point] for point in range(0, finest + 1, finest // steps)])
            tokens[row] = weights @ values
        sums = np.array([tokens[row].sum() for row in pending])
        error[pending] = relative_error(sums, ends[pending, 1] - ends[pending, 0])
        if steps >= finest:
            break
        pending = [row for row in pending if error[row] > options.tolerance]
        steps *= 2
    return tokens, error, ends[:, 0]


def _ways(
    model: ScoredModel, rows: Rows, options: MethodOptions
) -> tuple[dict[int, torch.Tensor], dict[int, torch.Tensor]]:
    """Return the embeddings of each row, and their difference to the baseline."""
    inputs: dict[int, torch.Tensor] = {}
    ways: dict[int, torch.Tensor] = {}
    for places, batch, ids, mask in model.row_batches(rows):
        embeds, baselines = model.embed(ids, mask), model.baseline_embeds(batch, options.baseline)
        for place, x, b in zip(places, embeds, baselines, strict=True):
            length = len(rows[place].ids)
            inputs[place] = x[:length].clone()
            ways[place] = x[:length] - b[:length]
    return inputs, ways


def _evaluate(
    model: ScoredModel,
    rows: Rows,
    targets: Targets,
    inputs: dict[int, torch.Tensor],
    ways: dict[int, torch.Tensor],
    jobs: list[tuple[int, int]],
    finest: int,
    products: list[dict[int, Floats]],
    ends: npt.NDArray[np.float64],
    options: MethodOptions,
) -> None:
    """Compute the gradients of all jobs, (row, point), whatever sentences they are of, in full batches."""
    import torch

    points = clenshaw_curtis(finest)[0]
    pad = torch.nn.utils.rnn.pad_sequence
    for places in model.batches([len(rows[row].ids) for row, _ in jobs]):
        batch = [jobs[place] for place in places]
        numbers = [row for row, _ in batch]
        x = pad([inputs[row] for row in numbers], batch_first=True)
        way = pad([ways[row] for row in numbers], batch_first=True)
        _, mask = model.tensors([rows[row].ids for row in numbers])
        back = torch.tensor([1 - points[point] for _, point in batch], dtype=x.dtype, device=x.device)
        with torch.enable_grad():
            at = (x - back[:, None, None] * way).requires_grad_()
            scores = model.score(at, mask).gather(1, torch.from_numpy(targets[numbers]).to(x.device)[:, None])
            (gradient,) = torch.autograd.grad(scores.sum(), at)
        model.n_backward += len(batch)
        values = (gradient * way).sum(-1).double().cpu().numpy()
        reached = scores.detach().double().cpu().numpy()[:, 0]
        for (row, point), of_tokens, score in zip(batch, values, reached, strict=True):
            products[row][point] = of_tokens[: len(rows[row].ids)]
            if point in (0, finest):
                ends[row, int(point > 0)] = score
        if options.progress is not None:
            options.progress(len(batch))


@lru_cache(maxsize=16)
def clenshaw_curtis(n: int) -> tuple[Floats, Floats]:
    """Return the n + 1 points in [0, 1], ascending, and weights that sum to 1; ``n`` is even.

    References
    ----------
    .. [1] L. N. Trefethen. "Is Gauss quadrature better than Clenshaw-Curtis?" SIAM Review 50 (2008).
    """
    angles = np.pi * np.arange(n + 1) / n
    inner = np.ones(n - 1)
    for k in range(1, n // 2):
        inner -= 2 * np.cos(2 * k * angles[1:-1]) / (4 * k * k - 1)
    inner -= np.cos(n * angles[1:-1]) / (n * n - 1)
    ends = 1 / (n * n - 1)
    weights = np.concatenate([[ends], 2 * inner / n, [ends]]) / 2
    return (1 - np.cos(angles)) / 2, weights


METHODS = (
    Method(
        "integrated_gradients",
        "Integrated Gradients",
        "gradient",
        True,
        integrated_gradients,
        lambda _n, _options: (0.0, 2.0 * FIRST_STEPS + 1),
        ("sundararajan2017",),
        meaning="gradients along the straight path from a baseline to the text, times the difference to the baseline, "
        "with as many steps as the completeness error needs",
    ),
)
