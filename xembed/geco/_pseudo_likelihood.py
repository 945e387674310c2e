"""How likely a masked language model finds the words that both forms of a sentence share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from xembed._core.provenance import provenance
from xembed._core.results import Result
from xembed._core.validation import RNG, check_count, check_number, check_rng, describe_rng
from xembed.datasets._paired import PairedSentences, paired_rows
from xembed.stats._intervals import paired_difference

if TYPE_CHECKING:
    import torch

    from xembed.encoders._words import EncodedWords

_CALLER = "pseudo_log_likelihood"


@dataclass(frozen=True, repr=False)
class PseudoLogLikelihood(Result):
    """Result of `pseudo_log_likelihood`.

    Attributes
    ----------
    name : str
        Of the data.
    forms : tuple of str, (2,)
        The two forms that were compared.
    total : ndarray of shape (n_rows,)
        Sum over the tokens outside the ground truth of log p(token | all others), natural logarithm; at most 0.
    n_tokens : ndarray of shape (n_rows,), int
        How many tokens that is.
    per_token : ndarray of shape (n_rows,)
        ``total / n_tokens``.
    means : tuple of float, (2,)
        Mean of ``per_token`` over the pairs, of each form.
    n_pairs : int
        Sentences that have both forms.
    difference : float
        Mean of ``per_token`` of the first form minus the second: positive where the model finds the shared words more
        likely beside the words of the first form.
    interval : tuple of float, (2,)
        By pairs.
    pvalue : float
        That it is 0 (sign flips of pairs).
    provenance : dict
        Function, parameters and versions.
    """

    schema: ClassVar[str] = "xembed.geco.PseudoLogLikelihood/1"

    name: str
    forms: tuple[str, ...]
    total: npt.NDArray[np.float64]
    n_tokens: npt.NDArray[np.int64]
    per_token: npt.NDArray[np.float64]
    means: tuple[float, ...]
    n_pairs: int
    difference: float
    interval: tuple[float, ...]
    pvalue: float
    provenance: dict[str, Any]


class _Masked(NamedTuple):
    """One token of one row, to be masked."""

    row: int
    place: int


def pseudo_log_likelihood(
    model: Any,
    tokenizer: Any,
    data: PairedSentences,
    *,
    forms: tuple[str, str] | None = None,
    batch_size: int = 64,
    device: str | None = None,
    n_resamples: int = 2000,
    confidence_level: float = 0.95,
    rng: RNG = None,
) -> PseudoLogLikelihood:
    """Sum, over the words outside the ground truth, how likely a masked language model finds each token.

    Each token is masked by itself while all others are seen, those of the same word included: words of many tokens
    look likelier than they are, in both forms alike.

    Parameters
    ----------
    model : transformers.PreTrainedModel
        With a masked-language-model head, such as from ``AutoModelForMaskedLM``. It is put into evaluation mode while
        this runs, and back.
    tokenizer : transformers.PreTrainedTokenizerFast
        Its tokenizer.
    data : PairedSentences
        The sentences.
    forms : pair of str, optional
        Which two forms to compare; by default the first two classes.
    batch_size : int of at least 1, default=64
        Masked sentences in one forward pass.
    device : str, optional
        Where to compute; the model is moved there and back. By default where the model is.
    n_resamples, confidence_level, rng
        As in `xembed.geco.clustered_interval`.

    Returns
    -------
    PseudoLogLikelihood
        Sums and means of each row, and the difference between the forms.

    Raises
    ------
    TypeError
        If the model has no masked-language-model head, or the tokenizer is a slow one.
    ValueError
        If the tokenizer has no mask token, a text is longer than the model reads, all words of a text are ground truth,
        or the model returns numbers that are not finite. The row is named.

    References
    ----------
    J. Salazar et al. "Masked Language Model Scoring". ACL 2020.

    Examples
    --------
    >>> import xembed
    >>> from transformers import BertConfig, BertForMaskedLM
    >>> from xembed.datasets import PairedSentences
    >>> from xembed.geco import pseudo_log_likelihood
    >>> words = [["She", "sings", "well"], ["He", "sings", "well"], ["Her", "car"], ["His", "car"]]
    >>> truth = [[1, 0, 0], [1, 0, 0], [1, 0], [1, 0]]
    >>> data = PairedSentences("mine", words, truth, [0, 1, 0, 1], [1, 1, 2, 2], ("female", "male"))
    >>> tokenizer = xembed.load_encoder(device="cpu").model.tokenizer
    >>> size = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    >>> model = BertForMaskedLM(BertConfig(vocab_size=len(tokenizer), **size))  # a real one is trained
    >>> pseudo_log_likelihood(model, tokenizer, data).n_tokens
    array([2, 2, 1, 1])
    """
    from xembed.encoders._words import WordEncoder

    size = check_count(batch_size, name="batch_size", caller=_CALLER)
    count = check_count(n_resamples, name="n_resamples", caller=_CALLER)
    check_number(confidence_level, name="confidence_level", caller=_CALLER, low=0, high=1, closed="neither")
    generator = check_rng(rng, caller=_CALLER)
    _check_head(model)
    pairs = paired_rows(data, forms, caller=_CALLER)
    encoder = WordEncoder(tokenizer, caller=_CALLER)
    if tokenizer.mask_token_id is None:
        raise ValueError(f"The tokenizer of {_CALLER} must have a mask token. Got {type(tokenizer).__name__} without.")
    rows = encoder.encode(data.sentences)
    todo = _to_mask(rows, data)
    with _ready(model, device):
        scores = _scores(model, rows, todo, tokenizer.mask_token_id, encoder.pad_id, size)
    total = np.zeros(len(rows))
    owner = np.array([item.row for item in todo])
    np.add.at(total, owner, scores)
    n_tokens = np.bincount(owner, minlength=len(rows)).astype(np.int64)
    per_token = total / n_tokens
    first, second = per_token[pairs.first], per_token[pairs.second]
    options: dict[str, Any] = {"n_resamples": count, "confidence_level": confidence_level, "rng": generator}
    found = paired_difference(first, second, pairs.groups, **options)
    return PseudoLogLikelihood(
        name=data.name,
        forms=pairs.forms,
        total=total,
        n_tokens=n_tokens,
        per_token=per_token,
        means=(float(first.mean()), float(second.mean())),
        n_pairs=len(pairs.groups),
        difference=found.difference,
        interval=(found.low, found.high),
        pvalue=found.pvalue,
        provenance=provenance(
            _CALLER,
            model=type(model).__name__,
            n_resamples=count,
            confidence_level=confidence_level,
            rng=describe_rng(rng),
        ),
    )


def _check_head(model: Any) -> None:
    from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES

    known = {
        name
        for names in MODEL_FOR_MASKED_LM_MAPPING_NAMES.values()
        for name in ([names] if isinstance(names, str) else names)
    }
    if not any(kind.__name__ in known for kind in type(model).__mro__):
        raise TypeError(
            f"The model of {_CALLER} must have a masked-language-model head. Got {type(model).__name__}: "
            "load it with AutoModelForMaskedLM."
        )


def _to_mask(rows: Sequence[EncodedWords], data: PairedSentences) -> list[_Masked]:
    """Return every token outside the ground truth."""
    if cut := [number for number, row in enumerate(rows) if row.truncated]:
        raise ValueError(
            f"The texts of {_CALLER} must be as short as the model reads. Got {len(cut)} that "
            f"{'is' if len(cut) == 1 else 'are'} longer (first: row {cut[0]}). Drop them with data.take()."
        )
    todo: list[_Masked] = []
    for number, (row, marks) in enumerate(zip(rows, data.ground_truth, strict=True)):
        own = [
            _Masked(number, place) for place, word in enumerate(row.word_ids) if word is not None and not marks[word]
        ]
        if not own:
            raise ValueError(
                f"The texts of {_CALLER} must have a word outside the ground truth. Got row {number} without: "
                "drop such rows with data.take()."
            )
        todo += own
    return todo


@contextmanager
def _ready(model: torch.nn.Module, device: str | None) -> Iterator[None]:
    """Put the model into evaluation mode on a device, and everything back afterwards."""
    if device is not None:
        from xembed.encoders._pipeline import find_device

        device = find_device(device, caller=_CALLER)
    training = {module: module.training for module in model.modules()}
    home = next(model.parameters()).device
    try:
        model.eval()
        if device is not None:
            model.to(device)
        yield
    finally:
        for module, mode in training.items():
            module.training = mode
        if device is not None:
            model.to(home)


def _scores(
    model: Any, rows: Sequence[EncodedWords], todo: Sequence[_Masked], mask_id: int, pad_id: int, batch_size: int
) -> npt.NDArray[np.float64]:
    """Return log p of each token, in the order of ``todo``."""
    import torch

    from xembed.encoders._words import collate

    device = next(model.parameters()).device
    result = np.empty(len(todo))
    # Rows of one length together: nothing is computed for what fills them up.
    order = sorted(range(len(todo)), key=lambda i: -len(rows[todo[i].row].ids))
    wanted: dict[str, Any] = {}

    def only_masked(module: Any, inputs: tuple[Any, ...]) -> tuple[Any, ...] | None:
        # The vocabulary is the largest layer by far: it is asked for the masked token of each row only.
        states = inputs[0]
        if states.ndim != 3 or states.shape[:2] != wanted["shape"]:
            return None
        return (states[wanted["index"], wanted["places"]][:, None], *inputs[1:])

    head = model.get_output_embeddings()
    hook = head.register_forward_pre_hook(only_masked) if isinstance(head, torch.nn.Module) else None
    try:
        with torch.inference_mode():
            for start in range(0, len(order), batch_size):
                chosen = order[start : start + batch_size]
                ids, mask = collate([rows[todo[i].row].ids for i in chosen], pad_id)
                index = torch.arange(len(chosen))
                places = torch.tensor([todo[i].place for i in chosen])
                original = ids[index, places].to(device)
                ids[index, places] = mask_id
                wanted |= {"shape": ids.shape, "index": index.to(device), "places": places.to(device)}
                logits = model(input_ids=ids.to(device), attention_mask=mask.to(device)).logits
                # A head that does not go through the hook gives all tokens.
                everywhere = logits.shape[1] == ids.shape[1]
                logits = logits[wanted["index"], wanted["places"]] if everywhere else logits[:, 0]
                logs = torch.log_softmax(logits.float(), dim=-1).gather(1, original[:, None])[:, 0]
                result[chosen] = logs.double().cpu().numpy()
    finally:
        if hook is not None:
            hook.remove()
    bad = ~np.isfinite(result)
    if bad.any():
        row = todo[int(np.argmax(bad))].row
        raise ValueError(f"The model of {_CALLER} must return finite numbers. Got others for row {row}.")
    return result
