"""Training a classifier by a scheme."""

from __future__ import annotations

import copy
import dataclasses
import math
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from xembed._core.provenance import provenance
from xembed._core.torch import digest_tensors, own_randomness
from xembed._core.validation import check_count, check_number, shows_progress
from xembed.datasets import PairedSentences
from xembed.encoders._pipeline import find_device
from xembed.encoders._words import WordEncoder
from xembed.geco._classifier import check_tokenizer
from xembed.geco._evaluation import Ids, count_truncated
from xembed.geco._schemes import Recipe, Scheme, find_scheme, head_names, trainable_parameters
from xembed.geco._trained import TrainedModel, TrainingRecord
from xembed.geco._training_loop import Loop, Options, Rows


def train(
    model: Any,
    tokenizer: Any,
    data: PairedSentences,
    scheme: str | Scheme,
    *,
    epochs: int | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    weight_decay: float | None = None,
    warmup: float = 0.1,
    max_grad_norm: float | None = 1.0,
    validation_fraction: float = 0.2,
    dropout: bool = True,
    seed: int = 0,
    device: str = "auto",
    progress: bool | None = None,
) -> TrainedModel:
    """Train a copy of a classifier by one of the schemes.

    Cross-entropy and AdamW; the learning rate rises linearly over the first steps and falls linearly to 0. After each
    epoch the rows held out are looked at, and the weights of the best epoch are kept. All forms of a sentence are on
    the same side of that split.

    Parameters
    ----------
    model : transformers.PreTrainedModel or OneLayerAttention
        From `make_classifier` or `make_one_layer`, or any other sequence classifier. It is not changed.
    tokenizer : transformers.PreTrainedTokenizerFast
        Its tokenizer.
    data : PairedSentences
        Rows of two or more classes.
    scheme : str or Scheme
        One of `SCHEMES`: which parts are trained.
    epochs, batch_size : int, optional
        Passes, and rows a step. By default those of the scheme's recipe.
    learning_rate : float, optional
        In (0, 1]. By default that of the recipe.
    weight_decay : float, optional
        In [0, 1). By default that of the recipe.
    warmup : float, default=0.1
        The share of steps in which the learning rate rises, in [0, 1).
    max_grad_norm : float or None, default=1.0
        Longer gradients are cut to this length before each step; None leaves them.
    validation_fraction : float, default=0.2
        The share of the sentences (with all their forms) that is held out, in [0, 1). With 0 the last weights are kept.
    dropout : bool, default=True
        Whether the parts that are trained use their own dropout. Frozen parts never do.
    seed : int, default=0
        Of split, fresh embeddings, order and dropout. The global generators of torch stay as they are.
    device : str, default='auto'
        Where to train; 'auto' takes a GPU if there is one.
    progress : bool, optional
        Show a bar on stderr. By default only if that is a terminal.

    Returns
    -------
    TrainedModel
        On one machine the same to the bit for the same arguments.

    Raises
    ------
    ValueError
        If the data have one class only or others than the model, there are too few sentences to hold some out, the
        head is missing or frozen, or an option is out of its range.
    TypeError
        If the tokenizer is a slow one, or something is of another type.
    RuntimeError
        If the loss or the gradient is not finite.

    Warns
    -----
    UserWarning
        If texts are longer than the model reads.

    Notes
    -----
    For scheme 'C' the encoder is run once and the head is trained on what it gave, if the head reads no more than the
    first token or the pooler, which is tested. Fresh embeddings (scheme 'CE') are drawn as transformers draws those
    of a new model.

    Examples
    --------
    >>> import xembed
    >>> from xembed.datasets import PairedSentences
    >>> from xembed.geco import evaluate, make_classifier, train
    >>> words = ["sings", "sleeps", "reads", "waits"]
    >>> pairs = PairedSentences(
    ...     name="mine",
    ...     sentences=[[who, word, "."] for word in words for who in ("She", "He")],
    ...     ground_truth=[[1, 0, 0]] * 8,
    ...     labels=[0, 1] * 4,
    ...     groups=[0, 0, 1, 1, 2, 2, 3, 3],
    ...     classes=("female", "male"),
    ... )
    >>> model, tokenizer = make_classifier(xembed.load_encoder(device="cpu"), 2)
    >>> trained = train(model, tokenizer, pairs, "C", device="cpu")
    >>> evaluate(trained.model, trained.tokenizer, pairs).argmax(axis=1).tolist()
    [0, 1, 0, 1, 0, 1, 0, 1]
    """
    caller = "train"
    found = find_scheme(scheme, caller=caller)
    if found.recipe is None:
        raise ValueError(f"The scheme {found.name!r} trains nothing: use zero_shot.")
    options = _check_options(
        found.recipe,
        epochs,
        batch_size,
        learning_rate,
        weight_decay,
        warmup,
        max_grad_norm,
        validation_fraction,
        dropout,
    )
    seed = check_count(seed, name="seed", caller=caller, low=0)
    names = trainable_parameters(model, found)
    _check_model(model, data, caller=caller)
    target, show = find_device(device, caller=caller), shows_progress(progress, caller=caller)
    started = time.perf_counter()
    encoded = WordEncoder(check_tokenizer(tokenizer, caller=caller), caller=caller).encode(data.sentences)
    n_truncated = count_truncated([row.truncated for row in encoded], tokenizer, caller=caller)
    train_rows, held_out = _split(data, [row.ids for row in encoded], options.validation_fraction, seed)

    trained = copy.deepcopy(model).to(target)
    initial = digest_tensors(trained.state_dict())
    wanted = {name: parameter.requires_grad for name, parameter in trained.named_parameters()}
    fresh_seed, order_seed, dropout_seed = (int(word) for word in np.random.SeedSequence(seed).generate_state(3))
    if found.fresh_embeddings:
        _draw_embeddings(trained, names - head_names(trained, caller=caller), fresh_seed)
    for name, parameter in trained.named_parameters():
        parameter.requires_grad_(name in names)
    loop = Loop(trained, found, options, int(tokenizer.pad_token_id), order_seed)
    with own_randomness(target, dropout_seed):
        cached = loop.run(train_rows, held_out, show)
    for name, parameter in trained.named_parameters():
        parameter.requires_grad_(wanted[name])
    record = TrainingRecord(
        scheme=found.name,
        data=data.name,
        classes=data.classes,
        model_class=type(model).__name__,
        seed=seed,
        **dataclasses.asdict(options),
        n_train=len(train_rows),
        n_validation=len(held_out),
        n_truncated=n_truncated,
        n_trained_parameters=sum(p.numel() for name, p in trained.named_parameters() if name in names),
        cached=cached,
        train_losses=np.array(loop.train_losses),
        validation_losses=np.array(loop.validation_losses),
        validation_accuracies=np.array(loop.validation_accuracies),
        best_epoch=loop.best_epoch,
        initial_digest=initial,
        digest=digest_tensors(trained.state_dict()),
        seconds=time.perf_counter() - started,
        provenance=provenance(caller, scheme=found.name, seed=seed, **dataclasses.asdict(options)),
    )
    return TrainedModel(trained, tokenizer, record)


