"""Embeddings decomposed into a vector for each word: similarities and projections are then sums over words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from xembed._core.validation import check_option
from xembed.attribution._attention import eager_attention
from xembed.attribution._embedding_targets import unit_tensor
from xembed.attribution._integrated import FIRST_STEPS, clenshaw_curtis
from xembed.attribution._method import MethodOptions, split_words
from xembed.attribution._perturbation import Plan, occlusion_plan, score_masks, shapley_sampling_plan
from xembed.attribution._scored_model import Rows, ScoredModel
from xembed.encoders._words import EncodedWords

if TYPE_CHECKING:
    import torch

    from xembed.attribution._encoder_model import EmbeddingModel

Floats = npt.NDArray[np.float64]
LABELS = {
    "integrated_jacobian": "Integrated Jacobian",
    "last_layer": "Last-layer decomposition",
    "leave_one_out": "Leave one word out",
    "shapley": "Shapley values",
}
METHODS = tuple(LABELS)
# Keys of the publications that they are from.
SOURCES = {"integrated_jacobian": ("moeller2023",), "leave_one_out": ("zeiler2014",), "shapley": ("strumbelj2010",)}
# Rows of forward-mode products at once: each is a forward pass with twice the memory.
_ROWS_AT_ONCE = 32
# Texts whose vectors are held at once: 64 texts of 60 words and 384 dimensions are 12 MB.
_TEXTS_AT_ONCE = 64
_SAME = 1e-4


@dataclass(frozen=True)
class WordVectors:
    """Decomposition of the embedding of a text, of length 1, into vectors of its words.

    ``vectors``, (n_words, n_dims), ``special``, (n_dims,), for special tokens, and ``reference``, (n_dims,), the
    embedding without words that the method starts at, add up to ``embedding``. Words that were cut off (``truncated``)
    have zeros.
    """

    words: tuple[str, ...]
    vectors: Floats
    special: Floats
    reference: Floats
    embedding: Floats
    truncated: bool

    @property
    def error(self) -> float:
        """Length of the difference of the embedding and the sum of its parts."""
        total = self.vectors.sum(axis=0) + self.special + self.reference
        return float(np.linalg.norm(self.embedding - total))


def word_vectors(
    encoder: Any,
    texts: Sequence[str] | Sequence[Sequence[str]],
    *,
    method: str,
    reference: str = "pad",
    options: MethodOptions,
    caller: str,
) -> Iterator[WordVectors]:
    """Yield the decomposition of each text, some texts computed together.

    - 'last_layer': the share of the pooled output of the last layer at the word's own tokens. Exact.
    - 'integrated_jacobian': the Jacobian integrated along the straight path of word embeddings from the reference,
      times the word's part of the difference, by forward-mode products.
    - 'leave_one_out': the embedding less that without the word. It has no sum.
    - 'shapley': Shapley values of the words, for each dimension; exact up to ``2**n_words <= n_samples``. A text
      without words counts as zero, so the words hold the whole embedding.
    """
    import torch

    from xembed.attribution._encoder_model import ScoredEncoder, as_scored_encoder

    check_option(method, METHODS, name="method", caller=caller)
    needs_model = method in ("integrated_jacobian", "last_layer")
    scored = as_scored_encoder(encoder, unit_tensor, needs_model=needs_model, caller=caller)
    rows = scored.words.encode(texts)
    if isinstance(scored, ScoredEncoder):
        scored.verify(rows[0], texts[0] if isinstance(texts[0], str) else " ".join(texts[0]))
    for start in range(0, len(rows), _TEXTS_AT_ONCE):
        some = rows[start : start + _TEXTS_AT_ONCE]
        if method == "last_layer":
            yield from _last_layer(scored, some)
        elif method == "integrated_jacobian":
            # The fast attention has no forward-mode products.
            with scored.frozen(), eager_attention(scored.module), torch.no_grad():
                jacobians = [_integrated_jacobian(scored, row, reference, options) for row in some]
            yield from jacobians
        else:
            plan = occlusion_plan if method == "leave_one_out" else shapley_sampling_plan
            yield from _perturbed(scored, some, plan, options)


# ---- the last layer


def has_last_layer(encoder: Any) -> bool:
    """Whether the embedding is a weighted mean of tokens, and linear from there but for its length."""
    from xembed.attribution._encoder_model import has_gradients, unwrap

    if not has_gradients(unwrap(encoder)[0]):
        return False
    try:
        list(word_vectors(encoder, ["a"], method="last_layer", options=MethodOptions(), caller="has_last_layer"))
    except ValueError:
        return False
    return True


def _last_layer(scored: ScoredModel, rows: Rows) -> list[WordVectors]:
    import torch

    module: Any = scored.module
    vectors: list[Any] = [None] * len(rows)
    with scored.frozen(), torch.no_grad():
        for places, batch, ids, mask in scored.row_batches(rows):
            features = module.pipeline[0]({"input_ids": ids, "attention_mask": mask})
            parts, bias = token_parts(module, dict(features), mask, scored.caller)
            embeddings = unit_tensor(module.pool(features)).double().cpu().numpy()
            scored.n_forward += len(batch)
            for place, row, of_tokens, added, embedding in zip(
                places, batch, parts.double().cpu().numpy(), bias.double().cpu().numpy(), embeddings, strict=True
            ):
                words, special = split_words(of_tokens, row)
                vectors[place] = WordVectors(row.words, words, special.sum(axis=0), added, embedding, row.truncated)
    worst = max(of_text.error for of_text in vectors)
    if worst > _SAME:
        raise ValueError(
            f"The last-layer decomposition of {scored.caller} must add up to the embedding. Its error is {worst:.2g}: "
            "the encoder is not linear after the pooling. Choose another method."
        )
    return vectors


def token_parts(
    module: EmbeddingModel, features: dict[str, Any], mask: torch.Tensor, caller: str
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the parts of the tokens in the embeddings of length 1, (n_rows, n_tokens, d), and the bias."""
    import torch
    from sentence_transformers.base.modules import Dense, Normalize
    from sentence_transformers.sentence_transformer.modules import Dropout, Pooling

    parts: Any = None
    bias: Any = None
    for part in list(module.pipeline)[1:]:
        if isinstance(part, Pooling):
            states = features["token_embeddings"]
            parts = states * _pooling_weights(part, mask, caller).to(states)[..., None]
            bias = torch.zeros_like(parts[:, 0])
        elif parts is None:
            features = part(features)
        elif isinstance(part, Normalize):
            parts, bias = _to_length_one(parts, bias)
        elif isinstance(part, Dense) and isinstance(part.activation_function, torch.nn.Identity):
            weight = part.linear.weight
            parts, bias = parts @ weight.T, bias @ weight.T + (0 if part.linear.bias is None else part.linear.bias)
        elif not isinstance(part, Dropout):  # which does nothing here
            raise ValueError(
                f"The last-layer decomposition of {caller} needs linear modules after the pooling. Got "
                f"{type(part).__name__}: choose another method."
            )
    if module.pipeline.truncate_dim is not None:
        parts, bias = parts[..., : module.pipeline.truncate_dim], bias[..., : module.pipeline.truncate_dim]
    if module._normalize:
        parts, bias = _to_length_one(parts, bias)
    for matrix, shift in module._affine:
        parts, bias = parts @ matrix.to(parts), bias @ matrix.to(parts) + shift.to(parts)
    return _to_length_one(parts, bias)


