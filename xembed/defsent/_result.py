"""What training gives: one result for DefSent and DefSent+, with a record of every round."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from xembed._core.fields import Cosine, Count, Counts, Floats, NonNegative, Probabilities, Provenance, Sides
from xembed._core.results import Result, RowKey, UserText


@dataclass(frozen=True)
class TrainingStep:
    """What a callback is told after each step of the optimizer.

    Attributes
    ----------
    round, step, n_steps : int
        Round and step, counted from 1, and the steps that the round has if it is not stopped early.
    loss : float
        Mean loss of the step's batch.
    learning_rate : float
        Learning rate of the step.
    """

    round: int
    step: int
    n_steps: int
    loss: float
    learning_rate: float


@dataclass(frozen=True, eq=False, repr=False)
class TrainingRound(Result):
    """One round of training.

    Attributes
    ----------
    round, n_steps : int
        Number of the round, from 1, and its number of steps of the optimizer.
    steps, losses : ndarray of shape (n_noted,), int64 and float64
        Steps after which a loss was noted, and the mean training loss of the steps since the one noted before.
    validation_steps, validation_losses : ndarray of shape (n_validations,), int64 and float64
        Steps after which the held-out definitions were evaluated (0 is before training), and their mean cross-entropy
        over all entries, or words.
    validation_top1, validation_mrr : ndarray of shape (n_validations,), float64
        Share of held-out definitions whose own entry has the largest logit, in [0, 1], where ties count against it;
        and mean of one over the rank of the own entry, in (0, 1].
    best_step : int or None
        Step whose weights were kept, if training watched for the best; otherwise the last weights are kept.
    stopped_early : bool
        Whether training ended because the validation loss no longer fell.
    entry_isoscore, entry_average_cosine : float or None
        Debiased IsoScore and average cosine of the entry embeddings, before projection. ``None`` where there are none
        (DefSent), or too few entries to say.
    target_isoscore, target_average_cosine : float or None
        The same of the entry matrix that was trained against: projected and scaled.
    projected, seconds : bool, and float
        Whether the entries were projected in this round, and its duration without interruptions.
    """

    schema: ClassVar[str] = "xembed.defsent.TrainingRound/1"

    round: Annotated[Count, RowKey]
    n_steps: Count
    steps: Annotated[Counts, Sides("steps")]
    losses: Annotated[Floats, Sides("steps")]
    validation_steps: Annotated[Counts, Sides("validations")]
    validation_losses: Annotated[Floats, Sides("validations")]
    validation_top1: Annotated[Probabilities, Sides("validations")]
    validation_mrr: Annotated[Probabilities, Sides("validations")]
    best_step: Count | None
    stopped_early: bool
    entry_isoscore: float | None
    entry_average_cosine: Cosine | None
    target_isoscore: float | None
    target_average_cosine: Cosine | None
    projected: bool
    seconds: NonNegative


@dataclass(frozen=True, eq=False, repr=False)
class DefSentResult(Result):
    """Result of `DefSent.fit` and `DefSentPlus.fit`.

    Attributes
    ----------
    method : str
        'defsent' or 'defsent+'.
    n_entries, n_definitions : int
        Numbers of entries used, those for validation included, and of their definitions.
    n_dropped : int
        Number of entries left out: not one token of the vocabulary (DefSent), or with a definition of another entry
        (DefSent+).
    n_validation, n_truncated : int
        Numbers of entries held out of training, and of definitions longer than the model reads in training, which were
        cut.
    learning_rate : float
        Maximum of the schedule.
    pooling : str
        Pooling of a sentence: 'mean', 'cls', 'max', 'prompt' or another that the encoder had.
    template : str or None
        Template of the prompt, for ``pooling='prompt'``: `PromptEncoder` needs it to read a saved encoder.
    rounds : tuple of TrainingRound
        Records of the rounds, in order.
    encoder, trained_encoder : dict
        Descriptions of the encoder before and after training.
    notes : tuple of str
        Caveats.
    seconds : float
        Duration of the training, without interruptions.
    provenance : dict
        Function, parameters and versions.
    """

    schema: ClassVar[str] = "xembed.defsent.DefSentResult/1"
    page: ClassVar[str | None] = "xembed.defsent._pages:training"

    method: str
    n_entries: Count
    n_definitions: Count
    n_dropped: Count
    n_validation: Count
    n_truncated: Count
    learning_rate: NonNegative
    pooling: str
    template: Annotated[str | None, UserText]
    rounds: tuple[TrainingRound, ...]
    encoder: dict[str, Any]
    trained_encoder: dict[str, Any]
    notes: tuple[str, ...]
    seconds: NonNegative
    provenance: Provenance
