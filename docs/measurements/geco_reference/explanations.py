"""Explanations by the recipe of GECOBench's own code, so that published figures can be checked.

Written from a description of what that code computes [1]_. Never judge methods by these numbers. What differs from
`xembed.attribution.explain`, all of it on purpose:

- *Embeddings twice.* Methods of one or few gradients get the output of the embedding block as if it were word
  embeddings, so that positions and LayerNorm are applied a second time, to a point that no text has. Models whose
  embeddings are a mere table (OLA) are not touched by this.
- *Sums of signed gradients.* Guided Backprop and DeepLIFT sum the gradient over dimensions. Behind a LayerNorm that sum
  is zero but for rounding, whose size follows the size of the gradient: the numbers look like Saliency. Since they are
  rounding they change with the machine; sentences are explained one at a time here, so that at least the other
  sentences do not matter.
- *Guided Backprop* is the gradient on models without a ReLU module.
- *DeepLIFT* starts from the numbers of the tokens ([PAD] is 0, [CLS] 101), the same in all dimensions, and gives
  multipliers that are not multiplied by the way.
- *Few samples.* 5 gradients for Gradient SHAP, 25 rows for Kernel SHAP, about as many as there are tokens, and 100 for
  LIME; against that 200 steps for Integrated Gradients, of which 25 would do.
- *Two outputs.* Gradients are those of logits; Integrated Gradients, LIME and Kernel SHAP explain probabilities, which
  are flat where a model is sure.
- *LIME* deletes all tokens of the same spelling together, always explains class 1, and its weights find their tokens by
  spelling: a token takes the weight of the first word, largest first, that contains it, so "he" may get that of "she".
  Punctuation and the later pieces of words get 0.
- *Pattern variant* is the covariance of a token's tf-idf with the number of the class, over the very rows that are
  explained. Tokens of one letter, punctuation and later pieces get 0.
- *Sizes before sums.* Attributions of tokens lose their signs, are divided by their sum over all tokens, special ones
  too, and are then summed to words. Signs never cancel within a word.

Not repeated here: draws without a seed; words that shift by one where a word holds a piece twice; NaN where all
attributions are zero (they stay zero); perturbed texts of LIME that are put together from pieces and tokenized anew.
One sentence a batch without attention mask, as published, gives the same as batches with a mask.

References
----------
.. [1] Wilming, R., Dox, A., Schulz, H., Oliveira, M., Clark, B. and Haufe, S. (2024). "GECOBench: A Gender-Controlled
   Text Dataset and Benchmark for Quantifying Biases in Explanations". https://arxiv.org/abs/2406.11547
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from xembed._core.validation import RNG, check_count, check_option, check_rng
from xembed.attribution._explain import as_scored_model, check_targets
from xembed.attribution._method import Floats, Method, MethodOptions, MethodOutput, Targets, row_seed, sum_words
from xembed.attribution._methods import METHODS
from xembed.attribution._scored_model import Ids, ScoredModel, own_random_state
from xembed.datasets import PairedSentences
from xembed.encoders._words import EncodedWords

_STEPS = 200
_SAMPLES = {"gradient_shap": 5, "kernel_shap": 25, "lime": 100}
# What LIME's explainer of texts takes as the ends of words, and what scikit-learn's vectorizer takes as a word.
_NO_WORD = re.compile(r"\W+")
# The class that LIME's explainer explains if it is not told otherwise, and its kernel and penalty.
_LIME_CLASS = 1
_LIME_WIDTH, _LIME_RIDGE = 0.25, 1.0


class _Recipe(NamedTuple):
    """How much is computed; ``n_samples`` None is what was published."""

    n_steps: int = _STEPS
    n_samples: int | None = None
    seed: int = 0

    def samples(self, method: str) -> int:
        return _SAMPLES[method] if self.n_samples is None else self.n_samples


# From the model at its site, rows, their targets and the recipe to a number for each token of each row.
_Tokens = Callable[[ScoredModel, Sequence[EncodedWords], Targets, _Recipe], list[Floats]]


def reference_attributions(
    model: Any,
    tokenizer: Any,
    data: PairedSentences,
    method: str,
    *,
    n_steps: int = _STEPS,
    n_samples: int | None = None,
    rng: RNG = None,
) -> list[Floats]:
    """Explain the true classes of rows by the recipe of GECOBench's own code, quirks included.

    To check published figures; use `xembed.attribution.explain` for everything else.

    Parameters
    ----------
    model : torch.nn.Module
        A sequence classifier, such as `train` gives. It is not changed.
    tokenizer : transformers.PreTrainedTokenizerFast
        Its tokenizer.
    data : PairedSentences
        The rows; the score of the true class of each is explained.
    method : str
        A name in ``REFERENCE_METHODS``: 'deep_lift', 'gradient_shap', 'guided_backprop', 'input_x_gradient',
        'integrated_gradients', 'kernel_shap', 'lime', 'pattern', 'saliency_l1' or 'uniform_random'.
    n_steps : int of at least 1, default=200
        Of Integrated Gradients.
    n_samples : int of at least 2, optional
        Of Gradient SHAP, Kernel SHAP and LIME. By default 5, 25 and 100, as published.
    rng : int, numpy.random.Generator or None, default=None
        For methods that draw. None is seed 0. What is drawn for a row depends on its tokens and the seed alone.

    Returns
    -------
    list of ndarray of shape (n_words,), float64
        One for each row, at least 0. They sum to 1 less the share of special tokens, or are all 0.

    Raises
    ------
    ValueError
        If there is no such method, a number is out of its range, or a label is no output of the model.
    TypeError
        If the data are not PairedSentences, or the tokenizer is a slow one.
    RuntimeError
        If the scores of the model are not finite.

    Notes
    -----
    The quirks: embeddings applied twice, signed gradients summed over dimensions (rounding behind a LayerNorm), token
    numbers as DeepLIFT's baseline, probabilities for some methods and logits for others, LIME's weights matched by
    parts of words, pattern variant fitted on the rows that it explains, sizes taken before pieces are summed.

    References
    ----------
    Wilming, R., Dox, A., Schulz, H., Oliveira, M., Clark, B. and Haufe, S. (2024). "GECOBench: A Gender-Controlled Text
    Dataset and Benchmark for Quantifying Biases in Explanations". https://arxiv.org/abs/2406.11547

    Examples
    --------
    >>> import xembed
    >>> from geco_reference import reference_attributions
    >>> from xembed.datasets import load_gendered_pairs
    >>> from xembed.geco import make_classifier
    >>> model, tokenizer = make_classifier(xembed.load_encoder(device="cpu"), 2)
    >>> pairs = load_gendered_pairs(split="test").sample(1)
    >>> found = reference_attributions(model, tokenizer, pairs, "saliency_l1")
    >>> [len(values) for values in found] == [len(words) for words in pairs.sentences]
    True
    >>> bool(0 < found[0].sum() < 1)
    True
    """
    caller = "reference_attributions"
    if not isinstance(data, PairedSentences):
        raise TypeError(f"The 'data' parameter of {caller} must be PairedSentences. Got {data!r:.60} instead.")
    check_option(method, REFERENCE_METHODS, name="method", caller=caller)
    recipe = _Recipe(
        n_steps=check_count(n_steps, name="n_steps", caller=caller),
        n_samples=None if n_samples is None else check_count(n_samples, name="n_samples", caller=caller, low=2),
        seed=int(check_rng(rng, caller=caller).integers(2**63)),
    )
    scored = as_scored_model(model, tokenizer, caller=caller)
    rows = scored.words.encode(data.sentences)
    targets = check_targets(data.labels, scored.score_ids([row.ids for row in rows]), caller=caller)
    return _run(method, scored, rows, targets, recipe).words


def run_reference(
    name: str, model: ScoredModel, rows: Sequence[EncodedWords], targets: Targets, options: MethodOptions
) -> MethodOutput:
    """Stand in for a method's ``run``: of the options only the seed and the progress count, the rest is the recipe."""
    return _run(name, model, rows, targets, _Recipe(seed=options.seed), options.progress)


