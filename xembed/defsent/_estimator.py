"""What DefSent and DefSent+ share: checks of their options, the training itself, and saving what it gives."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from xembed._core.files import new_folder
from xembed._core.provenance import provenance
from xembed._core.torch import digest_tensors
from xembed._core.validation import check_count, check_number, shows_progress
from xembed.defsent._result import DefSentResult, TrainingRound, TrainingStep
from xembed.defsent._training import Checkpoints, Task, Trainer
from xembed.encoders._load import quiet
from xembed.encoders._training import Settings, Tensors, check_settings, dropout_of

if TYPE_CHECKING:
    import torch

    from xembed.defsent._body import Body
    from xembed.defsent._definitions import Definitions
    from xembed.encoders import Encoder

_RESULT = "defsent.json"
# Parameters that the outcome does not depend on, or that are described elsewhere.
_NO_PARAMETERS = {"encoder", "model", "checkpoint_dir", "checkpoint_every", "device", "progress", "random_state"}


class DefinitionTrainer(BaseEstimator):
    """Base of `DefSent` and `DefSentPlus`."""

    encoder_: Encoder
    history_: list[TrainingRound]
    result_: DefSentResult

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write the trained encoder as a SentenceTransformer, and ``defsent.json`` with the result, to a new folder.

        `xembed.load_encoder` reads the folder again; for ``pooling='prompt'``, put a `PromptEncoder` around that.

        Raises
        ------
        FileExistsError
            If the folder exists and is not empty.
        FileNotFoundError
            If its parent does not exist.
        sklearn.exceptions.NotFittedError
            If nothing was trained yet.
        """
        check_is_fitted(self, "encoder_")
        with new_folder(folder) as temporary:
            with quiet():
                # Without a model card, for which the hub would be asked.
                self.encoder_.model.save_pretrained(str(temporary), create_model_card=False)
            self.result_.to_json(temporary / _RESULT)

    def _check_settings(self, *, decay: bool, eps: float, learning_rate: float, caller: str) -> Settings:
        """Return the options of the training loop, checked."""
        given: Any = self
        for name in ("eval_every", "patience", "checkpoint_every"):
            if getattr(self, name) is not None:
                check_count(getattr(self, name), name=name, caller=caller)
        check_number(given.validation_fraction, name="validation_fraction", caller=caller, low=0, high=1, closed="left")
        if given.checkpoint_dir is not None and not isinstance(given.checkpoint_dir, str | os.PathLike):
            raise TypeError(
                f"The 'checkpoint_dir' parameter of {caller} must be the path of a folder or None. "
                f"Got {given.checkpoint_dir!r} instead."
            )
        return check_settings(
            caller=caller,
            learning_rate=learning_rate,
            batch_size=given.batch_size,
            epochs=given.epochs,
            warmup=given.warmup,
            weight_decay=given.weight_decay,
            max_grad_norm=given.max_grad_norm,
            decay=decay,
            eps=eps,
            log_every=check_count(given.log_every, name="log_every", caller=caller),
            eval_every=given.eval_every,
            keep_best=given.patience is not None,
            patience=given.patience,
            checkpoint_every=given.checkpoint_every,
        )

    def _parameters(self, **known: Any) -> dict[str, Any]:
        """Return what the outcome depends on, with values that are ``known`` better."""
        given = self.get_params(deep=False).items()
        plain = {name: list(v) if isinstance(v, tuple) else v for name, v in given if name not in _NO_PARAMETERS}
        return plain | known

    def _train(
        self,
        begin: Callable[[int, Tensors | None], Task],
        *,
        method: str,
        body: Body,
        head: torch.nn.Module,
        trained: torch.nn.ModuleDict,
        definitions: Definitions,
        settings: Settings,
        parameters: dict[str, Any],
        callback: Callable[[TrainingStep], object] | None,
        n_given: int,
        dropped: str,
        notes: Sequence[str] = (),
        n_rounds: int = 1,
        restart: bool = False,
        dropout: float | None = None,
    ) -> Task:
        """Train, keep encoder, records and result, and return the last round's task.

        ``dropped`` says why entries of the ``n_given`` were left out.
        """
        given: Any = self
        caller = type(self).__name__
        fingerprint = {
            "method": method,
            "parameters": parameters,
            "dictionary": definitions.digest(),
            "encoder": body.digest(),
            "head": digest_tensors(head.state_dict()),
        }
        trainer = Trainer(
            trained=trained,
            settings=settings,
            begin=begin,
            n_rounds=n_rounds,
            restart=restart,
            seed=parameters["seed"],
            device=body.device,
            checkpoints=Checkpoints(given.checkpoint_dir, fingerprint, caller=caller),
            callback=callback,
            show_progress=shows_progress(given.progress, caller=caller),
        )
        described = body.source.describe()
        n_truncated = body.count_truncated(definitions.texts)
        with dropout_of(body.transformer, dropout):
            self.history_, task = trainer.run()
        self.encoder_ = body.to_encoder("DefSent" if method == "defsent" else "DefSent+")
        n_dropped = n_given - len(definitions.entries)
        notes = list(notes)
        if n_dropped:
            notes.append(f"{n_dropped} of {n_given} entries {dropped} and were left out.")
        if n_truncated:
            notes.append(f"{n_truncated} of {len(definitions.texts)} definitions are longer than was read of them.")
        if not definitions.held_out.any():
            notes.append("No entries were held out, so nothing is known about new ones.")
        self.result_ = DefSentResult(
            method=method,
            n_entries=len(definitions.entries),
            n_definitions=len(definitions.texts),
            n_dropped=n_dropped,
            n_validation=int(definitions.held_out.sum()),
            n_truncated=n_truncated,
            learning_rate=float(settings.learning_rate),
            pooling=body.pooling_name,
            template=body.template,
            rounds=tuple(self.history_),
            encoder=described,
            trained_encoder=self.encoder_.describe(),
            notes=tuple(notes),
            seconds=sum(record.seconds for record in self.history_),
            provenance=provenance(caller, **parameters),
        )
        return task
