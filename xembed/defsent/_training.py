"""The training loop of DefSent and DefSent+: rounds, validation, checkpoints, and randomness of its own."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch

from xembed._core.torch import global_generators, own_randomness
from xembed.defsent._checkpoints import Checkpoints
from xembed.defsent._result import TrainingRound

Tensors = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Settings:
    """How the optimiser goes about it; what is trained is a `Task`."""

    learning_rate: float
    batch_size: int
    epochs: int
    warmup: float
    decay: bool
    weight_decay: float
    max_grad_norm: float | None
    eps: float
    log_every: int
    eval_every: int | None
    patience: int | None
    checkpoint_every: int | None


@dataclass(frozen=True)
class TrainingStep:
    """What a callback is told after each step of the optimiser.

    Attributes
    ----------
    round, step, n_steps : int
        Steps are counted from 1 in each round; ``n_steps`` is how many the round has if it is not stopped early.
    loss : float
        Of the step's batch.
    learning_rate : float
        Of the step.
    """

    round: int
    step: int
    n_steps: int
    loss: float
    learning_rate: float


class Evaluation(NamedTuple):
    """What held-out definitions say: mean loss, share of first ranks, mean reciprocal rank."""

    loss: float
    top1: float
    mrr: float


class Task(Protocol):
    """One round's data and loss."""

    n_pairs: int
    arrays: Tensors  # what it was made of and can't be made again in the middle of the round
    facts: Mapping[str, Any]  # fields of the round's record

    def loss(self, rows: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Return the mean loss of the pairs ``rows``; random choices come from ``generator``."""

    def validate(self) -> Evaluation | None:
        """Look at the held-out definitions, if there are any."""


@dataclass
class _Log:
    """What a round has seen so far, as plain data for the checkpoint."""

    step: int = 0
    losses: list[tuple[int, float]] = field(default_factory=list)
    unlogged: float = 0.0
    n_unlogged: int = 0
    validations: list[tuple[int, float, float, float]] = field(default_factory=list)
    best_step: int | None = None
    best_loss: float | None = None
    n_worse: int = 0
    stopped_early: bool = False
    seconds: float = 0.0

    def note(self) -> None:
        """Put the mean of the losses since the last one on record."""
        self.losses.append((self.step, self.unlogged / self.n_unlogged))
        self.unlogged, self.n_unlogged = 0.0, 0


class _Save(Protocol):
    def __call__(self, tag: str, log: dict[str, Any] | None, tensors: Tensors) -> None: ...


@contextlib.contextmanager
def dropout_of(module: torch.nn.Module, probability: float | None) -> Iterator[None]:
    """Give all dropout layers this probability inside the context; None leaves them as they are."""
    layers = [] if probability is None else [part for part in module.modules() if isinstance(part, torch.nn.Dropout)]
    own = [layer.p for layer in layers]
    try:
        for layer in layers:
            layer.p = float(probability or 0.0)
        yield
    finally:
        for layer, p in zip(layers, own, strict=True):
            layer.p = p


def weights(trained: torch.nn.Module) -> Tensors:
    """Return the parameters and lasting buffers by name, each once however often it is used."""
    kept = trained.state_dict().keys()
    buffers = {name: buffer for name, buffer in trained.named_buffers() if name in kept}
    return {**{name: parameter.data for name, parameter in trained.named_parameters()}, **buffers}


def load_weights(trained: torch.nn.Module, saved: Mapping[str, torch.Tensor]) -> None:
    """Write saved weights into a module."""
    with torch.no_grad():
        for name, tensor in weights(trained).items():
            tensor.copy_(saved[name])


class _RoundState:
    """All that a round changes: with it and the task, the round can go on in another process."""

    def __init__(self, trained: torch.nn.Module, settings: Settings, device: str, seed: int, log: _Log) -> None:
        self.log = log
        self.parameters = {name: p for name, p in trained.named_parameters() if p.requires_grad}
        self.optimizer = torch.optim.AdamW(
            self.parameters.values(),
            lr=settings.learning_rate,
            eps=settings.eps,
            weight_decay=settings.weight_decay,
        )
        self.generator = torch.Generator().manual_seed(seed)
        self.order = torch.empty(0, dtype=torch.int64)  # of the pairs in this epoch
        self.best: Tensors = {}
        self._trained = trained
        self._sources = [self.generator, *global_generators(device)]

    def tensors(self) -> Tensors:
        """Return the tensors of a checkpoint."""
        adam = {
            f"{name}/{key}": tensor
            for name, parameter in self.parameters.items()
            for key, tensor in self.optimizer.state.get(parameter, {}).items()
        }
        return {
            **_prefixed(weights(self._trained), "weights"),
            **_prefixed(self.best, "best"),
            **_prefixed(adam, "adam"),
            **{f"random/{i}": source.get_state() for i, source in enumerate(self._sources)},
            "order": self.order,
        }

    def restore(self, saved: Tensors) -> None:
        """Take over the tensors of a checkpoint; the weights are in place already."""
        self.order, self.best = saved["order"], _part(saved, "best")
        for path, tensor in _part(saved, "adam").items():
            name, key = path.rsplit("/", 1)
            parameter = self.parameters[name]
            self.optimizer.state[parameter][key] = tensor if key == "step" else tensor.to(parameter.device)
        for i, source in enumerate(self._sources):
            source.set_state(saved[f"random/{i}"])

    def end(self) -> None:
        """Keep the best weights if they were watched for, and free the gradients."""
        self.optimizer.zero_grad(set_to_none=True)
        if self.best:
            load_weights(self._trained, self.best)
        self._trained.eval()


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
        original = _copy(weights(self.trained)) if self.restart and self.n_rounds > 1 else None
        saved = self.checkpoints.load()
        records: list[TrainingRound] = []
        first = 1
        log: _Log | None = None
        tensors: Tensors = {}
        arrays: Tensors | None = None
        if saved is not None:
            state, tensors, arrays = saved
            records = [TrainingRound.from_dict(record) for record in state["records"]]
            first, log = state["round"], None if state["log"] is None else _Log(**state["log"])
            load_weights(self.trained, _part(tensors, "weights"))
        task: Task | None = None
        if log is None and saved is not None:  # the round was complete
            task = self.begin(first, arrays) if first == self.n_rounds else None
            first, tensors = first + 1, {}
        for number in range(first, self.n_rounds + 1):
            started = time.perf_counter()
            task = self.begin(number, arrays if log is not None else None)
            kept = self.checkpoints.save_arrays(number, task.arrays)
            if original is not None and log is None and number > 1:
                load_weights(self.trained, original)
            log = log or _Log()
            log.seconds += time.perf_counter() - started

            def save(
                tag: str, log: dict[str, Any] | None, tensors: Tensors, number: int = number, kept: str | None = kept
            ) -> None:
                state = {"round": number, "log": log, "records": [record.to_dict() for record in records]}
                self.checkpoints.save(tag, state, tensors, kept)

            self._train_round(number, task, log, tensors, save)
            records.append(_record(number, log, task.facts))
            save(f"{number}-end", None, _prefixed(weights(self.trained), "weights"))
            log, tensors = None, {}
        if task is None:
            raise RuntimeError("There was no round to train.")
        return records, task

    def _train_round(self, number: int, task: Task, log: _Log, saved: Tensors, save: _Save) -> None:
        options = self.settings
        shuffle_seed, dropout_seed = (
            int(word) for word in np.random.SeedSequence([self.seed, number]).generate_state(2)
        )
        state = _RoundState(self.trained, options, self.device, shuffle_seed, log)
        per_epoch = math.ceil(task.n_pairs / options.batch_size)
        n_steps = per_epoch * options.epochs
        started = time.perf_counter()
        with own_randomness(self.device, dropout_seed), self._bar(number, n_steps, log.step) as advance:
            if saved:
                state.restore(saved)
            elif not log.validations:
                self._validate(task, state)
            while log.step < n_steps and not log.stopped_early:
                self.trained.train()
                if log.step % per_epoch == 0:
                    state.order = torch.randperm(task.n_pairs, generator=state.generator)
                start = log.step % per_epoch * options.batch_size
                rate = _rate(log.step, n_steps, options)
                loss = self._step(task, state, state.order[start : start + options.batch_size], rate)
                ended = log.step == n_steps
                if ended or log.step % options.log_every == 0:
                    log.note()
                if ended or log.step % (options.eval_every or per_epoch) == 0:
                    self._validate(task, state)
                if options.checkpoint_every and log.step % options.checkpoint_every == 0 and not ended:
                    log.seconds += time.perf_counter() - started
                    started = time.perf_counter()
                    save(f"{number}-{log.step}", dataclasses.asdict(log), state.tensors())
                advance(1, loss)
                if self.callback is not None:
                    self.callback(TrainingStep(number, log.step, n_steps, loss, rate))
        state.end()
        log.seconds += time.perf_counter() - started

    def _step(self, task: Task, state: _RoundState, rows: torch.Tensor, rate: float) -> float:
        for group in state.optimizer.param_groups:
            group["lr"] = rate
        state.optimizer.zero_grad(set_to_none=True)
        loss = task.loss(rows, state.generator)
        value, norm = float(loss.detach()), 0.0
        if math.isfinite(value):
            loss.backward()  # type: ignore[no-untyped-call]
            limit = math.inf if self.settings.max_grad_norm is None else self.settings.max_grad_norm
            norm = float(torch.nn.utils.clip_grad_norm_(state.parameters.values(), limit))
        if not (math.isfinite(value) and math.isfinite(norm)):
            what = "gradient" if math.isfinite(value) else "loss"
            raise RuntimeError(
                f"The {what} is not finite at step {state.log.step + 1}, with a learning rate of {rate:.3g} (its "
                f"maximum is {self.settings.learning_rate:.3g}). Take a smaller 'learning_rate', or a smaller scale of "
                "the entries."
            )
        state.optimizer.step()
        state.log.step += 1
        state.log.unlogged += value
        state.log.n_unlogged += 1
        return value

    def _validate(self, task: Task, state: _RoundState) -> None:
        self.trained.eval()
        with torch.no_grad():
            found = task.validate()
        log, patience = state.log, self.settings.patience
        if found is None:
            return
        if not math.isfinite(found.loss):
            raise RuntimeError(
                f"The validation loss is not finite after step {log.step}, with a learning rate of at most "
                f"{self.settings.learning_rate:.3g}. Take a smaller 'learning_rate', or a smaller scale of the entries."
            )
        log.validations.append((log.step, *found))
        if patience is None:
            return
        if log.best_loss is None or found.loss < log.best_loss:
            log.best_loss, log.best_step, log.n_worse = found.loss, log.step, 0
            state.best = _copy(weights(self.trained))
        else:
            log.n_worse += 1
            log.stopped_early = log.n_worse >= patience

    @contextlib.contextmanager
    def _bar(self, number: int, n_steps: int, done: int) -> Iterator[Callable[[int, float], object]]:
        name = f"Round {number} of {self.n_rounds}" if self.n_rounds > 1 else "Training"
        with progress_bar(self.show_progress, name, "step", n_steps, done) as bar:

            def advance(n_steps: int, loss: float) -> None:
                bar.set_postfix_str(f"loss {loss:.3f}", refresh=False)
                bar.update(n_steps)

            yield advance


@contextlib.contextmanager
def progress_bar(show: bool, name: str, unit: str, total: int, done: int = 0) -> Iterator[Any]:
    """Show a bar on stderr, or none."""
    import sys

    from tqdm import tqdm

    with tqdm(total=total, initial=done, desc=name, unit=unit, file=sys.stderr, disable=not show) as bar:
        yield bar


def _rate(step: int, n_steps: int, settings: Settings) -> float:
    """Return the learning rate of the step after ``step`` others: linear warm-up, then linear to 0 or constant."""
    n_warmup = math.ceil(settings.warmup * n_steps)
    if step < n_warmup:
        return settings.learning_rate * (step + 1) / n_warmup
    return settings.learning_rate * ((n_steps - step) / (n_steps - n_warmup) if settings.decay else 1.0)


def _record(number: int, log: _Log, facts: Mapping[str, Any]) -> TrainingRound:
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


def _copy(tensors: Mapping[str, torch.Tensor]) -> Tensors:
    return {name: tensor.detach().to("cpu", copy=True) for name, tensor in tensors.items()}


def _prefixed(tensors: Mapping[str, torch.Tensor], prefix: str) -> Tensors:
    return {f"{prefix}/{name}": tensor for name, tensor in tensors.items()}


def _part(tensors: Mapping[str, torch.Tensor], prefix: str) -> Tensors:
    return {
        name.removeprefix(f"{prefix}/"): tensor for name, tensor in tensors.items() if name.startswith(f"{prefix}/")
    }