def _run(
    name: str,
    model: ScoredModel,
    rows: Sequence[EncodedWords],
    targets: Targets,
    recipe: _Recipe,
    progress: Callable[[int], object] | None = None,
) -> MethodOutput:
    site, output, explain_tokens = _RECIPES[name]
    at_site = ScoredModel(
        model.module, model.tokenizer, site=site, output=output, max_length=model.words.max_length, caller=model.caller
    )
    words: list[Any] = [None] * len(rows)
    special = np.zeros(len(rows))
    for batch in _batches(at_site, rows, name):
        before = at_site.n_forward + at_site.n_backward
        with at_site.frozen(), _quiet():
            tokens = explain_tokens(at_site, [rows[place] for place in batch], targets[batch], recipe)
        for place, values in zip(batch, tokens, strict=True):
            words[place], special[place] = _to_words(values, rows[place])
        if progress is not None:
            progress(at_site.n_forward + at_site.n_backward - before)
    model.n_forward += at_site.n_forward
    model.n_backward += at_site.n_backward
    return MethodOutput.of(words, special=special)


def _batches(model: ScoredModel, rows: Sequence[EncodedWords], name: str) -> list[list[int]]:
    if name == "pattern":  # fitted on all that it explains
        return [list(range(len(rows)))]
    if name in ("input_x_gradient", "saliency_l1"):
        return model.batches([len(row.ids) for row in rows])
    return [[place] for place in range(len(rows))]