def _draw_embeddings(model: Any, names: frozenset[str], seed: int) -> None:
    """Draw parameters anew as those of a new model are drawn, whatever its class does for that."""
    with own_randomness("cpu", seed):
        new = dict(type(model)(copy.deepcopy(model.config)).named_parameters())
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name in names:
                parameter.copy_(new[name])


def _split(data: PairedSentences, ids: Sequence[Ids], fraction: float, seed: int) -> tuple[Rows, Rows]:
    labels = np.array(data.labels, dtype=np.int64)
    groups = np.array(data.groups)
    names = np.array(list(dict.fromkeys(data.groups)))
    n_held_out = math.ceil(fraction * len(names)) if fraction else 0
    chosen = np.random.default_rng([seed, 1]).permutation(names)[:n_held_out]
    held_out = np.isin(groups, chosen)
    if len(set(labels[~held_out].tolist())) < 2:
        raise ValueError(
            f"The 'data' of train must have sentences of two classes left to train on. Got {len(names)} sentences, of "
            f"which {n_held_out} are held out: give more, or a smaller 'validation_fraction'."
        )
    return (
        Rows([ids[row] for row in np.flatnonzero(~held_out).tolist()], labels[~held_out]),
        Rows([ids[row] for row in np.flatnonzero(held_out).tolist()], labels[held_out]),
    )


def _check_model(model: Any, data: Any, *, caller: str) -> None:
    if not isinstance(data, PairedSentences):
        raise TypeError(f"The 'data' parameter of {caller} must be PairedSentences. Got {data!r:.60} instead.")
    present = sorted(set(data.labels))
    if len(present) < 2:
        raise ValueError(
            f"The 'data' of {caller} must have rows of two or more classes. Got {len(data)} rows of "
            f"{data.classes[present[0]]!r} only."
        )
    if model.config.num_labels != len(data.classes):
        raise ValueError(
            f"The model of {caller} must have one output for each of the {len(data.classes)} classes of the data. Got "
            f"{model.config.num_labels}: make it with n_classes={len(data.classes)}."
        )
    head = head_names(model, caller=caller)
    frozen = sorted(
        name for name, parameter in model.named_parameters() if name in head and not parameter.requires_grad
    )
    if frozen:
        raise ValueError(
            f"The head of the model of {caller} must not be frozen, as every scheme trains it. Got requires_grad=False "
            f"for {', '.join(frozen)}: call model.requires_grad_(True)."
        )
    kinds = sorted({str(p.dtype) for p in model.parameters() if p.dtype != torch.float32})
    if kinds:
        raise ValueError(
            f"The model of {caller} must have float32 weights. Got {', '.join(kinds)}: call model.float()."
        )


def _check_options(
    recipe: Recipe,
    epochs: int | None,
    batch_size: int | None,
    learning_rate: float | None,
    weight_decay: float | None,
    warmup: float,
    max_grad_norm: float | None,
    validation_fraction: float,
    dropout: bool,
) -> Options:
    caller = "train"
    if not isinstance(dropout, bool):
        raise TypeError(f"The 'dropout' parameter of {caller} must be True or False. Got {dropout!r} instead.")
    rate = recipe.learning_rate if learning_rate is None else learning_rate
    decay = recipe.weight_decay if weight_decay is None else weight_decay
    fraction = check_number(
        validation_fraction, name="validation_fraction", caller=caller, low=0, high=1, closed="left"
    )
    if max_grad_norm is not None:
        max_grad_norm = check_number(max_grad_norm, name="max_grad_norm", caller=caller, low=0, closed="neither")
    return Options(
        epochs=check_count(recipe.epochs if epochs is None else epochs, name="epochs", caller=caller),
        batch_size=check_count(
            recipe.batch_size if batch_size is None else batch_size, name="batch_size", caller=caller
        ),
        learning_rate=check_number(rate, name="learning_rate", caller=caller, low=0, high=1, closed="right"),
        weight_decay=check_number(decay, name="weight_decay", caller=caller, low=0, high=1, closed="left"),
        warmup=check_number(warmup, name="warmup", caller=caller, low=0, high=1, closed="left"),
        max_grad_norm=max_grad_norm,
        validation_fraction=fraction,
        dropout=dropout,
    )