def _to_length_one(parts: torch.Tensor, bias: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    length = (parts.sum(dim=1) + bias).norm(dim=-1, keepdim=True)
    return parts / length[..., None], bias / length


def _pooling_weights(pooling: Any, mask: torch.Tensor, caller: str) -> torch.Tensor:
    import torch

    mode = pooling.pooling_mode
    weights = mask.float()
    if mode == "weightedmean":
        weights = weights * torch.arange(1, mask.shape[1] + 1, device=mask.device)
    elif mode != "mean" or not pooling.include_prompt:
        raise ValueError(
            f"The last-layer decomposition of {caller} needs an encoder that pools the mean of all tokens. Got "
            f"{mode!r}{'' if pooling.include_prompt else ' without the prompt'}: choose another method."
        )
    return weights / weights.sum(dim=1, keepdim=True)


# ---- the integrated Jacobian


def _integrated_jacobian(scored: ScoredModel, row: EncodedWords, reference: str, options: MethodOptions) -> WordVectors:
    import torch

    ids, mask = scored.tensors([row.ids])
    x, b = scored.embed(ids, mask)[0], scored.baseline_embeds([row], reference)[0]
    way = x - b
    ends = scored.score(torch.stack([b, x]), mask.expand(2, -1)).double().cpu().numpy()
    numbers = sorted({word for word in row.word_ids if word is not None})
    tangents = torch.zeros(len(numbers), *way.shape, dtype=way.dtype, device=way.device)
    for token, word in enumerate(row.word_ids):
        if word is not None:
            tangents[numbers.index(word), token] = way[token]

    def products(points: Sequence[float]) -> Floats:
        jobs = [(point, word) for point in points for word in range(len(numbers))]
        blocks = []
        for start in range(0, len(jobs), _ROWS_AT_ONCE):
            some = jobs[start : start + _ROWS_AT_ONCE]
            back = torch.tensor([1 - point for point, _ in some], dtype=x.dtype, device=x.device)
            at = x - back[:, None, None] * way
            tangent = tangents[[word for _, word in some]]
            full = mask.expand(len(some), -1)
            product = torch.func.jvp(lambda embeds, full=full: scored.score(embeds, full), (at,), (tangent,))[1]
            blocks.append(product.double().cpu().numpy())
            scored.n_forward += 2 * len(some)
        return np.concatenate(blocks).reshape(len(points), len(numbers), -1)

    known: dict[int, Floats] = {}
    finest, steps = options.max_steps, min(FIRST_STEPS, options.max_steps)
    while True:
        places = list(range(0, finest + 1, finest // steps))
        new = [place for place in places if place not in known]
        points = clenshaw_curtis(finest)[0]
        known |= dict(zip(new, products([float(points[place]) for place in new]), strict=True))
        weights = clenshaw_curtis(steps)[1]
        parts = np.einsum("s,swd->wd", weights, np.stack([known[place] for place in places]))
        difference = ends[1] - ends[0]
        error = float(np.linalg.norm(parts.sum(axis=0) - difference)) / max(float(np.linalg.norm(difference)), 1e-12)
        if error <= options.tolerance or steps >= finest:
            break
        steps *= 2
    vectors = np.zeros((len(row.words), parts.shape[1]))
    vectors[numbers] = parts
    return WordVectors(row.words, vectors, np.zeros(parts.shape[1]), ends[0], ends[1], row.truncated)


# ---- words left out


def _perturbed(scored: ScoredModel, rows: Rows, plan: Plan, options: MethodOptions) -> Iterator[WordVectors]:
    for place, features, masks, solve, embeddings in score_masks(scored, rows, plan, options):
        present = masks.sum(axis=1)
        if plan is shapley_sampling_plan:
            # The embedding of a text without words, of special tokens, has length 1 like any other, and its product
            # with itself would be most of every sum.
            embeddings = np.where(present[:, None] > 0, embeddings, 0.0)
        row, nothing = rows[place], np.zeros(embeddings.shape[1])
        vectors = np.zeros((len(row.words), embeddings.shape[1]))
        vectors[features] = np.stack([solve(column) for column in embeddings.T], axis=1)
        yield WordVectors(row.words, vectors, nothing, nothing, embeddings[present.argmax()], row.truncated)
