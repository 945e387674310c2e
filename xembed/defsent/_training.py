"""What DefSent and DefSent+ share: checks of options, rounds of tasks, records, and checkpoints without pickle.

``defsent-state.json`` names the files that belong to it. It is replaced only when they are complete, and what it no
longer names is deleted after that. So whenever a process is killed, the folder holds one whole checkpoint, the old or
the new.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from xembed._core.fields import Count, read_fields, read_json
from xembed._core.files import atomic_write, new_folder, temporary_folder
from xembed._core.provenance import dump_json, provenance
from xembed._core.torch import digest_tensors
from xembed._core.validation import check_count, check_number, shows_progress
from xembed.defsent._result import DefSentResult, TrainingRound, TrainingStep
from xembed.encoders._load import quiet
from xembed.encoders._training import (
    Log,
    Settings,
    Tensors,
    TrainingLoop,
    check_settings,
    copy_into,
    copy_of,
    dropout_of,
    part,
    prefixed,
    weights,
)  # fmt: skip

if TYPE_CHECKING:
    import torch

    from xembed.defsent._body import Body
    from xembed.defsent._definitions import Definitions
    from xembed.encoders import Encoder

EMBED_AT_ONCE = 64
_FORMAT = "xembed.defsent_checkpoint/1"
_STATE = "defsent-state.json"
_RESULT = "defsent.json"
# Parameters that the outcome does not depend on, or that are described elsewhere.
_NO_PARAMETERS = {"encoder", "model", "checkpoint_dir", "checkpoint_every", "device", "progress", "random_state"}


class Evaluation(NamedTuple):
    """Mean loss of held-out definitions, share of first ranks, and mean reciprocal rank."""

    loss: float
    top1: float
    mrr: float


class Task:
    """One round: definitions, pooled and put through a head, against what they define.

    ``arrays`` is what it was made of and can't be made again in the middle of the round; ``facts`` are fields of the
    round's record.
    """

    arrays: Tensors
    facts: dict[str, Any]

    def __init__(self, body: Body, head: torch.nn.Module, definitions: Definitions) -> None:
        self.body, self.head, self.definitions = body, head, definitions
        self.train_rows = definitions.rows(held_out=False)
        self.held_out_rows = definitions.rows(held_out=True)

    def loss(self, rows: npt.NDArray[np.int64], generator: torch.Generator) -> torch.Tensor:
        """Return the mean loss of definitions; random choices come from ``generator``."""
        raise NotImplementedError

    def losses_and_ranks(self, rows: npt.NDArray[np.int64]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the loss of each definition, and the rank of what it defines, from 1; ties count against it."""
        raise NotImplementedError

    def vectors(self, rows: npt.NDArray[np.int64]) -> torch.Tensor:
        """Return what the head makes of definitions."""
        vectors: torch.Tensor = self.head(self.body.pool([self.definitions.texts[i] for i in rows]))
        return vectors

    def validate(self) -> Evaluation | None:
        """Evaluate the held-out definitions, if there are any."""
        if not len(self.held_out_rows):
            return None
        starts = range(0, len(self.held_out_rows), EMBED_AT_ONCE)
        batches = [self.losses_and_ranks(self.held_out_rows[start : start + EMBED_AT_ONCE]) for start in starts]
        losses = np.concatenate([losses.double().cpu().numpy() for losses, _ in batches])
        ranks = np.concatenate([ranks.cpu().numpy() for _, ranks in batches])
        return Evaluation(float(losses.mean()), float(np.mean(ranks == 1)), float(np.mean(1 / ranks)))


class _Round(TrainingLoop):
    """The loop of one round."""

    remedy = ", or a smaller scale of the entries"

    def __init__(self, number: int, task: Task, trainer: Trainer, seed: int, log: Log) -> None:
        self.number, self.task, self.callback = number, task, trainer.callback
        self.checkpoints = trainer.checkpoints
        super().__init__(
            trainer.trained,
            trainer.settings,
            n_rows=len(task.train_rows),
            device=trainer.device,
            seed=seed,
            log=log,
            show_progress=trainer.show_progress,
        )
        if trainer.n_rounds > 1:
            self.name = f"Round {number} of {trainer.n_rounds}"

    def restore(self, saved: Tensors) -> None:
        with self.checkpoints.reading():
            super().restore(saved)

    def loss(self, rows: torch.Tensor) -> torch.Tensor:
        return self.task.loss(self.task.train_rows[rows.numpy()], self.generator)

    def validate(self) -> Evaluation | None:
        return self.task.validate()

    def after_step(self, rows: torch.Tensor, loss: float, rate: float) -> None:
        if self.callback is not None:
            self.callback(TrainingStep(self.number, self.log.step, self.n_steps, loss, rate))


