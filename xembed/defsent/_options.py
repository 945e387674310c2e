"""Options that DefSent and DefSent+ share, and saving what they train."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sklearn.utils.validation import check_is_fitted

from xembed._core.files import check_writable
from xembed._core.provenance import provenance
from xembed._core.torch import digest_tensors
from xembed._core.validation import check_count, check_number
from xembed.defsent._body import Body
from xembed.defsent._definitions import Definitions
from xembed.defsent._result import DefSentResult, TrainingRound
from xembed.defsent._training import Settings

if TYPE_CHECKING:
    import torch

    from xembed.encoders import Encoder

_RESULT = "defsent.json"


def check_settings(
    model: Any, *, decay: bool, eps: float, learning_rate: float, max_grad_norm: float | None, caller: str
) -> Settings:
    """Return the options of the training loop, checked."""
    if max_grad_norm is not None:
        check_number(max_grad_norm, name="max_grad_norm", caller=caller, low=0, closed="neither")
    for name in ("eval_every", "patience", "checkpoint_every"):
        if getattr(model, name) is not None:
            check_count(getattr(model, name), name=name, caller=caller)
    check_number(model.validation_fraction, name="validation_fraction", caller=caller, low=0, high=1, closed="left")
    if model.checkpoint_dir is not None and not isinstance(model.checkpoint_dir, str | os.PathLike):
        raise TypeError(
            f"The 'checkpoint_dir' parameter of {caller} must be the path of a folder or None. "
            f"Got {model.checkpoint_dir!r} instead."
        )
    return Settings(
        learning_rate=check_number(learning_rate, name="learning_rate", caller=caller, low=0, high=1, closed="right"),
        batch_size=check_count(model.batch_size, name="batch_size", caller=caller),
        epochs=check_count(model.epochs, name="epochs", caller=caller),
        warmup=check_number(model.warmup, name="warmup", caller=caller, low=0, high=1, closed="left"),
        decay=decay,
        weight_decay=check_number(model.weight_decay, name="weight_decay", caller=caller, low=0, high=1, closed="left"),
        max_grad_norm=max_grad_norm,
        eps=eps,
        log_every=check_count(model.log_every, name="log_every", caller=caller),
        eval_every=model.eval_every,
        patience=model.patience,
        checkpoint_every=model.checkpoint_every,
    )


def fingerprint(
    method: str, parameters: dict[str, Any], definitions: Definitions, body: Body, head: torch.nn.Module
) -> dict[str, Any]:
    """Return all that a checkpoint has to agree with."""
    return {
        "method": method,
        "parameters": parameters,
        "dictionary": definitions.digest(),
        "encoder": body.digest(),
        "head": digest_tensors(head.state_dict()),
    }


def make_result(
    method: str,
    body: Body,
    definitions: Definitions,
    *,
    dropped: str,
    n_given: int,
    n_truncated: int,
    learning_rate: float,
    rounds: Sequence[TrainingRound],
    trained: Encoder,
    encoder: dict[str, Any],
    notes: Sequence[str],
    parameters: dict[str, Any],
    caller: str,
) -> DefSentResult:
    """Return what is told of a training; ``dropped`` says why entries of the ``n_given`` were left out."""
    n_dropped = n_given - len(definitions.entries)
    found = list(notes)
    if n_dropped:
        found.append(f"{n_dropped} of {n_given} entries {dropped} and were left out.")
    if n_truncated:
        found.append(f"{n_truncated} of {len(definitions.texts)} definitions are longer than was read of them.")
    if not definitions.held_out.any():
        found.append("No entries were held out, so nothing is known about new ones.")
    return DefSentResult(
        method=method,
        n_entries=len(definitions.entries),
        n_definitions=len(definitions.texts),
        n_dropped=n_dropped,
        n_validation=int(definitions.held_out.sum()),
        n_truncated=n_truncated,
        learning_rate=float(learning_rate),
        pooling=body.pooling_name,
        template=body.template,
        rounds=tuple(rounds),
        encoder=encoder,
        trained_encoder=trained.describe(),
        notes=tuple(found),
        seconds=sum(record.seconds for record in rounds),
        provenance=provenance(caller, **parameters),
    )


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers from showing bars for what takes a moment, and tables of weights that are not used."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]


def save_trained(model: Any, folder: str | os.PathLike[str]) -> None:
    """Write the trained encoder and the result to a folder, whole or not at all."""
    check_is_fitted(model, "encoder_")
    target = Path(folder)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise FileExistsError(f"{str(target)!r} can't be written: it exists and is not empty. Give a new folder.")
    check_writable(target.parent / f"{target.name}.part")
    temporary = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    try:
        with quiet():
            # Without a model card, for which the hub would be asked.
            model.encoder_.model.save_pretrained(str(temporary), create_model_card=False)
        model.result_.to_json(temporary / _RESULT)
        temporary.chmod(0o755)
        temporary.replace(target)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
