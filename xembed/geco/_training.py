"""Training a classifier by a scheme, the record of that, and trained models in folders (no pickle)."""

from __future__ import annotations

import copy
import dataclasses
import json
import math
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
import numpy.typing as npt

from xembed._core.fields import Count, Floats, NonNegative, Probabilities, Provenance, Sides, read_json
from xembed._core.files import new_folder
from xembed._core.provenance import provenance
from xembed._core.results import Result, UserText
from xembed._core.validation import check_count, check_number, shows_progress
from xembed.datasets import PairedSentences
from xembed.geco._schemes import Scheme, find_scheme, head_names, trainable_parameters

if TYPE_CHECKING:
    from xembed.geco._one_layer import OneLayerAttention
    from xembed.geco._training_loop import Rows

_RECORD, _WEIGHTS, _CONFIG = "geco-training.json", "model.safetensors", "config.json"
_ONE_LAYER = "xembed-one-layer-attention"


@dataclass(frozen=True, repr=False)
class TrainingRecord(Result):
    """How a model was trained, and how that went.

    Attributes
    ----------
    scheme, data : str
        Name in `SCHEMES`, and name of the data.
    classes, model_class : tuple of str, str
        Names of the classes, in the order of the logits, and class of the model.
    seed : int
        Seed of the split, fresh embeddings, order and dropout.
    epochs, batch_size, learning_rate, weight_decay, warmup, max_grad_norm, validation_fraction, dropout
        Options that were used.
    n_train, n_validation, n_truncated, n_trained_parameters : int
        Numbers of rows; of rows that are longer than the model reads, and were cut; of weights that the scheme trains.
    cached : bool
        Whether the frozen encoder was run once instead of in every epoch.
    train_losses, validation_losses, validation_accuracies : ndarray of shape (epochs,)
        Mean loss over the rows of each epoch, with dropout if there is any; mean loss and accuracy of the rows held
        out, empty if there are none.
    best_epoch : int
        Epoch, counted from 1, whose weights were kept: that of the lowest validation loss, or the last one without
        validation.
    initial_digest, digest : str
        SHA-256 of the weights before and after.
    seconds : float
        Duration of the training.
    provenance : dict
        Function, parameters and versions.
    warnings : tuple of str
        What the model does not read of the data (see `Encoding.warnings`); they are warned of, too.
    """

    schema: ClassVar[str] = "xembed.geco.TrainingRecord/1"

    scheme: str
    data: Annotated[str, UserText]
    classes: Annotated[tuple[str, ...], UserText]
    model_class: str
    seed: int
    epochs: Count
    batch_size: Count
    learning_rate: NonNegative
    weight_decay: float
    warmup: float
    max_grad_norm: float | None
    validation_fraction: float
    dropout: bool
    n_train: Count
    n_validation: Count
    n_truncated: Count
    n_trained_parameters: Count
    cached: bool
    train_losses: Annotated[Floats, Sides("trained")]
    validation_losses: Annotated[Floats, Sides("validated")]
    validation_accuracies: Annotated[Probabilities, Sides("validated")]
    best_epoch: Count
    initial_digest: str
    digest: str
    seconds: NonNegative
    provenance: Provenance
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, repr=False)
class TrainedModel:
    """A trained classifier, its tokenizer and how it came about.

    Attributes
    ----------
    model : transformers.PreTrainedModel or OneLayerAttention
        Model in evaluation mode, on the device that it was trained on.
    tokenizer : transformers.PreTrainedTokenizerFast
        Tokenizer that was given.
    record : TrainingRecord
        Record of the training.

    See Also
    --------
    save_model, load_model : to a folder and back.
    """

    model: Any
    tokenizer: Any
    record: TrainingRecord

    def __repr__(self) -> str:
        return f"TrainedModel({type(self.model).__name__} by scheme {self.record.scheme!r} on {self.record.data!r})"


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
        Model of `make_classifier` or `make_one_layer`, or any other sequence classifier. It is not changed.
    tokenizer : transformers.PreTrainedTokenizerFast
        Its tokenizer.
    data : PairedSentences
        Rows of two or more classes.
    scheme : str or Scheme
        Name in `SCHEMES`: which parts are trained.
    epochs, batch_size : int, optional
        Numbers of passes, and of rows a step. By default those of the scheme's recipe.
    learning_rate : float, optional
        Maximal learning rate, in (0, 1]. By default that of the recipe.
    weight_decay : float, optional
        Weight decay of AdamW, in [0, 1). By default that of the recipe.
    warmup : float, default=0.1
        Share of the steps in which the learning rate rises, in [0, 1).
    max_grad_norm : float or None, default=1.0
        Length to which longer gradients are cut before each step; None leaves them.
    validation_fraction : float, default=0.2
        Share of the sentences (with all their forms) that is held out, in [0, 1). With 0 the last weights are kept.
    dropout : bool, default=True
        Whether the parts that are trained use their own dropout. Frozen parts never do.
    seed : int, default=0
        Seed of split, fresh embeddings, order and dropout. The global generators of torch stay as they are.
    device : str, default='auto'
        Device of the training; 'auto' takes a GPU if there is one.
    progress : bool, optional
        Whether to show a bar on stderr. By default only if that is a terminal.

    Returns
    -------
    TrainedModel
        Model and record; on one machine the same to the bit for the same arguments.

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
    >>> sentences = [[who, word, "."] for word in words for who in ("She", "He")]
    >>> groups = [0, 0, 1, 1, 2, 2, 3, 3]
    >>> pairs = PairedSentences("mine", sentences, [[1, 0, 0]] * 8, [0, 1] * 4, groups, ("female", "male"))
    >>> model, tokenizer = make_classifier(xembed.load_encoder(device="cpu"), 2)
    >>> trained = train(model, tokenizer, pairs, "C", device="cpu")
    >>> evaluate(trained.model, trained.tokenizer, pairs).argmax(axis=1).tolist()
    [0, 1, 0, 1, 0, 1, 0, 1]
    """
    import torch

    from xembed._core.torch import digest_tensors
    from xembed.encoders._encoding import warn_of_tokens
    from xembed.encoders._pipeline import find_device
    from xembed.encoders._training import check_settings
    from xembed.encoders._warn import warn_user
    from xembed.encoders._words import WordEncoder
    from xembed.geco._classifier import check_tokenizer, count_truncated
    from xembed.geco._training_loop import SchemeLoop

    caller = "train"
    scheme = find_scheme(scheme, caller=caller)
    if scheme.recipe is None:
        raise ValueError(f"The scheme {scheme.name!r} trains nothing: use zero_shot.")
    target = find_device(device, caller=caller)
    given = {"epochs": epochs, "batch_size": batch_size, "learning_rate": learning_rate, "weight_decay": weight_decay}
    recipe = scheme.recipe._asdict() | {name: value for name, value in given.items() if value is not None}
    settings = check_settings(
        caller=caller,
        **recipe,
        warmup=warmup,
        max_grad_norm=max_grad_norm,
        keep_best=True,
        fused=torch.device(target).type in {"cpu", "cuda"},  # one pass over the embeddings instead of several
    )
    if not isinstance(dropout, bool):
        raise TypeError(f"The 'dropout' parameter of {caller} must be True or False. Got {dropout!r} instead.")
    fraction = check_number(
        validation_fraction, name="validation_fraction", caller=caller, low=0, high=1, closed="left"
    )
    options = {name: getattr(settings, name) for name in (*recipe, "warmup", "max_grad_norm")}
    options |= {"validation_fraction": fraction, "dropout": dropout}
    seed = check_count(seed, name="seed", caller=caller, low=0)
    names = trainable_parameters(model, scheme)
    _check_model(model, data, caller=caller)
    show = shows_progress(progress, caller=caller)
    started = time.perf_counter()
    encoded = WordEncoder(check_tokenizer(tokenizer, caller=caller), caller=caller).encode(data.sentences)
    n_truncated = count_truncated([row.truncated for row in encoded], tokenizer, caller=caller)
    unread = tuple(warn_of_tokens(tokenizer, [row.ids for row in encoded], data.texts, data.name))
    for sentence in unread:
        warn_user(sentence)
    train_rows, held_out = _split(data, [row.ids for row in encoded], fraction, seed)

    trained = copy.deepcopy(model).to(target)
    initial = digest_tensors(trained.state_dict())
    own = {name: parameter.requires_grad for name, parameter in trained.named_parameters()}
    fresh_seed, order_seed, dropout_seed = (int(word) for word in np.random.SeedSequence(seed).generate_state(3))
    if scheme.fresh_embeddings:
        _draw_embeddings(trained, names - head_names(trained, caller=caller), fresh_seed)
    for name, parameter in trained.named_parameters():
        parameter.requires_grad_(name in names)
    pad_id = int(tokenizer.pad_token_id)
    loop = SchemeLoop(
        trained, scheme, settings, train_rows, held_out, pad_id=pad_id, dropout=dropout, seed=order_seed, show=show
    )
    cached = loop.train(dropout_seed)
    for name, parameter in trained.named_parameters():
        parameter.requires_grad_(own[name])
    record = TrainingRecord(
        scheme=scheme.name,
        data=data.name,
        classes=data.classes,
        model_class=type(model).__name__,
        seed=seed,
        **options,
        n_train=len(train_rows),
        n_validation=len(held_out),
        n_truncated=n_truncated,
        warnings=unread,
        n_trained_parameters=sum(p.numel() for name, p in trained.named_parameters() if name in names),
        cached=cached,
        train_losses=np.array(loop.train_losses),
        validation_losses=np.array([loss for _, loss, _ in loop.log.validations]),
        validation_accuracies=np.array([accuracy for _, _, accuracy in loop.log.validations]),
        best_epoch=loop.best_epoch,
        initial_digest=initial,
        digest=digest_tensors(trained.state_dict()),
        seconds=time.perf_counter() - started,
        provenance=provenance(caller, scheme=scheme.name, seed=seed, **options),
    )
    return TrainedModel(trained, tokenizer, record)


def _draw_embeddings(model: Any, names: frozenset[str], seed: int) -> None:
    """Draw parameters anew as those of a new model are drawn, whatever its class does for that."""
    import torch

    from xembed._core.torch import own_randomness

    with own_randomness("cpu", seed):
        new = dict(type(model)(copy.deepcopy(model.config)).named_parameters())
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name in names:
                parameter.copy_(new[name])


def _split(data: PairedSentences, ids: Sequence[tuple[int, ...]], fraction: float, seed: int) -> tuple[Rows, Rows]:
    from xembed.geco._training_loop import Rows

    labels = np.array(data.labels, dtype=np.int64)
    groups = np.array(data.groups)
    names = np.array(list(dict.fromkeys(data.groups)))
    n_held_out = math.ceil(fraction * len(names)) if fraction else 0
    held_out = np.isin(groups, np.random.default_rng([seed, 1]).permutation(names)[:n_held_out])
    if len(set(labels[~held_out].tolist())) < 2:
        raise ValueError(
            f"The 'data' of train must have sentences of two classes left to train on. Got {len(names)} sentences, of "
            f"which {n_held_out} are held out: give more, or a smaller 'validation_fraction'."
        )

    def rows(kept: npt.NDArray[np.bool_]) -> Rows:
        return Rows([ids[row] for row in np.flatnonzero(kept).tolist()], labels[kept])

    return rows(~held_out), rows(held_out)


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
    if frozen := sorted(name for name, p in model.named_parameters() if name in head and not p.requires_grad):
        raise ValueError(
            f"The head of the model of {caller} must not be frozen, as every scheme trains it. Got requires_grad=False "
            f"for {', '.join(frozen)}: call model.requires_grad_(True)."
        )
    if kinds := sorted({str(p.dtype) for p in model.parameters()} - {"torch.float32"}):
        raise ValueError(
            f"The model of {caller} must have float32 weights. Got {', '.join(kinds)}: call model.float()."
        )


# ---- trained models in folders


def save_model(trained: TrainedModel, folder: str | os.PathLike[str]) -> None:
    """Write a trained model to a new folder, whole or not at all.

    The folder holds the weights (safetensors), the configuration, the tokenizer and the record of the training
    (``geco-training.json``). Unless the scheme is 'OLA', transformers can read it too.

    Parameters
    ----------
    trained : TrainedModel
        Result of `train`.
    folder : str or path
        New or empty folder; its parent must exist.

    Raises
    ------
    FileExistsError
        If the folder exists and is not empty.
    OSError
        If it can't be written.

    Examples
    --------
    >>> from xembed.geco import load_model, save_model
    >>> save_model(trained, "models/CEf-0")  # doctest: +SKIP
    >>> load_model("models/CEf-0").record.scheme  # doctest: +SKIP
    'CEf'
    """
    from xembed.encoders._load import quiet
    from xembed.geco._one_layer import OneLayerAttention

    with new_folder(folder) as temporary:
        with quiet():
            if isinstance(trained.model, OneLayerAttention):
                _save_one_layer(trained.model, temporary)
            else:
                trained.model.save_pretrained(temporary)
            trained.tokenizer.save_pretrained(temporary)
        trained.record.to_json(temporary / _RECORD)


def load_model(folder: str | os.PathLike[str], *, device: str = "cpu") -> TrainedModel:
    """Read what `save_model` wrote.

    Parameters
    ----------
    folder : str or path
        Folder of the model.
    device : str, default='cpu'
        Device of the model; 'auto' takes a GPU if there is one.

    Returns
    -------
    TrainedModel
        Model with the same weights to the bit, in evaluation mode.

    Raises
    ------
    FileNotFoundError
        If the folder holds no such model.
    ValueError
        If the weights are not those that the record names.

    Examples
    --------
    >>> from xembed.geco import load_model
    >>> load_model("models/CEf-0")  # doctest: +SKIP
    TrainedModel(BertForSequenceClassification by scheme 'CEf' on 'geco binary_gender_all')
    """
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    from xembed._core.torch import digest_tensors, own_randomness
    from xembed.encoders._load import quiet
    from xembed.encoders._pipeline import find_device

    caller = "load_model"
    target = find_device(device, caller=caller)
    source = Path(folder)
    if lacking := [name for name in (_RECORD, _WEIGHTS, _CONFIG) if not (source / name).is_file()]:
        raise FileNotFoundError(
            f"The folder {str(source)!r} holds no trained model: {', '.join(lacking)} is not in it. Write one with "
            "save_model."
        )
    record = TrainingRecord.from_json(source / _RECORD)
    config, where = read_json(source / _CONFIG, caller)
    if not isinstance(config, dict):
        raise ValueError(f"{where} must hold the configuration of a model. The folder was changed or is damaged.")
    options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    with own_randomness("cpu", 0), quiet():
        model: Any = (
            _load_one_layer(config, source)
            if config.get("model_type") == _ONE_LAYER
            else AutoModelForSequenceClassification.from_pretrained(source, dtype=torch.float32, **options)
        )
        tokenizer: Any = AutoTokenizer.from_pretrained(source, **options)
    if (digest := digest_tensors(model.state_dict())) != record.digest:
        raise ValueError(
            f"The weights in {str(source)!r} are not those of the training that {_RECORD} records: their SHA-256 is "
            f"{digest}, not {record.digest}. The folder was changed or is damaged."
        )
    return TrainedModel(model.to(target).eval(), tokenizer, record)


def _save_one_layer(model: OneLayerAttention, folder: Path) -> None:
    from safetensors.torch import save_file

    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    save_file(weights, folder / _WEIGHTS)
    config = {"model_type": _ONE_LAYER} | dataclasses.asdict(model.config)
    (folder / _CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def _load_one_layer(config: dict[str, Any], folder: Path) -> OneLayerAttention:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from xembed.geco._one_layer import OneLayerAttention, OneLayerConfig

    fields = {field.name for field in dataclasses.fields(OneLayerConfig)}
    try:
        model = OneLayerAttention(OneLayerConfig(**{name: value for name, value in config.items() if name in fields}))
        model.load_state_dict(load_file(folder / _WEIGHTS))
    except (SafetensorError, TypeError, ValueError, RuntimeError) as error:
        raise ValueError(
            f"The model in {str(folder)!r} can't be read: it was changed or is damaged: {error}."
        ) from None
    return model
