"""Classifiers made of any pretrained encoder, and their logits."""

from __future__ import annotations

import copy
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from xembed._core.torch import own_randomness
from xembed._core.validation import check_count
from xembed.datasets import PairedSentences
from xembed.encoders import Encoder
from xembed.encoders._layers import require_transformer
from xembed.encoders._load import find_source, quiet
from xembed.encoders._pipeline import count_positions, find_max_length, ready_on
from xembed.encoders._warn import warn_user
from xembed.encoders._words import WordEncoder, collate
from xembed.geco._one_layer import OneLayerAttention, make_one_layer
from xembed.geco._schemes import Scheme, base_of, find_scheme, head_names

if TYPE_CHECKING:
    from transformers import PreTrainedModel

BATCH = 64  # rows at once where nothing is trained

Ids = tuple[int, ...]
Logits = npt.NDArray[np.float64]


def make_classifier(
    backbone: Encoder | str | os.PathLike[str] | None, n_classes: int, *, seed: int = 0
) -> tuple[PreTrainedModel, Any]:
    """Put a new classification head on a pretrained encoder.

    Parameters
    ----------
    backbone : Encoder, str, path or None
        An encoder, whose weights are copied; a folder with a Hugging Face model or the id of one on the hub; None is
        all-MiniLM-L6-v2 from an installed package. Code that comes with a model is never executed.
    n_classes : int
        Number of classes, at least 2.
    seed : int, default=0
        Seed of the head. The global generators of torch stay as they are.

    Returns
    -------
    model : transformers.PreTrainedModel
        The class of transformers that classifies sequences with this kind of model, in float32, on the CPU and in
        evaluation mode. What the checkpoint lacks but the head reads, as a pooler, is drawn from ``seed`` too; scheme
        'C' leaves such a pooler random.
    tokenizer : transformers.PreTrainedTokenizerFast
        A copy of the backbone's, with the limit of the model as its ``model_max_length``.

    Raises
    ------
    TypeError
        If the tokenizer is a slow one, which does not know words, or ``backbone`` is none of the above.
    ValueError
        If transformers has no classifier for this kind of model, the weights don't fit it, or it has no head or no
        padding token.
    FileNotFoundError
        If there is no such folder, or no model in it.

    Examples
    --------
    >>> import xembed
    >>> from xembed.geco import make_classifier
    >>> model, tokenizer = make_classifier(xembed.load_encoder(device="cpu"), 2)
    >>> type(model).__name__, model.config.num_labels, tokenizer.model_max_length
    ('BertForSequenceClassification', 2, 256)
    """
    caller = "make_classifier"
    n_classes = check_count(n_classes, name="n_classes", caller=caller, low=2)
    seed = check_count(seed, name="seed", caller=caller, low=0)
    # Everything that transformers draws at random, wanted or not, comes from a generator of our own.
    with own_randomness("cpu", seed), quiet():
        source, tokenizer = _load(backbone, caller=caller)
        model = _build(source, n_classes, caller=caller)
        _take_weights(model, source, caller=caller)
    head_names(model, caller=caller)
    limit_tokens(model, tokenizer)
    return model.eval(), tokenizer


def make_model(
    scheme: str | Scheme, backbone: Encoder | str | os.PathLike[str] | None, n_classes: int, *, seed: int = 0
) -> tuple[PreTrainedModel | OneLayerAttention, Any]:
    """Make the model that a scheme trains: `make_classifier`, or `make_one_layer` with the backbone's tokenizer.

    Parameters
    ----------
    scheme : str or Scheme
        Name in `SCHEMES`, of a scheme that trains something.
    backbone : Encoder, str, path or None
        Pretrained model, as in `make_classifier`.
    n_classes : int
        Number of classes, at least 2.
    seed : int, default=0
        Seed of what is not pretrained.

    Returns
    -------
    model, tokenizer
        Arguments of `train`.

    Raises
    ------
    ValueError
        If there is no such scheme or it trains nothing, and what `make_classifier` says.

    Examples
    --------
    >>> import xembed
    >>> from xembed.geco import make_model
    >>> type(make_model("OLA", xembed.load_encoder(device="cpu"), 2)[0]).__name__
    'OneLayerAttention'
    """
    caller = "make_model"
    known = find_scheme(scheme, caller=caller)
    if not known.parts:
        raise ValueError(f"The scheme {known.name!r} trains nothing: use zero_shot.")
    if known.pretrained:
        return make_classifier(backbone, n_classes, seed=seed)
    with own_randomness("cpu", seed), quiet():
        source, tokenizer = _load(backbone, caller=caller)
    limit_tokens(source, tokenizer)
    return make_one_layer(tokenizer, n_classes, seed=seed), tokenizer


