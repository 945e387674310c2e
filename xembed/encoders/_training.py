"""Training by AdamW, validated, that goes on from a checkpoint to the same bits; subclasses say what the loss is."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from xembed._core.torch import global_generators, own_randomness
from xembed._core.validation import check_count, check_number

Tensors = dict[str, torch.Tensor]
# Called with the loop's log as plain data and its tensors.
Save = Callable[[dict[str, Any], Tensors], None]


@dataclass(frozen=True)
class Settings:
    """How AdamW proceeds. ``*_every`` count steps; ``warmup`` is the share of them in which the learning rate rises."""

    learning_rate: float  # after the warm-up
    batch_size: int
    epochs: int
    warmup: float
    weight_decay: float
    max_grad_norm: float | None
    decay: bool = True  # of the learning rate, linearly to 0
    eps: float = 1e-8
    log_every: int | None = None
    eval_every: int | None = None  # None: an epoch
    keep_best: bool = False
    patience: int | None = None  # validations without a lower loss
    checkpoint_every: int | None = None
    fused: bool | None = None


def check_settings(*, caller: str, max_grad_norm: float | None, **options: Any) -> Settings:
    """Return settings whose common options are checked; others are taken as they are."""
    if max_grad_norm is not None:
        max_grad_norm = check_number(max_grad_norm, name="max_grad_norm", caller=caller, low=0, closed="neither")
    for name, closed in (("learning_rate", "right"), ("warmup", "left"), ("weight_decay", "left")):
        options[name] = check_number(options[name], name=name, caller=caller, low=0, high=1, closed=closed)
    for name in ("batch_size", "epochs"):
        options[name] = check_count(options[name], name=name, caller=caller)
    return Settings(max_grad_norm=max_grad_norm, **options)


@dataclass
class Log:
    """What a loop has seen so far, as plain data for a checkpoint; ``validations`` are (step, loss, other numbers)."""

    step: int = 0
    losses: list[tuple[int, float]] = field(default_factory=list)
    unlogged: float = 0.0
    n_unlogged: int = 0
    validations: list[tuple[float, ...]] = field(default_factory=list)
    best_step: int | None = None
    best_loss: float | None = None
    n_worse: int = 0
    stopped_early: bool = False
    seconds: float = 0.0

    def note(self) -> None:
        """Put the mean of the losses since the last one on record."""
        self.losses.append((self.step, self.unlogged / self.n_unlogged))
        self.unlogged, self.n_unlogged = 0.0, 0


class TrainingLoop:
    """One training by AdamW of the parameters that require gradients; subclasses define `loss` and `validate`."""

    name = "Training"
    where = ""  # what a message adds about the training
    remedy = ""  # what a message adds to a smaller learning rate
    validates_first = True  # before the first step

    def __init__(
        self,
        trained: torch.nn.Module,
        settings: Settings,
        *,
        n_rows: int,
        device: str,
        seed: int,
        log: Log | None = None,
        show_progress: bool = False,
    ) -> None:
        self.trained, self.settings, self.n_rows, self.device = trained, settings, n_rows, device
        self.show_progress = show_progress
        self.log = Log() if log is None else log
        self.per_epoch = math.ceil(n_rows / settings.batch_size)
        self.n_steps = self.per_epoch * settings.epochs
        self.parameters = {name: p for name, p in trained.named_parameters() if p.requires_grad}
        options: Any = {"lr": settings.learning_rate, "eps": settings.eps, "fused": settings.fused}
        self.optimizer = torch.optim.AdamW(self.parameters.values(), weight_decay=settings.weight_decay, **options)
        self.generator = torch.Generator().manual_seed(seed)
        self._sources = [self.generator, *global_generators(device)]
        self._batches: list[torch.Tensor] = []  # of this epoch
        self._best: Tensors = {}
        self._in_training_mode = False

    # ---- what is trained

    def loss(self, rows: torch.Tensor) -> torch.Tensor:
        """Return the mean loss of some rows; random choices come from ``self.generator``."""
        raise NotImplementedError

    def validate(self) -> tuple[float, ...] | None:
        """Return the loss of the rows held out, and other numbers to keep; None if there are none."""
        raise NotImplementedError

    def draw_batches(self) -> list[torch.Tensor]:
        """Return the rows of an epoch in batches."""
        order = torch.randperm(self.n_rows, generator=self.generator)
        return list(torch.split(order, self.settings.batch_size))

    def train_mode(self) -> None:
        """Turn on what is different in training."""
        self.trained.train()

    def kept(self) -> Tensors:
        """Return the tensors that the best weights are made of."""
        return weights(self.trained)

    def after_step(self, rows: torch.Tensor, loss: float, rate: float) -> None:
        """Take note of a step."""

    # ---- training

    def run(self, seed: int, *, saved: Tensors | None = None, save: Save | None = None) -> None:
        """Train to the end, from a checkpoint on if its tensors are given; ``seed`` is that of dropout."""
        log, options = self.log, self.settings
        started = time.perf_counter()
        progress = progress_bar(self.show_progress, self.name, "step", self.n_steps, log.step)
        with own_randomness(self.device, seed), progress as bar:
            if saved:
                self.restore(saved)
            elif self.validates_first and not log.validations:
                self._validate()
            while log.step < self.n_steps and not log.stopped_early:
                if log.step % self.per_epoch == 0:
                    self._batches = self.draw_batches()
                if not self._in_training_mode:
                    self.train_mode()
                    self._in_training_mode = True
                rows = self._batches[log.step % self.per_epoch]
                rate = learning_rate_at(log.step, self.n_steps, options)
                loss = self._step(rows, rate)
                ended = log.step == self.n_steps
                if options.log_every and (ended or log.step % options.log_every == 0):
                    log.note()
                if ended or log.step % (options.eval_every or self.per_epoch) == 0:
                    self._validate()
                if save and options.checkpoint_every and log.step % options.checkpoint_every == 0 and not ended:
                    log.seconds += time.perf_counter() - started
                    started = time.perf_counter()
                    save(dataclasses.asdict(log), self.tensors())
                bar.set_postfix_str(f"loss {loss:.3f}", refresh=False)
                bar.update()
                self.after_step(rows, loss, rate)
        self.optimizer.zero_grad(set_to_none=True)
        if self._best:
            copy_into(self.kept(), self._best)
        self.trained.eval()
        log.seconds += time.perf_counter() - started

    def _step(self, rows: torch.Tensor, rate: float) -> float:
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.loss(rows)
        value, norm = float(loss.detach()), 0.0
        if math.isfinite(value):
            loss.backward()  # type: ignore[no-untyped-call]
            limit = math.inf if self.settings.max_grad_norm is None else self.settings.max_grad_norm
            norm = float(torch.nn.utils.clip_grad_norm_(self.parameters.values(), limit))
        if not (math.isfinite(value) and math.isfinite(norm)):
            what = "gradient" if math.isfinite(value) else "loss"
            raise RuntimeError(
                f"The {what} is not finite at step {self.log.step + 1}{self.where}, with a learning rate of "
                f"{rate:.3g} (its maximum is {self.settings.learning_rate:.3g}). Take a smaller 'learning_rate'"
                f"{self.remedy}."
            )
        self.optimizer.step()
        self.log.step += 1
        self.log.unlogged += value
        self.log.n_unlogged += 1
        return value

    def _validate(self) -> None:
        self.trained.eval()
        self._in_training_mode = False
        with torch.no_grad():
            numbers = self.validate()
        if numbers is None:
            return
        log, loss = self.log, numbers[0]
        if not math.isfinite(loss):
            raise RuntimeError(
                f"The validation loss is not finite after step {log.step}{self.where}, with a learning rate of at most "
                f"{self.settings.learning_rate:.3g}. Take a smaller 'learning_rate'{self.remedy}."
            )
        log.validations.append((log.step, *numbers))
        if not self.settings.keep_best:
            return
        if log.best_loss is None or loss < log.best_loss:
            log.best_loss, log.best_step, log.n_worse = loss, log.step, 0
            self._best = copy_of(self.kept())
        else:
            log.n_worse += 1
            log.stopped_early = self.settings.patience is not None and log.n_worse >= self.settings.patience

    # ---- checkpoints

    def tensors(self) -> Tensors:
        """Return all tensors that the loop needs to go on; batches are of equal size, but for the last."""
        adam = {
            f"{name}/{key}": tensor
            for name, parameter in self.parameters.items()
            for key, tensor in self.optimizer.state.get(parameter, {}).items()
        }
        return {
            **prefixed(weights(self.trained), "weights"),
            **prefixed(self._best, "best"),
            **prefixed(adam, "adam"),
            **{f"random/{i}": source.get_state() for i, source in enumerate(self._sources)},
            "order": torch.cat(self._batches),
        }

    def restore(self, saved: Tensors) -> None:
        """Take over the tensors of a checkpoint; the weights are in place already."""
        self._batches = list(torch.split(saved["order"], self.settings.batch_size))
        self._best = part(saved, "best")
        for path, tensor in part(saved, "adam").items():
            name, key = path.rsplit("/", 1)
            parameter = self.parameters[name]
            self.optimizer.state[parameter][key] = tensor if key == "step" else tensor.to(parameter.device)
        for i, source in enumerate(self._sources):
            source.set_state(saved[f"random/{i}"])


def learning_rate_at(step: int, n_steps: int, settings: Settings) -> float:
    """Return the learning rate after ``step`` steps: a linear rise, then constant or a linear fall to 0."""
    n_warmup = math.ceil(settings.warmup * n_steps)
    if step < n_warmup:
        return settings.learning_rate * (step + 1) / n_warmup
    return (
        settings.learning_rate * (n_steps - step) / (n_steps - n_warmup) if settings.decay else settings.learning_rate
    )


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


def progress_bar(show: bool, name: str, unit: str, total: int, done: int = 0) -> Any:
    """Return a bar on stderr, a hidden one unless ``show``."""
    from tqdm import tqdm

    return tqdm(total=total, initial=done, desc=name, unit=unit, file=sys.stderr, disable=not show)


# ---- weights by name


def weights(trained: torch.nn.Module) -> Tensors:
    """Return the parameters and lasting buffers by name, each once however often it is used."""
    kept = trained.state_dict().keys()
    buffers = {name: buffer for name, buffer in trained.named_buffers() if name in kept}
    return {**{name: parameter.data for name, parameter in trained.named_parameters()}, **buffers}


def copy_of(tensors: Mapping[str, torch.Tensor]) -> Tensors:
    """Return copies on the CPU."""
    return {name: tensor.detach().to("cpu", copy=True) for name, tensor in tensors.items()}


def copy_into(tensors: Mapping[str, torch.Tensor], saved: Mapping[str, torch.Tensor]) -> None:
    """Write saved values into tensors."""
    with torch.no_grad():
        for name, tensor in tensors.items():
            tensor.copy_(saved[name])


def prefixed(tensors: Mapping[str, torch.Tensor], prefix: str) -> Tensors:
    """Put a prefix before names."""
    return {f"{prefix}/{name}": tensor for name, tensor in tensors.items()}


def part(tensors: Mapping[str, torch.Tensor], prefix: str) -> Tensors:
    """Return the tensors whose names have a prefix, without it."""
    return {
        name.removeprefix(f"{prefix}/"): tensor for name, tensor in tensors.items() if name.startswith(f"{prefix}/")
    }