@dataclass
class Trainer:
    """Trains ``trained`` for one or more rounds.

    ``begin(round, arrays)`` makes the round's task; ``arrays`` are those of its task if the round was interrupted,
    otherwise None.
    """

    trained: torch.nn.Module
    settings: Settings
    begin: Callable[[int, Tensors | None], Task]
    n_rounds: int
    restart: bool
    seed: int
    device: str
    checkpoints: Checkpoints
    callback: Callable[[TrainingStep], object] | None
    show_progress: bool

    def run(self) -> tuple[list[TrainingRound], Task]:
        """Train, from the last checkpoint on if there is one; return the records and the last round's task."""
        original = copy_of(weights(self.trained)) if self.restart and self.n_rounds > 1 else None
        saved = self.checkpoints.load()
        records: list[TrainingRound] = []
        first = 1
        log: Log | None = None
        tensors: Tensors = {}
        arrays: Tensors | None = None
        if saved is not None:
            state, tensors, arrays = saved
            records, first, log = list(state.records), state.round, state.log
            with self.checkpoints.reading():
                copy_into(weights(self.trained), part(tensors, "weights"))
        task: Task | None = None
        if log is None and saved is not None:  # the round was complete
            task = self.begin(first, arrays) if first == self.n_rounds else None
            first, tensors = first + 1, {}
        for number in range(first, self.n_rounds + 1):
            started = time.perf_counter()
            task = self.begin(number, arrays if log is not None else None)
            kept = self.checkpoints.save_arrays(number, task.arrays)
            if original is not None and log is None and number > 1:
                copy_into(weights(self.trained), original)
            log = log or Log()
            log.seconds += time.perf_counter() - started

            def save(log: dict[str, Any], tensors: Tensors, number: int = number, kept: str | None = kept) -> None:
                self.checkpoints.save(f"{number}-{log['step']}", _state(number, log, records), tensors, kept)

            shuffle_seed, dropout_seed = map(int, np.random.SeedSequence([self.seed, number]).generate_state(2))
            _Round(number, task, self, shuffle_seed, log).run(dropout_seed, saved=tensors, save=save)
            records.append(_record(number, log, task.facts))
            end = prefixed(weights(self.trained), "weights")
            self.checkpoints.save(f"{number}-end", _state(number, None, records), end, kept)
            log, tensors = None, {}
        if task is None:
            raise RuntimeError("There was no round to train.")
        return records, task


def _state(number: int, log: dict[str, Any] | None, records: list[TrainingRound]) -> dict[str, Any]:
    return {"round": number, "log": log, "records": [record.to_dict() for record in records]}


def _record(number: int, log: Log, facts: Mapping[str, Any]) -> TrainingRound:
    validations = np.array(log.validations, dtype=np.float64).reshape(-1, 4)
    return TrainingRound(
        round=number,
        n_steps=log.step,
        steps=np.array([step for step, _ in log.losses], dtype=np.int64),
        losses=np.array([loss for _, loss in log.losses], dtype=np.float64),
        validation_steps=validations[:, 0].astype(np.int64),
        validation_losses=validations[:, 1],
        validation_top1=validations[:, 2],
        validation_mrr=validations[:, 3],
        best_step=log.best_step,
        stopped_early=log.stopped_early,
        seconds=log.seconds,
        **facts,
    )


# ---- estimators


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
        plain = {name: np.asarray(v).tolist() if isinstance(v, tuple | np.generic) else v for name, v in given}
        return {name: value for name, value in plain.items() if name not in _NO_PARAMETERS} | known

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
        n_truncated, unread = body.count_read(definitions.texts)
        with dropout_of(body.transformer, dropout):
            self.history_, task = trainer.run()
        self.encoder_ = body.to_encoder("DefSent" if method == "defsent" else "DefSent+")
        n_dropped = n_given - len(definitions.entries)
        notes = list(notes)
        if n_dropped:
            notes.append(f"{n_dropped} of {n_given} entries {dropped} and were left out.")
        if n_truncated:
            notes.append(f"{n_truncated} of {len(definitions.texts)} definitions are longer than was read of them.")
        notes += unread
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


# ---- checkpoints


@dataclass(frozen=True)
class State:
    """What a checkpoint says of a training: the round, what it has seen so far, and the rounds before."""

    round: Count
    log: Log | None
    records: tuple[TrainingRound, ...]