def check_tokenizer(tokenizer: Any, *, caller: str) -> Any:
    """Return a tokenizer that is fast and can fill up rows."""
    if not getattr(tokenizer, "is_fast", False):
        raise TypeError(
            f"The tokenizer of {caller} must be a fast one, which knows the word of each token (word_ids). Got the "
            f"slow {type(tokenizer).__name__}."
        )
    if tokenizer.pad_token_id is None:
        raise ValueError(
            f"The tokenizer of {caller} must have a padding token. {type(tokenizer).__name__} has none: take an "
            "encoder such as BERT or RoBERTa, not a decoder such as GPT-2."
        )
    return tokenizer


def _load(backbone: Any, *, caller: str) -> tuple[Any, Any]:
    """Return the pretrained model, not to be changed, and a tokenizer of our own."""
    if isinstance(backbone, Encoder):
        transformer = require_transformer(backbone, caller=caller)
        tokenizer = copy.deepcopy(check_tokenizer(transformer.tokenizer, caller=caller))
        if (limit := find_max_length(backbone.model)) is not None:
            tokenizer.model_max_length = limit
        return transformer.auto_model, tokenizer
    from transformers import AutoModel, AutoTokenizer

    if backbone is not None and not isinstance(backbone, str | os.PathLike):
        raise TypeError(
            f"The 'backbone' parameter of {caller} must be an Encoder, a folder, the id of a model on the Hugging Face "
            f"hub or None. Got {backbone!r:.60} instead."
        )
    source = find_source(backbone, None, None, caller=caller)
    options: dict[str, Any] = {"cache_dir": source.cache_dir, "trust_remote_code": False}
    tokenizer = check_tokenizer(AutoTokenizer.from_pretrained(source.location, **options), caller=caller)
    return AutoModel.from_pretrained(source.location, dtype=torch.float32, **options), tokenizer


def _build(source: Any, n_classes: int, *, caller: str) -> Any:
    from transformers import AutoModelForSequenceClassification

    factory: Any = AutoModelForSequenceClassification
    config = copy.deepcopy(source.config)
    config.num_labels, config.problem_type = n_classes, "single_label_classification"
    try:
        return factory.from_config(config, dtype=torch.float32)
    except ValueError as error:
        raise ValueError(
            f"The 'backbone' parameter of {caller} must be of a kind that transformers has a sequence classifier for. "
            f"Got {type(source).__name__} (model type {config.model_type!r}), for which it has none."
        ) from error


def _take_weights(model: Any, source: Any, *, caller: str) -> None:
    base, _ = base_of(model, caller=caller)
    weights = {
        name: tensor.detach().to("cpu", torch.float32) if tensor.is_floating_point() else tensor.cpu()
        for name, tensor in source.state_dict().items()
    }
    try:
        missing, unused = base.load_state_dict(weights, strict=False)
    except RuntimeError as error:
        raise ValueError(
            f"The weights of {type(source).__name__} don't fit {type(model).__name__} (in {caller}): "
            f"{' '.join(str(error).split()):.200}."
        ) from error
    # Poolers come and go with what a model is used for.
    if wrong := [name for name in (*missing, *unused) if "pooler" not in name]:
        raise ValueError(
            f"The weights of {type(source).__name__} don't fit {type(model).__name__} (in {caller}): {wrong[0]!r} and "
            f"{len(wrong) - 1} others are in one of them only."
        )


