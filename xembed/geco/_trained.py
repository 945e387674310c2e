"""What a training gives: the model and how it came about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from xembed._core.results import Result


@dataclass(frozen=True, repr=False)
class TrainingRecord(Result):
    """How a model was trained, and how that went.

    Attributes
    ----------
    scheme : str
        One of `SCHEMES`.
    data : str
        The name of the data.
    classes : tuple of str
        The names of the classes, in the order of the logits.
    model_class : str
        The class of the model.
    seed : int
        Of the split, fresh embeddings, order and dropout.
    epochs, batch_size, learning_rate, weight_decay, warmup, max_grad_norm, validation_fraction, dropout
        As they were used.
    n_train, n_validation : int
        Rows.
    n_truncated : int
        Rows that are longer than the model reads, and were cut.
    n_trained_parameters : int
        Numbers that the scheme trains.
    cached : bool
        Whether the frozen encoder was run once instead of in every epoch.
    train_losses, validation_losses, validation_accuracies : ndarray of shape (epochs,)
        Per epoch: the mean over its rows, with dropout if there is any; and those of the rows held out, empty if none
        were.
    best_epoch : int
        From 1: the one whose weights were kept, with the lowest validation loss, or the last one without validation.
    initial_digest, digest : str
        SHA-256 of the weights before and after.
    seconds : float
        It took.
    provenance : dict
        The function, its parameters and the versions.
    """

    schema: ClassVar[str] = "xembed.geco.TrainingRecord/1"

    scheme: str
    data: str
    classes: tuple[str, ...]
    model_class: str
    seed: int
    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    warmup: float
    max_grad_norm: float | None
    validation_fraction: float
    dropout: bool
    n_train: int
    n_validation: int
    n_truncated: int
    n_trained_parameters: int
    cached: bool
    train_losses: npt.NDArray[np.float64]
    validation_losses: npt.NDArray[np.float64]
    validation_accuracies: npt.NDArray[np.float64]
    best_epoch: int
    initial_digest: str
    digest: str
    seconds: float
    provenance: dict[str, Any]


@dataclass(frozen=True, repr=False)
class TrainedModel:
    """A trained classifier, its tokenizer and how it came about.

    Attributes
    ----------
    model : transformers.PreTrainedModel or OneLayerAttention
        In evaluation mode, on the device that it was trained on.
    tokenizer : transformers.PreTrainedTokenizerFast
        As given.
    record : TrainingRecord
        How it was trained.

    See Also
    --------
    save_model, load_model : to a folder and back.
    """

    model: Any
    tokenizer: Any
    record: TrainingRecord

    def __repr__(self) -> str:
        return f"TrainedModel({type(self.model).__name__} by scheme {self.record.scheme!r} on {self.record.data!r})"