class Checkpoints:
    """The checkpoint in a folder, or none if ``folder`` is None; one of another ``fingerprint`` is refused."""

    def __init__(self, folder: str | os.PathLike[str] | None, fingerprint: Mapping[str, Any], *, caller: str) -> None:
        self._folder = None if folder is None else Path(folder)
        self._fingerprint = json.loads(json.dumps(fingerprint))
        self._caller = caller
        if self._folder is None:
            return
        if self._folder.exists() and not self._folder.is_dir():
            raise NotADirectoryError(
                f"The 'checkpoint_dir' parameter of {caller} must be a folder. Got the file {str(folder)!r} instead."
            )
        if not self._folder.parent.is_dir():
            raise FileNotFoundError(
                f"The 'checkpoint_dir' {str(folder)!r} of {caller} can't be made: the folder "
                f"{str(self._folder.parent)!r} does not exist. Create it first."
            )
        self._folder.mkdir(exist_ok=True)

    def load(self) -> tuple[State, dict[str, torch.Tensor], dict[str, torch.Tensor]] | None:
        """Return state, tensors and the round's own arrays of the last checkpoint, or None if there is none."""
        if self._folder is None or not (self._folder / _STATE).is_file():
            return None
        path = self._folder / _STATE
        try:
            content = read_json(path, self._caller)[0]
            if content["format"] != _FORMAT:
                raise ValueError(f"its format is {content['format']!r}, not {_FORMAT!r}")
            fingerprint = content["fingerprint"]
            state: State = read_fields(State, content["state"])
            names = (content["tensors"], content["arrays"])
            if not all(name is None or isinstance(name, str) for name in names):
                raise ValueError("it does not name its files")
        except (ValueError, KeyError, TypeError) as error:
            raise self._unreadable(path, error) from error
        self._compare(fingerprint)
        return state, self._read(names[0]), self._read(names[1])

    def save_arrays(self, number: int, arrays: Mapping[str, torch.Tensor]) -> str | None:
        """Write what round ``number`` needs all the time, and return the file's name."""
        if self._folder is None or not arrays:
            return None
        name = f"defsent-round-{number}.safetensors"
        self._write(name, arrays)
        return name

    def save(self, tag: str, state: Mapping[str, Any], tensors: Mapping[str, torch.Tensor], arrays: str | None) -> None:
        """Write a checkpoint; ``tag`` tells its file from the one before."""
        if self._folder is None:
            return
        name = f"defsent-weights-{tag}.safetensors"
        self._write(name, tensors)
        content = {
            "format": _FORMAT,
            "fingerprint": self._fingerprint,
            "state": dict(state),
            "tensors": name,
            "arrays": arrays,
        }
        with atomic_write(self._folder / _STATE) as file:
            file.write(dump_json(content).encode("utf-8"))
        for pattern in ("defsent-weights-*.safetensors*", "defsent-round-*.safetensors*"):
            for path in self._folder.glob(pattern):
                if path.name not in (name, arrays):
                    path.unlink(missing_ok=True)

    def _write(self, name: str, tensors: Mapping[str, torch.Tensor]) -> None:
        from safetensors.torch import save_file

        folder = self._folder or Path()
        with temporary_folder(folder) as temporary:  # safetensors puts temporary files of its own beside the file
            # A copy of each, because safetensors refuses tensors that share memory.
            copies = {key: tensor.detach().cpu().clone().contiguous() for key, tensor in tensors.items()}
            save_file(copies, temporary / name)
            (temporary / name).replace(folder / name)

    def _read(self, name: str | None) -> dict[str, torch.Tensor]:
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        if name is None:
            return {}
        path = (self._folder or Path()) / Path(name).name
        try:
            return load_file(path)
        except (OSError, SafetensorError) as error:
            raise self._unreadable(path, error) from error

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """Say what is wrong if tensors do not fit to what is trained."""
        try:
            yield
        except (LookupError, TypeError, ValueError, RuntimeError) as error:
            raise self._unreadable(self._folder or Path(), error) from error

    def _unreadable(self, path: Path, error: Exception) -> ValueError:
        return ValueError(
            f"The checkpoint {str(path)!r} of {self._caller} can't be read ({type(error).__name__}: {error}). It is "
            "damaged or of another program: give another 'checkpoint_dir', or delete the folder to start anew."
        )

    def _compare(self, other: Any) -> None:
        before, now = _flatten(other), _flatten(self._fingerprint)
        missing = object()
        differs = [key for key in sorted({*before, *now}) if before.get(key, missing) != now.get(key, missing)]
        if differs:
            differences = ", ".join(
                f"{key} ({_show(before.get(key))} there, {_show(now.get(key))} here)" for key in differs
            )
            raise ValueError(
                f"The 'checkpoint_dir' of {self._caller} holds another training: it differs in {differences}. Give the "
                f"same, another folder, or delete {str(self._folder)!r} to start anew."
            )


def _flatten(content: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(content, dict):
        return {prefix: content}
    flat: dict[str, Any] = {}
    for key, value in content.items():
        flat |= _flatten(value, f"{prefix}.{key}" if prefix else str(key))
    return flat


def _show(value: Any) -> str:
    with contextlib.suppress(ValueError, TypeError):
        if len(value) == 64 and int(value, 16) >= 0:  # a hash
            return f"{value[:8]}..."
    return repr(value)