def limit_tokens(model: Any, tokenizer: Any) -> None:
    """Let the tokenizer know how many positions there are; tokenizers of small models often don't say."""
    if (limit := count_positions(model)) is not None:
        tokenizer.model_max_length = min(tokenizer.model_max_length, limit)


# ---- logits


def evaluate(
    model: Any,
    tokenizer: Any,
    data: PairedSentences | Sequence[str] | Sequence[Sequence[str]],
    *,
    batch_size: int = BATCH,
    device: str | None = None,
) -> Logits:
    """Return the logits of a classifier.

    Parameters
    ----------
    model : transformers.PreTrainedModel or OneLayerAttention
        A sequence classifier.
    tokenizer : transformers.PreTrainedTokenizerFast
        Its tokenizer.
    data : PairedSentences, sequence of str or sequence of sequences of str
        The sentences, as texts or as words.
    batch_size : int, default=64
        Number of rows at once, of about the same length. It changes the speed, and the logits only in their last
        digits.
    device : str, optional
        Device of the computation; the model returns to where it was. By default where the model is.

    Returns
    -------
    ndarray of shape (n_rows, n_classes), float64
        Logits in the order of the rows. ``scipy.special.softmax(logits, axis=1)`` are probabilities.

    Raises
    ------
    RuntimeError
        If logits are not finite.
    TypeError
        If the tokenizer is a slow one, or something else than sentences comes.
    ValueError
        If there is no sentence, or one is blank.

    Warns
    -----
    UserWarning
        If texts are longer than the model reads.

    Examples
    --------
    >>> import xembed
    >>> from xembed.geco import evaluate, make_classifier
    >>> model, tokenizer = make_classifier(xembed.load_encoder(device="cpu"), 3)
    >>> evaluate(model, tokenizer, ["She sings.", "He waits."]).shape
    (2, 3)
    """
    caller = "evaluate"
    batch_size = check_count(batch_size, name="batch_size", caller=caller)
    encoder = WordEncoder(check_tokenizer(tokenizer, caller=caller), caller=caller)
    encoded = encoder.encode(data.sentences if isinstance(data, PairedSentences) else data)
    count_truncated([row.truncated for row in encoded], tokenizer, caller=caller)
    with ready_on(model, device, caller=caller):
        logits = logits_of(model, [row.ids for row in encoded], int(tokenizer.pad_token_id), batch_size)
    return check_finite(logits, caller=caller)


def check_finite(logits: Logits, *, caller: str) -> Logits:
    """Return logits; RuntimeError if some are not finite."""
    bad = np.flatnonzero(~np.isfinite(logits).all(axis=1))
    if len(bad):
        raise RuntimeError(
            f"The model of {caller} must give finite logits. Got NaN or infinity for {len(bad)} of {len(logits)} rows "
            f"(first: row {bad[0]}): did its training diverge, or does it run in float16?"
        )
    return logits


def forward(model: Any, rows: Sequence[Ids], pad_id: int) -> torch.Tensor:
    ids, mask = collate(rows, pad_id)
    device = next(model.parameters()).device
    logits: torch.Tensor = model(input_ids=ids.to(device), attention_mask=mask.to(device)).logits
    return logits


def logits_of(model: Any, rows: Sequence[Ids], pad_id: int, batch_size: int) -> Logits:
    order = sorted(range(len(rows)), key=lambda row: len(rows[row]))
    parts: list[Logits] = []
    with torch.no_grad():
        for start in range(0, len(order), batch_size):
            batch = [rows[row] for row in order[start : start + batch_size]]
            parts.append(forward(model, batch, pad_id).double().cpu().numpy())
    sorted_logits = np.concatenate(parts)
    logits = np.empty_like(sorted_logits)
    logits[order] = sorted_logits
    return logits


def count_truncated(truncated: Sequence[bool], tokenizer: Any, *, caller: str) -> int:
    if count := sum(truncated):
        warn_user(
            f"{count} of {len(truncated)} texts of {caller} are longer than the {tokenizer.model_max_length} tokens "
            "that the model reads, and were cut."
        )
    return count