def _to_words(tokens: Floats, row: EncodedWords) -> tuple[Floats, float]:
    sizes = np.abs(np.asarray(tokens, dtype=np.float64)[: len(row.ids)])
    total = sizes.sum()
    return sum_words(sizes / total if total > 0 else sizes, row)


class _Scored(torch.nn.Module):
    """The model as captum wants it: from embeddings to a tensor of scores, the modules within reach of its hooks."""

    def __init__(self, model: ScoredModel) -> None:
        super().__init__()
        self.module = model.module
        self._model = [model]  # in a list: not a module of its own

    def forward(self, embeds: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return self._model[0].score(embeds, mask)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hide what captum says at every call: that it sets requires_grad, and that it hooks modules."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"(?s).*required_grads has been set automatically")
        warnings.filterwarnings("ignore", message=r"(?s).*[Ss]etting .*hooks")
        yield


# ---- one gradient, at embeddings that are applied twice


def _one_gradient(
    model: ScoredModel,
    rows: Sequence[EncodedWords],
    targets: Targets,
    _recipe: _Recipe,
    *,
    captum_name: str,
    absolute: bool = False,
) -> list[Floats]:
    ids, mask = model.tensors([row.ids for row in rows])
    chosen = torch.from_numpy(targets).to(model.device)
    import captum.attr

    method: Any = getattr(captum.attr, captum_name)(_Scored(model))
    found = method.attribute(
        model.embed(ids, mask),
        target=chosen,
        additional_forward_args=(mask,),
        **({"abs": False} if captum_name == "Saliency" else {}),
    ).detach()
    model.n_backward += len(rows)
    return _numbers((found.abs() if absolute else found).sum(-1))


def _deep_lift(model: ScoredModel, rows: Sequence[EncodedWords], targets: Targets, _recipe: _Recipe) -> list[Floats]:
    from captum.attr import DeepLift

    ids, mask = model.tensors([row.ids for row in rows])
    embeds = model.embed(ids, mask)
    numbers, _ = model.tensors([model.baseline_ids(row, "pad") for row in rows])
    method: Any = DeepLift(_Scored(model), multiply_by_inputs=False)
    found = method.attribute(
        embeds,
        baselines=numbers[..., None].to(embeds.dtype).expand_as(embeds),
        target=torch.from_numpy(targets).to(model.device),
        additional_forward_args=(mask,),
    )
    model.n_backward += 2 * len(rows)
    return _numbers(found.detach().sum(-1))


def _gradient_shap(model: ScoredModel, rows: Sequence[EncodedWords], targets: Targets, recipe: _Recipe) -> list[Floats]:
    from captum.attr import GradientShap

    method: Any = GradientShap(_Scored(model))
    n_samples = recipe.samples("gradient_shap")
    found: list[Floats] = []
    for row, target in zip(rows, targets, strict=True):
        ids, mask = model.tensors([row.ids])
        with own_random_state(row_seed(row, recipe.seed), model.device):
            of_row = method.attribute(
                model.embed(ids, mask),
                baselines=model.baseline_embeds([row], "pad"),
                n_samples=n_samples,
                stdevs=0.0,
                target=int(target),
                additional_forward_args=(mask,),
            )
        model.n_backward += n_samples
        found += _numbers(of_row.detach().sum(-1))
    return found


# ---- integrated gradients, at the output of the embedding block


def _integrated_gradients(
    model: ScoredModel, rows: Sequence[EncodedWords], targets: Targets, recipe: _Recipe
) -> list[Floats]:
    from captum.attr import IntegratedGradients

    # The published code names the block as a layer; between its outputs the way is the same.
    method: Any = IntegratedGradients(_Scored(model))
    found: list[Floats] = []
    for row, target in zip(rows, targets, strict=True):
        ids, mask = model.tensors([row.ids])
        of_row = method.attribute(
            model.embed(ids, mask),
            baselines=model.baseline_embeds([row], "pad"),
            n_steps=recipe.n_steps,
            method="gausslegendre",
            internal_batch_size=max(1, model.tokens_at_once // len(row.ids)),
            target=int(target),
            additional_forward_args=(mask,),
        )
        model.n_backward += recipe.n_steps
        found += _numbers(of_row.detach().sum(-1))
    return found


# ---- perturbations of tokens


def _kernel_shap(model: ScoredModel, rows: Sequence[EncodedWords], targets: Targets, recipe: _Recipe) -> list[Floats]:
    from captum.attr import KernelShap

    def score(ids: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(model.score_ids([tuple(map(int, row)) for row in ids.tolist()]))

    method: Any = KernelShap(score)
    n_samples = recipe.samples("kernel_shap")
    found: list[Floats] = []
    for row, target in zip(rows, targets, strict=True):
        with own_random_state(row_seed(row, recipe.seed), torch.device("cpu")), torch.no_grad():
            of_row = method.attribute(
                torch.tensor([row.ids]),
                baselines=torch.tensor([model.baseline_ids(row, "pad")]),
                target=int(target),
                n_samples=n_samples,
                perturbations_per_eval=n_samples,
            )
        found += _numbers(of_row)
    return found


def _lime(model: ScoredModel, rows: Sequence[EncodedWords], _targets: Targets, recipe: _Recipe) -> list[Floats]:
    found: list[Floats] = []
    for row in rows:
        tokens = _spellings(model, row)
        places: dict[str, list[int]] = {}
        for place, token in enumerate(tokens):
            if word := _NO_WORD.sub("", token):
                places.setdefault(word, []).append(place)
        if not places:
            found.append(np.zeros(len(tokens)))
            continue
        masks = _lime_masks(len(places), row_seed(row, recipe.seed), recipe.samples("lime"))
        scores = model.score_ids([_delete(row.ids, places.values(), present) for present in masks])[:, _LIME_CLASS]
        found.append(_match(tokens, dict(zip(places, _lime_weights(masks, scores).tolist(), strict=True))))
    return found


def _lime_masks(n_words: int, seed: int, n_samples: int) -> npt.NDArray[np.bool_]:
    """Return which words are present in each row: all in the first, random ones in the others."""
    rng = np.random.default_rng(seed)
    masks = np.ones((n_samples, n_words), dtype=bool)
    for present in masks[1:]:
        present[rng.choice(n_words, size=rng.integers(1, n_words + 1), replace=False)] = False
    return masks


def _lime_weights(masks: npt.NDArray[np.bool_], scores: Floats) -> Floats:
    """Return the coefficients of a ridge regression, rows weighted by their cosine with the whole text."""
    present = masks.astype(np.float64)
    cosine = np.sqrt(present.mean(axis=1))
    weights = np.exp(-((1 - cosine) ** 2) / (2 * _LIME_WIDTH**2))
    center = weights / weights.sum()
    rows, values = present - center @ present, scores - center @ scores
    gram = (rows * weights[:, None]).T @ rows + _LIME_RIDGE * np.eye(rows.shape[1])
    return np.asarray(np.linalg.solve(gram, (rows * weights[:, None]).T @ values))


def _spellings(model: ScoredModel, row: EncodedWords) -> list[str]:
    """Return the tokens of a row as they are written, blank for special ones."""
    tokens = model.tokenizer.convert_ids_to_tokens(list(row.ids))
    return ["" if word is None else token for token, word in zip(tokens, row.word_ids, strict=True)]


def _delete(ids: Ids, groups: Any, present: Sequence[bool]) -> Ids:
    gone = {place for places, kept in zip(groups, present, strict=True) if not kept for place in places}
    return tuple(token for place, token in enumerate(ids) if place not in gone)


def _match(tokens: Sequence[str], weights: dict[str, float]) -> Floats:
    """Give each token the weight of the first word that contains it, words of large weight first."""
    ordered = sorted(weights, key=lambda word: -abs(weights[word]))
    return np.array(
        [next((weights[word] for word in ordered if token in word), 0.0) if token else 0.0 for token in tokens]
    )


# ---- without a model


def _pattern(model: ScoredModel, rows: Sequence[EncodedWords], targets: Targets, _recipe: _Recipe) -> list[Floats]:
    from sklearn.feature_extraction.text import TfidfVectorizer

    tokens = [_spellings(model, row) for row in rows]
    # The words of the vectorizer are not the tokens: "##ing" is in the vocabulary, and no word is ever spelt so. Nor is
    # "[UNK]", since texts are turned to lower case.
    vocabulary = sorted({token for of_row in tokens for token in of_row if token and token == token.lower()})
    known: dict[str, float] = {}
    if vocabulary:
        values = TfidfVectorizer(vocabulary=vocabulary).fit_transform([" ".join(of_row) for of_row in tokens])
        covariances = np.asarray(values.T @ (targets - targets.mean())).ravel() / max(len(targets) - 1, 1)
        known = dict(zip(vocabulary, covariances.tolist(), strict=True))
    return [np.array([known.get(token, 0.0) for token in of_row]) for of_row in tokens]


def _uniform_random(
    _model: ScoredModel, rows: Sequence[EncodedWords], _targets: Targets, recipe: _Recipe
) -> list[Floats]:
    return [np.random.default_rng(row_seed(row, recipe.seed)).random(len(row.ids)) for row in rows]


def _numbers(tokens: torch.Tensor) -> list[Floats]:
    return list(tokens.double().cpu().numpy())


# By method: where gradients are taken, of what, and how.
_RECIPES: dict[str, tuple[str, str, _Tokens]] = {
    "saliency_l1": ("block_twice", "logit", partial(_one_gradient, captum_name="Saliency", absolute=True)),
    "input_x_gradient": ("block_twice", "logit", partial(_one_gradient, captum_name="InputXGradient")),
    "guided_backprop": ("block_twice", "logit", partial(_one_gradient, captum_name="GuidedBackprop")),
    "deep_lift": ("block_twice", "logit", _deep_lift),
    "gradient_shap": ("block_twice", "logit", _gradient_shap),
    "integrated_gradients": ("block", "probability", _integrated_gradients),
    "kernel_shap": ("word", "probability", _kernel_shap),
    "lime": ("word", "probability", _lime),
    "pattern": ("word", "logit", _pattern),
    "uniform_random": ("word", "logit", _uniform_random),
}
_COSTS: dict[str, tuple[float, float]] = {
    "saliency_l1": (0.0, 1.0),
    "input_x_gradient": (0.0, 1.0),
    "guided_backprop": (0.0, 1.0),
    "deep_lift": (0.0, 2.0),
    "gradient_shap": (0.0, float(_SAMPLES["gradient_shap"])),
    "integrated_gradients": (0.0, float(_STEPS)),
    "kernel_shap": (float(_SAMPLES["kernel_shap"]), 0.0),
    "lime": (float(_SAMPLES["lime"]), 0.0),
}


def _rows(_n_words: int, _options: MethodOptions, *, name: str) -> tuple[float, float]:
    return _COSTS.get(name, (0.0, 0.0))


REFERENCE_METHODS: MappingProxyType[str, Method] = MappingProxyType(
    {
        name: dataclasses.replace(
            METHODS[name], signed=False, run=partial(run_reference, name), rows=partial(_rows, name=name), fit=None
        )
        for name in _RECIPES
    }
)
