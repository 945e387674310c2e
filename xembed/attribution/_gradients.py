"""Methods of one gradient, and of few: captum's, over batches of sentences of similar length.

Before a LayerNorm a gradient sums to zero over the dimensions of an embedding. Plain gradients are therefore summed as
absolute values (L1) or taken as lengths (L2); only products, with the input or the difference to a baseline, are summed
with their signs.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from xembed.attribution._method import Method, MethodOptions, MethodOutput, Run, Targets, row_seed, sum_rows, sum_words
from xembed.attribution._scored_model import Rows, ScoredModel, own_random_state

if TYPE_CHECKING:
    import torch

# Gradient SHAP takes as many gradients as perturbation methods take five rows: a gradient costs about twice a row, and
# its samples agree more.
_ROWS_A_GRADIENT = 5


def captum_module(model: ScoredModel) -> torch.nn.Module:
    """Return the model as captum wants it: from embeddings to scores, with its modules within reach of hooks."""
    import torch

    class Scored(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.module = model.module

        def forward(self, embeds: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            return model.score(embeds, mask)

    return Scored()


def _captum_gradient(name: str, reduce: Callable[[torch.Tensor], torch.Tensor]) -> Run:
    """Return the method of captum with this name, its values reduced over dimensions to a number for each token."""

    def run(model: ScoredModel, rows: Rows, targets: Targets, options: MethodOptions) -> MethodOutput:
        import captum.attr
        import torch

        method: Any = getattr(captum.attr, name)(captum_module(model))
        extra: dict[str, Any] = {"abs": False} if name == "Saliency" else {}

        def token_values(places: list[int], batch: Rows, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            if name == "DeepLift":
                extra["baselines"] = model.baseline_embeds(batch, options.baseline)
            outputs = torch.from_numpy(targets[places]).to(model.device)
            with _quiet():
                values = method.attribute(
                    model.embed(ids, mask), target=outputs, additional_forward_args=(mask,), **extra
                )
            return reduce(values.detach())

        output = sum_rows(model, rows, options, token_values)
        return with_completeness(model, rows, targets, options, output) if name == "DeepLift" else output

    return run


def gradient_shap(model: ScoredModel, rows: Rows, targets: Targets, options: MethodOptions) -> MethodOutput:
    """Average gradients at random points between baseline and input, times the difference to the baseline."""
    from captum.attr import GradientShap

    method: Any = GradientShap(captum_module(model))
    n_samples = n_gradients(options)
    words, special = [np.zeros(0)] * len(rows), np.zeros(len(rows))
    with model.frozen():
        for place, row in enumerate(rows):
            ids, mask = model.tensors([row.ids])
            # captum picks a baseline of the batch for each sample: baselines differ by sentence, so one at a time.
            with _quiet(), own_random_state(row_seed(row, options.seed), model.device):
                values = method.attribute(
                    model.embed(ids, mask),
                    baselines=model.baseline_embeds([row], options.baseline),
                    n_samples=n_samples,
                    stdevs=0.0,
                    target=int(targets[place]),
                    additional_forward_args=(mask,),
                )
            model.n_backward += n_samples
            words[place], special[place] = sum_words(values[0].sum(-1).detach().double().cpu().numpy(), row)
            if options.progress is not None:
                options.progress(n_samples)
    return with_completeness(model, rows, targets, options, MethodOutput.of(words, special=special))


def n_gradients(options: MethodOptions) -> int:
    """Return how many gradients Gradient SHAP takes."""
    return max(2, options.n_samples // _ROWS_A_GRADIENT)


def with_completeness(
    model: ScoredModel, rows: Rows, targets: Targets, options: MethodOptions, output: MethodOutput
) -> MethodOutput:
    """Add the relative error of the sum of the attributions against the difference of scores, and f(b)."""
    # Baselines without ids, and models that are fed embeddings twice, are scored by embeddings.
    twice = model.site == "block_twice"
    all_scores = _score_embeds(model, rows, None) if twice else model.score_ids([row.ids for row in rows])
    if twice or options.baseline == "zero":
        all_bases = _score_embeds(model, rows, options.baseline)
    else:
        all_bases = model.score_ids([model.baseline_ids(row, options.baseline) for row in rows])
    scores, base = (outputs[np.arange(len(rows)), targets] for outputs in (all_scores, all_bases))
    # Special tokens are the same in the baseline: the words hold the whole sum.
    sums = np.array([words.sum() for words in output.words])
    return MethodOutput(output.words, output.special, relative_error(sums, scores - base), base)


def relative_error(sums: np.ndarray, differences: np.ndarray) -> np.ndarray:
    """Return ``|sum - difference| / |difference|``; infinite where the difference is 0 and the sum is not."""
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.abs(sums - differences) / np.abs(differences)
    return np.where(sums == differences, 0.0, error)


def _score_embeds(model: ScoredModel, rows: Rows, baseline: str | None) -> np.ndarray:
    """Return the outputs of rows, or of their baselines, (n_rows, n_outputs), by their embeddings at the site."""
    import torch

    scores: list[Any] = [None] * len(rows)
    with model.frozen(), torch.no_grad():
        for places, batch, ids, mask in model.row_batches(rows):
            embeds = model.embed(ids, mask) if baseline is None else model.baseline_embeds(batch, baseline)
            outputs = model.score(embeds, mask).double().cpu().numpy()
            model.n_forward += len(batch)
            for place, values in zip(places, outputs, strict=True):
                scores[place] = values
    return np.stack(scores)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hide the warnings of captum at every call: that it sets requires_grad, and that it hooks modules."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"(?s).*required_grads has been set automatically")
        warnings.filterwarnings("ignore", message=r"(?s).*[Ss]etting .*hooks")
        yield


def _one_gradient(_n_words: int, _options: MethodOptions) -> tuple[float, float]:
    return 0.0, 1.0


METHODS = (
    Method(
        "saliency_l1", "Saliency, L1", "gradient", False, _captum_gradient("Saliency", lambda a: a.abs().sum(-1)),
        _one_gradient, ("simonyan2014",),
        meaning="sum of the absolute gradient of the score over the dimensions of a word's embedding",
    ),
    Method(
        "saliency_l2", "Saliency, L2", "gradient", False, _captum_gradient("Saliency", lambda a: a.norm(dim=-1)),
        _one_gradient, ("li2016",), meaning="length of the gradient of the score by a word's embedding",
    ),
    Method(
        "input_x_gradient", "Input × Gradient", "gradient", True,
        _captum_gradient("InputXGradient", lambda a: a.sum(-1)), _one_gradient, ("shrikumar2016",),
        meaning="gradient times embedding, summed",
    ),
    Method(
        "gradient_shap", "Gradient SHAP", "gradient", True, gradient_shap,
        lambda _n, options: (2.0, float(n_gradients(options))), ("lundberg2017", "erion2021"),
        meaning="gradients at random points between a baseline and the text, times the difference to the baseline",
    ),
    Method(
        "deep_lift", "DeepLIFT", "gradient", True, _captum_gradient("DeepLift", lambda a: a.sum(-1)),
        lambda _n, _o: (2.0, 2.0), ("shrikumar2017",),
        meaning="differences to a baseline handed back through the layers by rules",
    ),
    Method(
        "guided_backprop", "Guided Backprop", "gradient", False,
        _captum_gradient("GuidedBackprop", lambda a: a.abs().sum(-1)), _one_gradient, ("springenberg2015",),
        meaning="the gradient without negative parts at ReLUs; without ReLUs it is the gradient",
    ),
    Method(
        "deconvolution", "Deconvolution", "gradient", False,
        _captum_gradient("Deconvolution", lambda a: a.abs().sum(-1)), _one_gradient, ("zeiler2014",),
        meaning="the gradient with negative parts cut at ReLUs in the backward pass only; without ReLUs it is the "
        "gradient",
    ),
)  # fmt: skip
