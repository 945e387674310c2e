"""Asking a classifier."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from xembed._core.validation import check_count
from xembed.datasets import PairedSentences
from xembed.encoders._pipeline import find_device
from xembed.encoders._warn import warn_user
from xembed.encoders._words import WordEncoder, collate
from xembed.geco._classifier import check_tokenizer

BATCH = 64  # rows at once where nothing is trained

Ids = tuple[int, ...]
Logits = npt.NDArray[np.float64]


def evaluate(
    model: Any,
    tokenizer: Any,
    data: PairedSentences | Sequence[str] | Sequence[Sequence[str]],
    *,
    batch_size: int = BATCH,
    device: str | None = None,
) -> Logits:
    """Return the logits of a classifier.

    Parameters
    ----------
    model : transformers.PreTrainedModel or OneLayerAttention
        A sequence classifier.
    tokenizer : transformers.PreTrainedTokenizerFast
        Its tokenizer.
    data : PairedSentences, sequence of str or sequence of sequences of str
        The sentences, as texts or as words.
    batch_size : int, default=64
        Rows at once, of about the same length. It changes the speed, and the logits only in their last digits.
    device : str, optional
        Where to compute; the model returns to where it was. By default where the model is.

    Returns
    -------
    ndarray of shape (n_rows, n_classes), float64
        In the order of the rows. ``scipy.special.softmax(logits, axis=1)`` are probabilities.

    Raises
    ------
    RuntimeError
        If logits are not finite.
    TypeError
        If the tokenizer is a slow one, or something else than sentences comes.
    ValueError
        If there is no sentence, or one is blank.

    Warns
    -----
    UserWarning
        If texts are longer than the model reads.

    Examples
    --------
    >>> import xembed
    >>> from xembed.geco import evaluate, make_classifier
    >>> model, tokenizer = make_classifier(xembed.load_encoder(device="cpu"), 3)
    >>> evaluate(model, tokenizer, ["She sings.", "He waits."]).shape
    (2, 3)
    """
    caller = "evaluate"
    batch_size = check_count(batch_size, name="batch_size", caller=caller)
    encoder = WordEncoder(check_tokenizer(tokenizer, caller=caller), caller=caller)
    encoded = encoder.encode(data.sentences if isinstance(data, PairedSentences) else data)
    count_truncated([row.truncated for row in encoded], tokenizer, caller=caller)
    before = next(model.parameters()).device
    training = model.training
    try:
        if device is not None:
            model.to(find_device(device, caller=caller))
        model.eval()
        logits = logits_of(model, [row.ids for row in encoded], int(tokenizer.pad_token_id), batch_size)
    finally:
        model.train(training).to(before)
    bad = np.flatnonzero(~np.isfinite(logits).all(axis=1))
    if len(bad):
        raise RuntimeError(
            f"The model of {caller} must give finite logits. Got NaN or infinity for {len(bad)} of {len(logits)} rows "
            f"(first: row {bad[0]}): did its training diverge, or does it run in float16?"
        )
    return logits


def forward(model: Any, rows: Sequence[Ids], pad_id: int) -> torch.Tensor:
    ids, mask = collate(rows, pad_id)
    device = next(model.parameters()).device
    logits: torch.Tensor = model(input_ids=ids.to(device), attention_mask=mask.to(device)).logits
    return logits


def logits_of(model: Any, rows: Sequence[Ids], pad_id: int, batch_size: int) -> Logits:
    order = sorted(range(len(rows)), key=lambda row: len(rows[row]))
    parts: list[Logits] = []
    with torch.no_grad():
        for start in range(0, len(order), batch_size):
            batch = [rows[row] for row in order[start : start + batch_size]]
            parts.append(forward(model, batch, pad_id).double().cpu().numpy())
    found = np.concatenate(parts)
    logits = np.empty_like(found)
    logits[order] = found
    return logits


def count_truncated(truncated: Sequence[bool], tokenizer: Any, *, caller: str) -> int:
    count = sum(truncated)
    if count:
        warn_user(
            f"{count} of {len(truncated)} texts of {caller} are longer than the {tokenizer.model_max_length} tokens "
            "that the model reads, and were cut."
        )
    return count
