"""DefSent: training against the word embeddings of a masked language model."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from xembed._core.validation import RNG, check_count, check_number, check_option, check_rng, shows_progress
from xembed.defsent import _defaults as defaults
from xembed.defsent._body import Body
from xembed.defsent._definitions import Definitions, hold_out, read_definitions
from xembed.defsent._result import TrainingStep
from xembed.defsent._training import DefinitionTrainer, Task
from xembed.encoders._masked_lm import load_masked_lm, single_tokens
from xembed.encoders._prompt import TEMPLATE
from xembed.encoders._training import Settings

if TYPE_CHECKING:
    from typing_extensions import Self

_CALLER = "DefSent"


class DefSent(DefinitionTrainer):
    r"""Train a masked language model so that it predicts a word from the pooled vector of its definition.

    The pooled vector of a definition goes through the model's own pretrained prediction layers, and the cross-entropy
    over the vocabulary with the defined word as the target is minimized [1]_. Prediction layers and token embeddings
    are frozen; so only entries that are one token of the vocabulary can be used (see `DefSentPlus` for all).

    Parameters
    ----------
    model : str or path
        Folder or hub id of a model with a masked-language-model head, found as by `xembed.load_encoder`.
    pooling : {'mean', 'cls', 'max'}, default='mean'
        Pooling of a definition, and later of a sentence.
    learning_rate : float, optional
        Maximal learning rate. By default the published one for this pooling of BERT or RoBERTa, base or large,
        recognized by the model's name, and 1e-5 for others.
    batch_size : int, default=16
        Number of definitions a step.
    epochs : int, default=1
        Number of passes over all definitions.
    warmup : float in [0, 1), default=0.1
        Share of the steps in which the learning rate rises linearly; after that it is constant.
    weight_decay : float, default=0.0
        Weight decay of AdamW (eps 1e-8); with 0 it is Adam, as published.
    max_grad_norm : float, optional
        Length to which gradients are cut; by default they aren't.
    max_length : int, optional
        Number of tokens read of a definition in training. By default what the model reads.
    validation_fraction : float in [0, 1), default=0.05
        Share of the usable entries that are held out of training.
    patience, eval_every, log_every, checkpoint_dir, checkpoint_every, device, progress, random_state
        Options of `DefSentPlus`.

    Attributes
    ----------
    encoder_ : Encoder
        The trained encoder, on ``device``.
    history_ : list of TrainingRound
        Record of the training.
    result_ : DefSentResult
        All that can be said about the training, for JSON; ``n_entries`` are kept and ``n_dropped`` not one token.

    Notes
    -----
    Published [1]_: Adam with batches of 16, one epoch, warm-up over 10 % of the steps, then constant; learning rates
    of 4e-6 to 1.131e-5. The order of the definitions is drawn here for each epoch.

    References
    ----------
    .. [1] H. Tsukagoshi, R. Sasano, K. Takeda. "DefSent: Sentence Embeddings using Definition Sentences". ACL-IJCNLP
           2021 (short papers), arXiv:2105.04339.

    Examples
    --------
    >>> from xembed.defsent import DefSent
    >>> DefSent("bert-base-uncased", pooling="cls", epochs=2)
    DefSent(epochs=2, model='bert-base-uncased', pooling='cls')
    """

    def __init__(
        self,
        model: str | os.PathLike[str],
        *,
        pooling: str = "mean",
        learning_rate: float | None = None,
        batch_size: int = 16,
        epochs: int = 1,
        warmup: float = 0.1,
        weight_decay: float = 0.0,
        max_grad_norm: float | None = None,
        max_length: int | None = None,
        validation_fraction: float = 0.05,
        patience: int | None = None,
        eval_every: int | None = None,
        log_every: int = 50,
        checkpoint_dir: str | os.PathLike[str] | None = None,
        checkpoint_every: int | None = None,
        device: str = "auto",
        progress: bool | None = None,
        random_state: RNG = 0,
    ) -> None:
        self.model = model
        self.pooling = pooling
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.epochs = epochs
        self.warmup = warmup
        self.weight_decay = weight_decay
        self.max_grad_norm = max_grad_norm
        self.max_length = max_length
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.eval_every = eval_every
        self.log_every = log_every
        self.checkpoint_dir = checkpoint_dir
        self.checkpoint_every = checkpoint_every
        self.device = device
        self.progress = progress
        self.random_state = random_state

    def fit(
        self, dictionary: Any, validation: Any = None, *, callback: Callable[[TrainingStep], object] | None = None
    ) -> Self:
        """Train.

        Parameters
        ----------
        dictionary, validation, callback
            Arguments of `DefSentPlus.fit`. Entries that are not one token of the vocabulary are left out and counted.

        Returns
        -------
        DefSent
            Itself.

        Raises
        ------
        ValueError
            If the model has no masked-language-model head, or one that its checkpoint lacks; if fewer than 2 entries
            are one token of the vocabulary; and as `DefSentPlus.fit`.
        TypeError, RuntimeError
            As `DefSentPlus.fit`.
        FileNotFoundError
            If there is no such model.
        """
        from xembed.encoders._pipeline import find_device

        settings, notes = self._check()
        seed = int(check_rng(self.random_state, name="random_state", caller=_CALLER).integers(2**63))
        shows_progress(self.progress, caller=_CALLER)
        device = find_device(self.device, caller=_CALLER)
        definitions = read_definitions(dictionary, validation, caller=_CALLER)
        encoder, head = load_masked_lm(self.model, pooling=self.pooling, device=device, seed=seed, caller=_CALLER)
        body = Body(encoder, pooling=None, template=TEMPLATE, max_length=self.max_length, device=device, caller=_CALLER)
        tokens = single_tokens(body.transformer.tokenizer, definitions.entries)
        n_given, definitions = len(tokens), definitions.keep(tokens >= 0)
        if np.count_nonzero(~definitions.held_out) < 2:
            raise ValueError(
                f"The dictionary must hold at least 2 entries for {_CALLER} that are one token of the vocabulary of "
                f"{encoder.name!r}. Got {np.count_nonzero(~definitions.held_out)} of {n_given} entries: "
                "DefSentPlus can use all."
            )
        definitions = hold_out(
            definitions, float(self.validation_fraction), np.random.default_rng(seed), caller=_CALLER
        )
        body.transformer.auto_model.get_input_embeddings().requires_grad_(False)
        task = _WordTask(body, head, definitions, tokens[tokens >= 0])
        self._train(
            lambda number, arrays: task,
            method="defsent",
            body=body,
            head=head,
            trained=torch.nn.ModuleDict({"transformer": body.transformer}),
            definitions=definitions,
            settings=settings,
            parameters=self._parameters(learning_rate=settings.learning_rate, seed=seed),
            callback=callback,
            n_given=n_given,
            dropped="are not one token of the vocabulary",
            notes=notes,
        )
        return self

    def _check(self) -> tuple[Settings, list[str]]:
        check_option(self.pooling, ("cls", "max", "mean"), name="pooling", caller=_CALLER)
        if self.max_length is not None:
            check_count(self.max_length, name="max_length", caller=_CALLER, low=4)
        notes: list[str] = []
        rate = self.learning_rate
        if rate is None:
            name = Path(os.fspath(self.model)).name.lower() if isinstance(self.model, str | os.PathLike) else ""
            published = defaults.PUBLISHED_LEARNING_RATES.get(name, {}).get(self.pooling)
            rate = defaults.OTHER_LEARNING_RATE if published is None else published
            origin = f"published for {name}" if published else "chosen for a model that none is published for"
            notes.append(f"The learning rate {rate:g} is the one {origin} with the pooling {self.pooling!r}.")
        check_number(rate, name="learning_rate", caller=_CALLER, low=0, high=1, closed="right")
        return self._check_settings(decay=False, eps=1e-8, learning_rate=rate, caller=_CALLER), notes


class _WordTask(Task):
    """Definitions against the words of the vocabulary."""

    def __init__(
        self, body: Body, head: torch.nn.Module, definitions: Definitions, tokens: npt.NDArray[np.int64]
    ) -> None:
        super().__init__(body, head, definitions)
        self.tokens = tokens
        self.arrays = {}
        names = ("entry_isoscore", "entry_average_cosine", "target_isoscore", "target_average_cosine")
        self.facts = {**dict.fromkeys(names), "projected": False}

    def loss(self, rows: npt.NDArray[np.int64], generator: torch.Generator) -> torch.Tensor:
        """Return the mean cross-entropy over the vocabulary."""
        logits = self.vectors(rows)
        return torch.nn.functional.cross_entropy(logits, self._targets(rows).to(logits.device))

    def losses_and_ranks(self, rows: npt.NDArray[np.int64]) -> tuple[torch.Tensor, torch.Tensor]:
        """Look for the words of definitions in the whole vocabulary."""
        logits = self.vectors(rows)
        targets = self._targets(rows).to(logits.device)
        right = logits.gather(1, targets[:, None])
        losses = torch.nn.functional.cross_entropy(logits, targets, reduction="none")
        return losses, (logits >= right).sum(dim=1)  # the right one is among them

    def _targets(self, rows: npt.NDArray[np.int64]) -> torch.Tensor:
        return torch.from_numpy(self.tokens[self.definitions.owners[rows]])
